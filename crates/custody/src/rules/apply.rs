//! What an admitted act changes in the state.

use super::rights::VaultRoles;
use super::state::{Case, Derived, Grant, Item, Key, Person, State, StateHead, Stored, Vault, Voucher};
use super::{Review, Term, disposal, holding, places, production, resealing};
use crate::act::{Act, CaseRole, KeyCheck};
use crate::digest::Digest;
use crate::statement::{Actor, Seen, Statement};

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
                former_log_keys: Vec::new(),
                key: d.vault_key,
                orgs: 0,
                persons: 0,
                vouched: false,
                keks: std::collections::BTreeMap::new(),
            });
        }
        Act::OrgRegistered(d) => {
            state.orgs.insert(d.org);
            if let Some(vault) = &mut state.vault {
                vault.orgs += 1;
            }
        }
        Act::PersonRegistered(..)
        | Act::PersonSuspended(..)
        | Act::PersonRestored(_)
        | Act::RoleGranted(..)
        | Act::RoleRevoked(..)
        | Act::KeyEnrolled(..)
        | Act::KeyRevoked(..)
        | Act::RecipientNamed(..) => apply_to_person(state, statement, act, admitted),
        Act::CaseOpened(..) | Act::MemberAdded(..) | Act::MemberRemoved(..) => {
            apply_to_case(state, statement, act);
        }
        Act::CaseUpdated(case, _) => {
            if let Some(case) = state.cases.get_mut(case) {
                case.updates.push(admitted.stmt);
            }
        }
        Act::CaseClosed(case) | Act::CaseReopened(case) => {
            if let Some(case) = state.cases.get_mut(case) {
                case.closed = matches!(act, Act::CaseClosed(_));
                case.turned = Some(admitted.log_index);
            }
        }
        Act::LogKeyRotated(_) | Act::LogContinued(_) | Act::RecoveryNoted(_) => {
            if let (Some(vault), Some(next)) = (&mut state.vault, act.next_log_key()) {
                vault.replace_log_key(admitted.log_index, &next);
                if let Some(continued) = next.continued {
                    vault.origin = continued.origin.to_string();
                }
            }
        }
        Act::BundleExported(case, _) => {
            if let Some(case) = state.cases.get_mut(case) {
                disposal::exported(case, statement, first);
            }
        }
        Act::Hold(..) | Act::Disposal(..) | Act::Kek(..) => {
            let head = StateHead { record: first, stmt: admitted.stmt };
            disposal::apply(state, statement, act, (admitted.log_index, head));
        }
        Act::Production(case, item, step) => {
            production::apply(state, statement, (*case, *item, step), (admitted.log_index, first));
        }
        Act::BundleCompleted(d) => disposal::completed(state, d.export),
        _ => apply_to_item(state, statement, act, admitted, first),
    }
}

