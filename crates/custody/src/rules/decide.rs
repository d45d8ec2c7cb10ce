//! The decisions themselves, one function a subject.

use super::rights::Holders;
use super::{
    Item, Key, MAX_CASE_UPDATES, MAX_GRANT_MS, Refusal, Right, State, Term, Vault, content, derived,
    disposal, glass, holding, log_key, places, production, resealing, sealing,
};
use crate::act::{
    Act, CaseRole, Class, KeyEnrolled, KeyRevoked, MemberAdded, MemberChange, PersonSuspended, PublicKey,
    RoleChange, RoleGranted, Sealing, Subject, VaultRole,
};
use crate::id::{CaseId, ItemId, KeyHash, PersonId};
use crate::kind::Kind;
use crate::statement::{Actor, Assurance, ItemRef, Seen, Statement};
use crate::time::Timestamp;

pub(super) type Decision = Result<(), Refusal>;

/// The keys that must have signed, in the order of the envelope's signatures.
/// The caller verifies each with `verify_strict`; [`decide`] takes that as done.
pub fn signers(state: &State, statement: &Statement, act: &Act) -> Result<Vec<PublicKey>, Refusal> {
    let actor_key = if let Act::VaultCreated(d) = act {
        // Record 0 is signed by the key that it introduces; trust in it comes from outside.
        d.vault_key
    } else {
        let vault = state.vault.as_ref().ok_or(Refusal::Unknown("vault"))?;
        match statement.assurance {
            Assurance::System | Assurance::Session => vault.key,
            Assurance::UserKey => state.keys.get(&statement.actor_key).ok_or(Refusal::KeyNotValid)?.public,
        }
    };
    if actor_key.hash() != statement.actor_key {
        return Err(Refusal::WrongAssurance);
    }
    Ok(match act {
        Act::KeyEnrolled(_, d) => vec![actor_key, d.key],
        Act::LogKeyRotated(_) | Act::LogContinued(_) | Act::RecoveryNoted(_) => {
            [vec![actor_key], log_key::signers(state, act)?].concat()
        }
        _ => vec![actor_key],
    })
}

/// Whether `act` may follow the records that made `state`, when it is received at `at`. Signatures were verified
/// against [`signers`].
pub fn decide(state: &State, at: Timestamp, statement: &Statement, act: &Act) -> Decision {
    if let Act::VaultCreated(_) = act {
        return if state.vault.is_none() { Ok(()) } else { Err(Refusal::Exists("vault")) };
    }
    let vault = state.vault.as_ref().ok_or(Refusal::Unknown("vault"))?;
    if statement.vault != Some(vault.id) {
        return Err(Refusal::OtherVault);
    }
    let speaker = Speaker::of(state, at, statement)?;
    speaker.has_right_to(statement)?;
    decide_act(state, vault, &speaker, statement, act)?;
    check_seen(state, statement, act)
}

/// The actor with what it may do.
pub(super) struct Speaker<'a> {
    state: &'a State,
    at: Timestamp,
    actor: Actor,
    assurance: Assurance,
}

impl<'a> Speaker<'a> {
    fn of(state: &'a State, at: Timestamp, statement: &Statement) -> Result<Self, Refusal> {
        if let Actor::Person(person) = statement.actor
            && !state.persons.contains_key(&person)
        {
            return Err(Refusal::Unknown("person"));
        }
        if statement.actor.person().is_some_and(|person| state.is_suspended(person)) {
            return Err(Refusal::ActorSuspended);
        }
        if statement.assurance == Assurance::UserKey {
            let key = state.keys.get(&statement.actor_key).ok_or(Refusal::KeyNotValid)?;
            if Some(key.owner) != statement.actor.person() || key.revoked.is_some() {
                return Err(Refusal::KeyNotValid);
            }
        }
        Ok(Self { state, at, actor: statement.actor, assurance: statement.assurance })
    }

    pub(super) fn person(&self) -> Result<PersonId, Refusal> {
        self.actor.person().ok_or(Refusal::WrongAssurance)
    }

    /// When the statement is received.
    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// What the table asks of everybody who says something of this kind. The vault needs no role; of a case, its state
    /// must permit it.
    fn has_right_to(&self, statement: &Statement) -> Decision {
        let Some(right) = Right::needed(statement.kind, statement.case.is_some()) else { return Ok(()) };
        match (right.row().holders, statement.case) {
            (Holders::Case(_), Some(case)) if self.is_vault() => {
                self.state.cases.get(&case).ok_or(Refusal::Unknown("case"))?.permits(right)
            }
            (Holders::Case(_), Some(case)) => self.state.in_case(case, self.person()?, right, self.at),
            _ if self.is_vault() => Ok(()),
            _ => self.in_vault(right),
        }
    }

