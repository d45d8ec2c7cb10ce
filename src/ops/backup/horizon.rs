//! The end of backups: what was destroyed is destroyed in the repository too, and backups that are older than they are to
//! be kept go.
//!
//! `destroyed` in the repository names everything that the vault has destroyed, signed by the vault: a restore of a
//! backup that was made before destroys it again. It names objects, statements and scopes by ids and hashes, which say
//! nothing about what they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::envelope::{self, Envelope, PayloadType};
use custody::json;
use custody::statement::Version;
use custody::time::Timestamp;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{BackupError, MANIFEST, Manifest, OWNER, io, sync_dir};
use crate::blobs::Blobs;
use crate::durable;
use crate::store::{Store, StoreError};

/// The list's name in a repository.
pub(super) const DESTROYED: &str = "destroyed";
const PAGE: u32 = 500;
/// What the names of backups begin with that are being removed.
const DYING: &str = ".removed-";
/// However old they are, so many stay.
const KEPT: usize = 2;
/// How long a vault may say nothing, beyond the days that backups are kept, before its clock is doubted.
const AHEAD_MS: i64 = 30 * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a vault has destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) destroyed: BTreeMap<String, Timestamp>,
    v: Version,
    vault: Digest,
}

impl List {
    /// The list in a repository, if there is one that this vault signed.
    pub(super) fn read(
        repository: &Path,
        vault: Digest,
        key: &VerifyingKey,
    ) -> Result<Option<Self>, BackupError> {
        let path = repository.join(DESTROYED);
        let limit = PayloadType::Destroyed.max_envelope_bytes() as u64;
        let bytes = match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if metadata.len() > limit => return Err(other()),
            _ => fs::read(&path).map_err(io(&path))?,
        };
        let envelope = Envelope::parse(&bytes, PayloadType::Destroyed).map_err(|_| other())?;
        let list: Self = json::parse_canonical(envelope.body(), envelope.body().len())?;
        let signed = envelope.signatures().len() == 1 && envelope.verify(0, key).is_ok();
        if signed && list.vault == vault { Ok(Some(list)) } else { Err(other()) }
    }
}

fn other() -> BackupError {
    BackupError::Other("its list of what was destroyed is not this vault's")
}

/// Writes the list anew, with what it named before, and deletes the objects that it names from the repository.
pub(super) async fn destroy(
    store: &Store,
    (repository, blobs): (&Path, &Blobs),
    vault: Digest,
    key: &SigningKey,
) -> Result<(), BackupError> {
    let before = List::read(repository, vault, &key.verifying_key())?;
    let mut destroyed = before.map(|list| list.destroyed).unwrap_or_default();
    let known = destroyed.len();
    let mut after = String::new();
    loop {
        let page = store.read().await?.destroyed(&after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        destroyed.extend(page);
    }
    for object in destroyed.keys().filter_map(|what| what.strip_prefix("object:")?.parse().ok()) {
        blobs.delete(object).await?;
    }
    if destroyed.len() > known {
        let list = List { destroyed, v: Version, vault };
        let signed = envelope::sign(PayloadType::Destroyed, &json::emit(&list), &[key]);
        let path = repository.join(DESTROYED);
        let file = durable::beside(&path, OWNER, &signed).map_err(io(&path))?;
        file.persist(&path).map_err(|error| io(&path)(error.error))?;
        sync_dir(repository)?;
    }
    Ok(())
}

/// Destroys in a copy of the database, which is older, what the list names; how much of it.
pub(super) async fn destroy_again(store: &Store, list: &List) -> Result<u64, StoreError> {
    let mut tx = store.write().await?;
    let mut count = 0;
    for (what, made) in &list.destroyed {
        count += u64::from(tx.destroy_again(what, *made).await?);
    }
    tx.commit().await?;
    Ok(count)
}

/// Removes this vault's backups that are older than `days`, but for the newest two, and notes them. One that is merely not
/// there is not noted: another disk may be in its place. Nothing goes where the clock is far ahead of `last`, when the log
/// got its last record: it is rather the clock that is wrong, and all backups would go at once.
pub(super) async fn expire(
    store: &Store,
    repository: &Path,
    vault: Digest,
    (days, now, last): (u32, Timestamp, Timestamp),
) -> Result<Vec<PathBuf>, BackupError> {
    let span = i64::from(days) * DAY_MS;
    if last.saturating_add_millis(span.saturating_add(AHEAD_MS)) < now {
        tracing::warn!(%last, %now, "the clock is far ahead of the log: no backup is removed");
        return Ok(Vec::new());
    }
    let repository = std::path::absolute(repository).map_err(io(repository))?;
    let (mut backups, mut dying) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&repository).map_err(io(&repository))? {
        let folder = entry.map_err(io(&repository))?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = name.strip_prefix(DYING) {
            dying.push(repository.join(name));
        } else if let Some(made) = made(&folder, vault) {
            backups.push((made, folder));
        }
    }
    backups.sort_unstable();
    backups.truncate(backups.len().saturating_sub(KEPT));
    for (_, folder) in backups.into_iter().filter(|(made, _)| made.saturating_add_millis(span) <= now) {
        // Under another name first: what breaks off is gone on with, and noted.
        fs::rename(&folder, doomed(&folder)).map_err(io(&folder))?;
        dying.push(folder);
    }
    for folder in &dying {
        fs::remove_dir_all(doomed(folder)).map_err(io(folder))?;
        store.note_backup_removed(&folder.display().to_string(), now).await?;
    }
    sync_dir(&repository)?;
    Ok(dying)
}

/// What a backup is called while it is removed.
fn doomed(folder: &Path) -> PathBuf {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    folder.with_file_name(format!("{DYING}{name}"))
}

/// When a folder's backup was made, if it is one of this vault.
fn made(folder: &Path, vault: Digest) -> Option<Timestamp> {
    let bytes = fs::read(folder.join(MANIFEST)).ok()?;
    let envelope = Envelope::parse(&bytes, PayloadType::Backup).ok()?;
    let manifest: Manifest = json::parse_canonical(envelope.body(), envelope.body().len()).ok()?;
    (manifest.vault == vault).then_some(manifest.made)
}
