//! The box's own certificates: three CAs (ECDSA P-256), made at the first start and never mixed.
//!
//! | CA | signs | who verifies with it |
//! |---|---|---|
//! | `ca` | the server certificate of RADIUS, web, IPP and MQTT; names under the realm, `.local`, `localhost` only | members' devices, relays, readers |
//! | `device-ca` | members' device certificates | the RADIUS server |
//! | `infrastructure-ca` | client certificates of access points, relays and readers | the RadSec and MQTT listeners |
//!
//! Keys never leave DATA/pki (mode 0700, files 0600). A server certificate near its end is replaced at start under the same
//! CA, so devices that trust the CA notice nothing. `ca` may sign for its realm alone, so a new realm is a new `ca`.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use values::{Entropy, Timestamp};

/// Twenty years: longer than the box, since every device that was onboarded would have to be touched again.
const CA_DAYS: i64 = 20 * 365;
/// Apple refuses server certificates that are valid for longer than 825 days.
const SERVER_DAYS: i64 = 800;
/// A server certificate with less than this left is replaced.
const RENEW_DAYS: i64 = 90;
/// A box whose clock runs behind its clients' must not present a certificate from the future.
const BACKDATE_DAYS: i64 = 2;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

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

/// The certificates in use.
pub struct Pki {
    folder: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
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
        let (chain, key) = authority.load("server")?;
        Ok(Self { chain, key, folder })
    }

    /// The server certificate and its key, for the EAP server.
    #[must_use]
    pub fn eap_certificate(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }

    /// TLS for HTTPS and IPPS: HTTP/1.1.
    ///
    /// # Errors
    /// A certificate that rustls refuses.
    pub fn device_facing_tls(&self) -> Result<Arc<ServerConfig>, PkiError> {
        self.tls(&[b"http/1.1"])
    }

    /// TLS for MQTT devices.
    ///
    /// # Errors
    /// A certificate that rustls refuses.
    pub fn infrastructure_tls(&self) -> Result<Arc<ServerConfig>, PkiError> {
        self.tls(&[])
    }

    fn tls(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, PkiError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|error| PkiError { file: self.folder.join("server.pem"), detail: error.to_string() })?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// Makes and reads certificates in one folder.
struct Authority<'a> {
    folder: &'a Path,
    now: Timestamp,
}

