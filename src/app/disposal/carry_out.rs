//! Destroying what two persons have approved: first the record and the death of the key, in one transaction, then the
//! bytes, which nothing opens any more. What a crash leaves of them is deleted later.

use custody::act::{AccessCompleted, AccessOutcome, DisposalCompleted, DisposalExecuted, ObjectId, Subject};
use custody::digest::Digest;
use custody::id::ItemId;
use custody::keys::WrappedKey;
use custody::kind::Kind;
use custody::rules::{APPROVERS, Disposal, Stage};
use custody::time::Timestamp;

use super::super::compose::Say;
use super::super::say::With;
use super::super::{App, AppError};
use crate::sequencer::Attachments;
use crate::store::{Change, ObjectState};

/// Disposals looked up at a time.
const PAGE: u32 = 100;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What dies.
#[derive(Debug, Default)]
struct Dying {
    key: Option<Digest>,
    kek: Option<u32>,
    object: Option<ObjectId>,
    changes: Vec<Change>,
}

impl App {
    /// Destroys everything that was approved and that no hold keeps; how much.
    pub async fn carry_out_disposals(&self) -> Result<usize, AppError> {
        let (mut count, mut after) = (0, 0);
        loop {
            let page = self.store.read().await?.disposals_in(Stage::Proposed, after, PAGE).await?;
            let Some((_, last)) = page.last() else { break };
            after = last.index;
            for (proposal, disposal) in page.iter().filter(|(_, found)| found.approvals.len() >= APPROVERS) {
                match self.carry_out(*proposal, disposal).await {
                    Ok(()) => count += 1,
                    // A hold was placed, or what it is about has changed hands: it waits, or lapses.
                    Err(AppError::Refused(_) | AppError::TooLate) => {}
                    // The others do not wait for it.
                    Err(error) => {
                        tracing::error!(%proposal, ?error, "destroying what was approved failed; it is tried again");
                    }
                }
            }
        }
        self.delete_shredded().await?;
        if count > 0
            && let Err(error) = self.store.free_deleted().await
        {
            tracing::warn!(%error, "the database keeps what it deleted until it frees it by itself");
        }
        Ok(count)
    }

    async fn carry_out(&self, proposal: Digest, disposal: &Disposal) -> Result<(), AppError> {
        let now = self.clock.now();
        let (kind, dying) = match disposal.subject {
            Subject::Item(_, item) => (Kind::DisposalExecuted, self.dying_content(item, now).await?),
            _ => (Kind::OpeningErased, self.dying_values(disposal, now).await?),
        };
        let backups = self.store.read().await?.backups().await?;
        let data = DisposalExecuted {
            backups: backups.iter().filter(|backup| backup.removed.is_none()).count() as u64,
            horizon: self.backup_days.map(|days| now.saturating_add_millis(i64::from(days) * DAY_MS)),
            kek: dying.kek,
            key: dying.key,
            object: dying.object,
            proposal,
        };
        let say = match disposal.subject {
            Subject::Item(case, item) => Say::of_item(kind, case, item),
            Subject::Case(case) => Say::in_case(kind, case),
            Subject::Person(person) => Say::of_person(kind, person),
            Subject::Vault => Say::new(kind),
        };
        let attach = Attachments { changes: dying.changes, ..Attachments::default() };
        self.say_as_vault(say.data(data.to_data()), With { attach }).await?;
        self.forget_destroyed(&disposal.subject);
        if let Subject::Item(_, item) = disposal.subject {
            self.end_readings(item).await?;
        }
        Ok(())
    }

    /// The content of an item, and what opens it.
    async fn dying_content(&self, item: ItemId, now: Timestamp) -> Result<Dying, AppError> {
        let mut tx = self.store.read().await?;
        let Some((_, found)) = tx.items(&[item]).await?.pop() else { return Ok(Dying::default()) };
        let Some(stored) = found.stored else { return Ok(Dying::default()) };
        let row = tx.objects(&[stored.object]).await?.pop().ok_or(AppError::NotFound("object"))?;
        // A restore has destroyed it again already: by which version it was wrapped is lost, and is none after the present.
        let gone = row.state == ObjectState::Shredded;
        let present = tx.vault().await?.ok_or(AppError::NotFound("vault"))?.kek();
        Ok(Dying {
            key: (!gone).then(|| Digest::of(&row.wrapped)),
            kek: Some(if gone { present } else { row.kek }),
            object: Some(stored.object),
            changes: vec![Change::ShredObject {
                object: stored.object,
                kek: row.kek,
                wrapped: row.wrapped,
                now,
            }],
        })
    }

    /// Personal values: those of some records, or all about a person, with the key under which they were.
    async fn dying_values(&self, disposal: &Disposal, now: Timestamp) -> Result<Dying, AppError> {
        let mut tx = self.store.read().await?;
        if let Subject::Person(person) = disposal.subject {
            let scope = format!("person:{person}");
            let row = tx.subject_keys(std::slice::from_ref(&scope)).await?.pop();
            return Ok(Dying {
                key: row.as_ref().map(|row| Digest::of(&row.wrapped)),
                kek: row.as_ref().map(|row| row.kek),
                object: None,
                changes: vec![Change::EraseScope { scope, key: row.map(|row| (row.kek, row.wrapped)), now }],
            });
        }
        let rows = tx.records_by_hash(&disposal.records).await?;
        let mut stmts: Vec<_> = rows.iter().map(|row| row.stmt).collect();
        stmts.sort_unstable();
        stmts.dedup();
        Ok(Dying { changes: vec![Change::EraseOpenings { stmts, now }], ..Dying::default() })
    }

