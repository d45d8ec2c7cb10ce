//! Background work: closing readings and offers that ran out, and counting objects that no record names.

use std::collections::BTreeMap;

use custody::act::{AccessCompleted, AccessOutcome};
use custody::kind::Kind;
use custody::statement::{ItemRef, Seen};
use futures_util::StreamExt as _;

use super::compose::Say;
use super::say::With;
use super::{App, AppError};
use crate::blobs::Blobs;
use crate::sequencer::Attachments;
use crate::store::{Change, HalvesChange, Store};

const AT_ONCE: u32 = 200;

impl App {
    /// Records the end of readings whose grant ran out without the reader saying so, or whose reader is suspended. Returns
    /// how many.
    pub async fn close_expired_grants(&self) -> Result<usize, AppError> {
        let (expired, items) = {
            let mut tx = self.store.read().await?;
            let expired = tx.expired_grants(self.clock.now(), AT_ONCE).await?;
            let ids: Vec<_> = expired.iter().map(|(_, grant)| grant.item).collect();
            (expired, tx.items(&ids).await?)
        };
        let cases: std::collections::HashMap<_, _> =
            items.into_iter().map(|(id, item)| (id, item.case)).collect();
        let count = expired.len();
        for (record, grant) in expired {
            let Some(case) = cases.get(&grant.item) else { continue };
            // What still runs under it ends first.
            let bytes = self.sent.close(&record);
            let data = AccessCompleted { bytes, grant: record, outcome: AccessOutcome::Expired };
            let say = Say::of_item(Kind::AccessCompleted, *case, grant.item).data(data.to_data());
            let changes = vec![Change::Halves(HalvesChange::ForgetContribution(record))];
            let with = With { attach: Attachments { changes, ..Attachments::default() } };
            match self.say_as_vault(say, with).await {
                Ok(_) | Err(AppError::Refused(_)) => self.sent.forget(&record),
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Forgets what was contributed to the opening of restricted items and is no longer needed.
    pub async fn forget_contributions(&self) -> Result<(), AppError> {
        Ok(self.store.forget_contributions(self.clock.now()).await?)
    }

    /// Records that offers of custody ran out without an answer, one statement a case. Returns how many offers.
    pub async fn expire_offers(&self) -> Result<usize, AppError> {
        let rows = self.store.read().await?.expired_offers(self.clock.now(), AT_ONCE).await?;
        let mut of_cases = BTreeMap::<_, Vec<_>>::new();
        for (id, item) in rows {
            let offer = item.offer.as_ref().map(|offer| Seen::Record(offer.head.record));
            let named = ItemRef { item: id, offer, seen: Some(Seen::Record(item.head.record)) };
            of_cases.entry(item.case).or_default().push(named);
        }
        let mut count = 0;
        for (case, items) in of_cases {
            let expired = items.len();
            let say = Say { items: Some(items), ..Say::in_case(Kind::TransferExpired, case) };
            match self.say_as_vault(say, With::default()).await {
                Ok(_) => count += expired,
                // Somebody answered at the last moment; the others come next time.
                Err(AppError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Counts objects that no record names, after removing uploads that never became objects. A crash between an
    /// object and its record leaves one; so does a database older than the object store, and then the object is
    /// evidence. Nothing is deleted here: which of the two it is is for a person to decide.
    pub async fn find_orphans(&self) -> Result<usize, AppError> {
        self.blobs.remove_unfinished().await.map_err(AppError::internal("removing unfinished uploads"))?;
        count_orphans(&self.store, &self.blobs).await
    }
}

/// Counts objects that no record names.
pub(super) async fn count_orphans(store: &Store, blobs: &Blobs) -> Result<usize, AppError> {
    let mut listed = std::pin::pin!(blobs.list().chunks(500));
    let mut orphans = 0;
    while let Some(chunk) = listed.next().await {
        let mut ids = Vec::with_capacity(chunk.len());
        for object in chunk {
            ids.push(object.map_err(AppError::internal("listing stored objects"))?.0);
        }
        orphans += ids.len() - store.read().await?.objects(&ids).await?.len();
    }
    Ok(orphans)
}
