//! Randomness as an argument. The daemon passes the kernel's generator; tests pass a seed and get the same run again.

/// A source of random bytes that is fit for keys when the implementation says so.
pub trait Entropy {
    fn fill(&mut self, out: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes as an array.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// SplitMix64 from a seed: repeatable, and for tests only, since its output can be predicted.
#[derive(Clone, Debug)]
pub struct SeededEntropy(pub u64);

impl Entropy for SeededEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}
