//! What was made from an item, and does not follow it: what whoever destroys it or protects it better must be told.

use custody::act::Class;
use custody::id::{CaseId, ItemId};
use custody::rules::{Item, made_from};

use super::read::code;
use super::{App, AppError};
use crate::api;
use crate::store::ItemRow;

impl App {
    /// What was made from an item of this case, also by way of others.
    pub(super) async fn linked(&self, case: CaseId, original: ItemId) -> Result<Vec<ItemRow>, AppError> {
        let derived = self.store.read().await?.derived_of(case).await?;
        Ok(linked_in(&derived, original))
    }

    /// Of what was made from an item, what is there and less protected than `class`.
    pub(super) async fn less_protected(
        &self,
        case: CaseId,
        original: ItemId,
        class: Class,
    ) -> Result<Vec<api::LinkedInfo>, AppError> {
        let linked = self.linked(case, original).await?;
        let less = linked.iter().filter(|(_, item)| is_there(item) && item.class < class);
        Ok(less.filter_map(|(id, item)| view(*id, item)).collect())
    }
}

/// Of the derived items of a case, those that were made from one.
pub(super) fn linked_in(derived: &[ItemRow], original: ItemId) -> Vec<ItemRow> {
    let linked = made_from(derived.iter().map(|(id, item)| (*id, item)), original);
    linked.into_iter().map(|(id, item)| (id, item.clone())).collect()
}

/// Linked items as they travel.
pub(super) fn views(linked: &[ItemRow]) -> Vec<api::LinkedInfo> {
    linked.iter().filter_map(|(id, item)| view(*id, item)).collect()
}

fn view(id: ItemId, item: &Item) -> Option<api::LinkedInfo> {
    let derived = item.derived?;
    Some(api::LinkedInfo {
        id: id.to_string(),
        exhibit: item.exhibit,
        how: derived.how.name().to_owned(),
        of: derived.of.to_string(),
        class: code(&item.class),
        held: is_there(item),
    })
}

const fn is_there(item: &Item) -> bool {
    item.stored.is_some() && !item.disposed
}
