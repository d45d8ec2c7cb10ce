//! Use cases: each decides in the core and commits in the store, in one transaction, or does nothing.
//!
//! Nothing here knows HTTP. A use case takes who is signed in and what they ask for, composes or checks a statement,
//! hands it to the sequencer, and answers with the receipts. Bytes leave the vault only through an access grant whose
//! record is committed before.

mod access;
mod by_sender;
mod case;
mod compose;
mod content;
mod cut_off;
mod disposal;
mod enrol;
mod error;
mod export;
mod fields;
mod glass;
mod item;
mod kek;
mod key_names;
mod kit;
mod lapsed;
mod linked;
mod log_continued;
mod log_key;
mod notices;
mod people;
mod productions;
mod publication;
mod read;
pub mod recover;
mod redaction;
mod refuse;
mod resealing;
mod say;
mod scrub;
mod sealing;
mod sent;
pub mod setup;
mod signin;
mod sweep;
mod timestamps;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use custody::blob::VaultId;
use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::id::{KeyHash, PersonId};
use custody::keys::FieldKey;
use custody::log_keys::LogKeys;
use custody::receipt::Receipt;
use custody::record::record_hash;
use custody::rules::Vault;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

pub use compose::{Composed, Say, parse, parse_opt};
pub use content::Readable;
pub use error::AppError;
pub use export::BundleStream;
pub use kek::{KekRotated, rotate_kek};
pub use lapsed::{Lapsed, lapsed, lapsed_of};
pub use log_continued::{Continuation, Continued, continue_log};
pub use log_key::{Rotated, next_log_key, rotate_log_key};
pub(crate) use notices::tell_for_ever;
pub use publication::Readiness;
pub use sealing::Opening;
pub(crate) use signin::DEVICE_DAYS;
pub use signin::{BreachedError, By, Opened, Profile, Where};

use crate::api;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::engine::OsEntropy;
use crate::keyring::Keyring;
use crate::sequencer::Handle;
use crate::store::Store;

/// Rows that a page reads at once where some of them may not be shown: one of few rows would read many times.
const PASSED_OVER_AT_ONCE: u32 = 200;

/// The service behind its interfaces. Shared by all requests.
#[derive(Debug)]
pub struct App {
    store: Store,
    sequencer: Handle,
    /// Ends after the last statement was answered.
    writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
    keyring: Arc<Keyring>,
    blobs: Blobs,
    clock: Arc<dyn Clock>,
    /// Hash of record 0.
    vault: Digest,
    identity: Vault,
    /// The keys that the log has had. A process that replaces the log's key ends; all others must be started again.
    log: LogKeys,
    /// Record 0 and its envelope.
    founding: (Vec<u8>, Vec<u8>),
    /// Field keys in use, by scope; unwrapping one takes a derivation.
    field_keys: Mutex<HashMap<String, Arc<FieldKey>>>,
    refusals: Arc<refuse::Throttle>,
    sent: sent::Sent,
    turns: content::Turns,
    redacting: redaction::OneAtATime,
    cut_off: cut_off::CutOff,
    exports: export::Recent,
    scrubbing: scrub::Scrubbing,
    publication: publication::Publication,
    timestamping: timestamps::Timestamping,
    telling: notices::Telling,
    intake: kit::Intake,
    /// For how many days backups are kept.
    backup_days: Option<u32>,
    /// For how long closed cases are kept.
    retention: Vec<crate::config::Retention>,
    signin: signin::SignIn,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The person.
    pub person: PersonId,
    /// By what.
    pub by: By,
    /// The enrolment that the token waits for. Until its voucher has signed, the token opens nothing.
    pub enrolment: Option<Uuid>,
}

impl App {
    /// The vault's fingerprint: hash of record 0.
    pub const fn fingerprint(&self) -> Digest {
        self.vault
    }

    /// Who this vault is.
    pub fn info(&self) -> api::VaultInfo {
        api::VaultInfo {
            fingerprint: self.vault.to_hex(),
            origin: self.identity.origin.clone(),
            log_vkey: self.identity.log_vkey.clone(),
            vault_key: self.identity.key.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            samples_only: self.intake.samples_only,
            founding_record: api::Bytes64(self.founding.0.clone()),
            founding_envelope: api::Bytes64(self.founding.1.clone()),
        }
    }

    fn vault_id(&self) -> VaultId {
        VaultId::of(&self.vault)
    }

    fn vault_key(&self) -> &SigningKey {
        self.keyring.vault_key()
    }

    fn vault_key_hash(&self) -> KeyHash {
        self.identity.key.hash()
    }

    #[expect(
        clippy::unused_self,
        reason = "reads like the clock: randomness belongs to the service, not to the code"
    )]
    fn random<const N: usize>(&self) -> [u8; N] {
        OsEntropy.array()
    }
}

/// The hash of the first record that these receipts are for.
fn first_record(receipts: &[Receipt]) -> Result<Digest, AppError> {
    receipts.first().map(|receipt| record_hash(&receipt.record)).ok_or(AppError::NotFound("receipt"))
}

/// Receipts as they travel.
fn wire(receipts: &[Receipt]) -> api::Receipts {
    api::Receipts::of(receipts)
}
