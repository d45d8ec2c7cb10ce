//! `custos log continue`

use std::io::{BufRead as _, IsTerminal as _};

use custody::act::LogAnchor;
use custody::checkpoint::Origin;
use serde_json::json;

use super::{Global, Out};
use crate::app::{Continuation, Continued, continue_log};
use crate::cli::args::Vault;
use crate::cli::failure::{Exit, Failure};
use crate::cli::kit::remind;
use crate::keyring::provider;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The log's new name [default: the present one with the next number, such as vault.example.org/custos/2]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<Origin>,
    /// Do not ask, unless what is published contradicts the database or is lost: for scripts
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    vault: Vault,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let (config, passphrase) = args.vault.open_unserved(global).await?;
    let keys = provider(passphrase.clone());
    let agreed = |plan: &Continuation| {
        out.say(&explained(plan));
        (args.yes && plan.contradicted.is_none() && plan.lost == 0) || confirmed(plan, out)
    };
    let Some(done) = continue_log(&config, passphrase, args.name.clone(), agreed).await? else {
        return Err(Failure::new("nothing was changed: the log's new name was not typed in")
            .exits(Exit::Usage)
            .hint("repeat the command on a terminal, or with --yes where nothing contradicts"));
    };
    let Continued { plan, log_vkey, index } = done;
    let shown = json!({
        "anchor_size": plan.anchor_size, "anchored_by": plan.anchored_by, "index": index,
        "log_vkey": log_vkey.to_string(), "origin": plan.origin, "previous": plan.previous.to_string(),
    });
    out.result(&shown, |_| log_vkey.to_string());
    out.say(&format!(
        "record {index} says so. Now: a backup; the new key to your witnesses, and to whoever has a trust file; then \
         start the service. docs/OPERATIONS.md, \"The log's key was stolen\", goes on from here"
    ));
    remind(&config, keys.as_ref(), out).await;
    Ok(Exit::Valid)
}

/// What is about to happen, for whoever must decide.
fn explained(plan: &Continuation) -> String {
    let Continuation { previous, origin, anchor_size, anchored_by, size, lost, .. } = plan;
    let lost = match lost {
        0 => String::new(),
        lost => format!(
            "CAREFUL: the database is older than the log's newest key, which the keyring lacks. Look for that key, and \
             for a newer copy of the database: the records of {lost} published entries are lost, and that is noted as \
             `custos recover` would.\n"
        ),
    };
    let confirmed = match anchored_by {
        LogAnchor::Cosignatures => format!("Witnesses have confirmed its first {anchor_size} entries"),
        LogAnchor::Timestamp => {
            format!("No witness has confirmed it; its first {anchor_size} entries are time-stamped")
        }
        LogAnchor::Vault => "No witness and no time stamp has confirmed anything of it".to_owned(),
    };
    let open = match anchored_by {
        LogAnchor::Vault => *size,
        _ => size - anchor_size,
    };
    let contradicted = plan.contradicted.as_ref().map_or_else(String::new, |contradicted| {
        format!(
            "\nCAREFUL: {contradicted}, as far as the object store says. If the database comes from a backup, go no \
             further: restore a newer one, or see what is lost (custos recover --dry-run). Go on only if whoever has \
             the log's key could write to the object store too."
        )
    });
    format!(
        "{lost}The log {} has {size} entries. {confirmed}.\n\
         Its key {previous}\nis given up: nothing that it signs of more than {size} entries will count any more.\n\
         The vault goes on as {origin}, with a new key and all its records. {open} of them were confirmed by nobody \
         outside, and every bundle that has some of them will say so.\n\
         Witnesses, mirrors and whoever has a trust file must be told of the new key by you. This cannot be undone.\
         {contradicted}",
        previous.name()
    )
}

/// Whether the new name is typed in.
fn confirmed(plan: &Continuation, out: Out) -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return false;
    }
    out.say(&format!("to go on, type {}", plan.origin));
    let mut line = String::new();
    stdin.lock().read_line(&mut line).is_ok() && line.trim() == plan.origin.as_str()
}
