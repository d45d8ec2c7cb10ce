//! Putting a backup back, into nothing, and checking all of it.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::digest::Digest;
use custody::envelope::{Envelope, PayloadType};
use custody::json;
use custody::keys::Key32;
use custody::time::Timestamp;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::replay::{self, replay};
use super::super::{Differences, Progress};
use super::horizon::{self, DESTROYED};
use super::make::copy_one;
use super::rows::{self, RowsError};
use super::seal::{self, Opening};
use super::{
    BackupError, DATABASE, KEY, KEY_NAME, KEYRING, MANIFEST, Manifest, Objects, io, make_dir, sync_dir,
    write_new,
};
use crate::blobs::Blobs;
use crate::config::Config;
use crate::keyring::{KeyFile, KeyProvider as _, PassphraseProvider, ProviderError};
use crate::kit;
use crate::store::{BackupRow, ObjectState, Store, StoreError};

/// Far above any manifest and any key file.
const MAX_SMALL: u64 = 1 << 20;
/// Far above all keys and certificates of a vault.
const MAX_KEYS: u64 = 16 << 20;
const PAGE: u32 = 100;

/// A vault that was restored, and what was found in it.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The backup.
    pub from: PathBuf,
    /// When it was made.
    pub made: Timestamp,
    /// Hash of record 0: the vault's fingerprint, to be compared with the one on paper.
    pub vault: Digest,
    /// Entries of the log.
    pub log_size: u64,
    /// The root over them.
    pub log_root: Digest,
    /// Objects that are there and whole.
    pub objects: Objects,
    /// What the replay of all records found.
    pub replay: replay::Report,
    /// Objects, and files of recovery kits, that are missing or damaged.
    pub damaged: Differences,
    /// What the vault had destroyed by the time of the repository's newest backup, and is destroyed here too.
    pub destroyed: u64,
}

impl Restored {
    /// Whether everything is as it was.
    pub fn is_whole(&self) -> bool {
        self.replay.differences.is_empty() && self.damaged.is_empty()
    }
}

/// Restores the newest backup of the repository `from`, or the one backup that it names, to where `config` says. There
/// must be nothing there. `scratch` takes the replay's database. A damaged list of what was destroyed is a refusal, unless
/// it is to go on `without_list`.
pub async fn restore(
    config: &Config,
    from: &Path,
    passphrase: Zeroizing<String>,
    (scratch, without_list): (&Path, bool),
    progress: Progress<'_>,
) -> Result<Restored, BackupError> {
    let source = Source::find(from)?;
    let (manifest, signed) = source.manifest()?;
    let key = source.key(passphrase)?;
    for name in [DATABASE, KEYRING] {
        source.check(&manifest, name)?;
    }
    refuse_non_empty(config).await?;

    make_dir(config.data_dir())?;
    let store = Store::at_version(config.database_url(), Some(manifest.schema)).await?;
    let mut stream = BufReader::new(source.open(&manifest, DATABASE, &key)?);
    load(&store, &mut stream, manifest.schema, progress).await.map_err(damaged_part(DATABASE))?;
    store.migrate().await?;
    source.keys(&manifest, &key, config.data_dir())?;
    let mut damaged = Differences::default();
    source.kits(&manifest, config.data_dir(), &mut damaged)?;

    let mut tx = store.read().await?;
    let vault = tx.vault().await?.ok_or(StoreError::NoVault)?;
    let head = tx.log_head().await?.ok_or(StoreError::NoVault)?;
    drop(tx);
    let vault_key = VerifyingKey::from_bytes(vault.key.as_bytes());
    let vault_key = vault_key.map_err(|_| BackupError::Other("the vault's key is none"))?;
    let verified = signed.signatures().len() == 1 && signed.verify(0, &vault_key).is_ok();
    if !verified {
        return Err(BackupError::Other("the vault in it did not sign it"));
    }
    if (vault.id, head.size(), head.frontier.root()) != (manifest.vault, manifest.log_size, manifest.log_root)
    {
        return Err(BackupError::Other("it holds another vault or another log than it says"));
    }
    let list = match horizon::List::read(&source.repository, vault.id, &vault_key) {
        Ok(list) => list,
        Err(error) if without_list => {
            damaged.add("backup", DESTROYED, error.to_string());
            None
        }
        Err(_) => return Err(BackupError::List),
    };
    // What this vault destroys from now on waits for the end of the backup that it came from, too.
    let folder = source.folder.display().to_string();
    let (made, log_size) = (manifest.made, manifest.log_size);
    store.note_backup(&BackupRow { folder, made, log_size, removed: None }).await?;
    let destroyed = match &list {
        Some(list) => horizon::destroy_again(&store, list).await?,
        None => 0,
    };
    let report = replay(&store, scratch, progress).await?;
    let objects = source.objects(config, &store, &vault_key, &mut damaged, progress).await?;
    store.close().await;
    Ok(Restored {
        from: source.folder,
        made: manifest.made,
        vault: vault.id,
        log_size: manifest.log_size,
        log_root: manifest.log_root,
        objects,
        replay: report,
        damaged,
        destroyed,
    })
}

