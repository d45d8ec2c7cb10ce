//! Scrubbing: every object is read and compared, the log with them, and what was found goes on record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use custody::act::{FixityChecked, ObjectId};
use custody::id::{ItemId, PersonId};
use custody::kind::Kind;
use custody::manifest;
use custody::receipt::Receipt;
use custody::rules::{Refusal, Right};
use ed25519_dalek::VerifyingKey;
use tokio::task::AbortHandle;

use super::compose::{Say, content_of};
use super::say::With;
use super::{App, AppError, parse, wire};
use crate::api;
use crate::blobs::BlobsError;
use crate::ops::{Difference, Differences, history};
use crate::sequencer::Attachments;
use crate::store::{Change, ObjectRow, ObjectState};

/// Objects looked up at a time.
const PAGE: u32 = 50;
/// Most findings that an answer lists.
const LISTED: usize = 1_000;

/// The scrub that runs, or the last one.
#[derive(Debug, Default)]
pub(super) struct Scrubbing {
    last: Mutex<Option<api::Scrub>>,
    running: Mutex<Option<AbortHandle>>,
}

/// What a look at an object found.
struct CheckedObject {
    /// What is wrong with it.
    problem: Option<&'static str>,
    /// Of the record that says so, if it could be made.
    receipts: Vec<Receipt>,
}

impl CheckedObject {
    const fn unrecorded(problem: &'static str) -> Self {
        Self { problem: Some(problem), receipts: Vec::new() }
    }
}

impl Scrubbing {
    fn lock(&self) -> MutexGuard<'_, Option<api::Scrub>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Breaks off a scrub that runs: it may hold a snapshot of the database for minutes, and the service ends now.
    pub(super) fn end(&self) {
        if let Some(running) = self.running().take() {
            running.abort();
        }
    }

    fn change(&self, change: impl FnOnce(&mut api::Scrub)) {
        if let Some(scrub) = self.lock().as_mut() {
            change(scrub);
        }
    }
}

impl App {
    /// Begins to scrub, unless a scrub runs. Only for administrators.
    pub async fn start_scrub(
        self: Arc<Self>,
        person: PersonId,
        new: &api::NewScrub,
    ) -> Result<api::Scrub, AppError> {
        self.require_in_vault(person, Right::RunVault, "scrub").await?;
        let rate = new.mib_per_second.map(|mib| u64::from(mib.max(1)) << 20);
        let begun = api::Scrub {
            state: "running".to_owned(),
            started: self.clock.now().to_string(),
            records: 0,
            objects: 0,
            bytes: 0,
            failed: 0,
            findings: Vec::new(),
        };
        {
            let mut current = self.scrubbing.lock();
            if let Some(running) = current.as_ref().filter(|scrub| scrub.state == "running") {
                return Ok(running.clone());
            }
            *current = Some(begun.clone());
        }
        let app = Arc::clone(&self);
        let running = tokio::spawn(async move {
            let ended = self.scrub(rate).await;
            if let Err(error) = &ended {
                tracing::error!(error = ?error, "a scrub broke off");
            }
            let state = if ended.is_ok() { "done" } else { "broken-off" };
            self.scrubbing.change(|scrub| state.clone_into(&mut scrub.state));
        });
        *app.scrubbing.running() = Some(running.abort_handle());
        Ok(begun)
    }

    /// How far the scrub is, or what the last one since the service started found. Only for administrators.
    pub async fn scrub_state(&self, person: PersonId) -> Result<api::Scrub, AppError> {
        self.require_in_vault(person, Right::RunVault, "scrub").await?;
        self.scrubbing.lock().clone().ok_or(AppError::NotFound("scrub"))
    }

    async fn scrub(&self, rate: Option<u64>) -> Result<(), AppError> {
        let mut found = Differences::default();
        let mut tx = self.store.read().await?;
        let scrubbing = &self.scrubbing;
        let mut moved = |_, done, _| scrubbing.change(|scrub| scrub.records = done);
        history::check(&mut tx, &mut found, &mut moved).await?;
        drop(tx);
        for row in found.rows {
            self.note_finding(row);
        }
        let vault_key = self.manifests_key()?;
        let mut after = None;
        loop {
            let page = self.store.read().await?.all_objects(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.object);
            for row in page.iter().filter(|row| row.state != ObjectState::Shredded) {
                self.scrub_object(row, &vault_key, rate).await?;
            }
        }
    }