    fn in_vault(&self, right: Right) -> Decision {
        self.state.in_vault(self.person()?, right, self.at)
    }

    pub(super) fn is_vault(&self) -> bool {
        self.actor == Actor::System
    }
}

fn decide_act(
    state: &State,
    vault: &Vault,
    speaker: &Speaker<'_>,
    statement: &Statement,
    act: &Act,
) -> Decision {
    match act {
        Act::OrgRegistered(d) => {
            if speaker.is_vault() && vault.orgs > 0 {
                return Err(Refusal::SetUpOnly);
            }
            if state.orgs.contains(&d.org) { Err(Refusal::Exists("organisation")) } else { Ok(()) }
        }
        Act::PersonRegistered(person, d) => {
            if speaker.is_vault() && vault.persons > 0 {
                return Err(Refusal::SetUpOnly);
            }
            if !state.orgs.contains(&d.org) {
                return Err(Refusal::Unknown("organisation"));
            }
            if state.persons.contains_key(person) { Err(Refusal::Exists("person")) } else { Ok(()) }
        }
        Act::PersonSuspended(person, d) => suspended(state, speaker, statement, *person, d),
        Act::PersonRestored(person) => {
            state.persons.get(person).ok_or(Refusal::Unknown("person"))?;
            if state.is_suspended(*person) { Ok(()) } else { Err(Refusal::NotSuspended) }
        }
        Act::RoleGranted(person, d) => role_granted(state, vault, speaker, *person, d),
        Act::RoleRevoked(person, d) => role_revoked(state, speaker, *person, d),
        Act::KeyEnrolled(person, d) => key_enrolled(state, vault, speaker, *person, d),
        Act::KeyRevoked(person, d) => key_revoked(state, speaker, *person, d),
        Act::RecipientNamed(person, _) => sealing::recipient_named(state, speaker, statement, *person),
        Act::CaseOpened(case, _) => {
            let opener = state.persons.get(&speaker.person()?).ok_or(Refusal::Unknown("person"))?;
            if opener.roles.contains_key(&VaultRole::Administrator) {
                return Err(Refusal::AdministratorApart);
            }
            if state.cases.contains_key(case) { Err(Refusal::Exists("case")) } else { Ok(()) }
        }
        Act::MemberAdded(case, d) => member_added(state, speaker, *case, d),
        Act::MemberRemoved(case, d) => member_removed(state, speaker, *case, d),
        Act::CaseClosed(_) if is_closed(state, statement) => Err(Refusal::CaseState("closed")),
        Act::CaseReopened(_) if !is_closed(state, statement) => Err(Refusal::CaseState("open")),
        Act::CaseUpdated(case, _) => {
            let known = state.cases.get(case).ok_or(Refusal::Unknown("case"))?;
            if known.updates.len() < MAX_CASE_UPDATES { Ok(()) } else { Err(Refusal::TooManyUpdates) }
        }
        Act::CaseClosed(_)
        | Act::CaseReopened(_)
        | Act::BundleCompleted(_)
        | Act::ClockFault(_)
        | Act::AnchorNoted(_) => Ok(()),
        Act::LogKeyRotated(_) | Act::LogContinued(_) | Act::RecoveryNoted(_) => match act.next_log_key() {
            Some(next) => log_key::replaced(state, vault, &next),
            None => Ok(()),
        },
        Act::AccessDenied(case, item, _) => match (case, item) {
            (_, Some(item)) => item_of(state, *case, *item).map(drop),
            (Some(case), None) if !state.cases.contains_key(case) => Err(Refusal::Unknown("case")),
            _ => Ok(()),
        },
        Act::CorrectionNoted(subject, d) => {
            match subject {
                Subject::Person(person) if !state.persons.contains_key(person) => {
                    return Err(Refusal::Unknown("person"));
                }
                // A member of one case must not reach into the items of another.
                Subject::Item(case, item) => item_of(state, Some(*case), *item).map(drop)?,
                _ => {}
            }
            named_here(state, statement, act, Seen::Record(d.record))
        }
        Act::Hold(case, item, step) => disposal::hold(state, *case, *item, *step),
        Act::Disposal(subject, step) => {
            disposal::disposal(state, vault, speaker, statement, (act, *subject, step))
        }
        Act::Kek(step, d) => disposal::kek(vault, *step, d),
        Act::BundleExported(case, d) => production::exported(state, speaker, *case, d),
        _ => {
            let disposed = |r: &ItemRef| state.items.get(&r.item).is_some_and(|item| item.disposed);
            let gone = statement.item_refs().iter().any(disposed) && !disposal::outlives(statement.kind);
            decide_item(state, speaker, statement, act)?;
            // Whoever may not know of the item is told so first.
            if gone { Err(Refusal::Disposed) } else { Ok(()) }
        }
    }
}

