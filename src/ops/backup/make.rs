//! Making a backup: one snapshot of the database first, then the objects that it names. Objects are durable before
//! their records are, and never change, so that whatever the snapshot names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::act::ObjectId;
use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::envelope::{self, PayloadType};
use custody::json;
use custody::keys::Key32;
use custody::manifest;
use custody::time::Timestamp;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::{Differences, Progress};
use super::horizon;
use super::rows::{self, RowsError};
use super::seal::{self, Sealing};
use super::{
    BackupError, DATABASE, KEY, KEY_NAME, KEYRING, MANIFEST, Manifest, Objects, Part, create, io, make_dir,
    sync_dir, write_new,
};
use crate::blobs::{Blobs, Copied};
use crate::config::Config;
use crate::engine::OsEntropy;
use crate::keyring::{DESTROYED, KeyFile, KeyProvider, Keyring, PassphraseProvider};
use crate::kit;
use crate::store::{BackupRow, ObjectRow, ObjectState, Store, StoreError};

/// Objects looked up at a time.
const PAGE: u32 = 100;
/// Folders whose files travel with the keys.
const FOLDERS: [&str; 2] = ["keys", "tls"];

/// A backup that was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Where it is.
    pub folder: PathBuf,
    /// Hash of record 0.
    pub vault: Digest,
    /// Entries of the log.
    pub log_size: u64,
    /// The root over them.
    pub log_root: Digest,
    /// Objects that the database names.
    pub objects: Objects,
    /// How many of them were copied now; the others were there already.
    pub copied: u64,
    /// Objects that are missing or damaged in the vault: they are in no backup that was made since.
    pub damaged: Differences,
    /// Recovery kits whose sealed files are in it: the newest that was checked, and newer ones.
    pub kits: Vec<u64>,
    /// The newest kit that was checked, if its file is not in the data directory and so not in the backup.
    pub kit_elsewhere: Option<u64>,
    /// Backups in the repository that were older than they are to be kept, and were removed.
    pub removed: Vec<PathBuf>,
}

