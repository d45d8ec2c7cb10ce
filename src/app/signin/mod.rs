//! Signing in: how people show who they are, and how long that counts.
//!
//! None of it is in the log of records: who signed in when is nobody's business but the operator's, and strangers could
//! fill it. It is told to the operator's security log, with ids and without names. What a signed-in person is refused is
//! a record like every refusal.

mod breached;
mod by_certificate;
mod by_passkey;
mod by_password;
mod by_provider;
mod codes;
mod guesses;
mod password;
mod profile;
mod secrets;
mod session;

use custody::digest::Digest;
use custody::id::PersonId;
use custody::kind::Kind;
use custody::time::Timestamp;
use tokio::sync::OnceCell;
use uuid::Uuid;

pub use breached::BreachedError;
pub use by_password::Where;
pub(crate) use guesses::DEVICE_DAYS;
pub use profile::Profile;
pub(super) use secrets::SCOPE;
pub use session::Opened;

use super::{App, AppError, SignedIn};
use crate::app::refuse::Place;
use crate::config::Config;
use crate::providers::Providers;
use crate::store::{Challenge, ChallengeKind, Change, CredentialChange, Maker, SessionChange};

/// What was configured.
#[derive(Debug, Default)]
pub(super) struct SignIn {
    profile: Profile,
    /// The address that people type, which browsers name as the origin of what the vault's own pages ask.
    origin: String,
    breached: breached::Breached,
    providers: Providers,
    hashing: password::Hashing,
    key: OnceCell<Box<secrets::SignInKey>>,
}

impl SignIn {
    pub(super) fn of(config: &Config, providers: Providers) -> Result<Self, BreachedError> {
        Ok(Self {
            profile: config.sign_in(),
            origin: config.origin().to_owned(),
            breached: breached::Breached::with(config.breached_passwords())?,
            providers,
            ..Self::default()
        })
    }
}

/// What somebody is signed in by.
#[derive(Debug, Clone)]
pub enum By {
    /// An API token.
    Token {
        /// Its `id`.
        id: Uuid,
        /// What the person called it.
        label: String,
        /// Until when it counts.
        expires: Timestamp,
    },
    /// A session.
    Session(BySession),
    /// The certificate of the connection.
    Certificate {
        /// Its `id`.
        id: Uuid,
        /// What the person called it.
        label: String,
    },
}

impl By {
    /// What the person called it.
    pub fn label(&self) -> &str {
        match self {
            Self::Token { label, .. } | Self::Certificate { label, .. } => label,
            Self::Session(session) => &session.label,
        }
    }
}

/// A session in use.
#[derive(Debug, Clone)]
pub struct BySession {
    /// Its `id`.
    pub id: Uuid,
    /// Hash of its secret.
    pub hash: Digest,
    /// What the person called the device.
    pub label: String,
    /// When the person last showed a second factor.
    pub confirmed: Option<Timestamp>,
    /// The token that opened it.
    pub token: Option<Uuid>,
}

impl App {
    /// The origin of the vault's own pages.
    pub fn web_origin(&self) -> &str {
        &self.signin.origin
    }

    /// Refuses, on record, a sensitive act by a session whose person has shown no second factor lately: an unlocked screen
    /// is not enough. A token acts as ever; it is no browser's, and what is worth more is signed with an own key.
    pub async fn confirmed(&self, who: &SignedIn, act: &str) -> Result<(), AppError> {
        let By::Session(session) = &who.by else { return Ok(()) };
        let until = |since: Timestamp| since.saturating_add_millis(self.signin.profile.confirmed_ms());
        if session.confirmed.is_some_and(|since| until(since) > self.clock.now()) {
            return Ok(());
        }
        self.deny(who.person, Place::VAULT, act, AppError::Unconfirmed.code()).await?;
        Err(AppError::Unconfirmed)
    }

