//! One sweep over the records of a bundle, page by page: the lines of its four growing files.

use std::collections::{BTreeMap, HashMap};

use custody::act::{Act, DisposalStep, ProductionStep, Subject};
use custody::bundle::layout::{FIELD_FILE_NAME, exhibit_path};
use custody::bundle::lines::{EnvelopeMember, OpeningLine, ProofLine, RecordLine};
use custody::bundle::timeline::{HEADER, Row, Timeline};
use custody::commitment::FieldOpening;
use custody::digest::Digest;
use custody::id::ItemId;
use custody::record::{Record, Sequence};
use custody::rules::Stored;
use custody::statement::{Content, Statement};

use super::super::fields::FIELD_EMAIL;
use super::super::read::statement;
use super::scope::Scope;
use super::{App, AppError};
use crate::store::{RecordRow, Tiles};

/// Records read at a time.
const PAGE: usize = 128;

/// The files that grow with the number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Records,
    Openings,
    Proofs,
    Timeline,
}

/// An exhibit of the case, as the records describe it.
#[derive(Debug)]
pub(super) struct Exhibit {
    pub(super) number: u32,
    pub(super) path: String,
    pub(super) claimed: Option<Content>,
    pub(super) stored: Option<Stored>,
    /// Whether a record of the bundle says that its content was destroyed.
    pub(super) disposed: bool,
    /// Whether it is sealed to persons: its content is in bundles only as it is produced to courts.
    pub(super) restricted: bool,
    /// What is sealed to courts, as the records say last: proposal, and digest of the persons' half.
    pub(super) produced: BTreeMap<Digest, Digest>,
}

impl Exhibit {
    /// Whether its content is in the bundle.
    pub(super) const fn has_content(&self) -> bool {
        self.stored.is_some() && !self.disposed && !self.restricted
    }
}

/// What one page adds to each file.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) records: Vec<u8>,
    pub(super) openings: Vec<u8>,
    pub(super) proofs: Vec<u8>,
    pub(super) timeline: Vec<u8>,
}

impl Lines {
    pub(super) fn of(&self, part: Part) -> &[u8] {
        match part {
            Part::Records => &self.records,
            Part::Openings => &self.openings,
            Part::Proofs => &self.proofs,
            Part::Timeline => &self.timeline,
        }
    }
}