/// Backs up the vault that `config` names, also while it is served, into the repository `to`. `keys` opens the vault's
/// keyring, to sign; the backup is encrypted under `passphrase`.
pub async fn backup(
    config: &Config,
    keys: &dyn KeyProvider,
    passphrase: Zeroizing<String>,
    to: &Path,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Made, BackupError> {
    let keyring = Keyring::open(&config.data_dir().join("keys"), keys)?;
    let store = Store::attach(config.database_url()).await?;
    make_dir(to)?;
    let repository = Blobs::open(&format!("file://{}", std::path::absolute(to).map_err(io(to))?.display()))?;
    let folder = Folder::begin(to, now)?;
    let key = Key32::make(&mut OsEntropy);
    folder.write_key(&key, passphrase)?;

    let mut tx = store.read().await?;
    let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
    let vault = tx.vault().await?.ok_or(StoreError::NoVault)?;
    if keyring.vault_key().verifying_key().as_bytes() != vault.key.as_bytes() {
        return Err(BackupError::Other("the keys are not those of the vault in the database"));
    }
    let mut database = folder.part(DATABASE, &key)?;
    let schema = Store::newest_version();
    rows::write(&mut tx, schema, &mut database, progress).await.map_err(writing(&folder.at(DATABASE)))?;
    let database = folder.finish(DATABASE, database)?;
    let (named, bytes, mut wrapped_by) = named_objects(&mut tx).await?;
    wrapped_by.extend(tx.canaries().await?.iter().map(|key| key.kek));
    wrapped_by.insert(vault.kek());
    let checked = tx.recovery_kits().await?.into_iter().rev().find(|kit| kit.checked.is_some());
    drop(tx);
    let mut files = folder.part(KEYRING, &key)?;
    let copied_keys = key_files(config.data_dir())?;
    holds_keks(&copied_keys, &keyring, &wrapped_by)?;
    files.write_all(&copied_keys).map_err(io(&folder.at(KEYRING)))?;
    let files = folder.finish(KEYRING, files)?;

    let blobs = Blobs::open(config.blobs_url())?;
    let mut damaged = Differences::default();
    let vault_key = keyring.vault_key().verifying_key();
    let copied = copy(&store, &named, (&blobs, &repository), &vault_key, &mut damaged, progress).await?;

    let objects = Objects { bytes, count: named.len() as u64 };
    let (log_size, log_root) = (head.size(), head.frontier.root());
    let mut parts: BTreeMap<_, _> = [(DATABASE.to_owned(), database), (KEYRING.to_owned(), files)].into();
    let checked = checked.map(|kit| kit.kit);
    let kits = folder.kits(config.data_dir(), checked, &mut parts)?;
    let kit_elsewhere = checked.filter(|kit| !kits.contains(kit));
    let manifest = Manifest { log_root, log_size, made: now, objects, parts, schema, v: 1, vault: vault.id };
    let signed = envelope::sign(PayloadType::Backup, &json::emit(&manifest), &[keyring.vault_key()]);
    write_new(&folder.at(MANIFEST), &signed)?;
    // Noted before it has its name: what is destroyed later waits for the end of every backup that holds it.
    let named = std::path::absolute(&folder.finished).map_err(io(&folder.finished))?;
    let row = BackupRow { folder: named.display().to_string(), made: now, log_size, removed: None };
    store.note_backup(&row).await?;
    let folder = folder.end()?;
    horizon::destroy(&store, (to, &repository), vault.id, keyring.vault_key()).await?;
    let removed = match config.backup_days() {
        // What is damaged now may be whole in an earlier one.
        Some(days) if damaged.is_empty() => {
            horizon::expire(&store, to, vault.id, (days, now, head.last_received)).await?
        }
        _ => Vec::new(),
    };
    store.close().await;
    Ok(Made {
        folder,
        vault: vault.id,
        log_size,
        log_root,
        objects,
        copied,
        damaged,
        kits,
        kit_elsewhere,
        removed,
    })
}

/// Copies the rows of a database whose schema is older than this program's, before it is brought up to date: there is
/// no other way back. The copy is in `backups/` of the data directory, no better and no worse protected than the
/// database itself. Nothing, if the schema is new enough or not there.
pub async fn before_migration(config: &Config, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    before_version(config, Store::newest_version(), now).await
}

/// As [`before_migration`], before a change to the schema `newest`.
pub async fn before_version(
    config: &Config,
    newest: i64,
    now: Timestamp,
) -> Result<Option<PathBuf>, BackupError> {
    let store = Store::at_version(config.database_url(), None).await?;
    let version = store.version().await?;
    if version == 0 || version >= newest {
        store.close().await;
        return Ok(None);
    }
    let folder = config.data_dir().join("backups");
    make_dir(&folder)?;
    let path = folder.join(format!("pre-migration-v{version}-{}.rows", stamp(now)));
    let unfinished = path.with_extension("unfinished");
    let mut file = BufWriter::new(create(&unfinished)?);
    let mut tx = store.read().await?;
    rows::write(&mut tx, version, &mut file, &mut |_, _, _| {}).await.map_err(writing(&unfinished))?;
    drop(tx);
    let file = file.into_inner().map_err(|error| io(&unfinished)(error.into_error()))?;
    file.sync_all().map_err(io(&unfinished))?;
    fs::rename(&unfinished, &path).map_err(io(&path))?;
    sync_dir(&folder)?;
    store.close().await;
    tracing::info!(copy = %path.display(), "the database was copied before its schema is brought up to date");
    Ok(Some(path))
}

/// A moment as a file name that sorts.
fn stamp(now: Timestamp) -> String {
    now.to_string().replace(':', "")
}

fn writing(path: &Path) -> impl Fn(RowsError) -> BackupError + '_ {
    move |error| match error {
        RowsError::Store(error) => error.into(),
        RowsError::Stream(source) => io(path)(source),
        RowsError::Malformed(problem) => BackupError::Other(problem),
    }
}

