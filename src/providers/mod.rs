//! Outside providers that say who somebody is: `OpenID` Connect, the code flow with PKCE.
//!
//! Only providers that the operator names are asked, at their own hosts, and what they answer is capped and judged: by
//! whom it was signed, for whom, in answer to what, and when. Of what they say only issuer and `sub` are used.

mod asking;
mod settings;
mod token;

use std::sync::{PoisonError, RwLock};

use custody::time::Timestamp;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use url::Url;
use zeroize::Zeroizing;

pub use settings::{ProvidersError, load};

use asking::{Fetched, Metadata};

/// What was fetched counts for so long.
const FRESH_MS: i64 = 60 * 60 * 1_000;
/// Requests for what a provider publishes, at once and per minute: strangers cause them.
const FETCHES: std::num::NonZeroU32 = std::num::NonZeroU32::new(12).unwrap();

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
}

/// What somebody came back with.
#[derive(Debug, Clone)]
pub struct CameBack<'a> {
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
    /// Whether the provider asked for two factors.
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
        let metadata = self.metadata(now).await?;
        let mut url = metadata.authorization;
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
        drop(query);
        Ok(url.into())
    }

    /// Who came back.
    pub async fn judge(
        &self,
        asked: &Asked<'_>,
        back: &CameBack<'_>,
        now: Timestamp,
    ) -> Result<Somebody, NotSaid> {
        if !token::same(asked.state, back.state) {
            return Err(NotSaid::Refused("state"));
        }
        let metadata = self.metadata(now).await?;
        match back.iss {
            Some(iss) if iss != self.issuer => return Err(NotSaid::Refused("iss of the answer")),
            None if metadata.says_iss => return Err(NotSaid::Refused("no iss in the answer")),
            _ => {}
        }
        let token = self.exchange(&metadata, back.code, asked.verifier).await?;
        let header = token::header(&token, &self.algorithms)?;
        let mut claims = token::verify(&token, &header, &self.keys(now, false).await?);
        if claims == Err(NotSaid::Refused(token::NO_KEY)) {
            // The provider may have a new key.
            claims = token::verify(&token, &header, &self.keys(now, true).await?);
        }
        let claims = claims?;
        claims.check(&self.issuer, &self.client_id, asked.nonce, now)?;
        Ok(Somebody { two_factors: self.second_factor.was_shown(&claims), sub: claims.sub })
    }

    async fn metadata(&self, now: Timestamp) -> Result<Metadata, NotSaid> {
        Ok(self.fetched(now, false).await?.metadata)
    }

    async fn keys(&self, now: Timestamp, anew: bool) -> Result<Vec<Jwk>, NotSaid> {
        Ok(self.fetched(now, anew).await?.keys)
    }

    /// What the provider publishes: as fetched lately, or fetched now. What is fetched replaces all before.
    async fn fetched(&self, now: Timestamp, anew: bool) -> Result<Fetched, NotSaid> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh = known.filter(|known| known.at.saturating_add_millis(FRESH_MS) > now);
        if let Some(fresh) = fresh.filter(|_| !anew) {
            return Ok(fresh);
        }
        if self.fetches.check().is_err() {
            return Err(NotSaid::Unreachable("it was asked too often what it publishes"));
        }
        let fetched = self.fetch(now).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(fetched.clone());
        Ok(fetched)
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
    fn was_shown(&self, claims: &token::Claims) -> bool {
        let acr = claims.acr.as_ref().is_some_and(|acr| self.acr.contains(acr));
        self.always || acr || claims.amr.iter().any(|amr| self.amr.contains(amr))
    }
}

fn limiter() -> DefaultDirectRateLimiter {
    RateLimiter::direct(Quota::per_minute(FETCHES))
}
