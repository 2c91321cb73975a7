//! PKCS#12 (RFC 7292): one key, its certificate and the CA's, under a password. Writes only.
//!
//! Two protections, because no one of them is read everywhere: what Apple, Android and Windows have taken since 2016 or so
//! (PBES2 with AES-256, MAC with SHA-256), and what everything before reads (3DES and SHA-1), where the strength lies in the
//! password alone. Passwords here are generated, with 96 bits.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, pbkdf2};
use des::TdesEde3;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use std::num::NonZeroU32;
use values::Entropy;
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, Tag};
use zeroize::Zeroizing;

/// As OpenSSL; a generated password needs none of them.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(2_048).expect("not zero");

const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
const ENCRYPTED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 6];
const CERT_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 3];
const SHROUDED_KEY_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 2];
const X509_CERTIFICATE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u64] = &[1, 2, 840, 113_549, 1, 9, 20];
const LOCAL_KEY_ID: &[u64] = &[1, 2, 840, 113_549, 1, 9, 21];
const PBES2: &[u64] = &[1, 2, 840, 113_549, 1, 5, 13];
const PBKDF2: &[u64] = &[1, 2, 840, 113_549, 1, 5, 12];
const HMAC_SHA256: &[u64] = &[1, 2, 840, 113_549, 2, 9];
const AES_256_CBC: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 42];
const PBE_SHA1_3DES: &[u64] = &[1, 2, 840, 113_549, 1, 12, 1, 3];
const ID_SHA1: &[u64] = &[1, 3, 14, 3, 2, 26];
const ID_SHA256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];

/// RFC 7292, appendix B.3: what the derived bytes are for.
#[derive(Clone, Copy)]
enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// How the contents are encrypted and sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// PBES2: PBKDF2 with HMAC-SHA-256 and AES-256-CBC; MAC with SHA-256.
    Modern,
    /// pbeWithSHAAnd3-KeyTripleDES-CBC; MAC with SHA-1.
    Legacy,
}

/// What goes in.
pub struct Contents<'a> {
    /// PKCS#8.
    pub key: &'a [u8],
    pub certificate: &'a [u8],
    pub authority: &'a [u8],
    /// What a device lists it under.
    pub name: &'a str,
}

/// The file.
///
/// # Errors
/// The cipher refused, which only a fault of the machine can cause.
pub fn encode(
    contents: &Contents<'_>,
    protection: Protection,
    password: &str,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, Unspecified> {
    let key_id = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, contents.certificate);
    let attributes = |writer: DERWriter<'_>| write_attributes(writer, contents.name, key_id.as_ref());
    let certificates = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            write_certificate_bag(writer.next(), contents.certificate, Some(&attributes));
            write_certificate_bag(writer.next(), contents.authority, None);
        });
    });
    let certificates = encrypt(&certificates, protection, password, entropy)?;
    let key = encrypt(contents.key, protection, password, entropy)?;
    let keys = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_sequence(|writer| {
                writer.next().write_oid(&oid(SHROUDED_KEY_BAG));
                writer.next().write_tagged(Tag::context(0), |writer| {
                    writer.write_sequence(|writer| {
                        key.write_algorithm(writer.next());
                        writer.next().write_bytes(&key.bytes);
                    });
                });
                attributes(writer.next());
            });
        });
    });
    let safe = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            write_encrypted_data(writer.next(), &certificates);
            write_data(writer.next(), &keys);
        });
    });
    let mac = Mac::of(&safe, protection, password, entropy);
    Ok(yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_u8(3);
            write_data(writer.next(), &safe);
            mac.write(writer.next());
        });
    }))
}

fn oid(components: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(components)
}

fn write_data(writer: DERWriter<'_>, bytes: &[u8]) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(DATA));
        writer.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(bytes));
    });
}

fn write_encrypted_data(writer: DERWriter<'_>, encrypted: &Encrypted) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(ENCRYPTED_DATA));
        writer.next().write_tagged(Tag::context(0), |writer| {
            writer.write_sequence(|writer| {
                writer.next().write_u8(0);
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&oid(DATA));
                    encrypted.write_algorithm(writer.next());
                    writer.next().write_tagged_implicit(Tag::context(0), |writer| writer.write_bytes(&encrypted.bytes));
                });
            });
        });
    });
}

fn write_certificate_bag(writer: DERWriter<'_>, certificate: &[u8], attributes: Option<&dyn Fn(DERWriter<'_>)>) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(CERT_BAG));
        writer.next().write_tagged(Tag::context(0), |writer| {
            writer.write_sequence(|writer| {
                writer.next().write_oid(&oid(X509_CERTIFICATE));
                writer.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(certificate));
            });
        });
        if let Some(attributes) = attributes {
            attributes(writer.next());
        }
    });
}

/// The name, and what joins the certificate to its key.
fn write_attributes(writer: DERWriter<'_>, name: &str, key_id: &[u8]) {
    let attribute = |writer: DERWriter<'_>, id: &[u64], value: &dyn Fn(DERWriter<'_>)| {
        writer.write_sequence(|writer| {
            writer.next().write_oid(&oid(id));
            writer.next().write_set(|writer| value(writer.next()));
        });
    };
    writer.write_set_of(|writer| {
        attribute(writer.next(), FRIENDLY_NAME, &|writer| writer.write_bmp_string(name));
        attribute(writer.next(), LOCAL_KEY_ID, &|writer| writer.write_bytes(key_id));
    });
}

/// Ciphertext, and what its algorithm identifier says.
struct Encrypted {
    bytes: Vec<u8>,
    salt: [u8; 16],
    /// None for the legacy scheme, which derives it.
    iv: Option<[u8; 16]>,
}

