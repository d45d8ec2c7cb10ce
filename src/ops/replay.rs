//! Whether the tables are what the records make of them: everything is decided and recorded once more, in a database
//! of its own, by the code that did it the first time, and then compared row by row.

use std::collections::HashMap;
use std::path::Path;

use custody::digest::Digest;
use serde::Serialize;

use super::history::{self, PAGE};
use super::{Differences, Progress};
use crate::sequencer::{Replay, Stop};
use crate::store::{HistoryRow, Store, StoreError, Table, Tx, Value};

/// Tables that follow from statements and records alone.
const REBUILT: [&str; 20] = [
    "statements",
    "records",
    "positions",
    "entries",
    "log_nodes",
    "log_head",
    "recoveries",
    "lost_tags",
    "vault",
    "former_log_keys",
    "orgs",
    "persons",
    "keys",
    "cases",
    "members",
    "items",
    "grants",
    "holds",
    "disposals",
    "keks",
];
/// Rows compared at a time.
const ROWS: usize = 256;

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// The root of the tree over their entries.
    pub root: Digest,
    /// Whether every record could be decided once more, so that the tables were compared.
    pub replayed: bool,
    /// Rows compared.
    pub rows: u64,
    /// What is not as it must be.
    pub differences: Differences,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The database that is checked.
    #[error("cannot read the database")]
    Live(#[source] StoreError),
    /// The database that is made for comparison.
    #[error("cannot use the scratch database in {0}")]
    Scratch(std::path::PathBuf, #[source] StoreError),
    /// No room for it.
    #[error("cannot make a scratch folder in {0}")]
    Folder(std::path::PathBuf, #[source] std::io::Error),
}

/// Replays all records of `live` and compares. `folder` takes a scratch database, about as large as the live one, which
/// is gone afterwards. Memory stays constant; the live database is only read, in one snapshot.
pub async fn replay(live: &Store, folder: &Path, progress: Progress<'_>) -> Result<Report, ReplayError> {
    let in_folder = |error| ReplayError::Folder(folder.to_owned(), error);
    let directory =
        tempfile::Builder::new().prefix("custos-replay-").tempdir_in(folder).map_err(in_folder)?;
    let scratch = |error| ReplayError::Scratch(folder.to_owned(), error);
    let url = format!("sqlite://{}", directory.path().join("replay.db").display());
    let store = Store::create(&url).await.map_err(scratch)?;

    let mut tx = live.read().await.map_err(ReplayError::Live)?;
    let mut differences = Differences::default();
    let read = history::check(&mut tx, &mut differences, progress).await.map_err(ReplayError::Live)?;
    let (records, size, root, other_tag) = (read.records, read.size, read.root, read.other_tag);
    let mut report = Report { records, root, replayed: false, rows: 0, differences };
    let history_damaged = |found: &Differences| {
        found.rows.iter().any(|row| ["statements", "records", "entries"].contains(&row.table.as_str()))
    };
    if let (Some(head), false) = (read.head, history_damaged(&report.differences)) {
        let again = decide_again(&mut tx, store.clone(), size, &mut report.differences, progress).await?;
        if let Some(again) = again {
            again.end(head.checkpoint).await.map_err(scratch)?;
            let mut rebuilt = store.read().await.map_err(scratch)?;
            for table in rebuilt.tables().await.map_err(scratch)? {
                if REBUILT.contains(&table.name.as_str()) {
                    let found = &mut report.differences;
                    let comparison =
                        Comparison { table: &table, live: &mut tx, rebuilt: &mut rebuilt, found };
                    report.rows += comparison.run(progress).await.map_err(ReplayError::Live)?;
                }
            }
            objects(&mut tx, &mut report.differences).await.map_err(ReplayError::Live)?;
            report.replayed = true;
        }
    }
    if other_tag && !history_damaged(&report.differences) {
        let all = format!("0..{}", size.saturating_sub(1));
        report.differences.add("entries", all, "one of them is not the entry that was signed");
    }
    store.close().await;
    Ok(report)
}

/// All records in order, statement by statement; nothing if one of them does not follow.
async fn decide_again(
    live: &mut Tx,
    scratch: Store,
    total: u64,
    found: &mut Differences,
    progress: Progress<'_>,
) -> Result<Option<Replay>, ReplayError> {
    let mut replay = Replay::new(scratch);
    let mut next = 0;
    let mut waiting: Vec<HistoryRow> = Vec::new();
    loop {
        let page = live.history(next, PAGE).await.map_err(ReplayError::Live)?;
        let ended = page.is_empty();
        next = page.last().map_or(next, |row| row.log_index + 1);
        waiting.extend(page);
        // The last statement's records may go on in the next page.
        let last = waiting.last().map(|row| row.stmt);
        let whole = if ended { waiting.len() } else { waiting.partition_point(|row| Some(row.stmt) != last) };
        let rest = waiting.split_off(whole);
        let said: Vec<_> = waiting.chunk_by(|a, b| a.stmt == b.stmt).map(<[_]>::to_vec).collect();
        match replay.page(live, &said).await {
            Ok(()) => {}
            Err(Stop::Store(error)) => return Err(ReplayError::Live(error)),
            Err(Stop::Broken { table, log_index, problem }) => {
                found.add(table, log_index, problem);
                return Ok(None);
            }
        }
        waiting = rest;
        progress("deciding once more", next, total);
        if ended {
            return Ok(Some(replay));
        }
    }
}

/// One table, on both sides.
struct Comparison<'a> {
    table: &'a Table,
    live: &'a mut Tx,
    rebuilt: &'a mut Tx,
    found: &'a mut Differences,
}

impl Comparison<'_> {
    /// Looks up each side's rows on the other: engines order texts differently. Returns how many rows there are.
    async fn run(mut self, progress: Progress<'_>) -> Result<u64, StoreError> {
        let total = self.live.table_size(self.table).await.unwrap_or_default();
        let (mut after, mut seen, mut shared) = (None, 0, 0);
        loop {
            let page = match self.live.table_page(self.table, after.take(), ROWS).await {
                Ok(page) => page,
                Err(error) => {
                    self.found.unreadable(error, Some(&self.table.name))?;
                    return Ok(seen);
                }
            };
            let Some(last) = page.last() else { break };
            after = Some(self.table.key_of(last));
            seen += page.len() as u64;
            shared += self.compare(&page).await?;
            progress("comparing tables", seen, total);
        }
        if shared < self.rebuilt.table_size(self.table).await? {
            self.find_missing().await?;
        }
        Ok(seen)
    }

    /// Compares live rows with rebuilt ones; how many are on both sides.
    async fn compare(&mut self, page: &[Vec<Value>]) -> Result<u64, StoreError> {
        let rebuilt = self.rebuilt.table_rows(self.table, &self.keys(page)).await?;
        let rebuilt: HashMap<_, _> = rebuilt.iter().map(|row| (self.table.name_of(row), row)).collect();
        let mut shared = 0;
        for row in page {
            let name = self.table.name_of(row);
            let Some(expected) = rebuilt.get(&name) else {
                self.found.add(&self.table.name, name, "no record makes it");
                continue;
            };
            shared += 1;
            let columns = self.table.columns.iter().zip(row.iter().zip(expected.iter()));
            let other = columns.filter(|(_, (is, must))| is != must).map(|((column, _), _)| column.as_str());
            let other: Vec<_> = other.collect();
            if !other.is_empty() {
                let problem = format!("not what the records make of it: {}", other.join(", "));
                self.found.add(&self.table.name, name, problem);
            }
        }
        Ok(shared)
    }

    async fn find_missing(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.rebuilt.table_page(self.table, after.take(), ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(self.table.key_of(last));
            let live = self.live.table_rows(self.table, &self.keys(&page)).await?;
            let live: std::collections::HashSet<_> = live.iter().map(|row| self.table.name_of(row)).collect();
            for row in &page {
                let name = self.table.name_of(row);
                if !live.contains(&name) {
                    self.found.add(&self.table.name, name, "it is missing");
                }
            }
        }
    }

    fn keys(&self, page: &[Vec<Value>]) -> Vec<Vec<Value>> {
        page.iter().map(|row| self.table.key_of(row)).collect()
    }
}

/// Every object that an item names has its row, with the manifest that the record names. The rest of such a row, its
/// wrapped key, follows from no record.
async fn objects(live: &mut Tx, found: &mut Differences) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let items = live.all_items(after, ROWS).await?;
        let Some((last, _)) = items.last() else { return Ok(()) };
        after = Some(*last);
        let named: Vec<_> = items.iter().filter_map(|(id, item)| Some((*id, item.stored?))).collect();
        let ids: Vec<_> = named.iter().map(|(_, stored)| stored.object).collect();
        let rows = live.objects(&ids).await?;
        let rows: HashMap<_, _> = rows.iter().map(|row| (row.object, row)).collect();
        for (item, stored) in named {
            let problem = match rows.get(&stored.object) {
                None => "it is missing",
                Some(row) if row.item != item || Digest::of(&row.manifest) != stored.manifest => {
                    "item or manifest is not the one that was recorded"
                }
                Some(_) => continue,
            };
            found.add("objects", stored.object, problem);
        }
    }
}
