//! What went wrong in TLS, in our words: alerts of the device, and the errors of rustls. The device's ClientHello tells the rest.

use super::client_hello::ClientHello;
use super::failure::EapFailure;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// The stable code of an alert that a device sent. wpa_supplicant says InternalError when the certificate bears another name than
/// the one that its profile expects.
pub(super) const fn alert_code(description: AlertDescription) -> &'static str {
    match description {
        AlertDescription::UnknownCA => "eap-device-distrusts-ca",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::InternalError => "eap-device-distrusts-certificate",
        AlertDescription::CertificateExpired => "eap-device-finds-certificate-expired",
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => "eap-device-refuses-tls",
        AlertDescription::CloseNotify | AlertDescription::UserCanceled | AlertDescription::AccessDenied => {
            "eap-device-gave-up"
        }
        _ => "eap-tls-alert-from-peer",
    }
}

/// What happened and what to do about it.
pub(super) fn spoken_alert(description: AlertDescription) -> String {
    let name = description.as_str().unwrap_or("an unknown alert");
    match description {
        AlertDescription::UnknownCA => format!(
            "The device does not know the authority behind this box's certificate ({name}); install the Wi-Fi profile on it."
        ),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::InternalError => format!(
            "The device does not accept this box's certificate or its name ({name}); install the newest Wi-Fi profile on it."
        ),
        AlertDescription::CertificateExpired => format!(
            "The device finds this box's certificate outside its dates ({name}); check the clock of the device and of the box."
        ),
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => format!(
            "The device refused this box's TLS ({name}); allow TLS 1.2 or 1.3 in its Wi-Fi settings or update it."
        ),
        AlertDescription::CloseNotify | AlertDescription::UserCanceled | AlertDescription::AccessDenied => format!(
            "The device broke the login off by itself ({name}); somebody may have declined on it. Try again, or install the Wi-Fi profile."
        ),
        _ => format!("The device ended the login with the TLS alert {name}."),
    }
}

/// RFC 5216 2.1.3 leaves the reason to TLS; this is the reason in our words. rustls' errors are open-ended, hence the last arms.
impl From<Error> for EapFailure {
    fn from(error: Error) -> Self {
        match error {
            Error::AlertReceived(description) => Self::TlsAlertFromPeer { description },
            Error::PeerIncompatible(what) => Self::TlsUnsupported { what: format!("{what:?}") },
            Error::NoCertificatesPresented => Self::CertificateMissing,
            Error::InvalidCertificate(why) => Self::CertificateUntrusted { what: spoken_certificate(&why) },
            Error::InvalidMessage(_) => Self::PeerMisbehaved { what: "a TLS message cannot be read" },
            Error::DecryptError => Self::PeerMisbehaved { what: "a TLS record cannot be decrypted" },
            Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
                Self::PeerMisbehaved { what: "a TLS message out of turn" }
            }
            Error::PeerMisbehaved(_) => Self::PeerMisbehaved { what: "TLS rules" },
            Error::PeerSentOversizedRecord => Self::PeerMisbehaved { what: "a TLS record that is too large" },
            other => Self::LocalFault { what: other.to_string() },
        }
    }
}

const fn spoken_certificate(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "that this box did not issue",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "that is not for logging in"
        }
        _ => "that cannot be verified",
    }
}

/// The same, told from what the device offered in `message` where nothing was in common.
pub(super) fn explain(error: Error, message: &[u8]) -> EapFailure {
    let (Error::PeerIncompatible(what), Some(hello)) = (&error, ClientHello::decode(message)) else {
        return error.into();
    };
    // rustls asks for groups first, which a device without ECDHE has no reason to offer.
    let about_suites = matches!(what, PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon);
    match (hello.outdated_version(), hello.outdated_suites()) {
        (Some(newest), _) => EapFailure::TlsTooOld { newest },
        (None, Some(what)) if about_suites => EapFailure::TlsSuitesTooOld { what },
        (None, _) => error.into(),
    }
}
