//! Which log, and by what it is known: nothing is trusted on first use.

use std::path::Path;

use custody::digest::Digest;
use custody::note::VerifierKey;
use serde_json::json;

use super::{Global, Out, session};
use crate::cli::failure::{Exit, Failure};
use crate::client::Profile;
use crate::client::log::{KnownLog, LogError, Source};

/// What a log is known by, where the profile does not say it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct Whose {
    /// The log's verifier key; without it the profile's
    #[arg(long, value_name = "VKEY")]
    pub(in crate::cli) vkey: Option<VerifierKey>,
    /// SHA-256 of the server's certificate; without it the profile's
    #[arg(long, value_name = "HEX")]
    pub(in crate::cli) fingerprint: Option<Digest>,
}

impl Whose {
    /// The log.
    pub(in crate::cli) fn log(&self, global: &Global) -> Result<KnownLog, Failure> {
        if let Some(vkey) = &self.vkey {
            return Ok(vkey.clone().into());
        }
        let profile = profile(global, "give the log's verifier key: --vkey")?;
        let trust = profile.trust();
        Ok(KnownLog { logs: trust.logs().clone(), vault: Some(trust.known()) })
    }

    /// The place: an address, or a folder; without one, the profile's vault.
    pub(in crate::cli) fn source(&self, global: &Global, place: Option<&str>) -> Result<Source, Failure> {
        match place {
            Some(place) if !Source::is_address(place) => {
                if place.contains("://") {
                    return Err(Failure::usage(format!(
                        "`{place}` is neither a folder nor an address with https"
                    )));
                }
                Ok(Source::folder(Path::new(place)))
            }
            Some(url) => {
                let pin = match self.fingerprint {
                    Some(pin) => pin,
                    None => profile(global, PIN)?.tls_of(url).ok_or_else(|| {
                        Failure::usage("the profile is that of another server, and no certificate is trusted on first use").hint(PIN)
                    })?,
                };
                Ok(Source::address(url, pin)?)
            }
            None => {
                let profile = session::profile(global)?;
                Ok(Source::address(profile.url(), profile.tls())?)
            }
        }
    }
}

const PIN: &str = "give the SHA-256 of the server's certificate: --fingerprint";

fn profile(global: &Global, instead: &str) -> Result<Profile, Failure> {
    session::profile(global).map_err(|failure| failure.hint(format!("log in, or {instead}")))
}

/// A log that could not be followed, as a failure; a finding is also a document.
pub(in crate::cli) fn failed(error: LogError, out: Out) -> Failure {
    match error {
        LogError::Client(error) => error.into(),
        LogError::Found { finding, detail, evidence } => {
            if out.json() {
                out.document(&json!({ "finding": finding.name(), "detail": detail, "evidence": evidence }));
            }
            for path in &evidence {
                out.say(&format!("evidence: {}", path.display()));
            }
            Failure::new(format!("{finding}: {detail}"))
                .exits(Exit::VerificationFailed)
                .hint(finding.remedy())
        }
    }
}
