//! What the rules look at: the consequences of all records so far, or of those that one decision needs.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::rights::{CaseRoles, VaultRoles, is_member, permitted_in_case, permitted_in_vault};
use super::{Offer, Production, Refusal, Right};
use crate::act::{Class, Derivation, KeyCheck, NextLogKey, ObjectId, PublicKey, Sealing, Subject};
use crate::age::Recipient;
use crate::digest::Digest;
use crate::id::{CaseId, Code, ItemId, KeyHash, OrgId, PersonId};
use crate::log_keys::{LogKeys, LogKeysError, MAX_LOG_KEYS};
use crate::note::VerifierKey;
use crate::record::Sequence;
use crate::statement::{Content, Seen};
use crate::time::Timestamp;

/// The state, whole (when replaying) or the part that [`super::Footprint`] names (when deciding in a store).
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The vault, once record 0 exists.
    pub vault: Option<Vault>,
    /// Known organisations.
    pub orgs: HashSet<OrgId>,
    /// Known persons.
    pub persons: HashMap<PersonId, Person>,
    /// Enrolled keys, revoked ones included.
    pub keys: HashMap<KeyHash, Key>,
    /// Cases.
    pub cases: HashMap<CaseId, Case>,
    /// Roles of persons in cases; no entry, or none that counts now: not a member.
    pub members: HashMap<(CaseId, PersonId), CaseRoles>,
    /// Items.
    pub items: HashMap<ItemId, Item>,
    /// How many items of a case a person holds or is offered, each counted once; no entry: none.
    pub custody: HashMap<(CaseId, PersonId), u64>,
    /// Access grants, by the hash of their record.
    pub grants: HashMap<Digest, Grant>,
    /// Grants whose records a bundle keeps back, by the hash of these, and of which item each is; not of those whose
    /// completion is known.
    pub kept_back: HashMap<Digest, ItemId>,
    /// Holds, released ones included, by the hash of the record that placed them.
    pub holds: HashMap<Digest, Hold>,
    /// What was proposed to be destroyed, and what became of it, by the hash of the proposal's record.
    pub disposals: HashMap<Digest, Disposal>,
    /// Productions to courts, by the hash of the proposal's record.
    pub productions: HashMap<Digest, Production>,
    /// What can be named as seen, in which sequences.
    pub seen: HashSet<(Seen, Sequence)>,
    /// Whether persons may be missing who are not concerned, as in a bundle: then nothing is refused for being the
    /// last one of all.
    pub partial: bool,
}

/// The vault itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// Hash of record 0.
    pub id: Digest,
    /// The log's origin.
    pub origin: String,
    /// The log's verifier key.
    pub log_vkey: String,
    /// The verifier keys that the log had before, oldest first.
    pub former_log_keys: Vec<FormerLogKey>,
    /// The key that signs for the vault and on behalf of signed-in persons.
    pub key: PublicKey,
    /// Organisations so far.
    pub orgs: u64,
    /// Persons so far.
    pub persons: u64,
    /// Whether the vault key has vouched for the first registrar: it does so once.
    pub vouched: bool,
    /// Versions of the key encryption key that records name. The first is not among them before it is destroyed.
    pub keks: BTreeMap<u32, Kek>,
}

/// A version of the key encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kek {
    /// A value that only this key gives and that says nothing about it.
    pub check: Digest,
    /// Log index of the record that says that it was destroyed.
    pub destroyed: Option<u64>,
}

/// A key that the log had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerLogKey {
    /// Index of the record that replaced it.
    pub until: u64,
    /// Its verifier key.
    pub vkey: String,
    /// Where that record notes a loss: log index of the first lost record.
    pub lost_from: Option<u64>,
}

impl Vault {
    /// The keys that the log has had.
    pub fn log_keys(&self) -> Result<LogKeys, LogKeysError> {
        let parse = |vkey: &String| vkey.parse::<VerifierKey>().map_err(|_| LogKeysError::NotALogKey);
        let mut keys = self.log_vkeys().map(parse);
        let first = LogKeys::from(keys.next().unwrap_or(Err(LogKeysError::NotALogKey))?);
        let mut replaced = self.former_log_keys.iter().zip(keys);
        replaced
            .try_fold(first, |log, (former, key)| log.replaced_after(former.until, former.lost_from, key?))
    }

    /// The version of the key encryption key that wraps new keys.
    pub fn kek(&self) -> u32 {
        self.keks.last_key_value().map_or(1, |(version, _)| *version)
    }

    /// Whether this version of the key encryption key and all before it are destroyed; where there was none, they are.
    pub fn keks_destroyed_to(&self, version: Option<u32>) -> bool {
        let destroyed = |version| self.keks.get(&version).is_some_and(|kek| kek.destroyed.is_some());
        version.is_none_or(|version| (1..=version).all(destroyed))
    }

    /// The verifier keys that the log has had, oldest first.
    pub fn log_vkeys(&self) -> impl Iterator<Item = &String> {
        self.former_log_keys.iter().map(|former| &former.vkey).chain([&self.log_vkey])
    }