    /// What this process holds in memory.
    fn forget_destroyed(&self, subject: &Subject) {
        self.exports.forget();
        if let Subject::Person(person) = subject {
            self.forget_field_key(&format!("person:{person}"));
        }
    }

    /// Whoever reads the content now reads no further.
    async fn end_readings(&self, item: ItemId) -> Result<(), AppError> {
        let (grants, found) = {
            let mut tx = self.store.read().await?;
            (tx.open_grants_of(item).await?, tx.items(&[item]).await?.pop())
        };
        let Some((_, found)) = found else { return Ok(()) };
        for (grant, _) in grants {
            let bytes = self.sent.close(&grant);
            let data = AccessCompleted { bytes, grant, outcome: AccessOutcome::Expired };
            let say = Say::of_item(Kind::AccessCompleted, found.case, item).data(data.to_data());
            match self.say_as_vault(say, With::default()).await {
                Ok(_) | Err(AppError::Refused(_)) => self.sent.forget(&grant),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes the bytes of objects whose key is gone.
    async fn delete_shredded(&self) -> Result<(), AppError> {
        let mut after = None;
        loop {
            let page = self.store.read().await?.shredded(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.object);
            for row in page {
                if let Err(error) = self.blobs.delete(row.object).await {
                    tracing::error!(object = %row.object, ?error, "deleting what was destroyed failed; it is tried again");
                }
            }
        }
    }

    /// Says of each disposal that nothing the vault knows of opens it any more, as soon as that is so; of how many.
    pub async fn complete_disposals(&self) -> Result<usize, AppError> {
        let (mut count, mut after) = (0, 0);
        loop {
            let page = self.store.read().await?.disposals_in(Stage::Executed, after, PAGE).await?;
            let Some((_, last)) = page.last() else { return Ok(count) };
            after = last.index;
            for (proposal, disposal) in &page {
                match self.opens_still(disposal).await {
                    Ok(waits) if waits.is_empty() => {}
                    Ok(_) => continue,
                    Err(error) => {
                        tracing::error!(%proposal, ?error, "looking after what was destroyed failed; it is tried again");
                        continue;
                    }
                }
                let say = match disposal.subject {
                    Subject::Item(case, item) => Say::of_item(Kind::DisposalCompleted, case, item),
                    Subject::Case(case) => Say::in_case(Kind::DisposalCompleted, case),
                    Subject::Person(person) => Say::of_person(Kind::DisposalCompleted, person),
                    Subject::Vault => continue,
                };
                let data = DisposalCompleted { proposal: *proposal };
                match self.say_as_vault(say.data(data.to_data()), With::default()).await {
                    Ok(_) => count += 1,
                    Err(AppError::Refused(_)) => {}
                    Err(error) => {
                        tracing::error!(%proposal, ?error, "saying that it is final failed; it is tried again");
                    }
                }
            }
        }
    }

    /// What the vault knows of that may still open what was destroyed; each with what ends it.
    pub(super) async fn opens_still(&self, disposal: &Disposal) -> Result<Vec<String>, AppError> {
        let Some(executed) = disposal.ended else { return Ok(Vec::new()) };
        let mut waits = Vec::new();
        let mut tx = self.store.read().await?;
        let vault = tx.vault().await?.ok_or(AppError::NotFound("vault"))?;
        for version in 1..=disposal.kek.unwrap_or(0) {
            if !vault.keks_destroyed_to(Some(version)) {
                waits.push(format!("the key kek/{version} is there still: custos key rotate-kek"));
            }
        }
        let row = tx.records_at(&[executed]).await?.pop().ok_or(AppError::NotFound("record"))?;
        let configured =
            self.backup_days.map(|days| row.received.saturating_add_millis(i64::from(days) * DAY_MS));
        match disposal.horizon.max(configured) {
            None => waits.push("backups are kept without end: configure `backup_days`".to_owned()),
            Some(horizon) if horizon > self.clock.now() => {
                waits.push(format!("backups are kept until {horizon}"));
            }
            Some(_) => {}
        }
        for backup in tx.backups().await? {
            if backup.removed.is_none() && backup.log_size <= executed {
                waits.push(format!("the backup {} holds it: custos backup removes it", backup.folder));
            }
        }
        let checked = tx.recovery_kits().await?.into_iter().rev().find(|kit| kit.checked.is_some());
        for (name, _) in checked.iter().flat_map(|kit| kit.keys.iter()) {
            let version = name.strip_prefix("kek/").and_then(|version| version.parse::<u32>().ok());
            if version.is_some_and(|version| Some(version) <= disposal.kek) {
                waits.push(format!("the newest recovery kit holds {name}: custos key recovery-sheet"));
            }
        }
        if let Subject::Item(_, item) = disposal.subject
            && self.content_opens(&mut tx, item).await?
        {
            waits.push("an attempt to open the content did not fail: custos doctor".to_owned());
        }
        Ok(waits)
    }

    /// Tries to open what was destroyed.
    async fn content_opens(&self, tx: &mut crate::store::Tx, item: ItemId) -> Result<bool, AppError> {
        let rows = tx.objects_of(item).await?;
        for row in rows {
            let key = WrappedKey::parse(&row.wrapped).is_ok();
            let bytes = self.blobs.exists(row.object).await;
            if key || bytes.map_err(AppError::internal("looking for destroyed bytes"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
