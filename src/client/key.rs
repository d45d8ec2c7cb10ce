//! A person's own signing key, in a file on the person's own device.
//!
//! The same form as the vault's key files: text, one key a file, mode 0600, either as it is or under a passphrase.

use std::path::Path;

use custody::entropy::Entropy;
use custody::envelope::key_hash;
use custody::keys::Key32;
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::ClientError;
use crate::keyring::{KeyFile, KeyringError, PassphraseProvider, provider};

/// The name of such a key in its file.
const NAME: &str = "person";

/// A new key, from the operating system's randomness.
pub fn generate() -> Result<SigningKey, ClientError> {
    Ok(SigningKey::from_bytes(&Zeroizing::new(super::random::<32>()?)))
}

/// Writes a key into a new file, under a passphrase where one is given.
pub fn create(
    path: &Path,
    key: &SigningKey,
    passphrase: Option<Zeroizing<String>>,
) -> Result<(), ClientError> {
    let provider = provider(passphrase);
    let mut entropy = |bytes: &mut [u8]| {
        #[expect(clippy::expect_used, reason = "without randomness nothing may be written")]
        getrandom::fill(bytes).expect("the operating system gives randomness");
    };
    let entropy: &mut dyn Entropy = &mut entropy;
    let fields = provider
        .protect(NAME, &Key32::new(key.to_bytes()), entropy)
        .map_err(|error| ClientError::Key(error.to_string()))?;
    let file = KeyFile {
        name: NAME.to_owned(),
        provider: provider.name().to_owned(),
        check: key_hash(&key.verifying_key()),
        sample: false,
        fields,
    };
    file.write(path).map_err(|error| refuse(&error))
}

/// Whether a key file can be opened only with a passphrase.
pub fn needs_passphrase(path: &Path) -> Result<bool, ClientError> {
    Ok(KeyFile::read(path).map_err(|error| refuse(&error))?.provider == PassphraseProvider::NAME)
}

/// Opens a key file.
pub fn open(path: &Path, passphrase: Option<Zeroizing<String>>) -> Result<SigningKey, ClientError> {
    let file = KeyFile::read(path).map_err(|error| refuse(&error))?;
    let wrong = |what: &str| ClientError::Key(format!("{} {what}", path.display()));
    let provider = provider(passphrase);
    if file.name != NAME || file.provider != provider.name() {
        return Err(wrong("is not a person's key of that form"));
    }
    let seed =
        provider.recover(NAME, &file.fields).map_err(|error| wrong(&format!("does not open: {error}")))?;
    let key = SigningKey::from_bytes(seed.expose());
    if key_hash(&key.verifying_key()) == file.check { Ok(key) } else { Err(wrong("is damaged")) }
}

fn refuse(error: &KeyringError) -> ClientError {
    let remedy = error.remedy();
    ClientError::Key(format!("{error}; {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_again_and_only_with_its_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, locked) = (dir.path().join("plain.key"), dir.path().join("locked.key"));
        let key = generate().unwrap();
        let secret = |text: &str| Some(Zeroizing::new(text.to_owned()));
        create(&plain, &key, None).unwrap();
        create(&locked, &key, secret("right")).unwrap();
        assert!(create(&plain, &key, None).is_err(), "a key was written over another");
        assert!(!needs_passphrase(&plain).unwrap() && needs_passphrase(&locked).unwrap());
        assert_eq!(open(&plain, None).unwrap(), key);
        assert_eq!(open(&locked, secret("right")).unwrap(), key);
        assert!(open(&locked, secret("wrong")).is_err());
        assert!(!std::fs::read_to_string(&locked).unwrap().contains(&hex::encode(key.to_bytes())));
    }
}
