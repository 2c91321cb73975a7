//! Why a login ended without EAP-Success, who is at fault, and what to tell people. Sentences hold no personal data.

use super::fragment::TlsDataError;
use super::tls_failure::{alert_code, spoken_alert};
use rustls::AlertDescription;

/// Who would have to change something for the login to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol.
    PeerMisbehaved,
    /// The peer speaks the protocol, but only dialects that we do not.
    PeerUnsupported,
    /// The peer does not accept us.
    PeerRefused,
    /// We said no.
    Refused,
    /// This box could not.
    LocalFault,
}

/// Why EAP-Failure was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EapFailure {
    /// A legacy Nak named no method of ours; these EAP types were asked for (0 or nothing: none at all).
    NoCommonMethod { wanted: Vec<u8> },
    /// Inside the tunnel the peer uses a method that we do not speak.
    InnerMethodUnsupported { method: String },
    /// The peer speaks another version of PEAP or TTLS.
    MethodVersionUnsupported { version: u8 },
    /// The newest TLS that the peer offered is of the past.
    TlsTooOld { newest: &'static str },
    /// The peer speaks TLS 1.2, but only with cipher suites of the past.
    TlsSuitesTooOld { what: &'static str },
    /// Nothing else of TLS in common: no group, no signature scheme.
    TlsUnsupported { what: String },
    /// EAP-TLS without a certificate of the device.
    CertificateMissing,
    /// A certificate that is not of our device CA, or not for this.
    CertificateUntrusted { what: &'static str },
    /// The peer broke EAP, TLS or the inner method.
    PeerMisbehaved { what: &'static str },
    /// The peer ended the handshake with this alert.
    TlsAlertFromPeer { description: AlertDescription },
    /// The peer was told that it is in, and said no.
    PeerRefused,
    /// A wrong key, or no such user.
    WrongKey,
    /// The right key, refused by policy.
    Denied,
    /// More Requests than a login can need.
    RoundsExceeded,
    /// This box could not go on.
    LocalFault { what: String },
}

impl EapFailure {
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::PeerMisbehaved { .. } | Self::RoundsExceeded => Fault::PeerMisbehaved,
            Self::NoCommonMethod { .. }
            | Self::InnerMethodUnsupported { .. }
            | Self::MethodVersionUnsupported { .. }
            | Self::TlsTooOld { .. }
            | Self::TlsSuitesTooOld { .. }
            | Self::TlsUnsupported { .. } => Fault::PeerUnsupported,
            Self::TlsAlertFromPeer { .. } | Self::PeerRefused => Fault::PeerRefused,
            Self::CertificateMissing | Self::CertificateUntrusted { .. } | Self::WrongKey | Self::Denied => {
                Fault::Refused
            }
            Self::LocalFault { .. } => Fault::LocalFault,
        }
    }

    /// The stable code for records and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCommonMethod { .. } => "eap-no-common-method",
            Self::InnerMethodUnsupported { .. } => "eap-inner-method-unsupported",
            Self::MethodVersionUnsupported { .. } => "eap-method-version-unsupported",
            Self::TlsTooOld { .. } => "eap-tls-too-old",
            Self::TlsSuitesTooOld { .. } => "eap-tls-suites-too-old",
            Self::TlsUnsupported { .. } => "eap-tls-unsupported",
            Self::CertificateMissing => "eap-certificate-missing",
            Self::CertificateUntrusted { .. } => "eap-certificate-untrusted",
            Self::PeerMisbehaved { .. } => "eap-peer-misbehaved",
            Self::TlsAlertFromPeer { description } => alert_code(*description),
            Self::PeerRefused => "eap-peer-refused",
            Self::WrongKey => "wrong-key",
            Self::Denied => "denied",
            Self::RoundsExceeded => "eap-rounds-exceeded",
            Self::LocalFault { .. } => "eap-local-fault",
        }
    }

    /// What happened and what to do about it.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::NoCommonMethod { wanted } => format!(
                "The device asked for {}, which is not offered here; choose EAP-TLS with a certificate of this box, PEAP with MSCHAPv2, or TTLS with PAP on the device.",
                spoken_types(wanted)
            ),
            Self::InnerMethodUnsupported { method } => format!(
                "Inside the tunnel the device uses {method}; choose PAP or MSCHAPv2 for TTLS, MSCHAPv2 for PEAP on the device."
            ),
            Self::MethodVersionUnsupported { version } => {
                format!("The device insists on version {version} of its login method; version 0 is the one in use.")
            }
            Self::TlsTooOld { newest } => format!(
                "The device offered only {newest}, and this box takes TLS 1.2 and 1.3; update the device, or let it in by a passphrase of its own instead of 802.1X."
            ),
            Self::TlsSuitesTooOld { what } => format!(
                "The device offered {what}, and this box takes TLS 1.2 with ECDHE and AES-GCM or ChaCha20, and TLS 1.3; update the device, or let it in by a passphrase of its own instead of 802.1X."
            ),
            Self::CertificateMissing => {
                "The device was asked for its certificate and showed none; install its Wi-Fi profile with the certificate on it, or choose PEAP or TTLS.".into()
            }
            Self::CertificateUntrusted { what } => format!(
                "The device showed a certificate {what}; issue one for the device on this box and install it."
            ),
            Self::TlsUnsupported { what } => format!(
                "The device's TLS has nothing in common with this box ({what}); it needs TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3."
            ),
            Self::PeerMisbehaved { what } => format!("The device broke the login protocol: {what}."),
            Self::TlsAlertFromPeer { description } => spoken_alert(*description),
            Self::PeerRefused => "The device was let in and declined; it may not trust this box.".into(),
            Self::WrongKey => {
                "The user name or the Wi-Fi key is wrong; check both on the device or issue a new key.".into()
            }
            Self::Denied => "The key was right, but the membership does not allow this login.".into(),
            Self::RoundsExceeded => "The device kept the login going for more steps than it can need.".into(),
            Self::LocalFault { what } => format!("This box could not go on with the login: {what}."),
        }
    }
}

