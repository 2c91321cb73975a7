//! The kernel's generator (getrandom(2)).

use values::Entropy;

/// Randomness fit for keys. Waits at the first boot until the kernel's pool is ready.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        getrandom::fill(out).expect("getrandom(2) cannot fail on a Linux that is newer than 3.17");
    }
}
