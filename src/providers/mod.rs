//! Outside providers that say who somebody is: `OpenID` Connect, the code flow with PKCE.
//!
//! Only providers that the operator names are asked, at their own hosts, and what they answer is capped and judged: by
//! whom it was signed, for whom, in answer to what, and when. Of what they say only issuer and `sub` are used.

mod asking;
mod settings;
mod token;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use custody::time::Timestamp;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;
use zeroize::Zeroizing;

pub use settings::{ProvidersError, load};

use asking::{Fetched, Metadata};

/// What was fetched counts for so long.
const FRESH_MS: i64 = 60 * 60 * 1_000;
/// Requests for what a provider publishes, at once and per minute: strangers cause them.
const FETCHES: NonZeroU32 = NonZeroU32::new(12).unwrap();
/// Exchanges of codes with one provider, at once and per minute: strangers cause them, too.
const EXCHANGES: NonZeroU32 = NonZeroU32::new(120).unwrap();
/// Exchanges that wait for one provider at a time.
const AT_ONCE: usize = 16;

/// The providers that the operator names.
#[derive(Debug, Default)]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// Their names, in the order of the configuration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|provider| provider.name.as_str())
    }

    /// The one with this name.
    pub fn of_name(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.name == name)
    }
}

/// A provider.
#[derive(Debug)]
pub struct Provider {
    name: String,
    issuer: String,
    client_id: String,
    secret: Zeroizing<String>,
    redirect: String,
    algorithms: Vec<Algorithm>,
    /// Where it and its endpoints may be.
    hosts: Vec<String>,
    plain: bool,
    second_factor: SecondFactor,
    http: reqwest::Client,
    known: RwLock<Option<Fetched>>,
    fetches: DefaultDirectRateLimiter,
    exchanges: DefaultDirectRateLimiter,
    at_once: Semaphore,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
    /// How often that has ended, well or not.
    fetched: AtomicU64,
}

/// One exchange with a provider that may begin.
#[derive(Debug)]
pub struct Turn<'a> {
    metadata: Metadata,
    _place: SemaphorePermit<'a>,
}

/// When signing in at a provider is worth two factors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct SecondFactor {
    always: bool,
    acr: Vec<String>,
    amr: Vec<String>,
}

/// What is kept while somebody is at the provider.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// What the answer must say again.
    pub state: &'a str,
    /// What the token must say again.
    pub nonce: &'a str,
    /// What the code is exchanged with (PKCE).
    pub verifier: &'a str,
    /// When somebody was sent.
    pub began: Timestamp,
    /// Whether they are to be linked with whoever asks: then whoever is signed in there already is asked anew who they are.
    pub to_link: bool,
}

/// What somebody came back with.
#[derive(Debug, Clone)]
pub struct CameBack<'a> {
    /// The provider in whose address.
    pub provider: &'a str,
    /// Exchanged for the token.
    pub code: &'a str,
    /// As asked.
    pub state: &'a str,
    /// The issuer, where it says so (RFC 9207).
    pub iss: Option<&'a str>,
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Somebody {
    /// The provider's name for the person.
    pub sub: String,
    /// Whether the provider asked for two factors, in this round and not some time before.
    pub two_factors: bool,
}

