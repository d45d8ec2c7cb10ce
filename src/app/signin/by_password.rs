//! Signing in by password and second factor, and setting both up.
//!
//! There is no password without a device that gives codes, so that a password alone never signs in. Password and code
//! are asked for together, and whatever is wrong, or nobody's, is answered alike, after the same work.

use std::net::IpAddr;

use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::id::PersonId;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::codes;
use super::guesses::Allowance;
use super::password::{Hashed, Password};
use super::secrets::{SignInKey, base64url, owner};
use super::session::{NewSession, Opened};
use super::{By, maker};
use crate::api;
use crate::app::refuse::Place;
use crate::app::{App, AppError, SignedIn};
use crate::engine::OsEntropy;
use crate::store::{
    Challenge, ChallengeKind, Change, CredentialChange, Factor, Method, PasswordRow, SessionChange,
};

/// A device is set up within this time.
const SETUP_MS: i64 = 15 * 60 * 1_000;
/// Most characters of a name that somebody signs in with.
const MAX_NAME_CHARS: usize = 64;

/// Where somebody signs in.
#[derive(Debug, Default)]
pub struct Where {
    /// Whose address it is, as limits count it.
    pub address: Option<IpAddr>,
    /// The secret of a device that somebody signed in with before.
    pub device: Option<Zeroizing<String>>,
}

impl App {
    /// Begins to set up a device that gives codes: its secret, shown once.
    pub async fn begin_codes(&self, who: &SignedIn) -> Result<api::NewCodes, AppError> {
        self.may_set_up(who, "password-set").await?;
        let key = self.signin_key().await?;
        let (secret, id) = (codes::new_secret(), base64url(&self.random()));
        let expires = self.clock.now().saturating_add_millis(SETUP_MS);
        let challenge = Challenge {
            hash: Digest::of(id.as_bytes()),
            kind: ChallengeKind::Codes,
            person: Some(who.person),
            state: key.seal("codes", owner(&who.person), &*secret)?,
            expires,
        };
        self.store.apply(&[Change::Credential(CredentialChange::Begin(challenge))]).await?;
        Ok(api::NewCodes {
            id: id.to_string(),
            secret: codes::base32(&secret).as_str().into(),
            uri: codes::uri(&secret, self.web_origin()).as_str().into(),
            expires: expires.to_string(),
        })
    }

    /// Sets the password with a device, or, where there is one, the password alone. Answers with recovery codes whenever
    /// the device is new; all earlier ones end.
    pub async fn set_password(
        &self,
        who: &SignedIn,
        new: &api::NewPassword,
    ) -> Result<api::PasswordSet, AppError> {
        self.may_set_up(who, "password-set").await?;
        let key = self.signin_key().await?;
        let name = sign_in_name(new.name.expose())?;
        let before = self.store.read().await?.password_of(who.person).await?;
        let hashed = self.hash_new(&new.password, name.clone()).await?;
        let now = self.clock.now();
        let mut row = PasswordRow {
            person: who.person,
            name: name_hash(key, &name),
            hash: seal_hash(key, &who.person, &hashed)?,
            codes: Vec::new(),
            step: 0,
            changed: now,
        };
        let mut changes = vec![CredentialChange::Hold { maker: maker(&who.by), person: who.person, now }];
        let mut recovery_codes = Vec::new();
        match (&new.codes, before) {
            (Some(confirm), _) => {
                let (challenge, secret) = self.begun_codes(who.person, &confirm.id).await?;
                row.step = codes::step_of(&secret, confirm.code.expose(), now).ok_or(AppError::WrongCode)?;
                row.codes = challenge.state;
                recovery_codes = codes::new_recovery_codes();
                let kept = codes::recovery_hashes(key, &who.person, &recovery_codes)?;
                changes.extend([
                    CredentialChange::SetPassword(row.clone()),
                    CredentialChange::SetRecoveryCodes { person: who.person, hashes: kept },
                    CredentialChange::Finish(challenge.hash),
                ]);
            }
            (None, Some(before)) => {
                (row.codes, row.step) = (before.codes, before.step);
                changes.push(CredentialChange::SetPassword(row.clone()));
            }
            (None, None) => {
                return Err(AppError::Invalid(
                    "codes: a password needs a device that gives codes".to_owned(),
                ));
            }
        }
        let taken = self.store.read().await?.password_by_name(&row.name).await?;
        if taken.is_some_and(|taken| taken.person != who.person) {
            return Err(AppError::NameTaken);
        }
        self.change_credentials(changes).await?;
        tracing::info!(target: "security", person = %who.person, "password set");
        Ok(api::PasswordSet { recovery_codes: recovery_codes.into_iter().map(Into::into).collect() })
    }

