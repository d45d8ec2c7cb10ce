//! What each route is asked with, by somebody who may, so that nothing but the right can be missing; and the answers
//! that the state makes something else than a success.

use custody::digest::Digest;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::{Asked, NOWHERE, Place};
use crate::support::app::{TestApp, custos_random};
use crate::support::client::{draft, item};

/// What is sent.
pub(super) enum Body {
    None,
    Json(Value),
    Bytes(Vec<u8>),
}

/// Routes that carry a grant to read, in the address or as a question.
pub(super) const READS_UNDER_A_GRANT: &[&str] =
    &["download", "complete", "redact", "halves", "contribute", "sealed_content", "produce"];

/// Where whoever has the right meets a state in which there is nothing to do: in a closed case or not, with this code.
const CONFLICTS: &[(&str, bool, &str)] = &[
    // One can close what is open and reopen what is closed.
    ("close_case", true, "case-state"),
    ("reopen_case", false, "case-state"),
    // The item is no image.
    ("redact", false, "not-redactable"),
    // The item is not restricted.
    ("halves", false, "not-in-pairs"),
    ("halves", true, "not-in-pairs"),
    ("contribute", false, "not-in-pairs"),
    ("contribute", true, "not-in-pairs"),
    ("produce", false, "not-in-pairs"),
    ("produce", true, "not-in-pairs"),
    ("sealed_content", false, "not-in-pairs"),
    ("sealed_content", true, "not-in-pairs"),
    ("reseal", false, "not-in-pairs"),
    ("reseal", true, "not-in-pairs"),
    // The item is not sealed by its sender.
    ("receive_sealed", false, "sealed-by-sender"),
    // Nobody has named a recipient.
    ("recipients", false, "sealing-unfit"),
    ("recipients", true, "sealing-unfit"),
];

/// The code of the conflict that this route meets in an open or closed case, if it does.
pub(super) fn conflict(route: &str, closed: bool) -> Option<&'static str> {
    CONFLICTS.iter().find(|row| (row.0, row.1) == (route, closed)).map(|row| row.2)
}

/// What everybody who is signed in by token is answered who has nothing of their own: status, code, and whether it is a
/// refusal on record.
const TO_ANYBODY: &[(&str, u16, &str, bool)] = &[
    ("me", 200, "", false),
    ("orgs", 200, "", false),
    ("persons", 200, "", false),
    ("person", 200, "", false),
    ("enrolments", 200, "", false),
    ("approve", 404, "not-found", true),
    ("prepare_key", 200, "", false),
    ("add_key", 422, "invalid-statement", false),
    ("name_key", 404, "not-found", false),
    ("new_token", 201, "", false),
    ("tokens", 200, "", false),
    ("revoke_token", 404, "not-found", false),
    ("open", 201, "", false),
    ("current", 404, "not-found", false),
    ("sign_out", 404, "not-found", false),
    ("list", 200, "", false),
    ("end_others", 204, "", false),
    ("end", 404, "not-found", false),
    ("confirm", 404, "not-found", false),
    ("credentials", 200, "", false),
    ("codes", 201, "", false),
    ("set", 422, "password-unfit", false),
    ("remove", 404, "not-found", false),
    ("recovery_codes", 404, "not-found", false),
    ("prepare_passkey", 200, "", false),
    ("add_passkey", 404, "not-found", false),
    ("remove_passkey", 404, "not-found", false),
    ("ask_to_confirm", 404, "not-found", false),
    ("confirm_by_passkey", 404, "not-found", false),
    // Over a connection that shows none, and where there is no provider.
    ("add_certificate", 400, "invalid-request", false),
    ("remove_certificate", 404, "not-found", false),
    ("prepare_link", 404, "not-found", false),
    ("add_link", 403, "provider-refused", false),
    ("remove_link", 404, "not-found", false),
    ("cases", 200, "", false),
    ("transfers", 200, "", false),
    ("disposal", 404, "not-found", true),
    ("certificate", 404, "not-found", true),
    ("bundle", 404, "not-found", true),
    ("prepare", 200, "", false),
];

