//! `custos verify`: the court's verifier, the same implementation as `custody-verify`.

use std::path::Path;

use custody::bundle::Report;
use custody::digest::Digest;
use custody_verify::Args;

use super::failure::{Exit, Failure};
use super::{Global, Out};

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let report = report(args.clone()).await?;
    let mut text = Vec::new();
    let json = global.json || args.json;
    custody_verify::print(&report, json, out.colours(), &mut text).map_err(|error| failure(&error))?;
    out.bytes(&text);
    Ok(exit(&report))
}

/// Verifies on a thread of its own: it reads and hashes all of a bundle.
pub(crate) async fn report(args: Args) -> Result<Report, Failure> {
    match tokio::task::spawn_blocking(move || custody_verify::run(&args)).await {
        Ok(report) => report.map_err(|error| failure(&error)),
        Err(_) => Err(Failure::new("the verifier broke off")),
    }
}

/// A bundle against the fingerprint of the vault that it should be from.
pub(crate) fn pinned(bundle: &Path, fingerprint: Option<Digest>) -> Args {
    Args {
        bundle: bundle.to_owned(),
        fingerprint,
        trust: None,
        entries: None,
        checkpoint: None,
        receipt: Vec::new(),
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