    /// New recovery codes; all earlier ones end.
    pub async fn new_recovery_codes(&self, who: &SignedIn) -> Result<api::PasswordSet, AppError> {
        self.may_set_up(who, "recovery-codes").await?;
        if self.store.read().await?.password_of(who.person).await?.is_none() {
            return Err(AppError::NotFound("password"));
        }
        let codes = codes::new_recovery_codes();
        let hashes = codes::recovery_hashes(self.signin_key().await?, &who.person, &codes)?;
        let now = self.clock.now();
        self.change_credentials(vec![
            CredentialChange::Hold { maker: maker(&who.by), person: who.person, now },
            CredentialChange::SetRecoveryCodes { person: who.person, hashes },
        ])
        .await?;
        tracing::info!(target: "security", person = %who.person, "new recovery codes");
        Ok(api::PasswordSet { recovery_codes: codes.into_iter().map(Into::into).collect() })
    }

    /// Removes password, device and recovery codes.
    pub async fn remove_password(&self, who: &SignedIn) -> Result<(), AppError> {
        self.may_set_up(who, "password-removed").await?;
        let remove = CredentialChange::RemovePassword(who.person);
        if !self.store.apply(&[Change::Credential(remove)]).await? {
            return Err(AppError::NotFound("password"));
        }
        tracing::info!(target: "security", person = %who.person, "password removed");
        Ok(())
    }

    /// What the person can sign in with.
    pub async fn credentials(&self, person: PersonId) -> Result<api::Credentials, AppError> {
        let mut tx = self.store.read().await?;
        let row = tx.password_of(person).await?;
        let recovery_codes_left = tx.recovery_codes_left(person).await?;
        let password =
            row.map(|row| api::PasswordInfo { changed: row.changed.to_string(), recovery_codes_left });
        drop(tx);
        Ok(api::Credentials { password, passkeys: self.passkeys(person).await? })
    }

    /// Signs in by name, password and second factor.
    pub async fn sign_in_by_password(
        &self,
        ask: &api::PasswordSignIn,
        at: &Where,
    ) -> Result<Opened, AppError> {
        let key = self.signin_key().await?;
        let name = sign_in_name(ask.name.expose()).unwrap_or_default();
        let name_hash = name_hash(key, &name);
        let found = self.store.read().await?.password_by_name(&name_hash).await?;
        let (subject, known) = self.subject(key, &name_hash, found.as_ref(), at).await?;
        let address = at.address.map(|address| key.hash(&[b"address", address.to_string().as_bytes()]));
        // The address first: one that must wait does not make the name wait longer.
        let mut subjects: Vec<_> = address.map(|address| (address, Allowance::ADDRESS)).into_iter().collect();
        subjects.push((subject, Allowance::of_name(self.signin.profile)));
        self.count_attempt(&subjects).await?;

        // Nobody's name costs the same as somebody's.
        let exists = found.is_some();
        let row = match found {
            Some(row) => row,
            None => self.nobody(key)?,
        };
        let right = self.is_password(key, &row, &ask.password).await?;
        let factor = self.factor(key, &row, &ask.factor).await?;
        let Some(factor) = factor.filter(|_| right && exists) else {
            tracing::warn!(target: "security", "sign-in by password failed");
            return Err(AppError::SignInFailed);
        };
        let opened = self.open_by_password(&row, factor, &ask.label, known, at).await?;
        self.forgive(&subject).await?;
        if let Some(address) = &address {
            self.forgive_one(address).await?;
        }
        Ok(opened)
    }

    /// Shows a second factor for the session that this is asked with; it goes on under a new secret.
    pub async fn confirm_session(&self, who: &SignedIn, factor: &api::Factor) -> Result<Opened, AppError> {
        let By::Session(session) = &who.by else { return Err(AppError::NotFound("session")) };
        let key = self.signin_key().await?;
        let row =
            self.store.read().await?.password_of(who.person).await?.ok_or(AppError::NotFound("password"))?;
        let subject = key.hash(&[b"confirm", owner(&who.person)]);
        self.count_attempt(&[(subject, Allowance::of_name(self.signin.profile))]).await?;
        let Some(factor) = self.factor(key, &row, factor).await? else {
            self.deny(who.person, Place::VAULT, "session-confirm", AppError::WrongCode.code()).await?;
            return Err(AppError::WrongCode);
        };
        let now = self.clock.now();
        let spend = CredentialChange::Spend { person: who.person, factor, now };
        let opened = self.confirm(who, session, spend).await?;
        self.forgive(&subject).await?;
        Ok(opened)
    }

    async fn hash_new(&self, typed: &api::Hidden, name: String) -> Result<Hashed, AppError> {
        let too_long = || AppError::Password("a password has at most 256 characters".to_owned());
        let password = Password::typed(typed.expose()).ok_or_else(too_long)?;
        let (profile, breached) = (self.signin.profile, self.signin.breached.clone());
        let checked = move || password.check(&name, profile, &breached).map(|()| password);
        let password = self.signin.hashing.run(checked).await?;
        self.signin.hashing.hash(password).await
    }

