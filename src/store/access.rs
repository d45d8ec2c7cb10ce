//! The few tables beside the log: API tokens, invitations, enrolments that wait for their voucher. They say who may
//! talk to the vault, never what happened in it.

use custody::act::{KeyCheck, ObjectId};
use custody::digest::Digest;
use custody::id::{KeyHash, PersonId};
use custody::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::credentials::CredentialChange;
use super::db::Tx;
use super::error::StoreError;
use super::halves::HalvesChange;
use super::objects::ObjectState;
use super::productions::ProductionHalves;
use super::row::{Row, Value};
use super::sessions::SessionChange;
use super::sql;

/// An API token; only its hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// What it is revoked by.
    pub id: Uuid,
    /// Hash of the secret.
    pub hash: Digest,
    /// Whose it is.
    pub person: PersonId,
    /// What the person called it.
    pub label: String,
    /// Made when.
    pub created: Timestamp,
    /// Until when it counts.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// The token that it was made with and ends with.
    pub parent: Option<Uuid>,
}

/// A one-time invitation; only the hash of its code is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Hash of the code.
    pub hash: Digest,
    /// Who is invited.
    pub person: PersonId,
    /// Who invites.
    pub invited_by: PersonId,
    /// How the inviter makes sure whose key it is.
    pub checked: KeyCheck,
    /// Made when.
    pub created: Timestamp,
    /// Until when it can be redeemed.
    pub expires: Timestamp,
    /// When it was redeemed, or ended unredeemed.
    pub redeemed: Option<Timestamp>,
}

/// A new key whose voucher has not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEnrolment {
    /// What it is settled by.
    pub id: Uuid,
    /// Whose key.
    pub person: PersonId,
    /// Who is to vouch.
    pub voucher: PersonId,
    /// With which key: the `actor_key` of the statement.
    pub voucher_key: KeyHash,
    /// The body of the statement, as the new key signed it.
    pub body: Vec<u8>,
    /// The new key's signature.
    pub signature: [u8; 64],
    /// Made when.
    pub created: Timestamp,
    /// What became of it.
    pub state: EnrolmentState,
}

/// What became of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrolmentState {
    /// Its voucher has not answered.
    Waiting,
    /// The key is enrolled.
    Approved,
    /// The voucher said no.
    Refused,
}

/// With what somebody does something; it must last until that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// An API token, by its `id`.
    Token(Uuid),
    /// A session, by its `id`.
    Session(Uuid),
    /// A certificate, by its `id`.
    Certificate(Uuid),
}

