//! Timestamp authorities, asked over HTTP (RFC 3161, section 3.4).
//!
//! An answer is believed only once its token is verified under the roots that the operator has configured: over what
//! was asked, with the nonce that was asked with. So plain HTTP is no danger, and most authorities offer nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::timestamp::{
    Anchors, AnchorsError, MAX_LEN, Nonce, QUERY_TYPE, REPLY_TYPE, TimestampError, Token, Verified, request,
};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use crate::engine::OsEntropy;
use crate::outside;

/// How long an authority may take to answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// No more are asked: two that know nothing of each other are enough.
const MAX_AUTHORITIES: usize = 2;
/// Days are the longest interval by which a bracket of 48 hours can be kept.
const MAX_HOURS: u32 = 24;

/// Who is asked, how often, and by which roots they are believed.
#[derive(Debug)]
pub struct Authorities {
    urls: Vec<Url>,
    roots: Anchors,
    every: Duration,
    http: reqwest::Client,
}

/// Why the authorities of a configuration cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthoritiesError {
    /// The file of roots cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file has no roots that could be trusted.
    #[error("{path} is no file of root certificates")]
    Roots {
        /// Which.
        path: PathBuf,
        /// Which rule it breaks.
        #[source]
        source: AnchorsError,
    },
    /// There are authorities and no roots: nobody could be believed.
    #[error("timestamp authorities need `timestamp_roots`")]
    NoRoots,
    /// An address that is none.
    #[error("`{0}` is not an address http://… or https://…")]
    Address(String),
    /// More authorities than are asked.
    #[error("at most two timestamp authorities are asked")]
    TooMany,
    /// An interval that leaves records without bounds, or asks all the time.
    #[error("`timestamp_hours` is from 1 to 24")]
    Hours,
    /// HTTP cannot be set up.
    #[error("the connection to timestamp authorities cannot be set up")]
    Http(#[source] reqwest::Error),
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The authority cannot be reached, or does not answer in time.
    #[error("it does not answer")]
    Network(#[from] reqwest::Error),
    /// It says no.
    #[error("it refuses with status {0}")]
    Refused(u16),
    /// What it sends is something else than a timestamp.
    #[error("its answer is no timestamp reply")]
    OtherType,
    /// What it sends is not to be believed.
    #[error("its answer is refused")]
    Token(#[from] TimestampError),
}

impl Authorities {
    /// Checks the configured addresses and reads the roots. Nothing if no authority is configured.
    pub fn load(urls: &[String], roots: Option<&Path>, hours: u32) -> Result<Option<Self>, AuthoritiesError> {
        if urls.is_empty() {
            return Ok(None);
        }
        if urls.len() > MAX_AUTHORITIES {
            return Err(AuthoritiesError::TooMany);
        }
        if !(1..=MAX_HOURS).contains(&hours) {
            return Err(AuthoritiesError::Hours);
        }
        let urls = urls.iter().map(|url| address(url)).collect::<Result<_, _>>()?;
        let path = roots.ok_or(AuthoritiesError::NoRoots)?;
        let read = |source| AuthoritiesError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > MAX_LEN as u64 {
            return Err(AuthoritiesError::Roots { path: path.to_owned(), source: AnchorsError::TooLong });
        }
        let roots = Anchors::parse(&std::fs::read(path).map_err(read)?)
            .map_err(|source| AuthoritiesError::Roots { path: path.to_owned(), source })?;
        let http = outside::client(PATIENCE).build().map_err(AuthoritiesError::Http)?;
        Ok(Some(Self { urls, roots, every: Duration::from_secs(u64::from(hours) * 60 * 60), http }))
    }

    /// Their numbers, from 1, and addresses.
    pub fn each(&self) -> impl Iterator<Item = (u8, &Url)> {
        (1..).zip(&self.urls)
    }

    /// How much time lies between two time stamps at most.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// Asks one of them for a token over a digest, and verifies it.
    pub async fn ask(&self, url: &Url, digest: &Digest) -> Result<(Token, Verified), AskError> {
        let nonce = Nonce::new(u64::from_be_bytes(OsEntropy.array()));
        let query = request(digest, nonce);
        let asked = self.http.post(url.clone()).header(CONTENT_TYPE, QUERY_TYPE).body(query);
        let response = asked.send().await?;
        let status = response.status();
        if !status.is_success() {
            return Err(AskError::Refused(status.as_u16()));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_reply = content_type.is_some_and(|value| {
            value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case(REPLY_TYPE))
        });
        if !is_reply {
            return Err(AskError::OtherType);
        }
        let bytes = outside::body(response, MAX_LEN).await?.ok_or(TimestampError::TooLong)?;
        let token = Token::from_response(&bytes)?;
        let verified = token.verify(digest, Some(nonce), &self.roots)?;
        Ok((token, verified))
    }
}

fn address(url: &str) -> Result<Url, AuthoritiesError> {
    let wrong = || AuthoritiesError::Address(url.to_owned());
    let parsed = Url::parse(url).map_err(|_| wrong())?;
    let plain = parsed.username().is_empty() && parsed.password().is_none();
    let web = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
    if web && plain { Ok(parsed) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_refused_at_the_start() {
        let load = |urls: &[&str], roots: Option<&Path>, hours| {
            let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
            Authorities::load(&urls, roots, hours)
        };
        assert!(load(&[], None, 24).unwrap().is_none());
        assert!(matches!(load(&["http://a.example"], None, 24), Err(AuthoritiesError::NoRoots)));
        assert!(matches!(load(&["ftp://a.example"], None, 24), Err(AuthoritiesError::Address(_))));
        assert!(matches!(load(&["http://u:p@a.example"], None, 24), Err(AuthoritiesError::Address(_))));
        assert!(matches!(load(&["http://a.example"], None, 25), Err(AuthoritiesError::Hours)));
        assert!(matches!(load(&["http://a"; 3], None, 24), Err(AuthoritiesError::TooMany)));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("roots.pem");
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(load(&["http://a"], Some(&file), 24), Err(AuthoritiesError::Roots { .. })));
    }
}
