//! Items: intake, class, lists and search.

use std::collections::{BTreeMap, BTreeSet};

use custody::act::{Class, ItemClassified, ItemRegistered, SealedBy, Sealing};
use custody::age::Recipient;
use custody::id::{CaseId, Code, ItemId, OpId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Footprint, Item, Right};
use custody::statement::Seen;

use super::compose::{Say, claimed};
use super::read::{code, seq_in};
use super::{App, AppError, linked, parse, parse_opt, wire};
use crate::api;
use crate::store::RecordRow;

/// Items whose fields are open at a time: each may have 0.7 MB of them.
const OPEN_AT_ONCE: u32 = 50;
/// Items looked through by one search request at most; the answer carries a cursor to go on.
const MAX_LOOKED_THROUGH: u32 = 2_000;
/// A page ends early when its items' values are longer than this in all.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// Longest words to look for, bytes.
const MAX_QUERY_LEN: usize = 1_024;
/// Records read at a time where some of an item's are looked for.
const RECORDS_AT_ONCE: u32 = 200;

/// Which items of a case are looked at, by exhibit number.
struct Looks {
    after: u32,
    at_once: u32,
    rounds: u32,
}

impl App {
    /// Registers an item on behalf of `person`.
    pub async fn register_item(
        &self,
        person: PersonId,
        case: CaseId,
        new: api::NewItem,
        op_id: Option<OpId>,
    ) -> Result<api::Created, AppError> {
        let item = ItemId::new(Self::new_id(person, op_id));
        let sealing = new.sealing.as_ref().map(sealing).transpose()?;
        // What a sender seals they register under a key of their own, which this is not.
        let (class, route) = (class(&new.class)?, parse(&new.route, "route")?);
        let data = ItemRegistered { class, route, sealing, sealed_by: None };
        super::say::came_from_outside(&data.route)?;
        let content = match (&new.digest, new.size) {
            (Some(digest), Some(size)) => Some(claimed(digest, size)?),
            (None, None) => None,
            _ => {
                return Err(AppError::Invalid(
                    "digest and size go together: send both or neither".to_owned(),
                ));
            }
        };
        let mut say = Say::of_item(Kind::ItemRegistered, case, item)
            .data(data.to_data())
            .op_id(op_id)
            .fields(new.fields)?;
        say.content = content;
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Created { id: item.to_string(), receipts: wire(&receipts) })
    }

    /// Changes an item's class.
    pub async fn classify(
        &self,
        person: PersonId,
        item: ItemId,
        new: &api::NewClass,
        op_id: Option<OpId>,
    ) -> Result<api::Classified, AppError> {
        let case = self.item_for(person, item, Right::ReadRecords).await?.case;
        let sealing = new.sealing.as_ref().map(sealing).transpose()?;
        let class = class(&new.class)?;
        let data = ItemClassified { class, sealing };
        let mut say = Say::of_item(Kind::ItemClassified, case, item).data(data.to_data()).op_id(op_id);
        say.seen = Some(Seen::Record(parse(&new.seen, "seen")?));
        say.purpose = parse_opt(new.purpose.as_deref(), "purpose")?;
        let receipts = wire(&self.say_on_behalf(person, say).await?);
        Ok(api::Classified { receipts, less_protected: self.less_protected(case, item, class).await? })
    }

    /// One item.
    pub async fn item(&self, person: PersonId, id: ItemId) -> Result<api::Item, AppError> {
        let item = self.item_for(person, id, Right::ReadRecords).await?;
        let linked = linked::views(&self.linked(item.case, id).await?);
        let view = self.item_views(vec![(id, item)]).await?.pop().ok_or(AppError::NotFound("item"))?;
        Ok(api::Item { linked: Some(linked), ..view })
    }

    /// Items of a case by exhibit number: at most `limit` after number `after`.
    pub async fn items(
        &self,
        person: PersonId,
        case: CaseId,
        after: u32,
        limit: u32,
    ) -> Result<api::Items, AppError> {
        self.require(person, case, None, Right::ReadRecords).await?;
        let looks = Looks { after, at_once: limit.min(OPEN_AT_ONCE), rounds: limit.div_ceil(OPEN_AT_ONCE) };
        self.look_through(case, looks, limit, |_| true).await
    }

    /// Items of a case whose opened fields contain some words, whatever the case of their letters. There is no index
    /// over personal values: searching opens the fields of one's own case, a few items at a time.
    pub async fn search(
        &self,
        person: PersonId,
        case: CaseId,
        search: &api::Search,
    ) -> Result<api::Items, AppError> {
        let limit = search.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(AppError::Invalid("limit: 1 to 200".to_owned()));
        }
        if search.q.is_empty() || search.q.len() > MAX_QUERY_LEN {
            return Err(AppError::Invalid(format!("q: 1 to {MAX_QUERY_LEN} bytes")));
        }
        let query = search.q.to_lowercase();
        let after = parse_opt(search.cursor.as_deref(), "cursor")?.unwrap_or(0);
        self.require(person, case, None, Right::ReadRecords).await?;
        let looks = Looks { after, at_once: OPEN_AT_ONCE, rounds: MAX_LOOKED_THROUGH / OPEN_AT_ONCE };
        let matches =
            |item: &api::Item| item.fields.values().any(|value| value.to_lowercase().contains(&query));
        self.look_through(case, looks, limit, matches).await
    }

    /// Opens the fields of some items at a time, and keeps those that are wanted.
    async fn look_through(
        &self,
        case: CaseId,
        Looks { mut after, at_once, rounds }: Looks,
        limit: u32,
        wanted: impl Fn(&api::Item) -> bool,
    ) -> Result<api::Items, AppError> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        let full = usize::try_from(limit).unwrap_or(usize::MAX);
        for _ in 0..rounds {
            let rows = self.store.read().await?.items_of(case, after, at_once).await?;
            let last = rows.len() < usize::try_from(at_once).unwrap_or(usize::MAX);
            for item in self.item_views(rows).await? {
                after = item.exhibit;
                if wanted(&item) {
                    bytes += item.fields.values().map(String::len).sum::<usize>();
                    items.push(item);
                }
                if items.len() == full || bytes > MAX_PAGE_BYTES {
                    return Ok(api::Items { items, next: Some(after.to_string()) });
                }
            }
            if last {
                return Ok(api::Items { items, next: None });
            }
        }
        Ok(api::Items { items, next: Some(after.to_string()) })
    }

    /// The receipts of how an item came into the vault, once more: of its registration, and of its content where the
    /// vault holds it. Who lost the answer to an intake has them from here.
    pub async fn intake_receipts(&self, person: PersonId, id: ItemId) -> Result<api::Recorded, AppError> {
        let item = self.item_for(person, id, Right::ReadRecords).await?;
        let wanted = if item.stored.is_some() { 2 } else { 1 };
        let of = Sequence::Item(id);
        let (mut found, mut after) = (Vec::new(), 0);
        let mut tx = self.store.read().await?;
        while found.len() < wanted {
            let rows = tx.records(of, after, RECORDS_AT_ONCE).await?;
            let Some(last) = rows.last().and_then(|row| seq_in(row, of)) else { break };
            after = last;
            let taken_in = |row: &RecordRow| matches!(row.kind, Kind::ItemRegistered | Kind::ContentReceived);
            found.extend(rows.into_iter().filter(taken_in));
        }
        Ok(api::Recorded { receipts: wire(&tx.receipts_for(found).await?) })
    }

    /// Items offered to `person`, waiting for an answer, of all cases that the person is still a member of: at most
    /// `limit`, by item after `after`.
    pub async fn offered(
        &self,
        person: PersonId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<api::Transfers, AppError> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let at_once = limit.max(super::PASSED_OVER_AT_ONCE);
        let all = usize::try_from(at_once).unwrap_or(usize::MAX);
        let (mut visible, mut after, now) = (Vec::new(), after, self.clock.now());
        // As with cases: where the next page starts is told by what is on this one.
        let next = loop {
            let mut tx = self.store.read().await?;
            let rows = tx.items_offered_to(person, after, at_once).await?;
            let (full, last) = (rows.len() == all, rows.last().map(|(id, _)| *id));
            let cases = rows.iter().map(|(_, item)| item.case).collect();
            let members = rows.iter().map(|(_, item)| (item.case, person)).collect();
            let state = tx.state(&Footprint { cases, members, ..Footprint::default() }).await?;
            let is_visible = |(_, item): &(ItemId, Item)| {
                state.in_case(item.case, person, Right::ReadRecords, now).is_ok()
            };
            visible.extend(rows.into_iter().filter(is_visible));
            if visible.len() >= most {
                visible.truncate(most);
                break visible.last().map(|(id, _): &(ItemId, Item)| id.to_string());
            }
            if !full {
                break None;
            }
            after = last;
        };
        Ok(api::Transfers { items: self.item_views(visible).await?, next })
    }

    async fn item_views(&self, rows: Vec<(ItemId, Item)>) -> Result<Vec<api::Item>, AppError> {
        let mut views = self.plain_views(&rows).await?;
        self.add_who_cannot_open(&rows, &mut views).await?;
        Ok(views)
    }

    async fn plain_views(&self, rows: &[(ItemId, Item)]) -> Result<Vec<api::Item>, AppError> {
        let sequences: BTreeSet<_> = rows.iter().map(|(id, _)| Sequence::Item(*id)).collect();
        let mut introduced = self.introduced(&sequences).await?;
        let view = |(id, item): &(ItemId, Item)| {
            let fields = introduced.remove(&Sequence::Item(*id)).unwrap_or_default();
            view(*id, item, fields)
        };
        Ok(rows.iter().map(view).collect())
    }
}

