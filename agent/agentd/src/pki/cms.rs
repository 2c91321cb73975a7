//! CMS SignedData (RFC 5652) around a profile, with the server's certificate: so that a device that trusts the CA shows by
//! whom a profile was made. ECDSA on P-256 with SHA-256; the contents are inside. Writes only.

use super::{Pki, PkiError};
use aws_lc_rs::digest::{SHA256, digest};
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, Tag};

const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 4];
const ID_SHA256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const ECDSA_WITH_SHA256: &[u64] = &[1, 2, 840, 10_045, 4, 3, 2];
/// The tag of SET, and of [0] IMPLICIT in its place (RFC 5652, 5.4).
const SET_TAG: u8 = 0x31;
const IMPLICIT_0_TAG: u8 = 0xa0;

impl Pki {
    /// The contents, signed, in DER.
    ///
    /// # Errors
    /// The server's certificate cannot sign.
    pub fn sign(&self, contents: &[u8]) -> Result<Vec<u8>, PkiError> {
        let current = self.served.current();
        let refuse = |error: &dyn std::fmt::Display| PkiError {
            file: self.folder.join("server.pem"),
            detail: format!("cannot sign: {error}"),
        };
        let leaf = current.cert.first().ok_or_else(|| refuse(&"it is empty"))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|error| refuse(&error))?;
        let attributes = signed_attributes(contents);
        let signature = self.served.sign(&current, &attributes).map_err(|error| refuse(&error))?;
        let signer = Signer {
            issuer: parsed.issuer().as_raw(),
            serial: parsed.raw_serial(),
            attributes: &attributes,
            signature: &signature,
        };
        let certificates = [leaf.as_ref(), self.authority.as_ref()];
        Ok(yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_oid(&oid(SIGNED_DATA));
                writer.next().write_tagged(Tag::context(0), |writer| {
                    write_signed_data(writer, contents, &certificates, &signer);
                });
            });
        }))
    }
}

fn oid(components: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(components)
}

/// What is signed: the SET of the two attributes that RFC 5652, 5.3 asks for.
fn signed_attributes(contents: &[u8]) -> Vec<u8> {
    let attribute = |writer: DERWriter<'_>, id: &[u64], value: &dyn Fn(DERWriter<'_>)| {
        writer.write_sequence(|writer| {
            writer.next().write_oid(&oid(id));
            writer.next().write_set(|writer| value(writer.next()));
        });
    };
    let digest = digest(&SHA256, contents);
    yasna::construct_der(|writer| {
        writer.write_set_of(|writer| {
            attribute(writer.next(), CONTENT_TYPE, &|writer| writer.write_oid(&oid(DATA)));
            attribute(writer.next(), MESSAGE_DIGEST, &|writer| writer.write_bytes(digest.as_ref()));
        });
    })
}

struct Signer<'a> {
    /// The certificate's issuer, in DER.
    issuer: &'a [u8],
    /// Big-endian, as it stands in the certificate.
    serial: &'a [u8],
    attributes: &'a [u8],
    signature: &'a [u8],
}

fn write_signed_data(writer: DERWriter<'_>, contents: &[u8], certificates: &[&[u8]], signer: &Signer<'_>) {
    writer.write_sequence(|writer| {
        writer.next().write_u8(1);
        writer.next().write_set_of(|writer| write_sha256(writer.next()));
        writer.next().write_sequence(|writer| {
            writer.next().write_oid(&oid(DATA));
            writer.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(contents));
        });
        writer.next().write_tagged_implicit(Tag::context(0), |writer| {
            writer.write_set_of(|writer| certificates.iter().for_each(|der| writer.next().write_der(der)));
        });
        writer.next().write_set_of(|writer| signer.write(writer.next()));
    });
}

fn write_sha256(writer: DERWriter<'_>) {
    writer.write_sequence(|writer| writer.next().write_oid(&oid(ID_SHA256)));
}

impl Signer<'_> {
    fn write(&self, writer: DERWriter<'_>) {
        let mut attributes = self.attributes.to_vec();
        if let Some(tag) = attributes.first_mut().filter(|tag| **tag == SET_TAG) {
            *tag = IMPLICIT_0_TAG;
        }
        writer.write_sequence(|writer| {
            writer.next().write_u8(1);
            writer.next().write_sequence(|writer| {
                writer.next().write_der(self.issuer);
                writer.next().write_bigint_bytes(self.serial, true);
            });
            write_sha256(writer.next());
            writer.next().write_der(&attributes);
            writer.next().write_sequence(|writer| writer.next().write_oid(&oid(ECDSA_WITH_SHA256)));
            writer.next().write_bytes(self.signature);
        });
    }
}