/// All objects that a snapshot names and that are meant to exist, with their bytes in all, and the versions of the key
/// encryption key that wrap theirs.
async fn named_objects(tx: &mut crate::store::Tx) -> Result<(Vec<ObjectId>, u64, BTreeSet<u32>), StoreError> {
    let (mut named, mut bytes, mut keks, mut after) = (Vec::new(), 0, BTreeSet::new(), None);
    loop {
        let page = tx.all_objects(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok((named, bytes, keks)) };
        after = Some(last.object);
        let kept = || page.iter().filter(|row| row.state != ObjectState::Shredded);
        named.extend(kept().map(|row| row.object));
        bytes += kept().map(|row| row.size).sum::<u64>();
        keks.extend(kept().map(|row| row.kek));
    }
}

/// Copies what the repository lacks; how many that were.
async fn copy(
    store: &Store,
    named: &[ObjectId],
    (from, to): (&Blobs, &Blobs),
    vault_key: &VerifyingKey,
    damaged: &mut Differences,
    progress: Progress<'_>,
) -> Result<u64, BackupError> {
    let (mut copied, mut done) = (0, 0);
    for page in named.chunks(PAGE as usize) {
        let rows = store.read().await?.objects(page).await?;
        for row in rows {
            copied += u64::from(copy_one(&row, (from, to), vault_key, damaged).await?);
            done += 1;
            progress("copying objects", done, named.len() as u64);
        }
    }
    Ok(copied)
}

