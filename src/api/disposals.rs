//! Holds, disposals and certificates of destruction.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bytes64, LinkedInfo};

wire! {
    /// `GET /api/v1/cases/{id}/holds`.
    Holds {
        /// Oldest first, released ones included.
        holds: Vec<HoldInfo>,
    }
    /// A hold.
    HoldInfo {
        /// Hash of the record that placed it.
        record: String,
        /// The item; the whole case without one.
        #[serde(default)]
        item: Option<String>,
        /// Log index of that record.
        placed: u64,
        /// Log index of the record that released it.
        #[serde(default)]
        released: Option<u64>,
    }
    /// `GET /api/v1/cases/{id}/disposals` and `GET /api/v1/persons/{id}/disposals`.
    Disposals {
        /// Oldest first.
        disposals: Vec<DisposalInfo>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
    /// Something that is to be destroyed, or was.
    DisposalInfo {
        /// Hash of the record of `disposal.proposed`: the disposal's name.
        record: String,
        /// The case, if it is about one.
        #[serde(default)]
        case: Option<String>,
        /// The item whose content it is.
        #[serde(default)]
        item: Option<String>,
        /// The person about whom all values are meant.
        #[serde(default)]
        person: Option<String>,
        /// The records whose values are meant.
        records: Vec<String>,
        /// Why, a code.
        ground: String,
        /// Who proposed it; nobody where the vault did.
        #[serde(default)]
        proposer: Option<String>,
        /// Who agreed.
        approvals: Vec<Approval>,
        /// `proposed`, `declined`, `executed`, `completed`.
        stage: String,
        /// What stands between it and its end.
        waits: Vec<String>,
        /// Bundles of the case that were exported: how many, and the newest hundred. Approvers answer for them.
        exports: u64,
        /// Those, newest first.
        exported: Vec<ExportedInfo>,
        /// While it is proposed: how many cases that lose something by it have, or had, a defence that got no bundle of it, as
        /// far as records say. Where there are any, an approval says `made-otherwise`.
        pending: u64,
        /// Those of them whose records the asker may read.
        pending_cases: Vec<String>,
        /// Restricted items of the case that have content: no bundle for the defence holds it.
        #[serde(default)]
        in_no_bundle: u64,
        /// Of an item: what was made from it, also by way of others. Nothing of it is destroyed with the item.
        #[serde(default)]
        linked: Vec<LinkedInfo>,
    }
    /// Somebody who agreed.
    Approval {
        /// Who.
        person: String,
        /// In which role.
        role: String,
    }
    /// A bundle that was exported.
    ExportedInfo {
        /// Log index of its record.
        index: u64,
        /// When.
        received: String,
        /// By whom.
        actor: String,
        /// Why, a code.
        purpose: String,
    }
    /// `GET /api/v1/disposals/{id}/certificate`: a certificate of destruction.
    DestructionCertificate {
        /// The certificate: JSON, one spelling.
        body: Bytes64,
        /// The vault's Ed25519 signature over the DSSE encoding of the body.
        signature: Bytes64,
        /// What was signed: the DSSE encoding (`DSSEv1 …`), for tools that know no DSSE.
        signed: Bytes64,
        /// The vault's public key, PEM.
        key: String,
        /// The certificate in words.
        text: String,
    }
}
