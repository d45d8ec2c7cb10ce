//! Saying something: from a statement to receipts, the one way into the log.

use std::collections::BTreeMap;

use custody::act::{Act, ROUTE_VAULT};
use custody::commitment::{FieldOpening, check_openings};
use custody::digest::Digest;
use custody::envelope::{self, Envelope, PayloadType};
use custody::id::{Code, KeyHash, PersonId};
use custody::json::Value;
use custody::kind::Kind;
use custody::receipt::Receipt;
use custody::rules::{MAX_BREAK_GLASS_MS, MAX_GRANT_MS, Refusal};
use custody::statement::{Actor, Statement};

use super::compose::{Composed, Say, Signer};
use super::refuse::Place;
use super::resealing::destroys;
use super::{App, AppError, parse, wire};
use crate::api;
use crate::sequencer::{Attachments, Submission, SubmissionError, SubmitError};
use crate::store::{Change, StoreError};

/// What commits together with a statement.
#[derive(Debug, Default)]
pub(super) struct With {
    pub attach: Attachments,
}

impl App {
    /// The vault says it for itself.
    pub(super) async fn say_as_vault(&self, say: Say, with: With) -> Result<Vec<Receipt>, AppError> {
        if let Some(first) = self.said_before_by(Actor::System, &say).await? {
            return Ok(first);
        }
        let composed = self.compose(say, Signer::System).await?;
        self.sign_and_submit(composed, with).await
    }

    /// The vault says it on behalf of a signed-in person.
    pub async fn say_on_behalf(&self, person: PersonId, say: Say) -> Result<Vec<Receipt>, AppError> {
        self.say_on_behalf_with(person, say, With::default()).await
    }

    pub(super) async fn say_on_behalf_with(
        &self,
        person: PersonId,
        say: Say,
        with: With,
    ) -> Result<Vec<Receipt>, AppError> {
        if let Some(first) = self.said_before(person, &say).await? {
            return Ok(first);
        }
        let composed = self.compose(say, Signer::Session(person)).await?;
        let statement = composed.statement.clone();
        let said = self.sign_and_submit(composed, with).await;
        self.note_refusal(person, &statement, said).await
    }

    /// The receipts of an act that was said before under the same `op_id`. Time and salts differ from one composing to
    /// the next, so the request is compared with what was said, and the stored envelope is said again.
    pub(super) async fn said_before(
        &self,
        person: PersonId,
        say: &Say,
    ) -> Result<Option<Vec<Receipt>>, AppError> {
        self.said_before_by(Actor::Person(person), say).await
    }

    async fn said_before_by(&self, actor: Actor, say: &Say) -> Result<Option<Vec<Receipt>>, AppError> {
        let Some(op_id) = say.op_id else { return Ok(None) };
        let act = (actor, op_id);
        let envelope = {
            let mut tx = self.store.read().await?;
            let Some(stmt) = tx.known_acts([act].into_iter()).await?.remove(&act) else { return Ok(None) };
            tx.envelopes(&[stmt]).await?.remove(&stmt).ok_or(AppError::NotFound("statement"))?
        };
        let statement = super::read::statement(&envelope)?;
        let stmt = Digest::of(&envelope);
        let opened = self.open_fields(&[(stmt, &statement)].into()).await?.remove(&stmt).unwrap_or_default();
        let fields: BTreeMap<_, _> = opened.into_iter().map(|o| (o.name, o.value)).collect();
        if !(asks_for(say, &statement) && say.fields == fields) {
            return Err(AppError::OpIdReused);
        }
        let again = Submission::new(envelope.to_vec(), Attachments::default())?;
        Ok(Some(self.sequencer.submit(again).await?))
    }

    /// [`say_on_behalf`](Self::say_on_behalf), answered as it travels.
    pub async fn record_on_behalf(&self, person: PersonId, say: Say) -> Result<api::Recorded, AppError> {
        Ok(api::Recorded { receipts: wire(&self.say_on_behalf(person, checked_kind(say)?).await?) })
    }

    /// [`submit_signed`](Self::submit_signed), answered as it travels.
    pub async fn record_signed(
        &self,
        person: PersonId,
        envelope: Vec<u8>,
        openings: Vec<FieldOpening>,
    ) -> Result<api::Recorded, AppError> {
        Ok(api::Recorded { receipts: wire(&self.submit_signed(person, envelope, openings).await?) })
    }

