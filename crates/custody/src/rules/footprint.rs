//! What of the state a decision looks at, so that a store need not load all of it.

use std::collections::BTreeSet;

use super::{Right, log_key, places};
use crate::act::{
    AccessGranted, Act, DisposalStep, ItemClassified, ItemRegistered, ProductionStep, Subject, TransferStep,
};
use crate::digest::Digest;
use crate::id::{CaseId, ItemId, KeyHash, OrgId, PersonId};
use crate::record::Sequence;
use crate::statement::{Seen, Statement};

/// What of the state a decision looks at; a store loads this much, in bulk for a batch.
#[derive(Debug, Clone, Default)]
pub struct Footprint {
    /// Organisations.
    pub orgs: BTreeSet<OrgId>,
    /// Persons.
    pub persons: BTreeSet<PersonId>,
    /// Keys.
    pub keys: BTreeSet<KeyHash>,
    /// Cases.
    pub cases: BTreeSet<CaseId>,
    /// Memberships.
    pub members: BTreeSet<(CaseId, PersonId)>,
    /// Items; whoever offers one, or has sealed it anew, is loaded with it.
    pub items: BTreeSet<ItemId>,
    /// Members whose items, held and offered, are counted.
    pub custody: BTreeSet<(CaseId, PersonId)>,
    /// Whether everybody is needed who can vouch, and all keys of these and of [`Self::persons`], to whom something may be
    /// sealed.
    pub vouchers: bool,
    /// Grants, by record hash.
    pub grants: BTreeSet<Digest>,
    /// Those of them whose readers are looked at.
    pub readers: BTreeSet<Digest>,
    /// Items whose originals are looked at, where they have one.
    pub made: BTreeSet<ItemId>,
    /// Cases whose holds are looked at.
    pub holds: BTreeSet<CaseId>,
    /// Persons for whom the holds of all cases that they were ever part of are looked at.
    pub held_persons: BTreeSet<PersonId>,
    /// Persons for whom the cases that they were ever part of are looked at.
    pub cases_around: BTreeSet<PersonId>,
    /// Exports, by record hash, whose cases are looked at where they wait for these to be completed.
    pub exports: BTreeSet<Digest>,
    /// Disposals, by the hash of their proposal's record.
    pub disposals: BTreeSet<Digest>,
    /// Productions, by the hash of their proposal's record.
    pub productions: BTreeSet<Digest>,
    /// Records or envelopes that are named as seen and may stand anywhere in the sequences concerned.
    pub seen: BTreeSet<Seen>,
    /// Sequences that get a record.
    pub sequences: BTreeSet<Sequence>,
}

impl Footprint {
    /// What these persons are in a case, and what state it is in.
    pub fn of_members(case: CaseId, persons: impl IntoIterator<Item = PersonId>) -> Self {
        let members = persons.into_iter().map(|person| (case, person)).collect();
        Self { cases: [case].into(), members, ..Self::default() }
    }

    /// Adds what `act` needs.
    pub fn add(&mut self, statement: &Statement, act: &Act) {
        self.keys.insert(statement.actor_key);
        if let Some(person) = statement.actor.person() {
            self.add_person(person, statement.case);
        }
        self.persons.extend(statement.person);
        self.cases.extend(statement.case);
        for item in statement.item_refs() {
            self.items.insert(item.item);
        }
        self.seen.extend(statement.seen);
        for (own, case) in places(statement, act) {
            self.sequences.extend(own);
            self.sequences.extend(case);
        }
        match act {
            Act::OrgRegistered(d) => drop(self.orgs.insert(d.org)),
            Act::PersonRegistered(_, d) => drop(self.orgs.insert(d.org)),
            Act::KeyEnrolled(_, d) => drop(self.keys.insert(d.key.hash())),
            Act::KeyRevoked(_, d) => {
                self.keys.insert(d.key);
                self.vouchers = true;
            }
            Act::PersonSuspended(..) => self.vouchers = true,
            Act::RoleRevoked(_, d) => self.vouchers |= d.role.permits(Right::Vouch),
            Act::MemberAdded(case, d) => self.add_person(d.member, Some(*case)),
            Act::MemberRemoved(case, d) => {
                self.add_person(d.member, Some(*case));
                self.custody.insert((*case, d.member));
            }
            Act::ItemRegistered(case, _, ItemRegistered { sealing: Some(sealing), .. }, _)
            | Act::ItemClassified(case, _, ItemClassified { sealing: Some(sealing), .. }) => {
                sealing.persons().for_each(|person| self.add_person(person, Some(*case)));
                self.vouchers = true;
            }
            Act::AccessGranted(case, _, AccessGranted { with: Some(with), .. }) => {
                self.add_person(*with, Some(*case));
            }
            Act::Production(case, _, step) => {
                self.productions.extend(step.proposal());
                if let ProductionStep::Sealed(d) = step {
                    self.add_person(d.with, Some(*case));
                }
            }
            Act::BundleCompleted(d) => drop(self.exports.insert(d.export)),
            Act::BundleExported(_, d) => self.productions.extend(d.productions.iter().flatten()),
            Act::Reseal(case, _, step) => {
                if let Some((sealing, with, grants)) = step.opened() {
                    let persons = sealing.persons().chain([with]);
                    persons.for_each(|person| self.add_person(person, Some(*case)));
                    self.grants.extend(grants);
                    self.vouchers = true;
                }
            }
            Act::AccessCompleted(_, _, d) => drop(self.grants.insert(d.grant)),
            Act::Fixity(case, _, d, _) => {
                self.grants.extend([d.grant, d.with_grant].into_iter().flatten());
                if let Some(person) = d.with {
                    self.add_person(person, Some(*case));
                    self.vouchers = true;
                }
            }
            Act::ItemDerived(_, _, d) => {
                self.items.insert(d.of);
                self.grants.extend(d.grant);
                self.readers.extend(d.grant);
            }
            Act::ContentReceived(_, id, ..) => drop(self.made.insert(*id)),
            Act::AccessReviewed(_, _, d) => drop(self.grants.insert(d.grant)),
            Act::Transfer(case, TransferStep::Offered(d), _) => {
                d.persons().for_each(|person| self.add_person(person, Some(*case)));
            }
            Act::CorrectionNoted(_, d) => drop(self.seen.insert(Seen::Record(d.record))),
            Act::Hold(case, ..) => drop(self.holds.insert(*case)),
            Act::Disposal(subject, step) => self.add_disposal(subject, step),
            Act::LogKeyRotated(_) | Act::LogContinued(_) | Act::RecoveryNoted(_) => {
                self.keys.extend(act.next_log_key().and_then(|next| log_key::hash_of(next.log_vkey)));
            }
            _ => {}
        }
    }

    fn add_disposal(&mut self, subject: &Subject, step: &DisposalStep) {
        match subject {
            Subject::Person(person) => drop(self.held_persons.insert(*person)),
            Subject::Item(case, _) | Subject::Case(case) => drop(self.holds.insert(*case)),
            Subject::Vault => {}
        }
        if let (DisposalStep::Approved(_), Subject::Person(person)) = (step, subject) {
            self.cases_around.insert(*person);
        }
        self.disposals.extend(step.proposal());
        if let DisposalStep::Proposed(d) = step {
            self.seen.extend(d.records.iter().flatten().map(|record| Seen::Record(*record)));
        }
    }

    fn add_person(&mut self, person: PersonId, case: Option<CaseId>) {
        self.persons.insert(person);
        self.members.extend(case.map(|case| (case, person)));
    }
}
