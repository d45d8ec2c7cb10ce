//! What is submitted: an envelope, taken apart once, and what belongs to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use custody::act::Act;
use custody::digest::Digest;
use custody::envelope::{Envelope, EnvelopeError, PayloadType};
use custody::statement::{Statement, StatementError};
use ed25519_dalek::SigningKey;

use crate::store::{Change, ObjectRow, SealedOpening, SubjectKey};

/// A signed statement and what is committed together with it. The parts are read from the envelope here and
/// nowhere else, so that they cannot disagree.
#[derive(Debug)]
pub struct Submission {
    bytes: Vec<u8>,
    envelope: Envelope,
    statement: Statement,
    act: Act,
    attachments: Attachments,
}

/// What is committed together with a statement, or not at all.
#[derive(Debug, Default)]
pub struct Attachments {
    /// Openings of its fields, encrypted.
    pub openings: Vec<SealedOpening>,
    /// Keys of the cases, persons or organisations that it introduces, wrapped.
    pub subject_keys: Vec<SubjectKey>,
    /// The stored object whose receipt it records.
    pub object: Option<ObjectRow>,
    /// The log's next key, whose first checkpoint is the one over this statement.
    pub log_key: Option<Arc<SigningKey>>,
    /// Changes beside the log.
    pub changes: Vec<Change>,
}

/// Why bytes are not a statement that could be submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmissionError {
    /// Not an envelope of a statement.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not a statement, or not of the shape of its kind.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// What comes with it does not belong to it.
    #[error("what comes with the statement does not belong to it: {0}")]
    Attachment(&'static str),
}

impl Submission {
    /// Reads the envelope; signatures are verified by [`super::Handle::submit`].
    pub fn new(envelope: Vec<u8>, attachments: Attachments) -> Result<Self, SubmissionError> {
        let this = Self { attachments, ..Self::recorded(envelope)? };
        check_openings(&this.statement, &this.attachments)?;
        check_object(&this.act, this.attachments.object.as_ref())?;
        Ok(this)
    }

    /// Reads the envelope of a statement that was recorded before, to be decided once more; what was committed with it
    /// is no part of the history.
    pub(super) fn recorded(envelope: Vec<u8>) -> Result<Self, SubmissionError> {
        let bytes = envelope;
        let envelope = Envelope::parse(&bytes, PayloadType::Statement)?;
        let statement = Statement::parse(envelope.body())?;
        let act = Act::parse(&statement)?;
        Ok(Self { bytes, envelope, statement, act, attachments: Attachments::default() })
    }

    /// The envelope's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The envelope's bytes, and nothing else.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The envelope.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// H(envelope).
    pub fn stmt(&self) -> Digest {
        self.envelope.digest()
    }

    /// The statement.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement as an act.
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// What comes with it.
    pub const fn attachments(&self) -> &Attachments {
        &self.attachments
    }
}

fn check_openings(statement: &Statement, attachments: &Attachments) -> Result<(), SubmissionError> {
    let mut names = BTreeSet::new();
    let openings = &attachments.openings;
    if openings
        .iter()
        .all(|opening| statement.fields.contains_key(&opening.name) && names.insert(&opening.name))
    {
        Ok(())
    } else {
        Err(SubmissionError::Attachment("an opening of no field, or one field opened twice"))
    }
}

/// A record that names an object and the object's key are committed together or not at all.
fn check_object(act: &Act, object: Option<&ObjectRow>) -> Result<(), SubmissionError> {
    let fits = match (act, object) {
        (Act::ContentReceived(_, item, d, _), Some(row)) => {
            row.item == *item && row.object == d.object && Digest::of(&row.manifest) == d.manifest
        }
        (Act::ContentReceived(..), None) => false,
        (_, object) => object.is_none(),
    };
    if fits {
        Ok(())
    } else {
        Err(SubmissionError::Attachment("the stored object is another, or is missing"))
    }
}