fn apply_to_person(state: &mut State, statement: &Statement, act: &Act, admitted: &Admitted<'_>) {
    match act {
        Act::PersonRegistered(person, d) => {
            let new =
                Person { org: d.org, roles: VaultRoles::new(), memberships: 0, keys: 0, suspended: None };
            state.persons.insert(*person, new);
            if let Some(vault) = &mut state.vault {
                vault.persons += 1;
            }
        }
        Act::PersonSuspended(person, _) | Act::PersonRestored(person) => {
            if let Some(person) = state.persons.get_mut(person) {
                let since = person.suspended.unwrap_or(admitted.log_index);
                person.suspended = matches!(act, Act::PersonSuspended(..)).then_some(since);
            }
        }
        Act::RoleGranted(person, d) => {
            if let Some(person) = state.persons.get_mut(person) {
                person.roles.insert(d.role, d.term());
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
            // Whoever holds the earlier key need not be looked at: it says who they are, as far as itself is proven.
            let unproven = match voucher {
                Voucher::Owner(by) => state.keys.get(&by).is_some_and(|by| by.unproven),
                Voucher::Registrar(..) | Voucher::Vault => earlier > 0 || d.checked == KeyCheck::None,
            };
            let key = Key {
                owner: *person,
                public: d.key,
                enrolled: admitted.log_index,
                revoked: None,
                suspect_from: None,
                voucher,
                checked: d.checked,
                recipient: None,
                unproven,
            };
            state.keys.insert(d.key.hash(), key);
            if let (Voucher::Vault, Some(vault)) = (voucher, &mut state.vault) {
                vault.vouched = true;
            }
        }
        Act::RecipientNamed(_, d) => {
            if let Some(key) = state.keys.get_mut(&statement.actor_key) {
                key.recipient = Some(d.recipient);
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
    let (case, person, role, term) = match act {
        Act::CaseOpened(case, _) => {
            state.cases.insert(*case, Case::default());
            let Some(opener) = statement.actor.person() else { return };
            (*case, opener, CaseRole::Lead, Some(Term::LASTING))
        }
        Act::MemberAdded(case, d) => (*case, d.member, d.role, Some(d.term())),
        Act::MemberRemoved(case, d) => (*case, d.member, d.role, None),
        _ => return,
    };
    if let (CaseRole::Defence, Some(found)) = (role, state.cases.get_mut(&case)) {
        found.defended = true;
    }
    let roles = state.members.entry((case, person)).or_default();
    let before = roles.is_empty();
    if let Some(term) = term {
        roles.insert(role, term);
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
                sealing: d.sealing.clone(),
                by_sender: d.sealed_by.is_some(),
                reseal: None,
                claimed: *content,
                stored: None,
                custodian,
                head: head(first),
                offer: None,
                seal: None,
                disposed: false,
                derived: None,
            };
            state.items.insert(*id, item);
            state.comes_to(*case, custodian);
        }
        Act::ItemClassified(_, id, d) => {
            if let Some(item) = state.items.get_mut(id) {
                item.class = d.class;
                item.sealing.clone_from(&d.sealing);
                item.head = head(first);
            }
        }
        Act::ItemDerived(_, id, d) => {
            if let Some(item) = state.items.get_mut(id) {
                item.derived = Some(Derived { of: d.of, how: d.how, by: statement.actor.person() });
            }
        }
        Act::ContentReceived(case, id, d, content) => {
            if let Some(case) = state.cases.get_mut(case) {
                (case.undisclosed, case.disclosing) = (true, None);
            }
            if let Some(item) = state.items.get_mut(id) {
                let stored =
                    Stored { content: *content, object: d.object, manifest: d.manifest, version: d.version };
                item.stored = Some(stored);
            }
        }
        Act::AccessGranted(_, id, d) => {
            let Some(person) = statement.actor.person() else { return };
            let (expires, with, key) = (d.expires, d.with, d.with.map(|_| statement.actor_key));
            let grant = Grant { item: *id, person, expires, with, key, review: None, completed: false };
            state.grants.insert(first, grant);
        }
        Act::AccessBreakGlass(_, id, d) => {
            let Some(person) = statement.actor.person() else { return };
            let (expires, review) = (d.expires, Some(Review::Open));
            let (with, key) = (None, None);
            let grant = Grant { item: *id, person, expires, with, key, review, completed: false };
            state.grants.insert(first, grant);
        }
        Act::AccessReviewed(_, _, d) => {
            if let Some(grant) = state.grants.get_mut(&d.grant) {
                grant.review = Some(Review::Closed);
            }
        }
        Act::AccessCompleted(_, _, d) => {
            if let Some(grant) = state.grants.get_mut(&d.grant) {
                grant.completed = true;
            }
        }
        Act::Reseal(_, id, step) => {
            if let Some(item) = state.items.get_mut(id) {
                resealing::apply(item, statement, step, first);
            }
        }
        Act::Transfer(_, step, items) => {
            for (r, record) in items.iter().zip(admitted.records) {
                holding::apply_transfer(state, step, statement.actor.person(), r.item, head(*record));
            }
        }
        Act::ItemMoved(_, items) => {
            for (r, record) in items.iter().zip(admitted.records) {
                if let Some(item) = state.items.get_mut(&r.item) {
                    item.head = head(*record);
                }
            }
        }
        Act::SealApplied(_, id) | Act::SealBroken(_, id, _) => {
            if let Some(item) = state.items.get_mut(id) {
                item.head = head(first);
                item.seal = matches!(act, Act::SealApplied(..)).then_some(item.head);
            }
        }
        _ => {}
    }
}
