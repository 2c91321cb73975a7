//! The server certificate in use. Every TLS server of the box asks here at each handshake, so a new certificate is taken by
//! the next connection, and those that are open go on as they are.

use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::{Arc, PoisonError, RwLock};

/// Shared by the TLS configurations of EAP, HTTPS, IPPS and MQTT.
#[derive(Debug)]
pub struct Served(RwLock<Arc<CertifiedKey>>);

impl Served {
    pub(super) fn new(first: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(first))))
    }

    /// From the next handshake on.
    pub(super) fn replace(&self, next: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    #[must_use]
    pub fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A signature with the certificate's key: ECDSA on P-256 with SHA-256, in DER.
    ///
    /// # Errors
    /// The key is of another kind, or has no entropy to sign with.
    pub(super) fn sign(&self, key: &CertifiedKey, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signer = key.key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        signer.ok_or_else(|| rustls::Error::General("the server's key is not of P-256".into()))?.sign(message)
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// A certificate with its key.
///
/// # Errors
/// The two do not belong together, or rustls knows no such key.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, rustls::Error> {
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
}