fn role_granted(
    state: &State,
    vault: &Vault,
    speaker: &Speaker<'_>,
    person: PersonId,
    d: &RoleGranted,
) -> Decision {
    let founds = vault.persons == 1 && matches!(d.role, VaultRole::Administrator | VaultRole::Registrar);
    if speaker.is_vault() && !founds {
        return Err(Refusal::SetUpOnly);
    }
    let found = state.persons.get(&person).ok_or(Refusal::Unknown("person"))?;
    if d.role == VaultRole::Administrator && found.memberships > 0 {
        return Err(Refusal::AdministratorApart);
    }
    if d.role == VaultRole::Administrator {
        let own = speaker.person().ok().and_then(|actor| state.persons.get(&actor));
        no_longer_than(own.and_then(|own| own.roles.get(&d.role)), d.term())?;
    }
    granted(found.roles.get(&d.role), d.term(), speaker.at())
}

/// Who may give a role to others, and so to themselves, gives it for no longer than they have it: the end of a term would
/// bind nobody.
fn no_longer_than(own: Option<&Term>, term: Term) -> Decision {
    match own.and_then(|own| own.until) {
        Some(end) if term.until.is_none_or(|until| until > end) => Err(Refusal::Term),
        _ => Ok(()),
    }
}

/// Whether a role may be granted for `term` to somebody who has it for `former`, if for anything.
fn granted(former: Option<&Term>, term: Term, at: Timestamp) -> Decision {
    if !term.is_ahead(at) {
        return Err(Refusal::Term);
    }
    match former {
        Some(former) if !term.extends(former, at) => Err(Refusal::Role("already has")),
        _ => Ok(()),
    }
}

/// Oneself at once; others under an own key: a colleague, if the person has no say over keys, or whoever revokes keys.
/// Doubt about what others have said stays on their cases for ever, so that it takes the latter; it may be added to a
/// suspension that somebody made in haste.
fn suspended(
    state: &State,
    speaker: &Speaker<'_>,
    statement: &Statement,
    person: PersonId,
    d: &PersonSuspended,
) -> Decision {
    let found = state.persons.get(&person).ok_or(Refusal::Unknown("person"))?;
    let actor = speaker.person()?;
    if actor != person {
        let colleague = state.persons.get(&actor).is_some_and(|colleague| colleague.org == found.org);
        let has_say = state.in_vault(person, Right::RevokeKeys, speaker.at()).is_ok();
        if !colleague || d.suspect_from.is_some() || has_say {
            speaker.in_vault(Right::RevokeKeys)?;
        }
        if statement.assurance != Assurance::UserKey {
            return Err(Refusal::WrongAssurance);
        }
    }
    if found.suspended.is_some() && d.suspect_from.is_none() {
        return Err(Refusal::PersonSuspended);
    }
    // Somebody must be left who can restore the person.
    let left = state.partial || state.can_vouch(speaker.at(), |_, key| key.owner != person);
    if left { Ok(()) } else { Err(Refusal::LastOne) }
}

fn role_revoked(state: &State, speaker: &Speaker<'_>, person: PersonId, d: &RoleChange) -> Decision {
    let found = state.persons.get(&person).ok_or(Refusal::Unknown("person"))?;
    let actor = speaker.actor.person();
    let own = actor.and_then(|actor| state.persons.get(&actor)).and_then(|actor| actor.roles.get(&d.role));
    if d.role == VaultRole::Administrator && !stays_behind(speaker, person, found.roles.get(&d.role), own) {
        return Err(Refusal::LastOne);
    }
    if !found.roles.contains_key(&d.role) {
        return Err(Refusal::Role("does not have"));
    }
    if d.role.permits(Right::Vouch) { stays(state, speaker, |_, key| key.owner != person) } else { Ok(()) }
}

/// Whether somebody is left with a role that `person` loses: nobody takes it from themselves, and whoever takes it from
/// somebody who has it without an end has it so too. Whoever took the last one's away would lock everybody out.
fn stays_behind(speaker: &Speaker<'_>, person: PersonId, lost: Option<&Term>, own: Option<&Term>) -> bool {
    let lasting = lost.is_none_or(|lost| lost.until.is_none());
    Some(person) != speaker.actor.person() && (!lasting || own.is_some_and(|own| own.lasts(speaker.at())))
}

