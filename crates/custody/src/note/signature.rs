//! One signature of a note, and the line it is written on.

use core::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey};

use super::{KeyId, KeyName, MAX_NOTE_LEN, MAX_SIGNATURES, NoteError, SignatureType, VerifierKey};

/// A signature as a note carries it: who claims to have made it, and its bytes. [`fmt::Display`] writes its line,
/// without the newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: KeyId,
    pub(super) signature: Vec<u8>,
}

/// The beginning of every signature line: an em dash and a space.
const DASH: &str = "\u{2014} ";

impl NoteSignature {
    /// Signs the text of a note with Ed25519 (`0x01`).
    pub fn ed25519(name: KeyName, key: &SigningKey, text: &str) -> Self {
        let id = KeyId::of(&name, SignatureType::Ed25519, &key.verifying_key());
        Self { name, id, signature: key.sign(text.as_bytes()).to_bytes().to_vec() }
    }

    /// Cosigns the text of a checkpoint (`0x04`, C2SP tlog-cosignature): "at `seconds` since 1970 this was the largest
    /// consistent tree that I had seen of this log". `seconds` is at most 2^63 - 1.
    pub fn cosignature(name: KeyName, key: &SigningKey, seconds: u64, text: &str) -> Result<Self, NoteError> {
        let message = cosigned_message(seconds, text)?;
        let id = KeyId::of(&name, SignatureType::Cosignature, &key.verifying_key());
        let signature = [&seconds.to_be_bytes()[..], &key.sign(message.as_bytes()).to_bytes()].concat();
        Ok(Self { name, id, signature })
    }

    /// Reads signature lines, each with its newline: the end of a note, or a witness's answer. At least one, at most
    /// [`MAX_SIGNATURES`].
    pub fn parse_lines(lines: &str) -> Result<Vec<Self>, NoteError> {
        if lines.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong);
        }
        if lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::MalformedSignature)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        lines.split('\n').map(Self::parse_line).collect()
    }

    /// The name of the key that claims to have signed.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that claims to have signed.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What follows the key id, whatever its type.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether name and key id are those of `key`; says nothing about the signature.
    pub fn names(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == *key.name()
    }

    /// Checks that `key` made this signature over `text`; returns the time of a cosignature.
    pub fn verify(&self, key: &VerifierKey, text: &str) -> Result<Option<u64>, NoteError> {
        if !self.names(key) {
            return Err(NoteError::BadSignature);
        }
        match key.signature_type() {
            SignatureType::Ed25519 => verify_strict(key, text, &self.signature).map(|()| None),
            SignatureType::Cosignature => {
                let (time, signature) = self.signature.split_first_chunk().ok_or(NoteError::BadSignature)?;
                let seconds = u64::from_be_bytes(*time);
                verify_strict(key, &cosigned_message(seconds, text)?, signature)?;
                Ok(Some(seconds))
            }
        }
    }

    /// How many bytes the line has, its newline included.
    pub(super) fn line_len(&self) -> usize {
        DASH.len() + self.name.as_str().len() + 1 + (4 + self.signature.len()).div_ceil(3) * 4 + 1
    }

    fn parse_line(line: &str) -> Result<Self, NoteError> {
        let parts = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' '));
        let (name, signature) = parts.ok_or(NoteError::MalformedSignature)?;
        let name = KeyName::new(name).map_err(|_| NoteError::MalformedSignature)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| NoteError::MalformedSignature)?;
        match bytes.split_first_chunk() {
            Some((id, signature)) if !signature.is_empty() => {
                Ok(Self { name, id: KeyId::new(*id), signature: signature.to_vec() })
            }
            _ => Err(NoteError::MalformedSignature),
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.as_bytes()[..], &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

/// What a cosigner signs (C2SP tlog-cosignature, "Ed25519 signed message").
fn cosigned_message(seconds: u64, text: &str) -> Result<String, NoteError> {
    if i64::try_from(seconds).is_err() {
        return Err(NoteError::TimeOutOfRange);
    }
    Ok(format!("cosignature/v1\ntime {seconds}\n{text}"))
}

fn verify_strict(key: &VerifierKey, message: &str, signature: &[u8]) -> Result<(), NoteError> {
    let signature = Signature::from_slice(signature).map_err(|_| NoteError::BadSignature)?;
    key.public_key().verify_strict(message.as_bytes(), &signature).map_err(|_| NoteError::BadSignature)
}
