//! Certificates of members' devices, for EAP-TLS. The key is made here and given away with the certificate, once; nothing of
//! either is kept. The name inside is drawn at random under the realm: a certificate travels in clear in TLS 1.2.

use super::authority::{Authority, DAY_MS};
use super::{Pki, PkiError, pkcs12};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose, OtherNameValue, SanType};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use values::{Secret, Timestamp};
use zeroize::Zeroizing;

/// A year: a device that is still used then is given another, and one that was lost unnoticed is out.
const DEVICE_DAYS: i64 = 365;
/// Microsoft's User Principal Name, which Windows takes its identity from.
const UPN: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

/// A certificate and its key, as a device is given them.
pub struct DeviceCertificate {
    /// `device-7k2p9q4c@harbour.example`: the name inside, and the outer identity of the login.
    pub identity: String,
    pub certificate: CertificateDer<'static>,
    /// PKCS#8.
    key: Zeroizing<Vec<u8>>,
    authority: CertificateDer<'static>,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    pub expires_at: Timestamp,
}

impl Pki {
    /// A new certificate of the device CA, valid for a year and not beyond `until`, the end of the membership.
    ///
    /// # Errors
    /// The CA cannot be read.
    pub fn issue_device(
        &self,
        realm: &str,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<DeviceCertificate, PkiError> {
        let authority = Authority { folder: &self.folder, now };
        let issuer = authority.issuer("device-ca")?;
        let key = authority.generate("device-ca")?;
        let year = Timestamp(now.0.saturating_add(DEVICE_DAYS * DAY_MS));
        let ends_at = until.map_or(year, |until| until.min(year));
        let ends_at = Timestamp(ends_at.0.div_euclid(1_000) * 1_000); // certificates know no fractions
        let identity = format!("device-{}@{realm}", crate::secrets::typeable(1, 8));
        let mut params = authority.params(&identity, ends_at);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let refuse = |error: rcgen::Error| authority.error("device-ca", &error);
        params.subject_alt_names = vec![
            SanType::Rfc822Name(identity.as_str().try_into().map_err(refuse)?),
            SanType::OtherName((UPN.to_vec(), OtherNameValue::Utf8String(identity.clone()))),
        ];
        let signed = params.signed_by(&key, &issuer).map_err(refuse)?;
        let certificate = signed.der().clone();
        let chain = authority.certificates("device-ca")?;
        let issuer = chain.into_iter().next().ok_or_else(|| authority.error("device-ca", &"holds no certificate"))?;
        Ok(DeviceCertificate {
            identity,
            fingerprint: Sha256::digest(&certificate).into(),
            certificate,
            key: Zeroizing::new(key.serialize_der()),
            authority: issuer,
            expires_at: ends_at,
        })
    }
}

impl DeviceCertificate {
    /// Key, certificate and CA in one PEM file.
    #[must_use]
    pub fn pem(&self) -> Secret<String> {
        let key = pem_block("PRIVATE KEY", &self.key);
        let certificates = [&self.certificate, &self.authority].map(|der| pem_block("CERTIFICATE", der));
        Secret::new([key, certificates.concat()].concat())
    }

    /// The same as PKCS#12 under a password.
    ///
    /// # Errors
    /// The cipher refused, which only a fault of the machine can cause.
    pub fn pkcs12(&self, protection: pkcs12::Protection, password: &Secret<String>) -> Result<Vec<u8>, PkiError> {
        let contents = pkcs12::Contents {
            key: &self.key,
            certificate: &self.certificate,
            authority: &self.authority,
            name: &self.identity,
        };
        pkcs12::encode(&contents, protection, password.expose(), &mut host::OsEntropy)
            .map_err(|error| PkiError { file: "PKCS#12".into(), detail: error.to_string() })
    }
}

/// RFC 7468: 64 characters a line.
pub fn pem_block(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}
