//! Restricted items that are sealed anew, to other pairs: the old halves are destroyed once somebody else has opened the item
//! through the new ones.
//!
//! Whoever seals anew has opened the persons' half with another of a pair, adds one random number to it and seals the sum. The
//! vault adds the same number to its own half: the sum of both is the data key still, and neither old half fits a new one.

use std::collections::{BTreeMap, BTreeSet};

use custody::act::{Act, MAX_PAIRS, ResealStep, Sealing};
use custody::age::{self, Recipient};
use custody::commitment::FieldOpening;
use custody::halves::{self, Party, SealedHalf};
use custody::id::{CaseId, ItemId, PersonId};
use custody::keys::{Key32, KeyContext};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Footprint, Item, Refusal, Right, State, who_cannot_open};
use custody::statement::Statement;

use super::say::With;
use super::sealing::sealed_to;
use super::{App, AppError, wire};
use crate::api;
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{Change, HalvesChange, Resealing};

/// Records read at a time where a person's are looked through.
const RECORDS_AT_ONCE: u32 = 200;
/// Items looked at at a time.
const ITEMS_AT_ONCE: u32 = 200;

impl App {
    /// Keeps new halves of a restricted item beside those that count, with the statement of whoever made them.
    pub async fn reseal(
        &self,
        person: PersonId,
        id: ItemId,
        (envelope, openings): (Vec<u8>, Vec<FieldOpening>),
        (random, new): (&api::Bytes64, Vec<api::SealedHalf>),
    ) -> Result<api::Recorded, AppError> {
        let item = self.item_for(person, id, Right::ReadContent).await?;
        if item.disposed {
            return Err(Refusal::Disposed.into());
        }
        if item.sealing.is_none() {
            return Err(Refusal::NotInPairs.into());
        }
        let stored = item.stored.ok_or(Refusal::NoContent)?;
        let statement = self.own_statement(person, &envelope).await?;
        let (Act::Reseal(_, of, ResealStep::Resealed(d)), Some(_)) =
            (Act::parse(&statement)?, statement.case)
        else {
            return Err(AppError::Invalid("signed: a statement of kind item.resealed".to_owned()));
        };
        if of != id {
            return Err(AppError::Invalid("signed: a statement about this item".to_owned()));
        }
        let sealed = new.into_iter().map(read_half).collect::<Result<Vec<_>, _>>()?;
        self.fit(item.case, &d.sealing, &sealed).await?;
        if halves::digest(&sealed) != d.halves {
            return Err(Refusal::OtherHalves.into());
        }
        let (context, row) = self.stored_object(id, &stored).await?;
        let context = KeyContext::VaultHalf(context);
        let vaults = self.unwrapped(&context, &row.wrapped)?.xor(&mask(random)?);
        let vaults = Resealing {
            object: stored.object,
            halves: d.halves,
            wrapped: self.keyring.wrap(&context, &vaults, &mut OsEntropy).to_bytes(),
            kek: self.keyring.current_kek().0,
        };
        let reseal = HalvesChange::Reseal { vaults, expires: d.expires, sealed };
        let attach = Attachments { changes: vec![Change::Halves(reseal)], ..Attachments::default() };
        let said = self.submit(envelope, &statement, &openings, With { attach }).await;
        Ok(api::Recorded { receipts: wire(&self.note_refusal(person, &statement, said).await?) })
    }

    /// Whether these are what the pairs take: each in both orders, to every recipient that counts now. What is in them only
    /// whoever opens them can tell.
    pub(super) async fn fit(
        &self,
        case: CaseId,
        sealing: &Sealing,
        sealed: &[SealedHalf],
    ) -> Result<(), AppError> {
        let mut wanted = BTreeSet::new();
        for pair in self.pairs(case, sealing).await? {
            for [first, second] in [[0, 1], [1, 0]] {
                let recipients = [first, second].map(|at| sorted(&pair.recipients[at]));
                wanted.insert((pair.parties[first], pair.parties[second], recipients));
            }
        }
        let mut found = BTreeSet::new();
        for half in sealed {
            if age::recipients(&half.sealed) != Some(half.outer.len()) {
                return Err(AppError::Invalid(
                    "halves: age files to as many recipients as they name".to_owned(),
                ));
            }
            found.insert((half.first, half.second, [sorted(&half.outer), sorted(&half.inner)]));
        }
        if found == wanted && found.len() == sealed.len() {
            return Ok(());
        }
        Err(AppError::Invalid(
            "halves: one for each order of each pair, to the recipients that count now: ask for them again, and seal anew".to_owned(),
        ))
    }

