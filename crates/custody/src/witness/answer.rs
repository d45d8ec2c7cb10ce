//! What a witness says.

use super::Refusal;
use crate::checkpoint::decimal;
use crate::note::{MAX_NOTE_LEN, NoteError, NoteSignature, SignatureType, VerifierKey};

/// The content type of the size in a conflict.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// No answer is larger, in bytes.
pub const MAX_ANSWER_LEN: usize = MAX_NOTE_LEN;

/// An answer to `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// 200: cosignatures over the checkpoint. The client still has to verify them ([`cosignature_by`]).
    Cosigned(Vec<NoteSignature>),
    /// 400: the request is malformed, or its old size exceeds the checkpoint's.
    BadRequest,
    /// 403: the checkpoint is not signed by a key that the witness knows for its origin.
    Forbidden,
    /// 404: the witness does not know the log.
    NotFound,
    /// 409: the old size is not that of the latest checkpoint that the witness has cosigned.
    Conflict {
        /// That size; 0 if it has cosigned none.
        size: u64,
    },
    /// 422: the checkpoint does not continue what the witness has cosigned, or is not shown to.
    Unprocessable,
}

/// Why an answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A status that C2SP tlog-witness does not know: the witness is out of order, or something stands in between.
    #[error("a witness does not answer with status {0}")]
    UnknownStatus(u16),
    /// More than [`MAX_ANSWER_LEN`] bytes.
    #[error("an answer has at most 65,536 bytes")]
    TooLong,
    /// The answer to a conflict is not one decimal number in a line of type [`SIZE_TYPE`].
    #[error("a conflict is answered with a decimal size in a line, as text/x.tlog.size")]
    BadSize,
    /// The signatures are malformed, or the one that should be the witness's is not.
    #[error(transparent)]
    Signature(#[from] NoteError),
    /// None of the cosignatures is by the witness that was asked.
    #[error("the witness that was asked has not cosigned")]
    NotByWitness,
    /// The cosignature has no time.
    #[error("the cosignature has no time")]
    NoTime,
}

impl Answer {
    /// Reads an answer. `content_type` is that header's value, parameters included; it counts only in a conflict.
    pub fn parse(status: u16, content_type: Option<&str>, body: &[u8]) -> Result<Self, AnswerError> {
        if body.len() > MAX_ANSWER_LEN {
            return Err(AnswerError::TooLong);
        }
        match status {
            200 => {
                let lines = core::str::from_utf8(body).map_err(|_| NoteError::NotText)?;
                Ok(Self::Cosigned(NoteSignature::parse_lines(lines)?))
            }
            400 => Ok(Self::BadRequest),
            403 => Ok(Self::Forbidden),
            404 => Ok(Self::NotFound),
            409 => {
                let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
                let line = core::str::from_utf8(body).ok().and_then(|body| body.strip_suffix('\n'));
                let size =
                    line.filter(|_| media_type.trim().eq_ignore_ascii_case(SIZE_TYPE)).and_then(decimal);
                Ok(Self::Conflict { size: size.ok_or(AnswerError::BadSize)? })
            }
            422 => Ok(Self::Unprocessable),
            other => Err(AnswerError::UnknownStatus(other)),
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict { .. } => 409,
            Self::Unprocessable => 422,
        }
    }

    /// The content type of [`Answer::body`].
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => SIZE_TYPE,
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body: cosignature lines, the size known, or a few words for people.
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(signatures) => {
                signatures.iter().map(|signature| signature.to_string() + "\n").collect()
            }
            Self::BadRequest => "bad request\n".to_owned(),
            Self::Forbidden => "not signed by a known key of this log\n".to_owned(),
            Self::NotFound => "unknown log\n".to_owned(),
            Self::Conflict { size } => format!("{size}\n"),
            Self::Unprocessable => "not consistent with what was cosigned before\n".to_owned(),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(_) | Refusal::OldSizeBeyondCheckpoint { .. } => Self::BadRequest,
            Refusal::UnknownLog => Self::NotFound,
            Refusal::NotSigned(_) => Self::Forbidden,
            Refusal::OtherOldSize { latest } => Self::Conflict { size: latest },
            Refusal::BadEmptyRoot | Refusal::Forked | Refusal::NotConsistent(_) => Self::Unprocessable,
        }
    }
}

