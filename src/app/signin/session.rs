//! Sessions: opaque, server-side, ended by time, by the person, and by suspension.

use custody::digest::Digest;
use custody::id::PersonId;
use custody::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::secrets::base64url;
use super::{By, BySession, hold};
use crate::api;
use crate::app::token::check_label;
use crate::app::{App, AppError, SignedIn};
use crate::store::{Change, CredentialChange, Method, Session, SessionChange};

/// Use is written down once a minute.
const SEEN_EVERY_MS: i64 = 60 * 1_000;
/// Days for which the list shows sessions that are over.
const REMEMBERED_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Characters of a secret: 32 bytes in base64url.
const SECRET_LEN: usize = 43;

/// The secret of a session, for its cookie.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    fn new(random: &[u8; 32]) -> Self {
        Self(base64url(random))
    }

    /// It has 256 random bits, so one plain hash guards it.
    fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    fn into_inner(self) -> Zeroizing<String> {
        self.0
    }
}

/// A session that was opened or goes on under a new secret.
pub struct Opened {
    /// What it is.
    pub session: api::Session,
    /// For the cookie.
    pub secret: Zeroizing<String>,
    /// For the cookie by which the browser is known again.
    pub device: Option<Zeroizing<String>>,
}

/// A session to be opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewSession<'a> {
    pub(super) person: PersonId,
    /// What the person calls the device.
    pub(super) label: &'a str,
    pub(super) method: Method,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("session", &self.session).finish_non_exhaustive()
    }
}

impl App {
    /// Opens a session with an API token, for a browser that was handed one. It ends with the token.
    pub async fn open_session(&self, who: &SignedIn, new: &api::NewSession) -> Result<Opened, AppError> {
        let By::Token { id, expires, .. } = &who.by else {
            return Err(AppError::Invalid(
                "a session is opened with an API token, or by signing in".to_owned(),
            ));
        };
        let new = NewSession { person: who.person, label: &new.label, method: Method::Token };
        let (secret, mut session) = self.make_session(&new)?;
        session.token = Some(*id);
        session.expires = session.expires.min(*expires);
        let opened = self.opened(&session, secret, None);
        if !self
            .store
            .apply(&[hold(who, session.created), Change::Session(SessionChange::Open(session))])
            .await?
        {
            return Err(AppError::Unauthenticated);
        }
        tracing::info!(target: "security", person = %who.person, method = "token", "session opened");
        Ok(opened)
    }

    /// Who presents this secret.
    pub async fn sign_in_by_session(&self, secret: &str) -> Result<SignedIn, AppError> {
        if secret.len() != SECRET_LEN {
            return Err(AppError::Unauthenticated);
        }
        let found = self.store.read().await?.session(&Digest::of(secret.as_bytes())).await?;
        let now = self.clock.now();
        let session = found.filter(|session| self.ends(session) > now).ok_or(AppError::Unauthenticated)?;
        if session.seen.saturating_add_millis(SEEN_EVERY_MS) <= now {
            let touch = SessionChange::Touch { id: session.id, now };
            self.store.apply(&[Change::Session(touch)]).await?;
        }
        let by = BySession {
            id: session.id,
            hash: session.hash,
            label: session.label,
            confirmed: session.confirmed,
            token: session.token,
        };
        Ok(SignedIn { person: session.person, by: By::Session(by), enrolment: None })
    }

    /// The session that this is asked with.
    pub async fn session(&self, who: &SignedIn) -> Result<api::Session, AppError> {
        let sessions = self.sessions(who).await?.sessions;
        sessions.into_iter().find(|session| session.current).ok_or(AppError::NotFound("session"))
    }

    /// One's own sessions, those that are over as long as they are remembered.
    pub async fn sessions(&self, who: &SignedIn) -> Result<api::Sessions, AppError> {
        let rows = self.store.read().await?.sessions_of(who.person).await?;
        let current = |session: &Session| matches!(&who.by, By::Session(by) if by.id == session.id);
        Ok(api::Sessions { sessions: rows.iter().map(|row| self.view(row, current(row))).collect() })
    }

