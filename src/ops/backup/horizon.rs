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

/// Removes this vault's backups that are older than `days`, but for the one in `keep`, and notes those that are no more.
pub(super) async fn expire(
    store: &Store,
    repository: &Path,
    (vault, keep): (Digest, &Path),
    (days, now): (u32, Timestamp),
) -> Result<Vec<PathBuf>, BackupError> {
    let repository = std::path::absolute(repository).map_err(io(repository))?;
    let mut removed = Vec::new();
    for entry in fs::read_dir(&repository).map_err(io(&repository))? {
        let folder = entry.map_err(io(&repository))?.path();
        let made = made(&folder, vault);
        let over = made.is_some_and(|made| made.saturating_add_millis(i64::from(days) * DAY_MS) <= now);
        if over && folder != keep {
            fs::remove_dir_all(&folder).map_err(io(&folder))?;
            removed.push(folder);
        }
    }
    sync_dir(&repository)?;
    for backup in store.read().await?.backups().await? {
        let folder = Path::new(&backup.folder);
        let here = folder.parent() == Some(&repository);
        if here && backup.removed.is_none() && !folder.exists() {
            store.note_backup_removed(&backup.folder, now).await?;
        }
    }
    Ok(removed)
}

/// When a folder's backup was made, if it is one of this vault.
fn made(folder: &Path, vault: Digest) -> Option<Timestamp> {
    let bytes = fs::read(folder.join(MANIFEST)).ok()?;
    let envelope = Envelope::parse(&bytes, PayloadType::Backup).ok()?;
    let manifest: Manifest = json::parse_canonical(envelope.body(), envelope.body().len()).ok()?;
    (manifest.vault == vault).then_some(manifest.made)
}
