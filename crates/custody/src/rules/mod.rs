//! The rules: whether an act may follow what was said before.
//!
//! A pure state machine. [`decide`] answers from a [`State`] and changes nothing; [`apply`] carries an admitted act
//! into the state. The service runs them against the part of the state that [`footprint`] names, the offline
//! verifier against a replay of a bundle: the same code gives both verdicts.

mod apply;
mod content;
mod decide;
mod derived;
mod disposal;
mod footprint;
mod glass;
mod holding;
mod log_key;
mod production;
mod resealing;
mod rights;
mod sealing;
mod state;
mod term;

pub use apply::{Admitted, apply};
pub use decide::{decide, signers};
pub use derived::made_from;
pub use disposal::{APPROVERS, RETENTION_ELAPSED, has_lapsed, undisclosed};
pub use footprint::Footprint;
pub use holding::Offer;
pub use production::{Consent, Production, ProductionStage, production_counts};
pub use resealing::still_waits;
pub use rights::{
    CaseRoles, Holders, Right, RoleError, Row, VaultRoles, is_member, permitted_in_case, permitted_in_vault,
};
pub use sealing::{counts, may_open, sealing_fits, who_cannot_open};
pub use state::{
    Approval, Case, Derived, Disposal, FormerLogKey, Grant, Hold, Item, Kek, Key, Person, Reseal, Review,
    Stage, State, StateHead, Stored, Vault, Voucher,
};
pub use term::Term;

use crate::act::{Act, Class};
use crate::id::{CaseId, ItemId};
use crate::record::Sequence;
use crate::statement::Statement;

/// Longest grant to read, from the time its author states: a day in milliseconds.
pub const MAX_GRANT_MS: i64 = 24 * 60 * 60 * 1_000;

/// Longest reading in an emergency, from the time its author states: an hour in milliseconds.
pub const MAX_BREAK_GLASS_MS: i64 = 60 * 60 * 1_000;

/// Longest that new halves of a restricted item's key wait to be confirmed, from the time their author states: thirty days in
/// milliseconds.
pub const MAX_RESEAL_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// Longest offer of custody, from the time its author states: ninety days in milliseconds.
pub const MAX_OFFER_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// Most updates of one case. Each stays, and whoever shows the case reads all of them.
pub const MAX_CASE_UPDATES: usize = 200;

