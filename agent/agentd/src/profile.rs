//! Wi-Fi profiles: what a member's device is given so that it joins by itself and believes nobody else. Each format is a file of
//! its own below; this one says what goes into all of them.
//!
//! Every profile pins the CA and the name of the server. A device that checked neither would hand its key to any access point
//! of the same name. Knows nothing of members, of the store and of HTTP.
//!
//! | format | for | made by |
//! |---|---|---|
//! | `apple` | iPhone, iPad, Mac | apple.rs: a .mobileconfig, signed |
//! | `windows` | Windows 10 and 11 | windows.rs: a command that installs CA, certificate, WLANProfile and user data |
//! | `eap-config` | Android and others, with the geteduroam app | eap_config.rs |
//! | `onc` | ChromeOS | onc.rs |
//! | `qr` | a code to scan | qr.rs: a passphrase network, or the link to the page that hands out the other formats |

pub mod apple;
pub mod eap_config;
pub mod onc;
pub mod qr;
pub mod windows;
pub mod xml;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use values::{Secret, Timestamp};

/// A file for one kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Apple,
    Windows,
    EapConfig,
    Onc,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Apple, Self::Windows, Self::EapConfig, Self::Onc];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apple => "apple",
            Self::Windows => "windows",
            Self::EapConfig => "eap-config",
            Self::Onc => "onc",
        }
    }

    /// What browsers and devices know it by.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Apple => "application/x-apple-aspen-config",
            Self::Windows => "application/octet-stream",
            Self::EapConfig => "application/eap-config",
            Self::Onc => "application/x-onc",
        }
    }

    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Apple => "wifi.mobileconfig",
            Self::Windows => "wifi.cmd",
            Self::EapConfig => "wifi.eap-config",
            Self::Onc => "wifi.onc",
        }
    }

    /// What a device of this kind does best. ChromeOS takes certificates from its own hardware only.
    #[must_use]
    pub const fn best_method(self) -> Method {
        match self {
            Self::Apple | Self::Windows | Self::EapConfig => Method::Tls,
            Self::Onc => Method::Peap,
        }
    }
}

impl std::str::FromStr for Format {
    type Err = ();
    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|format| format.word() == word).ok_or(())
    }
}

/// How the device logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// EAP-TLS, with a certificate of its own.
    Tls,
    /// PEAP with MSCHAPv2.
    Peap,
    /// EAP-TTLS with PAP.
    Ttls,
}

impl Method {
    /// The EAP method's number (IANA).
    #[must_use]
    pub const fn eap_type(self) -> u8 {
        match self {
            Self::Tls => 13,
            Self::Peap => 25,
            Self::Ttls => 21,
        }
    }
}

/// What a profile says of the space, the same for every member.
#[derive(Clone, Debug)]
pub struct Network {
    /// What people call the space.
    pub site: String,
    pub realm: String,
    /// The name that the server's certificate must have.
    pub server_name: String,
    /// The CA that the certificate must be of.
    pub authority: CertificateDer<'static>,
    /// At least one.
    pub ssids: Vec<String>,
    /// When the device's membership or certificate ends, if it is known.
    pub ends_at: Option<Timestamp>,
}

impl Network {
    /// What anybody on the air may read in place of the user name.
    #[must_use]
    pub fn outer_identity(&self) -> String {
        format!("anonymous@{}", self.realm)
    }

    /// SHA-1 of the CA, as Windows names it.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &self.authority);
        crate::secrets::hex(digest.as_ref())
    }
}

/// What the device logs in with.
pub enum Login {
    Key { method: KeyMethod, username: String, password: Secret<String> },
    Certificate { identity: String, pkcs12: Vec<u8>, password: Secret<String> },
}

/// The methods that a key serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMethod {
    Peap,
    Ttls,
}

impl Login {
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Certificate { .. } => Method::Tls,
            Self::Key { method: KeyMethod::Peap, .. } => Method::Peap,
            Self::Key { method: KeyMethod::Ttls, .. } => Method::Ttls,
        }
    }
}

/// The file in this format, not signed yet. It holds the device's key.
#[must_use]
pub fn write(format: Format, network: &Network, login: &Login) -> Vec<u8> {
    match format {
        Format::Apple => apple::write(network, login).into_bytes(),
        Format::Windows => windows::write(network, login).into_bytes(),
        Format::EapConfig => eap_config::write(network, login).into_bytes(),
        Format::Onc => onc::write(network, login).into_bytes(),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A moment as XML has it: `2027-11-21T08:00:00Z`.
fn xml_time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_second(at.0.div_euclid(1_000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_string()
}

/// A random UUID of version 4 (RFC 9562, 5.4).
fn uuid() -> String {
    let mut bytes: [u8; 16] = (&mut host::OsEntropy as &mut dyn values::Entropy).bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::secrets::hex(&bytes).to_uppercase();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests;