    /// Ends one of one's own sessions.
    pub async fn end_session(&self, who: &SignedIn, id: Uuid) -> Result<(), AppError> {
        let end = SessionChange::End { id, person: who.person, now: self.clock.now() };
        let done = self.store.apply(&[Change::Session(end)]).await?;
        if !done {
            return Err(AppError::NotFound("session"));
        }
        tracing::info!(target: "security", person = %who.person, "session ended");
        Ok(())
    }

    /// Signs out.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), AppError> {
        match &who.by {
            By::Session(session) => self.end_session(who, session.id).await,
            By::Token { .. } | By::Certificate { .. } => Err(AppError::NotFound("session")),
        }
    }

    /// Ends all of one's own sessions but the one that this is asked with.
    pub async fn end_other_sessions(&self, who: &SignedIn) -> Result<(), AppError> {
        let id = match &who.by {
            By::Session(session) => session.id,
            By::Token { .. } | By::Certificate { .. } => Uuid::nil(),
        };
        let end = SessionChange::EndOthers { id, person: who.person, now: self.clock.now() };
        self.store.apply(&[Change::Session(end)]).await?;
        tracing::info!(target: "security", person = %who.person, "other sessions ended");
        Ok(())
    }

    /// Forgets sessions that have been over for a month.
    pub async fn forget_sessions(&self) -> Result<(), AppError> {
        let before = self.clock.now().saturating_add_millis(-REMEMBERED_MS);
        self.store.apply(&[Change::Session(SessionChange::Forget { before })]).await?;
        Ok(())
    }

    /// The session that this is asked with goes on under a new secret, confirmed, if what was shown counts.
    pub(super) async fn confirm(
        &self,
        who: &SignedIn,
        by: &BySession,
        spend: CredentialChange,
    ) -> Result<Opened, AppError> {
        let (secret, now) = (Secret::new(&self.random()), self.clock.now());
        let confirm = SessionChange::Confirm { id: by.id, old: by.hash, new: secret.hash(), now };
        if !self.store.apply(&[Change::Session(confirm), Change::Credential(spend)]).await? {
            return Err(AppError::WrongCode);
        }
        tracing::info!(target: "security", person = %who.person, "session confirmed");
        let session = self.store.read().await?.session(&secret.hash()).await?;
        Ok(self.opened(&session.ok_or(AppError::Unauthenticated)?, secret, None))
    }

    pub(super) fn opened(
        &self,
        session: &Session,
        secret: Secret,
        device: Option<Zeroizing<String>>,
    ) -> Opened {
        Opened { session: self.view(session, true), secret: secret.into_inner(), device }
    }

    pub(super) fn make_session(&self, new: &NewSession<'_>) -> Result<(Secret, Session), AppError> {
        let NewSession { person, label, method } = *new;
        check_label(label)?;
        let secret = Secret::new(&self.random());
        let created = self.clock.now();
        let session = Session {
            id: Uuid::now_v7(),
            hash: secret.hash(),
            person,
            label: label.to_owned(),
            method,
            token: None,
            created,
            seen: created,
            confirmed: None,
            expires: created.saturating_add_millis(self.signin.profile.absolute_ms()),
            ended: None,
        };
        Ok((secret, session))
    }

    /// When it ends if nobody uses it any more.
    fn ends(&self, session: &Session) -> Timestamp {
        let idle = session.seen.saturating_add_millis(self.signin.profile.idle_ms());
        idle.min(session.expires)
    }

    fn view(&self, session: &Session, current: bool) -> api::Session {
        let confirmed = |since: Timestamp| since.saturating_add_millis(self.signin.profile.confirmed_ms());
        api::Session {
            id: session.id.to_string(),
            label: session.label.clone(),
            method: crate::app::read::code(&session.method),
            created: session.created.to_string(),
            seen: session.seen.to_string(),
            idle_until: self.ends(session).to_string(),
            expires: session.expires.to_string(),
            confirmed_until: session.confirmed.map(|since| confirmed(since).to_string()),
            ended: session.ended.is_some() || self.ends(session) <= self.clock.now(),
            current,
        }
    }
}