    async fn begun_codes(
        &self,
        person: PersonId,
        id: &str,
    ) -> Result<(Challenge, Zeroizing<Vec<u8>>), AppError> {
        let found = self.store.read().await?.challenge(&Digest::of(id.as_bytes())).await?;
        let now = self.clock.now();
        let challenge = found
            .filter(|row| row.kind == ChallengeKind::Codes && row.person == Some(person) && row.expires > now)
            .ok_or(AppError::NotFound("device that is being set up"))?;
        let secret = self.signin_key().await?.open("codes", owner(&person), &challenge.state)?;
        Ok((challenge, secret))
    }

    /// What failures are counted under: the name, or, from a browser that this person has signed in with, that browser.
    async fn subject(
        &self,
        key: &SignInKey,
        name: &Digest,
        row: Option<&PasswordRow>,
        at: &Where,
    ) -> Result<(Digest, bool), AppError> {
        let device = Digest::of(at.device.as_ref().map_or(b"", |device| device.as_bytes()));
        let whose = self.store.read().await?.device(&device).await?;
        let known = whose.is_some() && whose == row.map(|row| row.person);
        let subject = if known {
            key.hash(&[b"device", device.as_bytes()])
        } else {
            key.hash(&[b"name", name.as_bytes()])
        };
        Ok((subject, known))
    }

    /// What a name that nobody has is compared with.
    fn nobody(&self, key: &SignInKey) -> Result<PasswordRow, AppError> {
        let person = PersonId::new(Uuid::nil());
        Ok(PasswordRow {
            person,
            name: Digest::ZERO,
            hash: seal_hash(key, &person, &Hashed::of_nothing())?,
            codes: key.seal("codes", owner(&person), &OsEntropy.array::<20>())?,
            step: 0,
            changed: self.clock.now(),
        })
    }

    async fn is_password(
        &self,
        key: &SignInKey,
        row: &PasswordRow,
        typed: &api::Hidden,
    ) -> Result<bool, AppError> {
        let opened = key.open("password", owner(&row.person), &row.hash)?;
        let hashed: Hashed =
            serde_json::from_slice(&opened).map_err(AppError::internal("reading a hashed password"))?;
        match Password::typed(typed.expose()) {
            Some(password) => self.signin.hashing.verify(hashed, password).await,
            None => Ok(false),
        }
    }

    /// The second factor, if it is one that may count. That it counts once is seen to where it is spent.
    async fn factor(
        &self,
        key: &SignInKey,
        row: &PasswordRow,
        typed: &api::Factor,
    ) -> Result<Option<Factor>, AppError> {
        match (&typed.code, &typed.recovery_code) {
            (Some(code), None) => {
                let secret = key.open("codes", owner(&row.person), &row.codes)?;
                let step = codes::step_of(&secret, code.expose(), self.clock.now());
                Ok(step.filter(|step| *step > row.step).map(Factor::Code))
            }
            (None, Some(code)) => {
                let Some(hash) = codes::recovery_hash(key, &row.person, code.expose()) else {
                    return Ok(None);
                };
                let there = self.store.read().await?.has_recovery_code(row.person, &hash).await?;
                Ok(there.then_some(Factor::Recovery(hash)))
            }
            _ => Err(AppError::Invalid("one of code and recovery_code".to_owned())),
        }
    }

    async fn open_by_password(
        &self,
        row: &PasswordRow,
        factor: Factor,
        label: &str,
        known: bool,
        at: &Where,
    ) -> Result<Opened, AppError> {
        let new = NewSession { person: row.person, label, method: Method::Password };
        let (secret, mut session) = self.make_session(&new)?;
        session.confirmed = Some(session.created);
        let now = session.created;
        let device = at.device.clone().filter(|_| known).unwrap_or_else(|| base64url(&self.random()));
        let hash = Digest::of(device.as_bytes());
        let opened = self.opened(&session, secret, Some(device));
        let changes = [
            Change::Credential(CredentialChange::Spend { person: row.person, factor, now }),
            Change::Session(SessionChange::Open(session)),
            Change::Credential(CredentialChange::SeeDevice { hash, person: row.person, now }),
        ];
        // Somebody else was let in with the same code at the same moment, or the password was removed.
        if !self.store.apply(&changes).await? {
            return Err(AppError::SignInFailed);
        }
        let recovery = matches!(factor, Factor::Recovery(_));
        tracing::info!(target: "security", person = %row.person, method = "password", recovery, "signed in");
        Ok(opened)
    }
}

/// The name as it counts: the same however it is written (NFKC, in small letters).
fn sign_in_name(typed: &str) -> Result<String, AppError> {
    let name = typed.trim().nfkc().collect::<String>().to_lowercase();
    let count = name.chars().count();
    if (3..=MAX_NAME_CHARS).contains(&count) && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err(AppError::Invalid("name: one signs in with 3 to 64 characters".to_owned()))
    }
}

fn name_hash(key: &SignInKey, name: &str) -> Digest {
    key.hash(&[b"sign-in-name", name.as_bytes()])
}

fn seal_hash(key: &SignInKey, person: &PersonId, hashed: &Hashed) -> Result<Vec<u8>, AppError> {
    let bytes = serde_json::to_vec(hashed).map_err(AppError::internal("writing a hashed password"))?;
    key.seal("password", owner(person), &bytes)
}
