//! `custos key recovery-sheet`, `check-recovery` and `recover-keys`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::args::{Server, Vault};
use super::failure::{Exit, Failure};
use super::files::{prompt, secret_from};
use super::{Global, Out};
use crate::client::now;
use crate::config::Config;
use crate::keyring::{KeyProvider, provider};
use crate::kit::{self, KitError, Label, Made, ROWS, RecoverySecret};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Sheet {
    /// Folder for recovery-NUMBER.custos and recovery-NUMBER.html [default: the data directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    vault: Vault,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The kit's file, recovery-NUMBER.custos [default: the newest in the data directory]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// File with the sheet's secret on one line (mode 0600), or - for stdin; asked for when absent
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    vault: Vault,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Recover {
    /// The kit's file, recovery-NUMBER.custos
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// File with the sheet's secret on one line (mode 0600), or - for stdin; asked for when absent
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// File with a passphrase (mode 0600) that protects the recovered keys from now on; without it their files'
    /// permissions do
    #[arg(long, value_name = "FILE", env = "CUSTOS_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn sheet(global: &Global, args: &Sheet, out: Out) -> Result<(), Failure> {
    let (config, passphrase) = args.vault.open(global)?;
    let keys = provider(passphrase);
    let folder = args.out.as_deref().unwrap_or(config.data_dir());
    let made = kit::make(&config, keys.as_ref(), folder, now()).await?;
    out.result(&shown(&made.label, &made.file, Some(&made.sheet)), |_| {
        format!("{}\n{}", made.file.display(), made.sheet.display())
    });
    out.say(&next(&made, config.data_dir()));
    Ok(())
}

/// Says so if the checked kit does not hold every key, after a key was added.
pub(super) async fn remind(config: &Config, keys: &dyn KeyProvider, out: Out) {
    let said = match kit::standing_of(config, keys).await {
        Ok(standing) => standing.wanting().map(|(detail, mend)| (detail, mend.to_owned())),
        // The key was added all the same.
        Err(error) => Some((format!("cannot look at it: {error}"), error.remedy())),
    };
    if let Some((detail, mend)) = said {
        out.say(&format!("warning: recovery kit: {detail}\nhint: {mend}"));
    }
}

/// What to do with a kit that was made.
pub(super) fn next(made: &Made, data_dir: &Path) -> String {
    format!(
        "Print {} twice, for two places, and delete it. Keep {} with the backups.\n\
         Evidence is taken in once this was answered from paper:\n  custos key check-recovery --data-dir {} --file {}",
        made.sheet.display(),
        made.file.display(),
        data_dir.display(),
        made.file.display()
    )
}

pub(super) async fn check(global: &Global, args: &Check, out: Out) -> Result<(), Failure> {
    let (config, passphrase) = args.vault.open(global)?;
    let keys = provider(passphrase);
    let file = match &args.file {
        Some(file) => file.clone(),
        None => kit::newest(&config).await?,
    };
    let secret = secret(args.secret_file.as_deref(), &kit::label_of(&file)?, out)?;
    let label = kit::check(&config, keys.as_ref(), &file, &secret, now()).await?;
    out.result(&shown(&label, &file, None), |_| {
        format!("kit {} holds every key of vault {}", label.kit, label.vault)
    });
    out.say("noted; this vault takes evidence");
    Ok(())
}

pub(super) fn recover(global: &Global, args: &Recover, out: Out) -> Result<(), Failure> {
    let config = args.server.config(global)?;
    let passphrase =
        args.passphrase_file.as_deref().map(|file| secret_from(file, "passphrase")).transpose()?;
    let secret = secret(args.secret_file.as_deref(), &kit::label_of(&args.file)?, out)?;
    let label = kit::recover(config.data_dir(), &args.file, &secret, provider(passphrase).as_ref())?;
    out.result(&shown(&label, &args.file, None), |_| {
        format!(
            "vault fingerprint  {}\nkeys               {} in {}",
            label.vault,
            label.keys.len(),
            config.data_dir().join("keys").display()
        )
    });
    out.say("compare the fingerprint with the sheet; put back database and evidence; then: custos doctor");
    Ok(())
}

/// The sheet's secret: from a file, or row by row from paper.
fn secret(file: Option<&Path>, label: &Label, out: Out) -> Result<RecoverySecret, Failure> {
    if let Some(file) = file {
        return Ok(RecoverySecret::parse(&secret_from(file, "recovery secret")?).map_err(KitError::from)?);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("the sheet's secret is needed and there is no terminal to ask on")
            .hint("put it on one line into a file with mode 0600: --secret-file FILE"));
    }
    out.say(&format!("recovery sheet of kit {}, vault {}", label.kit, label.vault));
    let mut typed = Zeroizing::new(String::with_capacity(512));
    for number in 1..=ROWS {
        let row = loop {
            let row = prompt(&format!("row {number} of {ROWS}: "))?;
            if RecoverySecret::row_holds(number, &row) {
                break row;
            }
            out.say("this row has a mistake; compare with the sheet and type it again");
        };
        typed.push_str(&row);
    }
    Ok(RecoverySecret::parse(&typed).map_err(KitError::from)?)
}

fn shown(label: &Label, file: &Path, sheet: Option<&Path>) -> serde_json::Value {
    let keys: Vec<_> = label.keys.iter().map(|(name, _)| name).collect();
    json!({ "kit": label.kit, "vault": label.vault, "made": label.made, "keys": keys, "file": file, "sheet": sheet })
}

impl From<KitError> for Failure {
    fn from(error: KitError) -> Self {
        let hint = error.remedy();
        let failed = matches!(error, KitError::OtherSecret | KitError::OtherVault | KitError::Outdated(_));
        let failure = Self::of(&error).hint(hint);
        if failed { failure.exits(Exit::VerificationFailed) } else { failure }
    }
}
