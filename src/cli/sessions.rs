//! `custos session`

use serde_json::json;

use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// One's own sessions, those that are over for a month
    List,
    /// End a session at once, or all of them
    End {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All of one's own
        #[arg(long)]
        all: bool,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    match action {
        Action::List => {
            let sessions = client.sessions().await?;
            out.result(&sessions, |sessions| {
                let row = |s: &crate::api::Session| {
                    let state = if s.ended { "ended" } else { "open" };
                    [&s.id, &s.label, &s.method, &s.created, &s.seen, state].map(ToString::to_string)
                };
                table(
                    ["id", "label", "signed in by", "opened", "used", "state"],
                    &sessions.iter().map(row).collect::<Vec<_>>(),
                )
            });
        }
        Action::End { id, .. } => {
            client.end_sessions(id.as_deref()).await?;
            out.result(&json!({ "ended": id.as_deref().unwrap_or("all") }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}
