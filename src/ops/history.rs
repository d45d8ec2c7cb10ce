//! Whether statements, records and entries are the bytes that the signed checkpoint covers. Needs no key and decides
//! nothing: what the bytes mean is for [`super::replay`].

use custody::act::Act;
use custody::digest::Digest;
use custody::log_keys::LogKeys;
use custody::merkle::{Batch, Frontier, Node, leaf_hash};
use custody::note::VerifierKey;
use custody::record::{Entry, Link, NextOpening, Record, leaf_commitment, record_hash};

use super::{Differences, Progress};
use crate::store::{HistoryRow, LogHead, StoreError, Tx};

/// Records read at a time.
pub(super) const PAGE: u32 = 512;

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// The log's end as the database says, if it can be read.
    pub(super) head: Option<LogHead>,
    /// The tree over the entries that were read.
    pub(super) root: Digest,
    /// Records read.
    pub(super) records: u64,
    /// Entries read: those of lost records as well.
    pub(super) size: u64,
    /// Whether an entry is not the one that was signed, though every record is the one that its entry covers: the tags
    /// will tell which.
    pub(super) other_tag: bool,
}

/// Reads the whole log, page by page.
pub(crate) async fn check(
    tx: &mut Tx,
    found: &mut Differences,
    progress: Progress<'_>,
) -> Result<Read, StoreError> {
    let head = match tx.log_head().await {
        Ok(head) => Some(head.ok_or(StoreError::NoVault)?),
        Err(error) => {
            found.unreadable(error, None)?;
            None
        }
    };
    let total = head.as_ref().map_or(0, LogHead::size);
    let mut walk = Walk::default();
    loop {
        let page = match tx.history(walk.next, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                found.unreadable(error, None)?;
                walk.whole = false;
                break;
            }
        };
        if page.is_empty() {
            break;
        }
        walk.page(tx, &page, found).await?;
        progress("reading records", walk.next, total);
    }
    let other_tag = head.as_ref().is_some_and(|head| walk.end(head, found));
    let records = walk.next - walk.lost;
    Ok(Read { head, root: walk.frontier.root(), records, size: walk.next, other_tag })
}

/// How far reading has come.
struct Walk {
    next: u64,
    /// Entries whose records are lost, as a recovery says.
    lost: u64,
    frontier: Frontier,
    log: Option<LogKeys>,
    /// Whether no record and no entry was missing or unreadable so far.
    whole: bool,
    /// Records whose entry is not the one that record and salt make. Which of the two is wrong, the tree will tell.
    strangers: Vec<u64>,
    /// Roots of subtrees that are not those of the entries; the same goes for these.
    subtrees: Vec<(Node, bool)>,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            next: 0,
            lost: 0,
            frontier: Frontier::new(),
            log: None,
            whole: true,
            strangers: Vec::new(),
            subtrees: Vec::new(),
        }
    }
}

impl Walk {
    async fn page(
        &mut self,
        tx: &mut Tx,
        page: &[HistoryRow],
        found: &mut Differences,
    ) -> Result<(), StoreError> {
        let mut leaves = Vec::with_capacity(page.len());
        for row in page {
            if notes_loss(row, self.next) {
                self.grow(tx, std::mem::take(&mut leaves), found).await?;
                self.lost(tx, row.log_index, found).await?;
            }
            self.missing_before(row.log_index, found);
            self.next = row.log_index + 1;
            self.record(row, found);
            match row.entry.as_deref().map(Entry::parse) {
                Some(Ok(entry)) => {
                    if entry.commitment != leaf_commitment(&row.salt, &record_hash(&row.record)) {
                        self.strangers.push(row.log_index);
                    }
                    leaves.push(leaf_hash(&entry.to_bytes()));
                }
                other => {
                    let problem = if other.is_none() { "it is missing" } else { "it is no entry" };
                    found.add("entries", row.log_index, problem);
                    self.whole = false;
                }
            }
        }
        self.grow(tx, leaves, found).await
    }

    /// The tree over more entries.
    async fn grow(
        &mut self,
        tx: &mut Tx,
        leaves: Vec<Digest>,
        found: &mut Differences,
    ) -> Result<(), StoreError> {
        if self.whole {
            let batch = Batch::new(&self.frontier, &leaves);
            self.check_subtrees(tx, &batch, found).await?;
            self.frontier = batch.frontier().clone();
        }
        Ok(())
    }

    /// Entries before `to` whose records are lost.
    async fn lost(&mut self, tx: &mut Tx, to: u64, found: &mut Differences) -> Result<(), StoreError> {
        while self.next < to {
            let end = to.min(self.next + u64::from(PAGE));
            let count = end - self.next;
            let entries = match tx.entries(self.next..end).await {
                Ok(entries) => entries,
                Err(error) => {
                    found.unreadable(error, Some("entries"))?;
                    Vec::new()
                }
            };
            if (entries.len() as u64) < count {
                self.whole = false;
                found.add("entries", rows(self.next, end - 1), "not all of them are there");
            }
            let leaves = entries.iter().map(|entry| leaf_hash(entry)).collect();
            self.grow(tx, leaves, found).await?;
            (self.next, self.lost) = (end, self.lost + count);
        }
        Ok(())
    }