/// Why nobody is signed in. None of it is repeated to whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSaid {
    /// The provider does not answer, or not as it should.
    #[error("the provider: {0}")]
    Unreachable(&'static str),
    /// What came back, or what the provider said to it, does not count.
    #[error("not counted: {0}")]
    Refused(&'static str),
}

impl Provider {
    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name for the world.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where to send somebody's browser.
    pub async fn ask(&self, asked: &Asked<'_>, now: Timestamp) -> Result<String, NotSaid> {
        let mut url = self.fetched(now, false).await?.metadata.authorization;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", "openid")
            .append_pair("state", asked.state)
            .append_pair("nonce", asked.nonce)
            .append_pair("code_challenge", &token::challenge(asked.verifier))
            .append_pair("code_challenge_method", "S256");
        if !self.second_factor.acr.is_empty() {
            query.append_pair("acr_values", &self.second_factor.acr.join(" "));
        }
        if asked.to_link {
            query.append_pair("prompt", "login");
        }
        // Whoever is signed in there would come back without having shown anything.
        if asked.to_link || self.second_factor.may_be_shown() {
            query.append_pair("max_age", "0");
        }
        drop(query);
        Ok(url.into())
    }

    /// What is needed to judge who comes back. Where it cannot be had, nothing is used up yet, and one may come again.
    pub async fn turn(&self, now: Timestamp) -> Result<Turn<'_>, NotSaid> {
        let busy = NotSaid::Unreachable("it was asked too often who somebody is");
        let place = self.at_once.try_acquire().map_err(|_| busy.clone())?;
        let metadata = self.fetched(now, false).await?.metadata;
        self.exchanges.check().map_err(|_| busy)?;
        Ok(Turn { metadata, _place: place })
    }

    /// Who came back.
    pub async fn judge(
        &self,
        turn: Turn<'_>,
        asked: &Asked<'_>,
        back: &CameBack<'_>,
        now: Timestamp,
    ) -> Result<Somebody, NotSaid> {
        if !token::same(asked.state, back.state) {
            return Err(NotSaid::Refused("state"));
        }
        // A code of another provider's that took its place would be shown to this one.
        if back.provider != self.name {
            return Err(NotSaid::Refused("the address that somebody came back to"));
        }
        match back.iss {
            Some(iss) if iss != self.issuer => return Err(NotSaid::Refused("iss of the answer")),
            None if turn.metadata.says_iss => return Err(NotSaid::Refused("no iss in the answer")),
            _ => {}
        }
        let token = self.exchange(&turn.metadata, back.code, asked.verifier).await?;
        let header = token::header(&token, &self.algorithms)?;
        let mut claims = token::verify(&token, &header, &self.keys(now, false).await?);
        if claims == Err(NotSaid::Refused(token::NO_KEY)) {
            // The provider may have a new key.
            claims = token::verify(&token, &header, &self.keys(now, true).await?);
        }
        let claims = claims?;
        claims.check(&self.issuer, &self.client_id, asked.nonce, now)?;
        let anew = claims.is_since(asked.began, now);
        if asked.to_link && !anew {
            return Err(NotSaid::Refused("auth_time"));
        }
        Ok(Somebody { two_factors: anew && self.second_factor.was_shown(&claims), sub: claims.sub })
    }

    async fn keys(&self, now: Timestamp, anew: bool) -> Result<Vec<Jwk>, NotSaid> {
        Ok(self.fetched(now, anew).await?.keys)
    }

    /// What the provider publishes: as fetched lately, or fetched now. What is fetched replaces all before.
    async fn fetched(&self, now: Timestamp, anew: bool) -> Result<Fetched, NotSaid> {
        let before = self.fetched.load(Ordering::Acquire);
        if let Some(fresh) = self.fresh(now).filter(|_| !anew) {
            return Ok(fresh);
        }
        let _alone = self.fetching.lock().await;
        if self.fetched.load(Ordering::Acquire) != before {
            // Whoever else has asked meanwhile has asked for all who waited.
            return self.fresh(now).ok_or(NotSaid::Unreachable("it has just not answered"));
        }
        if self.fetches.check().is_err() {
            return Err(NotSaid::Unreachable("it was asked too often what it publishes"));
        }
        let fetched = self.fetch(now).await;
        if let Ok(fetched) = &fetched {
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(fetched.clone());
        }
        self.fetched.fetch_add(1, Ordering::Release);
        fetched
    }

    fn fresh(&self, now: Timestamp) -> Option<Fetched> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| known.at.saturating_add_millis(FRESH_MS) > now)
    }

    /// Whether the vault speaks to this address: one of the hosts that the operator named, over TLS.
    fn is_own(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let sound = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let safe =
            url.scheme() == "https" || self.plain && url.scheme() == "http" && settings::is_loopback(url);
        sound && safe && self.hosts.iter().any(|known| known == host)
    }
}

impl SecondFactor {
    const fn may_be_shown(&self) -> bool {
        self.always || !self.acr.is_empty() || !self.amr.is_empty()
    }

    fn was_shown(&self, claims: &token::Claims) -> bool {
        let acr = claims.acr.as_ref().is_some_and(|acr| self.acr.contains(acr));
        self.always || acr || claims.amr.iter().any(|amr| self.amr.contains(amr))
    }
}

fn limiter(per_minute: NonZeroU32) -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_minute(per_minute))
}
