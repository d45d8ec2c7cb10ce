//! `custos restore`

use std::path::PathBuf;

use custody::digest::Digest;
use serde_json::json;

use super::args::Server;
use super::failure::{Exit, Failure};
use super::files::{passphrase, secret_from};
use super::{Global, Out, progress};
use crate::app::lapsed_of;
use crate::ops::backup::{restore, restore_rows};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with backups, for the newest of them, or one backup in it
    #[arg(long, value_name = "DIR", required_unless_present = "rows", conflicts_with = "rows")]
    from: Option<PathBuf>,
    /// Instead: the copy of the database that was made before a migration; only the database is restored, with the
    /// schema it had
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// The fingerprint on paper: another vault's backup is a failure
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<Digest>,
    /// File with the passphrase of the backup (mode 0600), or - for stdin; asked for when absent
    #[arg(long, value_name = "FILE", env = "CUSTOS_BACKUP_PASSPHRASE_FILE")]
    backup_passphrase_file: Option<PathBuf>,
    /// Folder for the replay's own database, about as large as the vault's [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Go on though the list of what was destroyed is damaged: what it named comes back
    #[arg(long)]
    without_destroyed_list: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let config = args.server.config(global)?;
    let bar = progress::count(out);
    let mut moved = |what, done, total| progress::at(&bar, what, done, total);
    if let Some(rows) = &args.rows {
        let schema = restore_rows(config.database_url(), rows, &mut moved).await;
        bar.finish_and_clear();
        out.result(&json!({ "schema": schema? }), |_| "the database is restored".to_owned());
        return Ok(Exit::Valid);
    }
    let from = args.from.as_ref().ok_or_else(|| Failure::usage("--from DIR is missing"))?;
    let passphrase = match &args.backup_passphrase_file {
        Some(file) => secret_from(file, "passphrase")?,
        None => passphrase("CUSTOS_BACKUP_PASSPHRASE_FILE", "passphrase of the backup: ")?,
    };
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let restored =
        restore(&config, from, passphrase, (&scratch, args.without_destroyed_list), &mut moved).await;
    bar.finish_and_clear();
    let restored = restored?;
    out.result(&restored, |found| {
        let rows = found.replay.differences.rows.iter().chain(&found.damaged.rows);
        let lines = rows.map(|row| format!("{} {}: {}\n", row.table, row.row, row.problem));
        format!(
            "{}restored           {}, made {}\nvault fingerprint  {}\nlog                {} entries, root {}\n\
             objects            {} whole, {} bytes\nreplay             {} records, {} rows compared, {} difference(s)",
            lines.collect::<String>(),
            found.from.display(),
            found.made,
            found.vault,
            found.log_size,
            found.log_root,
            found.objects.count,
            found.objects.bytes,
            found.replay.records,
            found.replay.rows,
            found.replay.differences.count()
        )
    });
    if restored.destroyed > 0 {
        out.say(&format!(
            "destroyed again: {} thing(s) that the vault had destroyed when the newest backup was made",
            restored.destroyed
        ));
    }
    if args.fingerprint.is_some_and(|expected| expected != restored.vault) {
        return Err(Failure::new("this is another vault than the one whose fingerprint was given")
            .exits(Exit::VerificationFailed));
    }
    // What is in the database was compared; who confirms it further is in a configuration that no backup holds.
    for lapsed in lapsed_of(&config).await.map_err(|error| Failure::of(&error))? {
        out.say(&format!("warning: {}\nhint: {}", lapsed.detail(), lapsed.remedy()));
    }
    if !restored.is_whole() {
        out.say("hint: an earlier backup may hold what is damaged here: custos restore --from DIR/NAME");
        return Ok(Exit::VerificationFailed);
    }
    out.say("compare the fingerprint with the one on paper; then: custos serve");
    Ok(Exit::Valid)
}
