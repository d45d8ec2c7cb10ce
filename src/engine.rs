//! What the core takes as arguments, from this machine: a fast cipher and true randomness.

use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use custody::aead::{Aead256, AeadError, NONCE_LEN, TAG_LEN};
use custody::entropy::Entropy;

/// AES-256-GCM by AWS-LC: the same bytes as the core's portable engine, several times as fast.
pub struct AwsLc(LessSafeKey);

impl Aead256 for AwsLc {
    fn new(key: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "the only error is a key that is not 32 bytes long")]
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are an AES-256 key")))
    }

    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG_LEN], AeadError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag =
            self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), data).map_err(|_| AeadError::Refused)?;
        tag.as_ref().try_into().map_err(|_| AeadError::Refused)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadError> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        match self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data) {
            Ok(_) => Ok(()),
            Err(_) => Err(AeadError::Tag),
        }
    }
}

impl fmt::Debug for AwsLc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsLc(..)")
    }
}

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        #[expect(clippy::expect_used, reason = "without randomness no key and no nonce may be made")]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use custody::aead::Portable;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_engines_give_the_same_bytes_and_open_each_others(
            key in any::<[u8; 32]>(),
            nonce in any::<[u8; 12]>(),
            aad in proptest::collection::vec(any::<u8>(), 0..40),
            plaintext in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (fast, portable) = (AwsLc::new(&key), Portable::new(&key));
            let (mut a, mut b) = (plaintext.clone(), plaintext.clone());
            let tag = fast.seal(&nonce, &aad, &mut a).unwrap();
            prop_assert_eq!(tag, portable.seal(&nonce, &aad, &mut b).unwrap());
            prop_assert_eq!(&a, &b);
            fast.open(&nonce, &aad, &mut b, &tag).unwrap();
            portable.open(&nonce, &aad, &mut a, &tag).unwrap();
            prop_assert_eq!((&a, &b), (&plaintext, &plaintext));
            let mut wrong = tag;
            wrong[0] ^= 1;
            prop_assert_eq!(fast.open(&nonce, &aad, &mut a, &wrong), Err(AeadError::Tag));
        }
    }

    #[test]
    fn random_bytes_differ() {
        let mut entropy = OsEntropy;
        assert_ne!(entropy.array::<16>(), entropy.array::<16>());
    }
}