/// A change beside the log, alone ([`super::Store::apply`]) or together with a record
/// ([`crate::sequencer::Attachments`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new token.
    AddToken(ApiToken),
    /// What the changes after this are made with must last until they are made; too late if it has ended.
    Hold {
        /// What.
        maker: Maker,
        /// Whose.
        person: PersonId,
        /// When.
        now: Timestamp,
    },
    /// A token of this person ends, with the tokens and sessions that were made with it, and with those; too late if it
    /// has ended.
    RevokeToken {
        /// Which.
        id: Uuid,
        /// Whose.
        person: PersonId,
        /// When.
        now: Timestamp,
    },
    /// All tokens, sessions and credentials of a person end, and with them what would become one: invitations, and enrolments that wait.
    RevokeTokens {
        /// Whose.
        person: PersonId,
        /// When.
        now: Timestamp,
    },
    /// A new invitation.
    Invite(Invitation),
    /// Somebody signed in by a cookie.
    Session(SessionChange),
    /// What somebody signs in with.
    Credential(CredentialChange),
    /// An invitation is used up; too late if it was, or has expired.
    Redeem {
        /// Hash of its code.
        hash: Digest,
        /// When.
        now: Timestamp,
    },
    /// An enrolment waits for its voucher.
    Await(PendingEnrolment),
    /// The voucher answered; too late if there was an answer.
    Settle {
        /// Which enrolment.
        id: Uuid,
        /// How.
        state: EnrolmentState,
    },
    /// A check of an object's bytes found something; too late if it was destroyed.
    NoteObject {
        /// Which.
        object: ObjectId,
        /// What.
        state: ObjectState,
    },
    /// The key of an object is destroyed, or is already; too late if it is wrapped otherwise than was read.
    ShredObject {
        /// Which object's.
        object: ObjectId,
        /// By which version it was wrapped when it was read.
        kek: u32,
        /// The wrapped key as it was read; empty if it was destroyed already.
        wrapped: Vec<u8>,
        /// When.
        now: Timestamp,
    },
    /// Openings of these statements are destroyed.
    EraseOpenings {
        /// By H(envelope).
        stmts: Vec<Digest>,
        /// When.
        now: Timestamp,
    },
    /// All openings under the key of a scope are destroyed, and the key; too late if it is another one than was read.
    EraseScope {
        /// `person:<uuid>`.
        scope: String,
        /// The wrapped key as it was read, and by which version; nothing if there was none.
        key: Option<(u32, Vec<u8>)>,
        /// When.
        now: Timestamp,
    },
    /// Nothing is changed; too late if anything is wrapped by this version of the key encryption key, or an older one.
    KekUnused {
        /// Which version.
        kek: u32,
    },
    /// What is sealed to pairs of persons.
    Halves(HalvesChange),
    /// Halves of a key, each sealed to a court, in place of what was kept for this production before.
    Produce(ProductionHalves),
    /// Halves that are sealed to a court are said on record, and take the place of earlier ones; too late if they are not there.
    SealProduction {
        /// Which production.
        proposal: Digest,
        /// SHA-256 of the persons' half.
        sealed: Digest,
    },
    /// What was sealed to a court is no longer: its production has ended.
    EndProduction(Digest),
    /// A data key is wrapped by a newer version; too late if another rewrapped it since.
    RewrapObject {
        /// Which object's.
        object: ObjectId,
        /// Newly wrapped.
        wrapped: Vec<u8>,
        /// The version before.
        old_kek: u32,
        /// The version now.
        kek: u32,
        /// Whether it is the vault's half.
        halved: bool,
    },
    /// A case's, person's or organisation's key is wrapped by a newer version; too late as above.
    RewrapSubjectKey {
        /// Which.
        scope: String,
        /// Newly wrapped.
        wrapped: Vec<u8>,
        /// The version before.
        old_kek: u32,
        /// The version now.
        kek: u32,
    },
}

impl Tx {
    /// The token with this hash, whatever its state.
    pub async fn token(&mut self, hash: &Digest) -> Result<Option<ApiToken>, StoreError> {
        self.one(sql::TOKEN_BY_HASH, vec![Value::digest(hash)]).await?.as_ref().map(token).transpose()
    }

    /// All tokens of a person.
    pub async fn tokens_of(&mut self, person: PersonId) -> Result<Vec<ApiToken>, StoreError> {
        self.all(sql::TOKENS_OF_PERSON, vec![Value::text(person)]).await?.iter().map(token).collect()
    }

    /// The invitation whose code has this hash, whatever its state.
    pub async fn invitation(&mut self, hash: &Digest) -> Result<Option<Invitation>, StoreError> {
        self.one(sql::INVITATION, vec![Value::digest(hash)]).await?.as_ref().map(invitation).transpose()
    }

    /// An enrolment, whatever its state.
    pub async fn enrolment(&mut self, id: Uuid) -> Result<Option<PendingEnrolment>, StoreError> {
        self.one(sql::ENROLMENT, vec![Value::text(id)]).await?.as_ref().map(enrolment).transpose()
    }

    /// Enrolments that wait for `voucher`.
    pub async fn enrolments_for(&mut self, voucher: PersonId) -> Result<Vec<PendingEnrolment>, StoreError> {
        self.all(sql::ENROLMENTS_FOR, vec![Value::text(voucher)]).await?.iter().map(enrolment).collect()
    }

