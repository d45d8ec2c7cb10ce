//! The witnesses of a policy file, asked together until their quorum is met.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use custody::note::{NoteError, SignedNote};
use custody::policy::{MAX_POLICY_LEN, Policy, PolicyError};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::Url;
use tokio::time::Instant;

use super::roots::trusting;
use super::witness::{AskError, Question, Witness};
use super::{Stop, WitnessStatus};
use crate::outside;
use crate::store::{Store, StoreError};

/// How long a witness may take to answer, unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the others may still take once the quorum is met.
const GRACE: Duration = Duration::from_millis(200);
/// The largest file of certificates, in bytes.
const MAX_ROOTS_LEN: u64 = 1 << 20;

/// Who is asked, and which of them are enough.
#[derive(Debug)]
pub struct Witnesses {
    policy: Policy,
    http: reqwest::Client,
    patience: Duration,
    each: Vec<Witness>,
}

/// Why the witnesses of a configuration cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessesError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that is far larger than any policy or list of certificates.
    #[error("{0} is too large")]
    TooLarge(PathBuf),
    /// The file is not a policy.
    #[error("{path} is not a policy")]
    Policy {
        /// Which.
        path: PathBuf,
        /// Which line breaks which rule.
        #[source]
        source: PolicyError,
    },
    /// A witness's address is not one, or is not safe.
    #[error("the address of witness {0} is not https://…, nor http://… on this machine")]
    Address(String),
    /// The witnesses that have an address can never be enough.
    #[error("the witnesses that have an address are not enough for the quorum")]
    Unreachable,
    /// The file of certificates is not PEM.
    #[error("{path} is not the PEM file expected")]
    Pem {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The file of certificates holds none, or one that cannot be used.
    #[error("{path} has no certificates that could be trusted")]
    Roots {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// HTTP cannot be set up.
    #[error("the connection to witnesses cannot be set up")]
    Http(#[source] reqwest::Error),
}

/// What came of asking once.
pub(super) enum Round {
    /// The checkpoint with all cosignatures: the quorum is met.
    Quorum(SignedNote),
    /// Too few cosigned.
    Missed,
    /// Too few cosigned, because another process of this vault had them cosign more meanwhile.
    Overtaken,
    /// A witness knows more than the vault: nothing more must be published.
    Stop(Stop),
}

impl Witnesses {
    /// Reads a policy (C2SP tlog-policy) and, where given, the certificates that its witnesses' HTTPS is trusted by,
    /// instead of the system's: of authorities, or of the witnesses themselves.
    pub fn load(policy: &Path, roots: Option<&Path>) -> Result<Self, WitnessesError> {
        let bytes = read(policy, MAX_POLICY_LEN as u64)?;
        let malformed = |source| WitnessesError::Policy { path: policy.to_owned(), source };
        let policy = Policy::parse(&bytes).map_err(malformed)?;
        let mut http = outside::client(PATIENCE);
        if let Some(roots) = roots {
            let pem = read(roots, MAX_ROOTS_LEN)?;
            http = http.tls_backend_preconfigured(trusting(roots, &pem)?);
        }
        Self::new(policy, http.build().map_err(WitnessesError::Http)?)
    }

    fn new(policy: Policy, http: reqwest::Client) -> Result<Self, WitnessesError> {
        let mut each = Vec::new();
        for witness in policy.witnesses() {
            let name = String::from_utf8_lossy(witness.name()).into_owned();
            let Some(url) = witness.url() else { continue };
            let url = address(url).ok_or_else(|| WitnessesError::Address(name.clone()))?;
            each.push(Witness::new(name, witness.key().clone(), url));
        }
        let reachable: Vec<_> = each.iter().map(|witness| &witness.key).collect();
        if !policy.quorum_met(&reachable) {
            return Err(WitnessesError::Unreachable);
        }
        Ok(Self { policy, http, patience: PATIENCE, each })
    }

    /// Waits `patience` for each answer, instead of five seconds.
    #[must_use]
    pub const fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What each said last.
    pub(super) fn status(&self) -> Vec<WitnessStatus> {
        let status = |witness: &Witness| WitnessStatus {
            name: witness.name.clone(),
            size: witness.size,
            trouble: witness.trouble.clone(),
        };
        self.each.iter().map(status).collect()
    }

    /// In how long one of them may be asked again.
    pub(super) fn next_due(&self) -> Duration {
        let due = self.each.iter().map(Witness::due).min();
        due.map_or(self.patience, |due| due.saturating_duration_since(Instant::now()))
    }

    /// Asks everybody who is due for a cosignature over the checkpoint `note` of `size` entries.
    pub(super) async fn ask(
        &mut self,
        store: &Store,
        size: u64,
        note: &SignedNote,
    ) -> Result<Round, StoreError> {
        let now = Instant::now();
        let (http, patience) = (self.http.clone(), self.patience);
        let log = store.read().await?.vault().await?.map(|vault| vault.log_vkey).unwrap_or_default();
        let question = Question { http: &http, patience, store, size, note, log: &log };
        let due = self.each.iter().enumerate().filter(|(_, witness)| witness.is_due(size, now));
        let mut asked: FuturesUnordered<_> = due
            .map(|(index, witness)| {
                let (url, key, old) = witness.address();
                let question = &question;
                async move { (index, question.ask(url, key, old).await) }
            })
            .collect();
        // Where the quorum is met, whoever is slow is not waited for; what it cosigned meanwhile it says next time.
        let mut until = now + 2 * patience;
        let (mut met, mut overtaken) = (self.quorum_met(size), false);
        loop {
            if met {
                until = until.min(Instant::now() + GRACE);
            }
            let Ok(Some((index, answer))) = tokio::time::timeout_at(until, asked.next()).await else { break };
            let error = match answer {
                Ok(signature) => {
                    self.each[index].note(size, Ok(signature));
                    met = met || self.quorum_met(size);
                    continue;
                }
                Err(AskError::Store(error)) => return Err(error),
                Err(error) => error,
            };
            let stop = self.contradiction(store, index, &error).await?;
            if let Some(stop) = stop {
                self.each[index].note(size, Err(&error));
                return Ok(Round::Stop(stop));
            }
            let elsewhere = match error {
                AskError::Ahead(seen) => {
                    let newest = store.read().await?.newest_checkpoint().await?.map_or(0, |row| row.size);
                    self.each[index].was_asked(seen, newest)
                }
                _ => false,
            };
            if elsewhere {
                overtaken = true;
            } else {
                self.each[index].note(size, Err(&error));
            }
        }
        if !met && overtaken {
            return Ok(Round::Overtaken);
        }
        if !met {
            return Ok(Round::Missed);
        }
        let mut note = note.clone();
        for signature in self.each.iter().filter_map(|witness| witness.cosignature(size)) {
            let added: Result<(), NoteError> = note.add(signature.clone());
            added
                .map_err(|_| StoreError::Inconsistent("a checkpoint has more signatures than a note can"))?;
        }
        Ok(Round::Quorum(note))
    }

    /// Whether an answer says that the database is not what was cosigned.
    async fn contradiction(
        &self,
        store: &Store,
        index: usize,
        error: &AskError,
    ) -> Result<Option<Stop>, StoreError> {
        let witness = self.each[index].name.clone();
        match *error {
            AskError::Forked => Ok(Some(Stop::Forked { witness })),
            AskError::Ahead(seen) => {
                // Another process of this vault may have committed and published meanwhile.
                let head = store.read().await?.log_head().await?.ok_or(StoreError::NoVault)?;
                let database = head.size();
                Ok((seen > database).then_some(Stop::SetBack { witness, seen, database }))
            }
            _ => Ok(None),
        }
    }

    fn quorum_met(&self, size: u64) -> bool {
        let cosigned = self.each.iter().filter(|witness| witness.cosignature(size).is_some());
        let cosigned: Vec<_> = cosigned.map(|witness| &witness.key).collect();
        self.policy.quorum_met(&cosigned)
    }
}

/// Where a witness takes checkpoints; nothing unless it is reached over HTTPS or is this machine.
fn address(url: &str) -> Option<Url> {
    let url = Url::parse(&format!("{}/add-checkpoint", url.trim_end_matches('/'))).ok()?;
    let host = url.host_str()?;
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (safe && plain && url.password().is_none()).then_some(url)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, WitnessesError> {
    use std::io::Read as _;
    let failed = |source| WitnessesError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit { Err(WitnessesError::TooLarge(path.to_owned())) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_reached_over_https_or_on_this_machine() {
        let reached = |url| address(url).map(|url| url.to_string());
        assert_eq!(reached("https://w.example/a/").as_deref(), Some("https://w.example/a/add-checkpoint"));
        assert_eq!(reached("http://127.0.0.1:7/").as_deref(), Some("http://127.0.0.1:7/add-checkpoint"));
        assert!(reached("http://[::1]:7").is_some() && reached("http://localhost").is_some());
        for other in [
            "http://w.example",
            "http://10.0.0.1",
            "http://127.0.0.1.example",
            "ftp://127.0.0.1",
            "https://u:p@w.example",
            "https://w.example/?q",
            "w.example",
            "",
        ] {
            assert_eq!(reached(other), None, "{other}");
        }
    }
}