    /// Composes a statement for a person to sign with `key`, or with the person's newest valid key.
    pub async fn prepare(
        &self,
        person: PersonId,
        key: Option<KeyHash>,
        say: Say,
    ) -> Result<api::Prepared, AppError> {
        let key = match key {
            Some(key) => key,
            None => self.valid_key(person).await?.ok_or(Refusal::KeyNotValid)?,
        };
        self.may_see_what_is_filled_in(person, &say).await?;
        let composed = self.compose(say, Signer::OwnKey(person, key)).await?;
        Act::parse(&composed.statement)?;
        let opening = |o: FieldOpening| api::Opening {
            name: o.name.to_string(),
            salt: o.salt.to_hex(),
            value: o.value,
        };
        Ok(api::Prepared {
            statement: api::Bytes64(composed.statement.to_bytes()),
            openings: composed.openings.into_iter().map(opening).collect(),
        })
    }

    /// A person's own signed statement, received as an envelope.
    pub async fn submit_signed(
        &self,
        person: PersonId,
        envelope: Vec<u8>,
        openings: Vec<FieldOpening>,
    ) -> Result<Vec<Receipt>, AppError> {
        let statement = self.own_statement(person, &envelope).await?;
        if has_own_route(statement.kind) {
            return Err(own_route());
        }
        let said = self.submit(envelope, &statement, &openings, With::default()).await;
        self.note_refusal(person, &statement, said).await
    }

    /// The statement in an envelope, if it is this person's.
    pub(super) async fn own_statement(
        &self,
        person: PersonId,
        envelope: &[u8],
    ) -> Result<Statement, AppError> {
        let parsed = Envelope::parse(envelope, PayloadType::Statement)?;
        let statement = Statement::parse(parsed.body())?;
        if statement.actor.person() != Some(person) {
            let place = Place { case: statement.case, item: statement.item };
            self.deny(person, place, statement.kind.spec().name, "not-the-actor").await?;
            return Err(AppError::Invalid("the statement's actor is not the signed-in person".to_owned()));
        }
        Ok(statement)
    }

    async fn sign_and_submit(&self, composed: Composed, with: With) -> Result<Vec<Receipt>, AppError> {
        self.submit(self.signed(&composed), &composed.statement, &composed.openings, with).await
    }

    /// A composed statement, signed by the vault and ready to submit.
    pub(super) async fn signed_submission(&self, composed: Composed) -> Result<Submission, AppError> {
        self.submission(self.signed(&composed), &composed.statement, &composed.openings, With::default())
            .await
    }

    fn signed(&self, composed: &Composed) -> Vec<u8> {
        envelope::sign(PayloadType::Statement, &composed.statement.to_bytes(), &[self.vault_key()])
    }

    /// Checks shape and openings, seals the openings, and hands over to the sequencer.
    pub(super) async fn submit(
        &self,
        envelope: Vec<u8>,
        statement: &Statement,
        openings: &[FieldOpening],
        with: With,
    ) -> Result<Vec<Receipt>, AppError> {
        let submission = self.submission(envelope, statement, openings, with).await?;
        let receipts = self.sequencer.submit(submission).await?;
        if let (Kind::PersonSuspended, Some(person)) = (statement.kind, statement.person) {
            self.cut_off(&[person]).await?;
        }
        if destroys(statement)
            && let Err(error) = self.store.free_deleted().await
        {
            tracing::warn!(%error, "the database keeps what it deleted until it frees it by itself");
        }
        Ok(receipts)
    }

