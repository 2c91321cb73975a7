//! Certificates of access points, and the TLS of RadSec that asks for them. The key is made here and given away with the
//! certificate, once. Which of the certificates that the infrastructure CA has signed is in force is the database's to say.

use super::authority::Authority;
use super::device::pem_block;
use super::{Pki, PkiError};
use policy::access_point::certificate_name;
use proto::radius::radsec;
use rcgen::{DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::UnixTime;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use values::{AccessPointName, Secret, Timestamp};
use zeroize::Zeroizing;

/// Five years: an access point is replaced before, and one that is lost has its certificate withdrawn, which counts at once.
const ACCESS_POINT_DAYS: i64 = 5 * 365;

/// What is installed on an access point.
pub struct AccessPointIdentity {
    /// `lobby.accesspoint.harbour.example`.
    pub name: String,
    pub certificate: String,
    pub key: Secret<String>,
    /// The CA that signed the box's own certificate.
    pub authority: String,
    pub fingerprint: [u8; 32],
    pub expires_at: Timestamp,
}

impl Pki {
    /// A new key and certificate for an access point, all in PEM.
    ///
    /// # Errors
    /// The CA cannot be read, or the name does not fit a certificate.
    pub fn issue_access_point(
        &self,
        access_point: &AccessPointName,
        now: Timestamp,
    ) -> Result<AccessPointIdentity, PkiError> {
        const CA: &str = "infrastructure-ca";
        let authority = Authority { folder: &self.folder, now };
        let refuse = |error: rcgen::Error| authority.error(CA, &error);
        let (issuer, key) = (authority.issuer(CA)?, authority.generate(CA)?);
        let expires_at = authority.in_days(ACCESS_POINT_DAYS);
        let expires_at = Timestamp(expires_at.0.div_euclid(1_000) * 1_000); // certificates know no fractions
        let name = certificate_name(access_point, &self.realm);
        let mut params = authority.params(access_point.as_str(), expires_at);
        params.distinguished_name.push(DnType::OrganizationalUnitName, "access point");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![SanType::DnsName(name.as_str().try_into().map_err(refuse)?)];
        let signed = params.signed_by(&key, &issuer).map_err(refuse)?;
        let key = Zeroizing::new(key.serialize_der());
        Ok(AccessPointIdentity {
            name,
            certificate: pem_block("CERTIFICATE", signed.der()),
            key: Secret::new(pem_block("PRIVATE KEY", &key)),
            authority: pem_block("CERTIFICATE", self.authority()),
            fingerprint: Sha256::digest(signed.der()).into(),
            expires_at,
        })
    }

    /// TLS for RadSec: 1.2 and 1.3, and no client without a certificate of the infrastructure CA. Without resumption, since a
    /// resumed session would show the certificate of another day, and a connection is made once a day at most.
    ///
    /// # Errors
    /// The CA cannot be read.
    pub fn radsec_tls(&self, clock: Arc<host::Clock>) -> Result<Arc<ServerConfig>, PkiError> {
        let authority = Authority { folder: &self.folder, now: clock.now().stamp() };
        let refuse = |error: &dyn std::fmt::Display| authority.error("infrastructure-ca", error);
        let mut roots = RootCertStore::empty();
        for certificate in authority.certificates("infrastructure-ca")? {
            roots.add(certificate).map_err(|error| refuse(&error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| refuse(&error))?;
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(BoxTime(clock)))
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(&error))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.served());
        config.alpn_protocols = vec![radsec::ALPN.to_vec()];
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// Certificates are as old as the box says, which never goes back behind the last time that it has seen.
#[derive(Debug)]
struct BoxTime(Arc<host::Clock>);

impl TimeProvider for BoxTime {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.now().stamp().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}
