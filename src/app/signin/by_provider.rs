//! Outside providers: signing in as whoever one says it is, and linking that to oneself first.
//!
//! Whose a provider's name for somebody is, its person says, once, in a session of their own or with their first token,
//! by coming back from the provider. Nothing else that a provider says is looked at, least of all an address of mail:
//! whoever can have one entered there would be somebody here.

use custody::digest::Digest;
use custody::id::PersonId;
use custody::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::secrets::{base64url, owner};
use super::session::{NewSession, Opened};
use crate::api;
use crate::app::token::check_label;
use crate::app::{App, AppError, SignedIn};
use crate::providers::{Asked, CameBack, NotSaid, Provider, Somebody};
use crate::store::{
    Challenge, ChallengeKind, Change, CredentialChange, LinkChange, LinkRow, MAX_LINKS, Method, SessionChange,
};

/// Whoever was sent to a provider comes back within this time.
const RETURN_MS: i64 = 10 * 60 * 1_000;

/// What is kept, sealed, while somebody is at a provider.
#[derive(Serialize, Deserialize)]
struct Pending {
    provider: String,
    state: Zeroizing<String>,
    nonce: Zeroizing<String>,
    verifier: Zeroizing<String>,
    began: Timestamp,
}

impl Pending {
    fn asked(&self, kind: ChallengeKind) -> Asked<'_> {
        let to_link = kind == ChallengeKind::NewLink;
        let Self { state, nonce, verifier, began, .. } = self;
        Asked { state, nonce, verifier, began: *began, to_link }
    }
}

impl App {
    /// The providers by which one may sign in here.
    pub fn providers(&self) -> api::Providers {
        api::Providers { providers: self.signin.providers.names().map(str::to_owned).collect() }
    }

    /// Where to send the browser of whoever wants to sign in.
    pub async fn ask_provider(&self, ask: &api::AskProvider) -> Result<api::ProviderRequest, AppError> {
        self.send_to(&ask.provider, ChallengeKind::Provider, None).await
    }

    /// Where to send the browser of whoever wants to sign in by a provider from now on.
    pub async fn begin_link(
        &self,
        who: &SignedIn,
        ask: &api::AskProvider,
    ) -> Result<api::ProviderRequest, AppError> {
        self.may_set_up(who, "provider-linked").await?;
        self.send_to(&ask.provider, ChallengeKind::NewLink, Some(who.person)).await
    }

    /// Signs in as whoever the provider says it is. Whatever is wrong, and whoever it is, the answer is the same.
    pub async fn sign_in_by_provider(&self, ask: &api::ProviderSignIn) -> Result<Opened, AppError> {
        check_label(&ask.label)?;
        let failed = || {
            tracing::warn!(target: "security", "sign-in by provider failed");
            AppError::SignInFailed
        };
        let back = CameBack {
            provider: &ask.provider,
            code: ask.code.expose(),
            state: ask.state.expose(),
            iss: ask.iss.as_deref(),
        };
        let back = self.came_back(ChallengeKind::Provider, None, ask.id.expose(), &back).await?;
        let (subject, _, somebody) = back.ok_or_else(failed)?;
        let row = self.store.read().await?.link(&subject).await?.ok_or_else(failed)?;
        let new = NewSession { person: row.person, label: &ask.label, method: Method::Provider };
        let (secret, mut session) = self.make_session(&new)?;
        session.confirmed = somebody.two_factors.then_some(session.created);
        let used = LinkChange::Use { id: row.id, now: session.created };
        let opened = self.opened(&session, secret, None);
        let changes =
            [Change::Credential(CredentialChange::Link(used)), Change::Session(SessionChange::Open(session))];
        // It was removed at that moment.
        if !self.store.apply(&changes).await? {
            return Err(failed());
        }
        tracing::info!(target: "security", person = %row.person, method = "provider", "signed in");
        Ok(opened)
    }

    /// Links whoever the provider says it is to whoever asks.
    pub async fn add_link(
        &self,
        who: &SignedIn,
        back: &api::NewProviderLink,
    ) -> Result<api::ProviderLink, AppError> {
        self.may_set_up(who, "provider-linked").await?;
        let came = CameBack {
            provider: &back.provider,
            code: back.code.expose(),
            state: back.state.expose(),
            iss: back.iss.as_deref(),
        };
        let found = self.came_back(ChallengeKind::NewLink, Some(who.person), back.id.expose(), &came).await?;
        let (subject, provider, _) = found.ok_or(AppError::ProviderRefused)?;
        if self.store.read().await?.links_of(who.person).await?.len() >= MAX_LINKS {
            return Err(AppError::Invalid("one has at most 20 links: remove one first".to_owned()));
        }
        let row = LinkRow {
            id: Uuid::now_v7(),
            subject,
            person: who.person,
            provider,
            created: self.clock.now(),
            used: None,
        };
        let view = view(&row);
        self.set_up(who, vec![CredentialChange::Link(LinkChange::Add(row))]).await?;
        tracing::info!(target: "security", person = %who.person, "provider linked");
        Ok(view)
    }

