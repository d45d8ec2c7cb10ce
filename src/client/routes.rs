//! Questions to the vault, one method a route, and the few writes that are no statement of the person's.

use std::fmt::Write as _;

use custody::act::Act;
use custody::digest::Digest;
use custody::id::{CaseId, ItemId, PersonId};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::statement::{Actor, Statement};
use reqwest::Method;

use super::http::Call;
use super::receipts::Of;
use super::{Client, ClientError, Kept, new_op_id, segment, write};
use crate::api;

/// Most lines of a page.
const PAGE: usize = 200;

impl Client {
    /// `GET /api/v1/vault`
    pub async fn vault_info(&self) -> Result<api::VaultInfo, ClientError> {
        self.http.fetch(Call::get("/api/v1/vault")).await
    }

    /// `GET /api/v1/me`
    pub async fn me(&self) -> Result<api::Me, ClientError> {
        self.http.fetch(Call::get("/api/v1/me")).await
    }

    /// `GET /api/v1/orgs`
    pub async fn orgs(&self) -> Result<Vec<api::Org>, ClientError> {
        let found: api::Orgs = self.http.fetch(Call::get("/api/v1/orgs")).await?;
        Ok(found.orgs)
    }

    /// `GET /api/v1/persons`
    pub async fn persons(&self) -> Result<Vec<api::Person>, ClientError> {
        let found: api::Persons = self.http.fetch(Call::get("/api/v1/persons")).await?;
        Ok(found.persons)
    }

