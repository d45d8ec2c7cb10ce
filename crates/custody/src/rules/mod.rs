//! The rules: whether an act may follow what was said before.
//!
//! A pure state machine. [`decide`] answers from a [`State`] and changes nothing; [`apply`] carries an admitted act
//! into the state. The service runs them against the part of the state that [`footprint`] names, the offline
//! verifier against a replay of a bundle: the same code gives both verdicts.

mod decide;
mod rights;
mod state;

pub use decide::{decide, signers};
pub use rights::Right;
pub use state::{Case, Grant, Item, Key, Offer, Person, State, StateHead, Stored, Vault, Voucher};

use std::collections::BTreeSet;

use crate::act::{Act, Class, KeyCheck, Subject, TransferStep};
use crate::digest::Digest;
use crate::id::{CaseId, ItemId, KeyHash, OrgId, PersonId};
use crate::record::Sequence;
use crate::statement::{Actor, Seen, Statement};

/// Why an act is refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The actor has no role that carries the right.
    #[error("no role of yours permits this here (right: {})", .0.code())]
    NotPermitted(Right),
    /// Not the item's custodian.
    #[error("only the item's present custodian may offer it")]
    NotCustodian,
    /// Not the person to whom the offer was made.
    #[error("only the person to whom the offer was made may answer it")]
    NotReceiver,
    /// The signing key is not enrolled to the actor, or no longer.
    #[error("the signing key is not enrolled to its actor, or was revoked")]
    KeyNotValid,
    /// The vault's key where a person's is needed, or the other way round.
    #[error("the signature's assurance does not fit the key")]
    WrongAssurance,
    /// A number or order of signatures that the kind does not have.
    #[error("this kind carries {0} signature(s), the actor's first")]
    Signatures(usize),
    /// Who vouches must be the key's owner, a registrar with an own key, or once the vault.
    #[error("a key is vouched for by an earlier key of its owner or by a registrar's own key")]
    NotVoucher,
    /// The key is enrolled already.
    #[error("the key is enrolled already")]
    KeyKnown,
    /// Something named is not known here.
    #[error("no such {0} in this vault")]
    Unknown(&'static str),
    /// Something new that exists already.
    #[error("this {0} exists already")]
    Exists(&'static str),
    /// `seen` is not the newest record that changed the item's custody or state.
    #[error("something changed the item since what you have seen: read its custody again and sign again")]
    Stale,
    /// `seen` names nothing in the sequences concerned.
    #[error("what was seen is not a record of this item, case or person")]
    SeenElsewhere,
    /// Another vault's statement.
    #[error("the statement is for another vault")]
    OtherVault,
    /// An offer waits for an answer.
    #[error("an offer of this item waits for an answer")]
    OfferPending,
    /// The offer named is not the one that waits.
    #[error("the offer named is not the one that waits for an answer")]
    NoSuchOffer,
    /// Custody offered to its holder.
    #[error("an item cannot be offered to its own custodian")]
    OfferToSelf,
    /// Class `restricted` needs sealing to persons.
    #[error(
        "class restricted is not supported yet: register the item as hash-only, the vault then takes no bytes"
    )]
    RestrictedUnsupported,
    /// Class `hash-only` items have a digest and no bytes.
    #[error("a hash-only item carries its digest and takes no bytes")]
    HashOnly,
    /// A digest that differs from what was claimed at registration.
    #[error("the content's digest is not the one that was registered")]
    DigestMismatch,
    /// Content is there already.
    #[error("the item has content already; nothing is overwritten")]
    ContentExists,
    /// Content is not there.
    #[error("the vault holds no content of this item")]
    NoContent,
    /// An administrator is never a member of a case, nor a member an administrator.
    #[error("an administrator runs the vault and is no member of any case: use another person")]
    AdministratorApart,
    /// A role that the person does not have, or has already.
    #[error("the person {0} this role")]
    Role(&'static str),
    /// The grant is not the actor's, not of this item, or completed already.
    #[error("the access grant is not open, or not for this person and item")]
    Grant,
    /// Only during set-up.
    #[error("the vault says this itself only while it is being set up")]
    SetUpOnly,
    /// The last lead of a case, or the last administrator, stays.
    #[error("the last one with this role stays: grant it to somebody else first")]
    LastOne,
}

