//! A caller of the API: one method an endpoint, and the few steps that people do together.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use custody::digest::Digest;
use custody::envelope::{EnvelopeSignature, PayloadType, assemble, key_hash, sign_detached};
use custody::receipt::{Checked, Receipt};
use custos::api;
use ed25519_dalek::SigningKey;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::app::{Shared, custos_random};

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) key: SigningKey,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    fn json<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// 200 with this.
    #[track_caller]
    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        self.json(200)
    }

    /// 201 with this.
    #[track_caller]
    pub(crate) fn made<T: DeserializeOwned>(&self) -> T {
        self.json(201)
    }

    /// The problem with this code: its status, its rule and its remedy are there.
    #[track_caller]
    pub(crate) fn problem(&self, code: &str) -> api::Problem {
        let row = custos::http::problems::row(code);
        assert_eq!(row.0, code, "no such code in the table");
        let found: api::Problem = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} is no problem: {}", self.status, self.text()));
        assert_eq!((found.code.as_str(), self.status.as_u16()), (code, row.1), "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!((found.status, found.title.as_str(), found.remedy.as_str()), (row.1, row.2, row.3));
        assert!(found.kind.ends_with(code) && !found.detail.is_empty() && !found.request_id.is_empty());
        found
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().unwrap()
    }
}

/// Fields by name.
pub(crate) fn fields<const N: usize>(of: [(&str, &str); N]) -> BTreeMap<String, String> {
    of.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A fresh idempotency key.
pub(crate) fn op_id() -> String {
    URL_SAFE_NO_PAD.encode(&custos_random()[..16])
}

/// `Repr-Digest` of these bytes.
pub(crate) fn repr_digest(content: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Digest::of(content).as_bytes()))
}

/// An intake form.
pub(crate) fn item(class: &str, file_name: &str, content: Option<&[u8]>) -> api::NewItem {
    api::NewItem {
        class: class.to_owned(),
        route: "api".to_owned(),
        sealing: None,
        digest: content.map(|content| Digest::of(content).to_hex()),
        size: content.map(|content| content.len() as u64),
        fields: fields([("file-name", file_name), ("title", "Exhibit")]),
    }
}

/// A draft of this kind about an item or case.
pub(crate) fn draft(kind: &str, more: &Value) -> Value {
    let mut draft = json!({ "kind": kind });
    draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    draft
}