/// The cosignature by `witness` among those that were answered, verified over the checkpoint's `text`, with its time in
/// seconds since 1970. Signatures by others are ignored.
pub fn cosignature_by<'s>(
    witness: &VerifierKey,
    answered: &'s [NoteSignature],
    text: &str,
) -> Result<(&'s NoteSignature, u64), AnswerError> {
    if witness.signature_type() != SignatureType::Cosignature {
        return Err(AnswerError::NotByWitness);
    }
    let found = answered.iter().find(|signature| signature.names(witness));
    let signature = found.ok_or(AnswerError::NotByWitness)?;
    match signature.verify(witness, text)? {
        None | Some(0) => Err(AnswerError::NoTime),
        Some(seconds) => Ok((signature, seconds)),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::note::KeyName;

    const TEXT: &str = "example.com/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    fn witness(seed: u8, signature_type: SignatureType) -> VerifierKey {
        let name = KeyName::new("witness.example/w1").unwrap();
        VerifierKey::new(name, signature_type, SigningKey::from_bytes(&[seed; 32]).verifying_key()).unwrap()
    }

    fn cosignature(seed: u8, seconds: u64) -> NoteSignature {
        let name = KeyName::new("witness.example/w1").unwrap();
        NoteSignature::cosignature(name, &SigningKey::from_bytes(&[seed; 32]), seconds, TEXT).unwrap()
    }

    #[test]
    fn every_answer_is_read_as_it_was_written() {
        let answers = [
            Answer::Cosigned(vec![cosignature(1, 5), cosignature(2, 6)]),
            Answer::BadRequest,
            Answer::Forbidden,
            Answer::NotFound,
            Answer::Conflict { size: 0 },
            Answer::Conflict { size: 20_852_163 },
            Answer::Unprocessable,
        ];
        for answer in answers {
            let body = answer.body();
            assert!(body.ends_with('\n'));
            let read = Answer::parse(answer.status(), Some(answer.content_type()), body.as_bytes());
            assert_eq!(read, Ok(answer));
        }
    }

    #[test]
    fn a_conflict_is_a_size_and_nothing_else() {
        let parse = |content_type, body: &[u8]| Answer::parse(409, content_type, body);
        assert_eq!(parse(Some("Text/X.tlog.size; charset=utf-8"), b"7\n"), Ok(Answer::Conflict { size: 7 }));
        for body in
            [&b""[..], b"7", b"07\n", b"7\n\n", b" 7\n", b"-7\n", b"\n", b"9223372036854775808\n", b"\xff\n"]
        {
            assert_eq!(parse(Some(SIZE_TYPE), body), Err(AnswerError::BadSize), "{body:?}");
        }
        assert_eq!(parse(Some("text/plain"), b"7\n"), Err(AnswerError::BadSize));
        assert_eq!(parse(None, b"7\n"), Err(AnswerError::BadSize));
    }

    #[test]
    fn other_answers_are_not_answers() {
        for status in [0, 201, 204, 301, 401, 429, 500, 503] {
            assert_eq!(Answer::parse(status, None, b""), Err(AnswerError::UnknownStatus(status)));
        }
        let signature = |body: &[u8]| Answer::parse(200, None, body);
        assert_eq!(signature(b""), Err(AnswerError::Signature(NoteError::NoSignatures)));
        assert_eq!(signature(b"ok\n"), Err(AnswerError::Signature(NoteError::MalformedSignature)));
        assert_eq!(signature(b"\xff\n"), Err(AnswerError::Signature(NoteError::NotText)));
        assert_eq!(signature(&vec![b'x'; MAX_ANSWER_LEN + 1]), Err(AnswerError::TooLong));
    }

    #[test]
    fn only_the_witness_that_was_asked_counts() {
        let key = witness(1, SignatureType::Cosignature);
        let (mine, other) = (cosignature(1, 5), cosignature(2, 6));
        let answered = [other.clone(), mine.clone()];
        assert_eq!(cosignature_by(&key, &answered, TEXT), Ok((&mine, 5)));
        assert_eq!(cosignature_by(&key, &[other], TEXT), Err(AnswerError::NotByWitness));
        let elsewhere = cosignature_by(&key, &answered, "example.com/other\n");
        assert_eq!(elsewhere, Err(AnswerError::Signature(NoteError::BadSignature)));
        assert_eq!(cosignature_by(&key, &[cosignature(1, 0)], TEXT), Err(AnswerError::NoTime));
        let plain = witness(1, SignatureType::Ed25519);
        assert_eq!(cosignature_by(&plain, &answered, TEXT), Err(AnswerError::NotByWitness));
    }
}
