//! A person's side of a vault: HTTPS to one pinned certificate, statements checked before they are signed,
//! receipts checked before they are believed.
//!
//! Nothing here trusts the vault: the profile pins its certificate, its identity and its log's key; a prepared
//! statement that says anything else than was asked is not signed; a write without a receipt that holds is an alarm.

pub mod ask;
mod by_sender;
pub mod certificate;
mod content;
pub mod derive;
mod disposals;
mod enrol;
mod error;
mod http;
pub mod intake;
pub mod key;
pub mod log;
pub mod opening;
mod pin;
mod productions;
pub mod profile;
pub mod receipts;
pub mod resealing;
mod routes;
pub mod secret;
mod signin;
mod trust;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use custody::checkpoint::CheckpointError;
use custody::digest::Digest;
use custody::envelope::{self, PayloadType, key_hash};
use custody::id::{CaseId, ItemId, KeyHash, OpId, PersonId};
use custody::log_keys::MAX_CHANGES_BYTES;
use custody::note::{NoteError, SignedNote};
use custody::receipt::Receipt;
use custody::statement::{Actor, Assurance};
use custody::time::Timestamp;
use ed25519_dalek::SigningKey;
use uuid::Uuid;

pub use ask::Ask;
pub use certificate::OwnCertificate;
pub use content::Download;
pub use enrol::Stranger;
pub use error::{ClientError, ReceiptProblem};
pub use profile::{NewProfile, Profile};
pub use receipts::Kept;
pub use trust::VaultTrust;

use crate::api;
use ask::Voice;
use http::{Call, Http, Shows};
use receipts::{Of, Receipts};

/// A signed-in person at a vault.
pub struct Client {
    http: Http,
    profile: Box<Profile>,
    /// With the log's later keys, as far as they were needed and proven.
    trust: RwLock<Arc<VaultTrust>>,
    person: PersonId,
    key: Option<SigningKey>,
    receipts: Receipts,
    /// What names of acts are derived from where they must be the same when repeated.
    intake_secret: Digest,
    /// Receipts that came without cosignatures though they were waited for.
    unwitnessed: Arc<AtomicUsize>,
}

impl Client {
    /// Opens a profile. Without `key` the vault speaks on the person's behalf.
    pub fn open(profile: &Profile, key: Option<SigningKey>) -> Result<Self, ClientError> {
        let token = profile.token_file().map(|file| secret::read(&file)).transpose()?;
        let certificate = profile.certificate();
        let seed = match (&token, &certificate) {
            (Some(token), _) => Digest::of(token.as_bytes()),
            (None, Some(certificate)) => certificate.secret_digest()?,
            (None, None) => {
                return Err(ClientError::Input("the profile names neither token nor certificate".into()));
            }
        };
        let shows = Shows { token: token.as_ref(), certificate: certificate.as_ref(), signs_in: true };
        Ok(Self {
            http: Http::new(profile.url(), profile.tls(), shows)?,
            profile: Box::new(profile.clone()),
            trust: RwLock::new(Arc::new(profile.trust().clone())),
            person: profile.person(),
            key,
            receipts: Receipts::open(&profile.receipts())?,
            intake_secret: seed,
            unwitnessed: Arc::default(),
        })
    }

    /// Waits with every write, some seconds at most, for receipts under a checkpoint that witnesses cosigned. What comes
    /// without is recorded and kept all the same, and counted in `unwitnessed`. Whether the cosignatures are enough, and
    /// whose they are, is for whoever verifies the receipts under a policy.
    #[must_use]
    pub fn waiting_for_witnesses(mut self, unwitnessed: Arc<AtomicUsize>) -> Self {
        self.http.wait_for_witnesses();
        self.unwitnessed = unwitnessed;
        self
    }

