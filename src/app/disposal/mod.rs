//! Holds and disposals: what must stay, what is to be destroyed, and its destruction.
//!
//! Proposals, approvals and holds are statements of persons and come in by the statements' own routes. What two persons
//! have approved the vault carries out by itself ([`carry_out`]), and says later that nothing it knows of opens it any
//! more.

mod carry_out;
mod certificate;
mod retention;

use std::collections::BTreeMap;

use custody::act::Subject;
use custody::digest::Digest;
use custody::id::{CaseId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Disposal, Footprint, Right, Stage, has_lapsed, undisclosed};

use super::linked::{self, linked_in};
use super::read::{code, statement};
use super::refuse::Place;
use super::{App, AppError};
use crate::api;
use crate::store::{ItemRow, RecordRow, Tx};

/// Exports that an approver is shown.
const SHOWN: usize = 100;
/// Records read at a time.
const PAGE: u32 = 500;

impl App {
    /// The holds of a case, released ones included.
    pub async fn holds(&self, person: PersonId, case: CaseId) -> Result<api::Holds, AppError> {
        self.require(person, case, None, Right::ReadRecords).await?;
        let holds = self.store.read().await?.holds_of(case).await?;
        let info = |(record, hold): (Digest, custody::rules::Hold)| api::HoldInfo {
            record: record.to_hex(),
            item: hold.item.map(|item| item.to_string()),
            placed: hold.placed,
            released: hold.released,
        };
        Ok(api::Holds { holds: holds.into_iter().map(info).collect() })
    }

    /// What was proposed to be destroyed in a case, after a log index, at most `limit`.
    pub async fn disposals(
        &self,
        person: PersonId,
        case: CaseId,
        after: u64,
        limit: u32,
    ) -> Result<api::Disposals, AppError> {
        self.require(person, case, None, Right::ReadRecords).await?;
        let found = self.store.read().await?.disposals_of(case, after, limit).await?;
        let full = found.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next = if full { found.last().map(|(_, disposal)| disposal.index.to_string()) } else { None };
        Ok(api::Disposals { disposals: self.disposal_views(person, found).await?, next })
    }

    /// What was proposed to be destroyed of the values about a person.
    pub async fn disposals_about(
        &self,
        person: PersonId,
        about: PersonId,
    ) -> Result<api::Disposals, AppError> {
        self.decides_about_persons(person).await?;
        let found = self.store.read().await?.disposals_about(Subject::Person(about)).await?;
        Ok(api::Disposals { disposals: self.disposal_views(person, found).await?, next: None })
    }

    /// One disposal, by the hash of its proposal's record.
    pub async fn disposal(&self, person: PersonId, id: Digest) -> Result<api::DisposalInfo, AppError> {
        let found = self.visible_disposal(person, id).await?;
        self.disposal_views(person, vec![(id, found)]).await?.pop().ok_or(AppError::NotFound("disposal"))
    }

    /// A disposal that `person` may know of. Unknown and foreign ones look the same, and both are recorded.
    async fn visible_disposal(&self, person: PersonId, id: Digest) -> Result<Disposal, AppError> {
        let found = self.store.read().await?.disposals(&[id]).await?.pop();
        let visible = match found.as_ref().map(|(_, found)| found.subject) {
            Some(Subject::Item(case, item)) => {
                self.require(person, case, Some(item), Right::ReadRecords).await?;
                true
            }
            Some(Subject::Case(case)) => {
                self.require(person, case, None, Right::ReadRecords).await?;
                true
            }
            Some(Subject::Person(_)) => self.in_vault(person, Right::ApproveErasure).await?,
            Some(Subject::Vault) | None => false,
        };
        if let Some((_, found)) = found.filter(|_| visible) {
            return Ok(found);
        }
        let unknown = custody::rules::Refusal::Unknown("item");
        Err(self.refused(person, Place::VAULT, Right::ReadRecords.code(), unknown).await?)
    }

    /// Whoever proposes or approves that values about persons be destroyed.
    async fn decides_about_persons(&self, person: PersonId) -> Result<(), AppError> {
        let right = Right::ApproveErasure;
        self.require_in_vault(person, right, right.code()).await
    }

