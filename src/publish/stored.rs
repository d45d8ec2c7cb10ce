//! What stands in the object store. Whoever may write there may have written it: a checkpoint counts as far as the log
//! signed it, and everything else is compared with what the log has.

use custody::checkpoint::Checkpoint;
use custody::log_keys::LogKeys;
use custody::note::{SignatureType, SignedNote, VerifierKey};
use custody::record::ENTRY_BYTES;
use custody::tile::{FULL_WIDTH, TileKind, TilePath, parse_entries};
use ed25519_dalek::VerifyingKey;

use super::StartError;
use crate::blobs::{LogFile, LogObjects};

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
}

/// Whose word a note is.
pub(super) enum Said {
    /// The log's.
    Log(Checkpoint, SignedNote),
    /// Nobody's: signed by a key that the log has had, and not for this size and name. Whoever stole one that was given
    /// up may say so.
    Nobody,
}

impl From<VerifierKey> for Signers {
    fn from(key: VerifierKey) -> Self {
        Self { log: key.into(), held: Vec::new() }
    }
}

impl Signers {
    /// Whose word it is, whether or not the records still say so.
    fn judge(&self, note: SignedNote) -> Result<Said, StartError> {
        if let Ok(checkpoint) = self.log.open(&note) {
            return Ok(Said::Log(checkpoint, note));
        }
        if let Some(checkpoint) = opened_by(&note, self.held.iter()) {
            return Ok(Said::Log(checkpoint, note));
        }
        let had = opened_by(&note, self.log.each().map(VerifierKey::public_key));
        had.map(|_| Said::Nobody).ok_or(StartError::OtherLog)
    }
}

/// What a note says, if one of `keys` has signed it under the name that it says.
fn opened_by<'k>(note: &SignedNote, mut keys: impl Iterator<Item = &'k VerifyingKey>) -> Option<Checkpoint> {
    let name = Checkpoint::parse(note.text()).ok()?.origin().key_name();
    keys.find_map(|key| {
        let key = VerifierKey::new(name.clone(), SignatureType::Ed25519, *key).ok()?;
        Checkpoint::open(note, &key).ok()
    })
}

/// Reads a checkpoint; nothing if none was ever written.
pub(super) async fn signed(
    objects: &LogObjects,
    file: LogFile,
    signers: &Signers,
) -> Result<Option<Said>, StartError> {
    let Some(bytes) = objects.read(file).await? else { return Ok(None) };
    let note = SignedNote::parse(&bytes).map_err(|_| StartError::OtherLog)?;
    signers.judge(note).map(Some)
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
pub(super) async fn reach(objects: &LogObjects, tail: &Tail) -> Result<(u64, String), StartError> {
    let tail = tail.as_ref().map(|(start, entries)| start.saturating_add(entries.len() as u64));
    let tail = tail.map(|reach| (reach, LogFile::Tail.to_string()));
    let furthest = tail.into_iter().chain(objects.furthest().await?).max();
    Ok(furthest.unwrap_or_default())
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