    /// Makes a change; `false` if it came too late and changed nothing.
    pub(crate) async fn change(&mut self, change: &Change) -> Result<bool, StoreError> {
        let changed = match change {
            Change::AddToken(token) => {
                return self.insert(sql::INSERT_TOKENS, token_values(token)).await.map(yes);
            }
            Change::Invite(invitation) => {
                return self.insert(sql::INSERT_INVITATIONS, invitation_values(invitation)).await.map(yes);
            }
            Change::Await(enrolment) => {
                return self.insert(sql::INSERT_ENROLMENTS, enrolment_values(enrolment)).await.map(yes);
            }
            Change::Hold { maker, person, now } => {
                // Writes the maker's row, so that whoever ends it at the same time waits, and then finds what was made.
                let (statement, id) = match maker {
                    Maker::Token(id) => (sql::HOLD_TOKEN, id),
                    Maker::Session(id) => (sql::signin::HOLD_SESSION, id),
                    Maker::Certificate(id) => (sql::signin::HOLD_CERTIFICATE, id),
                };
                self.run(statement, vec![Value::text(id), Value::text(person), Value::time(*now)]).await?
            }
            Change::RevokeTokens { person, now } => return self.end_access(*person, *now).await.map(yes),
            Change::RevokeToken { id, person, now } => {
                let params = vec![Value::time(*now), Value::text(id), Value::text(person)];
                let revoked = self.run(sql::REVOKE_TOKEN, params).await?;
                if revoked == 1 {
                    self.end_made_with(*id, *now).await?;
                }
                revoked
            }
            Change::Session(change) => return self.change_session(change).await,
            Change::Credential(change) => return self.change_credential(change).await,
            Change::Redeem { hash, now } => {
                self.run(sql::REDEEM_INVITATION, vec![Value::time(*now), Value::digest(hash)]).await?
            }
            Change::Settle { id, state } => {
                self.run(sql::SETTLE_ENROLMENT, vec![Value::code(state), Value::text(id)]).await?
            }
            Change::NoteObject { object, state } => {
                let params = vec![Value::code(state), Value::blob(object.as_bytes())];
                self.run(sql::UPDATE_OBJECT_STATE, params).await?
            }
            Change::ShredObject { object, kek, wrapped, now } => {
                self.shred_object(*object, Some((*kek, wrapped)), *now).await?
            }
            Change::EraseOpenings { stmts, now } => return self.erase_openings(stmts, *now).await.map(yes),
            Change::EraseScope { scope, key, now } => {
                let was = key.as_ref().map(|(kek, wrapped)| (*kek, wrapped.as_slice()));
                return self.erase_scope_as_read(scope, was, *now).await;
            }
            Change::KekUnused { kek } => return self.kek_is_unused(*kek).await,
            Change::Halves(change) => return self.change_halves(change).await,
            Change::Produce(halves) => return self.produce(halves).await,
            Change::SealProduction { proposal, sealed } => {
                return self.seal_production(proposal, sealed).await;
            }
            Change::EndProduction(proposal) => return self.end_production(proposal).await.map(yes),
            Change::RewrapObject { object, wrapped, old_kek, kek, halved } => {
                let mut params = rewrapped(wrapped, *kek, Value::blob(object.as_bytes()), *old_kek);
                params.push(Value::Bool(*halved));
                self.run(sql::REWRAP_OBJECT, params).await?
            }
            Change::RewrapSubjectKey { scope, wrapped, old_kek, kek } => {
                let name = Value::text(scope);
                self.run(sql::REWRAP_SUBJECT_KEY, rewrapped(wrapped, *kek, name, *old_kek)).await?
            }
        };
        Ok(changed == 1)
    }

    /// Ends what was made with a token, again until nothing is left, as below.
    async fn end_made_with(&mut self, token: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let params = || vec![Value::time(now), Value::text(token)];
        loop {
            let tokens = self.run(sql::REVOKE_TOKENS_MADE_WITH, params()).await?;
            let sessions = self.run(sql::signin::END_SESSIONS_MADE_WITH, params()).await?;
            if tokens + sessions == 0 {
                return Ok(());
            }
        }
    }

