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

    /// Whether the password is the one behind `phc`.
    pub async fn verify(&self, password: Secret<String>, phc: Secret<String>) -> Result<bool, TooBusy> {
        self.run(move || {
            PasswordHash::new(phc.expose())
                .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, TooBusy> {
        let waiting = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| TooBusy)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| TooBusy)?;
        // The places go with the work: a caller who hangs up ends the waiting, not the hash.
        let work = move || {
            let _taken = (waiting, place);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| TooBusy)
    }
}

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
        assert!(desk.verify(Secret::new("correct horse".to_owned()), phc.clone()).await.expect("a free place"));
        assert!(!desk.verify(Secret::new("wrong horse".to_owned()), phc).await.expect("a free place"));
    }

    #[tokio::test]
    async fn a_caller_who_hangs_up_frees_no_place_before_the_work_is_done() {
        let desk = PasswordDesk::default();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go_on, may_end) = std::sync::mpsc::channel::<()>();
        let caller = tokio::spawn({
            let desk = desk.clone();
            async move {
                desk.run(move || {
                    let _ = begun.send(());
                    may_end.recv()
                })
                .await
            }
        });
        has_begun.await.expect("the work begins");
        caller.abort();
        assert!(caller.await.expect_err("aborted").is_cancelled());
        assert_eq!(desk.places.available_permits(), HASHES_AT_ONCE - 1);
        go_on.send(()).expect("the work waits");
    }
}
