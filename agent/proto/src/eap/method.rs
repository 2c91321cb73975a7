//! The methods we speak, their EAP types, and the choice between them when a peer answers with a Nak (RFC 3748 5.3.1).

use std::fmt;

/// EAP types of the IANA registry that this server meets.
pub mod eap_type {
    pub const IDENTITY: u8 = 1;
    /// The legacy Nak.
    pub const NAK: u8 = 3;
    pub const TLS: u8 = 13;
    pub const TTLS: u8 = 21;
    pub const PEAP: u8 = 25;
    /// EAP-MSCHAPv2, only inside PEAP and TTLS.
    pub const MSCHAPV2: u8 = 26;
    /// EAP-TLV, also called EAP Extensions: the result exchange at the end of PEAP.
    pub const TLV: u8 = 33;
}

/// An outer method, as configured and as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// A device certificate on both sides of TLS; nothing inside.
    Tls,
    Peap,
    Ttls,
}

impl MethodKind {
    /// Every method, the safest first: the order in which a site offers them unless its file says otherwise.
    pub const ALL: [Self; 3] = [Self::Tls, Self::Peap, Self::Ttls];

    #[must_use]
    pub const fn eap_type(self) -> u8 {
        match self {
            Self::Tls => eap_type::TLS,
            Self::Peap => eap_type::PEAP,
            Self::Ttls => eap_type::TTLS,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "EAP-TLS",
            Self::Peap => "PEAP",
            Self::Ttls => "TTLS",
        }
    }

    /// The first of our `methods` that the peer's Nak names and that has not been offered yet.
    #[must_use]
    pub fn negotiate(methods: &[Self], offered: &[Self], wanted: &[u8]) -> Option<Self> {
        methods.iter().copied().find(|method| wanted.contains(&method.eap_type()) && !offered.contains(method))
    }
}

/// What proves the user inside the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InnerMethod {
    Pap,
    /// Under TTLS the one of RFC 5281 11.2.4, under PEAP the EAP method, which is the only one it has here.
    MsChapV2,
    /// The EAP method inside TTLS (RFC 5281 11.1).
    EapMsChapV2,
}

impl InnerMethod {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pap => "PAP",
            Self::MsChapV2 => "MSCHAPv2",
            Self::EapMsChapV2 => "EAP-MSCHAPv2",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

impl TlsVersion {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

/// How a user logged in, for records. Displays as `PEAP/MSCHAPv2, TLS 1.3, TLS13_AES_256_GCM_SHA384`, and without an inner method
/// as `EAP-TLS, TLS 1.3, ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    pub outer: MethodKind,
    /// None for EAP-TLS, where the certificate has said all.
    pub inner: Option<InnerMethod>,
    pub tls_version: TlsVersion,
    /// The cipher suite's IANA name.
    pub cipher: &'static str,
    /// Nothing was proved anew: the device went on with a session of an earlier login by this method.
    pub resumed: bool,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outer.name())?;
        if let Some(inner) = self.inner {
            write!(f, "/{}", inner.name())?;
        }
        write!(f, ", {}, {}", self.tls_version.name(), self.cipher)?;
        if self.resumed { f.write_str(", resumed") } else { Ok(()) }
    }
}