    async fn submission(
        &self,
        envelope: Vec<u8>,
        statement: &Statement,
        openings: &[FieldOpening],
        with: With,
    ) -> Result<Submission, AppError> {
        let act = Act::parse(statement)?;
        self.require_kit(statement.kind).await?;
        // The rules know the author's clock only; here is the vault's.
        let lasts = match &act {
            Act::AccessGranted(_, _, d) => Some((d.expires, MAX_GRANT_MS)),
            Act::AccessBreakGlass(_, _, d) => Some((d.expires, MAX_BREAK_GLASS_MS)),
            _ => None,
        };
        let now = self.clock.now();
        if lasts.is_some_and(|(expires, most)| !(now..=now.saturating_add_millis(most)).contains(&expires)) {
            return Err(AppError::Invalid(
                "expires: a grant to read lasts from now for at most a day, in an emergency for an hour"
                    .to_owned(),
            ));
        }
        check_openings(&statement.op_id, &statement.fields, openings)?;
        let mut attach = with.attach;
        if let Act::PersonSuspended(person, _) = act {
            attach.changes.push(Change::RevokeTokens { person, now: self.clock.now() });
        }
        if let Act::ItemClassified(case, id, d) = &act {
            self.seal_stored(statement, (*case, *id, d), &mut attach).await?;
        }
        if let Act::Production(_, item, step) = &act {
            self.attach_production(statement.actor.person(), (*item, step), &mut attach).await?;
        }
        Box::pin(self.settle_halves(&act, &mut attach)).await?;
        self.seal_fields(statement, &act, openings, &mut attach).await?;
        Ok(Submission::new(envelope, attach)?)
    }
}

/// An export commits to heads that are read under the log's lock: it is recorded by its own route only.
fn checked_kind(say: Say) -> Result<Say, AppError> {
    if has_own_route(say.kind) {
        return Err(own_route());
    }
    if let (Kind::ItemRegistered, Some(Value::Text(route))) = (say.kind, say.data.get("route")) {
        came_from_outside(&parse(route, "route")?)?;
    }
    Ok(say)
}

/// Nobody but the vault says by which route something came that the vault made.
pub(super) fn came_from_outside(route: &Code) -> Result<(), AppError> {
    if route.as_str() == ROUTE_VAULT {
        return Err(AppError::Invalid(
            "route: `vault` is for what the vault makes itself (POST /api/v1/items/{id}/redactions); say how it came: cli, \
             api, browser, physical"
                .to_owned(),
        ));
    }
    Ok(())
}

/// What the vault counts or reads under its lock is said by its own route only: an export commits to heads, the end of
/// a reading to the bytes that were sent, a sealing anew to what comes with it.
const fn has_own_route(kind: Kind) -> bool {
    matches!(kind, Kind::BundleExported | Kind::AccessCompleted | Kind::ItemResealed)
}

fn own_route() -> AppError {
    AppError::Invalid(
        "kind: an export is recorded by POST /api/v1/cases/{id}/exports, the end of a reading by POST \
         /api/v1/items/{id}/access/{grant}/complete, a sealing anew by POST /api/v1/items/{id}/resealing"
            .to_owned(),
    )
}

/// Whether this request led to that statement. What the vault fills in is no part of a request: what an export
/// commits to, when a grant ends, and what was seen where the caller left it out.
fn asks_for(say: &Say, statement: &Statement) -> bool {
    let filled_in = matches!(say.kind, Kind::BundleExported | Kind::AccessGranted);
    let seen = say.seen.is_none() || say.seen == statement.seen;
    say.kind == statement.kind
        && (say.case, say.item, say.person) == (statement.case, statement.item, statement.person)
        && (say.content, &say.purpose) == (statement.content, &statement.purpose)
        && (filled_in || say.data == statement.data)
        && say.items.as_ref().map(Vec::len) == statement.items.as_ref().map(Vec::len)
        && say.items.iter().flatten().zip(statement.items.iter().flatten()).all(|(a, b)| a.item == b.item)
        && seen
}

impl From<SubmitError> for AppError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => Self::Refused(refusal),
            SubmitError::OpIdReused => Self::OpIdReused,
            SubmitError::BadSignature => Self::BadSignature,
            SubmitError::TooLate => Self::TooLate,
            SubmitError::KekReplaced => Self::KekReplaced,
            // Said by the database before it wrote, or when it took back what it had begun to write.
            SubmitError::Failed(cause) | SubmitError::Unknown(cause)
                if matches!(*cause, StoreError::Full(_)) =>
            {
                Self::DiskFull
            }
            SubmitError::Failed(cause) if matches!(*cause, StoreError::LogKeyReplaced) => {
                Self::LogKeyReplaced
            }
            other => Self::internal("appending to the log")(other),
        }
    }
}

impl From<SubmissionError> for AppError {
    fn from(error: SubmissionError) -> Self {
        match error {
            SubmissionError::Envelope(error) => Self::Envelope(error),
            SubmissionError::Statement(error) => Self::Statement(error),
            other => Self::internal("reading a submission")(other),
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::DiskFull,
            other => Self::internal("using the database")(other),
        }
    }
}
