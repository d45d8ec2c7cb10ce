//! `custos invite`

use std::path::PathBuf;

use custody::id::PersonId;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::{Global, Out, session};
use crate::client::secret;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A registered person
    person: PersonId,
    /// How you will have made sure whose key it is
    #[arg(long, value_parser = ["in-person", "voice", "none"])]
    checked: String,
    /// Write the one-time code into this new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let invitation = client.invite(args.person, &args.checked).await?;
    match &args.out {
        Some(file) => {
            secret::write(file, &invitation.code)?;
            out.result(&json!({ "expires": invitation.expires, "file": file }), |_| String::new());
        }
        None => out.result(&invitation, |invitation| invitation.code.clone()),
    }
    out.say(&format!(
        "valid once, until {}. On the person's own device: custos login URL --fingerprint HEX \
         --vault-fingerprint HEX --invitation FILE; then, here: custos key approve",
        invitation.expires
    ));
    Ok(Exit::Valid)
}