/// Why an act is refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The actor has no role that carries the right.
    #[error("no role of yours permits this here (right: {})", .0.code())]
    NotPermitted(Right),
    /// Not the item's custodian.
    #[error("only the item's present custodian may offer, move, seal or unseal it, or recall the offer")]
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
    /// The actor is suspended.
    #[error(
        "you are suspended: nothing that you say counts until an administrator or registrar restores you"
    )]
    ActorSuspended,
    /// The person is suspended already, or what was asked for is not for a suspended person.
    #[error("the person is suspended")]
    PersonSuspended,
    /// The person is not suspended.
    #[error("the person is not suspended")]
    NotSuspended,
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
    /// An offer that ends before it begins, or later than [`MAX_OFFER_MS`] after.
    #[error("an offer waits at most ninety days from when it was made")]
    OfferTooLong,
    /// The offer ran out before it was accepted.
    #[error("the offer ran out: ask the custodian to offer the item again")]
    OfferExpired,
    /// The offer has not run out.
    #[error("the offer still waits for an answer")]
    OfferWaits,
    /// An item carries one seal at a time.
    #[error("the item is sealed: record that its present seal was broken before the next one is put on")]
    Sealed,
    /// The seal named is not the one that is on the item.
    #[error("the seal named is not the one that is on the item")]
    NoSuchSeal,
    /// What carriers carry is known again by its seal.
    #[error("what carriers carry is sealed first, so that it is known again")]
    NotSealed,
    /// What is carried stays sealed, and is answered when it has arrived.
    #[error("the item is in carriage: whoever carries it hands it on first, and its seal stays on")]
    InCarriage,
    /// Not the carrier who brought it.
    #[error("what was carried is accepted from its last carrier, and nothing else from any")]
    NotFrom,
    /// Nobody could be asked where it is.
    #[error("whoever hands something to a carrier without a key names the carrier and the waybill")]
    CarrierUnnamed,
    /// An item cannot be sealed to these.
    #[error("the item cannot be sealed to these: {0}")]
    SealingUnfit(&'static str),
    /// A restricted item stays one.
    #[error("a restricted item stays restricted: two of those to whom it is sealed open it")]
    SealedToPersons,
    /// Content that its sender seals, and content that the vault seals, do not stand for each other.
    #[error("what its sender seals comes sealed, and nothing else does")]
    SealedBySender,
    /// New halves that would wait no time, or longer than [`MAX_RESEAL_MS`].
    #[error("what is sealed anew waits at most thirty days to be confirmed")]
    ResealTooLong,
    /// What was sealed anew does not wait any more.
    #[error(
        "the sealing named does not wait to be confirmed: it was confirmed, withdrawn or replaced, it ran out, or its author is \
         suspended or has lost the key; seal anew"
    )]
    NoSuchReseal,
    /// What is confirmed is something else than what was sealed anew.
    #[error("the pairs or the sealed halves are not those that were sealed anew")]
    OtherHalves,
    /// A restricted item is not opened in this way.
    #[error(
        "a restricted item is opened by two persons of a pair, in different roles, each saying under their own key with whom"
    )]
    OpenedInPairs,
    /// Who may read in the ordinary way does so.
    #[error("you may read this item in the ordinary way: no emergency is needed")]
    NoEmergency,
    /// A reading in an emergency that ends before it begins, or later than [`MAX_BREAK_GLASS_MS`] after.
    #[error("a reading in an emergency lasts at most an hour from when it was asked for")]
    EmergencyTooLong,
    /// What is reviewed is a reading in an emergency that nobody has reviewed.
    #[error("the record named is not a reading in an emergency that waits for a review")]
    NothingToReview,
    /// Only a restricted item is opened with somebody.
    #[error("an item that is not restricted is read alone: name nobody to open it with")]
    NotInPairs,
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
    /// A role whose term ends before it begins, or before it is granted; or one that gives itself, for longer than its
    /// giver has it.
    #[error(
        "a role's term ends after it begins and after it is granted; a lead or an administrator for a time gives that role \
         no longer than they have it"
    )]
    Term,
    /// The case is closed, and what was asked for is for open ones.
    #[error("the case is closed: its lead may reopen it")]
    CaseClosed,
    /// The case is closed already, or open.
    #[error("the case is {0} already")]
    CaseState(&'static str),
    /// A case is updated at most [`MAX_CASE_UPDATES`] times.
    #[error("a case is updated at most {MAX_CASE_UPDATES} times: whoever shows it reads them all")]
    TooManyUpdates,
    /// The grant is not the actor's, not of this item, or completed already.
    #[error("the access grant is not open, or not for this person and item")]
    Grant,
    /// A grant to read that ends before it begins, or later than [`MAX_GRANT_MS`] after.
    #[error("a grant to read lasts at most a day from when it was asked for")]
    GrantTooLong,
    /// What is said to be made from another item cannot be, or is too little protected.
    #[error("{0}")]
    DerivedUnfit(&'static str),
    /// Only during set-up.
    #[error("the vault says this itself only while it is being set up")]
    SetUpOnly,
    /// The last lead of a case, administrator, or registrar with a valid key stays.
    #[error("the last one stays: let somebody else have the role or another key first")]
    LastOne,
    /// A member who holds items of the case, or is offered some, keeps the role that lets them give and take custody.
    #[error("the member holds items of this case or is offered some: transfer or decline them first")]
    HoldsCustody,
    /// The key that is to be replaced is not the log's present one.
    #[error("the key named is not the one that the log has now")]
    OtherLogKey,
    /// The key is none that the log could have next.
    #[error(
        "the log's next key is a plain ed25519 key under the log's name that was never used for anything"
    )]
    LogKeyUnfit,
    /// A log has at most [`MAX_LOG_KEYS`](crate::log_keys::MAX_LOG_KEYS) keys.
    #[error("a log has at most {} keys", crate::log_keys::MAX_LOG_KEYS)]
    TooManyLogKeys,
    /// The checkpoint from which a log goes on is not one of its own.
    #[error("the checkpoint from which the log goes on is none that its key has signed")]
    NotAnAnchor,
    /// A hold keeps it from being destroyed.
    #[error("a hold is on it, or on its case: nothing of it is destroyed before the hold is released")]
    Held,
    /// The hold named is not there, or was released.
    #[error("the hold named is not one that is on this case or item")]
    NoSuchHold,
    /// The proposal named is not one that waits for this.
    #[error(
        "the proposal named does not wait for this: it was declined, carried out, or is about something else"
    )]
    NoSuchProposal,
    /// A hold was released after the proposal, or what was agreed counts no more.
    #[error(
        "the proposal lapsed: a hold was placed, a bundle was exported, or who had approved it may not any more; \
         propose it again"
    )]
    ProposalLapsed,
    /// The approver is the proposer, or has approved already.
    #[error("whoever proposed or approved it already does not approve it: that takes two others")]
    AnotherPerson,
    /// The approver has not the role named, it does not approve, or the other approver has approved in it.
    #[error("approve in a role that you have, that approves disposals, and in which nobody approved it yet")]
    AnotherRole,
    /// The number of exported bundles is not what the approver was shown.
    #[error("bundles of the case were exported since: look at them, and approve anew")]
    ExportsChanged,
    /// A case has or had a defence to which not all of its content went in a bundle, as far as records say.
    #[error("a case has or had a defence that got no bundle of this: say how it has what it must have")]
    DisclosurePending,
    /// Nothing is produced to a court in this way.
    #[error("{0}")]
    ProductionUnfit(&'static str),
    /// The production named is not one that waits for this.
    #[error(
        "the production named does not wait for this: it has ended, is about something else, or is not sealed to the court yet"
    )]
    NoSuchProduction,
    /// Approvals are missing.
    #[error("nothing is destroyed, or produced to a court, before two persons have approved it")]
    NotApproved,
    /// The content was destroyed on record.
    #[error("the item's content was destroyed on record: its records are all that is left")]
    Disposed,
    /// Key encryption keys that wrapped it are not destroyed yet.
    #[error("a key that wrapped it is not destroyed yet")]
    KeysRemain,
    /// A version of the key encryption key out of order.
    #[error("versions of the key encryption key follow each other, and an earlier one is destroyed once")]
    KekOrder,
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
            Self::ActorSuspended => "actor-suspended",
            Self::PersonSuspended => "person-suspended",
            Self::NotSuspended => "not-suspended",
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
            Self::OfferTooLong => "offer-too-long",
            Self::OfferExpired => "offer-expired",
            Self::OfferWaits => "offer-waits",
            Self::Sealed => "sealed",
            Self::NoSuchSeal => "no-such-seal",
            Self::NotSealed => "not-sealed",
            Self::InCarriage => "in-carriage",
            Self::NotFrom => "not-from",
            Self::CarrierUnnamed => "carrier-unnamed",
            Self::SealingUnfit(_) => "sealing-unfit",
            Self::SealedToPersons => "sealed-to-persons",
            Self::SealedBySender => "sealed-by-sender",
            Self::ResealTooLong => "reseal-too-long",
            Self::NoSuchReseal => "no-such-reseal",
            Self::OtherHalves => "other-halves",
            Self::OpenedInPairs => "opened-in-pairs",
            Self::NotInPairs => "not-in-pairs",
            Self::NoEmergency => "no-emergency",
            Self::EmergencyTooLong => "emergency-too-long",
            Self::NothingToReview => "nothing-to-review",
            Self::HashOnly => "hash-only",
            Self::DigestMismatch => "digest-mismatch",
            Self::ContentExists => "content-exists",
            Self::NoContent => "no-content",
            Self::AdministratorApart => "administrator-apart",
            Self::Role(_) => "role",
            Self::Term => "term",
            Self::CaseClosed => "case-closed",
            Self::CaseState(_) => "case-state",
            Self::TooManyUpdates => "too-many-updates",
            Self::Grant => "grant",
            Self::GrantTooLong => "grant-too-long",
            Self::DerivedUnfit(_) => "derived-unfit",
            Self::SetUpOnly => "set-up-only",
            Self::LastOne => "last-one",
            Self::HoldsCustody => "holds-custody",
            Self::OtherLogKey => "other-log-key",
            Self::LogKeyUnfit => "log-key-unfit",
            Self::TooManyLogKeys => "too-many-log-keys",
            Self::NotAnAnchor => "not-an-anchor",
            Self::Held => "held",
            Self::NoSuchHold => "no-such-hold",
            Self::NoSuchProposal => "no-such-proposal",
            Self::ProposalLapsed => "proposal-lapsed",
            Self::AnotherPerson => "another-person",
            Self::AnotherRole => "another-role",
            Self::ExportsChanged => "exports-changed",
            Self::DisclosurePending => "disclosure-pending",
            Self::ProductionUnfit(_) => "production-unfit",
            Self::NoSuchProduction => "no-such-production",
            Self::NotApproved => "not-approved",
            Self::Disposed => "disposed",
            Self::KeysRemain => "keys-remain",
            Self::KekOrder => "kek-order",
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
                | Self::OpenedInPairs
                | Self::ActorSuspended
                | Self::NotVoucher
                | Self::AdministratorApart
                | Self::CaseClosed
                | Self::SetUpOnly
                | Self::AnotherPerson
        )
    }
}

