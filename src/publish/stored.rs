//! What stands in the object store. Whoever may write there may have written it: a checkpoint counts as far as the log
//! signed it, and everything else is compared with what the log has.

use custody::checkpoint::Checkpoint;
use custody::log_keys::LogKeys;
use custody::note::{SignatureType, SignedNote, VerifierKey};
use custody::record::ENTRY_BYTES;
use custody::tile::{FULL_WIDTH, TileKind, TilePath, parse_entries};
use ed25519_dalek::VerifyingKey;

use super::StartError;
use crate::blobs::{Listed, LogFile, LogObjects};
use crate::store::Store;

/// Entries of a full bundle.
pub(super) const BUNDLE: u64 = FULL_WIDTH as u64;

/// An entry as it stands in a bundle.
pub(super) type EntryBytes = [u8; ENTRY_BYTES];

/// Entries that stand behind the newest full bundle: the index of the first, and as many as there are.
pub(super) type Tail = Option<(u64, Vec<EntryBytes>)>;

/// Who may have signed what is published.
#[derive(Debug, Clone)]
pub struct Signers {
    /// The log's keys, as the records say.
    pub log: LogKeys,
    /// Later keys that the vault holds: a restore may have lost the record that made one of them the log's.
    pub held: Vec<VerifyingKey>,
    /// Whether a log whose newest key is lost is read as it stands, without a signature that could be checked.
    pub lost: bool,
}

/// Whose word a note is.
pub(super) enum Said {
    /// The log's, and by which key; nothing where that is lost.
    Log { checkpoint: Checkpoint, note: SignedNote, signer: Option<Box<VerifierKey>> },
    /// Nobody's: signed by a key that the log has had, and not for this size and name. Whoever stole one that was given
    /// up may say so.
    Nobody,
}

impl From<VerifierKey> for Signers {
    fn from(key: VerifierKey) -> Self {
        Self { log: key.into(), held: Vec::new(), lost: false }
    }
}

impl Signers {
    /// Whose word it is, whether or not the records still say so.
    fn judge(&self, note: SignedNote) -> Result<Said, StartError> {
        let opened = self.log.open_by(&note).map(|(checkpoint, key)| (checkpoint, key.clone())).ok();
        if let Some((checkpoint, key)) = opened.or_else(|| opened_by(&note, self.held.iter())) {
            return Ok(Said::Log { checkpoint, note, signer: Some(Box::new(key)) });
        }
        if opened_by(&note, self.log.each().map(VerifierKey::public_key)).is_some() {
            return Ok(Said::Nobody);
        }
        let checkpoint = Checkpoint::parse(note.text()).map_err(|_| StartError::OtherLog)?;
        let name = checkpoint.origin().key_name();
        if !note.signatures().iter().any(|signature| *signature.name() == name) {
            return Err(StartError::OtherLog);
        }
        // Its key is gone, or was when the records of its time were noted as lost: then the entries alone tell.
        if self.lost || self.log.is_lost(checkpoint.size()) {
            return Ok(Said::Log { checkpoint, note, signer: None });
        }
        Err(StartError::LaterKey { name: checkpoint.origin().to_string() })
    }
}

/// What a note says, if one of `keys` has signed it under the name that it says.
fn opened_by<'k>(
    note: &SignedNote,
    mut keys: impl Iterator<Item = &'k VerifyingKey>,
) -> Option<(Checkpoint, VerifierKey)> {
    let name = Checkpoint::parse(note.text()).ok()?.origin().key_name();
    keys.find_map(|key| {
        let key = VerifierKey::new(name.clone(), SignatureType::Ed25519, *key).ok()?;
        Some((Checkpoint::open(note, &key).ok()?, key))
    })
}