fn encrypt(
    plain: &[u8],
    protection: Protection,
    password: &str,
    entropy: &mut dyn Entropy,
) -> Result<Encrypted, Unspecified> {
    let salt: [u8; 16] = entropy.bytes();
    match protection {
        Protection::Modern => {
            let iv: [u8; 16] = entropy.bytes();
            let mut key = Zeroizing::new([0; 32]);
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), key.as_mut());
            let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key.as_ref())?)?;
            let mut bytes = plain.to_vec();
            cipher.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(FixedLength::from(&iv)))?;
            Ok(Encrypted { bytes, salt, iv: Some(iv) })
        }
        Protection::Legacy => {
            let mut key = Zeroizing::new([0; 24]);
            derive(&SHA1_FOR_LEGACY_USE_ONLY, Purpose::Key, password, &salt, key.as_mut());
            let mut iv = [0; 8];
            derive(&SHA1_FOR_LEGACY_USE_ONLY, Purpose::Iv, password, &salt, &mut iv);
            Ok(Encrypted { bytes: triple_des_cbc(&key, iv, plain), salt, iv: None })
        }
    }
}

impl Encrypted {
    fn write_algorithm(&self, writer: DERWriter<'_>) {
        writer.write_sequence(|writer| match &self.iv {
            Some(iv) => {
                writer.next().write_oid(&oid(PBES2));
                writer.next().write_sequence(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&oid(PBKDF2));
                        writer.next().write_sequence(|writer| {
                            writer.next().write_bytes(&self.salt);
                            writer.next().write_u32(ITERATIONS.get());
                            write_algorithm(writer.next(), HMAC_SHA256);
                        });
                    });
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&oid(AES_256_CBC));
                        writer.next().write_bytes(iv);
                    });
                });
            }
            None => {
                writer.next().write_oid(&oid(PBE_SHA1_3DES));
                writer.next().write_sequence(|writer| {
                    writer.next().write_bytes(&self.salt);
                    writer.next().write_u32(ITERATIONS.get());
                });
            }
        });
    }
}

/// An algorithm without parameters.
fn write_algorithm(writer: DERWriter<'_>, id: &[u64]) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(id));
        writer.next().write_null();
    });
}

fn triple_des_cbc(key: &[u8; 24], mut last: [u8; 8], plain: &[u8]) -> Vec<u8> {
    let cipher = TdesEde3::new(&(*key).into());
    let padding = 8 - plain.len() % 8; // 1 to 8
    let mut out = plain.to_vec();
    out.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(8));
    for block in out.chunks_exact_mut(8) {
        let mut mixed = [0; 8];
        for (mixed, (plain, last)) in mixed.iter_mut().zip(block.iter().zip(last)) {
            *mixed = plain ^ last;
        }
        let mut mixed = mixed.into();
        cipher.encrypt_block(&mut mixed);
        block.copy_from_slice(&mixed);
        last = mixed.into();
    }
    out
}

/// The seal over all of it (RFC 7292, 4).
struct Mac {
    id: &'static [u64],
    tag: Vec<u8>,
    salt: [u8; 16],
}

impl Mac {
    fn of(message: &[u8], protection: Protection, password: &str, entropy: &mut dyn Entropy) -> Self {
        let salt: [u8; 16] = entropy.bytes();
        let (id, digest, algorithm) = match protection {
            Protection::Modern => (ID_SHA256, &SHA256, hmac::HMAC_SHA256),
            Protection::Legacy => (ID_SHA1, &SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        };
        let mut key = Zeroizing::new(vec![0; digest.output_len()]);
        derive(digest, Purpose::Mac, password, &salt, &mut key);
        let tag = hmac::sign(&hmac::Key::new(algorithm, &key), message).as_ref().to_vec();
        Self { id, tag, salt }
    }

    fn write(&self, writer: DERWriter<'_>) {
        writer.write_sequence(|writer| {
            writer.next().write_sequence(|writer| {
                write_algorithm(writer.next(), self.id);
                writer.next().write_bytes(&self.tag);
            });
            writer.next().write_bytes(&self.salt);
            writer.next().write_u32(ITERATIONS.get());
        });
    }
}

/// RFC 7292, appendix B.2; both hashes here have blocks of 64 bytes.
fn derive(algorithm: &'static Algorithm, purpose: Purpose, password: &str, salt: &[u8], out: &mut [u8]) {
    const BLOCK: usize = 64;
    // A BMPString with its two zeros; passwords here are ASCII.
    let password: Zeroizing<Vec<u8>> =
        Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect());
    let repeated = |bytes: &[u8]| -> Vec<u8> {
        let length = BLOCK * bytes.len().div_ceil(BLOCK);
        bytes.iter().copied().cycle().take(length).collect()
    };
    let mut input = Zeroizing::new([repeated(salt), repeated(&password)].concat());
    for out in out.chunks_mut(algorithm.output_len()) {
        let mut block = [vec![purpose as u8; BLOCK], input.to_vec()].concat();
        for _ in 0..ITERATIONS.get() {
            block = digest::digest(algorithm, &block).as_ref().to_vec();
        }
        out.copy_from_slice(&block[..out.len()]);
        let added: Vec<u8> = block.iter().copied().cycle().take(BLOCK).collect();
        for part in input.chunks_exact_mut(BLOCK) {
            add_one_more(part, &added);
        }
    }
}

/// part = (part + added + 1) mod 2^512, big-endian.
fn add_one_more(part: &mut [u8], added: &[u8]) {
    let mut carry = 1_u16;
    for (byte, added) in part.iter_mut().zip(added).rev() {
        let sum = u16::from(*byte) + u16::from(*added) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
}
