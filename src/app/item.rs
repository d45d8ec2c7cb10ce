//! Items: intake, class, lists and search.

use std::collections::{BTreeMap, BTreeSet};

use custody::act::{Class, ItemClassified, ItemRegistered};
use custody::id::{CaseId, Code, ItemId, OpId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Footprint, Item, Right};
use custody::statement::Seen;

use super::compose::{Say, claimed};
use super::read::code;
use super::{App, AppError, parse, wire};
use crate::api;

/// Items looked through by one search request at most; the answer carries a cursor to go on.
const SEARCH_PAGE: u32 = 2_000;

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
        let data = ItemRegistered { class: class(&new.class)?, route: parse(&new.route, "route")? };
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
    ) -> Result<api::Recorded, AppError> {
        let case = self.item_for(person, item, Right::ReadRecords).await?.case;
        let data = ItemClassified { class: class(&new.class)? };
        let mut say = Say::of_item(Kind::ItemClassified, case, item).data(data.to_data()).op_id(op_id);
        say.seen = Some(Seen::Record(parse(&new.seen, "seen")?));
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    /// One item.
    pub async fn item(&self, person: PersonId, id: ItemId) -> Result<api::Item, AppError> {
        let item = self.item_for(person, id, Right::ReadRecords).await?;
        self.item_views(vec![(id, item)]).await?.pop().ok_or(AppError::NotFound("item"))
    }

    /// Items of a case by exhibit number; with `query`, those whose opened fields contain it, whatever the case of
    /// its letters. There is no index over personal values: searching opens the fields of one's own case.
    pub async fn items(
        &self,
        person: PersonId,
        case: CaseId,
        after: u32,
        limit: u32,
        query: Option<&str>,
    ) -> Result<api::Items, AppError> {
        self.require(person, case, None, Right::ReadRecords).await?;
        let page = if query.is_some() { SEARCH_PAGE } else { limit };
        let rows = self.store.read().await?.items_of(case, after, page).await?;
        let full = rows.len() == usize::try_from(page).unwrap_or(usize::MAX);
        let next = if full { rows.last().map(|(_, item)| item.exhibit.to_string()) } else { None };
        let mut items = self.item_views(rows).await?;
        if let Some(query) = query {
            let query = query.to_lowercase();
            items.retain(|item| item.fields.values().any(|value| value.to_lowercase().contains(&query)));
        }
        Ok(api::Items { items, next })
    }

    /// Items offered to `person`, waiting for an answer, of all cases that the person is still a member of: at most
    /// `limit`, by item after `after`.
    pub async fn offered(
        &self,
        person: PersonId,
        after: Option<ItemId>,
        limit: u32,
    ) -> Result<api::Transfers, AppError> {
        let mut rows = self.store.read().await?.items_offered_to(person, after, limit).await?;
        let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next = if full { rows.last().map(|(id, _)| id.to_string()) } else { None };
        let members = rows.iter().map(|(_, item)| (item.case, person)).collect();
        let footprint = Footprint { members, ..Footprint::default() };
        let state = self.store.read().await?.state(&footprint).await?;
        rows.retain(|(_, item)| state.case_permits(item.case, person, Right::ReadRecords));
        Ok(api::Transfers { items: self.item_views(rows).await?, next })
    }

    async fn item_views(&self, rows: Vec<(ItemId, Item)>) -> Result<Vec<api::Item>, AppError> {
        let sequences: BTreeSet<_> = rows.iter().map(|(id, _)| Sequence::Item(*id)).collect();
        let mut introduced = self.introduced(&sequences).await?;
        let view = |(id, item): (ItemId, Item)| {
            let fields = introduced.remove(&Sequence::Item(id)).unwrap_or_default();
            view(id, &item, fields)
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

fn view(id: ItemId, item: &Item, fields: BTreeMap<Code, String>) -> api::Item {
    let content =
        |c: custody::statement::Content| api::ContentInfo { digest: c.digest.to_hex(), size: c.size };
    api::Item {
        id: id.to_string(),
        case: item.case.to_string(),
        exhibit: item.exhibit,
        class: code(&item.class),
        custodian: item.custodian.to_string(),
        claimed: item.claimed.map(content),
        stored: item.stored.map(|stored| content(stored.content)),
        head: item.head.record.to_hex(),
        offer: item.offer.map(|o| api::OfferInfo { record: o.head.record.to_hex(), to: o.to.to_string() }),
        fields: fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
    }
}

fn class(text: &str) -> Result<Class, AppError> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|_| {
        AppError::Invalid("class: one of open, confidential, hash-only (restricted later)".to_owned())
    })
}