    async fn disposal_views(
        &self,
        person: PersonId,
        found: Vec<(Digest, Disposal)>,
    ) -> Result<Vec<api::DisposalInfo>, AppError> {
        let mut views = Vec::with_capacity(found.len());
        let mut exports: BTreeMap<CaseId, Vec<api::ExportedInfo>> = BTreeMap::new();
        let mut derived: BTreeMap<CaseId, Vec<ItemRow>> = BTreeMap::new();
        for (record, disposal) in found {
            let case = case_of(&disposal);
            let mut exported = match case {
                Some(case) => {
                    if let std::collections::btree_map::Entry::Vacant(slot) = exports.entry(case) {
                        slot.insert(exports_of(&mut self.store.read().await?, case).await?);
                    }
                    exports.get(&case).cloned().unwrap_or_default()
                }
                None => Vec::new(),
            };
            let count = exported.len() as u64;
            exported.truncate(SHOWN);
            let waits = self.waits_for(record, &disposal).await?;
            let pending = match disposal.stage {
                Stage::Proposed => self.pending(disposal.subject).await?,
                _ => Vec::new(),
            };
            let in_no_bundle = match case {
                Some(case) => self.store.read().await?.restricted_contents(case).await?,
                None => 0,
            };
            let mut named = Vec::new();
            for case in pending.iter().take(SHOWN) {
                if self.may_read(person, *case).await? {
                    named.push(case.to_string());
                }
            }
            let row = self.record_of(record).await?;
            let purpose = statement(&row.envelope)?.purpose;
            let linked = match disposal.subject {
                Subject::Item(case, item) => {
                    if let std::collections::btree_map::Entry::Vacant(slot) = derived.entry(case) {
                        slot.insert(self.store.read().await?.derived_of(case).await?);
                    }
                    derived.get(&case).map(|of| linked_in(of, item)).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            let (item, about) = match disposal.subject {
                Subject::Item(_, item) => (Some(item.to_string()), None),
                Subject::Person(person) => (None, Some(person.to_string())),
                _ => (None, None),
            };
            views.push(api::DisposalInfo {
                record: record.to_hex(),
                case: case.map(|case| case.to_string()),
                item,
                person: about,
                records: disposal.records.iter().map(|record| record.to_hex()).collect(),
                ground: purpose.map(|purpose| purpose.to_string()).unwrap_or_default(),
                proposer: disposal.proposer.map(|person| person.to_string()),
                approvals: disposal.approvals.iter().map(approval).collect(),
                stage: code(&disposal.stage),
                waits,
                exports: count,
                exported,
                pending: pending.len() as u64,
                pending_cases: named,
                in_no_bundle,
                linked: linked::views(&linked),
            });
        }
        Ok(views)
    }

    /// Cases that lose something by it, and whose defence does not have it, as far as records say.
    async fn pending(&self, subject: Subject) -> Result<Vec<CaseId>, AppError> {
        let mut footprint = Footprint::default();
        match subject {
            Subject::Item(case, item) => {
                footprint.cases.insert(case);
                footprint.items.insert(item);
            }
            Subject::Case(case) => drop(footprint.cases.insert(case)),
            Subject::Person(person) => drop(footprint.cases_around.insert(person)),
            Subject::Vault => {}
        }
        Ok(undisclosed(&self.store.read().await?.state(&footprint).await?, subject))
    }

    async fn record_of(&self, record: Digest) -> Result<RecordRow, AppError> {
        let row = self.store.read().await?.records_by_hash(&[record]).await?.pop();
        row.ok_or(AppError::NotFound("record"))
    }

    /// Whether it must be proposed anew.
    async fn lapsed(&self, record: Digest, disposal: &Disposal) -> Result<bool, AppError> {
        let mut footprint = Footprint { disposals: [record].into(), ..Footprint::default() };
        if let Subject::Person(person) = disposal.subject {
            footprint.held_persons.insert(person);
        }
        if let Some(case) = case_of(disposal) {
            footprint.cases.insert(case);
            footprint.holds.insert(case);
        }
        let state = self.store.read().await?.state(&footprint).await?;
        Ok(has_lapsed(&state, disposal, self.clock.now()))
    }

    /// What stands between a disposal and its end.
    async fn waits_for(&self, record: Digest, disposal: &Disposal) -> Result<Vec<String>, AppError> {
        match disposal.stage {
            Stage::Proposed => {
                let missing = custody::rules::APPROVERS.saturating_sub(disposal.approvals.len());
                let holds = match case_of(disposal) {
                    Some(case) => self.store.read().await?.holds_of(case).await?,
                    None => Vec::new(),
                };
                let held = holds.iter().any(|(_, hold)| {
                    let on = hold.item.is_none()
                        || !matches!(disposal.subject, Subject::Item(_, item) if hold.item != Some(item));
                    hold.released.is_none() && on
                });
                let lapsed = self.lapsed(record, disposal).await?;
                let lapsed = lapsed.then(|| "a new proposal: this one has lapsed".to_owned());
                let approvals = (missing > 0).then(|| format!("{missing} approval(s)"));
                let kept = held.then(|| "a hold".to_owned());
                let vault = || Some("the vault, which carries it out within a minute".to_owned());
                let waits: Vec<_> = lapsed.into_iter().chain(approvals).chain(kept).collect();
                Ok(if waits.is_empty() { vault().into_iter().collect() } else { waits })
            }
            Stage::Executed => self.opens_still(disposal).await,
            Stage::Declined | Stage::Completed => Ok(Vec::new()),
        }
    }
}

fn approval(given: &custody::rules::Approval) -> api::Approval {
    api::Approval { person: given.person.to_string(), role: given.role.to_string() }
}

const fn case_of(disposal: &Disposal) -> Option<CaseId> {
    match disposal.subject {
        Subject::Item(case, _) | Subject::Case(case) => Some(case),
        Subject::Person(_) | Subject::Vault => None,
    }
}

/// The bundles of a case that were exported, newest first.
async fn exports_of(tx: &mut Tx, case: CaseId) -> Result<Vec<api::ExportedInfo>, AppError> {
    let sequence = Sequence::Case(case);
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let rows = tx.records(sequence, after, PAGE).await?;
        let last = rows.last().and_then(|row| super::read::seq_in(row, sequence));
        for row in rows.iter().filter(|row| row.kind == Kind::BundleExported) {
            let purpose = statement(&row.envelope)?.purpose;
            all.push(api::ExportedInfo {
                index: row.log_index,
                received: row.received.to_string(),
                actor: row.actor.to_string(),
                purpose: purpose.map(|purpose| purpose.to_string()).unwrap_or_default(),
            });
        }
        match last {
            Some(last) if rows.len() == PAGE as usize => after = last,
            _ => break,
        }
    }
    all.reverse();
    Ok(all)
}