/// Fills an empty database with the rows that were copied before a migration, at the schema they had: for the older
/// program, or to be brought up to date once more.
pub async fn restore_rows(url: &str, file: &Path, progress: Progress<'_>) -> Result<i64, BackupError> {
    let mut stream = BufReader::new(File::open(file).map_err(io(file))?);
    let version = rows::schema(&mut stream).map_err(damaged_part("rows"))?;
    if version > Store::newest_version() {
        return Err(BackupError::Newer);
    }
    refuse_database(url).await?;
    let store = Store::at_version(url, Some(version)).await?;
    rows::load(&store, &mut stream, progress).await.map_err(damaged_part("rows"))?;
    store.close().await;
    Ok(version)
}

async fn load(
    store: &Store,
    stream: &mut (impl std::io::BufRead + Send),
    schema: i64,
    progress: Progress<'_>,
) -> Result<(), RowsError> {
    if rows::schema(stream)? != schema {
        return Err(RowsError::Malformed("it is of another schema than the manifest says"));
    }
    rows::load(store, stream, progress).await.map(drop)
}

fn damaged_part(part: &'static str) -> impl Fn(RowsError) -> BackupError {
    move |error| match error {
        RowsError::Store(error) => error.into(),
        RowsError::Stream(_) => {
            BackupError::Part { part: part.to_owned(), problem: "it cannot be decrypted or read" }
        }
        RowsError::Malformed(problem) => BackupError::Part { part: part.to_owned(), problem },
    }
}

async fn refuse_non_empty(config: &Config) -> Result<(), BackupError> {
    let blobs = config.blobs_url().strip_prefix("file://").map(PathBuf::from);
    for folder in [Some(config.data_dir().to_owned()), blobs].into_iter().flatten() {
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(BackupError::NotEmpty(folder.display().to_string()));
        }
    }
    refuse_database(config.database_url()).await
}

async fn refuse_database(url: &str) -> Result<(), BackupError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//").split('?').next().unwrap_or_default();
        return if Path::new(path).exists() { Err(BackupError::NotEmpty(path.to_owned())) } else { Ok(()) };
    }
    let store = Store::at_version(url, None).await?;
    let tables = store.read().await?.tables().await?;
    store.close().await;
    if tables.is_empty() { Ok(()) } else { Err(BackupError::NotEmpty("the database".to_owned())) }
}

/// One backup in its repository.
struct Source {
    folder: PathBuf,
    repository: PathBuf,
}

impl Source {
    /// The backup in `from`, or the newest of those below it.
    fn find(from: &Path) -> Result<Self, BackupError> {
        let none = || BackupError::NoBackup(from.to_owned());
        let from = std::path::absolute(from).map_err(io(from))?;
        if from.join(MANIFEST).is_file() {
            let repository = from.parent().ok_or_else(none)?.to_owned();
            return Ok(Self { folder: from, repository });
        }
        let entries = fs::read_dir(&from).map_err(|_| none())?.filter_map(Result::ok);
        let complete = entries.map(|entry| entry.path()).filter(|path| {
            let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            !hidden && path.join(MANIFEST).is_file()
        });
        Ok(Self { folder: complete.max().ok_or_else(none)?, repository: from })
    }

