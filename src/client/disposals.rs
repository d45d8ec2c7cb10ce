//! Holds and disposals, as they are asked for.

use custody::digest::Digest;
use custody::id::{CaseId, PersonId};

use super::http::Call;
use super::routes::page;
use super::{Client, ClientError};
use crate::api;

impl Client {
    /// `GET /api/v1/cases/{id}/holds`
    pub async fn holds(&self, case: CaseId) -> Result<Vec<api::HoldInfo>, ClientError> {
        let found: api::Holds = self.http.fetch(Call::get(format!("/api/v1/cases/{case}/holds"))).await?;
        Ok(found.holds)
    }

    /// `GET /api/v1/cases/{id}/disposals`, every page.
    pub async fn disposals(&self, case: CaseId) -> Result<Vec<api::DisposalInfo>, ClientError> {
        let path = format!("/api/v1/cases/{case}/disposals");
        let (mut all, mut next) = (Vec::new(), None::<String>);
        loop {
            let found: api::Disposals = self.http.fetch(Call::get(page(&path, next.as_deref())?)).await?;
            all.extend(found.disposals);
            next = found.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// `GET /api/v1/persons/{id}/disposals`
    pub async fn disposals_about(&self, person: PersonId) -> Result<Vec<api::DisposalInfo>, ClientError> {
        let call = Call::get(format!("/api/v1/persons/{person}/disposals"));
        let found: api::Disposals = self.http.fetch(call).await?;
        Ok(found.disposals)
    }

    /// `GET /api/v1/disposals/{id}`
    pub async fn disposal(&self, id: Digest) -> Result<api::DisposalInfo, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/disposals/{id}"))).await
    }

    /// `GET /api/v1/disposals/{id}/certificate`
    pub async fn certificate(&self, id: Digest) -> Result<api::DestructionCertificate, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/disposals/{id}/certificate"))).await
    }
}
