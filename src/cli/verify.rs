//! `custos verify`: the court's verifier, the same implementation as `custody-verify`.

use std::path::Path;

use custody::bundle::Report;
use custody::digest::Digest;
use custody::policy::Policy;
use custody_verify::Args as Given;
use tempfile::TempDir;

use super::failure::{Exit, Failure};
use super::log::{self, Whose};
use super::{Global, Out};
use crate::client::log::Source;

/// Arguments: those of the court's program, which has no network, and where entries may be fetched.
#[derive(Debug, clap::Args)]
#[group(skip)] // The court's arguments are a group of the same name.
pub(super) struct Args {
    #[command(flatten)]
    given: Given,
    /// With --entries https://…: SHA-256 of the certificate of that server; without it the profile's
    #[arg(long, value_name = "HEX")]
    entries_fingerprint: Option<Digest>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let mut given = args.given.clone();
    let copy = fetched(global, args, out).await?;
    if let Some(copy) = &copy {
        given.entries = Some(copy.path().to_owned());
    }
    let json = global.json || given.json;
    let sealed = given.clone();
    let report = report(given).await?;
    let mut text = Vec::new();
    custody_verify::print(&report, json, out.colours(), &mut text).map_err(|error| failure(&error))?;
    out.bytes(&text);
    let opened = custody_verify::open_sealed(&sealed, &report).map_err(|error| failure(&error))?;
    let mut said = Vec::new();
    let all = custody_verify::print_opened(&opened, &mut said).map_err(|error| failure(&error))?;
    out.say(String::from_utf8_lossy(&said).trim_end());
    if !all {
        return Err(Failure::new("not everything that is sealed to this key was opened"));
    }
    Ok(exit(&report))
}

/// A copy of the log, where --entries is an address; it goes away with what is returned.
async fn fetched(global: &Global, args: &Args, out: Out) -> Result<Option<TempDir>, Failure> {
    let Some(url) =
        args.given.entries.as_deref().and_then(Path::to_str).filter(|url| Source::is_address(url))
    else {
        return Ok(None);
    };
    let policy = args.given.trust.as_deref().map(log::read_policy).transpose()?;
    let vkey = match policy.as_ref().map(Policy::logs) {
        Some([only]) => Some(only.key().clone()),
        _ => None,
    };
    let whose = Whose { vkey, fingerprint: args.entries_fingerprint };
    let copy = TempDir::with_prefix("custos-log-")
        .map_err(|error| Failure::new("cannot make a temporary folder").because(&error))?;
    log::fetch_mirror(whose.source(global, Some(url))?, copy.path(), whose.log(global)?, out).await?;
    Ok(Some(copy))
}

/// Verifies on a thread of its own: it reads and hashes all of a bundle.
pub(crate) async fn report(args: Given) -> Result<Report, Failure> {
    match tokio::task::spawn_blocking(move || custody_verify::run(&args)).await {
        Ok(report) => report.map_err(|error| failure(&error)),
        Err(_) => Err(Failure::new("the verifier broke off")),
    }
}

/// A bundle against the fingerprint of the vault that it should be from.
pub(crate) fn pinned(bundle: &Path, fingerprint: Option<Digest>) -> Given {
    Given {
        bundle: bundle.to_owned(),
        fingerprint,
        trust: None,
        timestamp_roots: None,
        entries: None,
        checkpoint: None,
        receipt: Vec::new(),
        threads: None,
        open_with: None,
        into: None,
        json: false,
    }
}

/// The verdict as an exit code.
pub(crate) const fn exit(report: &Report) -> Exit {
    match report.exit_code {
        0 => Exit::Valid,
        4 => Exit::Incomplete,
        _ => Exit::VerificationFailed,
    }
}

fn failure(error: &custody_verify::Failure) -> Failure {
    let failure = Failure::new(error.to_string()).hint(error.hint());
    if error.exit_code() == custody_verify::USAGE { failure.exits(Exit::Usage) } else { failure }
}
