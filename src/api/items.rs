//! Items: intake, content, reading, offers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Receipts, Reseal, Sealing};

wire! {
    /// `POST /api/v1/cases/{id}/items`: the intake form.
    NewItem {
        /// Class: `open`, `confidential`, `restricted`, `hash-only`.
        class: String,
        /// Who opens it, of a restricted item.
        #[serde(default)]
        sealing: Option<Sealing>,
        /// By which way it came: `cli`, `api`, `browser`, `physical`. (`vault` is what the vault says of what it makes.)
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
        /// Who opens it, of a restricted item.
        #[serde(default)]
        sealing: Option<Sealing>,
        /// `sender` where its sender seals it: the vault never sees its content.
        #[serde(default)]
        sealed_by: Option<String>,
        /// Of these, who cannot open it any more: they left the case, are suspended, or have other keys now.
        #[serde(default)]
        cannot_open: Vec<String>,
        /// To whom somebody has sealed it anew, until somebody else confirms it.
        #[serde(default)]
        reseal: Option<Reseal>,
        /// From what it was made, where somebody or the vault says so.
        #[serde(default)]
        derived: Option<DerivedInfo>,
        /// What was made from it, also by way of others, where one item is asked for; absent in lists.
        #[serde(default)]
        linked: Option<Vec<LinkedInfo>>,
        /// Opened fields.
        fields: BTreeMap<String, String>,
    }
    /// From what an item was made.
    DerivedInfo {
        /// The original.
        of: String,
        /// What it is of the original: `working-copy`, `clip`, `redaction`, `transcript`, `translation`.
        #[serde(rename = "as")]
        how: String,
        /// Who says so; absent where the vault made it itself.
        #[serde(default)]
        by: Option<String>,
    }
    /// What was made from another item, and does not follow it when that is destroyed, held or better protected.
    LinkedInfo {
        /// Id.
        id: String,
        /// Exhibit number.
        exhibit: u32,
        /// What it is of its original.
        #[serde(rename = "as")]
        how: String,
        /// Its original: the item asked for, or another that was made from it.
        of: String,
        /// Its class.
        class: String,
        /// Whether the vault holds its content.
        held: bool,
    }
    /// `POST /api/v1/items/{id}/redactions?access=`: the new item is of the original's class.
    NewRedaction {
        /// What becomes black: 1 to 100 boxes.
        boxes: Vec<PixelBox>,
        /// Fields of the new item.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// A rectangle of pixels of an image as it is shown: upright, counted from 0 at the upper left corner.
    PixelBox {
        /// Leftmost column.
        x: u32,
        /// Topmost row.
        y: u32,
        /// Width, from 1.
        w: u32,
        /// Height, from 1.
        h: u32,
    }
    /// A redaction that the vault made.
    Redacted {
        /// The new item.
        id: String,
        /// SHA-256 of its content, hex.
        digest: String,
        /// Bytes.
        size: u64,
        /// Of its registration, its content and its link to the original.
        receipts: Receipts,
    }
    /// Digest and size.
    ContentInfo {
        /// SHA-256, hex.
        digest: String,
        /// Whose word that is: `vault`, which computed it, `self`, who registered it, or `none`: passed on from who sealed it.
        #[serde(default)]
        checked_by: String,
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
        /// Who carries it to them, in order: person ids, or `outside` for somebody without a key.
        #[serde(default)]
        carriers: Vec<String>,
        /// Which of them has it now; absent while its giver has it.
        #[serde(default)]
        carrier: Option<String>,
        /// Whose word it waits for: who has it until they hand it on, then the next carrier or the receiver.
        waits_for: String,
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
        /// Why, a code; needed where something that was made from another item becomes less protected.
        #[serde(default)]
        purpose: Option<String>,
        /// Who opens it, of an item that becomes a restricted one.
        #[serde(default)]
        sealing: Option<Sealing>,
    }
    /// `POST /api/v1/items/{id}/class` answers so.
    Classified {
        /// The receipt.
        receipts: Receipts,
        /// What was made from the item, is there, and is less protected than the item is now: nothing of it changed.
        less_protected: Vec<LinkedInfo>,
    }
    /// `POST /api/v1/items/{id}/access`.
    NewAccess {
        /// Why, a code such as `case-review`.
        purpose: String,
        /// Further words, kept as a commitment with an encrypted opening.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// `GET /api/v1/cases/{id}/emergencies`: readings by somebody who had no other right to.
    Emergencies {
        /// The newest first, at most 200.
        emergencies: Vec<Emergency>,
    }
    /// A reading in an emergency.
    Emergency {
        /// Record hash of its grant, which a review names.
        record: String,
        /// The item.
        item: String,
        /// Who read.
        person: String,
        /// Until when the grant lasts, or lasted.
        expires: String,
        /// `open` until somebody else has said what they found, then `closed`.
        review: String,
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
    /// `GET /api/v1/transfers`: what is offered to the signed-in person, or theirs to take or hand on as a carrier.
    Transfers {
        /// The items, each with its offer.
        items: Vec<Item>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
}
