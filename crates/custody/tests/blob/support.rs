//! Sealing and opening whole objects in memory.

#![expect(clippy::unwrap_used, reason = "clippy exempts test functions, not what they share")]

use custody::aead::Portable;
use custody::blob::{
    BlobContext, BlobError, BlobFacts, BlobHeader, BlobReader, BlobStream, BlobWriter, ObjectId,
    SegmentsPerPart, VaultId,
};
use custody::digest::Digest;
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};
use uuid::Uuid;

pub(crate) const HEADER: usize = custody::blob::HEADER_LEN;

pub(crate) fn key() -> DataKey {
    DataKey::new(Key32::new([1; 32]))
}

pub(crate) fn context() -> BlobContext {
    BlobContext {
        object: ObjectId::new([0x0b; 16]),
        vault: VaultId::of(&Digest::of(b"a vault")),
        item: ItemId::new(Uuid::from_bytes([0x17; 16])),
        version: 1,
    }
}

/// Reproducible bytes that differ from call to call.
pub(crate) fn random() -> impl FnMut(&mut [u8]) {
    let mut calls = 0_u64;
    move |bytes| {
        calls += 1;
        blake3::Hasher::new().update(&calls.to_be_bytes()).finalize_xof().fill(bytes);
    }
}

pub(crate) fn content(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(b"content").finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) fn seal(content: &[u8]) -> (Vec<u8>, BlobFacts) {
    seal_in(content, 64)
}

pub(crate) fn seal_in(content: &[u8], segments_per_part: u32) -> (Vec<u8>, BlobFacts) {
    let mut random = random();
    let spp = SegmentsPerPart::new(segments_per_part).unwrap();
    let writer = BlobWriter::<Portable>::start(context(), spp, &key(), &mut random).unwrap();
    let mut object = Vec::new();
    let mut emit = |bytes: &[u8]| object.extend_from_slice(bytes);
    let mut stream = BlobStream::new(writer);
    stream.push(content, &mut random, &mut emit).unwrap();
    let facts = stream.finish(&mut random, &mut emit).unwrap();
    (object, facts)
}

pub(crate) fn open_range(
    object: &[u8],
    wanted: &BlobContext,
    size: usize,
    offset: usize,
    len: usize,
) -> Result<Vec<u8>, BlobError> {
    let header = BlobHeader::parse(object.get(..HEADER).unwrap_or_default())?;
    let mut reader = BlobReader::<Portable>::open(&header, wanted, &key(), size as u64)?;
    let mut plaintext = Vec::new();
    for step in reader.layout().plan(offset as u64, len as u64)? {
        let from = index(step.extent.offset).min(object.len());
        let to = (from + index(step.extent.size)).min(object.len());
        let mut stored = object[from..to].to_vec();
        plaintext.extend_from_slice(&reader.segment(step.segment, &mut stored)?[step.keep]);
    }
    Ok(plaintext)
}

/// A position in an object that a test holds in memory.
pub(crate) fn index(position: u64) -> usize {
    position.try_into().unwrap()
}
