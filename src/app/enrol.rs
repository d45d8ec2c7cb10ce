//! Enrolment: how a person's key becomes theirs.
//!
//! A registrar invites; the person's own device makes the key, proves that it has it by signing the enrolment, and
//! alone sees the token; the registrar's own key signs the same bytes. Before that is recorded the token opens nothing:
//! nobody becomes anybody by a code alone, without a record. A further key is vouched for by an earlier one
//! of the same person. The vault key vouches once, for the first registrar.

use custody::act::{Act, KeyCheck, KeyEnrolled, KeyRevoked, PublicKey};
use custody::digest::Digest;
use custody::envelope::{Envelope, EnvelopeSignature, PayloadType, assemble, sign_detached};
use custody::id::{KeyHash, OpId, PersonId};
use custody::kind::Kind;
use custody::rules::{Footprint, Refusal, Right, decide};
use custody::statement::{Actor, Assurance, Statement};
use ed25519_dalek::VerifyingKey;
use uuid::Uuid;

use super::compose::{Say, Signer};
use super::refuse::Place;
use super::say::With;
use super::token::{DEFAULT_DAYS, Secret};
use super::{App, AppError, parse, wire};
use crate::api;
use crate::sequencer::Attachments;
use crate::store::{Change, EnrolmentState, Invitation, PendingEnrolment};

/// An invitation lasts three days.
const INVITATION_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

impl App {
    /// Invites a registered person. The inviter will vouch for the key and so needs one.
    pub async fn invite(&self, by: PersonId, new: &api::NewInvitation) -> Result<api::Invitation, AppError> {
        self.require_in_vault(by, Right::Vouch, Right::Vouch.code()).await?;
        if self.valid_key(by).await?.is_none() {
            let refusal = Refusal::KeyNotValid;
            return Err(self.refused(by, Place::VAULT, Right::Vouch.code(), refusal).await?);
        }
        let person: PersonId = parse(&new.person, "person")?;
        self.person(by, person).await?;
        let code = Secret::new(&self.random());
        let created = self.clock.now();
        let row = Invitation {
            hash: code.hash(),
            person,
            invited_by: by,
            checked: key_check(&new.checked)?,
            created,
            expires: created.saturating_add_millis(INVITATION_MS),
            redeemed: None,
        };
        let answer = api::Invitation { code: code.expose(), expires: row.expires.to_string() };
        self.store.apply(&[Change::Invite(row)]).await?;
        Ok(answer)
    }

    /// The enrolment that an invited person's new key signs.
    pub async fn prepare_redemption(&self, ask: &api::RedeemPrepare) -> Result<api::Prepared, AppError> {
        let invitation = self.open_invitation(&ask.code).await?;
        let voucher = self.valid_key(invitation.invited_by).await?.ok_or(AppError::Invitation)?;
        let signer = Signer::OwnKey(invitation.invited_by, voucher);
        let checked = invitation.checked;
        Ok(prepared(&self.compose_enrolment(invitation.person, &ask.key, checked, signer).await?))
    }

    /// Redeems an invitation: checks the new key's signature, and keeps the enrolment until the voucher has signed too.
    /// The token that is handed out waits as long.
    pub async fn redeem(&self, ask: api::Redeem) -> Result<api::Redeemed, AppError> {
        let invitation = self.open_invitation(&ask.code).await?;
        let voucher = self.valid_key(invitation.invited_by).await?.ok_or(AppError::Invitation)?;
        let (statement, key) = enrolment(&ask.statement.0)?;
        let expected = statement.actor == Actor::Person(invitation.invited_by)
            && statement.actor_key == voucher
            && statement.person == Some(invitation.person)
            && statement.vault == Some(self.vault)
            && key.checked == invitation.checked;
        if !expected {
            return Err(AppError::Invalid(
                "statement: not the one that was prepared for this invitation".to_owned(),
            ));
        }
        let signature = signature_of(&ask.statement.0, &key.key, &ask.signature)?;
        let id = Uuid::now_v7();
        let (secret, token) = self.make_token(id, invitation.person, &ask.label, DEFAULT_DAYS)?;
        let now = self.clock.now();
        let pending = PendingEnrolment {
            id,
            person: invitation.person,
            voucher: invitation.invited_by,
            voucher_key: voucher,
            body: ask.statement.0,
            signature,
            created: now,
            state: EnrolmentState::Waiting,
        };
        let changes =
            [Change::Redeem { hash: invitation.hash, now }, Change::AddToken(token), Change::Await(pending)];
        if !self.store.apply(&changes).await? {
            return Err(AppError::Invitation);
        }
        Ok(api::Redeemed {
            person: invitation.person.to_string(),
            token: secret.expose(),
            enrolment: id.to_string(),
        })
    }