    /// The person.
    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// The vault.
    pub fn trust(&self) -> Arc<VaultTrust> {
        Arc::clone(&self.trust.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes sure that the key which signed a checkpoint is known, if it is one of the log's: asks which keys it has had
    /// since, believes those that each key before has signed for, and keeps them in the profile. Where that fails, the
    /// checkpoint will not be believed. A key may be replaced while a command runs, also more than once.
    async fn know_signer(&self, note: &SignedNote) {
        let unknown = CheckpointError::Note(NoteError::NoKnownSigner);
        let known = self.trust();
        if known.logs().open(note) != Err(unknown) {
            return;
        }
        let asked = async {
            let text = self.http.bytes_at_most(Call::get("/log/keys"), MAX_CHANGES_BYTES).await?;
            let logs = known.logs().follow(&log::parse_keys(&text)?, Some(&known.known()));
            let logs =
                logs.map_err(|_| ClientError::Protocol("a log's next key is signed for by the one before"))?;
            self.profile.clone().set_log_keys(&logs)?;
            Ok::<_, ClientError>(Arc::new(known.as_ref().clone().with_logs(logs)))
        };
        match asked.await {
            Ok(trust) => *self.trust.write().unwrap_or_else(PoisonError::into_inner) = trust,
            Err(error) => tracing::warn!(error = %error, "the log's later keys could not be followed"),
        }
    }

    /// H(the person's own public key), if there is a key on this device.
    pub fn key_hash(&self) -> Option<KeyHash> {
        self.key.as_ref().map(|key| key_hash(&key.verifying_key()))
    }

    /// Says something: signed with the person's own key where there is one, else by the vault on the person's
    /// behalf. Returns the receipts, checked and kept, one a record.
    pub async fn say(&self, ask: &Ask) -> Result<Vec<Kept>, ClientError> {
        let kept = match &self.key {
            Some(key) => self.say_with(ask, key).await?,
            None => self.say_on_behalf(ask).await?,
        };
        let records = kept.iter().map(|kept| &kept.checked.record);
        if ask.is_recorded_in(records) { Ok(kept) } else { Err(ClientError::NoReceipt) }
    }

    async fn say_with(&self, ask: &Ask, key: &SigningKey) -> Result<Vec<Kept>, ClientError> {
        let (envelope, signed) = self.signed_with(ask, key).await?;
        let call = write("/api/v1/statements", ask.op_id()).json(&signed)?;
        let recorded: api::Recorded = self.http.fetch(call).await?;
        self.keep(&recorded.receipts, Of::Envelope(&envelope)).await
    }

    /// What is asked for, signed with the person's own key and not yet said: its envelope, and that with its openings.
    async fn signed(&self, ask: &Ask) -> Result<(Vec<u8>, api::Signed), ClientError> {
        let key = self.key.as_ref().ok_or_else(|| ClientError::Key("this takes a key of your own".into()))?;
        self.signed_with(ask, key).await
    }

    async fn signed_with(&self, ask: &Ask, key: &SigningKey) -> Result<(Vec<u8>, api::Signed), ClientError> {
        let voice = self.voice(key_hash(&key.verifying_key()), Assurance::UserKey);
        let prepared: api::Prepared = {
            let call = Call::ask("/api/v1/statements/prepare").json(&ask.draft(Some(voice.key)))?;
            self.http.fetch(call).await?
        };
        ask.check_prepared(&prepared, &voice, now())?;
        let envelope = envelope::sign(PayloadType::Statement, &prepared.statement.0, &[key]);
        let signed = api::Signed { envelope: api::Bytes64(envelope.clone()), openings: prepared.openings };
        Ok((envelope, signed))
    }

    async fn say_on_behalf(&self, ask: &Ask) -> Result<Vec<Kept>, ClientError> {
        let voice = self.voice(self.trust().key_hash(), Assurance::Session);
        let call = write("/api/v1/statements/on-behalf", ask.op_id()).json(&ask.draft(None))?;
        let recorded: api::Recorded = self.http.fetch(call).await?;
        self.keep(&recorded.receipts, Of::OnBehalf(ask, &voice)).await
    }

    /// Checks and keeps receipts; there is at least one, and no record has two.
    async fn keep(&self, receipts: &api::Receipts, of: Of<'_>) -> Result<Vec<Kept>, ClientError> {
        if receipts.is_empty() {
            return Err(ClientError::NoReceipt);
        }
        // All are under one checkpoint; one that does not parse is kept as evidence below.
        let mut cosigned = false;
        if let Some(Ok(first)) = receipts.to_keep().next().map(|bytes| Receipt::parse(&bytes)) {
            self.know_signer(first.proof.checkpoint()).await;
            cosigned = receipts.witnessed != Some(false) && first.proof.checkpoint().signatures().len() > 1;
        }
        if self.http.waits_for_witnesses() && !cosigned {
            self.unwitnessed.fetch_add(receipts.len(), Ordering::Relaxed);
        }
        let trust = self.trust();
        let kept: Vec<_> = receipts
            .to_keep()
            .map(|bytes| self.receipts.check_and_keep(&bytes, &trust, of))
            .collect::<Result<_, _>>()?;
        let records: BTreeSet<_> = kept.iter().map(|kept| kept.checked.record_hash).collect();
        if records.len() < kept.len() { Err(ClientError::NoReceipt) } else { Ok(kept) }
    }

    fn voice(&self, key: KeyHash, assurance: Assurance) -> Voice {
        Voice { vault: self.trust().fingerprint(), actor: Actor::Person(self.person), key, assurance }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("http", &self.http)
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

/// A name for a new act. Names grow with time, so that a vault finds the newest ones side by side.
pub fn new_op_id() -> OpId {
    OpId::new(Uuid::now_v7().into_bytes())
}

/// An id for a new case.
pub fn new_case_id() -> CaseId {
    CaseId::new(Uuid::now_v7())
}

/// An id for a new item.
pub fn new_item_id() -> ItemId {
    ItemId::new(Uuid::now_v7())
}

/// The time on this device.
pub fn now() -> Timestamp {
    crate::clock::Clock::now(&crate::clock::SystemClock::new())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|_| ClientError::Input("the operating system gave no randomness".into()))?;
    Ok(bytes)
}

fn write(path: impl Into<String>, op_id: OpId) -> Call {
    Call::write(reqwest::Method::POST, path, op_id)
}

/// A path segment that came from outside; ids and hashes need no escaping, anything else is refused.
fn segment(text: &str) -> Result<&str, ClientError> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if plain && !text.is_empty() {
        Ok(text)
    } else {
        Err(ClientError::Input(format!("`{text}` is not an id")))
    }
}

/// SHA-256 as `Repr-Digest` (RFC 9530) writes it.
fn repr_digest(digest: &Digest) -> String {
    use base64::Engine as _;
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest.as_bytes()))
}
