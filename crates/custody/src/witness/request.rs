//! What a log sends to a witness.

use core::fmt;

use super::Head;
use crate::checkpoint::{decimal, decode_hash, encode_hash};
use crate::digest::Digest;
use crate::note::{MAX_NOTE_LEN, NoteError, SignedNote};

/// No request has more lines of proof (C2SP tlog-witness).
pub const MAX_PROOF_LINES: usize = 63;

/// No request is larger, in bytes: `old`, a size, the proof, a blank line and the largest note.
pub const MAX_REQUEST_LEN: usize = 24 + 45 * MAX_PROOF_LINES + 1 + MAX_NOTE_LEN;

/// The body of a request to `add-checkpoint`: the size that the witness is thought to know, a consistency proof from
/// there, and a checkpoint. Nothing of it is believed yet.
///
/// Read more liberally than a [`Checkpoint`](crate::checkpoint::Checkpoint) of ours, for a witness follows foreign logs:
/// any origin, and extension lines, about which a cosignature says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: u64,
    proof: Vec<Digest>,
    checkpoint: SignedNote,
    head: Head,
}

/// Why bytes are not a request; the client is told "400 Bad Request".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More than [`MAX_REQUEST_LEN`] bytes.
    #[error("a request has at most {MAX_REQUEST_LEN} bytes")]
    TooLong,
    /// The first line is not `old N`, N decimal without leading zeros and at most 2^63 - 1.
    #[error("a request begins with the line old and a decimal number")]
    BadOldSize,
    /// A line of the proof is not base64 of 32 bytes.
    #[error("each line of the proof is base64 of 32 bytes")]
    BadHash,
    /// More than [`MAX_PROOF_LINES`] lines of proof.
    #[error("a consistency proof has at most 63 lines")]
    TooManyHashes,
    /// There is no blank line before the checkpoint.
    #[error("a blank line stands between proof and checkpoint")]
    NoCheckpoint,
    /// What follows the blank line is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is not a checkpoint: origin, size and root in a line each, none of them empty, nor any line after.
    #[error("a checkpoint has lines for origin, size and root, and no empty line")]
    BadCheckpoint,
}

impl AddCheckpoint {
    /// A request for a cosignature over `checkpoint` from a witness that has cosigned `old_size` leaves last; `proof`
    /// as [`Plan::consistency`](crate::merkle::Plan::consistency) has it.
    pub fn new(old_size: u64, proof: Vec<Digest>, checkpoint: SignedNote) -> Result<Self, RequestError> {
        if proof.len() > MAX_PROOF_LINES {
            return Err(RequestError::TooManyHashes);
        }
        let head = parse_head(checkpoint.text()).ok_or(RequestError::BadCheckpoint)?;
        Ok(Self { old_size, proof, checkpoint, head })
    }