    /// What commits together with the end of a sealing anew.
    pub(super) async fn settle_halves(&self, act: &Act, attach: &mut Attachments) -> Result<(), AppError> {
        let Act::Reseal(_, id, step) = act else { return Ok(()) };
        let item = self.store.read().await?.items(&[*id]).await?.pop();
        let Some(stored) = item.and_then(|(_, item)| item.stored) else { return Ok(()) };
        let (item, object) = (*id, stored.object);
        attach.changes.extend(match step {
            ResealStep::Resealed(_) => None,
            ResealStep::Confirmed(d) => {
                Some(Change::Halves(HalvesChange::Confirm { item, object, halves: d.halves }))
            }
            ResealStep::Withdrawn(_) => Some(Change::Halves(HalvesChange::GiveUp(object))),
        });
        Ok(())
    }

    /// To what is sealed for these pairs, and what their persons have said of it, for whoever seals on a device of their own.
    pub async fn recipients(
        &self,
        person: PersonId,
        case: CaseId,
        asked: &api::Sealing,
    ) -> Result<api::Recipients, AppError> {
        self.require(person, case, None, Right::ReadContent).await?;
        if asked.pairs.len() > MAX_PAIRS {
            return Err(AppError::Invalid(format!("pairs: at most {MAX_PAIRS}")));
        }
        let sealing = super::item::sealing(asked)?;
        self.pairs(case, &sealing).await?;
        let all: BTreeSet<_> = sealing.persons().collect();
        let mut persons = Vec::with_capacity(all.len());
        for person in all {
            persons
                .push(api::RecipientsOf { person: person.to_string(), keys: self.named_by(person).await? });
        }
        Ok(api::Recipients { persons })
    }

    /// The keys of a person to which something is sealed, each with the statements that made it so.
    async fn named_by(&self, person: PersonId) -> Result<Vec<api::RecipientKey>, AppError> {
        let of = Sequence::Person(person);
        let (mut envelopes, mut after) = (Vec::new(), 0);
        let mut tx = self.store.read().await?;
        let footprint = Footprint { persons: [person].into(), vouchers: true, ..Footprint::default() };
        let state = tx.state(&footprint).await?;
        loop {
            let rows = tx.records(of, after, RECORDS_AT_ONCE).await?;
            let Some(last) = rows.last().and_then(|row| super::read::seq_in(row, of)) else { break };
            after = last;
            let wanted =
                rows.iter().filter(|row| matches!(row.kind, Kind::KeyEnrolled | Kind::RecipientNamed));
            let stmts: Vec<_> = wanted.map(|row| row.stmt).collect();
            envelopes.extend(tx.envelopes(&stmts).await?.into_values());
        }
        let (mut enrolled, mut named) = (BTreeMap::new(), BTreeMap::new());
        let mut vouchers = Footprint::default();
        for envelope in envelopes {
            let statement = super::read::statement(&envelope)?;
            match Act::parse(&statement)? {
                Act::KeyEnrolled(_, d) => {
                    vouchers.keys.insert(statement.actor_key);
                    enrolled.insert(d.key.hash(), (envelope, statement.actor_key));
                }
                Act::RecipientNamed(..) => drop(named.insert(statement.actor_key, envelope)),
                _ => {}
            }
        }
        let vouchers = tx.state(&vouchers).await?;
        let vaults = vouchers.vault.as_ref().map(|vault| vault.key);
        let mut keys = Vec::new();
        for (hash, key) in state.keys.iter().filter(|(_, key)| key.owner == person && key.is_sealed_to()) {
            let (Some((enrolled, by)), Some(named)) = (enrolled.remove(hash), named.remove(hash)) else {
                return Err(AppError::NotFound("statement"));
            };
            let voucher = vouchers.keys.get(&by).map(|voucher| voucher.public);
            let voucher = voucher.or(vaults.filter(|key| key.hash() == by));
            keys.push(api::RecipientKey {
                key: key.public.to_string(),
                enrolled: api::Bytes64(enrolled.to_vec()),
                voucher: voucher.ok_or(AppError::NotFound("key"))?.to_string(),
                named: api::Bytes64(named.to_vec()),
            });
        }
        keys.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(keys)
    }