    /// In the order in which they become one another, so that nothing slips from one to the next in between.
    async fn end_access(&mut self, person: PersonId, now: Timestamp) -> Result<(), StoreError> {
        let params = || vec![Value::time(now), Value::text(person)];
        self.run(sql::END_INVITATIONS_OF_PERSON, params()).await?;
        self.run(sql::REFUSE_ENROLMENTS_OF_PERSON, vec![Value::text(person)]).await?;
        // Again until none is left: what was made with one of them meanwhile is seen only by the statement after the one
        // that waited for it.
        loop {
            let tokens = self.run(sql::REVOKE_TOKENS_OF_PERSON, params()).await?;
            let sessions = self.end_sessions(person, now).await?;
            let credentials = self.remove_credentials(person).await?;
            if tokens + sessions + credentials == 0 {
                return Ok(());
            }
        }
    }

    /// Makes changes, all or none, inside a transaction that goes on either way.
    pub(crate) async fn changes(&mut self, changes: &[Change]) -> Result<bool, StoreError> {
        if changes.is_empty() {
            return Ok(true);
        }
        self.run(sql::SAVEPOINT, Vec::new()).await?;
        for change in changes {
            if !self.change(change).await? {
                self.run(sql::ROLLBACK_TO, Vec::new()).await?;
                return Ok(false);
            }
        }
        self.run(sql::RELEASE, Vec::new()).await?;
        Ok(true)
    }
}

fn yes((): ()) -> bool {
    true
}

fn rewrapped(wrapped: &[u8], kek: u32, name: Value, old_kek: u32) -> Vec<Value> {
    vec![Value::blob(wrapped), Value::uint(kek.into()), name, Value::uint(old_kek.into())]
}

fn token_values(token: &ApiToken) -> [Value; 8] {
    [
        Value::text(token.id),
        Value::digest(&token.hash),
        Value::text(token.person),
        Value::text(&token.label),
        Value::time(token.created),
        Value::time(token.expires),
        Value::Int(token.revoked.map(Timestamp::millis)),
        Value::opt_text(token.parent),
    ]
}

fn token(row: &Row) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: row.parse(0)?,
        hash: row.digest(1)?,
        person: row.parse(2)?,
        label: row.text(3)?,
        created: row.time(4)?,
        expires: row.time(5)?,
        revoked: row.opt_time(6)?,
        parent: row.opt_parse(7)?,
    })
}

fn invitation_values(invitation: &Invitation) -> [Value; 7] {
    [
        Value::digest(&invitation.hash),
        Value::text(invitation.person),
        Value::text(invitation.invited_by),
        Value::code(&invitation.checked),
        Value::time(invitation.created),
        Value::time(invitation.expires),
        Value::Int(invitation.redeemed.map(Timestamp::millis)),
    ]
}

fn invitation(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        hash: row.digest(0)?,
        person: row.parse(1)?,
        invited_by: row.parse(2)?,
        checked: row.code(3)?,
        created: row.time(4)?,
        expires: row.time(5)?,
        redeemed: row.opt_time(6)?,
    })
}

fn enrolment_values(enrolment: &PendingEnrolment) -> [Value; 8] {
    [
        Value::text(enrolment.id),
        Value::text(enrolment.person),
        Value::text(enrolment.voucher),
        Value::digest(&enrolment.voucher_key),
        Value::blob(&enrolment.body),
        Value::blob(enrolment.signature),
        Value::time(enrolment.created),
        Value::code(&enrolment.state),
    ]
}

fn enrolment(row: &Row) -> Result<PendingEnrolment, StoreError> {
    Ok(PendingEnrolment {
        id: row.parse(0)?,
        person: row.parse(1)?,
        voucher: row.parse(2)?,
        voucher_key: row.digest(3)?,
        body: row.blob(4)?,
        signature: row.bytes(5)?,
        created: row.time(6)?,
        state: row.code(7)?,
    })
}
