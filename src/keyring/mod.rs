//! The vault's own keys: versioned key encryption keys, and the keys that sign for the log and for the vault.
//!
//! A keyring is a directory of text files, one a key. It is created once, where nothing is; after that a
//! missing key is an error and never a reason to make another one, because whatever the missing key encrypted
//! would be lost for ever. Every error says what mends it.

mod error;
mod file;
mod held;
mod provider;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::envelope::key_hash;
use custody::keys::{Kek, KekRef, Key32, KeyContext, KeyError, WrappedKey};
use ed25519_dalek::{SigningKey, VerifyingKey};

pub use error::KeyringError;
pub use file::Fields;
pub use held::{HeldKey, KeyList, held, list, rebuild};
pub use provider::{Cost, FileProvider, KeyProvider, PassphraseProvider, ProviderError, provider};

pub(crate) use file::{DESTROYED, KeyFile, create_dir};

use file::malformed;

/// Check values of the keys in `keys.example/`, refused even where the file no longer says that it is a sample.
const SAMPLES: [&str; 3] = [
    "d5ed53839b57f1d6c5d1d75184b51cab8dfa58899bf1d7c3e7ccb99857b46a70",
    "237433e2ffeb788d1b5f3e819c6916786ca5417a6931543c94eab96598481cbd",
    "e6216a16303f00b530d4bb09553a1d178fe778867b3f2e6472fb88c15fc28631",
];

/// The keys of one vault, opened.
pub struct Keyring {
    dir: PathBuf,
    keks: BTreeMap<u32, Kek>,
    current: u32,
    log: BTreeMap<u32, SigningKey>,
    vault: SigningKey,
}

impl Keyring {
    /// Makes the keys of a new vault in a directory that is absent or empty.
    pub fn create(
        dir: &Path,
        provider: &dyn KeyProvider,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, KeyringError> {
        file::create_dir(dir)?;
        for name in [KeyName::Kek(1), KeyName::Log(1), KeyName::Vault] {
            store(dir, name, &Key32::make(entropy), provider, entropy)?;
        }
        Self::open(dir, provider)
    }

    /// Opens the keys of an existing vault.
    pub fn open(dir: &Path, provider: &dyn KeyProvider) -> Result<Self, KeyringError> {
        let keyring = Self::open_to_continue(dir, provider)?;
        if keyring.log.is_empty() {
            return Err(KeyringError::Missing(dir.join(KeyName::Log(1).file())));
        }
        Ok(keyring)
    }

    /// The same, where all keys of the log may be lost.
    pub fn open_to_continue(dir: &Path, provider: &dyn KeyProvider) -> Result<Self, KeyringError> {
        file::check_dir(dir)?;
        let mut keks = BTreeMap::new();
        for version in versions(dir, KeyName::Kek)? {
            keks.insert(version, KeyName::Kek(version).kek(load(dir, KeyName::Kek(version), provider)?));
        }
        let current =
            *keks.last_key_value().ok_or_else(|| KeyringError::Missing(dir.join(KeyName::Kek(1).file())))?.0;
        let mut log = BTreeMap::new();
        for version in versions(dir, KeyName::Log)? {
            let key = load(dir, KeyName::Log(version), provider)?;
            log.insert(version, SigningKey::from_bytes(key.expose()));
        }
        let vault = SigningKey::from_bytes(load(dir, KeyName::Vault, provider)?.expose());
        Ok(Self { dir: dir.to_owned(), keks, current, log, vault })
    }

    /// Wraps by this version from here on: the one that the vault's records name. `false`: it is not there.
    pub fn use_kek(&mut self, version: u32) -> bool {
        let there = self.keks.contains_key(&version);
        if there {
            self.current = version;
        }
        there
    }

    /// The versions of the key encryption key that are there.
    pub fn keks(&self) -> impl Iterator<Item = u32> + '_ {
        self.keks.keys().copied()
    }

    /// Goes on with destroying what broke off.
    pub fn finish_destroying(&self) -> Result<(), KeyringError> {
        file::finish_destroying(&self.dir)
    }

