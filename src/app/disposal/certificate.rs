//! Certificates of destruction, made from the records of a disposal.

use custody::act::{Act, DisposalStep, SealedBy, Subject};
use custody::bundle::documents::public_key_pem;
use custody::certificate::{
    Approved, Certificate, Destroyed, Linked, MAX_LINKED, NOT_PROVEN, Named, Place, Proposed,
    REMAINS_OF_CONTENT, REMAINS_OF_VALUES,
};
use custody::digest::Digest;
use custody::envelope::{PayloadType, pae, sign_detached};
use custody::id::PersonId;
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Disposal, Stage};
use custody::statement::Version;

use super::super::read::{seq_in, statement};
use super::super::{App, AppError};
use super::{PAGE, case_of, exports_of};
use crate::api;
use crate::store::RecordRow;

impl App {
    /// The certificate of a disposal that was carried out.
    pub async fn certificate(
        &self,
        person: PersonId,
        id: Digest,
    ) -> Result<api::DestructionCertificate, AppError> {
        let disposal = self.visible_disposal(person, id).await?;
        if !matches!(disposal.stage, Stage::Executed | Stage::Completed) {
            return Err(AppError::NotFound("certificate before the disposal is carried out"));
        }
        let certificate = self.certify(id, &disposal).await?;
        let body = certificate.to_bytes();
        let signature = sign_detached(PayloadType::Destruction, &body, self.vault_key());
        Ok(api::DestructionCertificate {
            signed: api::Bytes64(pae(PayloadType::Destruction, &body)),
            signature: api::Bytes64(signature.signature.to_vec()),
            key: public_key_pem(self.identity.key.as_bytes()),
            text: certificate.to_text(),
            body: api::Bytes64(body),
        })
    }

    async fn certify(&self, id: Digest, disposal: &Disposal) -> Result<Certificate, AppError> {
        let missing = || AppError::NotFound("record of the disposal");
        let mut subject = Named::of(disposal.subject, disposal.records.clone());
        let sequence = match disposal.subject {
            Subject::Item(_, item) => {
                let (_, found) = self.store.read().await?.items(&[item]).await?.pop().ok_or_else(missing)?;
                subject.exhibit = Some(found.exhibit);
                subject.digest = found.stored.map(|stored| stored.content.digest);
                subject.sealed_by = found.by_sender.then_some(SealedBy::Sender);
                subject.size = found.stored.map(|stored| stored.content.size);
                Sequence::Item(item)
            }
            Subject::Case(case) => Sequence::Case(case),
            Subject::Person(person) => Sequence::Person(person),
            Subject::Vault => return Err(missing()),
        };
        let (mut proposed, mut ground, mut approvals) = (None, None, Vec::new());
        let (mut executed, mut completed) = (None, None);
        for row in self.records_of(sequence).await? {
            let said = statement(&row.envelope)?;
            let Act::Disposal(_, step) = Act::parse(&said)? else { continue };
            if row.hash == id {
                ground = said.purpose;
                proposed = Some(Proposed { by: said.actor.person(), record: place(&row) });
            } else if step.proposal() == Some(&id) {
                match &step {
                    DisposalStep::Approved(d) => {
                        let by = said.actor.person().ok_or_else(missing)?;
                        let (disclosure, role) = (d.disclosure, d.role.clone());
                        approvals.push(Approved { by, disclosure, record: place(&row), role });
                    }
                    DisposalStep::Executed(d) => executed = Some((place(&row), Destroyed::from(d))),
                    DisposalStep::Completed(_) => completed = Some(place(&row)),
                    _ => {}
                }
            }
        }
        let linked = match disposal.subject {
            Subject::Item(case, item) => self.linked(case, item).await?,
            _ => Vec::new(),
        };
        let (executed, destroyed) = executed.ok_or_else(missing)?;
        let exports = match case_of(disposal) {
            Some(case) => {
                let exported = exports_of(&mut self.store.read().await?, case).await?;
                exported.iter().filter(|export| export.index < executed.index).count() as u64
            }
            None => 0,
        };
        Ok(Certificate {
            approvals,
            state: if completed.is_some() { "final" } else { "provisional" },
            completed,
            destroyed,
            executed,
            exports,
            ground: ground.ok_or_else(missing)?,
            linked_more: linked.len().saturating_sub(MAX_LINKED) as u64,
            linked: linked.iter().take(MAX_LINKED).filter_map(|(id, found)| Linked::of(*id, found)).collect(),
            not_proven: NOT_PROVEN,
            proposed: proposed.ok_or_else(missing)?,
            remains: match disposal.subject {
                Subject::Item(..) => REMAINS_OF_CONTENT,
                _ => REMAINS_OF_VALUES,
            },
            subject,
            v: Version,
            vault: self.vault,
        })
    }

    async fn records_of(&self, sequence: Sequence) -> Result<Vec<RecordRow>, AppError> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let rows = self.store.read().await?.records(sequence, after, PAGE).await?;
            let (full, last) =
                (rows.len() == PAGE as usize, rows.last().and_then(|row| seq_in(row, sequence)));
            all.extend(rows.into_iter().filter(|row| is_of_disposals(row.kind)));
            match last {
                Some(last) if full => after = last,
                _ => return Ok(all),
            }
        }
    }
}

const fn is_of_disposals(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DisposalProposed
            | Kind::DisposalApproved
            | Kind::DisposalDeclined
            | Kind::DisposalExecuted
            | Kind::DisposalCompleted
            | Kind::OpeningErased
    )
}

fn place(row: &RecordRow) -> Place {
    Place { index: row.log_index, record: row.hash, time: row.received }
}
