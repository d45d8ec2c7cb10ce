//! `custos log`

mod audit;
mod continued;
mod mirror;
mod prove;
mod whose;

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use serde_json::json;

use super::failure::{Exit, Failure};
use super::files::{create_new, write_new};
use super::{Global, Out, env, progress, session};
use crate::client::{Client, secret};
pub(super) use audit::read_policy;
pub(super) use mirror::fetch as fetch_mirror;
pub(super) use whose::{Whose, failed};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// The newest checkpoint, its signature checked
    Checkpoint {
        /// Write it into this new file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Fetch the public entries, checked against the newest checkpoint: what `verify --entries` reads
    Entries {
        /// Write them into this new file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Write the checkpoint that covers them into this new file
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Keep a copy of a log, every byte checked: any web server can serve it, `verify --entries` reads it
    Mirror(mirror::Args),
    /// Follow a log as an outsider: signature, consistency, tiles, growth, cosignatures
    Audit(audit::Args),
    /// Give up the key of the log of the vault on this machine, because it was stolen or lost, and go on under another
    /// name. Stop the service first; docs/OPERATIONS.md, "The log's key was stolen"
    Continue(Box<continued::Args>),
    /// Print a proof that a record is in the log (C2SP tlog-proof)
    Prove(prove::Args),
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Checkpoint { out: file } => {
            let client = session::reader(global)?;
            let (note, checkpoint) = client.checkpoint().await?;
            if let Some(file) = file {
                write_new(file, &note)?;
            }
            let text = String::from_utf8_lossy(&note).into_owned();
            let shown = json!({ "size": checkpoint.size(), "root": checkpoint.root(), "note": text });
            out.result(&shown, |_| if file.is_some() { String::new() } else { text.trim_end().to_owned() });
        }
        Action::Entries { out: file, checkpoint } => {
            let client = session::reader(global)?;
            let (size, note) = save_entries(&client, file).await?;
            if let Some(path) = checkpoint {
                write_new(path, &note)?;
            }
            out.result(&json!({ "entries": size, "file": file }), |_| String::new());
            out.say(&format!("{size} entries, as the signed checkpoint says"));
        }
        Action::Mirror(args) => mirror::run(global, args, out).await?,
        Action::Audit(args) => return audit::run(global, args, out).await,
        Action::Continue(args) => return continued::run(global, args, out).await,
        Action::Prove(args) => prove::run(global, args, out).await?,
    }
    Ok(Exit::Valid)
}

/// Writes the public entries into a new file; their count and the checkpoint that covers them.
pub(crate) async fn save_entries(client: &Client, path: &std::path::Path) -> Result<(u64, Vec<u8>), Failure> {
    let (note, checkpoint) = client.checkpoint().await?;
    let mut file = BufWriter::new(create_new(path)?);
    client.entries(&checkpoint, |bytes| file.write_all(bytes).map_err(secret::file(path))).await?;
    let file = file.into_inner().map_err(|error| Failure::new("cannot write").because(error.error()))?;
    file.sync_all().map_err(|error| Failure::new("cannot write").because(&error))?;
    Ok((checkpoint.size(), note))
}