    /// Removes one of one's own names at providers.
    pub async fn remove_link(&self, who: &SignedIn, id: Uuid) -> Result<(), AppError> {
        self.may_set_up(who, "provider-removed").await?;
        if !self.store.read().await?.links_of(who.person).await?.iter().any(|row| row.id == id) {
            return Err(AppError::NotFound("link"));
        }
        let remove = LinkChange::Remove { id, person: who.person };
        self.set_up(who, vec![CredentialChange::Link(remove)]).await?;
        tracing::info!(target: "security", person = %who.person, "provider removed");
        Ok(())
    }

    /// A person's names at providers.
    pub(super) async fn links(&self, person: PersonId) -> Result<Vec<api::ProviderLink>, AppError> {
        Ok(self.store.read().await?.links_of(person).await?.iter().map(view).collect())
    }

    async fn send_to(
        &self,
        provider: &str,
        kind: ChallengeKind,
        person: Option<PersonId>,
    ) -> Result<api::ProviderRequest, AppError> {
        let provider = self.provider(provider)?;
        let random = || base64url(&self.random());
        let now = self.clock.now();
        let pending = Pending {
            provider: provider.name().to_owned(),
            state: random(),
            nonce: random(),
            verifier: random(),
            began: now,
        };
        let url = provider.ask(&pending.asked(kind), now).await.map_err(|error| {
            tracing::error!(provider = provider.name(), %error, "nobody can be sent to a provider");
            AppError::ProviderSilent
        })?;
        let id = random();
        let hash = Digest::of(id.as_bytes());
        let state = serde_json::to_vec(&pending).map_err(AppError::internal("writing what is asked"))?;
        let state = self.signin_key().await?.seal("provider", &asked_by(person, &hash), &state)?;
        let expires = now.saturating_add_millis(RETURN_MS);
        let challenge = Challenge { hash, kind, person, state, expires };
        self.change_credentials(vec![CredentialChange::Begin(challenge)]).await?;
        Ok(api::ProviderRequest { id: id.as_str().into(), url, expires: expires.to_string() })
    }

    /// Who came back, if that counts: their keyed name and the provider. What was begun is used up either way, once the
    /// provider can be asked at all.
    async fn came_back(
        &self,
        kind: ChallengeKind,
        person: Option<PersonId>,
        id: &str,
        back: &CameBack<'_>,
    ) -> Result<Option<(Digest, String, Somebody)>, AppError> {
        let hash = Digest::of(id.as_bytes());
        let Some(challenge) = self.begun(kind, person, id).await? else { return Ok(None) };
        let key = self.signin_key().await?;
        let state = key.open("provider", &asked_by(person, &hash), &challenge.state)?;
        let pending: Pending =
            serde_json::from_slice(&state).map_err(AppError::internal("reading what was asked"))?;
        // Its name may have gone from the configuration meanwhile.
        let Some(provider) = self.signin.providers.of_name(&pending.provider) else { return Ok(None) };
        let silent = |error: NotSaid| {
            tracing::error!(provider = provider.name(), %error, "a provider cannot be asked");
            AppError::ProviderSilent
        };
        let turn = provider.turn(self.clock.now()).await.map_err(silent)?;
        if !self.store.apply(&[Change::Credential(CredentialChange::Finish(hash))]).await? {
            return Ok(None);
        }
        match provider.judge(turn, &pending.asked(kind), back, self.clock.now()).await {
            Ok(somebody) => {
                let parts = [&b"provider"[..], provider.issuer().as_bytes(), somebody.sub.as_bytes()];
                Ok(Some((key.hash(&parts), pending.provider, somebody)))
            }
            Err(NotSaid::Refused(rule)) => {
                let provider = provider.name();
                tracing::warn!(target: "security", provider, rule, "what came back from a provider was refused");
                Ok(None)
            }
            Err(error) => Err(silent(error)),
        }
    }

    fn provider(&self, name: &str) -> Result<&Provider, AppError> {
        self.signin.providers.of_name(name).ok_or(AppError::NotFound("provider"))
    }
}

fn asked_by(person: Option<PersonId>, hash: &Digest) -> Vec<u8> {
    let person = person.unwrap_or_else(|| PersonId::new(Uuid::nil()));
    [owner(&person), hash.as_bytes()].concat()
}

fn view(row: &LinkRow) -> api::ProviderLink {
    api::ProviderLink {
        id: row.id.to_string(),
        provider: row.provider.clone(),
        created: row.created.to_string(),
        used: row.used.map(|used| used.to_string()),
    }
}
