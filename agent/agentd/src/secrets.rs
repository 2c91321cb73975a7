//! Making secrets that people type and programs send, and keeping an administrator's password.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::Arc;
use tokio::sync::Semaphore;
use values::{Entropy, Secret};

/// Nobody mistakes one letter for another, on paper or on a printer's panel: no 0/o, 1/l/i, u/v.
const TYPEABLE: &[u8; 28] = b"23456789abcdefghjkmnpqrstwxy";
/// Hashes at the same time: each takes 19 MiB, and the box has other things to do.
const HASHES_AT_ONCE: usize = 2;
/// Callers that may wait for one; beyond it they are told to come back.
const HASHES_WAITING_MAX: usize = 32;

/// `groups` groups of `letters` typeable letters: `7k2p-…`. Four groups of five hold 96 bits.
pub fn typeable(groups: usize, letters: usize) -> String {
    let mut out = String::new();
    let mut one = [0_u8; 1];
    for group in 0..groups {
        if group > 0 {
            out.push('-');
        }
        for _ in 0..letters {
            // 252 is the largest multiple of 28 in a byte: no letter is likelier than another.
            let letter = loop {
                host::OsEntropy.fill(&mut one);
                if one[0] < 252 {
                    break TYPEABLE[usize::from(one[0]) % TYPEABLE.len()];
                }
            };
            out.push(char::from(letter));
        }
    }
    out
}

#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// argon2id for people's passwords, a bounded number at a time and never on the threads that answer the network.
#[derive(Clone)]
pub struct PasswordDesk {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

/// All places to wait are taken.
#[derive(Clone, Copy, Debug)]
pub struct TooBusy;

impl Default for PasswordDesk {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(HASHES_AT_ONCE)), queue: Arc::new(Semaphore::new(HASHES_WAITING_MAX)) }
    }
}

impl PasswordDesk {
    pub async fn hash(&self, password: Secret<String>) -> Result<Secret<String>, TooBusy> {
        self.run(move || {
            let salt: [u8; 16] = (&mut host::OsEntropy as &mut dyn Entropy).bytes();
            let hash = Argon2::default()
                .hash_password_with_salt(password.expose().as_bytes(), &salt)
                .expect("the default parameters take any password and a salt of 16 bytes");
            Secret::new(hash.to_string())
        })
        .await
    }

    /// Whether the password is the one behind `phc`; with no hash at all the same work is done for nothing.
    pub async fn verify(&self, password: Secret<String>, phc: Option<Secret<String>>) -> Result<bool, TooBusy> {
        self.run(move || {
            let stored = phc.as_ref().map_or(DUMMY, |phc| phc.expose().as_str());
            let fits = PasswordHash::new(stored)
                .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok());
            fits && phc.is_some()
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, TooBusy> {
        let _waiting = self.queue.try_acquire().map_err(|_| TooBusy)?;
        let _place = self.places.acquire().await.map_err(|_| TooBusy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| TooBusy)
    }
}

/// The hash of nothing anybody knows, with the default parameters.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$8Hmw8D1sUHFPe4Ycg3N0aZ5Tn2L0b8nPbC4q0P1vB9k";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typeable_secret_has_its_groups() {
        let secret = typeable(4, 5);
        assert_eq!(secret.len(), 23);
        assert!(secret.split('-').all(|group| group.len() == 5 && group.bytes().all(|b| TYPEABLE.contains(&b))));
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let desk = PasswordDesk::default();
        let phc = desk.hash(Secret::new("correct horse".to_owned())).await.expect("a free place");
        assert!(desk.verify(Secret::new("correct horse".to_owned()), Some(phc.clone())).await.expect("a free place"));
        assert!(!desk.verify(Secret::new("wrong horse".to_owned()), Some(phc)).await.expect("a free place"));
        assert!(!desk.verify(Secret::new("wrong horse".to_owned()), None).await.expect("a free place"));
    }
}