    /// Destroys a version: overwrites its file, removes it, and forgets it. One that is not there is destroyed already.
    pub fn destroy_kek(&mut self, version: u32) -> Result<(), KeyringError> {
        let path = self.dir.join(KeyName::Kek(version).file());
        file::destroy(&path)?;
        self.keks.remove(&version);
        Ok(())
    }

    /// Adds a new version of the key encryption key and makes it the current one; the others stay, to unwrap
    /// what they wrapped. Returns the new version.
    pub fn add_kek(
        &mut self,
        provider: &dyn KeyProvider,
        entropy: &mut dyn Entropy,
    ) -> Result<u32, KeyringError> {
        let name = KeyName::Kek(self.current + 1);
        store(&self.dir, name, &Key32::make(entropy), provider, entropy)?;
        self.keks.insert(self.current + 1, name.kek(load(&self.dir, name, provider)?));
        self.current += 1;
        Ok(self.current)
    }

    /// Compares every key encryption key with the canary that the vault noted when the key was made: a key that
    /// is gone, or another one under its name, is found before anything is read or written with it.
    pub fn check_canaries(&self, noted: &BTreeMap<u32, Digest>) -> Result<(), KeyringError> {
        for (version, canary) in noted {
            let path = self.dir.join(KeyName::Kek(*version).file());
            match self.kek(*version) {
                None => return Err(KeyringError::Missing(path)),
                Some(kek) if !kek.canary().ct_eq(canary) => return Err(KeyringError::Canary(path)),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What to note in the vault for [`check_canaries`](Self::check_canaries).
    pub fn canaries(&self) -> BTreeMap<u32, Digest> {
        self.keks.iter().map(|(version, kek)| (*version, kek.canary())).collect()
    }

    /// The key encryption key that wraps new keys, and its version.
    pub fn current_kek(&self) -> (u32, &Kek) {
        (self.current, &self.keks[&self.current])
    }

    /// A key encryption key by version.
    pub fn kek(&self, version: u32) -> Option<&Kek> {
        self.keks.get(&version)
    }

    /// The keys of the log by version: those that were replaced as far as they are still here, the present one, and the
    /// next one if it was made already. Which is which the vault's records say.
    pub const fn log_keys(&self) -> &BTreeMap<u32, SigningKey> {
        &self.log
    }

    /// The private half of a key of the log.
    pub fn log_key(&self, public: &VerifyingKey) -> Option<&SigningKey> {
        self.log.values().find(|key| key.verifying_key() == *public)
    }

    /// Adds a new key for the log; it signs nothing until a record makes it the log's. Returns its version.
    pub fn add_log_key(
        &mut self,
        provider: &dyn KeyProvider,
        entropy: &mut dyn Entropy,
    ) -> Result<u32, KeyringError> {
        let version = self.log.last_key_value().map_or(1, |(newest, _)| newest + 1);
        let name = KeyName::Log(version);
        store(&self.dir, name, &Key32::make(entropy), provider, entropy)?;
        self.log.insert(version, SigningKey::from_bytes(load(&self.dir, name, provider)?.expose()));
        Ok(version)
    }

    /// What the keys are, without them.
    pub fn list(&self) -> KeyList {
        let keks = self.keks.iter().map(|(version, kek)| (KeyName::Kek(*version), kek.canary()));
        let signing = self.log.iter().map(|(version, key)| (KeyName::Log(*version), key));
        let signing = signing.chain([(KeyName::Vault, &self.vault)]);
        let signing = signing.map(|(name, key)| (name, key_hash(&key.verifying_key())));
        keks.chain(signing).map(|(name, check)| (name.text(), check)).collect()
    }

    /// Signs manifests, and statements of the vault itself.
    pub const fn vault_key(&self) -> &SigningKey {
        &self.vault
    }

    /// Wraps a key under the current key encryption key.
    pub fn wrap(&self, context: &KeyContext, key: &Key32, entropy: &mut dyn Entropy) -> WrappedKey {
        self.current_kek().1.wrap(context, key, entropy)
    }

    /// Unwraps a key with the version that wrapped it.
    pub fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Key32, KeyError> {
        let kek = self.keks.values().find(|kek| kek.reference() == wrapped.kek());
        kek.ok_or(KeyError::OtherKek)?.unwrap(context, wrapped)
    }
}

impl core::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keyring")
            .field("dir", &self.dir)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// The keys of a vault, by name.
#[derive(Debug, Clone, Copy)]
enum KeyName {
    Kek(u32),
    /// The log's first key is without a number, as there was none before it could be replaced.
    Log(u32),
    Vault,
}

impl KeyName {
    /// Reads what [`text`](Self::text) writes.
    fn parse(text: &str) -> Option<Self> {
        let name = match text.split_once('/') {
            Some(("kek", version)) => Self::Kek(version.parse().ok()?),
            Some(("log", version)) => Self::Log(version.parse().ok()?),
            _ if text == "log" => Self::Log(1),
            _ if text == "vault" => Self::Vault,
            _ => return None,
        };
        (name.text() == text).then_some(name)
    }

    /// As key files and wrapped keys say it.
    fn text(self) -> String {
        match self {
            Self::Kek(version) => format!("kek/{version}"),
            Self::Log(1) => "log".into(),
            Self::Log(version) => format!("log/{version}"),
            Self::Vault => "vault".into(),
        }
    }

    fn file(self) -> String {
        format!("{}.key", self.text().replace('/', "-"))
    }

    /// A value that only this key gives and that says nothing about it.
    fn check(self, key: &Key32) -> Digest {
        match self {
            Self::Kek(_) => self.kek(Key32::new(*key.expose())).canary(),
            Self::Log(_) | Self::Vault => key_hash(&SigningKey::from_bytes(key.expose()).verifying_key()),
        }
    }

    fn kek(self, key: Key32) -> Kek {
        #[expect(clippy::expect_used, reason = "`kek/` and a number are a reference")]
        let reference: KekRef = self.text().parse().expect("a key's name is a reference");
        Kek::new(reference, key)
    }
}

fn store(
    dir: &Path,
    name: KeyName,
    key: &Key32,
    provider: &dyn KeyProvider,
    entropy: &mut dyn Entropy,
) -> Result<(), KeyringError> {
    let path = dir.join(name.file());
    let fields =
        provider.protect(&name.text(), key, entropy).map_err(|error| provider_error(&path, error))?;
    let file = KeyFile {
        name: name.text(),
        provider: provider.name().to_owned(),
        check: name.check(key),
        sample: false,
        fields,
    };
    file.write(&path)
}

fn load(dir: &Path, name: KeyName, provider: &dyn KeyProvider) -> Result<Key32, KeyringError> {
    let path = dir.join(name.file());
    let file = KeyFile::read(&path)?;
    if file.sample || SAMPLES.contains(&file.check.to_hex().as_str()) {
        return Err(KeyringError::Sample(path));
    }
    if file.name != name.text() {
        return Err(malformed(&path)("it holds a key of another name"));
    }
    if file.provider != provider.name() {
        return Err(KeyringError::OtherProvider { path, found: file.provider, wanted: provider.name() });
    }
    let key = provider.recover(&file.name, &file.fields).map_err(|error| provider_error(&path, error))?;
    if !name.check(&key).ct_eq(&file.check) {
        return Err(KeyringError::Canary(path));
    }
    Ok(key)
}

/// The versions for which there is a file.
fn versions(dir: &Path, of: fn(u32) -> KeyName) -> Result<Vec<u32>, KeyringError> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(dir).map_err(file::io(dir))? {
        let name = entry.map_err(file::io(dir))?.file_name();
        let Some(name) = name.to_str() else { continue };
        let number = name.strip_suffix(".key").and_then(|name| name.rsplit('-').next()?.parse().ok());
        versions.extend([number, Some(1)].into_iter().flatten().find(|version| of(*version).file() == name));
    }
    Ok(versions)
}

fn provider_error(path: &Path, error: ProviderError) -> KeyringError {
    match error {
        ProviderError::Malformed(reason) => malformed(path)(reason),
        ProviderError::WrongPassphrase => KeyringError::WrongPassphrase(path.to_owned()),
        ProviderError::Derivation(reason) => KeyringError::Derivation(reason),
    }
}

#[cfg(test)]
mod tests;