fn view(id: ItemId, item: &Item, fields: BTreeMap<Code, String>) -> api::Item {
    let content = |c: custody::statement::Content| api::ContentInfo {
        digest: c.digest.to_hex(),
        checked_by: code(&c.checked_by),
        size: c.size,
    };
    api::Item {
        id: id.to_string(),
        case: item.case.to_string(),
        exhibit: item.exhibit,
        class: code(&item.class),
        custodian: item.custodian.to_string(),
        claimed: item.claimed.map(content),
        stored: item.stored.map(|stored| content(stored.content)),
        head: item.head.record.to_hex(),
        offer: item.offer.as_ref().map(|offer| api::OfferInfo {
            record: offer.head.record.to_hex(),
            to: offer.to.to_string(),
            expires: offer.expires.map(|at| at.to_string()),
            carriers: offer.carriers.iter().map(ToString::to_string).collect(),
            carrier: offer.carrier().map(|carrier| carrier.to_string()),
            waits_for: offer.waits_for(item.custodian).to_string(),
        }),
        seal: item.seal.map(|seal| seal.record.to_hex()),
        sealing: item.sealing.as_ref().map(show_sealing),
        sealed_by: item.by_sender.then(|| code(&SealedBy::Sender)),
        reseal: item.reseal.as_ref().map(|reseal| api::Reseal {
            record: reseal.record.to_hex(),
            by: reseal.by.to_string(),
            expires: reseal.expires.to_string(),
            halves: reseal.halves.to_hex(),
            sealing: show_sealing(&reseal.sealing),
        }),
        cannot_open: Vec::new(),
        derived: item.derived.map(|derived| api::DerivedInfo {
            of: derived.of.to_string(),
            how: derived.how.name().to_owned(),
            by: derived.by.map(|person| person.to_string()),
        }),
        linked: None,
        fields: fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
    }
}

