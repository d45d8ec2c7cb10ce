//! Opening what a bundle carries sealed to a court, with the court's key.

use ed25519_dalek::VerifyingKey;
use zeroize::Zeroizing;

use super::read::{FileEntry, Files, ReadError, whole};
use super::report::Produced;
use crate::aead::Aead256;
use crate::age::{AgeError, Identity, MAX_FILE_BYTES};
use crate::blob::{BlobError, BlobReader, HEADER_LEN};
use crate::digest::{Digest, Hasher};
use crate::envelope::PayloadType;
use crate::keys::{DataKey, Key32};
use crate::manifest::{self, ManifestError};

/// Why sealed content does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducedError {
    /// A file that the report names is not there, or too large.
    #[error("{0} is not in the bundle")]
    Absent(String),
    /// The bundle cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A half of the key is not sealed to this identity, or was altered.
    #[error("{path}: {why}")]
    Half {
        /// Which file.
        path: String,
        /// Why.
        why: AgeError,
    },
    /// What is in a half is no half of a key.
    #[error("{0}: what is sealed in it is no half of a key")]
    NotAHalf(String),
    /// The manifest is not the vault's.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The ciphertext does not open with this key: a half is not the right one, or bytes were altered.
    #[error(
        "the content does not open: one of the halves is not of its key, or the bytes were altered ({0})"
    )]
    Blob(#[from] BlobError),
    /// What was opened is not what is on record.
    #[error("what was opened has the SHA-256 {opened}, and {recorded} is on record")]
    Digest {
        /// What it has.
        opened: Digest,
        /// What it should have.
        recorded: Digest,
    },
    /// What was opened cannot be written.
    #[error("cannot write what was opened: {0}")]
    Write(String),
}

/// Opens one exhibit of a bundle that was verified before, piece by piece into `sink`; nothing of it may be relied on before
/// this returns its digest, which is the one in the vault's manifest.
pub fn open_produced<A: Aead256>(
    files: &mut dyn Files,
    produced: &Produced,
    (identity, vault_key): (&Identity, &VerifyingKey),
    mut sink: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Digest, ProducedError> {
    let listed = files.list()?.files;
    let bytes = small(files, &listed, &produced.manifest, PayloadType::Manifest.max_envelope_bytes())?;
    let facts = manifest::verify(&bytes, vault_key)?;
    if facts.sha256 != produced.digest {
        return Err(ProducedError::Digest { opened: facts.sha256, recorded: produced.digest });
    }
    let persons = half(files, &listed, &produced.persons_half, identity)?;
    let vaults = half(files, &listed, &produced.vaults_half, identity)?;
    let key = DataKey::new(persons.xor(&vaults));
    let (header, size) = (&facts.header, facts.content_size);
    let mut reader = BlobReader::<A>::open(header, header.context(), &key, size)?;
    let (at, sealed) = find(&listed, &produced.sealed)?;
    if sealed.size != facts.object_size {
        return Err(ReadError::Damaged(format!("{} has another size", produced.sealed)).into());
    }
    let (mut offset, mut hasher) = (HEADER_LEN as u64, Hasher::new());
    for segment in 0..reader.layout().segments() {
        let extent = reader.layout().segment(segment)?;
        let mut stored = vec![0; usize::try_from(extent.size).unwrap_or_default()];
        exactly(files, at, offset, &mut stored)?;
        offset += extent.size;
        let opened = reader.segment(segment, &mut stored)?;
        hasher.update(opened);
        sink(opened).map_err(ProducedError::Write)?;
    }
    let opened = hasher.finish();
    if opened == facts.sha256 {
        Ok(opened)
    } else {
        Err(ProducedError::Digest { opened, recorded: facts.sha256 })
    }
}

fn half(
    files: &mut dyn Files,
    listed: &[FileEntry],
    path: &str,
    identity: &Identity,
) -> Result<Key32, ProducedError> {
    let file = small(files, listed, path, MAX_FILE_BYTES)?;
    let half = identity.open(&file).map_err(|why| ProducedError::Half { path: path.to_owned(), why })?;
    let half = Zeroizing::new(
        <[u8; 32]>::try_from(&half[..]).map_err(|_| ProducedError::NotAHalf(path.to_owned()))?,
    );
    Ok(Key32::new(*half))
}

fn small(
    files: &mut dyn Files,
    listed: &[FileEntry],
    path: &str,
    limit: usize,
) -> Result<Vec<u8>, ProducedError> {
    let (at, entry) = find(listed, path)?;
    whole(files, at, entry.size, limit)?.ok_or_else(|| ProducedError::Absent(path.to_owned()))
}

fn find<'a>(listed: &'a [FileEntry], path: &str) -> Result<(usize, &'a FileEntry), ProducedError> {
    let found = listed.iter().enumerate().find(|(_, entry)| entry.name == path);
    found.ok_or_else(|| ProducedError::Absent(path.to_owned()))
}

fn exactly(
    files: &mut dyn Files,
    at: usize,
    mut offset: u64,
    mut buffer: &mut [u8],
) -> Result<(), ReadError> {
    while !buffer.is_empty() {
        let read = files.read_at(at, offset, buffer)?;
        if read == 0 {
            return Err(ReadError::Damaged("the ciphertext ends early".to_owned()));
        }
        offset += read as u64;
        buffer = buffer.get_mut(read..).unwrap_or_default();
    }
    Ok(())
}
