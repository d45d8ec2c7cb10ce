//! Passwords: what may be one, and how they are kept.
//!
//! Argon2id (RFC 9106) with 19 MiB, two passes and one lane (OWASP's first recommendation), and the result sealed under
//! the sign-in key. Hashing runs on few threads of its own kind, never where requests are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, Version};
use custody::entropy::Entropy as _;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::Profile;
use super::breached::Breached;
use crate::app::AppError;
use crate::engine::OsEntropy;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Longest password, characters: beyond it nobody types, and somebody may want the vault to work.
const MAX_CHARS: usize = 256;
/// Who may wait for their turn at hashing.
const MAX_WAITING: usize = 64;

/// A password as people meant it: the same characters typed on another keyboard are the same bytes (NFKC, as NIST
/// SP 800-63B-4, section 3.1.1.2, asks).
pub(super) struct Password(Zeroizing<String>);

impl Password {
    /// Takes what somebody typed; too much of it is none.
    pub(super) fn typed(text: &str) -> Option<Self> {
        (text.chars().count() <= MAX_CHARS).then(|| Self(Zeroizing::new(text.nfkc().collect())))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it may become somebody's password: long enough, not one that many use, not their name. Nothing is said
    /// about which characters.
    pub(super) fn check(&self, name: &str, profile: Profile, breached: &Breached) -> Result<(), AppError> {
        let shortest = profile.password_chars();
        if self.0.chars().count() < shortest {
            return Err(AppError::Password(format!("a password has {shortest} to {MAX_CHARS} characters")));
        }
        let lower = self.0.to_lowercase();
        if lower.contains(name) {
            return Err(AppError::Password(
                "a password does not contain the name one signs in with".to_owned(),
            ));
        }
        let mut different: Vec<char> = lower.chars().collect();
        different.sort_unstable();
        different.dedup();
        if different.len() < 5 {
            return Err(AppError::Password("a password has at least five different characters".to_owned()));
        }
        if breached.contains(self)? {
            return Err(AppError::Password("this password was found where passwords were stolen".to_owned()));
        }
        Ok(())
    }
}

/// What is kept of a password; sealed where it is stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hashed {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Hashed {
    fn of(password: &Password) -> Result<Self, AppError> {
        let mut hashed = Self::of_nothing();
        hashed.hash = *hashed.derive(password)?;
        Ok(hashed)
    }

    /// What no password hashes to, to be compared at the same cost.
    pub(super) fn of_nothing() -> Self {
        let (salt, hash) = (OsEntropy.array(), OsEntropy.array());
        Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt, hash }
    }

    fn is_of(&self, password: &Password) -> Result<bool, AppError> {
        Ok(bool::from(self.derive(password)?.ct_eq(&self.hash)))
    }

    fn derive(&self, password: &Password) -> Result<Zeroizing<[u8; 32]>, AppError> {
        let failed = |error: argon2::Error| AppError::internal("hashing a password")(error.to_string());
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(failed)?;
        let mut hash = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.0.as_bytes(), &self.salt, &mut *hash)
            .map_err(failed)?;
        Ok(hash)
    }
}

/// The threads that hash: half of the processors, so that whoever sends passwords does not stop the vault.
#[derive(Debug)]
pub(super) struct Hashing {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Hashing {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { turns: Arc::new(Semaphore::new((processors / 2).max(1))), waiting: AtomicUsize::new(0) }
    }
}

/// One who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Hashing {
    /// Hashes a new password.
    pub(super) async fn hash(&self, password: Password) -> Result<Hashed, AppError> {
        self.run(move || Hashed::of(&password)).await
    }

    /// Whether this is the password.
    pub(super) async fn verify(&self, hashed: Hashed, password: Password) -> Result<bool, AppError> {
        self.run(move || hashed.is_of(&password)).await
    }

    /// Runs what takes long, in its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(AppError::Busy);
        }
        let waiting = Waiting(&self.waiting);
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(AppError::internal("waiting to hash a password"))?;
        drop(waiting);
        let worked = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also where nobody waits for it any more.
            let _turn = turn;
            work()
        });
        worked.await.map_err(AppError::internal("hashing a password"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(text).unwrap()
    }

    #[test]
    fn a_password_is_long_and_rare_and_may_consist_of_anything() {
        let breached = Breached::default();
        let check = |text: &str| typed(text).check("asha", Profile::Standard, &breached);
        for good in ["correct horse battery", "नमस्ते दुनिया १२३", "aB3$ efghijk", "....,,,,;;;;::::!"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["short 1234", "aaaaaaaaaaaaaaaaaaa", "password1234", "PASSWORD1234", "ASHA is my name!"] {
            assert!(matches!(check(bad), Err(AppError::Password(_))), "{bad}");
        }
        assert!(typed("fourteen chars").check("asha", Profile::Cjis, &breached).is_err());
        assert!(Password::typed(&"x".repeat(MAX_CHARS + 1)).is_none());
    }

    #[tokio::test]
    async fn a_password_typed_on_another_keyboard_is_the_same() {
        let hashing = Hashing::default();
        let hashed = hashing.hash(typed("caf\u{e9} au lait, tr\u{e8}s noir")).await.unwrap();
        assert!(
            hashing.verify(hashed.clone(), typed("cafe\u{301} au lait, tre\u{300}s noir")).await.unwrap()
        );
        assert!(!hashing.verify(hashed, typed("cafe au lait, tres noir")).await.unwrap());
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_told_to_come_again() {
        let hashing = Hashing::default();
        hashing.waiting.store(MAX_WAITING, Ordering::Release);
        assert!(matches!(hashing.run(|| Ok(())).await, Err(AppError::Busy)));
        hashing.waiting.store(0, Ordering::Release);
        hashing.run(|| Ok(())).await.unwrap();
        assert_eq!(hashing.waiting.load(Ordering::Acquire), 0);
    }
}
