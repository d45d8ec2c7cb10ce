//! All keys of a directory at once, as a recovery kit holds them.

use core::fmt;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use custody::digest::Digest;
use custody::entropy::Entropy;
use custody::keys::Key32;
use zeroize::Zeroizing;

use super::{KeyName, KeyProvider, KeyringError, file, load, store};

/// A key out of its file.
pub struct HeldKey {
    name: KeyName,
    pub(crate) key: Key32,
}

/// Names of keys with their check values, which say nothing about them; sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyList(BTreeMap<String, Digest>);

impl HeldKey {
    /// A key of 32 bytes, if it has this name and check value.
    pub(crate) fn new(name: &str, check: &Digest, key: &[u8]) -> Option<Self> {
        let name = KeyName::parse(name)?;
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(key.try_into().ok()?);
        let key = Key32::new(*bytes);
        name.check(&key).ct_eq(check).then_some(Self { name, key })
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KeyList {
    /// Reads lines of a name and 64 hexadecimal digits, sorted.
    pub fn parse(text: &str) -> Option<Self> {
        let mut list = BTreeMap::new();
        for line in text.lines() {
            let (name, check) = line.split_once(' ')?;
            KeyName::parse(name)?;
            let sorted = list.last_key_value().is_none_or(|(last, _): (&String, _)| last.as_str() < name);
            sorted.then_some(())?;
            list.insert(name.to_owned(), check.parse().ok()?);
        }
        Some(Self(list))
    }

    /// Names and check values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Digest)> {
        self.0.iter().map(|(name, check)| (name.as_str(), check))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of those that `other` does not hold.
    pub fn not_in(&self, other: &Self) -> Vec<String> {
        let held = |name: &str, check: &Digest| other.0.get(name).is_some_and(|found| found.ct_eq(check));
        self.iter().filter(|(name, check)| !held(name, check)).map(|(name, _)| name.to_owned()).collect()
    }
}

impl fmt::Display for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, check)| writeln!(f, "{name} {check}"))
    }
}

impl FromIterator<(String, Digest)> for KeyList {
    fn from_iter<I: IntoIterator<Item = (String, Digest)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Opens every key of a directory; sorted by name.
pub fn held(dir: &Path, provider: &dyn KeyProvider) -> Result<Vec<HeldKey>, KeyringError> {
    file::check_dir(dir)?;
    let mut keys = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(file::io(dir))? {
        let file = entry.map_err(file::io(dir))?.file_name();
        let name =
            file.to_str().and_then(|file| KeyName::parse(&file.strip_suffix(".key")?.replacen('-', "/", 1)));
        if let Some(name) = name.filter(|name| name.file().as_str() == file) {
            keys.insert(name.text(), HeldKey { name, key: load(dir, name, provider)? });
        }
    }
    Ok(keys.into_values().collect())
}

/// What the keys are, without them.
pub fn list(keys: &[HeldKey]) -> KeyList {
    keys.iter().map(|held| (held.name.text(), held.name.check(&held.key))).collect()
}

/// Makes a directory of these keys, or completes one that holds some of them and nothing else: an attempt that broke off
/// is repeated. Nothing is written before all that is there was compared.
pub fn rebuild(
    dir: &Path,
    keys: &[HeldKey],
    provider: &dyn KeyProvider,
    entropy: &mut dyn Entropy,
) -> Result<(), KeyringError> {
    let mut missing: BTreeMap<_, _> = keys.iter().map(|held| (held.name.file(), held)).collect();
    for found in file::names(dir)? {
        // What a crash left of a key file before it had its name.
        if found.starts_with(".new-") {
            continue;
        }
        let held = missing.remove(&found).ok_or_else(|| KeyringError::NotEmpty(dir.to_owned()))?;
        let there = load(dir, held.name, provider)?;
        if !held.name.check(&there).ct_eq(&held.name.check(&held.key)) {
            return Err(KeyringError::NotEmpty(dir.to_owned()));
        }
    }
    file::make_dir(dir)?;
    missing.values().try_for_each(|held| store(dir, held.name, &held.key, provider, entropy))
}
