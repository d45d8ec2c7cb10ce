//! The recovery kit: a printed sheet and a file that together bring back the keys of a vault whose machine is gone.
//!
//! The sheet has a random secret, as four rows to be typed and as a QR code; the file has every key, sealed under it.
//! Either alone opens nothing. A kit counts once somebody has shown that what is on paper opens what is in the file and
//! that these are the vault's present keys ([`check`]): until then the vault takes no evidence.

mod file;
mod leftovers;
mod secret;
mod sheet;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use custody::id::KeyHash;
use custody::keys::WrappedKey;
use custody::time::Timestamp;

pub use file::{Label, label, open};
pub use leftovers::left_in;
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
                format!(
                    "check that {} is there, and that its folder can be written; nothing is ever overwritten. In place \
                     of a kit that is lost make a new one: custos key recovery-sheet",
                    path.display()
                )
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
    let _makers = leftovers::enter(folder).map_err(io(folder))?;
    let mut label = Label {
        vault: found.vault,
        origin: found.origin,
        kit: found.kits.last().map_or(0, |kit| kit.kit),
        made: now,
        keys: live,
    };
    loop {
        label.kit = unused(folder, label.kit + 1);
        let secret = RecoverySecret::make(&mut OsEntropy);
        let sealed = file::seal(&label, &keys, &secret, &mut OsEntropy)?;
        let (file, sheet) = (at(folder, label.kit, "custos"), at(folder, label.kit, "html"));
        let named = [
            (&file, leftovers::unnamed(folder, sealed.as_bytes()).map_err(io(&file))?),
            (
                &sheet,
                leftovers::unnamed(folder, sheet::page(&label, &secret)?.as_bytes()).map_err(io(&sheet))?,
            ),
        ];
        // Noted before its files have names: what breaks off in between has used up a number, and two who make a kit
        // at once get one each.
        if !store.add_kit(label.kit, now, &label.keys).await? {
            continue;
        }
        for (path, new) in named {
            new.persist_noclobber(path).map_err(|error| io(path)(error.error))?;
        }
        durable::sync_dir(folder).map_err(io(folder))?;
        store.close().await;
        return Ok(Made { label, file, sheet });
    }
}

/// The file of the newest kit, where `make` put it into the data directory: the newest that is there, if any is.
pub async fn newest(config: &Config) -> Result<PathBuf, KitError> {
    let store = Store::attach(config.database_url()).await?;
    let kits = store.read().await?.recovery_kits().await?;
    store.close().await;
    let files: Vec<_> = kits.iter().rev().map(|kit| at(config.data_dir(), kit.kit, "custos")).collect();
    let there = files.iter().find(|file| file.exists());
    there.or(files.first()).cloned().ok_or(KitError::None)
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
    store.note_checked_kit(label.kit, label.made, &label.keys, now).await?;
    store.close().await;
    Ok(label)
}

/// Makes the key directory of a vault again, or what is missing of it. The keys are protected by `provider`, whatever
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

impl Standing {
    /// What is wrong, and what mends it; nothing where all is well.
    pub fn wanting(&self) -> Option<(String, &'static str)> {
        match self {
            Self::SamplesOnly | Self::Checked(..) => None,
            Self::None => {
                Some(("none was made; no evidence is taken".to_owned(), "custos key recovery-sheet"))
            }
            Self::Unchecked(kit) => Some((
                format!("kit {kit} was never checked; no evidence is taken"),
                "custos key check-recovery",
            )),
            Self::Outdated(kit, missing) => Some((
                format!("kit {kit}, the newest that was checked, does not hold {}", missing.join(", ")),
                "custos key recovery-sheet; then custos key check-recovery",
            )),
        }
    }
}

/// How the vault that `config` names stands with its kits, for the keys that are there now.
pub async fn standing_of(config: &Config, provider: &dyn KeyProvider) -> Result<Standing, KitError> {
    let live = list(&held(&config.data_dir().join("keys"), provider)?);
    let store = Store::attach(config.database_url()).await?;
    let standing = standing(&store, &live).await?;
    store.close().await;
    Ok(standing)
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

/// The sealed files of kits in a folder, by number. Sheets are none.
pub fn files(folder: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(kit) = entry.file_name().to_str().and_then(number) {
            files.insert(kit, entry.path());
        }
    }
    Ok(files)
}

/// The number of the kit whose sealed file has this name.
pub fn number(name: &str) -> Option<u64> {
    let kit = name.strip_prefix("recovery-")?.strip_suffix(".custos")?.parse().ok()?;
    (file_name(kit, "custos") == name).then_some(kit)
}

fn file_name(kit: u64, ending: &str) -> String {
    format!("recovery-{kit}.{ending}")
}

fn at(folder: &Path, kit: u64, ending: &str) -> PathBuf {
    folder.join(file_name(kit, ending))
}

/// The first number from this one on whose files are not there: an attempt that broke off, or a database that was set
/// back, may have left some.
fn unused(folder: &Path, mut kit: u64) -> u64 {
    while ["custos", "html"].iter().any(|ending| at(folder, kit, ending).exists()) {
        kit += 1;
    }
    kit
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
