//! Whose streams a bundle needs: those of everybody who acted or signed, members and vouchers included.

use crate::act::{Act, ItemClassified, ItemRegistered, ProductionStep, TransferStep};
use crate::id::PersonId;
use crate::kind::Kind;
use crate::statement::Statement;

/// The persons whose streams must be in a bundle that holds this statement. An exporter starts with the records in
/// scope and repeats with the person streams that this adds, until nothing is new.
pub fn persons(statement: &Statement, act: &Act) -> Vec<PersonId> {
    let mut persons: Vec<_> = statement.actor.person().into_iter().chain(statement.person).collect();
    match act {
        Act::MemberAdded(_, d) => persons.push(d.member),
        Act::MemberRemoved(_, d) => persons.push(d.member),
        Act::Transfer(_, TransferStep::Offered(d), _) => persons.extend(d.persons()),
        Act::ItemRegistered(_, _, ItemRegistered { sealing: Some(sealing), .. }, _)
        | Act::ItemClassified(_, _, ItemClassified { sealing: Some(sealing), .. }) => {
            persons.extend(sealing.persons());
        }
        Act::AccessGranted(_, _, d) => persons.extend(d.with),
        Act::Production(_, _, ProductionStep::Sealed(d)) => persons.push(d.with),
        Act::Reseal(_, _, step) => {
            if let Some((sealing, with, _)) = step.opened() {
                persons.extend(sealing.persons().chain([with]));
            }
        }
        _ => {}
    }
    persons
}

/// Whether an exporter may keep back the envelopes of this kind: those that change nothing, so that the rules can
/// be replayed without them. All others are never withheld.
pub const fn may_withhold(kind: Kind) -> bool {
    matches!(kind, Kind::AccessGranted | Kind::AccessCompleted | Kind::AccessDenied | Kind::CorrectionNoted)
}