impl Refusal {
    /// A stable code for interfaces and records.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotPermitted(_) => "not-permitted",
            Self::NotCustodian => "not-custodian",
            Self::NotReceiver => "not-receiver",
            Self::KeyNotValid => "key-not-valid",
            Self::WrongAssurance => "wrong-assurance",
            Self::Signatures(_) => "wrong-signatures",
            Self::NotVoucher => "not-voucher",
            Self::KeyKnown => "key-known",
            Self::Unknown(_) => "unknown",
            Self::Exists(_) => "exists",
            Self::Stale => "stale",
            Self::SeenElsewhere => "seen-elsewhere",
            Self::OtherVault => "other-vault",
            Self::OfferPending => "offer-pending",
            Self::NoSuchOffer => "no-such-offer",
            Self::OfferToSelf => "offer-to-self",
            Self::RestrictedUnsupported => "restricted-unsupported",
            Self::HashOnly => "hash-only",
            Self::DigestMismatch => "digest-mismatch",
            Self::ContentExists => "content-exists",
            Self::NoContent => "no-content",
            Self::AdministratorApart => "administrator-apart",
            Self::Role(_) => "role",
            Self::Grant => "grant",
            Self::SetUpOnly => "set-up-only",
            Self::LastOne => "last-one",
        }
    }

    /// Whether it is a refusal of the person (to be recorded), rather than of a mistaken or outdated request.
    pub const fn is_denial(&self) -> bool {
        matches!(
            self,
            Self::NotPermitted(_)
                | Self::NotCustodian
                | Self::NotReceiver
                | Self::KeyNotValid
                | Self::WrongAssurance
                | Self::NotVoucher
                | Self::AdministratorApart
        )
    }
}

/// The places of an act's records: (own stream, case's sequence), one pair a record.
/// Acts on a list of items make one record an item, in the list's order; all others make one.
pub fn places(statement: &Statement, act: &Act) -> Vec<(Option<Sequence>, Option<Sequence>)> {
    let item = |case: &CaseId, item: &ItemId| (Some(Sequence::Item(*item)), Some(Sequence::Case(*case)));
    match act {
        Act::VaultCreated(_) | Act::OrgRegistered(_) | Act::BundleCompleted(_) | Act::ClockFault(_) => {
            vec![(Some(Sequence::Vault), None)]
        }
        Act::PersonRegistered(person, _)
        | Act::RoleGranted(person, _)
        | Act::RoleRevoked(person, _)
        | Act::KeyEnrolled(person, _)
        | Act::KeyRevoked(person, _) => vec![(Some(Sequence::Person(*person)), None)],
        Act::CaseOpened(case, _)
        | Act::MemberAdded(case, _)
        | Act::MemberRemoved(case, _)
        | Act::BundleExported(case, _)
        | Act::AccessDenied(Some(case), None, _) => vec![(None, Some(Sequence::Case(*case)))],
        Act::ItemRegistered(case, id, ..)
        | Act::ItemClassified(case, id, _)
        | Act::ContentReceived(case, id, ..)
        | Act::AccessGranted(case, id, _)
        | Act::AccessCompleted(case, id, _)
        | Act::Fixity(case, id, ..)
        | Act::AccessDenied(Some(case), Some(id), _) => vec![item(case, id)],
        Act::AccessDenied(None, ..) => vec![(Some(Sequence::Refusals), None)],
        Act::Transfer(case, _, items) => items.iter().map(|r| item(case, &r.item)).collect(),
        Act::CorrectionNoted(..) => vec![match (statement.case, statement.item, statement.person) {
            (Some(case), Some(id), _) => item(&case, &id),
            (Some(case), None, _) => (None, Some(Sequence::Case(case))),
            (None, _, Some(person)) => (Some(Sequence::Person(person)), None),
            (None, _, None) => (Some(Sequence::Vault), None),
        }],
    }
}

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
    /// Items.
    pub items: BTreeSet<ItemId>,
    /// Grants, by record hash.
    pub grants: BTreeSet<Digest>,
    /// Records or envelopes that are named as seen.
    pub seen: BTreeSet<Seen>,
    /// Sequences that get a record.
    pub sequences: BTreeSet<Sequence>,
}