    /// Refuses, on record, to change what somebody signs in with, unless they have just shown that they are who they are:
    /// by a second factor in this session, or by a token where there is nothing else to sign in with yet. A session that
    /// showed none sets nothing up: it could show what it set up itself.
    async fn may_set_up(&self, who: &SignedIn, act: &str) -> Result<(), AppError> {
        if let By::Session(_) = &who.by {
            return self.confirmed(who, act).await;
        }
        if !self.store.read().await?.has_credentials(who.person).await? {
            return Ok(());
        }
        // Whoever stole a token must not take the person's place for longer than it lasts.
        self.deny(who.person, Place::VAULT, act, AppError::Unconfirmed.code()).await?;
        Err(AppError::Unconfirmed)
    }

    async fn change_credentials(&self, changes: Vec<CredentialChange>) -> Result<(), AppError> {
        let changes: Vec<_> = changes.into_iter().map(Change::Credential).collect();
        if self.store.apply(&changes).await? { Ok(()) } else { Err(AppError::TooLate) }
    }

    /// What was begun under this id, if it was this, by this person, and there is time left.
    async fn begun(
        &self,
        kind: ChallengeKind,
        person: Option<PersonId>,
        id: &str,
    ) -> Result<Option<Challenge>, AppError> {
        let found = self.store.read().await?.challenge(&Digest::of(id.as_bytes())).await?;
        let now = self.clock.now();
        Ok(found.filter(|row| row.kind == kind && row.person == person && row.expires > now))
    }

    /// Changes what somebody signs in with, while what they ask with lasts, and ends all other sessions of theirs: whoever
    /// was let in by what was before is not let in any longer. With a token only where nothing is there yet, also of two
    /// who set something up at the same moment.
    async fn set_up(&self, who: &SignedIn, changes: Vec<CredentialChange>) -> Result<(), AppError> {
        let (person, now) = (who.person, self.clock.now());
        let (id, first) = match &who.by {
            By::Token { .. } => (Uuid::nil(), true),
            // It takes itself away.
            By::Certificate { .. } => (Uuid::nil(), false),
            By::Session(session) => (session.id, false),
        };
        let end = Change::Session(SessionChange::EndOthers { id, person, now });
        let turn = CredentialChange::Turn { person, first };
        // Sessions come before credentials, as everywhere, so that few wait for each other; and once more, since an attempt
        // may have opened one while this waited for what it changes.
        let changes: Vec<_> = [hold(who, now), end.clone()]
            .into_iter()
            .chain([turn].into_iter().chain(changes).map(Change::Credential))
            .chain([end])
            .collect();
        if self.store.apply(&changes).await? { Ok(()) } else { Err(AppError::TooLate) }
    }

    /// The same as [`confirmed`](Self::confirmed) for what the vault says on behalf of a session, where that is sensitive.
    pub async fn confirmed_to_say(&self, who: &SignedIn, kind: Kind) -> Result<(), AppError> {
        if is_sensitive(kind) { self.confirmed(who, kind.spec().name).await } else { Ok(()) }
    }
}

/// Sees to it that what somebody asks with lasts until what they ask for is done.
pub(super) const fn hold(who: &SignedIn, now: Timestamp) -> Change {
    let maker = match &who.by {
        By::Token { id, .. } => Maker::Token(*id),
        By::Session(session) => Maker::Session(session.id),
        By::Certificate { id, .. } => Maker::Certificate(*id),
    };
    Change::Hold { maker, person: who.person, now }
}

/// What an unlocked screen is not enough for: what lets somebody in, evidence out, or anything be destroyed.
const fn is_sensitive(kind: Kind) -> bool {
    use Kind::{BundleExported, KeyEnrolled, MemberAdded, PersonRestored, RoleGranted};
    use Kind::{DisposalApproved, DisposalProposed, HoldReleased};
    matches!(kind, RoleGranted | MemberAdded | KeyEnrolled | BundleExported | PersonRestored)
        || matches!(kind, DisposalApproved | DisposalProposed | HoldReleased)
}