    /// Reads a request. What is read is what [`fmt::Display`] writes, byte for byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST_LEN {
            return Err(RequestError::TooLong);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        let (head, note) = text.split_once("\n\n").ok_or(RequestError::NoCheckpoint)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old_size = old_size.ok_or(RequestError::BadOldSize)?;
        let lines: Vec<&str> = lines.take(MAX_PROOF_LINES + 1).collect();
        if lines.len() > MAX_PROOF_LINES {
            return Err(RequestError::TooManyHashes);
        }
        let proof: Option<Vec<Digest>> = lines.into_iter().map(decode_hash).collect();
        let proof = proof.ok_or(RequestError::BadHash)?;
        Self::new(old_size, proof, SignedNote::parse(note.as_bytes())?)
    }

    /// The size that the client takes for the witness's latest.
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The consistency proof from there.
    pub fn proof(&self) -> &[Digest] {
        &self.proof
    }

    /// The checkpoint with all its signatures.
    pub const fn checkpoint(&self) -> &SignedNote {
        &self.checkpoint
    }

    /// The log that the checkpoint says it is of.
    pub fn origin(&self) -> &str {
        self.checkpoint.text().split('\n').next().unwrap_or_default()
    }

    /// Size and root as the checkpoint has them.
    pub const fn head(&self) -> Head {
        self.head
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", encode_hash(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Size and root of a checkpoint of any log.
fn parse_head(text: &str) -> Option<Head> {
    let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
    match lines[..] {
        [_, size, root, ..] if lines.iter().all(|line| !line.is_empty()) => {
            Some(Head { size: decimal(size)?, root: decode_hash(root)? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::note::{KeyName, NoteSignature};

    /// The example of C2SP tlog-witness.
    const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

    fn note(text: &str) -> SignedNote {
        let signature =
            NoteSignature::ed25519(KeyName::new("a").unwrap(), &SigningKey::from_bytes(&[1; 32]), text);
        SignedNote::new(text.to_owned(), vec![signature]).unwrap()
    }

    #[test]
    fn the_published_example_is_read_and_written_back() {
        let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(request.old_size(), 20_852_014);
        assert_eq!(request.proof().len(), 4);
        assert_eq!(request.origin(), "example.com/behind-the-sofa");
        assert_eq!(request.head().size, 20_852_163);
        assert_eq!(request.checkpoint().signatures().len(), 2);
        assert_eq!(request.to_string(), EXAMPLE);
    }

    #[test]
    fn each_malformed_part_is_refused_by_its_rule() {
        let hash = encode_hash(&Digest::ZERO);
        let cases = [
            (EXAMPLE.replace("old 20852014", "old 020852014"), RequestError::BadOldSize),
            (EXAMPLE.replace("old 20852014", "old +1"), RequestError::BadOldSize),
            (EXAMPLE.replace("old 20852014", "old  1"), RequestError::BadOldSize),
            (EXAMPLE.replace("old 20852014", "old 9223372036854775808"), RequestError::BadOldSize),
            (EXAMPLE.replace("old 20852014", "new 20852014"), RequestError::BadOldSize),
            (EXAMPLE.replace("old 20852014\n", ""), RequestError::BadOldSize),
            (EXAMPLE.replace("PlRN", "P?RN"), RequestError::BadHash),
            (EXAMPLE.replace("PlRN", "PlR"), RequestError::BadHash),
            (EXAMPLE.replace('\n', "\r\n"), RequestError::NoCheckpoint),
            (EXAMPLE.replace("\n\nexample", "\nexample"), RequestError::BadHash),
            (EXAMPLE.replace("\n\nexample", "\n\n\nexample"), RequestError::BadCheckpoint),
            (EXAMPLE.replace("20852163", "020852163"), RequestError::BadCheckpoint),
            (EXAMPLE.replace("CsUYap", "CsUYa"), RequestError::BadCheckpoint),
            (EXAMPLE.replace("CsUYap", "\nCsUYap"), RequestError::BadCheckpoint),
            (EXAMPLE.replace("q2I=\n", "q2I=\n\nextension\n"), RequestError::BadCheckpoint),
            (EXAMPLE.split("—").next().unwrap().to_owned(), RequestError::Note(NoteError::NoSignatures)),
            (
                EXAMPLE.replace("old 20852014\n", &("old 1\n".to_owned() + &format!("{hash}\n").repeat(60))),
                RequestError::TooManyHashes,
            ),
            ("x".repeat(MAX_REQUEST_LEN + 1), RequestError::TooLong),
        ];
        for (text, expected) in cases {
            assert_eq!(AddCheckpoint::parse(text.as_bytes()), Err(expected), "{text}");
        }
        let not_text = [EXAMPLE.as_bytes(), b"\xff"].concat();
        assert_eq!(AddCheckpoint::parse(&not_text), Err(RequestError::Note(NoteError::NotText)));
    }

    #[test]
    fn foreign_origins_and_extension_lines_are_read() {
        let request = AddCheckpoint::new(
            0,
            Vec::new(),
            note(&format!("Ünique log +1\n7\n{}\nmore\n", encode_hash(&Digest::ZERO))),
        )
        .unwrap();
        assert_eq!(request.origin(), "Ünique log +1");
        assert_eq!(request.head(), Head { size: 7, root: Digest::ZERO });
        assert_eq!(AddCheckpoint::new(0, Vec::new(), note("a\n1\n")), Err(RequestError::BadCheckpoint));
    }

    #[test]
    fn the_largest_request_is_read() {
        let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        let hashes = vec![Digest::ZERO; MAX_PROOF_LINES];
        let full = AddCheckpoint::new(0, hashes, request.checkpoint().clone()).unwrap();
        assert_eq!(AddCheckpoint::parse(full.to_string().as_bytes()), Ok(full));
        let more = vec![Digest::ZERO; MAX_PROOF_LINES + 1];
        assert_eq!(
            AddCheckpoint::new(0, more, request.checkpoint().clone()),
            Err(RequestError::TooManyHashes)
        );
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_back(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = with }
            if let Ok(read) = AddCheckpoint::parse(&bytes) {
                prop_assert_eq!(read.to_string().into_bytes(), bytes);
            }
        }
    }
}