    /// `GET /api/v1/persons/{id}`
    pub async fn person_of(&self, id: PersonId) -> Result<api::Person, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/persons/{id}"))).await
    }

    /// `POST /api/v1/scrub`
    pub async fn start_scrub(&self, new: &api::NewScrub) -> Result<api::Scrub, ClientError> {
        self.http.fetch(Call::ask("/api/v1/scrub").json(new)?).await
    }

    /// `GET /api/v1/scrub`
    pub async fn scrub(&self) -> Result<api::Scrub, ClientError> {
        self.http.fetch(Call::get("/api/v1/scrub")).await
    }

    /// `GET /api/v1/cases/{id}/emergencies`
    pub async fn emergencies(&self, case: CaseId) -> Result<Vec<api::Emergency>, ClientError> {
        let found: api::Emergencies =
            self.http.fetch(Call::get(format!("/api/v1/cases/{case}/emergencies"))).await?;
        Ok(found.emergencies)
    }

    /// `GET /api/v1/cases`, one page.
    pub async fn cases_page(&self, cursor: Option<&str>) -> Result<api::Cases, ClientError> {
        self.http.fetch(Call::get(page("/api/v1/cases", cursor)?)).await
    }

    /// `GET /api/v1/cases`, every page.
    pub async fn cases(&self) -> Result<Vec<api::Case>, ClientError> {
        let (mut all, mut next) = (Vec::new(), None::<String>);
        loop {
            let found = self.cases_page(next.as_deref()).await?;
            all.extend(found.cases);
            next = found.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// `GET /api/v1/cases/{id}`
    pub async fn case(&self, case: CaseId) -> Result<api::Case, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/cases/{case}"))).await
    }

    /// `GET /api/v1/cases/{id}/intake-form`
    pub async fn intake_form(&self, case: CaseId) -> Result<api::IntakeForm, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/cases/{case}/intake-form"))).await
    }

    /// `GET /api/v1/cases/{id}/members`
    pub async fn members(&self, case: CaseId) -> Result<Vec<api::Member>, ClientError> {
        let found: api::Members = self.http.fetch(Call::get(format!("/api/v1/cases/{case}/members"))).await?;
        Ok(found.members)
    }

    /// One page of a case's items: `GET /api/v1/cases/{id}/items`, or `POST …/items/search` for those whose opened
    /// fields contain `search`. The words travel in the body: addresses are kept in logs.
    pub async fn items_page(
        &self,
        case: CaseId,
        cursor: Option<&str>,
        search: Option<&str>,
    ) -> Result<api::Items, ClientError> {
        let path = format!("/api/v1/cases/{case}/items");
        let Some(search) = search else { return self.http.fetch(Call::get(page(&path, cursor)?)).await };
        let (q, cursor) = (search.to_owned(), cursor.map(str::to_owned));
        let body = api::Search { q, cursor, limit: u32::try_from(PAGE).ok() };
        self.http.fetch(Call::ask(format!("{path}/search")).json(&body)?).await
    }

    /// Every page of [`items_page`](Self::items_page).
    pub async fn items(&self, case: CaseId, search: Option<&str>) -> Result<Vec<api::Item>, ClientError> {
        let (mut all, mut next) = (Vec::new(), None::<String>);
        loop {
            let found = self.items_page(case, next.as_deref(), search).await?;
            all.extend(found.items);
            next = found.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// `GET /api/v1/items/{id}`
    pub async fn item(&self, item: ItemId) -> Result<api::Item, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/items/{item}"))).await
    }

    /// `POST /api/v1/items/{id}/fixity`: the vault reads its bytes once more. The receipts are checked and kept.
    pub async fn check_fixity(&self, item: ItemId) -> Result<api::Fixity, ClientError> {
        let call = Call::ask(format!("/api/v1/items/{item}/fixity"));
        let found: api::Fixity = self.http.fetch(call).await?;
        let kind = if found.intact { Kind::FixityPassed } else { Kind::FixityFailed };
        let said = |s: &Statement| {
            let digest = s.content.map(|content| content.digest.to_hex());
            s.kind == kind && s.item == Some(item) && digest.as_ref() == Some(&found.digest)
        };
        // Damage to the vault's own books leaves nothing that could be recorded.
        if found.intact || !found.receipts.is_empty() {
            self.keep(&found.receipts, Of::Composed(&said)).await?;
        }
        Ok(found)
    }

    /// `GET /api/v1/items/{id}/receipts`: to be checked.
    pub(super) async fn intake_receipts(&self, item: ItemId) -> Result<api::Recorded, ClientError> {
        self.http.fetch(Call::get(format!("/api/v1/items/{item}/receipts"))).await
    }

    /// `GET /api/v1/items/{id}/custody`, one page.
    pub async fn item_custody(
        &self,
        item: ItemId,
        cursor: Option<&str>,
    ) -> Result<api::Custody, ClientError> {
        self.http.fetch(Call::get(page(&format!("/api/v1/items/{item}/custody"), cursor)?)).await
    }

    /// `GET /api/v1/audit/{stream}`, one page.
    pub async fn audit(&self, stream: Sequence, cursor: Option<&str>) -> Result<api::Custody, ClientError> {
        self.http.fetch(Call::get(page(&format!("/api/v1/audit/{stream}"), cursor)?)).await
    }

    /// `GET /api/v1/cases/{id}/custody`, one page.
    pub async fn case_custody(
        &self,
        case: CaseId,
        cursor: Option<&str>,
    ) -> Result<api::Custody, ClientError> {
        self.http.fetch(Call::get(page(&format!("/api/v1/cases/{case}/custody"), cursor)?)).await
    }

    /// `GET /api/v1/transfers`, every page: offers that wait for this person.
    pub async fn transfers(&self) -> Result<Vec<api::Item>, ClientError> {
        let (mut all, mut next) = (Vec::new(), None::<String>);
        loop {
            let call = Call::get(page("/api/v1/transfers", next.as_deref())?);
            let found: api::Transfers = self.http.fetch(call).await?;
            all.extend(found.items);
            next = found.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// `POST /api/v1/invitations`
    pub async fn invite(&self, person: PersonId, checked: &str) -> Result<api::Invitation, ClientError> {
        let body = api::NewInvitation { person: person.to_string(), checked: checked.to_owned() };
        self.http.fetch(Call::once("/api/v1/invitations").json(&body)?).await
    }

    /// `PUT /api/v1/keys/{hash}/name`
    pub async fn name_key(&self, key: Digest, name: Option<String>) -> Result<api::KeyName, ClientError> {
        let call = Call::put(format!("/api/v1/keys/{key}/name"));
        self.http.fetch(call.json(&api::KeyName { name })?).await
    }

    /// `POST /api/v1/keys/{hash}/revoke`
    pub async fn revoke_key(&self, key: Digest) -> Result<Vec<Kept>, ClientError> {
        let op_id = new_op_id();
        let recorded: api::Recorded =
            self.http.fetch(write(format!("/api/v1/keys/{key}/revoke"), op_id)).await?;
        let asked = |said: &Statement| {
            let act = Act::parse(said);
            (said.actor, said.op_id) == (Actor::Person(self.person), op_id)
                && matches!(act, Ok(Act::KeyRevoked(_, revoked)) if revoked.key == key)
        };
        self.keep(&recorded.receipts, Of::Composed(&asked)).await
    }

    /// `POST /api/v1/tokens`
    pub async fn new_token(&self, label: &str, days: u32) -> Result<api::Token, ClientError> {
        let body = api::NewToken { label: label.to_owned(), days };
        self.http.fetch(Call::once("/api/v1/tokens").json(&body)?).await
    }

    /// `GET /api/v1/tokens`
    pub async fn tokens(&self) -> Result<Vec<api::TokenInfo>, ClientError> {
        let found: api::Tokens = self.http.fetch(Call::get("/api/v1/tokens")).await?;
        Ok(found.tokens)
    }

    /// `DELETE /api/v1/tokens/{id}`
    pub async fn revoke_token(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/api/v1/tokens/{}", segment(id)?);
        self.http.send(Call::write(Method::DELETE, path, new_op_id())).await.map(drop)
    }

    /// `GET /api/v1/sessions`
    pub async fn sessions(&self) -> Result<Vec<api::Session>, ClientError> {
        let found: api::Sessions = self.http.fetch(Call::get("/api/v1/sessions")).await?;
        Ok(found.sessions)
    }

    /// `DELETE /api/v1/sessions/{id}`, or all of them
    pub async fn end_sessions(&self, id: Option<&str>) -> Result<(), ClientError> {
        let path = match id {
            Some(id) => format!("/api/v1/sessions/{}", segment(id)?),
            None => "/api/v1/sessions".to_owned(),
        };
        self.http.send(Call::write(Method::DELETE, path, new_op_id())).await.map(drop)
    }

    /// `POST /api/v1/cases/{id}/exports`
    pub async fn export(&self, case: CaseId, new: &api::NewExport) -> Result<api::Export, ClientError> {
        let op_id = new_op_id();
        let call = write(format!("/api/v1/cases/{case}/exports"), op_id).json(new)?;
        let export: api::Export = self.http.fetch(call).await?;
        if export.fingerprint != self.trust().fingerprint().to_hex() {
            return Err(ClientError::OtherVault("the export names another vault"));
        }
        let asked = |said: &Statement| match Act::parse(said) {
            Ok(Act::BundleExported(of, _)) => of == case && said.op_id == op_id,
            Ok(Act::BundleCompleted(completed)) => completed.export.to_hex() == export.id,
            _ => false,
        };
        let kept = self.keep(&export.receipts, Of::Composed(&asked)).await?;
        if !kept.iter().any(|receipt| receipt.checked.record_hash.to_hex() == export.id) {
            return Err(ClientError::NoReceipt);
        }
        Ok(export)
    }
}

pub(super) fn page(path: &str, cursor: Option<&str>) -> Result<String, ClientError> {
    let mut path = format!("{path}?limit={PAGE}");
    if let Some(cursor) = cursor {
        let _ = write!(path, "&cursor={}", escape(cursor));
    }
    if path.len() > 4_096 {
        return Err(ClientError::Protocol("a page's cursor is shorter"));
    }
    Ok(path)
}

/// Percent-encoding (RFC 3986) of everything but unreserved characters.
fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_cursor_is_it_stays_within_its_parameter() {
        assert_eq!(page("/x", Some("a&b=ñ /#")).unwrap(), "/x?limit=200&cursor=a%26b%3D%C3%B1%20%2F%23");
    }
}
