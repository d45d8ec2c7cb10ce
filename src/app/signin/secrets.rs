//! The vault's sign-in key: seals what people sign in with, and turns names and addresses into values that say nothing.
//!
//! Wrapped by the key encryption key like a field key, for a purpose of its own. Whoever has the database alone can
//! neither guess passwords nor make codes nor see who calls themselves what.

use aws_lc_rs::hmac;
use base64::Engine as _;
use custody::aead::{Aead256 as _, NONCE_LEN, TAG_LEN};
use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::id::PersonId;
use custody::keys::{Key32, KeyContext, WrappedKey};
use zeroize::Zeroizing;

use crate::app::{App, AppError};
use crate::engine::{AwsLc, OsEntropy};
use crate::store::SubjectKey;

/// Under which it is kept beside the field keys.
pub(in crate::app) const SCOPE: &str = "signin";

/// The key, unwrapped.
pub(super) struct SignInKey {
    seal: AwsLc,
    hash: hmac::Key,
}

impl SignInKey {
    fn new(key: &Key32) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let derive = |label: &str| {
            let mut bytes = Zeroizing::new([0; 32]);
            bytes.copy_from_slice(hmac::sign(&key, label.as_bytes()).as_ref());
            bytes
        };
        Self {
            seal: AwsLc::new(&derive("custos/sign-in/seal/v1")),
            hash: hmac::Key::new(hmac::HMAC_SHA256, &*derive("custos/sign-in/hash/v1")),
        }
    }

    /// A value that stands for `parts` and can be found again, but not be turned back or compared with another vault's.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.hash);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        Digest::new(bytes)
    }

    /// `nonce || ciphertext || tag`; opens for the same use and owner only.
    pub(super) fn seal(&self, usage: &str, owner: &[u8], secret: &[u8]) -> Result<Vec<u8>, AppError> {
        let nonce: [u8; NONCE_LEN] = OsEntropy.array();
        let mut sealed = secret.to_vec();
        let tag = self
            .seal
            .seal(&nonce, &aad(usage, owner), &mut sealed)
            .map_err(AppError::internal("sealing a sign-in secret"))?;
        Ok([&nonce[..], &sealed, &tag].concat())
    }

    /// What [`seal`](Self::seal) sealed.
    pub(super) fn open(
        &self,
        usage: &str,
        owner: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, AppError> {
        let opened = || {
            let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
            let (text, tag) = rest.split_last_chunk::<TAG_LEN>()?;
            let mut secret = Zeroizing::new(text.to_vec());
            self.seal.open(nonce, &aad(usage, owner), &mut secret, tag).ok()?;
            Some(secret)
        };
        opened()
            .ok_or_else(|| AppError::internal("opening a sign-in secret")("it was altered, or is another's"))
    }
}

impl std::fmt::Debug for SignInKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignInKey(..)")
    }
}

fn aad(usage: &str, owner: &[u8]) -> Vec<u8> {
    [usage.as_bytes(), b"\0", owner].concat()
}

/// Names one person to [`SignInKey::seal`] and [`SignInKey::hash`].
pub(super) const fn owner(person: &PersonId) -> &[u8] {
    person.as_bytes()
}

/// A secret as cookies carry it.
pub(super) fn base64url(bytes: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

impl App {
    /// The sign-in key, made when it is first needed.
    pub(super) async fn signin_key(&self) -> Result<&SignInKey, AppError> {
        let key = self.signin.key.get_or_try_init(|| async { self.load_signin_key().await.map(Box::new) });
        Ok(key.await?.as_ref())
    }

    async fn load_signin_key(&self) -> Result<SignInKey, AppError> {
        let scope = [SCOPE.to_owned()];
        let mut row = self.store.read().await?.subject_keys(&scope).await?.pop();
        if row.is_none() {
            let wrapped =
                self.keyring.wrap(&self.signin_context(), &Key32::make(&mut OsEntropy), &mut OsEntropy);
            let new = SubjectKey {
                scope: SCOPE.to_owned(),
                wrapped: wrapped.to_bytes(),
                kek: self.keyring.current_kek().0,
            };
            // Another process may have been first; then that one's counts.
            if !self.store.add_subject_key(&new).await? {
                return Err(AppError::KekReplaced);
            }
            row = self.store.read().await?.subject_keys(&scope).await?.pop();
        }
        let row = row.ok_or_else(|| AppError::internal("making the sign-in key")("it is not there"))?;
        let wrapped =
            WrappedKey::parse(&row.wrapped).map_err(AppError::internal("reading the sign-in key"))?;
        let key = self.keyring.unwrap(&self.signin_context(), &wrapped);
        Ok(SignInKey::new(&key.map_err(AppError::internal("unwrapping the sign-in key"))?))
    }

    /// What the sign-in key is wrapped for.
    pub(in crate::app) fn signin_context(&self) -> KeyContext {
        KeyContext::SignIn(self.vault_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_use_and_its_owner_only() {
        let key = SignInKey::new(&Key32::new([1; 32]));
        let sealed = key.seal("codes", b"asha", b"secret").unwrap();
        assert_eq!(**key.open("codes", b"asha", &sealed).unwrap(), *b"secret");
        assert_ne!(sealed, key.seal("codes", b"asha", b"secret").unwrap());
        let mut altered = sealed.clone();
        altered[14] ^= 1;
        let other = SignInKey::new(&Key32::new([2; 32]));
        for refused in [
            key.open("password", b"asha", &sealed),
            key.open("codes", b"ben", &sealed),
            key.open("codes", b"asha", &altered),
            key.open("codes", b"asha", &sealed[..20]),
            other.open("codes", b"asha", &sealed),
        ] {
            assert!(refused.is_err());
        }
    }

    #[test]
    fn a_hash_depends_on_the_key_and_on_where_one_part_ends() {
        let (key, other) = (SignInKey::new(&Key32::new([1; 32])), SignInKey::new(&Key32::new([2; 32])));
        assert_eq!(key.hash(&[b"a", b"bc"]), key.hash(&[b"a", b"bc"]));
        assert_ne!(key.hash(&[b"a", b"bc"]), key.hash(&[b"ab", b"c"]));
        assert_ne!(key.hash(&[b"a"]), other.hash(&[b"a"]));
    }
}