impl Authority<'_> {
    fn ca(&self, name: &str, common_name: &str, realm: Option<&str>) -> Result<(), PkiError> {
        match (self.file(name, "pem").exists(), self.file(name, "key").exists()) {
            (true, true) => {
                let Some(realm) = realm.filter(|realm| !self.may_sign_for(name, realm)) else { return Ok(()) };
                // No certificate of the new realm would be believed under the old CA. Before the first member this costs
                // nobody anything: a new box has a realm of its own until its site is described.
                tracing::warn!(realm, "the realm changed: there is another CA, which devices must be given");
                self.retire(name)?;
                if self.bring_back(name, realm)? {
                    return Ok(());
                }
            }
            (true, false) => {
                return Err(PkiError {
                    file: self.file(name, "key"),
                    detail: format!(
                        "is missing beside {name}.pem: bring it back from a backup, or remove {name}.pem to make a new CA, \
                         which every device must then be given"
                    ),
                });
            }
            (false, _) => {}
        }
        let key = self.generate(name)?;
        let mut params = self.params(format!("{common_name} {}", realm.unwrap_or_default()).trim_end(), CA_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = realm.map(|realm| NameConstraints {
            permitted_subtrees: [realm, "local", "localhost"]
                .iter()
                .map(|name| GeneralSubtree::DnsName((*name).to_owned()))
                .collect(),
            excluded_subtrees: Vec::new(),
        });
        let certificate = params.self_signed(&key).map_err(|error| self.error(name, &error))?;
        self.write(name, "key", key.serialize_pem().as_bytes())?;
        self.write(name, "pem", certificate.pem().as_bytes())
    }

    /// Puts a CA aside, certificate and key together, under the realm that it signs for: a realm that was changed by mistake
    /// gets its CA back.
    fn retire(&self, name: &str) -> Result<(), PkiError> {
        let realm = self.realms(name).into_iter().next().unwrap_or_else(|| "unknown".to_owned());
        for kind in ["key", "pem"] {
            self.rename(&self.file(name, kind), &self.file(&format!("{name}-of-{realm}"), kind))?;
        }
        Ok(())
    }

    fn bring_back(&self, name: &str, realm: &str) -> Result<bool, PkiError> {
        let retired = format!("{name}-of-{realm}");
        let is_there = self.file(&retired, "pem").exists() && self.file(&retired, "key").exists();
        if is_there {
            for kind in ["key", "pem"] {
                self.rename(&self.file(&retired, kind), &self.file(name, kind))?;
            }
        }
        Ok(is_there)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), PkiError> {
        fs::rename(from, to).map_err(|error| PkiError { file: from.to_owned(), detail: error.to_string() })
    }

    /// Whether a CA's own name constraints allow names of the realm.
    fn may_sign_for(&self, name: &str, realm: &str) -> bool {
        self.realms(name).iter().any(|permitted| permitted == realm)
    }

    /// The names that a CA may sign for, the realm first.
    fn realms(&self, name: &str) -> Vec<String> {
        let Ok((chain, _)) = self.load(name) else { return Vec::new() };
        let Some(Ok((_, certificate))) = chain.first().map(|der| x509_parser::parse_x509_certificate(der)) else {
            return Vec::new();
        };
        let constraints = certificate.name_constraints().ok().flatten();
        let permitted = constraints.and_then(|found| found.value.permitted_subtrees.clone()).unwrap_or_default();
        permitted
            .iter()
            .filter_map(|subtree| match subtree.base {
                x509_parser::extensions::GeneralName::DNSName(name) => Some(name.to_owned()),
                _ => None,
            })
            .collect()
    }

    /// The server certificate: made when missing, near its end, of another realm, or of a retired CA.
    fn server(&self, realm: &str) -> Result<(), PkiError> {
        let hostname = format!("doorpost.{realm}");
        if self.is_current("server", &hostname) {
            return Ok(());
        }
        let ca_pem = self.read("ca", "pem")?;
        let ca_key = KeyPair::from_pem(&self.read("ca", "key")?).map_err(|error| self.error("ca", &error))?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key).map_err(|error| self.error("ca", &error))?;
        let key = self.generate("server")?;
        let mut params = self.params(&hostname, SERVER_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        for name in [hostname.as_str(), "doorpost.local", "localhost"] {
            let name = name.try_into().map_err(|error| self.error("server", &error))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        params.subject_alt_names.push(SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()));
        let certificate = params.signed_by(&key, &issuer).map_err(|error| self.error("server", &error))?;
        self.write("server", "key", key.serialize_pem().as_bytes())?;
        self.write("server", "pem", certificate.pem().as_bytes())
    }

    fn is_current(&self, name: &str, hostname: &str) -> bool {
        let Ok((chain, _)) = self.load(name) else { return false };
        let Some(Ok((_, certificate))) = chain.first().map(|der| x509_parser::parse_x509_certificate(der)) else {
            return false;
        };
        let ends_at = certificate.validity().not_after.timestamp().saturating_mul(1_000);
        let is_ours = certificate.subject().iter_common_name().any(|cn| cn.as_str() == Ok(hostname));
        is_ours && ends_at - self.now.0 > RENEW_DAYS * DAY_MS
    }

    fn params(&self, common_name: &str, days: i64) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = date(self.now.0 - BACKDATE_DAYS * DAY_MS);
        params.not_after = date(self.now.0 + days * DAY_MS);
        let serial: [u8; 16] = (&mut host::OsEntropy as &mut dyn Entropy).bytes();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params
    }

    fn generate(&self, name: &str) -> Result<KeyPair, PkiError> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| self.error(name, &error))
    }

    fn load(&self, name: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PkiError> {
        let pem = self.read(name, "pem")?;
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.error(name, &error))?;
        let key = PrivateKeyDer::from_pem_slice(self.read(name, "key")?.as_bytes())
            .map_err(|error| self.error(name, &error))?;
        Ok((chain, key))
    }

    fn read(&self, name: &str, kind: &str) -> Result<String, PkiError> {
        let file = self.file(name, kind);
        fs::read_to_string(&file).map_err(|error| PkiError { file, detail: error.to_string() })
    }

    /// Written beside and renamed, so a power cut leaves the old file or the new one.
    fn write(&self, name: &str, kind: &str, bytes: &[u8]) -> Result<(), PkiError> {
        let file = self.file(name, kind);
        let beside = self.file(name, &format!("{kind}.new"));
        let mode = if kind == "pem" { 0o644 } else { 0o600 };
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&beside)
            .and_then(|mut out| out.write_all(bytes).and_then(|()| out.sync_all()))
            .and_then(|()| fs::rename(&beside, &file));
        written.map_err(|error| PkiError { file, detail: error.to_string() })
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}"))
    }

    fn error(&self, name: &str, error: &dyn std::fmt::Display) -> PkiError {
        PkiError { file: self.file(name, "pem"), detail: error.to_string() }
    }
}

