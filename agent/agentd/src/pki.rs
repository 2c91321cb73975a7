//! The box's own certificates: three CAs (ECDSA P-256), made at the first start and never mixed.
//!
//! | CA | signs | who verifies with it |
//! |---|---|---|
//! | `ca` | the server certificate of RADIUS, web, IPP and MQTT; names under the realm, `.local`, `localhost` only | members' devices, relays, readers |
//! | `device-ca` | members' device certificates | the RADIUS server |
//! | `infrastructure-ca` | client certificates of access points, relays and readers | the RadSec and MQTT listeners |
//!
//! Keys never leave DATA/pki (mode 0700, files 0600); a device's own key is made here, given away and not kept. A server
//! certificate near its end is replaced under the same CA while the box runs ([`Pki::keep_current`]), so devices that trust
//! the CA notice nothing. `ca` may sign for its realm alone, so a new realm is a new `ca`.

pub mod access_point;
mod authority;
mod cms;
pub mod device;
pub mod pkcs12;
mod served;

pub use device::DeviceCertificate;
pub use served::Served;

use crate::shell::Shell;
use authority::Authority;
use policy::{Noun, Outcome, Record};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use values::{EventId, Timestamp};

/// How often the server certificate is looked at. It is replaced 90 days before its end, so a fault has time to be mended.
const LOOKED_AT: Duration = Duration::from_secs(6 * 60 * 60);

/// What can go wrong with the certificates on disk.
#[derive(Debug)]
pub struct PkiError {
    pub file: PathBuf,
    pub detail: String,
}

impl std::fmt::Display for PkiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.detail)
    }
}

impl std::error::Error for PkiError {}

/// The name in the server certificate, which every profile pins.
#[must_use]
pub fn server_name(realm: &str) -> String {
    format!("doorpost.{realm}")
}

/// The certificates in use.
pub struct Pki {
    folder: PathBuf,
    realm: String,
    /// The CA that devices trust.
    authority: CertificateDer<'static>,
    served: Arc<Served>,
}

impl Pki {
    /// Loads DATA/pki, making what is missing.
    ///
    /// # Errors
    /// A file that cannot be read, written or parsed.
    pub fn open(data: &Path, realm: &str, now: Timestamp) -> Result<Self, PkiError> {
        let folder = data.join("pki");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| PkiError { file: folder.clone(), detail: error.to_string() })?;
        let authority = Authority { folder: &folder, now };
        authority.ca("ca", "Doorpost server CA", Some(realm))?;
        authority.ca("device-ca", "Doorpost device CA", None)?;
        authority.ca("infrastructure-ca", "Doorpost infrastructure CA", None)?;
        if let Err(error) = authority.server(realm) {
            // A certificate that could not be renewed (a full disk) still serves until its end.
            authority
                .load("server")
                .map_err(|_| PkiError { file: error.file.clone(), detail: error.detail.clone() })?;
            tracing::warn!(%error, "the server certificate could not be renewed");
        }
        let certificates = authority.certificates("ca")?;
        let ca = certificates.into_iter().next().ok_or_else(|| authority.error("ca", &"holds no certificate"))?;
        let served = Served::new(load_server(&authority)?);
        Ok(Self { authority: ca, served, realm: realm.to_owned(), folder })
    }

    /// Replaces the server certificate when it is near its end; says whether it did. Connections that are open go on.
    ///
    /// # Errors
    /// The new one could not be made; the old one still serves.
    pub fn renew(&self, now: Timestamp) -> Result<bool, PkiError> {
        let authority = Authority { folder: &self.folder, now };
        authority.server(&self.realm)?;
        // What is on disk is compared, not what was made: a new certificate that could not be read back is taken the next time.
        let kept = load_server(&authority)?;
        let is_new = kept.cert != self.served.current().cert;
        if is_new {
            self.served.replace(kept);
        }
        Ok(is_new)
    }

    /// Looks after the server certificate until the daemon stops. A fault is told and tried again, and stops nothing.
    pub async fn keep_current(self: Arc<Self>, shell: Shell) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOKED_AT) => {}
                () = shell.stopped() => return,
            }
            let (pki, now) = (Arc::clone(&self), shell.clock.now().stamp());
            let renewed = tokio::task::spawn_blocking(move || pki.renew(now)).await;
            match renewed {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => shell.recorder.record(renewed_record(now)),
                Ok(Err(error)) => shell.recorder.record(not_renewed_record(&error, now)),
                Err(error) => tracing::warn!(%error, "the server certificate was not looked at"),
            }
        }
    }

    /// The CA that devices trust, in DER.
    #[must_use]
    pub const fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// The server certificate in use, for the TLS that EAP runs on.
    #[must_use]
    pub fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served)
    }

    /// The CA whose certificates members' devices log in with by EAP-TLS.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn device_cas(&self) -> Result<Vec<CertificateDer<'static>>, PkiError> {
        Authority { folder: &self.folder, now: Timestamp(0) }.certificates("device-ca")
    }

    /// TLS for HTTPS and IPPS: HTTP/1.1.
    ///
    /// # Errors
    /// rustls refuses its own defaults.
    pub fn device_facing_tls(&self) -> Result<Arc<ServerConfig>, PkiError> {
        self.tls(&[b"http/1.1"])
    }

    /// TLS for MQTT devices.
    ///
    /// # Errors
    /// As [`Pki::device_facing_tls`].
    pub fn infrastructure_tls(&self) -> Result<Arc<ServerConfig>, PkiError> {
        self.tls(&[])
    }

    fn tls(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, PkiError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| PkiError { file: self.folder.join("server.pem"), detail: error.to_string() })?
            .with_no_client_auth()
            .with_cert_resolver(self.served());
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

fn load_server(authority: &Authority<'_>) -> Result<rustls::sign::CertifiedKey, PkiError> {
    let (chain, key) = authority.load("server")?;
    served::certified(chain, key).map_err(|error| authority.error("server", &error))
}

fn renewed_record(now: Timestamp) -> Record {
    let id = EventId::generate(&mut host::OsEntropy);
    let sentence = "The server certificate was renewed under the same CA; devices need not be told.";
    Record::new(id, now, Noun::Site, Outcome::Noted, "certificate-renewed", sentence)
}

fn not_renewed_record(error: &PkiError, now: Timestamp) -> Record {
    let id = EventId::generate(&mut host::OsEntropy);
    let sentence = format!(
        "The server certificate could not be renewed ({}); it serves until its end. Check the disk; the box tries again.",
        error.detail
    );
    Record::new(id, now, Noun::Site, Outcome::Warning, "certificate-not-renewed", sentence)
}

#[cfg(test)]
mod tests;
