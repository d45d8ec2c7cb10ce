//! `custos log audit`

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use custody::digest::Digest;
use custody::policy::{MAX_POLICY_LEN, Policy};
use serde_json::json;
use tokio::runtime::Handle;

use super::{Global, Out, Whose, env, failed, progress};
use crate::cli::failure::{Exit, Failure};
use crate::client::ClientError;
use crate::client::log::{KnownLog, LogError, Seen, Source, Watch};
use crate::client::profile::home;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A vault's address, the address of a copy, or a mirror's folder
    #[arg(value_name = "URL|DIR")]
    place: String,
    /// Whose cosignatures are needed (C2SP tlog-policy); its only log is taken for this one
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where what was seen is remembered; without it, a folder of its own for each log
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Go on for ever, and end only when the log breaks its word
    #[arg(long)]
    follow: bool,
    /// With --follow: how long to wait in between
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    #[command(flatten)]
    whose: Whose,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let log = match policy.as_ref().map(Policy::logs) {
        Some([only]) if args.whose.vkey.is_none() => only.key().clone().into(),
        _ => args.whose.log(global)?,
    };
    let state = match &args.state {
        Some(state) => state.clone(),
        None => {
            home(&env)?.join("audit").join(Digest::of(log.logs.first().name().as_str().as_bytes()).to_hex())
        }
    };
    let source = Arc::new(args.whose.source(global, Some(&args.place))?);
    loop {
        match look(&source, &log, &state, out).await {
            Ok(seen) => {
                let exit = report(&seen, policy.as_ref(), out)?;
                if !args.follow {
                    return Ok(exit);
                }
            }
            Err(LogError::Client(error)) if args.follow && is_passing(&error) => {
                out.say(&format!("cannot look now: {error}"));
            }
            Err(error) => return Err(failed(error, out)),
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

/// One look, on a thread of its own.
async fn look(source: &Arc<Source>, log: &KnownLog, state: &Path, out: Out) -> Result<Seen, LogError> {
    let source = Arc::clone(source);
    let watch = Watch::open(state, log.clone())?;
    let bar = progress::count(out);
    let (shown, runtime) = (bar.clone(), Handle::current());
    let look = move || {
        watch.look(&source, &runtime, &mut |done, total| progress::at(&shown, "checking", done, total))
    };
    let looked = tokio::task::spawn_blocking(look).await;
    bar.finish_and_clear();
    looked.unwrap_or_else(|_| Err(ClientError::Input("the audit broke off".into()).into()))
}

/// Whether it may be better at the next look.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Network { .. } => true,
        ClientError::Http { status } => *status >= 429,
        ClientError::Refused(problem) => problem.status >= 429,
        _ => false,
    }
}

pub(in crate::cli) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(format!("cannot use the policy {}", path.display())).because(error).exits(Exit::Usage)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAX_POLICY_LEN as u64 + 1).read_to_end(&mut bytes));
    file.map_err(|error| cannot(&error))?;
    Policy::parse(&bytes).map_err(|error| cannot(&error))
}

/// Says what was seen; 4 where the policy asks for more cosignatures.
fn report(seen: &Seen, policy: Option<&Policy>, out: Out) -> Result<Exit, Failure> {
    let checkpoint = &seen.checkpoint;
    let accepted = policy.map(|policy| policy.accept_from(&seen.note, &seen.log)).transpose();
    let accepted = accepted
        .map_err(|error| Failure::new(format!("bad-signature: {error}")).exits(Exit::VerificationFailed))?;
    let (met, cosignatures) = match &accepted {
        Some(accepted) => (Some(accepted.quorum_met), accepted.cosignatures.clone()),
        None => (None, Vec::new()),
    };
    let cosigned: Vec<_> = cosignatures
        .iter()
        .map(|(witness, seconds)| json!({ "witness": String::from_utf8_lossy(witness.name()), "seconds": seconds }))
        .collect();
    let new = checkpoint.size() - seen.before;
    let shown = json!({
        "origin": checkpoint.origin(), "size": checkpoint.size(), "root": checkpoint.root(), "before": seen.before,
        "new": new, "cosignatures": cosigned, "quorum_met": met,
    });
    out.result(&shown, |_| {
        let quorum = match met {
            Some(true) => format!("cosigned by {} as the policy asks", cosigned.len()),
            Some(false) => format!("NOT cosigned as the policy asks, by {} only", cosigned.len()),
            None => "cosignatures not looked at: no policy was given".to_owned(),
        };
        format!("{}  {} entries, {new} new, consistent; {quorum}", checkpoint.origin(), checkpoint.size())
    });
    Ok(if met == Some(false) { Exit::Incomplete } else { Exit::Valid })
}
