//! `custos backup`

use std::path::PathBuf;

use super::args::Vault;
use super::failure::{Exit, Failure};
use super::files::{new_passphrase, secret_from};
use super::{Global, Out, progress};
use crate::client::now;
use crate::keyring::provider;
use crate::ops::backup::{BackupError, backup};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for backups: the first one copies everything, later ones only the objects that are not there yet
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// File with the passphrase of the backup (mode 0600), or - for stdin; asked for when absent
    #[arg(long, value_name = "FILE", env = "CUSTOS_BACKUP_PASSPHRASE_FILE")]
    backup_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    vault: Vault,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let (config, keys) = args.vault.open(global)?;
    let keys = provider(keys);
    let passphrase = match &args.backup_passphrase_file {
        Some(file) => secret_from(file, "passphrase")?,
        None => new_passphrase("passphrase of the backup: ")?,
    };
    let bar = progress::count(out);
    let mut moved = |what, done, total| progress::at(&bar, what, done, total);
    let made = backup(&config, keys.as_ref(), passphrase, &args.to, now(), &mut moved).await;
    bar.finish_and_clear();
    let made = made?;
    out.result(&made, |made| {
        let damaged = made.damaged.rows.iter().map(|row| format!("object {}: {}\n", row.row, row.problem));
        format!(
            "{}{}\nvault fingerprint  {}\nlog                {} entries, root {}\nobjects            {} ({} copied now)",
            damaged.collect::<String>(),
            made.folder.display(),
            made.vault,
            made.log_size,
            made.log_root,
            made.objects.count,
            made.copied
        )
    });
    for folder in &made.removed {
        out.say(&format!("removed {}: it was older than backups are to be kept", folder.display()));
    }
    if let Some(kit) = made.kit_elsewhere {
        out.say(&format!(
            "warning: the file of recovery kit {kit} is not in {}, and so not in this backup\n\
             hint: put recovery-{kit}.custos there, or keep it with the backups yourself",
            config.data_dir().display()
        ));
    }
    if made.damaged.is_empty() {
        return Ok(Exit::Valid);
    }
    out.say("hint: these objects are damaged in the vault itself; look for them in an earlier backup: custos restore");
    Ok(Exit::Failure)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let hint = error.remedy();
        let damaged =
            matches!(error, BackupError::Part { .. } | BackupError::Manifest(_) | BackupError::Other(_));
        let failure = Self::of(&error).hint(hint);
        if damaged { failure.exits(Exit::VerificationFailed) } else { failure }
    }
}
