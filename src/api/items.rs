//! Items: intake, content, reading, offers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Receipts;

wire! {
    /// `POST /api/v1/cases/{id}/items`: the intake form.
    NewItem {
        /// Class: `open`, `confidential`, `hash-only` (`restricted` is refused).
        class: String,
        /// By which way it came: `cli`, `api`, `browser`, `physical`.
        route: String,
        /// SHA-256 that the sender computed, hex, with `size`.
        #[serde(default)]
        digest: Option<String>,
        /// Bytes.
        #[serde(default)]
        size: Option<u64>,
        /// Personal and free-text facts by name: `title`, `file-name`, `path`, `taken-at`, `place`, `device`,
        /// `device-serial`, `collected-by`, `authority`, `condition`, `notes`.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// An item.
    Item {
        /// Id.
        id: String,
        /// Its case.
        case: String,
        /// Exhibit number in the case, from 1.
        exhibit: u32,
        /// Class.
        class: String,
        /// Custodian's person id.
        custodian: String,
        /// What the sender claimed.
        #[serde(default)]
        claimed: Option<ContentInfo>,
        /// What the vault holds.
        #[serde(default)]
        stored: Option<ContentInfo>,
        /// Hash of the newest record that changed custody or state: what `seen` must name.
        head: String,
        /// An offer that waits: record hash and receiver.
        #[serde(default)]
        offer: Option<OfferInfo>,
        /// Record hash of what put on the seal that it carries.
        #[serde(default)]
        seal: Option<String>,
        /// Opened fields.
        fields: BTreeMap<String, String>,
    }
    /// Digest and size.
    ContentInfo {
        /// SHA-256, hex.
        digest: String,
        /// Bytes.
        size: u64,
    }
    /// An offer that waits for an answer.
    OfferInfo {
        /// Record hash of the offer.
        record: String,
        /// To whom.
        to: String,
        /// Until when it waits, if not until it is answered or recalled.
        #[serde(default)]
        expires: Option<String>,
    }
    /// `GET /api/v1/cases/{id}/items`.
    Items {
        /// In order of exhibit number.
        items: Vec<Item>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
    /// `POST /api/v1/cases/{id}/items/search`. In the body, because addresses are kept in logs and histories.
    Search {
        /// What the opened fields contain, whatever the case of its letters: 1 to 1,024 bytes.
        q: String,
        /// From the answer before.
        #[serde(default)]
        cursor: Option<String>,
        /// At most 200; 50 when absent.
        #[serde(default)]
        limit: Option<u32>,
    }
    /// `PUT /api/v1/items/{id}/content` answers so.
    Stored {
        /// SHA-256 of the bytes as received, hex.
        digest: String,
        /// Bytes.
        size: u64,
        /// The receipt.
        receipts: Receipts,
    }
    /// `POST /api/v1/items/{id}/fixity`: whether the stored bytes are the ones that were received.
    Fixity {
        /// Whether they are.
        intact: bool,
        /// SHA-256 of what was received, hex.
        digest: String,
        /// Bytes.
        size: u64,
        /// Of `fixity.passed` or `fixity.failed`.
        receipts: Receipts,
    }
    /// `POST /api/v1/items/{id}/class`.
    NewClass {
        /// The new class.
        class: String,
        /// The item's `head` as the caller saw it.
        seen: String,
    }
    /// `POST /api/v1/items/{id}/access`.
    NewAccess {
        /// Why, a code such as `case-review`.
        purpose: String,
        /// Further words, kept as a commitment with an encrypted opening.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// A grant to read: content requests carry its id as `?access=`.
    Access {
        /// Record hash of the grant, hex.
        access: String,
        /// Until when.
        expires: String,
        /// The receipt.
        receipts: Receipts,
    }
    /// `GET /api/v1/transfers`: offers that wait for the signed-in person.
    Transfers {
        /// The items, each with its offer.
        items: Vec<Item>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
}
