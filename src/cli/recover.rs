//! `custos recover`

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::args::Vault;
use super::failure::{Exit, Failure};
use super::{Global, Out};
use crate::app::recover::{Loss, RecoverError, Recovery};

/// How long to wait for a service that may be running.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many published entries you accept to lose the records of, as --dry-run says
    #[arg(long, value_name = "COUNT", required_unless_present = "dry_run", conflicts_with = "dry_run")]
    confirm_lost: Option<u64>,
    /// Say what is lost and what remains, and write nothing; a database of an older version is refused
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    vault: Vault,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let (config, passphrase) = args.vault.open_unserved(global).await?;
    let Some(confirmed) = args.confirm_lost else {
        let recovery = Recovery::look(&config, passphrase).await?;
        out.result(&json!({ "dry_run": true, "loss": recovery.loss() }), |_| told(recovery.loss()));
        let lost = recovery.loss().lost;
        out.say("look for a newer copy of the database first: nothing brings back what is lost here");
        out.say(&format!("to go on without it: custos recover --confirm-lost {lost}"));
        recovery.close().await;
        return Ok(Exit::Valid);
    };
    let recovered = Recovery::begin(&config, passphrase).await?.note(confirmed).await?;
    out.result(&recovered, |recovered| {
        format!(
            "{}\nnoted              record {} at log index {}",
            told(&recovered.loss),
            recovered.record,
            recovered.loss.to
        )
    });
    out.say("what was revoked in the time that is lost counts again: tokens, keys, roles, memberships. Revoke it again");
    out.say("then: custos serve");
    Ok(Exit::Valid)
}

fn told(loss: &Loss) -> String {
    let Loss { lost, from, to, signed, remains, log_key, .. } = loss;
    let unsigned = to.saturating_sub(*signed);
    let unsigned = if unsigned == 0 {
        String::new()
    } else {
        format!(", {unsigned} of them behind the newest checkpoint")
    };
    let log_key = log_key.as_ref().map_or_else(String::new, |key| {
        format!(
            "\nlog key            {key}\n                   only lost records named it; it is named again"
        )
    });
    format!(
        "vault fingerprint  {}\nlost               the records of {lost} published entries, {from} to {}{unsigned}\n\
         remains            {from} records, the newest received {}\n                   \
         {} cases, {} items, {} persons\nobjects            {} that no record names{log_key}",
        loss.vault,
        to - 1,
        loss.newest,
        remains.cases,
        remains.items,
        remains.persons,
        loss.objects_without_record,
    )
}

/// Nobody may write while this looks and writes; the service of this configuration would answer here.
pub(super) async fn refuse_served(listen: SocketAddr) -> Result<(), Failure> {
    if listen.port() == 0 {
        return Ok(());
    }
    let answers = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(listen)).await;
    if matches!(answers, Ok(Ok(_))) {
        return Err(Failure::new(format!("something is being served at {listen}"))
            .hint("stop the service first (systemctl stop custos)"));
    }
    Ok(())
}

impl From<RecoverError> for Failure {
    fn from(error: RecoverError) -> Self {
        let hint = error.remedy();
        Self::of(&error).hint(hint)
    }
}