/// Refuses to end what lets somebody vouch, unless somebody still can by a key that `counts`: nobody could enrol a
/// key any more, for ever. A vault in which nobody can vouch yet loses nothing.
fn stays(state: &State, speaker: &Speaker<'_>, counts: impl Fn(&KeyHash, &Key) -> bool) -> Decision {
    let at = speaker.at();
    let lost = !state.partial && state.can_vouch(at, |_, _| true) && !state.can_vouch(at, counts);
    if lost { Err(Refusal::LastOne) } else { Ok(()) }
}

fn key_enrolled(
    state: &State,
    vault: &Vault,
    speaker: &Speaker<'_>,
    person: PersonId,
    d: &KeyEnrolled,
) -> Decision {
    let owner = state.persons.get(&person).ok_or(Refusal::Unknown("person"))?;
    if owner.suspended.is_some() {
        return Err(Refusal::PersonSuspended);
    }
    match (speaker.actor, speaker.assurance) {
        (Actor::System, _) if vault.vouched || !owner.roles.contains_key(&VaultRole::Registrar) => {
            return Err(Refusal::SetUpOnly);
        }
        (Actor::System, _) => {}
        (Actor::Person(actor), Assurance::UserKey) if actor == person => {}
        (Actor::Person(_), Assurance::UserKey) => speaker.in_vault(Right::Vouch)?,
        (Actor::Person(_), _) => return Err(Refusal::NotVoucher),
    }
    let is_vaults = d.key == vault.key || log_key::is_known(vault, &d.key);
    if is_vaults || state.keys.contains_key(&d.key.hash()) { Err(Refusal::KeyKnown) } else { Ok(()) }
}

fn key_revoked(state: &State, speaker: &Speaker<'_>, person: PersonId, d: &KeyRevoked) -> Decision {
    if speaker.person()? != person {
        speaker.in_vault(Right::RevokeKeys)?;
    }
    match state.keys.get(&d.key) {
        Some(key) if key.owner == person && key.revoked.is_none() => {
            stays(state, speaker, |hash, _| *hash != d.key)
        }
        _ => Err(Refusal::Unknown("valid key of this person")),
    }
}

fn member_added(state: &State, speaker: &Speaker<'_>, case: CaseId, d: &MemberAdded) -> Decision {
    let member = state.persons.get(&d.member).ok_or(Refusal::Unknown("person"))?;
    if member.roles.contains_key(&VaultRole::Administrator) {
        return Err(Refusal::AdministratorApart);
    }
    if d.role == CaseRole::Lead {
        let own = speaker.person().ok().and_then(|actor| state.members.get(&(case, actor)));
        no_longer_than(own.and_then(|own| own.get(&d.role)), d.term())?;
    }
    let roles = state.members.get(&(case, d.member));
    granted(roles.and_then(|roles| roles.get(&d.role)), d.term(), speaker.at())
}

fn member_removed(state: &State, speaker: &Speaker<'_>, case: CaseId, d: &MemberChange) -> Decision {
    let lost = state.members.get(&(case, d.member));
    let own = speaker.actor.person().and_then(|actor| state.members.get(&(case, actor)));
    let of = |roles: Option<&'_ _>| roles.and_then(|roles: &super::CaseRoles| roles.get(&d.role).copied());
    if d.role == CaseRole::Lead && !stays_behind(speaker, d.member, of(lost).as_ref(), of(own).as_ref()) {
        return Err(Refusal::LastOne);
    }
    let roles = lost.filter(|roles| roles.contains_key(&d.role));
    let roles = roles.ok_or(Refusal::Role("does not have"))?;
    let holds =
        |(role, term): (&CaseRole, &Term)| term.covers(speaker.at()) && role.permits(Right::HoldCustody);
    // A role that does not let its member keep anything can be taken in any case.
    let lost = roles.get_key_value(&d.role).is_some_and(holds);
    let keeps = !lost || roles.iter().any(|(role, term)| *role != d.role && holds((role, term)));
    if keeps || !state.custody.contains_key(&(case, d.member)) { Ok(()) } else { Err(Refusal::HoldsCustody) }
}

fn is_closed(state: &State, statement: &Statement) -> bool {
    statement.case.and_then(|case| state.cases.get(&case)).is_some_and(|case| case.closed)
}

