//! API tokens: random, shown once, kept as a hash, expiring, revocable.
//!
//! A token is `cus_` and 43 characters of base64url (32 random bytes), `_`, and eight hexadecimal digits of a CRC-32
//! that let scanners and typists recognise a token without asking the vault.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use custody::digest::Digest;
use custody::id::PersonId;
use custody::rules::Right;
use custody::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::signin::hold;
use super::{App, AppError, By, SignedIn};
use crate::api;
use crate::store::{ApiToken, Change, EnrolmentState};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Days that a token lasts when nobody says otherwise.
pub(super) const DEFAULT_DAYS: u32 = 90;

/// A token's secret.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn new(random: &[u8; 32]) -> Self {
        let body = URL_SAFE_NO_PAD.encode(random);
        Self(Zeroizing::new(format!("cus_{body}_{:08x}", crc32fast::hash(body.as_bytes()))))
    }

    pub(super) fn expose(&self) -> String {
        self.0.to_string()
    }

    /// What the database keeps. The secret has 256 random bits, so one plain hash guards it.
    pub(super) fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

/// What a person calls a token or a device.
pub(super) fn check_label(label: &str) -> Result<(), AppError> {
    if label.len() > 100 || label.chars().any(char::is_control) {
        return Err(AppError::Invalid("label: at most 100 characters on one line".to_owned()));
    }
    Ok(())
}

/// Whether a text has the form of a token.
fn well_formed(text: &str) -> bool {
    let parts = text.strip_prefix("cus_").and_then(|rest| rest.rsplit_once('_'));
    parts.is_some_and(|(body, sum)| {
        body.len() == 43 && sum == format!("{:08x}", crc32fast::hash(body.as_bytes()))
    })
}

impl App {
    /// Who presents this token, if it opens anything.
    pub async fn sign_in(&self, token: &str) -> Result<SignedIn, AppError> {
        let who = self.recognise(token).await?;
        if who.enrolment.is_some() { Err(AppError::KeyWaiting) } else { Ok(who) }
    }

    /// Who presents this token, even if it waits. A redeemed invitation gives a token that bears the id of its
    /// enrolment: it waits for the voucher's signature, which is recorded, and ends if that is refused.
    pub async fn recognise(&self, token: &str) -> Result<SignedIn, AppError> {
        if !well_formed(token) {
            return Err(AppError::Unauthenticated);
        }
        let mut tx = self.store.read().await?;
        let found = tx.token(&Digest::of(token.as_bytes())).await?;
        let row = found
            .filter(|row| row.revoked.is_none() && row.expires > self.clock.now())
            .ok_or(AppError::Unauthenticated)?;
        let enrolment = match tx.enrolment(row.id).await?.map(|enrolment| enrolment.state) {
            None | Some(EnrolmentState::Approved) => None,
            Some(EnrolmentState::Waiting) => Some(row.id),
            Some(EnrolmentState::Refused) => return Err(AppError::Unauthenticated),
        };
        Ok(SignedIn {
            person: row.person,
            by: By::Token { id: row.id, label: row.label, expires: row.expires },
            enrolment,
        })
    }

    /// A further token of one's own. Asked for with a token it ends no later than that one, and is not made once that
    /// one has ended; it ends when that one is ended. So does one that is asked for by a session which a token opened:
    /// whoever stole that one has no more of it. By session it takes a fresh second factor.
    pub async fn new_token(&self, who: &SignedIn, new: &api::NewToken) -> Result<api::Token, AppError> {
        if !(1..=365).contains(&new.days) {
            return Err(AppError::Invalid("days: a token lasts 1 to 365 days".to_owned()));
        }
        let (secret, mut token) = self.make_token(Uuid::now_v7(), who.person, &new.label, new.days)?;
        let (parent, until) = match &who.by {
            By::Token { id, expires, .. } => (Some(*id), Some(*expires)),
            By::Session(session) => (session.token, self.end_of_token(who.person, session.token).await?),
            // It signs in by itself; a token would outlive it.
            By::Certificate { .. } => {
                return Err(AppError::Invalid("a token is not made with a certificate".to_owned()));
            }
        };
        token.parent = parent;
        token.expires = until.map_or(token.expires, |until| token.expires.min(until));
        let answer = api::Token {
            id: token.id.to_string(),
            token: secret.expose(),
            expires: token.expires.to_string(),
        };
        self.confirmed(who, "token-made").await?;
        if !self.store.apply(&[hold(who, token.created), Change::AddToken(token)]).await? {
            return Err(AppError::Unauthenticated);
        }
        Ok(answer)
    }

    pub(super) fn make_token(
        &self,
        id: Uuid,
        person: PersonId,
        label: &str,
        days: u32,
    ) -> Result<(Secret, ApiToken), AppError> {
        check_label(label)?;
        let secret = Secret::new(&self.random());
        let created = self.clock.now();
        let row = ApiToken {
            id,
            hash: secret.hash(),
            person,
            label: label.to_owned(),
            created,
            expires: created.saturating_add_millis(i64::from(days) * DAY_MS),
            revoked: None,
            parent: None,
        };
        Ok((secret, row))
    }

    /// Until when a token of one's own counts; `None` for no token.
    async fn end_of_token(&self, person: PersonId, id: Option<Uuid>) -> Result<Option<Timestamp>, AppError> {
        let Some(id) = id else { return Ok(None) };
        let rows = self.store.read().await?.tokens_of(person).await?;
        let row = rows.into_iter().find(|row| row.id == id).ok_or(AppError::Unauthenticated)?;
        Ok(Some(row.expires))
    }

    /// One's own tokens.
    pub async fn tokens(&self, person: PersonId) -> Result<api::Tokens, AppError> {
        let rows = self.store.read().await?.tokens_of(person).await?;
        let view = |row: ApiToken| api::TokenInfo {
            id: row.id.to_string(),
            label: row.label,
            created: row.created.to_string(),
            expires: row.expires.to_string(),
            revoked: row.revoked.is_some(),
        };
        Ok(api::Tokens { tokens: rows.into_iter().map(view).collect() })
    }

    /// Ends one of one's own tokens, and what was made with it.
    pub async fn revoke_token(&self, person: PersonId, id: Uuid) -> Result<(), AppError> {
        let done = self.store.apply(&[Change::RevokeToken { id, person, now: self.clock.now() }]).await?;
        if done { Ok(()) } else { Err(AppError::NotFound("token")) }
    }

    /// Ends all tokens, sessions and ways to sign in of a person, their open invitations and waiting enrolments: one's own,
    /// or, as registrar or administrator, anybody's. One's own one ends without a second factor: it is the emergency brake,
    /// and lets nobody in.
    pub async fn end_tokens(&self, who: &SignedIn, person: PersonId) -> Result<(), AppError> {
        let by = who.person;
        if by != person {
            self.require_in_vault(by, Right::RevokeKeys, "end-tokens").await?;
            self.confirmed(who, "end-tokens").await?;
        }
        self.person(by, person).await?;
        self.store.apply(&[Change::RevokeTokens { person, now: self.clock.now() }]).await?;
        // Tokens are no part of the log; whoever watches the vault sees it here.
        tracing::warn!(%by, %person, "all tokens and invitations of a person were ended");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_by_its_checksum() {
        let secret = Secret::new(&[9; 32]);
        assert!(well_formed(&secret.expose()));
        assert!(!well_formed(&secret.expose().replace('C', "D")));
        assert!(!well_formed("cus_x"));
    }
}
