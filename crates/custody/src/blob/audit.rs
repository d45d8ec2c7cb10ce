//! Checking stored ciphertext against its part hashes, without any key.

use super::{Part, PartHash};

/// Reads an object from its first byte to its last and compares each part's BLAKE3.
#[derive(Debug)]
pub struct Audit {
    parts: Vec<Part>,
    part: usize,
    left: u64,
    hasher: blake3::Hasher,
    findings: AuditFindings,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFindings {
    /// Parts, from 0, whose bytes are not the ones that were written.
    pub changed: Vec<usize>,
    /// Bytes that are missing at the end.
    pub missing_bytes: u64,
    /// Bytes that should not be there, after the end.
    pub extra_bytes: u64,
}

impl AuditFindings {
    /// Whether the object is what was written.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl Audit {
    /// Begins at the object's first byte, with the parts from its manifest.
    pub fn new(parts: Vec<Part>) -> Self {
        Self {
            part: 0,
            left: parts.first().map_or(0, |part| part.size),
            parts,
            hasher: blake3::Hasher::new(),
            findings: AuditFindings::default(),
        }
    }

    /// Takes the next bytes of the object.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(part) = self.parts.get(self.part) {
            let take = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, rest) = bytes.split_at(take);
            self.hasher.update(now);
            self.left -= take as u64;
            bytes = rest;
            if self.left > 0 {
                return;
            }
            if PartHash::new(*self.hasher.finalize().as_bytes()) != part.blake3 {
                self.findings.changed.push(self.part);
            }
            self.hasher.reset();
            self.part += 1;
            self.left = self.parts.get(self.part).map_or(0, |part| part.size);
        }
        self.findings.extra_bytes += bytes.len() as u64;
    }

    /// Ends at the object's last byte.
    pub fn finish(mut self) -> AuditFindings {
        let after = self.parts.iter().skip(self.part + 1);
        self.findings.missing_bytes = self.left + after.map(|part| part.size).sum::<u64>();
        self.findings
    }
}