    /// The log's key is another one from the record at `index` on, and its name that of the key.
    pub(super) fn replace_log_key(&mut self, index: u64, next: &NextLogKey<'_>) {
        // Refused, and so no key of the log.
        if self.former_log_keys.len() + 1 >= MAX_LOG_KEYS {
            return;
        }
        let vkey = core::mem::replace(&mut self.log_vkey, next.log_vkey.to_owned());
        self.former_log_keys.push(FormerLogKey { until: index, vkey, lost_from: next.lost_from });
    }
}

/// A registered person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's organisation.
    pub org: OrgId,
    /// Roles in the vault.
    pub roles: VaultRoles,
    /// In how many cases the person has a role, those included whose term has not begun or has ended.
    pub memberships: u64,
    /// Keys enrolled so far, revoked ones included.
    pub keys: u64,
    /// Log index since which nothing that the person says counts.
    pub suspended: Option<u64>,
}

/// An enrolled key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose it is.
    pub owner: PersonId,
    /// The public key.
    pub public: PublicKey,
    /// Log index of its enrolment.
    pub enrolled: u64,
    /// Log index of its revocation.
    pub revoked: Option<u64>,
    /// Log index from which on its signatures are suspect.
    pub suspect_from: Option<u64>,
    /// Who vouched for it.
    pub voucher: Voucher,
    /// How the voucher made sure.
    pub checked: KeyCheck,
    /// To whom secrets are sealed for whoever has this key.
    pub recipient: Option<Recipient>,
    /// Whether nobody who knows the person vouched for it: neither an earlier key of theirs that is proven, nor, for
    /// the first, somebody who checked.
    pub unproven: bool,
}

impl Key {
    /// Whether what is sealed to its owner is sealed to this key: it is valid, and somebody who knows the owner vouched for it.
    /// Otherwise a registrar could have everything sealed to a key of their own as well.
    pub const fn is_sealed_to(&self) -> bool {
        self.recipient.is_some() && self.revoked.is_none() && !self.unproven
    }
}

/// Who vouched for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voucher {
    /// An earlier key of the same person.
    Owner(KeyHash),
    /// A registrar's key.
    Registrar(PersonId, KeyHash),
    /// The vault key, once, for the first registrar.
    Vault,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Case {
    /// Items so far; an item's exhibit number is its place in this count.
    pub items: u32,
    /// Whether it is closed.
    pub closed: bool,
    /// Log index of the record that closed or reopened it last.
    pub turned: Option<u64>,
    /// What changed it since it was opened: H(envelope), in order.
    pub updates: Vec<Digest>,
    /// Bundles exported so far.
    pub exports: u64,
    /// Whether content was received since a bundle was last exported for the defence and completed.
    pub undisclosed: bool,
    /// While it is undisclosed: the newest export for the defence, with all content, that is not completed yet.
    pub disclosing: Option<Digest>,
    /// Whether somebody was ever to defend in it.
    pub defended: bool,
}

/// A hold: what it is on must not be destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The case.
    pub case: CaseId,
    /// The item; everything in the case without one.
    pub item: Option<ItemId>,
    /// H(envelope) of the statement that placed it.
    pub stmt: Digest,
    /// Log index of its record.
    pub placed: u64,
    /// Log index of the record that released it.
    pub released: Option<u64>,
}

/// Something that is to be destroyed, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposal {
    /// An item: its content. A case: openings of records. A person: all openings about the person.
    pub subject: Subject,
    /// The records whose openings are meant, where it is a case.
    pub records: Vec<Digest>,
    /// Who proposed it; nobody where the vault did.
    pub proposer: Option<PersonId>,
    /// Log index of the proposal.
    pub index: u64,
    /// Who agreed, oldest first.
    pub approvals: Vec<Approval>,
    /// What became of it.
    pub stage: Stage,
    /// The newest version of the key encryption key that wrapped what was destroyed.
    pub kek: Option<u32>,
    /// Log index of the record that declined it, or that says that it is destroyed.
    pub ended: Option<u64>,
    /// Until when backups made before are kept.
    pub horizon: Option<Timestamp>,
}

/// That somebody agreed, and on what: it counts for as long as all of it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub person: PersonId,
    /// In which role.
    pub role: Code,
    /// By which key.
    pub key: KeyHash,
    /// Log index of the record.
    pub index: u64,
    /// How many exported bundles of the case the approver knew of.
    pub exports: u64,
}

/// What became of a proposal to destroy something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It waits for its approvers, or for the vault.
    Proposed,
    /// Somebody declined, or took it back.
    Declined,
    /// The vault has destroyed what it holds.
    Executed,
    /// Nothing that the vault knows of opens it any more.
    Completed,
}

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its case.
    pub case: CaseId,
    /// Its exhibit number in the case, from 1.
    pub exhibit: u32,
    /// Its class.
    pub class: Class,
    /// Who opens it, of a restricted item.
    pub sealing: Option<Sealing>,
    /// Whether its sender seals it, so that the vault never sees its content.
    pub by_sender: bool,
    /// To whom somebody has sealed it anew, until somebody else confirms it.
    pub reseal: Option<Reseal>,
    /// The content its registration claimed.
    pub claimed: Option<Content>,
    /// The content that the vault holds.
    pub stored: Option<Stored>,
    /// Who has custody.
    pub custodian: PersonId,
    /// Its newest record that changed custody or state.
    pub head: StateHead,
    /// The offer that waits for an answer.
    pub offer: Option<Offer>,
    /// What put on the seal that is on it.
    pub seal: Option<StateHead>,
    /// Whether its content was destroyed on record.
    pub disposed: bool,
    /// From what it was made, where somebody or the vault says so.
    pub derived: Option<Derived>,
}

