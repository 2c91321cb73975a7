//! The two TLS servers that EAP runs on, and whose device certificates one of them believes.
//!
//! Sessions of TLS 1.2 may be resumed under every method. Under TLS 1.3 the device of an EAP-TLS login gets one ticket; PEAP and
//! TTLS get none, since Windows fails on them. What may become of a session is in resumption.rs.

use super::method::MethodKind;
use super::resumption::{SessionKeeper, TlsSessions};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, StoresServerSessions, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::sync::Arc;

/// What every conversation of this box shares.
#[derive(Clone, Debug)]
pub struct TlsConfigs {
    /// Under PEAP and TTLS: it asks for no certificate. Devices that have one of their own would show a dialogue for it.
    pub tunnel: Arc<ServerConfig>,
    /// Under EAP-TLS: it demands a certificate of the device CA.
    pub mutual: Arc<ServerConfig>,
    /// What devices may resume.
    pub sessions: Arc<TlsSessions>,
}

/// A certificate and its key that stay as they are.
///
/// # Errors
/// The key is of a kind that TLS cannot use, or not the certificate's.
pub fn server_identity(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<dyn ResolvesServerCert>, Error> {
    let certified = CertifiedKey::from_der(chain, key, &provider())?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

impl TlsConfigs {
    /// TLS 1.2 and 1.3; X25519, P-256 and P-384. Of the cipher suites that a device offers, AES-128 with SHA-256 is taken first: as
    /// strong as the P-256 of the certificates, and processors have instructions for SHA-256 where they have none for the SHA-384
    /// of the larger suites. A device of WPA3's 192-bit mode offers those only and gets them.
    ///
    /// # Errors
    /// A device CA that is no certificate, or none at all.
    pub fn new(
        identity: Arc<dyn ResolvesServerCert>,
        device_cas: Vec<CertificateDer<'static>>,
        time_provider: Arc<dyn TimeProvider>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(provider());
        let config = |verifier: Arc<dyn ClientCertVerifier>| -> Result<Arc<ServerConfig>, Error> {
            let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::clone(&time_provider));
            let mut config = builder
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
                .with_client_cert_verifier(verifier)
                .with_cert_resolver(Arc::clone(&identity));
            config.ignore_client_order = true;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            Ok(Arc::new(config))
        };
        let mut roots = RootCertStore::empty();
        for ca in device_cas {
            roots.add(ca)?;
        }
        let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(Self {
            tunnel: config(WebPkiClientVerifier::no_client_auth())?,
            mutual: config(Arc::new(DeviceVerifier { chain }))?,
            sessions: Arc::default(),
        })
    }

    /// The server of one conversation: a shallow copy that stores its session with a keeper of its own.
    pub(super) fn of(&self, kind: MethodKind) -> (Arc<ServerConfig>, Arc<SessionKeeper>) {
        let (config, tickets) = match kind {
            MethodKind::Tls => (&self.mutual, 1), // a device logs in once at a time
            MethodKind::Peap | MethodKind::Ttls => (&self.tunnel, 0),
        };
        let keeper = Arc::new(SessionKeeper::new(&self.sessions, kind));
        let mut config = ServerConfig::clone(config);
        config.session_storage = Arc::clone(&keeper) as Arc<dyn StoresServerSessions>;
        config.send_tls13_tickets = tickets;
        (Arc::new(config), keeper)
    }
}

fn provider() -> CryptoProvider {
    let mut provider = CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1, aws_lc_rs::kx_group::SECP384R1],
        ..aws_lc_rs::default_provider()
    };
    provider.cipher_suites.sort_by_key(|suite| !is_aes_128(suite.suite())); // stable: the rest keeps its order
    provider
}

fn is_aes_128(suite: CipherSuite) -> bool {
    [
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ]
    .contains(&suite)
}

/// Believes what the device CA has signed for clients, whatever its dates say. Dates are policy's: it knows each certificate that
/// was issued and when it ends, and can tell its member so, where TLS could only tell a nameless device. A certificate that has
/// not begun is one that this box issued when its clock was right, before a restart gave it an older floor.
#[derive(Debug)]
struct DeviceVerifier {
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for DeviceVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.chain.verify_client_cert(end_entity, intermediates, now) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after: within, .. }))
            | Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before: within, .. })) => {
                self.chain.verify_client_cert(end_entity, intermediates, within)
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