pub(super) fn answer_to_anybody(route: &str) -> (u16, &'static str, bool) {
    let row = TO_ANYBODY.iter().find(|row| row.0 == route);
    let (_, status, code, on_record) =
        row.unwrap_or_else(|| panic!("say what {route} answers whoever is signed in"));
    (*status, code, *on_record)
}

/// What there is not, as the route's address names it.
pub(super) fn missing(route: &str) -> String {
    if ["disposal", "certificate", "bundle"].contains(&route) {
        Digest::ZERO.to_hex()
    } else {
        NOWHERE.to_owned()
    }
}

fn fresh_key() -> String {
    hex::encode(SigningKey::from_bytes(&custos_random()).verifying_key().as_bytes())
}

pub(super) fn correction(place: &Place, record: &str) -> Value {
    draft("correction.noted", &json!({ "case": place.case, "data": { "record": record } }))
}

/// What a route is asked with; `head` is a record of the item.
pub(super) fn body(name: &str, app: &TestApp, asked: &Asked<'_>, head: &str) -> Body {
    let Asked { place, victim, .. } = asked;
    let empty_signature = "A".repeat(86) + "==";
    Body::Json(match name {
        "upload" | "receive_sealed" => return Body::Bytes(b"content".to_vec()),
        "new_org" => json!({ "name": "Another unit" }),
        "new_person" => json!({ "org": app.org, "name": "Somebody" }),
        "grant_role" => json!({ "role": "auditor" }),
        "invite" => json!({ "person": victim.id, "checked": "in-person" }),
        "open_case" => json!({ "title": "T", "case_type": "other", "jurisdiction": "ke" }),
        "update_case" => json!({ "references": { "fir": "12/2026" } }),
        "name_key" => json!({ "name": "laptop" }),
        "close_case" | "reopen_case" | "complete" | "fixity" | "revoke_key" | "start" | "codes"
        | "recovery_codes" | "prepare_passkey" | "ask_to_confirm" => json!({}),
        "add_member" => json!({ "person": victim.id, "role": "reader" }),
        "register_item" => serde_json::to_value(item("open", "c.txt", None)).unwrap(),
        "search" => json!({ "q": "words" }),
        "classify" => json!({ "class": "confidential", "seen": head }),
        "access" => json!({ "purpose": "case-review" }),
        "redact" => json!({ "boxes": [{ "x": 0, "y": 0, "w": 1, "h": 1 }] }),
        "contribute" | "produce" => json!({ "sealed": "AAAA", "halves": "00" }),
        "reseal" => json!({ "signed": { "envelope": "e30=" }, "mask": "AAAA", "halves": [] }),
        "recipients" => json!({ "pairs": [[victim.id, NOWHERE]] }),
        "export" => json!({ "purpose": "court" }),
        "on_behalf" => correction(place, head),
        // Of whom has no key; whoever has one signs what was prepared.
        "submit" => json!({ "envelope": "e30=", "openings": [] }),
        "prepare" => draft("correction.noted", &json!({ "data": { "record": head } })),
        "new_token" => json!({ "label": "phone", "days": 1 }),
        "open" => json!({ "label": "desk" }),
        "approve" => json!({ "signature": empty_signature }),
        "prepare_key" => json!({ "key": fresh_key() }),
        "add_key" => json!({ "statement": "e30=", "signature": empty_signature }),
        "confirm" => json!({ "code": "000000" }),
        "set" => json!({ "name": "somebody", "password": "short" }),
        "add_certificate" => json!({ "label": "machine" }),
        "prepare_link" => json!({ "provider": "none" }),
        "add_link" => json!({ "id": NOWHERE, "provider": "none", "code": "x", "state": "x" }),
        "add_passkey" => json!({ "id": NOWHERE, "label": "key ring", "credential": {} }),
        "confirm_by_passkey" => json!({ "id": NOWHERE, "credential": {} }),
        _ => return Body::None,
    })
}
