//! A part of a backup as a FLOE ciphertext, written and read as a stream.

use std::io::{self, Read, Write};

use custody::digest::{Digest, Hasher};
use custody::floe::{FloeError, HEADER_LEN, OVERHEAD, Opener, PLAINTEXT_AT, Params, Sealer};
use custody::keys::Key32;

use super::Part;
use crate::engine::{AwsLc, OsEntropy};

/// Bytes of a segment.
const SEGMENT: usize = 1 << 18;
const ROOM: usize = SEGMENT - OVERHEAD;

fn params() -> Result<Params, FloeError> {
    Params::new(u32::try_from(SEGMENT).unwrap_or(u32::MAX))
}

fn aad(part: &str) -> Vec<u8> {
    [b"custos/backup/v1\0", part.as_bytes()].concat()
}

/// Seals what is written to it.
pub(super) struct Sealing<W> {
    to: W,
    sealer: Sealer<AwsLc>,
    /// Plaintext of the next segment, at most [`ROOM`] bytes.
    plain: Vec<u8>,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Sealing<W> {
    pub(super) fn new(to: W, key: &Key32, part: &str) -> io::Result<Self> {
        let params = params().map_err(io::Error::other)?;
        let sealer = Sealer::start(params, key.expose(), &aad(part), &mut OsEntropy);
        let header = *sealer.header();
        let mut this = Self { to, sealer, plain: Vec::with_capacity(ROOM), hasher: Hasher::new(), size: 0 };
        this.put(&header)?;
        Ok(this)
    }

    /// Seals what is left; what the part is now.
    pub(super) fn finish(mut self) -> io::Result<(W, Part)> {
        let mut segment = segment(&self.plain);
        let Self { sealer, .. } = self;
        sealer.last(&mut segment, &mut OsEntropy).map_err(io::Error::other)?;
        self.to.write_all(&segment)?;
        self.hasher.update(&segment);
        let size = self.size + segment.len() as u64;
        Ok((self.to, Part { sha256: self.hasher.finish(), size }))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full segment waits until more shows that it is not the last one.
        if self.plain.len() == ROOM && !bytes.is_empty() {
            let mut segment = segment(&self.plain);
            self.sealer.segment(&mut segment, &mut OsEntropy).map_err(io::Error::other)?;
            self.put(&segment)?;
            self.plain.clear();
        }
        let taken = bytes.len().min(ROOM - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn segment(plain: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; plain.len() + OVERHEAD];
    segment[PLAINTEXT_AT..PLAINTEXT_AT + plain.len()].copy_from_slice(plain);
    segment
}

/// Opens what it reads.
pub(super) struct Opening<R> {
    from: R,
    opener: Opener<AwsLc>,
    /// Bytes of ciphertext that were not read yet.
    left: u64,
    position: u64,
    plain: Vec<u8>,
    given: usize,
}

impl<R: Read> Opening<R> {
    /// Begins a part of `size` bytes.
    ///
    /// # Errors
    ///
    /// A size that leaves no room for the last segment, which even an empty part has: nothing else would
    /// show that it was cut off. Then what reading and opening the header answers.
    pub(super) fn new(mut from: R, key: &Key32, part: &str, size: u64) -> io::Result<Self> {
        let left = size.saturating_sub(HEADER_LEN as u64);
        if left < OVERHEAD as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "ends before its last segment"));
        }
        let mut header = [0; HEADER_LEN];
        from.read_exact(&mut header)?;
        let params = params().map_err(io::Error::other)?;
        let opener = Opener::start(params, key.expose(), &aad(part), &header).map_err(io::Error::other)?;
        Ok(Self { from, opener, left, position: 0, plain: Vec::new(), given: 0 })
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.plain.len() && self.left > 0 {
            let size = usize::try_from(self.left).map_or(SEGMENT, |left| left.min(SEGMENT));
            let mut segment = vec![0; size];
            self.from.read_exact(&mut segment)?;
            self.left -= size as u64;
            let opened = self.opener.open(self.position, self.left == 0, &mut segment);
            self.plain = opened.map_err(io::Error::other)?.to_vec();
            self.position += 1;
            self.given = 0;
        }
        let taken = to.len().min(self.plain.len() - self.given);
        to[..taken].copy_from_slice(&self.plain[self.given..self.given + taken]);
        self.given += taken;
        Ok(taken)
    }
}

/// Reads a file to its end.
pub(super) fn measure(mut from: impl Read) -> io::Result<Part> {
    let (mut hasher, mut size) = (Hasher::new(), 0);
    let mut buffer = vec![0; SEGMENT];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(Part { sha256: hasher.finish(), size }),
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}

/// What tells that a key is the one that was sealed; says nothing about it.
pub(super) fn check(key: &Key32) -> Digest {
    Digest::of(&[b"custos/backup/check/v1\0", &key.expose()[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(key: &Key32, plain: &[u8]) -> (Vec<u8>, Part) {
        let mut sealing = Sealing::new(Vec::new(), key, "database").unwrap();
        sealing.write_all(plain).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(key: &Key32, part: &str, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Opening::new(sealed, key, part, sealed.len() as u64)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn an_empty_part_that_was_cut_off_is_not_an_empty_part() {
        let key = Key32::new([3; 32]);
        let (bytes, _) = sealed(&key, &[]);
        assert!(opened(&key, "database", &bytes).unwrap().is_empty());
        for size in 0..bytes.len() {
            assert!(opened(&key, "database", &bytes[..size]).is_err(), "{size} of {} bytes", bytes.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn what_is_sealed_is_opened_and_nothing_else(extra in 0_usize..3, segments in 0_usize..3, cut in 1_usize..40) {
            let plain = vec![5; segments * ROOM + extra];
            let key = Key32::new([3; 32]);
            let (bytes, part) = sealed(&key, &plain);
            prop_assert_eq!(measure(&bytes[..]).unwrap(), part);
            prop_assert!(opened(&key, "database", &bytes).unwrap() == plain);
            prop_assert!(opened(&Key32::new([4; 32]), "database", &bytes).is_err());
            prop_assert!(opened(&key, "keyring", &bytes).is_err());
            prop_assert!(opened(&key, "database", &bytes[..bytes.len() - cut.min(bytes.len())]).is_err());
        }
    }
}