/// Reads a checkpoint; nothing if none was ever written.
pub(super) async fn signed(
    store: &Store,
    objects: &LogObjects,
    file: LogFile,
    signers: &Signers,
) -> Result<Option<Said>, StartError> {
    let Some(bytes) = objects.read(file).await? else { return Ok(None) };
    let note = SignedNote::parse(&bytes).map_err(|_| StartError::OtherLog)?;
    let size = Checkpoint::parse(note.text()).map_err(|_| StartError::OtherLog)?.size();
    match signers.judge(note) {
        // Nobody else's log begins with the entry of this vault's record 0, whose salt is random.
        Err(StartError::LaterKey { .. }) if !begins_with_ours(store, objects, size).await? => {
            Err(StartError::OtherLog)
        }
        judged => judged.map(Some),
    }
}

/// Whether the first entry that is published is that of this vault's record 0.
async fn begins_with_ours(store: &Store, objects: &LogObjects, size: u64) -> Result<bool, StartError> {
    let published = bundle(objects, &tail(objects).await?, size, 0).await?;
    let ours = store.read().await?.entries(0..1).await?;
    Ok(published.first().is_some_and(|first| ours.first() == Some(first)))
}

/// The entries of a bundle: a full one that was written, or the tail, or what a mirror keeps in its place; none where there
/// is neither. One that is malformed ends what can be read.
pub(super) async fn bundle(
    objects: &LogObjects,
    tail: &Tail,
    signed: u64,
    number: u64,
) -> Result<Vec<EntryBytes>, StartError> {
    let path = full(number)?;
    if let Some(bytes) = objects.tile(path).await? {
        return Ok(sized(path, &bytes).unwrap_or_default());
    }
    if let Some((start, entries)) = tail
        && *start == number * BUNDLE
    {
        return Ok(entries.clone());
    }
    let Some(path) = TilePath::in_tree(TileKind::Entries, number, signed) else { return Ok(Vec::new()) };
    let bytes = objects.tile(path).await?;
    Ok(bytes.and_then(|bytes| sized(path, &bytes)).unwrap_or_default())
}

/// Reads `log/tail`.
pub(super) async fn tail(objects: &LogObjects) -> Result<Tail, StartError> {
    let Some(bytes) = objects.read(LogFile::Tail).await? else { return Ok(None) };
    let (start, bundle) = bytes.split_first_chunk().ok_or(StartError::OtherLog)?;
    let start = u64::from_be_bytes(*start);
    let width = u16::try_from(bundle.len() / (2 + ENTRY_BYTES)).map_err(|_| StartError::OtherLog)?;
    if width == 0 && bundle.is_empty() {
        return Ok(Some((start, Vec::new())));
    }
    let path = TilePath::new(TileKind::Entries, start / BUNDLE, width).map_err(|_| StartError::OtherLog)?;
    Ok(Some((start, sized(path, bundle).ok_or(StartError::OtherLog)?)))
}

/// How many entries a log needs to have all that stands there, and what needs the most.
pub(super) fn reach(listed: Listed, tail: &Tail) -> (u64, String) {
    let tail = tail.as_ref().map(|(start, entries)| start.saturating_add(entries.len() as u64));
    let tail = tail.map(|reach| (reach, LogFile::Tail.to_string()));
    tail.into_iter().chain(listed.furthest).max().unwrap_or_default()
}

/// The path of a full bundle.
pub(super) fn full(number: u64) -> Result<TilePath, StartError> {
    TilePath::new(TileKind::Entries, number, FULL_WIDTH).map_err(|_| StartError::OtherLog)
}

/// The entries in a bundle, if it is one of ours.
pub(super) fn sized(path: TilePath, bytes: &[u8]) -> Option<Vec<EntryBytes>> {
    parse_entries(path, bytes).ok()?.into_iter().map(|entry| entry.try_into().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tail_is_read_whatever_its_length() {
        let objects = crate::blobs::Blobs::open("memory:///").unwrap().log();
        assert_eq!(tail(&objects).await.unwrap(), None);
        for (bytes, entries) in
            [(Vec::new(), None), (256_u64.to_be_bytes().to_vec(), Some(0)), (vec![0; 9], None)]
        {
            objects.replace(LogFile::Tail, bytes).await.unwrap();
            let read = tail(&objects).await.ok().flatten().map(|(_, entries)| entries.len());
            assert_eq!(read, entries);
        }
    }
}
