//! Secrets at rest: AES-256-GCM under the key in DATA/secret.key. A sealed value is bound to the place it stands in (table,
//! id, column), so it cannot be moved to another row. What this does not do: protect from somebody who has both files.
//!
//! A sealed value is `version (1) | nonce (12) | ciphertext | tag (16)`. Nonces are random: NIST SP 800-38D allows 2^32 of
//! them under one key, and a box seals a few a day.

use crate::error::StoreError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use values::Secret;

const KEY_FILE: &str = "secret.key";
const KEY_LEN: usize = 32;
/// Changes when the layout or the cipher does.
const VERSION: u8 = 1;

/// The key that secrets in core.db are sealed under.
pub struct SealingKey(RandomizedNonceKey);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl SealingKey {
    #[must_use]
    pub fn from_bytes(key: &Secret<[u8; KEY_LEN]>) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, key.expose()).expect("AES-256 takes any 32 bytes"))
    }

    /// Reads DATA/secret.key. Creates it, readable by the owner alone, in a folder that has neither it nor a core.db.
    ///
    /// # Errors
    /// `KeyMissing` beside an existing core.db, `WrongKey` when the file is not 32 bytes, `Io`.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let bytes = Secret::new(bytes);
                let key: [u8; KEY_LEN] = bytes.expose().as_slice().try_into().map_err(|_| StoreError::WrongKey)?;
                Ok(Self::from_bytes(&Secret::new(key)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if dir.join("core.db").exists() {
                    return Err(StoreError::KeyMissing);
                }
                let key = Secret::new(random::<KEY_LEN>()?);
                write_key(&path, &key).map_err(|error| StoreError::io(&path, &error))?;
                Ok(Self::from_bytes(&key))
            }
            Err(error) => Err(StoreError::io(&path, &error)),
        }
    }

    pub(crate) fn seal(&self, place: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut text = value.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(place), &mut text)
            .map_err(|_| StoreError::Sql { detail: "sealing failed".to_owned() })?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, StoreError> {
        let Some((&[VERSION], rest)) = sealed.split_first_chunk::<1>() else { return Err(StoreError::WrongKey) };
        let Some((nonce, text)) = rest.split_first_chunk::<NONCE_LEN>() else { return Err(StoreError::WrongKey) };
        let mut text = text.to_vec();
        let plain = self.0.open_in_place(Nonce::from(nonce), Aad::from(place), &mut text);
        let plain_len = plain.map_err(|_| StoreError::WrongKey)?.len();
        text.truncate(plain_len);
        Ok(Secret::new(text))
    }
}

/// Bytes fit for keys and salts.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).map_err(|_| StoreError::Sql { detail: "no random bytes".to_owned() })?;
    Ok(out)
}

/// All or nothing, and there after a power cut: a half-written key would lock every secret away.
fn write_key(path: &Path, key: &Secret<[u8; KEY_LEN]>) -> std::io::Result<()> {
    let draft = path.with_extension("key.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(key.expose())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
