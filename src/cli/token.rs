//! `custos token`

use std::path::PathBuf;

use serde_json::json;

use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};
use crate::client::secret;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make a further token of one's own; it is shown once
    New {
        /// What it is for, such as a device
        #[arg(long)]
        label: String,
        /// Days until it expires
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
        /// Write it into this new file (mode 0600) instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// One's own tokens, without their secrets
    List,
    /// End a token at once
    Revoke {
        /// Its id
        id: String,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    match action {
        Action::New { label, days, out: file } => {
            let token = client.new_token(label, *days).await?;
            match file {
                Some(file) => {
                    secret::write(file, &token.token)?;
                    let shown = json!({ "id": token.id, "expires": token.expires, "file": file });
                    out.result(&shown, |_| token.id.clone());
                }
                None => out.result(&token, |token| token.token.clone()),
            }
            out.say(&format!("expires {}; revoke it with: custos token revoke {}", token.expires, token.id));
        }
        Action::List => {
            let tokens = client.tokens().await?;
            out.result(&tokens, |tokens| {
                let row = |t: &crate::api::TokenInfo| {
                    let state = if t.revoked { "revoked" } else { "valid" };
                    [t.id.clone(), t.label.clone(), t.created.clone(), t.expires.clone(), state.to_owned()]
                };
                table(
                    ["id", "label", "created", "expires", "state"],
                    &tokens.iter().map(row).collect::<Vec<_>>(),
                )
            });
        }
        Action::Revoke { id } => {
            client.revoke_token(id).await?;
            out.result(&json!({ "revoked": id }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}