fn decide_item(state: &State, speaker: &Speaker<'_>, statement: &Statement, act: &Act) -> Decision {
    match act {
        Act::ItemRegistered(case, id, d, claimed) => {
            if state.items.contains_key(id) {
                return Err(Refusal::Exists("item"));
            }
            fits(state, speaker, *case, d.sealing.as_ref())?;
            content::registered(d.class, *claimed)
        }
        Act::ItemClassified(case, id, d) => {
            let item = item_of(state, Some(*case), *id)?;
            fits(state, speaker, *case, d.sealing.as_ref())?;
            derived::classified(item, statement, d)?;
            match d.class {
                _ if item.class == Class::Restricted => Err(Refusal::SealedToPersons),
                Class::HashOnly if item.stored.is_some() => Err(Refusal::ContentExists),
                Class::HashOnly if item.claimed.is_none() => Err(Refusal::HashOnly),
                _ => Ok(()),
            }
        }
        Act::ItemDerived(case, id, d) => derived::derived(state, speaker, statement, (*case, *id), d),
        Act::ContentReceived(case, id, d, found) => {
            let item = item_of(state, Some(*case), *id)?;
            derived::received(state, item)?;
            content::received(item, d.version, *found)
        }
        Act::AccessGranted(case, id, d) => {
            let lasts = d.expires.millis() - statement.actor_time.millis();
            if !(0..=MAX_GRANT_MS).contains(&lasts) {
                return Err(Refusal::GrantTooLong);
            }
            let item = item_of(state, Some(*case), *id)?;
            sealing::read_with(state, speaker, statement.assurance, item, d.with)?;
            if item.stored.is_some() { Ok(()) } else { Err(Refusal::NoContent) }
        }
        Act::Reseal(case, id, step) => {
            resealing::reseal(state, speaker, statement.actor_time, (*case, *id), step)
        }
        Act::AccessBreakGlass(case, id, d) => glass::broken(state, speaker, statement, (*case, *id), d),
        Act::AccessReviewed(case, id, d) => glass::reviewed(state, speaker, (*case, *id), d),
        Act::AccessCompleted(case, id, d) => {
            item_of(state, Some(*case), *id)?;
            content::completed(state, speaker, *id, d)
        }
        Act::Production(case, id, step) => production::production(state, speaker, (*case, *id), step),
        Act::Fixity(case, id, d, found) => {
            let item = item_of(state, Some(*case), *id)?;
            content::opened(state, speaker, statement.kind, (*id, item), (d, found))
        }
        Act::Transfer(case, step, items) => {
            items.iter().try_for_each(|r| holding::transfer(state, speaker, statement, (*case, step), r))
        }
        Act::ItemMoved(case, items) => holding::moved(state, speaker, *case, items),
        Act::SealApplied(case, id) => holding::sealed(state, speaker, *case, *id),
        Act::SealBroken(case, id, d) => holding::unsealed(state, speaker, *case, *id, d),
        // What no rule speaks of is not said.
        _ => Err(Refusal::Unknown("rule for this kind")),
    }
}

fn fits(state: &State, speaker: &Speaker<'_>, case: CaseId, to: Option<&Sealing>) -> Decision {
    to.map_or(Ok(()), |to| sealing::sealing_fits(state, speaker.at(), case, to))
}

/// An item that belongs to the case the statement names.
pub(super) fn item_of(state: &State, case: Option<CaseId>, item: ItemId) -> Result<&Item, Refusal> {
    state.items.get(&item).filter(|found| Some(found.case) == case).ok_or(Refusal::Unknown("item"))
}

/// `seen`: the newest record that changed the item where the kind changes custody or state, else anything that
/// stands in one of the sequences concerned, or nothing.
fn check_seen(state: &State, statement: &Statement, act: &Act) -> Decision {
    if statement.kind.spec().changes_state && statement.kind != Kind::ItemRegistered {
        return statement.item_refs().iter().try_for_each(|r| {
            let item = state.items.get(&r.item).ok_or(Refusal::Unknown("item"))?;
            if r.seen.is_some_and(|seen| item.head.is(seen)) { Ok(()) } else { Err(Refusal::Stale) }
        });
    }
    match statement.seen {
        Some(seen) => named_here(state, statement, act, seen),
        None => Ok(()),
    }
}

pub(super) fn named_here(state: &State, statement: &Statement, act: &Act, seen: Seen) -> Decision {
    let known = places(statement, act)
        .into_iter()
        .flat_map(|(own, case)| own.into_iter().chain(case))
        .any(|sequence| state.seen.contains(&(seen, sequence)));
    if known { Ok(()) } else { Err(Refusal::SeenElsewhere) }
}