/// EAP types as people know them.
pub(super) fn spoken_types(wanted: &[u8]) -> String {
    let names: Vec<String> = wanted
        .iter()
        .filter(|&&kind| kind != 0) // RFC 3748 5.3.1: zero says that there is no alternative
        .map(|&kind| match kind {
            4 => "EAP-MD5".into(),
            6 => "EAP-GTC".into(),
            13 => "EAP-TLS".into(),
            18 => "EAP-SIM".into(),
            21 => "EAP-TTLS".into(),
            23 => "EAP-AKA".into(),
            25 => "PEAP".into(),
            26 => "EAP-MSCHAPv2".into(),
            43 => "EAP-FAST".into(),
            50 => "EAP-AKA'".into(),
            52 => "EAP-PWD".into(),
            55 => "TEAP".into(),
            other => format!("EAP type {other}"),
        })
        .collect();
    if names.is_empty() { "no method at all".into() } else { names.join(", ") }
}

impl From<TlsDataError> for EapFailure {
    fn from(error: TlsDataError) -> Self {
        Self::PeerMisbehaved { what: error.what() }
    }
}

/// Why an EAP packet was dropped without an answer (RFC 3748 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EapDiscard {
    /// Not an EAP packet.
    Malformed,
    /// A Request, Success or Failure: nothing a peer sends to a server.
    NotAResponse,
    /// The Identifier is not that of the outstanding Request: an old packet, or a forged one.
    WrongIdentifier,
    /// Neither the Type of the outstanding Request nor a Nak.
    WrongType,
    /// Nothing is outstanding: the conversation waits for the engine, or is over.
    OutOfTurn,
}

impl EapDiscard {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "eap-malformed",
            Self::NotAResponse => "eap-not-a-response",
            Self::WrongIdentifier => "eap-wrong-identifier",
            Self::WrongType => "eap-wrong-type",
            Self::OutOfTurn => "eap-out-of-turn",
        }
    }
}
