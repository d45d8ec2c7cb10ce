//! Statements, and what is recorded of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bytes64, ContentInfo, Receipts};

wire! {
    /// `POST /api/v1/statements/prepare`, and `POST /api/v1/statements/on-behalf`: what is to be said.
    Draft {
        /// Kind.
        kind: String,
        /// Case id, where the kind has one.
        #[serde(default)]
        case: Option<String>,
        /// Item id, where the kind has one.
        #[serde(default)]
        item: Option<String>,
        /// Several items instead; offers and what was seen are filled in by the server when left out.
        #[serde(default)]
        items: Option<Vec<DraftItem>>,
        /// Person id, where the kind has one.
        #[serde(default)]
        person: Option<String>,
        /// Digest and size, where the kind has content.
        #[serde(default)]
        content: Option<ContentInfo>,
        /// Why, as a code.
        #[serde(default)]
        purpose: Option<String>,
        /// Data members of the kind; `seen` and `offer` are filled in by the server when left out.
        #[serde(default)]
        #[schema(value_type = Object)]
        data: serde_json::Map<String, serde_json::Value>,
        /// Fields by name, as entered.
        #[serde(default)]
        fields: BTreeMap<String, String>,
        /// What the caller saw (`record:<hex>` or `stmt:<hex>`); filled in with the newest when left out.
        #[serde(default)]
        seen: Option<String>,
        /// H(public key) of the key that will sign, hex; for `prepare` only.
        #[serde(default)]
        actor_key: Option<String>,
        /// Repeat with the same value to be safe against a lost answer: 22 characters of base64url.
        #[serde(default)]
        op_id: Option<String>,
    }
    /// One item of a draft.
    DraftItem {
        /// Item id.
        item: String,
        /// The offer that is answered.
        #[serde(default)]
        offer: Option<String>,
        /// What was seen.
        #[serde(default)]
        seen: Option<String>,
    }
    /// The opening of one field.
    Opening {
        /// Field name.
        name: String,
        /// Salt, hex.
        salt: String,
        /// Value as entered.
        value: String,
    }
    /// `POST /api/v1/statements`: a signed envelope with the openings of its fields.
    Signed {
        /// The envelope's bytes.
        envelope: Bytes64,
        /// One opening a field.
        #[serde(default)]
        openings: Vec<Opening>,
    }
    /// A statement to sign.
    Prepared {
        /// The exact bytes to sign (the body of the envelope).
        statement: Bytes64,
        /// The openings of its fields, to be sent along with the envelope.
        #[serde(default)]
        openings: Vec<Opening>,
    }
    /// What was made: its id and the receipts of its records.
    Created {
        /// Id of the new thing.
        id: String,
        /// One receipt a record.
        receipts: Receipts,
    }
    /// What was recorded.
    Recorded {
        /// One receipt a record.
        receipts: Receipts,
    }
    /// One record as its readers see it.
    RecordView {
        /// Log index.
        index: u64,
        /// Kind.
        kind: String,
        /// When the vault admitted it.
        received: String,
        /// Actor: a person id or `system`.
        actor: String,
        /// The actor's name, where the reader may see it.
        #[serde(default)]
        actor_name: Option<String>,
        /// `user-key`, `session` or `system`.
        assurance: String,
        /// Item, where it has one.
        #[serde(default)]
        item: Option<String>,
        /// Why, where it says.
        #[serde(default)]
        purpose: Option<String>,
        /// Opened fields.
        fields: BTreeMap<String, String>,
        /// Hash of the record, hex.
        hash: String,
        /// The record's bytes.
        record: Bytes64,
        /// H(envelope), hex: which of the answer's `envelopes` it comes from.
        stmt: String,
    }
    /// `GET /api/v1/items/{id}/custody` and `GET /api/v1/cases/{id}/custody`.
    Custody {
        /// In order.
        records: Vec<RecordView>,
        /// The envelopes that the records come from, each once, by H(envelope), hex.
        envelopes: BTreeMap<String, Bytes64>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
}