    /// Enrolments that wait for this voucher.
    pub async fn enrolments(&self, by: PersonId) -> Result<api::Enrolments, AppError> {
        let rows = self.store.read().await?.enrolments_for(by).await?;
        let names = self.names(rows.iter().map(|row| row.person)).await?;
        let mut enrolments = Vec::with_capacity(rows.len());
        for row in rows {
            let (_, key) = enrolment(&row.body)?;
            enrolments.push(api::Enrolment {
                id: row.id.to_string(),
                person: row.person.to_string(),
                name: names.get(&row.person).cloned(),
                key: key.key.to_string(),
                statement: api::Bytes64(row.body),
            });
        }
        Ok(api::Enrolments { enrolments })
    }

    /// The voucher signs: the key is enrolled. Signed again, the answer is the first receipt.
    pub async fn approve(
        &self,
        by: PersonId,
        id: Uuid,
        ask: &api::Approve,
    ) -> Result<api::Recorded, AppError> {
        let row = self.store.read().await?.enrolment(id).await?;
        let Some(row) = row.filter(|row| row.voucher == by) else {
            let act = Kind::KeyEnrolled.spec().name;
            self.deny(by, Place::VAULT, act, Refusal::NotVoucher.code()).await?;
            return Err(AppError::NotFound("enrolment"));
        };
        let changes = match row.state {
            EnrolmentState::Waiting => vec![Change::Settle { id, state: EnrolmentState::Approved }],
            EnrolmentState::Approved => Vec::new(),
            EnrolmentState::Refused => return Err(AppError::NotFound("enrolment")),
        };
        let (statement, key) = enrolment(&row.body)?;
        let signatures = [
            EnvelopeSignature { key: row.voucher_key, signature: bytes64(&ask.signature)? },
            EnvelopeSignature { key: key.key.hash(), signature: row.signature },
        ];
        self.submit_enrolment(by, &row.body, &statement, &signatures, changes).await
    }

    /// The enrolment of a further key of one's own, or of the first registrar's first.
    pub async fn prepare_key(
        &self,
        person: PersonId,
        ask: &api::KeyPrepare,
    ) -> Result<api::Prepared, AppError> {
        let signer = match self.valid_key(person).await? {
            Some(own) => Signer::OwnKey(person, own),
            None => Signer::System,
        };
        let checked = ask.checked.as_deref().map_or(Ok(KeyCheck::None), key_check)?;
        let statement = self.compose_enrolment(person, &ask.key, checked, signer).await?;
        let allowed = self.would_allow(&statement).await;
        self.note_refusal(person, &statement, allowed).await?;
        Ok(prepared(&statement))
    }

    /// Enrols it.
    pub async fn add_key(&self, person: PersonId, new: &api::NewKey) -> Result<api::Recorded, AppError> {
        let body = &new.statement.0;
        let (statement, key) = enrolment(body)?;
        if statement.person != Some(person) {
            return Err(AppError::Invalid("statement: the key is not for the signed-in person".to_owned()));
        }
        let own = EnvelopeSignature {
            key: key.key.hash(),
            signature: signature_of(body, &key.key, &new.signature)?,
        };
        let voucher = match (&new.voucher_signature, statement.assurance) {
            (Some(signature), Assurance::UserKey) => {
                EnvelopeSignature { key: statement.actor_key, signature: bytes64(signature)? }
            }
            // Only for the first registrar; the rules refuse it to everybody else. The vault signs an enrolment of the
            // shape that it prepares; which key, `op_id` and `actor_time` it says are the caller's.
            (None, Assurance::System) if statement.vault == Some(self.vault) => {
                sign_detached(PayloadType::Statement, body, self.vault_key())
            }
            _ => {
                let act = Kind::KeyEnrolled.spec().name;
                return Err(self.refused(person, Place::VAULT, act, Refusal::NotVoucher).await?);
            }
        };
        self.submit_enrolment(person, body, &statement, &[voucher, own], Vec::new()).await
    }