/// The day of a moment, in UTC.
fn date(ms: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(DAY_MS) * (DAY_MS / 1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_219_200_000); // 2026-11-21

    /// The common names of issuer and subject, and the CA as it stands in its file.
    fn opened(data: &Path, realm: &str) -> (String, String, Vec<u8>) {
        let pki = Pki::open(data, realm, NOW).expect("certificates can be made");
        let (_, server) = x509_parser::parse_x509_certificate(&pki.chain[0]).expect("our own certificate");
        (server.issuer().to_string(), server.subject().to_string(), fs::read(data.join("pki/ca.pem")).expect("ca.pem"))
    }

    #[test]
    fn a_second_start_changes_nothing() {
        let data = tempfile::tempdir().expect("a folder");
        let first = opened(data.path(), "harbour.example");
        assert_eq!(opened(data.path(), "harbour.example"), first);
    }

    #[test]
    fn a_new_realm_has_a_ca_that_may_sign_for_it() {
        let data = tempfile::tempdir().expect("a folder");
        let (_, _, before) = opened(data.path(), "doorpost.local");
        let (issuer, subject, after) = opened(data.path(), "harbour.example");
        assert_ne!(before, after);
        assert_eq!(issuer, "CN=Doorpost server CA harbour.example");
        assert_eq!(subject, "CN=doorpost.harbour.example");
        assert_eq!(fs::read(data.path().join("pki/ca-of-doorpost.local.pem")).expect("kept"), before);
        assert_eq!(opened(data.path(), "harbour.example").2, after);
    }

    #[test]
    fn a_realm_that_was_changed_by_mistake_gets_its_ca_back() {
        let data = tempfile::tempdir().expect("a folder");
        let right = opened(data.path(), "harbour.example");
        assert_ne!(opened(data.path(), "harbuor.example").2, right.2);
        let back = opened(data.path(), "harbour.example");
        assert_eq!((back.0, back.2), (right.0, right.2));
    }

    #[test]
    fn a_ca_without_its_key_is_not_replaced_behind_the_operators_back() {
        let data = tempfile::tempdir().expect("a folder");
        let (_, _, before) = opened(data.path(), "harbour.example");
        fs::remove_file(data.path().join("pki/ca.key")).expect("our own file");
        let Err(error) = Pki::open(data.path(), "harbour.example", NOW) else { panic!("it must be refused") };
        assert!(error.to_string().contains("bring it back from a backup"), "{error}");
        assert_eq!(fs::read(data.path().join("pki/ca.pem")).expect("kept"), before);
    }
}