fn show_sealing(sealing: &Sealing) -> api::Sealing {
    api::Sealing {
        pairs: sealing.pairs.iter().map(|pair| pair.map(|person| person.to_string())).collect(),
        recovery: sealing.recovery.map(|recovery| recovery.map(|recipient| recipient.to_string())),
    }
}

/// As it is signed: whoever asks for it need not know in which order.
pub(super) fn sealing(asked: &api::Sealing) -> Result<Sealing, AppError> {
    let mut pairs = Vec::with_capacity(asked.pairs.len());
    for [one, other] in &asked.pairs {
        let (one, other): (PersonId, PersonId) =
            (parse(one, "sealing.pairs")?, parse(other, "sealing.pairs")?);
        pairs.push([one.min(other), one.max(other)]);
    }
    pairs.sort_unstable();
    let recovery = match &asked.recovery {
        Some([one, other]) => {
            let one: Recipient = parse(one, "sealing.recovery")?;
            let other: Recipient = parse(other, "sealing.recovery")?;
            Some([one.min(other), one.max(other)])
        }
        None => None,
    };
    Ok(Sealing { pairs, recovery })
}

fn class(text: &str) -> Result<Class, AppError> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value)
        .map_err(|_| AppError::Invalid("class: one of open, confidential, restricted, hash-only".to_owned()))
}
