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
    Challenge, ChallengeKind, Change, CredentialChange, Method, PasskeyChange, PasskeyRow, SessionChange,
};

/// What an authenticator is asked for is answered within this time.
const ANSWER_MS: i64 = 5 * 60 * 1_000;
/// Most passkeys of one person.
const MAX_PASSKEYS: usize = 20;

impl App {
    /// Begins to make a passkey: what the browser is to ask the authenticator for.
    pub async fn begin_passkey(&self, who: &SignedIn) -> Result<api::PasskeyRequest, AppError> {
        self.may_set_up(who, "passkey-added").await?;
        let known = self.store.read().await?.passkeys_of(who.person).await?;
        if known.len() >= MAX_PASSKEYS {
            return Err(AppError::Invalid("one has at most 20 passkeys: remove one first".to_owned()));
        }
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
        let passkey = self.webauthn()?.finish_passkey_registration(&answer, &state).map_err(refused)?;
        let now = self.clock.now();
        let row = PasskeyRow {
            id: Uuid::now_v7(),
            credential: passkey.cred_id().clone(),
            person: who.person,
            label: new.label.clone(),
            key: bytes(&passkey)?,
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
        if !self.store.read().await?.passkeys_of(who.person).await?.iter().any(|row| row.id == id) {
            return Err(AppError::NotFound("passkey"));
        }
        let remove = CredentialChange::Passkey(PasskeyChange::Remove { id, person: who.person });
        self.set_up(who, vec![remove]).await?;
        tracing::info!(target: "security", person = %who.person, "passkey removed");
        Ok(())
    }

    /// A person's passkeys.
    pub(super) async fn passkeys(&self, person: PersonId) -> Result<Vec<api::PasskeyInfo>, AppError> {
        Ok(self.store.read().await?.passkeys_of(person).await?.iter().map(view).collect())
    }

    /// What a browser is to ask an authenticator for, whoever holds it.
    pub async fn ask_for_passkey(&self) -> Result<api::PasskeyRequest, AppError> {
        let (mut options, state) = self
            .webauthn()?
            .start_discoverable_authentication()
            .map_err(AppError::internal("asking for a passkey"))?;
        // Whether it waits until somebody clicks into a field is the page's business.
        options.mediation = None;
        self.begin(ChallengeKind::Passkey, None, &state, json(&options)?).await
    }

    /// Signs in with a passkey.
    pub async fn sign_in_by_passkey(&self, ask: &api::PasskeySignIn) -> Result<Opened, AppError> {
        check_label(&ask.label)?;
        let shown = self.shown(&ask.id, &ask.credential).await?;
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
        let shown = match self.shown(&proof.id, &proof.credential).await {
            Err(AppError::SignInFailed) => None,
            shown => Some(shown?),
        };
        let Some(shown) = shown.filter(|shown| shown.person == who.person) else {
            self.deny(who.person, Place::VAULT, "session-confirm", AppError::Passkey.code()).await?;
            return Err(AppError::Passkey);
        };
        self.confirm(who, session, CredentialChange::Passkey(shown.used)).await
    }

    /// Whose passkey was shown, if it counts. What was asked is used up either way.
    async fn shown(&self, id: &str, credential: &serde_json::Value) -> Result<Shown, AppError> {
        let failed = || {
            tracing::warn!(target: "security", "sign-in by passkey failed");
            AppError::SignInFailed
        };
        let state: Option<DiscoverableAuthentication> = self.finish(ChallengeKind::Passkey, None, id).await?;
        let state = state.ok_or_else(failed)?;
        let answer: PublicKeyCredential = parsed(credential)?;
        let webauthn = self.webauthn()?;
        let (whose, name) = webauthn.identify_discoverable_authentication(&answer).map_err(|_| failed())?;
        let found = self.store.read().await?.passkey(name).await?;
        let row = found.filter(|row| row.person.uuid() == whose).ok_or_else(failed)?;
        let mut passkey: Passkey =
            serde_json::from_slice(&row.key).map_err(AppError::internal("reading a passkey"))?;
        let key = DiscoverableKey::from(&passkey);
        match webauthn.finish_discoverable_authentication_v2(&answer, state, key) {
            Ok(result) => {
                passkey.update_credential(&result);
                let now = self.clock.now();
                let used = PasskeyChange::Use { id: row.id, new: bytes(&passkey)?, old: row.key, now };
                Ok(Shown { person: row.person, used })
            }
            // Its signature holds: somebody has the key, and somebody else has used it since.
            Err(WebauthnError::CredentialPossibleCompromise) => {
                tracing::error!(
                    target: "security", person = %row.person, passkey = %row.id,
                    "a passkey counts backwards: it may have been copied; remove it"
                );
                self.deny(row.person, Place::VAULT, "sign-in", "passkey-copied").await?;
                Err(AppError::SignInFailed)
            }
            Err(_) => Err(failed()),
        }
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
        let hash = Digest::of(id.as_bytes());
        let found = self.store.read().await?.challenge(&hash).await?;
        let now = self.clock.now();
        let asked = found.filter(|row| row.kind == kind && row.person == person && row.expires > now);
        let Some(challenge) = asked else { return Ok(None) };
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
        let host = origin.domain().ok_or_else(unfit)?.to_owned();
        let builder = WebauthnBuilder::new(&host, &origin).map_err(|_| unfit())?;
        builder.rp_name("Custos").build().map_err(|_| unfit())
    }
}

/// A passkey that was shown and counts.
struct Shown {
    person: PersonId,
    /// That it was.
    used: PasskeyChange,
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