/// A sweep in progress.
pub(super) struct Sweep<'a> {
    app: &'a App,
    scope: &'a Scope,
    at: usize,
    /// Only these lines are made; all of them when absent.
    only: Option<Part>,
    tiles: Tiles,
    last_stmt: Option<Digest>,
    timeline: Timeline,
    /// Exhibits met so far, in order of registration.
    pub(super) exhibits: BTreeMap<ItemId, Exhibit>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(app: &'a App, scope: &'a Scope, only: Option<Part>) -> Self {
        Self {
            app,
            scope,
            at: 0,
            only,
            tiles: Tiles::default(),
            last_stmt: None,
            timeline: Timeline::default(),
            exhibits: BTreeMap::new(),
        }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// The next page's lines; nothing after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Lines>, AppError> {
        let mut lines = Lines::default();
        if self.at == 0 && self.wants(Part::Timeline) {
            lines.timeline.extend_from_slice(HEADER.as_bytes());
        }
        let page = self.scope.indices.get(self.at..).unwrap_or_default();
        let page = page.get(..PAGE).unwrap_or(page);
        if page.is_empty() {
            return Ok(None);
        }
        let rows = self.app.store.read().await?.records_at(page).await?;
        if rows.len() != page.len() {
            return Err(AppError::internal("reading records of a bundle")("some are missing"));
        }
        if self.wants(Part::Proofs) {
            self.proofs(page, &mut lines).await?;
        }
        if self.wants(Part::Records) || self.wants(Part::Openings) || self.wants(Part::Timeline) {
            self.rows(&rows, &mut lines).await?;
        }
        self.at += page.len();
        Ok(Some(lines))
    }

    async fn proofs(&mut self, page: &[u64], lines: &mut Lines) -> Result<(), AppError> {
        let previous = self.at.checked_sub(1).and_then(|at| self.scope.indices.get(at)).copied();
        let mut tx = self.app.store.read().await?;
        let paths = tx.shared_paths(previous, page, self.scope.size, &mut self.tiles).await?;
        for (index, path) in page.iter().zip(paths) {
            lines.proofs.extend(ProofLine { index: *index, path }.emit());
        }
        Ok(())
    }

    async fn rows(&mut self, rows: &[RecordRow], lines: &mut Lines) -> Result<(), AppError> {
        let mut statements: HashMap<Digest, Statement> = HashMap::new();
        let mut opened = HashMap::new();
        if self.wants(Part::Openings) || self.wants(Part::Timeline) {
            for row in rows {
                if let std::collections::hash_map::Entry::Vacant(slot) = statements.entry(row.stmt) {
                    slot.insert(statement(&row.envelope)?);
                }
            }
            opened = self.app.open_fields(&statements.iter().map(|(stmt, s)| (*stmt, s)).collect()).await?;
        }
        for row in rows {
            let first_of_statement = self.last_stmt.replace(row.stmt) != Some(row.stmt);
            if self.wants(Part::Records) {
                lines.records.extend(record_line(row, first_of_statement).emit());
            }
            let Some(said) = statements.get(&row.stmt) else { continue };
            let act = Act::parse(said)?;
            let mut openings = opened.get(&row.stmt).cloned().unwrap_or_default();
            if !self.discloses(&act) {
                openings.clear();
            }
            if matches!(act, Act::PersonRegistered(..)) {
                // A court needs to know who somebody is, not where the vault writes to them.
                openings.retain(|opening| opening.name.as_str() != FIELD_EMAIL);
            }
            openings.sort_by(|a, b| a.name.cmp(&b.name));
            self.learn(&act, &openings);
            if first_of_statement {
                for FieldOpening { name, salt, value } in openings.iter().cloned() {
                    lines.openings.extend(OpeningLine { name, salt, stmt: row.stmt, value }.emit());
                }
                self.timeline.learn(said, &openings);
            }
            lines.timeline.extend_from_slice(self.timeline_row(row, said, &act)?.as_bytes());
        }
        Ok(())
    }

    /// Everything about the case and the persons in scope is disclosed; of other organisations, not even names.
    fn discloses(&self, act: &Act) -> bool {
        match act {
            Act::OrgRegistered(d) => self.scope.orgs.contains(&d.org),
            _ => true,
        }
    }

    fn learn(&mut self, act: &Act, openings: &[FieldOpening]) {
        match act {
            Act::ItemRegistered(_, item, d, claimed) => {
                let name =
                    openings.iter().find(|o| o.name.as_str() == FIELD_FILE_NAME).map(|o| o.value.as_str());
                let number = u32::try_from(self.exhibits.len() + 1).unwrap_or(u32::MAX);
                let path = exhibit_path(number, name);
                let restricted = d.sealing.is_some();
                let exhibit = Exhibit {
                    number,
                    path,
                    claimed: *claimed,
                    stored: None,
                    disposed: false,
                    restricted,
                    produced: BTreeMap::new(),
                };
                self.exhibits.insert(*item, exhibit);
            }
            Act::ItemClassified(_, item, d) => {
                if let Some(exhibit) = self.exhibits.get_mut(item) {
                    exhibit.restricted = d.sealing.is_some();
                }
            }
            Act::ContentReceived(_, item, d, content) => {
                if let Some(exhibit) = self.exhibits.get_mut(item) {
                    let (object, manifest, version) = (d.object, d.manifest, d.version);
                    exhibit.stored = Some(Stored { content: *content, object, manifest, version });
                }
            }
            Act::Production(_, item, ProductionStep::Sealed(d)) => {
                if let Some(exhibit) = self.exhibits.get_mut(item) {
                    exhibit.produced.insert(d.proposal, d.sealed);
                }
            }
            Act::Disposal(Subject::Item(_, item), DisposalStep::Executed(_)) => {
                if let Some(exhibit) = self.exhibits.get_mut(item) {
                    exhibit.disposed = true;
                }
            }
            _ => {}
        }
    }

    fn timeline_row(&self, row: &RecordRow, said: &Statement, act: &Act) -> Result<String, AppError> {
        let record = Record::parse(&row.record).map_err(AppError::internal("reading a record"))?;
        let exhibit = match row.own.as_ref().map(|place| place.sequence) {
            Some(Sequence::Item(item)) => self.exhibits.get(&item).map(|exhibit| exhibit.number),
            _ => None,
        };
        Ok(self.timeline.row(&Row { record: &record, hash: &row.hash, said: Some((said, act)), exhibit }))
    }
}

fn record_line(row: &RecordRow, first_of_statement: bool) -> RecordLine {
    let envelope =
        if first_of_statement { EnvelopeMember::Here(row.envelope.to_vec()) } else { EnvelopeMember::Above };
    RecordLine {
        index: row.log_index,
        record: row.record.clone(),
        envelope,
        salt: row.salt,
        entry: row.entry,
        own: row.own.as_ref().map(|place| place.next),
        case: row.case.as_ref().map(|place| place.next),
    }
}
