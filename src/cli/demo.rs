//! `custos demo`

use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::serve::shutdown;
use super::{Out, env};
use crate::demo::{self, Demo};
use crate::telemetry;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file or folder to play with; without it, the sample case that comes along
    source: Option<PathBuf>,
    /// New or empty folder for everything that the story makes
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// End after the story: 0 only if the bundle verified and the tampering was found
    #[arg(long)]
    exit: bool,
}

pub(super) async fn run(args: &Args, out: Out) -> Result<Exit, Failure> {
    telemetry::start(Some(env("CUSTOS_LOG").as_deref().unwrap_or("warn")));
    let demo = Demo::begin(&args.dir, out)?;
    let (told, running) = tokio::select! {
        told = demo.tell(args.source.as_deref()) => told?,
        () = shutdown() => return Ok(Exit::Interrupted),
    };
    if out.json() {
        out.document(&told);
    }
    if !args.exit {
        out.say(&demo::how_to_go_on(&told));
        shutdown().await;
    }
    running.end().await?;
    if told.held() { Ok(Exit::Valid) } else { Err(demo::did_not_hold(&told)) }
}