    /// Reads one object and records what was found.
    async fn scrub_object(
        &self,
        row: &ObjectRow,
        vault_key: &VerifyingKey,
        rate: Option<u64>,
    ) -> Result<(), AppError> {
        let checked = self.check_object(row, vault_key, "scrub", rate).await?;
        self.scrubbing.change(|scrub| {
            scrub.objects += 1;
            scrub.bytes += row.size;
        });
        if let Some(problem) = checked.problem {
            self.damaged(row.object, problem);
        }
        Ok(())
    }

    /// Reads the stored bytes of an item once more, compares them with what was written, and records what was found:
    /// for somebody who is about to give or take custody.
    pub async fn check_item(&self, person: PersonId, id: ItemId) -> Result<api::Fixity, AppError> {
        let item = self.item_for(person, id, Right::HoldCustody).await?;
        if item.disposed {
            return Err(Refusal::Disposed.into());
        }
        let stored = item.stored.ok_or(Refusal::NoContent)?;
        // Reading takes what sending takes.
        let _turn = self.turns.take(person, self.blobs.places()).await?;
        let row = self.store.read().await?.objects(&[stored.object]).await?.pop();
        let row = row.ok_or(AppError::NotFound("object"))?;
        let checked = self.check_object(&row, &self.manifests_key()?, "transfer", None).await?;
        if checked.receipts.is_empty() && checked.problem.is_none() {
            return Err(Refusal::Disposed.into());
        }
        if let Some(problem) = checked.problem {
            tracing::error!(object = %row.object, problem, "an exhibit that changes hands is damaged");
        }
        Ok(api::Fixity {
            intact: checked.problem.is_none(),
            digest: stored.content.digest.to_hex(),
            size: stored.content.size,
            receipts: wire(&checked.receipts),
        })
    }

    /// The key that signed the manifests.
    fn manifests_key(&self) -> Result<VerifyingKey, AppError> {
        let key = VerifyingKey::from_bytes(self.identity.key.as_bytes());
        key.map_err(AppError::internal("reading the vault's key"))
    }

    /// Reads an object, compares it with its manifest, and records what was found where its item is known.
    async fn check_object(
        &self,
        row: &ObjectRow,
        vault_key: &VerifyingKey,
        during: &str,
        rate: Option<u64>,
    ) -> Result<CheckedObject, AppError> {
        let Ok(facts) = manifest::verify(&row.manifest, vault_key) else {
            return Ok(CheckedObject::unrecorded("its manifest is not the vault's"));
        };
        let content = content_of(&facts);
        let problem = match self.blobs.audit_slowly(row.object, facts.parts, rate).await {
            Ok(findings) if findings.is_clean() => None,
            Ok(_) => Some("its bytes are not the ones that were written"),
            Err(BlobsError::NotFound(_)) => Some("its bytes are missing"),
            Err(error) => return Err(AppError::internal("reading an object")(error)),
        };
        let Some((id, item)) = self.store.read().await?.items(&[row.item]).await?.pop() else {
            return Ok(CheckedObject::unrecorded("the item it belongs to is missing"));
        };
        let kind = if problem.is_none() { Kind::FixityPassed } else { Kind::FixityFailed };
        let data = FixityChecked::by_vault(row.object, parse(during, "stage")?);
        let mut say = Say::of_item(kind, item.case, id).data(data.to_data());
        say.content = Some(content);
        let state = if problem.is_none() { ObjectState::Present } else { ObjectState::Damaged };
        // With its record, and too late if it was destroyed meanwhile: that its bytes are gone is then as it should be.
        let changes = vec![Change::NoteObject { object: row.object, state }];
        let attach = Attachments { changes, ..Attachments::default() };
        let receipts = match self.say_as_vault(say, With { attach }).await {
            Err(AppError::TooLate) => return Ok(CheckedObject { problem: None, receipts: Vec::new() }),
            said => said?,
        };
        Ok(CheckedObject { problem, receipts })
    }

    fn damaged(&self, object: ObjectId, problem: &str) {
        let (table, row) = ("objects".to_owned(), object.to_string());
        self.note_finding(Difference { table, row, problem: problem.to_owned() });
    }

    fn note_finding(&self, found: Difference) {
        let Difference { table, row, problem } = found;
        tracing::error!(table, row, problem, "a scrub found damage");
        self.scrubbing.change(|scrub| {
            scrub.failed += 1;
            if scrub.findings.len() < LISTED {
                scrub.findings.push(api::ScrubFinding { table, row, problem });
            }
        });
    }
}