impl Footprint {
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
            self.seen.extend(item.seen);
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
            Act::KeyRevoked(_, d) => drop(self.keys.insert(d.key)),
            Act::MemberAdded(case, d) | Act::MemberRemoved(case, d) => self.add_person(d.member, Some(*case)),
            Act::AccessDenied(case, _, d) => self.add_person(d.person, *case),
            Act::AccessCompleted(_, _, d) => drop(self.grants.insert(d.grant)),
            Act::Transfer(case, TransferStep::Offered(to), _) => self.add_person(*to, Some(*case)),
            Act::CorrectionNoted(_, d) => drop(self.seen.insert(Seen::Record(d.record))),
            _ => {}
        }
    }

    fn add_person(&mut self, person: PersonId, case: Option<CaseId>) {
        self.persons.insert(person);
        self.members.extend(case.map(|case| (case, person)));
    }
}

/// What became of an admitted statement.
#[derive(Debug, Clone, Copy)]
pub struct Admitted<'a> {
    /// H(envelope).
    pub stmt: Digest,
    /// Log index of its first record.
    pub log_index: u64,
    /// Hashes of its records, in the order of [`places`].
    pub records: &'a [Digest],
}

/// Carries an act that [`decide`] allowed into the state.
pub fn apply(state: &mut State, statement: &Statement, act: &Act, admitted: &Admitted<'_>) {
    for ((own, case), record) in places(statement, act).into_iter().zip(admitted.records) {
        for sequence in own.into_iter().chain(case) {
            state.seen.insert((Seen::Record(*record), sequence));
            state.seen.insert((Seen::Statement(admitted.stmt), sequence));
        }
    }
    let first = admitted.records.first().copied().unwrap_or(Digest::ZERO);
    match act {
        Act::VaultCreated(d) => {
            state.vault = Some(Vault {
                id: first,
                origin: d.origin.clone(),
                log_vkey: d.log_vkey.clone(),
                key: d.vault_key,
                orgs: 0,
                persons: 0,
                vouched: false,
            });
        }
        Act::OrgRegistered(d) => {
            state.orgs.insert(d.org);
            if let Some(vault) = &mut state.vault {
                vault.orgs += 1;
            }
        }
        Act::PersonRegistered(..)
        | Act::RoleGranted(..)
        | Act::RoleRevoked(..)
        | Act::KeyEnrolled(..)
        | Act::KeyRevoked(..) => apply_to_person(state, statement, act, admitted),
        Act::CaseOpened(..) | Act::MemberAdded(..) | Act::MemberRemoved(..) => {
            apply_to_case(state, statement, act);
        }
        Act::BundleExported(..)
        | Act::BundleCompleted(_)
        | Act::AccessDenied(..)
        | Act::Fixity(..)
        | Act::CorrectionNoted(..)
        | Act::ClockFault(_) => {}
        _ => apply_to_item(state, statement, act, admitted, first),
    }
}

fn apply_to_person(state: &mut State, statement: &Statement, act: &Act, admitted: &Admitted<'_>) {
    match act {
        Act::PersonRegistered(person, d) => {
            let new = Person { org: d.org, roles: BTreeSet::new(), memberships: 0, keys: 0 };
            state.persons.insert(*person, new);
            if let Some(vault) = &mut state.vault {
                vault.persons += 1;
            }
        }
        Act::RoleGranted(person, d) => {
            if let Some(person) = state.persons.get_mut(person) {
                person.roles.insert(d.role);
            }
        }
        Act::RoleRevoked(person, d) => {
            if let Some(person) = state.persons.get_mut(person) {
                person.roles.remove(&d.role);
            }
        }
        Act::KeyEnrolled(person, d) => {
            let voucher = match statement.actor {
                Actor::System => Voucher::Vault,
                Actor::Person(actor) if actor == *person => Voucher::Owner(statement.actor_key),
                Actor::Person(actor) => Voucher::Registrar(actor, statement.actor_key),
            };
            let earlier = state.persons.get_mut(person).map_or(0, |person| {
                person.keys += 1;
                person.keys - 1
            });
            let stranger = earlier > 0 && !matches!(voucher, Voucher::Owner(_));
            let key = Key {
                owner: *person,
                public: d.key,
                enrolled: admitted.log_index,
                revoked: None,
                suspect_from: None,
                voucher,
                checked: d.checked,
                unproven: stranger || d.checked == KeyCheck::None,
            };
            state.keys.insert(d.key.hash(), key);
            if let (Voucher::Vault, Some(vault)) = (voucher, &mut state.vault) {
                vault.vouched = true;
            }
        }
        Act::KeyRevoked(_, d) => {
            if let Some(key) = state.keys.get_mut(&d.key) {
                key.revoked = Some(admitted.log_index);
                key.suspect_from = d.suspect_from;
            }
        }
        _ => {}
    }
}

