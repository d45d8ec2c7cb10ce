//! Randomness as an argument: the core asks for bytes and never fetches them itself.

/// A source of cryptographically strong random bytes.
///
/// A source that cannot deliver must not return: a caller has no way to go on with weak bytes, so the
/// function has no error.
///
/// Every `FnMut(&mut [u8])` is a source:
///
/// ```
/// use custody::entropy::Entropy;
///
/// let mut counting = |bytes: &mut [u8]| bytes.fill(7); // a test's source, not a random one
/// assert_eq!(counting.array::<4>(), [7; 4]);
/// ```
pub trait Entropy {
    /// Overwrites all of `bytes` with random ones.
    fn fill(&mut self, bytes: &mut [u8]);

    /// `N` random bytes.
    fn array<const N: usize>(&mut self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl<F: FnMut(&mut [u8])> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}