    /// Adds to items who of those to whom they are sealed cannot open them.
    pub(super) async fn add_who_cannot_open(
        &self,
        rows: &[(ItemId, Item)],
        views: &mut [api::Item],
    ) -> Result<(), AppError> {
        let restricted = |(_, item): &&(ItemId, Item)| item.sealing.is_some() && !item.disposed;
        if !rows.iter().any(|row| restricted(&row)) {
            return Ok(());
        }
        let mut tx = self.store.read().await?;
        let state = tx.state(&sealed_in(rows)).await?;
        for ((_, item), view) in rows.iter().zip(views).filter(|(row, _)| restricted(row)) {
            let Some(sealing) = &item.sealing else { continue };
            // What ran out waits for nobody.
            if item.reseal.as_ref().is_some_and(|waits| waits.expires <= self.clock.now()) {
                view.reseal = None;
            }
            let mut cannot = who_cannot_open(&state, self.clock.now(), item.case, sealing);
            if let Some(stored) = item.stored {
                cannot.extend(other_keys(&state, sealing, &tx.sealed_halves(stored.object).await?));
            }
            view.cannot_open = cannot.iter().map(ToString::to_string).collect();
        }
        Ok(())
    }

    /// How many restricted items are sealed to somebody who cannot open them any more.
    pub async fn sealed_to_leavers(&self) -> Result<u64, AppError> {
        let (mut count, mut after) = (0, None);
        let mut tx = self.store.read().await?;
        loop {
            let rows = tx.restricted_items(after, ITEMS_AT_ONCE).await?;
            let Some((last, _)) = rows.last() else { return Ok(count) };
            after = Some(*last);
            let state = tx.state(&sealed_in(&rows)).await?;
            let stays = |item: &Item| {
                let cannot =
                    |sealing| !who_cannot_open(&state, self.clock.now(), item.case, sealing).is_empty();
                item.sealing.as_ref().is_some_and(cannot)
            };
            count += rows.iter().filter(|(_, item)| stays(item)).count() as u64;
        }
    }
}

/// Everybody to whom these are sealed.
fn sealed_in(rows: &[(ItemId, Item)]) -> Footprint {
    let mut footprint = Footprint { vouchers: true, ..Footprint::default() };
    for (_, item) in rows {
        footprint.cases.insert(item.case);
        for person in item.sealing.iter().flat_map(Sealing::persons) {
            footprint.persons.insert(person);
            footprint.members.insert((item.case, person));
        }
    }
    footprint
}

/// Whose keys are all others than those that these halves are sealed to, as far as that is known.
fn other_keys<'a>(
    state: &'a State,
    sealing: &'a Sealing,
    halves: &'a [SealedHalf],
) -> impl Iterator<Item = PersonId> + 'a {
    sealing.persons().filter(|person| {
        let own = sealed_to(state, *person);
        let mut of_person = halves.iter().filter(|half| half.first == Party::Person(*person));
        of_person.any(|half| !half.outer.is_empty() && !half.outer.iter().any(|to| own.contains(to)))
    })
}

fn sorted(recipients: &[Recipient]) -> Vec<Recipient> {
    let mut recipients = recipients.to_vec();
    recipients.sort_unstable();
    recipients
}

pub(super) fn read_half(half: api::SealedHalf) -> Result<SealedHalf, AppError> {
    half.try_into().map_err(|error: api::SealedHalfError| AppError::Invalid(format!("halves: {error}")))
}

/// What is added to both halves. Nothing at all would leave the old halves fit.
fn mask(bytes: &api::Bytes64) -> Result<Key32, AppError> {
    let wrong = || AppError::Invalid("mask: 32 random bytes".to_owned());
    let mask: [u8; 32] = bytes.0.as_slice().try_into().map_err(|_| wrong())?;
    if mask == [0; 32] { Err(wrong()) } else { Ok(Key32::new(mask)) }
}

/// Whether this ends a sealing anew, so that something was destroyed.
pub(super) fn destroys(statement: &Statement) -> bool {
    statement.kind == Kind::ResealConfirmed
}
