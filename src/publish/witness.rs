//! One witness, asked over HTTP (C2SP tlog-witness, `add-checkpoint`).

use std::time::Duration;

use custody::entropy::Entropy as _;
use custody::note::{NoteSignature, SignedNote, VerifierKey};
use custody::witness::{AddCheckpoint, Answer, AnswerError, MAX_ANSWER_LEN, RequestError, cosignature_by};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use tokio::time::Instant;

use super::chain;
use crate::engine::OsEntropy;
use crate::outside;
use crate::store::{Store, StoreError};

/// How often to ask again with the size that a witness says it has: other processes of this vault ask too.
const TRIES: usize = 4;
/// How long to leave a witness alone after it failed, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// A witness and what is known of it.
#[derive(Debug)]
pub(super) struct Witness {
    /// What the policy calls it.
    pub(super) name: String,
    pub(super) key: VerifierKey,
    /// Where checkpoints are sent.
    url: Url,
    /// Entries that it has cosigned, as far as is known.
    pub(super) size: u64,
    /// Its last cosignature, and over how many entries.
    cosigned: Option<(u64, NoteSignature)>,
    /// What it says it has cosigned for another process, since it last cosigned for this one.
    claimed: Option<u64>,
    failures: u32,
    due: Instant,
    pub(super) trouble: Option<String>,
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// It has cosigned more entries than were sent.
    #[error("it has cosigned {0} entries already")]
    Ahead(u64),
    /// It says that what was sent does not continue what it has cosigned.
    #[error("it has cosigned another history")]
    Forked,
    /// It has not been told of the key that signs the log now, but of one before; or has seen what a later one signed.
    #[error(
        "it refuses with status 403: it does not know the log's present key ({0}), or has seen a newer one"
    )]
    OtherKey(String),
    /// It has not been told of the log.
    #[error("it refuses with status 404: it does not follow this log ({0})")]
    OtherLog(String),
    /// It says no.
    #[error("it refuses with status {0}")]
    Refused(u16),
    /// What it answered is no answer.
    #[error("its answer says nothing")]
    Answer(#[from] AnswerError),
    /// It cannot be reached, or does not answer in time.
    #[error("it does not answer")]
    Network(#[from] reqwest::Error),
    /// What is sent could not be made.
    #[error("the request cannot be made")]
    Request(#[from] RequestError),
    /// The database failed. No fault of the witness.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A question to one witness.
pub(super) struct Question<'a> {
    pub(super) http: &'a reqwest::Client,
    /// How long to wait for an answer.
    pub(super) patience: Duration,
    pub(super) store: &'a Store,
    /// Entries that the checkpoint covers.
    pub(super) size: u64,
    pub(super) note: &'a SignedNote,
    /// The log's present key, as a witness must be told it.
    pub(super) log: &'a str,
}

impl Witness {
    /// A witness below `url`, which has not been asked anything yet.
    pub(super) fn new(name: String, key: VerifierKey, url: Url) -> Self {
        let due = Instant::now();
        Self { name, key, url, size: 0, cosigned: None, claimed: None, failures: 0, due, trouble: None }
    }

    /// Its cosignature over the checkpoint of `size` entries, if it gave one.
    pub(super) fn cosignature(&self, size: u64) -> Option<&NoteSignature> {
        self.cosigned.as_ref().filter(|(cosigned, _)| *cosigned == size).map(|(_, signature)| signature)
    }

    /// Whether it may be asked for the checkpoint of `size` entries now.
    pub(super) fn is_due(&self, size: u64, now: Instant) -> bool {
        self.due <= now && self.cosignature(size).is_none()
    }

    /// When it may be asked again.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// What a question needs to know of it.
    pub(super) fn address(&self) -> (Url, VerifierKey, u64) {
        (self.url.clone(), self.key.clone(), self.size)
    }

    /// Notes that it says it has cosigned `size` entries for another process of this vault; whether to believe it. Not
    /// where it said so before and nothing came of it: that process asks for more only once it has published that, and
    /// `newest` is what was published last.
    pub(super) fn was_asked(&mut self, size: u64, newest: u64) -> bool {
        let before = self.claimed.replace(size);
        let believed = before.is_none_or(|before| before <= newest);
        if believed {
            self.size = size;
        }
        believed
    }

    /// Notes what came of a question about the checkpoint of `size` entries.
    pub(super) fn note(&mut self, size: u64, answer: Result<NoteSignature, &AskError>) {
        match answer {
            Ok(signature) => {
                if self.trouble.take().is_some() {
                    tracing::info!(witness = self.name, "a witness cosigns again");
                }
                (self.size, self.cosigned, self.failures) = (size, Some((size, signature)), 0);
                self.claimed = None;
            }
            Err(error) => {
                let text = chain(error);
                if self.trouble.as_ref() != Some(&text) {
                    tracing::warn!(witness = self.name, error = text, "a witness did not cosign");
                }
                if let AskError::Ahead(known) = error {
                    self.size = *known;
                }
                self.trouble = Some(text);
                self.failures = self.failures.saturating_add(1);
                self.due = Instant::now() + back_off(self.failures);
            }
        }
    }
}

/// Doubles with every failure; a part of it by chance, so that many vaults do not come back at once.
fn back_off(failures: u32) -> Duration {
    let longest = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(BACK_OFF.1);
    let [chance] = OsEntropy.array::<1>();
    longest.mul_f64(0.5 + f64::from(chance) / 512.0)
}

impl Question<'_> {
    /// Asks; where the witness has cosigned another size than `old`, again with that.
    pub(super) async fn ask(
        &self,
        url: Url,
        key: VerifierKey,
        mut old: u64,
    ) -> Result<NoteSignature, AskError> {
        for _ in 0..TRIES {
            if old > self.size {
                return Err(AskError::Ahead(old));
            }
            let answer = self.send(&url, old).await?;
            match answer {
                Answer::Cosigned(signatures) => {
                    let (signature, _) = cosignature_by(&key, &signatures, self.note.text())?;
                    return Ok(signature.clone());
                }
                Answer::Conflict { size } => old = size,
                Answer::Unprocessable => return Err(AskError::Forked),
                Answer::Forbidden => return Err(AskError::OtherKey(self.log.to_owned())),
                Answer::NotFound => return Err(AskError::OtherLog(self.log.to_owned())),
                other => return Err(AskError::Refused(other.status())),
            }
        }
        // It was ahead after all, or another process of this vault asked in between.
        if old > self.size { Err(AskError::Ahead(old)) } else { Err(AskError::Refused(409)) }
    }

    async fn send(&self, url: &Url, old: u64) -> Result<Answer, AskError> {
        let proof = match old {
            0 => Vec::new(),
            old => self.store.read().await?.consistency_proof(old, self.size).await?,
        };
        let body = AddCheckpoint::new(old, proof, self.note.clone())?.to_string();
        let response = self.http.post(url.clone()).timeout(self.patience).body(body).send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let bytes = outside::body(response, MAX_ANSWER_LEN).await?.ok_or(AnswerError::TooLong)?;
        Ok(Answer::parse(status, content_type.as_deref(), &bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use custody::note::{KeyName, SignatureType};
    use ed25519_dalek::SigningKey;

    use super::*;

    #[test]
    fn a_witness_that_is_ahead_is_believed_once_until_something_comes_of_it() {
        let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
        let key = VerifierKey::new(KeyName::new("w").unwrap(), SignatureType::Cosignature, key).unwrap();
        let mut witness = Witness::new("w".to_owned(), key, Url::parse("http://localhost").unwrap());
        assert!(witness.was_asked(7, 5));
        assert!(!witness.was_asked(8, 5) && !witness.was_asked(9, 7), "nothing was published meanwhile");
        assert!(witness.was_asked(12, 9), "another process did publish what it was asked for before");
        assert_eq!(witness.size, 12);
    }

    #[test]
    fn a_witness_that_fails_is_asked_ever_less_often() {
        for (failures, at_most) in [(1, 500), (2, 1_000), (5, 8_000), (9, 60_000), (u32::MAX, 60_000)] {
            let wait = back_off(failures).as_millis();
            assert!((at_most / 2..=at_most).contains(&wait), "{failures}: {wait}");
        }
    }
}