/// The places of an act's records: (own stream, case's sequence), one pair a record.
/// Acts on a list of items make one record an item, in the list's order; all others make one.
pub fn places(statement: &Statement, act: &Act) -> Vec<(Option<Sequence>, Option<Sequence>)> {
    let item = |case: &CaseId, item: &ItemId| (Some(Sequence::Item(*item)), Some(Sequence::Case(*case)));
    match act {
        Act::VaultCreated(_)
        | Act::OrgRegistered(_)
        | Act::BundleCompleted(_)
        | Act::ClockFault(_)
        | Act::AnchorNoted(_)
        | Act::RecoveryNoted(_)
        | Act::LogKeyRotated(_)
        | Act::LogContinued(_)
        | Act::Kek(..) => vec![(Some(Sequence::Vault), None)],
        Act::PersonRegistered(person, _)
        | Act::PersonSuspended(person, _)
        | Act::PersonRestored(person)
        | Act::RoleGranted(person, _)
        | Act::RoleRevoked(person, _)
        | Act::KeyEnrolled(person, _)
        | Act::KeyRevoked(person, _)
        | Act::RecipientNamed(person, _) => vec![(Some(Sequence::Person(*person)), None)],
        Act::CaseOpened(case, _)
        | Act::CaseUpdated(case, _)
        | Act::CaseClosed(case)
        | Act::CaseReopened(case)
        | Act::MemberAdded(case, _)
        | Act::MemberRemoved(case, _)
        | Act::BundleExported(case, _)
        | Act::AccessDenied(Some(case), None, _) => vec![(None, Some(Sequence::Case(*case)))],
        Act::ItemRegistered(case, id, ..)
        | Act::ItemClassified(case, id, _)
        | Act::ItemDerived(case, id, _)
        | Act::ContentReceived(case, id, ..)
        | Act::AccessGranted(case, id, _)
        | Act::AccessBreakGlass(case, id, _)
        | Act::AccessReviewed(case, id, _)
        | Act::AccessCompleted(case, id, _)
        | Act::Production(case, id, _)
        | Act::Reseal(case, id, _)
        | Act::Fixity(case, id, ..)
        | Act::SealApplied(case, id)
        | Act::SealBroken(case, id, _)
        | Act::AccessDenied(Some(case), Some(id), _) => vec![item(case, id)],
        Act::AccessDenied(None, ..) => vec![(Some(Sequence::Refusals), None)],
        Act::Transfer(case, _, items) | Act::ItemMoved(case, items) => {
            items.iter().map(|r| item(case, &r.item)).collect()
        }
        Act::Hold(..) | Act::Disposal(..) | Act::CorrectionNoted(..) => {
            vec![match (statement.case, statement.item, statement.person) {
                (Some(case), Some(id), _) => item(&case, &id),
                (Some(case), None, _) => (None, Some(Sequence::Case(case))),
                (None, _, Some(person)) => (Some(Sequence::Person(person)), None),
                (None, _, None) => (Some(Sequence::Vault), None),
            }]
        }
    }
}

/// Whether items of this class may have their bytes in the vault.
pub const fn takes_bytes(class: Class) -> bool {
    !matches!(class, Class::HashOnly)
}
