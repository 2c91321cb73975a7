//! The folder of certificates and keys: what stands in it, how a CA is made, how a certificate is signed and written. Knows
//! nothing of TLS and of members.

use super::PkiError;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use values::{Entropy, Timestamp};

/// Twenty years: longer than the box, since every device that was onboarded would have to be touched again.
const CA_DAYS: i64 = 20 * 365;
/// Apple refuses server certificates that are valid for longer than 825 days.
const SERVER_DAYS: i64 = 800;
/// A server certificate with less than this left is replaced.
const RENEW_DAYS: i64 = 90;
/// A box whose clock runs behind its clients' must not present a certificate from the future.
const BACKDATE_DAYS: i64 = 2;
const LOOPBACK_V6: [u8; 16] = std::net::Ipv6Addr::LOCALHOST.octets();
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Makes and reads certificates in one folder.
pub(super) struct Authority<'a> {
    pub folder: &'a Path,
    pub now: Timestamp,
}

impl Authority<'_> {
    pub fn ca(&self, name: &str, common_name: &str, realm: Option<&str>) -> Result<(), PkiError> {
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
        let common_name = format!("{common_name} {}", realm.unwrap_or_default());
        let mut params = self.params(common_name.trim_end(), self.in_days(CA_DAYS));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = realm.map(|realm| {
            let names = [realm, "local", "localhost"].map(|name| GeneralSubtree::DnsName(name.to_owned()));
            // Without these, names alone would be constrained, and every address allowed.
            let loopback =
                [CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8), CidrSubnet::from_v6_prefix(LOOPBACK_V6, 128)];
            NameConstraints {
                permitted_subtrees: names.into_iter().chain(loopback.map(GeneralSubtree::IpAddress)).collect(),
                excluded_subtrees: Vec::new(),
            }
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

    /// The server certificate: made when missing, near its end, of another realm, of a retired CA, or without its own key (a
    /// power cut between the two files). Says whether it was made.
    pub fn server(&self, realm: &str) -> Result<bool, PkiError> {
        let hostname = super::server_name(realm);
        if self.is_current("server", &hostname) {
            return Ok(false);
        }
        let issuer = self.issuer("ca")?;
        let key = self.generate("server")?;
        let mut params = self.params(&hostname, self.in_days(SERVER_DAYS));
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
        self.write("server", "pem", certificate.pem().as_bytes())?;
        Ok(true)
    }

    fn is_current(&self, name: &str, hostname: &str) -> bool {
        let Ok((chain, key)) = self.load(name) else { return false };
        let Some(leaf) = chain.first() else { return false };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(leaf) else { return false };
        let ends_at = certificate.validity().not_after.timestamp().saturating_mul(1_000);
        let is_ours = certificate.subject().iter_common_name().any(|cn| cn.as_str() == Ok(hostname));
        let is_of_this_ca = self
            .certificates("ca")
            .is_ok_and(|ca| ca.first().is_some_and(|ca| key_ids(ca).1.is_some_and(|id| Some(id) == key_ids(leaf).0)));
        let has_its_key = super::served::certified(chain.clone(), key).is_ok();
        is_ours && is_of_this_ca && has_its_key && ends_at - self.now.0 > RENEW_DAYS * DAY_MS
    }

    /// A CA, ready to sign.
    pub fn issuer(&self, name: &str) -> Result<Issuer<'static, KeyPair>, PkiError> {
        let key = KeyPair::from_pem(&self.read(name, "key")?).map_err(|error| self.error(name, &error))?;
        Issuer::from_ca_cert_pem(&self.read(name, "pem")?, key).map_err(|error| self.error(name, &error))
    }

    /// What every certificate has, valid from before now until `ends_at`.
    pub fn params(&self, common_name: &str, ends_at: Timestamp) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = moment(self.in_days(-BACKDATE_DAYS));
        params.not_after = moment(ends_at);
        let serial: [u8; 16] = (&mut host::OsEntropy as &mut dyn Entropy).bytes();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params
    }

    pub fn in_days(&self, days: i64) -> Timestamp {
        Timestamp(self.now.0.saturating_add(days.saturating_mul(DAY_MS)))
    }

    pub fn generate(&self, name: &str) -> Result<KeyPair, PkiError> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|error| self.error(name, &error))
    }

    pub fn load(&self, name: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PkiError> {
        let chain = self.certificates(name)?;
        let key = PrivateKeyDer::from_pem_slice(self.read(name, "key")?.as_bytes())
            .map_err(|error| self.error(name, &error))?;
        Ok((chain, key))
    }

    pub fn certificates(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
        let pem = self.read(name, "pem")?;
        CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.error(name, &error))
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

    pub fn error(&self, name: &str, error: &dyn std::fmt::Display) -> PkiError {
        PkiError { file: self.file(name, "pem"), detail: error.to_string() }
    }
}

/// A moment as certificates have it: in whole seconds, UTC.
fn moment(at: Timestamp) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000)).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// The identifiers of the key that signed a certificate, and of its own (RFC 5280, 4.2.1.1 and 4.2.1.2).
fn key_ids(der: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    use x509_parser::extensions::ParsedExtension;
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else { return (None, None) };
    let (mut issuer, mut own) = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => issuer = id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0.to_vec()),
            _ => {}
        }
    }
    (issuer, own)
}
