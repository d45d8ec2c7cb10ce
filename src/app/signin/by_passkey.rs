//! Passkeys (`WebAuthn` level 3): making one, signing in with one, showing one again.
//!
//! The authenticator makes sure who holds it (user verification), so that a passkey is two factors, and names the vault in what it signs, so
//! that no false page can use it. Nobody says a name first: which passkeys there are is no stranger's to ask.

use custody::digest::Digest;
use custody::id::PersonId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::By;
use super::secrets::{base64url, owner};
use super::session::{NewSession, Opened};
use crate::api;
use crate::app::refuse::Place;
use crate::app::token::check_label;
use crate::app::{App, AppError, SignedIn};
use crate::store::{
    Challenge, ChallengeKind, Change, CredentialChange, MAX_PASSKEYS, Method, PasskeyChange, PasskeyRow,
    SessionChange,
};

/// What an authenticator is asked for is answered within this time.
const ANSWER_MS: i64 = 5 * 60 * 1_000;

impl App {
    /// Begins to make a passkey: what the browser is to ask the authenticator for.
    pub async fn begin_passkey(&self, who: &SignedIn) -> Result<api::PasskeyRequest, AppError> {
        self.may_set_up(who, "passkey-added").await?;
        let known = self.passkey_rows(who.person).await?;
        at_most(known.len())?;
        let exclude = known.into_iter().map(|row| row.credential).collect();
        let name = self.names([who.person]).await?.remove(&who.person).unwrap_or_default();
        let user = who.person.uuid();
        let (options, state) = self
            .webauthn()?
            .start_passkey_registration(user, &name, &name, Some(exclude))
            .map_err(AppError::internal("beginning a passkey"))?;
        let mut options = json(&options)?;
        // One that the authenticator does not keep would need a name first.
        if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection") {
            selection["residentKey"] = "required".into();
            selection["requireResidentKey"] = true.into();
        }
        self.begin(ChallengeKind::NewPasskey, Some(who.person), &state, options).await
    }

    /// Takes the passkey that the authenticator made.
    pub async fn add_passkey(
        &self,
        who: &SignedIn,
        new: &api::NewPasskey,
    ) -> Result<api::PasskeyInfo, AppError> {
        self.may_set_up(who, "passkey-added").await?;
        check_label(&new.label)?;
        let state: PasskeyRegistration = self
            .finish(ChallengeKind::NewPasskey, Some(who.person), &new.id)
            .await?
            .ok_or(AppError::NotFound("passkey that is being made"))?;
        let answer: RegisterPublicKeyCredential = parsed(&new.credential)?;
        // What the browser says of it nobody has signed; but one that says so itself signs nobody in.
        if answer.extensions.cred_props.as_ref().is_some_and(|said| said.rk == Some(false)) {
            return Err(AppError::PasskeyNotKept);
        }
        at_most(self.passkey_rows(who.person).await?.len())?;
        let passkey = self.webauthn()?.finish_passkey_registration(&answer, &state).map_err(refused)?;
        let now = self.clock.now();
        let row = PasskeyRow {
            id: Uuid::now_v7(),
            credential: passkey.cred_id().clone(),
            person: who.person,
            label: new.label.clone(),
            key: bytes(&passkey)?,
            host: self.passkey_host(),
            created: now,
            used: None,
        };
        let view = view(&row);
        self.set_up(who, vec![CredentialChange::Passkey(PasskeyChange::Add(row))]).await?;
        tracing::info!(target: "security", person = %who.person, "passkey added");
        Ok(view)
    }

    /// Removes one of one's own passkeys.
    pub async fn remove_passkey(&self, who: &SignedIn, id: Uuid) -> Result<(), AppError> {
        self.may_set_up(who, "passkey-removed").await?;
        if !self.passkey_rows(who.person).await?.iter().any(|row| row.id == id) {
            return Err(AppError::NotFound("passkey"));
        }
        let remove = CredentialChange::Passkey(PasskeyChange::Remove { id, person: who.person });
        self.set_up(who, vec![remove]).await?;
        tracing::info!(target: "security", person = %who.person, "passkey removed");
        Ok(())
    }

    /// A person's passkeys.
    pub(super) async fn passkeys(&self, person: PersonId) -> Result<Vec<api::PasskeyInfo>, AppError> {
        Ok(self.passkey_rows(person).await?.iter().map(view).collect())
    }

    /// Those that answer to this vault under its present name.
    async fn passkey_rows(&self, person: PersonId) -> Result<Vec<PasskeyRow>, AppError> {
        let Some(host) = self.passkey_host() else { return Ok(Vec::new()) };
        Ok(self.store.read().await?.passkeys_of(person, &host).await?)
    }

    /// What a browser is to ask an authenticator for, whoever holds it, to sign in.
    pub async fn ask_for_passkey(&self) -> Result<api::PasskeyRequest, AppError> {
        self.ask(ChallengeKind::Passkey, None).await
    }

    /// What a browser is to ask an authenticator for, to confirm a session of this person.
    pub async fn ask_to_confirm(&self, who: &SignedIn) -> Result<api::PasskeyRequest, AppError> {
        let By::Session(_) = &who.by else { return Err(AppError::NotFound("session")) };
        self.ask(ChallengeKind::Confirm, Some(who.person)).await
    }

    async fn ask(
        &self,
        kind: ChallengeKind,
        person: Option<PersonId>,
    ) -> Result<api::PasskeyRequest, AppError> {
        let (mut options, state) = self
            .webauthn()?
            .start_discoverable_authentication()
            .map_err(AppError::internal("asking for a passkey"))?;
        // Whether it waits until somebody clicks into a field is the page's business.
        options.mediation = None;
        self.begin(kind, person, &state, json(&options)?).await
    }

    /// Signs in with a passkey.
    pub async fn sign_in_by_passkey(&self, ask: &api::PasskeySignIn) -> Result<Opened, AppError> {
        check_label(&ask.label)?;
        let shown = self.shown(None, &ask.id, &ask.credential).await?;
        let new = NewSession { person: shown.person, label: &ask.label, method: Method::Passkey };
        let (secret, mut session) = self.make_session(&new)?;
        session.confirmed = Some(session.created);
        let opened = self.opened(&session, secret, None);
        let changes = [
            Change::Credential(CredentialChange::Passkey(shown.used)),
            Change::Session(SessionChange::Open(session)),
        ];
        if !self.store.apply(&changes).await? {
            return Err(AppError::SignInFailed);
        }
        tracing::info!(target: "security", person = %shown.person, method = "passkey", "signed in");
        Ok(opened)
    }

    /// Shows a passkey for the session that this is asked with; it goes on under a new secret.
    pub async fn confirm_by_passkey(
        &self,
        who: &SignedIn,
        proof: &api::PasskeyProof,
    ) -> Result<Opened, AppError> {
        let By::Session(session) = &who.by else { return Err(AppError::NotFound("session")) };
        let shown = match self.shown(Some(who.person), &proof.id, &proof.credential).await {
            Err(AppError::SignInFailed) => {
                self.deny(who.person, Place::VAULT, "session-confirm", AppError::Passkey.code()).await?;
                return Err(AppError::Passkey);
            }
            shown => shown?,
        };
        self.confirm(who, session, CredentialChange::Passkey(shown.used)).await
    }

    /// Whose passkey was shown, if it counts: anybody's to sign in, or that of the person who is to confirm a session. What
    /// was asked is used up either way.
    async fn shown(
        &self,
        confirms: Option<PersonId>,
        id: &str,
        credential: &serde_json::Value,
    ) -> Result<Shown, AppError> {
        let failed = || {
            tracing::warn!(target: "security", "sign-in by passkey failed");
            AppError::SignInFailed
        };
        let kind = confirms.map_or(ChallengeKind::Passkey, |_| ChallengeKind::Confirm);
        let state: Option<DiscoverableAuthentication> = self.finish(kind, confirms, id).await?;
        let state = state.ok_or_else(failed)?;
        let answer: PublicKeyCredential = parsed(credential)?;
        let webauthn = self.webauthn()?;
        let (whose, name) = webauthn.identify_discoverable_authentication(&answer).map_err(|_| failed())?;
        let found = self.store.read().await?.passkey(name).await?;
        let theirs = |row: &PasskeyRow| {
            row.person.uuid() == whose && confirms.is_none_or(|person| row.person == person)
        };
        let row = found.filter(theirs).ok_or_else(failed)?;
        let mut passkey: Passkey =
            serde_json::from_slice(&row.key).map_err(AppError::internal("reading a passkey"))?;
        let key = DiscoverableKey::from(&passkey);
        match webauthn.finish_discoverable_authentication_v2(&answer, state, key) {
            Ok(result) => {
                passkey.update_credential(&result);
                let (new, now) = (bytes(&passkey)?, self.clock.now());
                let host = self.passkey_host().unwrap_or_default();
                let used = PasskeyChange::Use { id: row.id, new, host, old: row.key, now };
                Ok(Shown { person: row.person, used })
            }
            Err(WebauthnError::CredentialPossibleCompromise) => {
                let act = confirms.map_or("sign-in", |_| "session-confirm");
                self.end_copied(&row, act).await?;
                Err(AppError::PasskeyCopied)
            }
            Err(_) => Err(failed()),
        }
    }

    /// The answer's signature holds, and what it counts was counted before: two have the key, and which of them is its
    /// owner nobody can say. Neither goes on with it, nor with what was opened before.
    async fn end_copied(&self, row: &PasskeyRow, act: &str) -> Result<(), AppError> {
        let (id, person, now) = (row.id, row.person, self.clock.now());
        let end = Change::Session(SessionChange::EndOthers { id: Uuid::nil(), person, now });
        let remove = Change::Credential(CredentialChange::Passkey(PasskeyChange::Remove { id, person }));
        // Once more, for what the other one opened while this waited for the passkey. Who was first to remove it has ended
        // the rest as well.
        let ended = self.store.apply(&[end.clone(), remove, end]).await?;
        tracing::error!(
            target: "security", %person, passkey = %id, ended,
            "a passkey counts backwards, so that somebody has a copy: it was removed, and all sessions of its person ended"
        );
        self.deny(person, Place::VAULT, act, AppError::PasskeyCopied.code()).await
    }

    /// Keeps what is needed to judge the answer.
    async fn begin(
        &self,
        kind: ChallengeKind,
        person: Option<PersonId>,
        state: &impl Serialize,
        options: serde_json::Value,
    ) -> Result<api::PasskeyRequest, AppError> {
        let id = base64url(&self.random());
        let hash = Digest::of(id.as_bytes());
        let expires = self.clock.now().saturating_add_millis(ANSWER_MS);
        let state = self.signin_key().await?.seal("passkey", &asked_by(person, &hash), &bytes(state)?)?;
        let challenge = Challenge { hash, kind, person, state, expires };
        self.change_credentials(vec![CredentialChange::Begin(challenge)]).await?;
        Ok(api::PasskeyRequest { id: id.to_string(), options, expires: expires.to_string() })
    }

    /// What was kept, once.
    async fn finish<T: DeserializeOwned>(
        &self,
        kind: ChallengeKind,
        person: Option<PersonId>,
        id: &str,
    ) -> Result<Option<T>, AppError> {
        let Some(challenge) = self.begun(kind, person, id).await? else { return Ok(None) };
        let hash = challenge.hash;
        let finish = Change::Credential(CredentialChange::Finish(hash));
        if !self.store.apply(&[finish]).await? {
            return Ok(None);
        }
        let state = self.signin_key().await?.open("passkey", &asked_by(person, &hash), &challenge.state)?;
        serde_json::from_slice(&state)
            .map(Some)
            .map_err(AppError::internal("reading what a passkey is asked"))
    }

    /// The rules of this vault's passkeys: its host, its origin.
    fn webauthn(&self) -> Result<Webauthn, AppError> {
        let unfit =
            || AppError::Invalid("passkeys need an `origin` with a name, not with an address".to_owned());
        let origin = Url::parse(self.web_origin()).map_err(|_| unfit())?;
        let host = self.passkey_host().ok_or_else(unfit)?;
        let builder = WebauthnBuilder::new(&host, &origin).map_err(|_| unfit())?;
        builder.rp_name("Custos").build().map_err(|_| unfit())
    }

    /// The name that passkeys answer to; none where the origin is an address.
    pub(super) fn passkey_host(&self) -> Option<String> {
        Url::parse(self.web_origin()).ok()?.domain().map(ToOwned::to_owned)
    }
}

