//! The members that every kind has or has not, as its row in the table says.

use super::shape;
use crate::kind::{Kind, Need, Scope, Speaker};
use crate::statement::{
    Actor, Assurance, CheckedBy, Content, MAX_CONTENT_BYTES, MAX_FIELDS, Statement, StatementError,
};

/// Checks a statement against its kind's row.
pub(super) fn check(s: &Statement) -> Result<(), StatementError> {
    let spec = s.kind.spec();
    if !spec.supported {
        return Err(shape(s, "is not supported by this version of the rules"));
    }
    if s.vault.is_none() != (s.kind == Kind::VaultCreated) {
        return Err(shape(s, "names its vault (only record 0 cannot)"));
    }
    check_scope(s, spec.scope)?;
    check_speaker(s, spec.speaker)?;
    check_need(s, "content", spec.content, s.content.is_some())?;
    check_need(s, "purpose", spec.purpose, s.purpose.is_some())?;
    if s.fields.len() > MAX_FIELDS {
        return Err(shape(s, "carries at most 64 fields"));
    }
    let by_vault = s.actor == Actor::System;
    // What its sender sealed the vault has never seen: it passes on the digest as nobody's.
    let unseen = matches!(s.kind, Kind::ContentReceived | Kind::FixityPassed | Kind::FixityFailed);
    match s.content {
        Some(content) if content.size > MAX_CONTENT_BYTES => Err(shape(s, "names content below 2^53 bytes")),
        Some(Content { checked_by: CheckedBy::None, .. }) if by_vault && unseen => Ok(()),
        Some(content) if by_vault && content.checked_by != CheckedBy::Vault => {
            Err(shape(s, "carries a digest that the vault computed"))
        }
        Some(content) if !by_vault && content.checked_by == CheckedBy::Vault => {
            Err(shape(s, "cannot speak for the vault's digest"))
        }
        _ => Ok(()),
    }
}

fn check_scope(s: &Statement, scope: Scope) -> Result<(), StatementError> {
    let (case, item, person) = (s.case.is_some(), s.item.is_some(), s.person.is_some());
    let list = s.items.is_some();
    if list && !s.kind.takes_item_list() {
        return Err(shape(s, "takes no list of items"));
    }
    if list && (item || s.seen.is_some()) {
        return Err(shape(s, "names either one item or a list, and each of a list has its own `seen`"));
    }
    let fits = match scope {
        Scope::Vault => !case && !item && !person,
        Scope::Person => !case && !item && person,
        Scope::Case => case && !item && !person,
        Scope::Item => case && (item || list) && !person,
        Scope::CaseOrItem => case && !person,
        Scope::Any => !(case && person) && (case || !item),
        Scope::Refusal => !person && (case || !item),
    };
    if fits { Ok(()) } else { Err(shape(s, "names exactly the case, item or person that it is about")) }
}

fn check_speaker(s: &Statement, speaker: Speaker) -> Result<(), StatementError> {
    let consistent = (s.actor == Actor::System) == (s.assurance == Assurance::System);
    let allowed = match speaker {
        Speaker::System => s.assurance == Assurance::System,
        Speaker::Person => s.assurance != Assurance::System || founding(s),
        Speaker::OwnKey => s.assurance == Assurance::UserKey,
        Speaker::PersonOrSystem => true,
    };
    if consistent && allowed { Ok(()) } else { Err(shape(s, "is not for this actor and assurance to say")) }
}

/// What the vault itself says while it is being set up: the first organisation, person, roles and the first
/// registrar's key. The rules allow each only while there is nobody else to say it.
fn founding(s: &Statement) -> bool {
    matches!(s.kind, Kind::OrgRegistered | Kind::PersonRegistered | Kind::RoleGranted | Kind::KeyEnrolled)
}

fn check_need(s: &Statement, member: &str, need: Need, there: bool) -> Result<(), StatementError> {
    match (need, there) {
        (Need::Never, true) => Err(shape(s, &format!("has no {member}"))),
        (Need::Required, false) => Err(shape(s, &format!("needs a {member}"))),
        _ => Ok(()),
    }
}