fn apply_to_case(state: &mut State, statement: &Statement, act: &Act) {
    let (case, person, role, joins) = match act {
        Act::CaseOpened(case, _) => {
            state.cases.insert(*case, Case::default());
            let Some(opener) = statement.actor.person() else { return };
            (*case, opener, crate::act::CaseRole::Lead, true)
        }
        Act::MemberAdded(case, d) => (*case, d.member, d.role, true),
        Act::MemberRemoved(case, d) => (*case, d.member, d.role, false),
        _ => return,
    };
    let roles = state.members.entry((case, person)).or_default();
    let before = roles.is_empty();
    if joins {
        roles.insert(role);
    } else {
        roles.remove(&role);
    }
    let after = roles.is_empty();
    if let Some(person) = state.persons.get_mut(&person) {
        match (before, after) {
            (true, false) => person.memberships += 1,
            (false, true) => person.memberships = person.memberships.saturating_sub(1),
            _ => {}
        }
    }
}

fn apply_to_item(
    state: &mut State,
    statement: &Statement,
    act: &Act,
    admitted: &Admitted<'_>,
    first: Digest,
) {
    let head = |record: Digest| StateHead { record, stmt: admitted.stmt };
    match act {
        Act::ItemRegistered(case, id, d, content) => {
            let Some(custodian) = statement.actor.person() else { return };
            let Some(in_case) = state.cases.get_mut(case) else { return };
            in_case.items += 1;
            let item = Item {
                case: *case,
                exhibit: in_case.items,
                class: d.class,
                claimed: *content,
                stored: None,
                custodian,
                head: head(first),
                offer: None,
            };
            state.items.insert(*id, item);
        }
        Act::ItemClassified(_, id, d) => {
            if let Some(item) = state.items.get_mut(id) {
                item.class = d.class;
                item.head = head(first);
            }
        }
        Act::ContentReceived(_, id, d, content) => {
            if let Some(item) = state.items.get_mut(id) {
                let stored =
                    Stored { content: *content, object: d.object, manifest: d.manifest, version: d.version };
                item.stored = Some(stored);
            }
        }
        Act::AccessGranted(_, id, d) => {
            let Some(person) = statement.actor.person() else { return };
            state.grants.insert(first, Grant { item: *id, person, expires: d.expires, completed: false });
        }
        Act::AccessCompleted(_, _, d) => {
            if let Some(grant) = state.grants.get_mut(&d.grant) {
                grant.completed = true;
            }
        }
        Act::Transfer(_, step, items) => {
            for (r, record) in items.iter().zip(admitted.records) {
                let Some(item) = state.items.get_mut(&r.item) else { continue };
                item.head = head(*record);
                item.offer = match step {
                    TransferStep::Offered(to) => Some(Offer { head: head(*record), to: *to }),
                    TransferStep::Accepted => {
                        item.custodian = item.offer.map_or(item.custodian, |offer| offer.to);
                        None
                    }
                    TransferStep::Declined => None,
                };
            }
        }
        _ => {}
    }
}

/// Whether items of this class may have their bytes in the vault.
pub const fn takes_bytes(class: Class) -> bool {
    matches!(class, Class::Open | Class::Confidential)
}

/// Whether a correction's subject is within a case.
pub const fn subject_case(subject: &Subject) -> Option<CaseId> {
    match subject {
        Subject::Item(case, _) | Subject::Case(case) => Some(*case),
        Subject::Person(_) | Subject::Vault => None,
    }
}