    fn small(&self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let file = File::open(self.folder.join(name));
        let file = file.map_err(|_| BackupError::Part { part: name.to_owned(), problem: "it is missing" })?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_SMALL).read_to_end(&mut bytes).map_err(io(&self.folder))?;
        Ok(bytes)
    }

    /// What the backup says of itself, not believed before its signature is verified.
    fn manifest(&self) -> Result<(Manifest, Envelope), BackupError> {
        let malformed = |error: &dyn std::fmt::Display| BackupError::Manifest(error.to_string());
        let envelope =
            Envelope::parse(&self.small(MANIFEST)?, PayloadType::Backup).map_err(|e| malformed(&e))?;
        let manifest: Manifest = json::parse_canonical(envelope.body(), envelope.body().len())?;
        if manifest.v != 1 || manifest.schema > Store::newest_version() {
            return Err(BackupError::Newer);
        }
        Ok((manifest, envelope))
    }

    fn key(&self, passphrase: Zeroizing<String>) -> Result<Key32, BackupError> {
        let damaged = || BackupError::Part { part: KEY.to_owned(), problem: "it is not a key file" };
        let text = Zeroizing::new(String::from_utf8_lossy(&self.small(KEY)?).into_owned());
        let file = KeyFile::parse(&text).map_err(|_| damaged())?;
        let key =
            PassphraseProvider::new(passphrase).recover(KEY_NAME, &file.fields).map_err(
                |error| match error {
                    ProviderError::WrongPassphrase => BackupError::WrongPassphrase,
                    _ => damaged(),
                },
            )?;
        if seal::check(&key).ct_eq(&file.check) { Ok(key) } else { Err(damaged()) }
    }

    /// Compares a part with what the manifest says of it.
    fn check(&self, manifest: &Manifest, name: &str) -> Result<(), BackupError> {
        let damaged = |problem| BackupError::Part { part: name.to_owned(), problem };
        let said = manifest.parts.get(name).ok_or_else(|| damaged("the manifest does not name it"))?;
        let path = self.folder.join(name);
        let file = File::open(&path).map_err(|_| damaged("it is missing"))?;
        let found = seal::measure(file).map_err(io(&path))?;
        match found.size.cmp(&said.size) {
            std::cmp::Ordering::Less => Err(damaged("it was cut short")),
            std::cmp::Ordering::Greater => Err(damaged("it is longer than it was")),
            std::cmp::Ordering::Equal if found.sha256 == said.sha256 => Ok(()),
            std::cmp::Ordering::Equal => Err(damaged("it was changed")),
        }
    }

    fn open(
        &self,
        manifest: &Manifest,
        name: &'static str,
        key: &Key32,
    ) -> Result<Opening<File>, BackupError> {
        let path = self.folder.join(name);
        let size = manifest.parts.get(name).map_or(0, |part| part.size);
        Opening::new(File::open(&path).map_err(io(&path))?, key, name, size).map_err(io(&path))
    }

    /// Writes keys and certificate.
    fn keys(&self, manifest: &Manifest, key: &Key32, data: &Path) -> Result<(), BackupError> {
        let damaged = |problem| BackupError::Part { part: KEYRING.to_owned(), problem };
        let mut text = Zeroizing::new(String::with_capacity(1 << 20));
        let part = self.open(manifest, KEYRING, key)?;
        part.take(MAX_KEYS).read_to_string(&mut text).map_err(|_| damaged("it cannot be decrypted"))?;
        for line in text.lines() {
            let (name, encoded) = line.split_once(' ').ok_or_else(|| damaged("it cannot be read"))?;
            let path = Path::new(name);
            let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
            if !plain || path.components().count() != 2 {
                return Err(damaged("it names a file outside its folder"));
            }
            let bytes = STANDARD.decode(encoded).map(Zeroizing::new);
            let target = data.join(path);
            let folder = target.parent().unwrap_or(data);
            make_dir(folder)?;
            write_new(&target, &bytes.map_err(|_| damaged("it cannot be read"))?)?;
            sync_dir(folder)?;
        }
        sync_dir(data)
    }

    /// Puts the files of recovery kits back; a damaged one keeps nothing else from being restored.
    fn kits(&self, manifest: &Manifest, data: &Path, damaged: &mut Differences) -> Result<(), BackupError> {
        for name in manifest.parts.keys().filter(|name| kit::number(name).is_some()) {
            match self.check(manifest, name) {
                Ok(()) => {
                    let path = self.folder.join(name);
                    write_new(&data.join(name), &fs::read(&path).map_err(io(&path))?)?;
                }
                Err(BackupError::Part { problem, .. }) => damaged.add("backup", name, problem),
                Err(error) => return Err(error),
            }
        }
        sync_dir(data)
    }

    /// Copies every object that the database names, each checked on the way.
    async fn objects(
        &self,
        config: &Config,
        store: &Store,
        vault_key: &VerifyingKey,
        damaged: &mut Differences,
        progress: Progress<'_>,
    ) -> Result<Objects, BackupError> {
        if let Some(folder) = config.blobs_url().strip_prefix("file://") {
            make_dir(Path::new(folder))?;
        }
        let target = Blobs::open(config.blobs_url())?;
        let repository = Blobs::open(&format!("file://{}", self.repository.display()))?;
        let (mut after, mut whole) = (None, Objects::default());
        loop {
            let page = store.read().await?.all_objects(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(whole) };
            after = Some(last.object);
            for row in page.iter().filter(|row| row.state != ObjectState::Shredded) {
                let before = damaged.count();
                copy_one(row, (&repository, &target), vault_key, damaged).await?;
                if damaged.count() == before {
                    whole.count += 1;
                    whole.bytes += row.size;
                }
                progress("copying objects", whole.count, whole.count);
            }
        }
    }
}