/// Copies one object if it is as it was written; whether it is new there.
pub(super) async fn copy_one(
    row: &ObjectRow,
    (from, to): (&Blobs, &Blobs),
    vault_key: &VerifyingKey,
    damaged: &mut Differences,
) -> Result<bool, BackupError> {
    let Ok(facts) = manifest::verify(&row.manifest, vault_key) else {
        damaged.add("objects", row.object, "its manifest is not the vault's");
        return Ok(false);
    };
    match to.copy_from(from, row.object, row.size, facts.parts).await {
        Ok(Copied::Already) => Ok(false),
        Ok(Copied::Now) => Ok(true),
        Ok(Copied::Damaged(_)) => {
            damaged.add("objects", row.object, "its bytes are not the ones that were written");
            Ok(false)
        }
        Err(crate::blobs::BlobsError::NotFound(_)) => {
            damaged.add("objects", row.object, "its bytes are missing");
            Ok(false)
        }
        Err(crate::blobs::BlobsError::Length { .. }) => {
            damaged.add("objects", row.object, "the copy has another length");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Key files, and the certificate that clients have pinned, as they are: a line each, name and Base64.
fn key_files(data: &Path) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(data.join(folder)) else { continue };
        for entry in entries {
            let entry = entry.map_err(io(data))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_file() && !name.ends_with(DESTROYED) {
                paths.push((format!("{folder}/{name}"), entry.path()));
            }
        }
    }
    paths.sort();
    // Room for all of it: no copy of a secret stays where the text was too short.
    let mut text = Zeroizing::new(Vec::with_capacity(1 << 20));
    for (name, path) in paths {
        let bytes = Zeroizing::new(fs::read(&path).map_err(io(&path))?);
        let encoded = Zeroizing::new(STANDARD.encode(&*bytes));
        for piece in [name.as_str(), " ", &encoded, "\n"] {
            text.extend_from_slice(piece.as_bytes());
        }
    }
    Ok(text)
}

/// Whether the key files that were copied have every version that wraps something in the snapshot: a rotation that ran
/// meanwhile has destroyed the earlier ones, and nobody would ever open that backup.
fn holds_keks(copied: &[u8], keyring: &Keyring, versions: &BTreeSet<u32>) -> Result<(), BackupError> {
    let rotated =
        || BackupError::Other("the key encryption key was replaced while it was made: make another");
    for version in versions {
        let prefix = format!("keys/kek-{version}.key ");
        let mut lines = copied.split(|byte| *byte == b'\n');
        let encoded = lines.find_map(|line| line.strip_prefix(prefix.as_bytes())).ok_or_else(rotated)?;
        let text =
            STANDARD.decode(encoded).ok().map(String::from_utf8).and_then(Result::ok).map(Zeroizing::new);
        let file = text.and_then(|text| KeyFile::parse(&text).ok()).ok_or_else(rotated)?;
        let held = keyring.kek(*version).ok_or_else(rotated)?;
        if !held.canary().ct_eq(&file.check) {
            return Err(rotated());
        }
    }
    Ok(())
}

/// A backup under way: under a name of its own until it is complete.
struct Folder {
    unfinished: PathBuf,
    finished: PathBuf,
    repository: PathBuf,
}

impl Folder {
    fn begin(repository: &Path, now: Timestamp) -> Result<Self, BackupError> {
        let finished = repository.join(stamp(now));
        if finished.exists() {
            return Err(BackupError::NotEmpty(finished.display().to_string()));
        }
        let unfinished = repository.join(format!(".unfinished-{}", hex::encode(OsEntropy.array::<8>())));
        make_dir(&unfinished)?;
        Ok(Self { unfinished, finished, repository: repository.to_owned() })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.unfinished.join(name)
    }

    fn write_key(&self, key: &Key32, passphrase: Zeroizing<String>) -> Result<(), BackupError> {
        let provider = PassphraseProvider::new(passphrase);
        let path = self.at(KEY);
        let fields = provider.protect(KEY_NAME, key, &mut OsEntropy);
        let fields = fields.map_err(|error| io(&path)(std::io::Error::other(error)))?;
        let (name, provider) = (KEY_NAME.to_owned(), provider.name().to_owned());
        Ok(KeyFile { name, provider, check: seal::check(key), sample: false, fields }.write(&path)?)
    }

    fn part(&self, name: &str, key: &Key32) -> Result<Sealing<BufWriter<fs::File>>, BackupError> {
        let path = self.at(name);
        Sealing::new(BufWriter::new(create(&path)?), key, name).map_err(io(&path))
    }

    fn finish(&self, name: &str, part: Sealing<BufWriter<fs::File>>) -> Result<Part, BackupError> {
        let path = self.at(name);
        let (file, part) = part.finish().map_err(io(&path))?;
        let file = file.into_inner().map_err(|error| io(&path)(error.into_error()))?;
        file.sync_all().map_err(io(&path))?;
        Ok(part)
    }

    /// Copies the recovery kits' files as they are, for they are sealed under their sheets: a forgotten passphrase must
    /// not take them along. Those before the newest that was checked stay out: their sheets may be lost, and every copy
    /// of a file is one more for whoever finds its sheet.
    fn kits(
        &self,
        data: &Path,
        checked: Option<u64>,
        parts: &mut BTreeMap<String, Part>,
    ) -> Result<Vec<u64>, BackupError> {
        let mut kits = Vec::new();
        for (kit, path) in kit::files(data).map_err(io(data))?.split_off(&checked.unwrap_or(0)) {
            let bytes = fs::read(&path).map_err(io(&path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            write_new(&self.at(&name), &bytes)?;
            parts.insert(name, Part { sha256: Digest::of(&bytes), size: bytes.len() as u64 });
            kits.push(kit);
        }
        Ok(kits)
    }

    fn end(self) -> Result<PathBuf, BackupError> {
        sync_dir(&self.unfinished)?;
        fs::rename(&self.unfinished, &self.finished).map_err(io(&self.finished))?;
        sync_dir(&self.repository)?;
        Ok(self.finished)
    }
}