/// New halves of a restricted item's key, beside those that count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reseal {
    /// Who sealed it.
    pub by: PersonId,
    /// Until when it may be confirmed.
    pub expires: Timestamp,
    /// Digest of the sealed halves.
    pub halves: Digest,
    /// By which key its author said so.
    pub key: KeyHash,
    /// Hash of the record of `item.resealed`.
    pub record: Digest,
    /// To whom.
    pub sealing: Sealing,
}

/// From what an item was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Derived {
    /// The original.
    pub of: ItemId,
    /// What it is of the original.
    pub how: Derivation,
    /// Who says so; the vault, which made it, where nobody does.
    pub by: Option<PersonId>,
}

/// Content in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Digest and size, as computed by the vault; as its sender said, where they sealed it.
    pub content: Content,
    /// The stored object.
    pub object: ObjectId,
    /// H(envelope of its manifest).
    pub manifest: Digest,
    /// Content version, from 1.
    pub version: u32,
}

/// A record and its envelope: either may be named as seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateHead {
    /// Record hash.
    pub record: Digest,
    /// H(envelope).
    pub stmt: Digest,
}

impl StateHead {
    /// Whether `seen` names this one.
    pub fn is(&self, seen: Seen) -> bool {
        match seen {
            Seen::Record(record) => record == self.record,
            Seen::Statement(stmt) => stmt == self.stmt,
        }
    }
}

/// Whether somebody has looked at a reading in an emergency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Review {
    /// Not yet.
    Open,
    /// On record.
    Closed,
}

/// A grant to read an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The item.
    pub item: ItemId,
    /// The reader.
    pub person: PersonId,
    /// Until when.
    pub expires: Timestamp,
    /// With whom, of a restricted item.
    pub with: Option<PersonId>,
    /// By which key the reader said so, of a restricted item.
    pub key: Option<KeyHash>,
    /// Of a reading in an emergency: whether somebody has looked at why.
    pub review: Option<Review>,
    /// Whether its completion is recorded.
    pub completed: bool,
}

impl State {
    /// Whether `person` has the right at `at`, through a role in the vault.
    pub fn in_vault(&self, person: PersonId, right: Right, at: Timestamp) -> Result<(), Refusal> {
        let roles = self.persons.get(&person).map(|person| &person.roles);
        roles.map_or(Err(Refusal::NotPermitted(right)), |roles| permitted_in_vault(roles, right, at))
    }

    /// Whether `person` has the right at `at`, through a role in `case`, and the state of the case permits it.
    pub fn in_case(
        &self,
        case: CaseId,
        person: PersonId,
        right: Right,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let found = self.cases.get(&case).ok_or(Refusal::Unknown("case"))?;
        let roles = self.members.get(&(case, person));
        roles.map_or(Err(Refusal::NotPermitted(right)), |roles| permitted_in_case(found, roles, right, at))
    }

    /// Whether `person` is suspended.
    pub fn is_suspended(&self, person: PersonId) -> bool {
        self.persons.get(&person).is_some_and(|person| person.suspended.is_some())
    }

    /// Whether somebody can vouch at `at`, and will until somebody ends it: has the right by a role without an end, is
    /// not suspended, and has a valid key that `counts`.
    pub(super) fn can_vouch(&self, at: Timestamp, counts: impl Fn(&KeyHash, &Key) -> bool) -> bool {
        let valid = |(hash, key): (&KeyHash, &Key)| key.revoked.is_none() && counts(hash, key);
        let lasts = |person: &Person| {
            person.roles.iter().any(|(role, term)| term.lasts(at) && role.permits(Right::Vouch))
        };
        let vouches = |key: &Key| {
            self.persons.get(&key.owner).is_some_and(|owner| owner.suspended.is_none() && lasts(owner))
        };
        self.keys.iter().any(|entry| valid(entry) && vouches(entry.1))
    }

    /// An item comes to a person, by registration or by an offer.
    pub(super) fn comes_to(&mut self, case: CaseId, person: PersonId) {
        *self.custody.entry((case, person)).or_default() += 1;
    }

    /// An item, or the offer of one, leaves a person.
    pub(super) fn leaves(&mut self, case: CaseId, person: PersonId) {
        if let Entry::Occupied(mut count) = self.custody.entry((case, person)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Whether `person` has any role in `case` at `at`.
    pub fn is_member(&self, case: CaseId, person: PersonId, at: Timestamp) -> bool {
        self.members.get(&(case, person)).is_some_and(|roles| is_member(roles, at))
    }
}
