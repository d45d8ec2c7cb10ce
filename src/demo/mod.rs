//! The whole story on real files: a vault is made, people are enrolled, evidence goes in, is looked at and changes
//! hands under two signatures, a bundle comes out and verifies, and one changed byte in a copy is found.
//!
//! Nothing is staged: a real server on the loopback interface, the real client with one profile and one key a person,
//! the court's verifier.

mod people;
mod sample;
mod story;
mod tamper;

use std::path::{Path, PathBuf};

use custody::digest::Digest;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::Out;
use crate::cli::failure::{Exit, Failure};
use crate::http::ServeError;

/// A demonstration in one folder.
#[derive(Debug)]
pub(crate) struct Demo {
    dir: PathBuf,
    out: Out,
}

/// What happened, as data.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    bundle: PathBuf,
    bundle_size: u64,
    case: String,
    checkpoint: PathBuf,
    entries: PathBuf,
    /// Items registered.
    exhibits: u64,
    exit_code: u8,
    findings: Vec<&'static str>,
    /// Findings that remain without the fingerprint and the public entries.
    findings_unpinned: Vec<&'static str>,
    fingerprint: Digest,
    /// Bytes taken in.
    payload_bytes: u64,
    profiles: PathBuf,
    receipts: u64,
    records: u64,
    /// How the changed byte shows.
    tamper_finding: Option<Finding>,
    tampered: PathBuf,
    tls_fingerprint: Digest,
    /// Milliseconds a step.
    timings_ms: Vec<(&'static str, u64)>,
    /// Items whose custody changed hands.
    transferred: u64,
    url: String,
    verdict: &'static str,
    version: &'static str,
}

/// One finding at its place.
#[derive(Debug, Serialize)]
struct Finding {
    code: &'static str,
    path: String,
    detail: String,
}

/// What this version of a vault cannot have yet; anything else makes the demonstration fail.
const EXPECTED: [&str; 2] = ["not-witnessed", "not-timestamped"];

impl Told {
    /// Whether the bundle verified and the tampering was found.
    pub(crate) fn held(&self) -> bool {
        let verified = match self.exit_code {
            0 => true,
            4 => self.findings.iter().all(|code| EXPECTED.contains(code)),
            _ => false,
        };
        verified && self.tamper_finding.is_some()
    }
}

/// The server of a demonstration.
#[derive(Debug)]
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// Lets the server finish what it has begun.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        // Without a receiver the server has ended by itself, and says why below.
        let _ = self.stop.send(());
        match self.serving.await {
            Ok(ended) => Ok(ended?),
            Err(_) => Err(Failure::new("the server broke off")),
        }
    }
}

impl Demo {
    /// Takes a folder that is absent or empty.
    pub(crate) fn begin(dir: &Path, out: Out) -> Result<Self, Failure> {
        let cannot =
            |error: &std::io::Error| Failure::new(format!("cannot use {}", dir.display())).because(error);
        let dir = std::path::absolute(dir).map_err(|error| cannot(&error))?;
        match std::fs::read_dir(&dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => {
                return Err(Failure::new(format!("{} is not empty", dir.display()))
                    .hint("nothing is ever overwritten: name another folder with --dir"));
            }
            Ok(false) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&dir).map_err(|error| cannot(&error))?;
            }
            Err(error) => return Err(cannot(&error)),
        }
        Ok(Self { dir, out })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// What somebody can do now.
pub(crate) fn how_to_go_on(told: &Told) -> String {
    let profile = |role: &str| told.profiles.join(role).join("profile.toml").display().to_string();
    format!(
        "\nThe vault keeps serving at {}. Go on in another terminal:\n\n  \
         custody-verify {} \\\n    --fingerprint {} \\\n    --entries {} --checkpoint {}\n  \
         custody-verify {}\n  \
         custos case list --profile {}\n  \
         custos custody case {} --profile {}\n  \
         custos item list {} --profile {}\n\nCtrl-C ends it.",
        told.url,
        told.bundle.display(),
        told.fingerprint,
        told.entries.display(),
        told.checkpoint.display(),
        told.tampered.display(),
        profile("investigator"),
        told.case,
        profile("prosecutor"),
        told.case,
        profile("custodian"),
    )
}

/// Why the demonstration failed although every step went through.
pub(crate) fn did_not_hold(told: &Told) -> Failure {
    let what = if told.tamper_finding.is_none() {
        "the changed byte was not found".to_owned()
    } else {
        format!("the bundle is {}: {}", told.verdict, told.findings.join(", "))
    };
    Failure::new(what).exits(Exit::VerificationFailed).hint(format!(
        "custody-verify {} --fingerprint {}",
        told.bundle.display(),
        told.fingerprint
    ))
}
