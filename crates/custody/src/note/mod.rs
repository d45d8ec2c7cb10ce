//! Signed notes: a text and the signatures of those who stand for it (C2SP signed-note).
//!
//! A note is read as it stands ([`SignedNote::parse`]), and says nothing until it is verified with keys that came
//! from somewhere else ([`SignedNote::verify`]): unknown signers are ignored, a known signer whose signature fails
//! rejects the whole note. Two kinds of signature are known: Ed25519 over the text (`0x01`) and timestamped
//! cosignatures of checkpoints (`0x04`, C2SP tlog-cosignature). One key must not serve both kinds.
//!
//! ```
//! use custody::note::{SignedNote, VerifierKey};
//!
//! let key: VerifierKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".parse().unwrap();
//! let note = "This is an example message.\n\n\
//!     — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
//! let note = SignedNote::parse(note.as_bytes()).unwrap();
//! assert_eq!(note.verify(&[key]).unwrap().len(), 1);
//! ```

mod key;
mod signature;

use core::fmt;

pub use key::{KeyId, KeyName, KeyNameError, SignatureType, VerifierKey, VerifierKeyError};
pub use signature::NoteSignature;

/// No note is larger, in bytes.
pub const MAX_NOTE_LEN: usize = 64 * 1024;

/// No note carries more signatures; C2SP asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// A text with signatures, none of them believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature that a known key made over the text of the note it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'k> {
    /// Whose signature it is.
    pub key: &'k VerifierKey,
    /// When a cosignature says it was made, in seconds since 1970; nothing for a plain signature.
    pub time: Option<u64>,
}

/// Why bytes are not a signed note, or a note is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// More than [`MAX_NOTE_LEN`] bytes.
    #[error("a note has at most 65,536 bytes")]
    TooLong,
    /// More than [`MAX_SIGNATURES`] signatures.
    #[error("a note has at most 64 signatures")]
    TooManySignatures,
    /// The bytes are not UTF-8, or contain a control character other than newline.
    #[error("a note is UTF-8 without control characters other than newline")]
    NotText,
    /// The text does not end in a newline.
    #[error("the text of a note ends in a newline")]
    NoFinalNewline,
    /// There is no blank line with signatures after it.
    #[error("a note's text is followed by a blank line and at least one signature")]
    NoSignatures,
    /// A line after the blank line is not "— name base64".
    #[error("a signature line is an em dash, a key name, and base64 of a key id and a signature")]
    MalformedSignature,
    /// The time of a cosignature exceeds 2^63 - 1.
    #[error("a cosignature's time is at most 2^63 - 1")]
    TimeOutOfRange,
    /// Two different known keys have the same name and key id.
    #[error("two known keys share their name and key id")]
    AmbiguousKey,
    /// A signature that names a known key is not that key's signature.
    #[error("a known key's signature does not verify")]
    BadSignature,
    /// None of the signatures is by a known key.
    #[error("no known key has signed this")]
    NoKnownSigner,
}

impl SignedNote {
    /// A note over `text`, which ends in a newline and has no other control characters, with at least one signature.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        check_text(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::NoFinalNewline);
        }
        let note = Self { text, signatures };
        note.check_limits()?;
        Ok(note)
    }

    /// Reads a signed note. What is read is what [`fmt::Display`] writes, byte for byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong);
        }
        let note = core::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        check_text(note)?;
        // The last blank line counts: the text may have blank lines of its own.
        let blank = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, signatures) = (&note[..=blank], &note[blank + 2..]);
        let signatures = NoteSignature::parse_lines(signatures)?;
        Self::new(text.to_owned(), signatures)
    }

    /// The signed text, its final newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, in order, believed or not.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Appends a signature, unless exactly this one is there already.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        self.signatures.push(signature);
        self.check_limits().inspect_err(|_| {
            self.signatures.pop();
        })
    }

    /// The same text with only the signatures that name `key`; nothing if there are none. They are not verified.
    pub fn only(&self, key: &VerifierKey) -> Option<Self> {
        let signatures: Vec<_> = self.signatures.iter().filter(|s| s.names(key)).cloned().collect();
        if signatures.is_empty() { None } else { Some(Self { text: self.text.clone(), signatures }) }
    }

    /// The signatures by any of `keys`, in the note's order; signatures by others are ignored.
    ///
    /// Fails if a signature that names one of `keys` is not that key's, or if there is none at all (C2SP
    /// signed-note, "Signatures").
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, NoteError> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            let mut named = keys.iter().filter(|key| signature.names(key));
            let Some(key) = named.next() else { continue };
            if named.any(|other| other != key) {
                return Err(NoteError::AmbiguousKey);
            }
            verified.push(Verified { key, time: signature.verify(key, &self.text)? });
        }
        if verified.is_empty() { Err(NoteError::NoKnownSigner) } else { Ok(verified) }
    }

    fn check_limits(&self) -> Result<(), NoteError> {
        if self.signatures.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        if self.signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let lines: usize = self.signatures.iter().map(NoteSignature::line_len).sum();
        if self.text.len() + 1 + lines > MAX_NOTE_LEN { Err(NoteError::TooLong) } else { Ok(()) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// No control characters other than newline.
fn check_text(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') { Err(NoteError::NotText) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
