//! What protects keys at rest.

use core::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use custody::aead::{Aead256, NONCE_LEN, Portable, TAG_LEN};
use custody::entropy::Entropy;
use custody::keys::Key32;
use zeroize::Zeroizing;

use super::file::Fields;

/// Turns a key into the fields of its file, and back.
pub trait KeyProvider: Send + Sync {
    /// Its name in key files and in the configuration.
    fn name(&self) -> &'static str;

    /// The fields that hold `key`, which is called `name`.
    fn protect(&self, name: &str, key: &Key32, entropy: &mut dyn Entropy) -> Result<Fields, ProviderError>;

    /// The key that the fields hold.
    fn recover(&self, name: &str, fields: &Fields) -> Result<Key32, ProviderError>;
}

/// The provider that goes with a passphrase, or with none.
pub fn provider(passphrase: Option<Zeroizing<String>>) -> Box<dyn KeyProvider> {
    match passphrase {
        Some(passphrase) => Box::new(PassphraseProvider::new(passphrase)),
        None => Box::new(FileProvider),
    }
}

/// Why a provider gives no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// A field is missing, unknown or not of its form.
    #[error("{0}")]
    Malformed(&'static str),
    /// The secret that was given does not open the key.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// The passphrase could not be turned into a key.
    #[error("cannot derive a key from the passphrase: {0}")]
    Derivation(String),
}

/// Keys stand in their files as they are; the file system's permissions and the disk's encryption protect them.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileProvider;

impl KeyProvider for FileProvider {
    fn name(&self) -> &'static str {
        "file"
    }

    fn protect(&self, _name: &str, key: &Key32, _entropy: &mut dyn Entropy) -> Result<Fields, ProviderError> {
        Ok(Fields::from([("key", Zeroizing::new(BASE64.encode(key.expose())))]))
    }

    fn recover(&self, _name: &str, fields: &Fields) -> Result<Key32, ProviderError> {
        let key = Zeroizing::new(decode::<32>(fields, "key")?);
        Ok(Key32::new(*key))
    }
}

/// What deriving a key from a passphrase costs: the parameters of Argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB, at most 1 GiB.
    pub memory_kib: u32,
    /// Passes over it, at most 16.
    pub passes: u32,
    /// Lanes, at most 8.
    pub lanes: u32,
}

impl Default for Cost {
    /// RFC 9106's second recommendation: 64 MiB, three passes, four lanes.
    fn default() -> Self {
        Self { memory_kib: 65_536, passes: 3, lanes: 4 }
    }
}

/// Keys are encrypted under a passphrase that the operator types or the service manager hands over.
pub struct PassphraseProvider {
    passphrase: Zeroizing<String>,
    cost: Cost,
}

impl PassphraseProvider {
    /// Protects new keys at the default cost; existing ones open at the cost their files name.
    pub fn new(passphrase: Zeroizing<String>) -> Self {
        Self::with_cost(passphrase, Cost::default())
    }

    /// Its name in key files.
    pub const NAME: &'static str = "passphrase";

    /// Protects new keys at a cost of the caller's.
    pub const fn with_cost(passphrase: Zeroizing<String>, cost: Cost) -> Self {
        Self { passphrase, cost }
    }

    fn derive(&self, cost: Cost, salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>, ProviderError> {
        let failed = |error: argon2::Error| ProviderError::Derivation(error.to_string());
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(failed)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.passphrase.as_bytes(), salt, &mut *key)
            .map_err(failed)?;
        Ok(key)
    }
}

impl KeyProvider for PassphraseProvider {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn protect(&self, name: &str, key: &Key32, entropy: &mut dyn Entropy) -> Result<Fields, ProviderError> {
        let (mut salt, mut nonce) = ([0; 16], [0; NONCE_LEN]);
        entropy.fill(&mut salt);
        entropy.fill(&mut nonce);
        let mut sealed = Zeroizing::new(*key.expose());
        let tag = Portable::new(&*self.derive(self.cost, &salt)?)
            .seal(&nonce, &aad(name), &mut *sealed)
            .map_err(|_| ProviderError::Malformed("a key is 32 bytes"))?;
        let Cost { memory_kib, passes, lanes } = self.cost;
        Ok(Fields::from([
            ("argon2id", Zeroizing::new(format!("m={memory_kib},t={passes},p={lanes}"))),
            ("salt", Zeroizing::new(BASE64.encode(salt))),
            ("key", Zeroizing::new(BASE64.encode([&nonce[..], &*sealed, &tag].concat()))),
        ]))
    }

    fn recover(&self, name: &str, fields: &Fields) -> Result<Key32, ProviderError> {
        let cost = fields.get("argon2id").and_then(parse_cost);
        let cost =
            cost.ok_or(ProviderError::Malformed("`argon2id` is m=KiB,t=passes,p=lanes within limits"))?;
        let engine = Portable::new(&*self.derive(cost, &decode(fields, "salt")?)?);
        let stored = decode::<{ NONCE_LEN + 32 + TAG_LEN }>(fields, "key")?;
        let (nonce, rest) = split::<NONCE_LEN>(&stored)?;
        let (sealed, rest) = split::<32>(rest)?;
        let (tag, _) = split::<TAG_LEN>(rest)?;
        let mut key = Zeroizing::new(*sealed);
        engine.open(nonce, &aad(name), &mut *key, tag).map_err(|_| ProviderError::WrongPassphrase)?;
        Ok(Key32::new(*key))
    }
}

impl fmt::Debug for PassphraseProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassphraseProvider").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// Binds a key to its name, so that two files cannot be swapped.
fn aad(name: &str) -> Vec<u8> {
    [b"custos/key-file/v1\0", name.as_bytes()].concat()
}

fn parse_cost(text: &Zeroizing<String>) -> Option<Cost> {
    let mut parts = text.split(',');
    let mut number = |prefix| parts.next()?.strip_prefix(prefix)?.parse::<u32>().ok();
    let cost = Cost { memory_kib: number("m=")?, passes: number("t=")?, lanes: number("p=")? };
    let within = cost.memory_kib <= 1 << 20 && cost.passes <= 16 && cost.lanes <= 8;
    (within && parts.next().is_none()).then_some(cost)
}

fn decode<const N: usize>(fields: &Fields, name: &'static str) -> Result<[u8; N], ProviderError> {
    let text = fields.get(name).ok_or(ProviderError::Malformed("a field of its provider is missing"))?;
    let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| ProviderError::Malformed("a field is not base64"))?;
    bytes.as_slice().try_into().map_err(|_| ProviderError::Malformed("a field has the wrong length"))
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), ProviderError> {
    bytes.split_first_chunk().ok_or(ProviderError::Malformed("a field has the wrong length"))
}
