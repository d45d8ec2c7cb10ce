//! Restricted content that is produced to courts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Bytes64;

wire! {
    /// `GET /api/v1/items/{id}/productions`.
    Productions {
        /// Oldest first.
        productions: Vec<ProductionInfo>,
    }
    /// Restricted content that is to be produced to a court, or is.
    ProductionInfo {
        /// Hash of the record of `production.proposed`: the production's name.
        record: String,
        /// SHA-256 of the court's order, as the proposer states it.
        order: String,
        /// To whom of the court it is sealed (`age1…`).
        recipient: String,
        /// On what ground, a code.
        ground: String,
        /// Who proposed it.
        proposer: String,
        /// Who agreed.
        approved_by: Vec<String>,
        /// `proposed`, `sealed`, `declined`.
        stage: String,
        /// What stands between it and a bundle that carries it.
        waits: Vec<String>,
    }
    /// `POST /api/v1/items/{id}/productions/{proposal}/half`.
    NewProducedHalf {
        /// The persons' half of the key, an age file sealed to the court's recipient.
        sealed: Bytes64,
        /// The digest of all sealed halves that came with it. Once the item is sealed anew, it is another one.
        halves: String,
    }
    /// What is kept.
    Produced {
        /// SHA-256 of the persons' half as it was sent, for `production.sealed`.
        sealed: String,
    }
}
