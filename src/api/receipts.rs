//! Receipts as they travel: the envelope of a statement once, however many records it became.

use std::collections::BTreeMap;
use std::sync::Arc;

use custody::digest::Digest;
use custody::json;
use custody::receipt::Receipt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Bytes64;

wire! {
    /// The receipts of what was recorded. One to keep is made by putting the envelope where its hash stands.
    Receipts {
        /// The envelopes of the statements, each once, by H(envelope), hex.
        envelopes: BTreeMap<String, Bytes64>,
        /// One receipt a record (docs/FORMAT.md, section 9), with H(envelope), hex, as `envelope`.
        #[schema(value_type = Vec<Object>)]
        records: Vec<BTreeMap<String, Value>>,
        /// Where the request asked to `wait=witnessed`: whether the checkpoint is one that witnesses cosigned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        witnessed: Option<bool>,
    }
}

impl Receipts {
    /// As they travel.
    pub fn of(receipts: &[Receipt]) -> Self {
        let mut envelopes = BTreeMap::new();
        let mut records = Vec::with_capacity(receipts.len());
        for of_one in receipts.chunk_by(|a, b| a.envelope == b.envelope) {
            let envelope = &of_one[0].envelope;
            let stmt = Digest::of(envelope).to_hex();
            for receipt in of_one {
                let without = Receipt { envelope: Arc::default(), ..receipt.clone() }.emit();
                // Strict JSON is JSON.
                let mut record: BTreeMap<String, Value> =
                    serde_json::from_slice(&without).unwrap_or_default();
                record.insert("envelope".to_owned(), json!(stmt));
                records.push(record);
            }
            envelopes.insert(stmt, Bytes64(envelope.to_vec()));
        }
        Self { envelopes, records, witnessed: None }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Each as it is kept, to be parsed and checked: whatever the answer said, with its envelope where it names one.
    pub fn to_keep(&self) -> impl Iterator<Item = Vec<u8>> {
        self.records.iter().map(|record| {
            let mut whole = record.clone();
            let named = whole.get_mut("envelope");
            if let Some(member) = named
                && let Some(envelope) = member.as_str().and_then(|stmt| self.envelopes.get(stmt))
            {
                *member = json!(envelope);
            }
            json::emit(&whole)
        })
    }
}
