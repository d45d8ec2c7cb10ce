//! The recovery kit: a printed sheet and a file that together bring back the keys of a vault whose machine is gone.
//!
//! The sheet has a random secret, as four rows to be typed and as a QR code; the file has every key, sealed under it.
//! Either alone opens nothing. A kit counts once somebody has shown that what is on paper opens what is in the file and
//! that these are the vault's present keys ([`check`]): until then the vault takes no evidence.

mod file;
mod secret;
mod sheet;

use std::fs::DirBuilder;
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use custody::id::KeyHash;
use custody::keys::WrappedKey;
use custody::time::Timestamp;

pub use file::{Label, label, open};
pub use secret::{ROWS, RecoverySecret, SecretError};

use crate::config::Config;
use crate::durable;
use crate::engine::OsEntropy;
use crate::keyring::{KeyList, KeyProvider, KeyringError, held, list, rebuild};
use crate::store::{KitRow, Store, StoreError};

/// Why a kit is not made, does not open, or does not count. [`remedy`](Self::remedy) says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The vault's keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
    /// A file that cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was typed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Not the file of a kit.
    #[error("this is not the file of a recovery kit: {0}")]
    Malformed(&'static str),
    /// The secret does not open the file.
    #[error("the sheet's secret does not open this file: they are of two kits, or the file was changed")]
    OtherSecret,
    /// The kit of another vault, or the keys of another database.
    #[error("the keys are not those of the vault in the database")]
    OtherVault,
    /// Keys were added since.
    #[error("the kit does not hold {}", .0.join(", "))]
    Outdated(Vec<String>),
    /// There is nothing to recover.
    #[error("this vault takes sample data only, and needs no recovery kit")]
    SamplesOnly,
    /// No kit was made.
    #[error("no recovery kit was made for this vault")]
    None,
    /// The QR code.
    #[error("the secret does not fit into a QR code")]
    Qr,
}

impl KitError {
    /// What to do, in one or two sentences.
    pub fn remedy(&self) -> String {
        match self {
            Self::Keyring(error) => error.remedy(),
            Self::Store(_) => "check `database_url` (custos config show)".to_owned(),
            Self::Io { path, .. } => {
                format!("check that {} is there, and that its folder can be written; nothing is ever overwritten", path.display())
            }
            Self::Secret(_) => "compare with the sheet, symbol by symbol, and type it again".to_owned(),
            Self::Malformed(_) => "name the file recovery-NUMBER.custos of the kit, unchanged".to_owned(),
            Self::OtherSecret => "compare the kit's number on the sheet and in the file's name; if they agree, make a new kit: \
                                  custos key recovery-sheet"
                .to_owned(),
            Self::OtherVault => "compare the fingerprint on the sheet with the vault's".to_owned(),
            Self::Outdated(_) | Self::None => "make a new kit: custos key recovery-sheet".to_owned(),
            Self::SamplesOnly => "for real evidence make another vault: custos init, without --samples-only".to_owned(),
            Self::Qr => "report it".to_owned(),
        }
    }
}

/// A kit that was made.
#[derive(Debug)]
pub struct Made {
    /// What stands on it.
    pub label: Label,
    /// The file with the sealed keys.
    pub file: PathBuf,
    /// The sheet, to be printed and deleted.
    pub sheet: PathBuf,
}

/// Makes a kit of all present keys: `recovery-<number>.custos` and, with the secret, `recovery-<number>.html`, in `folder`.
pub async fn make(
    config: &Config,
    provider: &dyn KeyProvider,
    folder: &Path,
    now: Timestamp,
) -> Result<Made, KitError> {
    let keys = held(&config.data_dir().join("keys"), provider)?;
    let store = Store::attach(config.database_url()).await?;
    let live = list(&keys);
    let found = Found::read(&store, &live).await?;
    if found.samples_only {
        return Err(KitError::SamplesOnly);
    }
    let kit = found.kits.last().map_or(1, |kit| kit.kit + 1);
    let label = Label { vault: found.vault, origin: found.origin, kit, made: now, keys: live.clone() };
    let secret = RecoverySecret::make(&mut OsEntropy);
    let sealed = file::seal(&label, &keys, &secret, &mut OsEntropy)?;
    let (file, sheet) = (at(folder, kit, "custos"), at(folder, kit, "html"));
    write_new(&file, sealed.as_bytes())?;
    write_new(&sheet, sheet::page(&label, &secret)?.as_bytes())?;
    durable::sync_dir(folder).map_err(io(folder))?;
    store.keep_kit(&KitRow { kit, made: now, keys: live, checked: None }).await?;
    store.close().await;
    Ok(Made { label, file, sheet })
}