    /// Revokes a key of one's own, or as registrar or administrator anybody's.
    pub async fn revoke_key(
        &self,
        by: PersonId,
        hash: KeyHash,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        let found = self.store.read().await?.keys(&[hash]).await?.pop();
        let (_, key) = found.ok_or(AppError::NotFound("key"))?;
        let data = KeyRevoked { key: hash, suspect_from: None }.to_data();
        let say = Say::of_person(Kind::KeyRevoked, key.owner).data(data).op_id(op_id);
        let receipts = self.say_on_behalf(by, say).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    async fn compose_enrolment(
        &self,
        person: PersonId,
        key: &str,
        checked: KeyCheck,
        signer: Signer,
    ) -> Result<Statement, AppError> {
        let key: PublicKey = parse(key, "key")?;
        let data = KeyEnrolled { checked, key }.to_data();
        Ok(self.compose(Say::of_person(Kind::KeyEnrolled, person).data(data), signer).await?.statement)
    }

    /// Whether the rules would allow the statement now: nobody need sign what cannot be accepted.
    async fn would_allow(&self, statement: &Statement) -> Result<(), AppError> {
        let act = Act::parse(statement)?;
        let mut footprint = Footprint::default();
        footprint.add(statement, &act);
        let state = self.store.read().await?.state(&footprint).await?;
        Ok(decide(&state, self.clock.now(), statement, &act)?)
    }

    async fn submit_enrolment(
        &self,
        by: PersonId,
        body: &[u8],
        statement: &Statement,
        signatures: &[EnvelopeSignature],
        changes: Vec<Change>,
    ) -> Result<api::Recorded, AppError> {
        let envelope = assemble(PayloadType::Statement, body, signatures);
        let attach = Attachments { changes, ..Attachments::default() };
        let said = self.submit(envelope, statement, &[], With { attach }).await;
        let receipts = self.note_refusal(by, statement, said).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    async fn open_invitation(&self, code: &str) -> Result<Invitation, AppError> {
        let found = self.store.read().await?.invitation(&Digest::of(code.trim().as_bytes())).await?;
        found
            .filter(|row| row.redeemed.is_none() && row.expires > self.clock.now())
            .ok_or(AppError::Invitation)
    }

    /// The newest valid key of a person.
    pub(super) async fn valid_key(&self, person: PersonId) -> Result<Option<KeyHash>, AppError> {
        let keys = self.store.read().await?.keys_of(&[person]).await?;
        Ok(keys.into_iter().rev().find(|(_, key)| key.revoked.is_none()).map(|(hash, _)| hash))
    }
}

fn prepared(enrolment: &Statement) -> api::Prepared {
    api::Prepared { statement: api::Bytes64(enrolment.to_bytes()), openings: Vec::new() }
}

/// A statement that enrols a key, and nothing else.
fn enrolment(body: &[u8]) -> Result<(Statement, KeyEnrolled), AppError> {
    let statement = Statement::parse(body)?;
    match Act::parse(&statement)? {
        Act::KeyEnrolled(_, data) => Ok((statement, data)),
        _ => Err(AppError::Invalid("statement: not an enrolment".to_owned())),
    }
}

fn signature_of(body: &[u8], key: &PublicKey, signature: &api::Bytes64) -> Result<[u8; 64], AppError> {
    let signature = bytes64(signature)?;
    let signed = assemble(PayloadType::Statement, body, &[EnvelopeSignature { key: key.hash(), signature }]);
    let point = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| AppError::BadSignature)?;
    Envelope::parse(&signed, PayloadType::Statement)?.verify(0, &point)?;
    Ok(signature)
}

fn bytes64(signature: &api::Bytes64) -> Result<[u8; 64], AppError> {
    let wrong = |_| AppError::Invalid("signature: 64 bytes in base64".to_owned());
    signature.0.as_slice().try_into().map_err(wrong)
}

fn key_check(text: &str) -> Result<KeyCheck, AppError> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value)
        .map_err(|_| AppError::Invalid("checked: one of in-person, voice, none".to_owned()))
}
