//! The methods we speak, their EAP types, and the choice between them when a peer answers with a Nak (RFC 3748 5.3.1).

use std::fmt;

/// EAP types of the IANA registry that this server meets.
pub mod eap_type {
    pub const IDENTITY: u8 = 1;
    /// The legacy Nak.
    pub const NAK: u8 = 3;
    pub const TTLS: u8 = 21;
    pub const PEAP: u8 = 25;
    /// EAP-MSCHAPv2, only inside PEAP.
    pub const MSCHAPV2: u8 = 26;
    /// EAP-TLV, also called EAP Extensions: the result exchange at the end of PEAP.
    pub const TLV: u8 = 33;
}

/// An outer method, as configured and as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodKind {
    Ttls,
    Peap,
}

impl MethodKind {
    #[must_use]
    pub const fn eap_type(self) -> u8 {
        match self {
            Self::Ttls => eap_type::TTLS,
            Self::Peap => eap_type::PEAP,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttls => "TTLS",
            Self::Peap => "PEAP",
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
    MsChapV2,
}

impl InnerMethod {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pap => "PAP",
            Self::MsChapV2 => "MSCHAPv2",
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

/// How a user logged in, for records. Displays as `PEAP/MSCHAPv2, TLS 1.3, TLS13_AES_256_GCM_SHA384`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    pub outer: MethodKind,
    pub inner: InnerMethod,
    pub tls_version: TlsVersion,
    /// The cipher suite's IANA name.
    pub cipher: &'static str,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, {}, {}", self.outer.name(), self.inner.name(), self.tls_version.name(), self.cipher)
    }
}