    async fn check_subtrees(
        &mut self,
        tx: &mut Tx,
        batch: &Batch,
        found: &mut Differences,
    ) -> Result<(), StoreError> {
        for (node, hash) in batch.finished_subtrees() {
            match tx.subtrees(node.level(), node.index()..node.index() + 1).await {
                Ok(stored) if stored.first() == Some(&hash) => {}
                Ok(stored) => self.subtrees.push((node, stored.is_empty())),
                Err(error) => found.unreadable(error, Some("log_nodes"))?,
            }
        }
        Ok(())
    }

    fn missing_before(&mut self, index: u64, found: &mut Differences) {
        if self.next < index {
            self.whole = false;
            found.add("records", rows(self.next, index - 1), "it is missing");
        }
    }

    /// One record by itself.
    fn record(&mut self, row: &HistoryRow, found: &mut Differences) {
        let record = Record::parse(&row.record);
        let replaces_log_key = |record: &Record| record.kind.may_name_log_key();
        match row.envelope.as_deref() {
            None => found.add("statements", row.stmt, "it is missing"),
            Some(envelope) if Digest::of(envelope) != row.stmt => {
                found.add("statements", row.stmt, "its envelope was changed");
            }
            Some(envelope) if row.log_index == 0 => {
                self.log = log_keys(None, row.log_index, envelope);
                if self.log.is_none() {
                    found.add("statements", row.stmt, "it does not create a vault");
                }
            }
            Some(envelope) if record.as_ref().is_ok_and(replaces_log_key) => {
                self.log = log_keys(self.log.take(), row.log_index, envelope);
                if self.log.is_none() {
                    found.add("statements", row.stmt, "it does not name the log's next key");
                }
            }
            Some(_) => {}
        }
        let problem = match record {
            Err(_) => "it cannot be read as a record",
            Ok(_) if record_hash(&row.record) != row.hash => "record and record_hash do not belong together",
            Ok(record) if record.log_index != row.log_index => "it is a record of another place",
            Ok(record) if record.stmt != row.stmt => "it is a record of another statement",
            Ok(record) if !opens(record.own, row.own) => "s and t do not open its promise",
            Ok(record) if !opens(record.case, row.case) => "case_s and case_t do not open its promise",
            Ok(_) => return,
        };
        found.add("records", row.log_index, problem);
    }

    /// Compares the tree with what the log signed. Returns whether an entry differs that no record tells.
    fn end(&self, head: &LogHead, found: &mut Differences) -> bool {
        if self.next < head.size() {
            found.add("records", rows(self.next, head.size() - 1), "it is missing");
            return false;
        }
        let Some(log) = &self.log else { return false };
        let root = self.frontier.root();
        let as_signed = match log.open(&head.checkpoint) {
            Err(error) => {
                found.add("log_head", 1, format!("its checkpoint: {error}"));
                return false;
            }
            Ok(signed) if self.next > head.size() || signed.size() != head.size() => {
                found.add("log_head", 1, "it counts other records than there are, or than were signed");
                return false;
            }
            Ok(signed) => *signed.root() == root,
        };
        if !self.whole {
            return false;
        }
        for index in &self.strangers {
            if as_signed {
                found.add("records", index, "it is not the record that its entry covers, or its salt is not");
            } else {
                found.add("entries", index, "it is not the entry of its record");
            }
        }
        for (node, missing) in self.subtrees.iter().filter(|_| as_signed) {
            let problem = if *missing { "it is missing" } else { "it is not the hash of its entries" };
            found.add("log_nodes", format!("{}/{}", node.level(), node.index()), problem);
        }
        if as_signed && self.frontier != head.frontier {
            found.add("log_head", 1, "its frontier is not that of the entries");
        } else if !as_signed && self.frontier == head.frontier {
            found.add("log_head", 1, "its checkpoint is over other entries");
        } else if !as_signed && self.strangers.is_empty() {
            return true;
        }
        false
    }
}

/// Whether this record says that those from `next` up to it are lost. What it says is checked with the others.
fn notes_loss(row: &HistoryRow, next: u64) -> bool {
    if row.log_index == next {
        return false;
    }
    let Some(Act::RecoveryNoted(noted)) = row.envelope.as_deref().and_then(Act::of_envelope) else {
        return false;
    };
    (noted.from, noted.to) == (next, row.log_index)
}

/// One row, or several by the first and the last.
fn rows(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}..{last}") }
}

fn opens(link: Option<Link>, opening: Option<NextOpening>) -> bool {
    match (link, opening) {
        (Some(link), Some(opening)) => link.next == opening.commitment(),
        (None, None) => true,
        _ => false,
    }
}

/// The log's keys after a statement that names the first or the next one.
fn log_keys(before: Option<LogKeys>, index: u64, envelope: &[u8]) -> Option<LogKeys> {
    let act = Act::of_envelope(envelope)?;
    match (before, act.next_log_key()) {
        (None, _) => match &act {
            Act::VaultCreated(d) => Some(LogKeys::from(d.log_vkey.parse::<VerifierKey>().ok()?)),
            _ => None,
        },
        (Some(keys), Some(next)) => {
            keys.replaced_after(index, next.lost_from, next.log_vkey.parse().ok()?).ok()
        }
        (Some(keys), None) => matches!(act, Act::RecoveryNoted(_)).then_some(keys),
    }
}
