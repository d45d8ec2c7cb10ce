//! Readings in an emergency: under a grant of their own, by somebody who has no other right, until somebody looks at why.

use custody::digest::Digest;
use custody::id::{CaseId, ItemId, PersonId};
use custody::rules::{Footprint, Item, Review, Right};

use super::read::code;
use super::{App, AppError};
use crate::api;

/// Most of a case that are shown.
const SHOWN: u32 = 200;

impl App {
    /// The item that somebody reads: by the right to read, or under a grant for which they broke the glass.
    pub(super) async fn item_to_read(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<Digest>,
    ) -> Result<Item, AppError> {
        let named: Vec<_> = access.into_iter().collect();
        let mut tx = self.store.read().await?;
        let grant = tx.grants(&named).await?.pop();
        if grant.is_some_and(|(_, grant)| grant.review.is_some() && self.is_open(&grant, person, id)) {
            let state = tx.state(&Footprint { persons: [person].into(), ..Footprint::default() }).await?;
            let item = tx.items(&[id]).await?.pop();
            if let (Ok(()), Some((_, item))) =
                (state.in_vault(person, Right::BreakGlass, self.clock.now()), item)
            {
                return Ok(item);
            }
        }
        drop(tx);
        self.item_for(person, id, Right::ReadContent).await
    }

    /// The readings of a case's items in an emergency, the newest first; those that nobody has looked at say so.
    pub async fn emergencies(&self, person: PersonId, case: CaseId) -> Result<api::Emergencies, AppError> {
        self.require(person, case, None, Right::ReadRecords).await?;
        let rows = self.store.read().await?.emergencies_of(case, SHOWN).await?;
        let emergencies = rows.into_iter().map(|(record, grant)| api::Emergency {
            record: record.to_hex(),
            item: grant.item.to_string(),
            person: grant.person.to_string(),
            expires: grant.expires.to_string(),
            review: code(&grant.review.unwrap_or(Review::Open)),
        });
        Ok(api::Emergencies { emergencies: emergencies.collect() })
    }
}
