//! AES-256-GCM (NIST SP 800-38D) in place, with the engine exchangeable.
//!
//! The core brings [`Portable`] along; the server has a faster one that gives the same bytes.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;

/// Why a call to an engine failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AeadError {
    /// Ciphertext, tag, nonce, associated data and key do not belong together.
    #[error("the authentication tag does not match")]
    Tag,
    /// The engine refused to encrypt, as it does above 64 GiB under one nonce.
    #[error("the cipher refused the message")]
    Refused,
}

/// AES-256-GCM under one key.
pub trait Aead256: Sized {
    /// Sets the key.
    fn new(key: &[u8; 32]) -> Self;

    /// Encrypts `data` in place and returns its tag. A nonce must never repeat under one key.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG_LEN], AeadError>;

    /// Decrypts `data` in place; after an error its content is unspecified and must not be used.
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadError>;
}

/// The engine that runs everywhere, in pure Rust.
#[derive(Debug)]
pub struct Portable(Aes256Gcm);

impl Aead256 for Portable {
    fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG_LEN], AeadError> {
        let nonce: &Nonce<_> = nonce.into();
        self.0.encrypt_inout_detached(nonce, aad, data.into()).map(Into::into).map_err(|_| AeadError::Refused)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadError> {
        let (nonce, tag): (&Nonce<_>, &Tag) = (nonce.into(), tag.into());
        self.0.decrypt_inout_detached(nonce, aad, data.into(), tag).map_err(|_| AeadError::Tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 14 of the GCM submission: one zero block under a zero key and nonce.
    #[test]
    fn gives_the_published_ciphertext() {
        let engine = Portable::new(&[0; 32]);
        let mut data = [0; 16];
        let tag = engine.seal(&[0; 12], b"", &mut data).unwrap();
        assert_eq!(hex::encode(data), "cea7403d4d606b6e074ec5d3baf39d18");
        assert_eq!(hex::encode(tag), "d0d1c8a799996bf0265b98b5d48ab919");
        engine.open(&[0; 12], b"", &mut data, &tag).unwrap();
        assert_eq!(data, [0; 16]);
        assert_eq!(engine.open(&[0; 12], b"x", &mut data, &tag), Err(AeadError::Tag));
    }
}