/// The file of the newest kit, where `make` put it into the data directory.
pub async fn newest(config: &Config) -> Result<PathBuf, KitError> {
    let store = Store::attach(config.database_url()).await?;
    let kits = store.read().await?.recovery_kits().await?;
    store.close().await;
    kits.last().map(|kit| at(config.data_dir(), kit.kit, "custos")).ok_or(KitError::None)
}

/// Shows that a sheet opens its file and that these are the vault's present keys, and notes it.
pub async fn check(
    config: &Config,
    provider: &dyn KeyProvider,
    file: &Path,
    secret: &RecoverySecret,
    now: Timestamp,
) -> Result<Label, KitError> {
    let (label, keys) = open(&read(file)?, secret)?;
    let live = list(&held(&config.data_dir().join("keys"), provider)?);
    let store = Store::attach(config.database_url()).await?;
    let found = Found::read(&store, &live).await?;
    if found.vault != label.vault {
        return Err(KitError::OtherVault);
    }
    // Computed from the keys that came out of the file, not taken from what stands on it.
    let missing = live.not_in(&list(&keys));
    if !missing.is_empty() {
        return Err(KitError::Outdated(missing));
    }
    let row = KitRow { kit: label.kit, made: label.made, keys: label.keys.clone(), checked: Some(now) };
    store.keep_kit(&row).await?;
    store.close().await;
    Ok(label)
}

/// Makes the key directory of a vault again, where there is none. The keys are protected by `provider`, whatever
/// protected them before.
pub fn recover(
    data_dir: &Path,
    file: &Path,
    secret: &RecoverySecret,
    provider: &dyn KeyProvider,
) -> Result<Label, KitError> {
    let (label, keys) = open(&read(file)?, secret)?;
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(io(data_dir))?;
    rebuild(&data_dir.join("keys"), &keys, provider, &mut OsEntropy)?;
    Ok(label)
}

/// What a file says of itself.
pub fn label_of(path: &Path) -> Result<Label, KitError> {
    label(&read(path)?)
}

/// How a vault stands with its kits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It takes sample data only.
    SamplesOnly,
    /// There is none.
    None,
    /// The newest one, which nobody has checked.
    Unchecked(u64),
    /// The newest checked one does not hold these keys.
    Outdated(u64, Vec<String>),
    /// The newest checked one holds every key.
    Checked(u64, Timestamp),
}

/// Looks at kits for these keys.
pub async fn standing(store: &Store, live: &KeyList) -> Result<Standing, StoreError> {
    let mut tx = store.read().await?;
    if tx.samples_only().await? {
        return Ok(Standing::SamplesOnly);
    }
    let kits = tx.recovery_kits().await?;
    let checked = kits.iter().rev().find_map(|kit| Some((kit, kit.checked?)));
    Ok(match (checked, kits.last()) {
        (None, None) => Standing::None,
        (None, Some(newest)) => Standing::Unchecked(newest.kit),
        (Some((kit, at)), _) => match live.not_in(&kit.keys) {
            missing if missing.is_empty() => Standing::Checked(kit.kit, at),
            missing => Standing::Outdated(kit.kit, missing),
        },
    })
}

/// What the database says.
struct Found {
    vault: custody::digest::Digest,
    origin: String,
    samples_only: bool,
    kits: Vec<KitRow>,
}

impl Found {
    /// Reads it, if the keys are the vault's.
    async fn read(store: &Store, live: &KeyList) -> Result<Self, KitError> {
        let mut tx = store.read().await?;
        let vault = tx.vault().await?.ok_or(StoreError::NoVault)?;
        let key: KeyHash = vault.key.hash();
        if !live.iter().any(|(name, check)| name == "vault" && *check == key) {
            return Err(KitError::OtherVault);
        }
        // A key that something in the database is wrapped under must be among them.
        for row in tx.canaries().await? {
            let wrapped = WrappedKey::parse(&row.wrapped).map_err(|_| KitError::OtherVault)?;
            if !live.iter().any(|(name, _)| name == wrapped.kek().as_str()) {
                return Err(KitError::OtherVault);
            }
        }
        let (samples_only, kits) = (tx.samples_only().await?, tx.recovery_kits().await?);
        Ok(Self { vault: vault.id, origin: vault.origin, samples_only, kits })
    }
}

fn at(folder: &Path, kit: u64, ending: &str) -> PathBuf {
    folder.join(format!("recovery-{kit}.{ending}"))
}

/// A file for its owner only, never over an old one, on disk once its folder is synced.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KitError> {
    durable::write_new(path, 0o600, bytes).map_err(io(path))
}

fn read(path: &Path) -> Result<String, KitError> {
    let file = std::fs::File::open(path).map_err(io(path))?;
    let mut text = String::new();
    file.take(file::MAX_BYTES).read_to_string(&mut text).map_err(io(path))?;
    Ok(text)
}

fn io(path: &Path) -> impl Fn(io::Error) -> KitError {
    move |source| KitError::Io { path: path.to_owned(), source }
}