impl Caller {
    /// Somebody else of the same vault.
    pub(crate) fn as_person(&self, id: &str, token: &str, key: SigningKey) -> Self {
        Self { shared: Arc::clone(&self.shared), id: id.to_owned(), token: token.to_owned(), key }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.shared.base.lock().unwrap().clone();
        let request = self.shared.http.request(method, format!("{base}{path}"));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        if !status.is_success() {
            self.shared.errors.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
        }
        Answer { status, headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put_json(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// Makes one after the other until one is witnessed: a witness that did not answer is asked again within a minute, and
    /// a request waits for ten seconds.
    pub(crate) async fn until_witnessed(&self, path: &str, body: &impl Serialize) -> api::Created {
        for _ in 0..12 {
            let made: api::Created = self.post(&format!("{path}?wait=witnessed"), body).await.made();
            if made.receipts.witnessed == Some(true) {
                return made;
            }
        }
        panic!("nothing was witnessed in two minutes")
    }

    pub(crate) async fn post_as(&self, key: &str, path: &str, body: &impl Serialize) -> Answer {
        self.send(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    /// Every receipt holds against the pinned vault and log.
    #[track_caller]
    pub(crate) fn check(&self, receipts: &api::Receipts) -> Vec<Checked> {
        assert!(!receipts.is_empty());
        let keys = self.shared.keys.lock().unwrap();
        let check = |receipt: Vec<u8>| {
            Receipt::parse(&receipt).unwrap().check_with(&self.shared.vault, &keys).unwrap()
        };
        receipts.to_keep().map(check).collect()
    }

    pub(crate) async fn me(&self) -> Answer {
        self.get("/api/v1/me").await
    }
    pub(crate) async fn orgs(&self) -> Answer {
        self.get("/api/v1/orgs").await
    }
    pub(crate) async fn new_org(&self, name: &str) -> Answer {
        self.post("/api/v1/orgs", &json!({ "name": name })).await
    }
    pub(crate) async fn new_person(&self, new: &api::NewPerson) -> Answer {
        self.post("/api/v1/persons", new).await
    }
    pub(crate) async fn invite(&self, person: &str, checked: &str) -> Answer {
        self.post("/api/v1/invitations", &json!({ "person": person, "checked": checked })).await
    }
    pub(crate) async fn prepare_redemption(&self, code: &str) -> Answer {
        let body = json!({ "code": code, "key": hex::encode(self.key.verifying_key().as_bytes()) });
        self.post("/api/v1/invitations/prepare", &body).await
    }
    pub(crate) async fn redeem(&self, code: &str, prepared: &api::Prepared) -> Answer {
        let body = json!({
            "code": code, "statement": prepared.statement, "label": "laptop",
            "signature": STANDARD.encode(self.sign(&prepared.statement.0)),
        });
        self.post("/api/v1/invitations/redeem", &body).await
    }
    pub(crate) async fn enrolments(&self) -> Answer {
        self.get("/api/v1/enrolments").await
    }
    pub(crate) async fn approve(&self, enrolment: &api::Enrolment) -> Answer {
        let body = json!({ "signature": STANDARD.encode(self.sign(&enrolment.statement.0)) });
        self.post(&format!("/api/v1/enrolments/{}/approve", enrolment.id), &body).await
    }
    pub(crate) async fn revoke_key(&self, hash: &str) -> Answer {
        self.send(self.request(Method::POST, &format!("/api/v1/keys/{hash}/revoke"))).await
    }
    pub(crate) async fn case(&self, id: &str) -> Answer {
        self.get(&format!("/api/v1/cases/{id}")).await
    }
    pub(crate) async fn add_member(&self, case: &str, person: &str, role: &str) -> Answer {
        self.post(&format!("/api/v1/cases/{case}/members"), &json!({ "person": person, "role": role })).await
    }
    pub(crate) async fn register(&self, case: &str, new: &api::NewItem) -> Answer {
        self.post(&format!("/api/v1/cases/{case}/items"), new).await
    }
    pub(crate) async fn item(&self, id: &str) -> Answer {
        self.get(&format!("/api/v1/items/{id}")).await
    }
    pub(crate) async fn upload(&self, item: &str, content: &[u8]) -> Answer {
        let request = self.request(Method::PUT, &format!("/api/v1/items/{item}/content"));
        self.send(request.header("Repr-Digest", repr_digest(content)).body(content.to_vec())).await
    }
    /// Items of a case whose fields contain some words.
    pub(crate) async fn search(&self, case: &str, words: &str) -> api::Items {
        self.post(&format!("/api/v1/cases/{case}/items/search"), &json!({ "q": words })).await.ok()
    }
    pub(crate) async fn classify(&self, item: &str, class: &str, seen: &str) -> Answer {
        self.post(&format!("/api/v1/items/{item}/class"), &json!({ "class": class, "seen": seen })).await
    }
    pub(crate) async fn access(&self, item: &str) -> Answer {
        self.post(&format!("/api/v1/items/{item}/access"), &json!({ "purpose": "case-review" })).await
    }
    pub(crate) fn reading(&self, item: &str, access: &str) -> RequestBuilder {
        self.request(Method::GET, &format!("/api/v1/items/{item}/content?access={access}"))
    }
    pub(crate) async fn custody(&self, of: &str, id: &str) -> api::Custody {
        self.get(&format!("/api/v1/{of}/{id}/custody?limit=200")).await.ok()
    }
    pub(crate) async fn export(&self, case: &str) -> Answer {
        let body = json!({ "purpose": "court", "fields": { "recipient": "Court of Sample" } });
        self.post(&format!("/api/v1/cases/{case}/exports"), &body).await
    }
    pub(crate) async fn bundle(&self, export: &str) -> Answer {
        self.get(&format!("/api/v1/exports/{export}/bundle")).await
    }
    pub(crate) async fn checkpoint(&self) -> String {
        self.with_token("").get("/log/checkpoint").await.text()
    }
    pub(crate) async fn entries(&self, start: u64, limit: u32) -> Vec<u8> {
        self.with_token("").get(&format!("/log/entries?start={start}&limit={limit}")).await.body
    }

    /// H(public key) of one's own key.
    pub(crate) fn key_hash(&self) -> String {
        key_hash(&self.key.verifying_key()).to_hex()
    }

    /// The pre-authentication encoding of a statement, signed with one's own key.
    pub(crate) fn sign(&self, statement: &[u8]) -> [u8; 64] {
        sign_detached(PayloadType::Statement, statement, &self.key).signature
    }

    pub(crate) fn envelope(&self, statement: &[u8]) -> Vec<u8> {
        self.envelope_signed_by(self, statement)
    }

    /// With one's own key's name and somebody's signature.
    pub(crate) fn envelope_signed_by(&self, signer: &Self, statement: &[u8]) -> Vec<u8> {
        let key = key_hash(&self.key.verifying_key());
        let signature = EnvelopeSignature { key, signature: signer.sign(statement) };
        assemble(PayloadType::Statement, statement, &[signature])
    }

    /// The first registrar's first key, which the vault vouches for.
    pub(crate) async fn enrol_first_key(&self) {
        let key = hex::encode(self.key.verifying_key().as_bytes());
        let body = json!({ "key": key, "checked": "in-person" });
        let prepared: api::Prepared = self.post("/api/v1/keys/prepare", &body).await.ok();
        let signature = STANDARD.encode(self.sign(&prepared.statement.0));
        let body = json!({ "statement": prepared.statement, "signature": signature });
        let recorded: api::Recorded = self.post("/api/v1/keys", &body).await.made();
        self.check(&recorded.receipts);
    }

    pub(crate) async fn redeem_code(&self, code: &str) -> api::Redeemed {
        let prepared: api::Prepared = self.prepare_redemption(code).await.ok();
        self.redeem(code, &prepared).await.made()
    }

    pub(crate) async fn prepare(&self, draft: &Value) -> Answer {
        self.post("/api/v1/statements/prepare", draft).await
    }

    /// Submits a statement that was prepared, signed with one's own key.
    pub(crate) async fn submit(&self, prepared: &api::Prepared) -> Answer {
        self.submit_envelope(self.envelope(&prepared.statement.0), &prepared.openings).await
    }

    pub(crate) async fn submit_envelope(&self, envelope: Vec<u8>, openings: &[api::Opening]) -> Answer {
        let body = api::Signed { envelope: api::Bytes64(envelope), openings: openings.to_vec() };
        self.post("/api/v1/statements", &body).await
    }

    /// Prepares, signs and submits.
    pub(crate) async fn say(&self, draft: &Value) -> Answer {
        let prepared: api::Prepared = self.prepare(draft).await.ok();
        self.submit(&prepared).await
    }

    /// Opens a case and returns its id.
    pub(crate) async fn open_case(&self, title: &str) -> String {
        let body = json!({ "title": title, "case_type": "forced-labour", "jurisdiction": "ke" });
        let created: api::Created = self.post("/api/v1/cases", &body).await.made();
        self.check(&created.receipts);
        created.id
    }

    /// Registers an item and sends its content; returns its id.
    pub(crate) async fn put(&self, case: &str, file_name: &str, content: &[u8]) -> String {
        let new = item("open", file_name, Some(content));
        let created: api::Created = self.register(case, &new).await.made();
        self.check(&created.receipts);
        let stored: api::Stored = self.upload(&created.id, content).await.made();
        assert_eq!((stored.digest, stored.size), (Digest::of(content).to_hex(), content.len() as u64));
        self.check(&stored.receipts);
        created.id
    }

    /// Offers an item with one's own key.
    pub(crate) async fn offer(&self, case: &str, item: &str, to: &str) -> Answer {
        let more = json!({ "case": case, "item": item, "purpose": "court-hearing", "data": { "to": to } });
        self.say(&draft("transfer.offered", &more)).await
    }

    /// Accepts what was offered, with one's own key.
    pub(crate) async fn accept(&self, case: &str, item: &str) -> Answer {
        self.say(&draft("transfer.accepted", &json!({ "case": case, "item": item }))).await
    }
}
