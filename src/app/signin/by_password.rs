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

use super::By;
use super::codes;
use super::guesses::Allowance;
use super::password::{Hashed, Password};
use super::secrets::{SignInKey, base64url, owner};
use super::session::{NewSession, Opened};
use crate::api;
use crate::app::refuse::Place;
use crate::app::token::check_label;
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

/// A second factor as somebody typed it.
#[derive(Debug, Clone, Copy)]
enum Typed<'a> {
    Code(&'a api::Hidden),
    Recovery(&'a api::Hidden),
}

impl<'a> Typed<'a> {
    fn of(factor: &'a api::Factor) -> Result<Self, AppError> {
        match (&factor.code, &factor.recovery_code) {
            (Some(code), None) => Ok(Self::Code(code)),
            (None, Some(code)) => Ok(Self::Recovery(code)),
            _ => Err(AppError::Invalid("one of code and recovery_code".to_owned())),
        }
    }
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
        let last = before.as_ref().map(|before| before.changed);
        let mut row = PasswordRow {
            person: who.person,
            name: name_hash(key, &name),
            hash: seal_hash(key, &who.person, &hashed)?,
            codes: Vec::new(),
            step: 0,
            // Later than the one before, so that of two changes at once one comes too late.
            changed: last.map_or(now, |last| now.max(last.saturating_add_millis(1))),
        };
        let (mut changes, mut recovery_codes) = (Vec::new(), Vec::new());
        if let Some(confirm) = &new.codes {
            let begun = self.begun(ChallengeKind::Codes, Some(who.person), &confirm.id).await?;
            let challenge = begun.ok_or(AppError::NotFound("device that is being set up"))?;
            let secret = key.open("codes", owner(&who.person), &challenge.state)?;
            row.step = codes::step_of(&secret, confirm.code.expose(), now).ok_or(AppError::WrongCode)?;
            row.codes = challenge.state;
            recovery_codes = codes::new_recovery_codes();
            let (person, codes, step) = (who.person, row.codes.clone(), row.step);
            changes.extend([
                CredentialChange::ChangeDevice { person, codes, step },
                CredentialChange::SetRecoveryCodes {
                    person,
                    hashes: codes::recovery_hashes(key, &person, &recovery_codes)?,
                },
                CredentialChange::Finish(challenge.hash),
                CredentialChange::ForgetDevices(person),
            ]);
        } else if last.is_none() {
            return Err(AppError::Invalid("codes: a password needs a device that gives codes".to_owned()));
        }
        let name = row.name;
        let set = match last {
            None => CredentialChange::FirstPassword(row),
            Some(before) => CredentialChange::ChangePassword { row, before },
        };
        changes.insert(0, set);
        let taken = self.store.read().await?.password_by_name(&name).await?;
        if taken.is_some_and(|taken| taken.person != who.person) {
            return Err(AppError::NameTaken);
        }
        self.set_up(who, changes).await?;
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
        self.set_up(who, vec![CredentialChange::SetRecoveryCodes { person: who.person, hashes }]).await?;
        tracing::info!(target: "security", person = %who.person, "new recovery codes");
        Ok(api::PasswordSet { recovery_codes: codes.into_iter().map(Into::into).collect() })
    }

    /// Removes password, device and recovery codes.
    pub async fn remove_password(&self, who: &SignedIn) -> Result<(), AppError> {
        self.may_set_up(who, "password-removed").await?;
        if self.store.read().await?.password_of(who.person).await?.is_none() {
            return Err(AppError::NotFound("password"));
        }
        let (remove, forget) =
            (CredentialChange::RemovePassword(who.person), CredentialChange::ForgetDevices(who.person));
        self.set_up(who, vec![remove, forget]).await?;
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
        Ok(api::Credentials {
            password,
            passkeys: self.passkeys(person).await?,
            certificates: self.certificates(person).await?,
            providers: self.links(person).await?,
        })
    }

    /// Signs in by name, password and second factor.
    pub async fn sign_in_by_password(
        &self,
        ask: &api::PasswordSignIn,
        at: &Where,
    ) -> Result<Opened, AppError> {
        // Whatever can be refused without a look at the person is, before anything else is told.
        check_label(&ask.label)?;
        let typed = Typed::of(&ask.factor)?;
        let key = self.signin_key().await?;
        let name = sign_in_name(ask.name.expose()).unwrap_or_default();
        let name = name_hash(key, &name);
        let found = self.store.read().await?.password_by_name(&name).await?;
        // Nobody's name costs the same as somebody's.
        let exists = found.is_some();
        let row = match found {
            Some(row) => row,
            None => self.nobody(key)?,
        };
        let (subject, elsewhere, known) = self.subjects(key, &name, &row, typed, at).await?;
        let of_name = (subject, Allowance::of_name(self.signin.profile));
        let subjects: Vec<_> =
            [of_name].into_iter().chain(elsewhere.map(|address| (address, Allowance::ADDRESS))).collect();
        let counted = self.count_attempt(&subjects).await?;
        let factor = match self.judge(key, &row, &ask.password, typed).await {
            // Nothing was looked at.
            Err(AppError::Busy) => {
                self.take_back(&counted).await?;
                return Err(AppError::Busy);
            }
            judged => judged?,
        };
        let Some(factor) = factor.filter(|_| exists) else {
            tracing::warn!(target: "security", "sign-in by password failed");
            return Err(AppError::SignInFailed);
        };
        let opened = self.open_by_password(&row, factor, &ask.label, known, at).await?;
        self.forgive(&subject).await?;
        self.take_back(counted.get(1..).unwrap_or_default()).await?;
        Ok(opened)
    }

    /// Shows a second factor for the session that this is asked with; it goes on under a new secret.
    pub async fn confirm_session(&self, who: &SignedIn, factor: &api::Factor) -> Result<Opened, AppError> {
        let By::Session(session) = &who.by else { return Err(AppError::NotFound("session")) };
        let key = self.signin_key().await?;
        let typed = Typed::of(factor)?;
        let row =
            self.store.read().await?.password_of(who.person).await?.ok_or(AppError::NotFound("password"))?;
        let subject = key.hash(&[b"confirm", owner(&who.person)]);
        self.count_attempt(&[(subject, Allowance::of_name(self.signin.profile))]).await?;
        let Some(factor) = self.factor(key, &row, typed).await? else {
            self.deny(who.person, Place::VAULT, "session-confirm", AppError::WrongCode.code()).await?;
            return Err(AppError::WrongCode);
        };
        let now = self.clock.now();
        let spend = CredentialChange::Spend { person: who.person, factor, changed: row.changed, now };
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

    /// What an attempt is counted under: the name and the address; or, from a browser that this person has signed in with,
    /// that browser alone; or, with a recovery code of theirs, which nobody guesses, that code alone. And whether the browser is known.
    async fn subjects(
        &self,
        key: &SignInKey,
        name: &Digest,
        row: &PasswordRow,
        typed: Typed<'_>,
        at: &Where,
    ) -> Result<(Digest, Option<Digest>, bool), AppError> {
        let device = Digest::of(at.device.as_ref().map_or(b"", |device| device.as_bytes()));
        let known = self.store.read().await?.device(&device).await? == Some(row.person);
        if let Some(code) = self.recovery_code(key, row, typed).await? {
            return Ok((key.hash(&[b"by-recovery", code.as_bytes()]), None, known));
        }
        if known {
            return Ok((key.hash(&[b"device", device.as_bytes()]), None, known));
        }
        let address = at.address.map(|address| key.hash(&[b"address", address.to_string().as_bytes()]));
        Ok((key.hash(&[b"name", name.as_bytes()]), address, known))
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

    /// The second factor, if it and the password are right. Both are looked at, whatever the first is.
    async fn judge(
        &self,
        key: &SignInKey,
        row: &PasswordRow,
        password: &api::Hidden,
        typed: Typed<'_>,
    ) -> Result<Option<Factor>, AppError> {
        let right = self.is_password(key, row, password).await?;
        Ok(self.factor(key, row, typed).await?.filter(|_| right))
    }

    /// The second factor, if it is one that may count. That it counts once is seen to where it is spent.
    async fn factor(
        &self,
        key: &SignInKey,
        row: &PasswordRow,
        typed: Typed<'_>,
    ) -> Result<Option<Factor>, AppError> {
        let Typed::Code(code) = typed else {
            return Ok(self.recovery_code(key, row, typed).await?.map(Factor::Recovery));
        };
        let secret = key.open("codes", owner(&row.person), &row.codes)?;
        let step = codes::step_of(&secret, code.expose(), self.clock.now());
        Ok(step.filter(|step| *step > row.step).map(Factor::Code))
    }

    /// The hash of what was typed, if it is a recovery code of this person's that has not counted yet.
    async fn recovery_code(
        &self,
        key: &SignInKey,
        row: &PasswordRow,
        typed: Typed<'_>,
    ) -> Result<Option<Digest>, AppError> {
        let Typed::Recovery(code) = typed else { return Ok(None) };
        let Some(hash) = codes::recovery_hash(key, &row.person, code.expose()) else { return Ok(None) };
        let there = self.store.read().await?.has_recovery_code(row.person, &hash).await?;
        Ok(there.then_some(hash))
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
            Change::Credential(CredentialChange::Spend {
                person: row.person,
                factor,
                changed: row.changed,
                now,
            }),
            Change::Session(SessionChange::Open(session)),
            Change::Credential(CredentialChange::SeeDevice { hash, person: row.person, now }),
        ];
        // Somebody else was let in with the same code at the same moment, or the password is no longer what was looked at.
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
