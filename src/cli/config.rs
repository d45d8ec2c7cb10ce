//! `custos config show`

use serde::Serialize;

use super::args::Server;
use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Every value, and where it came from
    Show(Server),
}

#[derive(Debug, Serialize)]
struct Entry {
    key: &'static str,
    value: String,
    source: String,
}

pub(super) fn run(global: &Global, Action::Show(server): &Action, out: Out) -> Result<Exit, Failure> {
    let config = server.config(global)?;
    let entries =
        config.entries().map(|(key, value, source)| Entry { key, value, source: source.to_string() });
    out.result(&entries, |entries| {
        let rows: Vec<_> =
            entries.iter().map(|e| [e.key.to_owned(), e.value.clone(), e.source.clone()]).collect();
        table(["key", "value", "from"], &rows)
    });
    Ok(Exit::Valid)
}
