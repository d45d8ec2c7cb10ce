//! `custos log mirror`

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::runtime::Handle;

use super::{Global, Out, Whose, failed, progress};
use crate::cli::failure::Failure;
use crate::client::log::{KnownLog, Mirror, Seen, Source};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A vault's address, the address of another copy, or a folder
    #[arg(value_name = "URL")]
    from: String,
    /// The copy: a new folder, or one that is brought up to date
    dir: PathBuf,
    #[command(flatten)]
    whose: Whose,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<(), Failure> {
    let log = args.whose.log(global)?;
    let source = args.whose.source(global, Some(&args.from))?;
    let seen = fetch(source, &args.dir, log, out).await?;
    let (size, new) = (seen.checkpoint.size(), seen.checkpoint.size() - seen.before);
    let shown = json!({
        "origin": seen.checkpoint.origin(), "size": size, "root": seen.checkpoint.root(), "new": new, "dir": args.dir,
    });
    out.result(&shown, |_| String::new());
    out.say(&format!(
        "{size} entries of {}, {new} of them new, as the signed checkpoint says",
        seen.checkpoint.origin()
    ));
    Ok(())
}

/// Brings a mirror up to date, on a thread of its own.
pub(in crate::cli) async fn fetch(
    source: Source,
    dir: &Path,
    log: KnownLog,
    out: Out,
) -> Result<Seen, Failure> {
    let mirror = Mirror::open(dir, log)?;
    let bar = progress::count(out);
    let runtime = Handle::current();
    let shown = bar.clone();
    let update = move || {
        mirror.update(&source, &runtime, &mut |done, total| progress::at(&shown, "mirroring", done, total))
    };
    let updated = tokio::task::spawn_blocking(update).await;
    bar.finish_and_clear();
    updated.map_err(|_| Failure::new("mirroring broke off"))?.map_err(|error| failed(error, out))
}