/// A passkey that was shown and counts.
struct Shown {
    person: PersonId,
    /// That it was.
    used: PasskeyChange,
}

fn at_most(passkeys: usize) -> Result<(), AppError> {
    if passkeys < MAX_PASSKEYS {
        return Ok(());
    }
    Err(AppError::Invalid(format!("one has at most {MAX_PASSKEYS} passkeys: remove one first")))
}

fn asked_by(person: Option<PersonId>, hash: &Digest) -> Vec<u8> {
    let person = person.unwrap_or_else(|| PersonId::new(Uuid::nil()));
    [owner(&person), hash.as_bytes()].concat()
}

fn view(row: &PasskeyRow) -> api::PasskeyInfo {
    api::PasskeyInfo {
        id: row.id.to_string(),
        label: row.label.clone(),
        created: row.created.to_string(),
        used: row.used.map(|used| used.to_string()),
    }
}

fn refused(_: WebauthnError) -> AppError {
    AppError::Passkey
}

fn parsed<T: DeserializeOwned>(credential: &serde_json::Value) -> Result<T, AppError> {
    let unfit = |_| AppError::Invalid("credential: what the browser answered, as JSON".to_owned());
    serde_json::from_value(credential.clone()).map_err(unfit)
}

fn bytes(value: &impl Serialize) -> Result<Vec<u8>, AppError> {
    serde_json::to_vec(value).map_err(AppError::internal("writing what a passkey needs"))
}

fn json(value: &impl Serialize) -> Result<serde_json::Value, AppError> {
    serde_json::to_value(value).map_err(AppError::internal("writing what a passkey is asked"))
}
