//! `custos scrub`

use std::time::Duration;

use super::failure::{Exit, Failure};
use super::{Global, Out, progress, session};
use crate::api;

/// How often to ask how far it is.
const ASK: Duration = Duration::from_millis(500);

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read at most so many MiB a second
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Do not wait for the end; the same command goes on watching a scrub that runs
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    let mut scrub = client.start_scrub(&api::NewScrub { mib_per_second: args.rate }).await?;
    let bar = progress::count(out);
    while scrub.state == "running" && !args.no_wait {
        progress::at(&bar, "objects compared", scrub.objects, scrub.objects);
        tokio::time::sleep(ASK).await;
        scrub = client.scrub().await?;
    }
    bar.finish_and_clear();
    out.result(&scrub, |scrub| {
        let lines =
            scrub.findings.iter().map(|found| format!("{} {}: {}\n", found.table, found.row, found.problem));
        format!(
            "{}{}: {} records, {} objects, {} bytes, {} damaged",
            lines.collect::<String>(),
            scrub.state,
            scrub.records,
            scrub.objects,
            scrub.bytes,
            scrub.failed
        )
    });
    match (scrub.state.as_str(), scrub.failed) {
        ("broken-off", _) => Err(Failure::new("the scrub broke off").hint("the service's log says why")),
        (_, 0) => Ok(Exit::Valid),
        _ => {
            out.say(
                "hint: look for what is damaged in a backup: custos restore --from DIR, to another place",
            );
            Ok(Exit::VerificationFailed)
        }
    }
}
