//! Restricted items: to whom they are sealed, what opens them, and sealing them anew.

use custody::age::{AgeError, Recipient};
use custody::halves::{self, PartyError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Bytes64, Signed};

wire! {
    /// Who opens a restricted item: two of a pair together, or whoever has both papers of the recovery pair.
    Sealing {
        /// 1 to 16 pairs of person ids, two of which have nobody in common unless there is a recovery pair.
        pairs: Vec<[String; 2]>,
        /// Two age recipients (`age1…`) whose identities are kept on paper.
        #[serde(default)]
        recovery: Option<[String; 2]>,
    }
    /// `GET /api/v1/items/{id}/halves`: what the signed-in person needs to open a restricted item together with the one whom
    /// their grant names.
    Halves {
        /// The persons' half of the key, an age file in an age file, where this person opens the outer one and the other
        /// the inner one; and both ways for the recovery pair.
        sealed: Vec<SealedHalf>,
        /// All others, of content that its sender sealed: whoever opens it makes all of them again.
        #[serde(default)]
        others: Vec<SealedHalf>,
        /// Digest of all sealed halves of this key, of which these are some, hex: whoever passes on what they opened names it.
        halves: String,
        /// What the other has opened for this person: an age file.
        #[serde(default)]
        contributed: Option<Bytes64>,
        /// The other's grant under which they have.
        #[serde(default)]
        with_access: Option<String>,
        /// The vault's half of the key, 32 bytes: once the other has contributed, and while both grants are open.
        #[serde(default)]
        half: Option<Bytes64>,
        /// The manifest of the stored object, an envelope signed by the vault.
        manifest: Bytes64,
    }
    /// The persons' half of a key, sealed to two.
    SealedHalf {
        /// Who opens the outer file: a person's id, `paper:1` or `paper:2`.
        first: String,
        /// Who opens the file in it.
        second: String,
        /// To which recipients (`age1…`) the outer file is sealed; empty where that is not known.
        #[serde(default)]
        outer: Vec<String>,
        /// To which the file in it is.
        #[serde(default)]
        inner: Vec<String>,
        /// The age file.
        sealed: Bytes64,
    }
    /// `PUT /api/v1/items/{id}/contribution`.
    NewContribution {
        /// What was in the outer file: an age file for the other.
        sealed: Bytes64,
        /// The digest of all sealed halves that came with the outer file. Once an item is sealed anew, it is another one.
        halves: String,
    }
    /// A sealing that waits to be confirmed.
    Reseal {
        /// Record hash of `item.resealed`, which a confirmation names.
        record: String,
        /// Who sealed it.
        by: String,
        /// Until when it may be confirmed.
        expires: String,
        /// Digest of the new sealed halves, hex.
        halves: String,
        /// To whom.
        sealing: Sealing,
    }
    /// `POST /api/v1/items/{id}/resealing`.
    NewResealing {
        /// The statement `item.resealed`, signed by whoever sealed it.
        signed: Signed,
        /// What was added (XOR) to the persons' half, 32 random bytes: the vault adds it to its own.
        mask: Bytes64,
        /// The new halves: one for each order of each pair, with the recipients that they are sealed to.
        halves: Vec<SealedHalf>,
    }
    /// `PUT /api/v1/items/{id}/sealed-content`: what comes, as one line of JSON, before the bytes of the object.
    NewSealedContent {
        /// CRC-32 (as in ZIP) of the content.
        crc32: u32,
        /// The vault's half of the key, 32 bytes.
        half: Bytes64,
        /// The persons' half: sealed once for each order of each pair, with the recipients that it is sealed to.
        halves: Vec<SealedHalf>,
        /// The object's id, 16 random bytes in hex, as it stands in the object's header.
        object: String,
    }
    /// `POST /api/v1/cases/{id}/recipients`: to what is sealed for the pairs that were asked about.
    Recipients {
        /// Everybody who is in a pair, by id.
        persons: Vec<RecipientsOf>,
    }
    /// To what is sealed for a person.
    RecipientsOf {
        /// Who.
        person: String,
        /// Every key of theirs that counts.
        keys: Vec<RecipientKey>,
    }
    /// A key of a person with a recipient.
    RecipientKey {
        /// The public key, hex.
        key: String,
        /// The envelope of `key.enrolled`, signed by whoever vouched and by the key.
        enrolled: Bytes64,
        /// The public key of whoever vouched, hex.
        voucher: String,
        /// The envelope of `recipient.named`, signed by the key: it has the recipient.
        named: Bytes64,
    }
}

impl From<halves::SealedHalf> for SealedHalf {
    fn from(half: halves::SealedHalf) -> Self {
        let texts = |recipients: Vec<Recipient>| recipients.iter().map(ToString::to_string).collect();
        Self {
            first: half.first.to_string(),
            second: half.second.to_string(),
            outer: texts(half.outer),
            inner: texts(half.inner),
            sealed: Bytes64(half.sealed),
        }
    }
}

/// Why a sealed half that came from elsewhere is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedHalfError {
    /// Not somebody who can open a half.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// Not an age recipient.
    #[error(transparent)]
    Recipient(#[from] AgeError),
}

impl TryFrom<SealedHalf> for halves::SealedHalf {
    type Error = SealedHalfError;

    fn try_from(half: SealedHalf) -> Result<Self, SealedHalfError> {
        let recipients = |texts: Vec<String>| -> Result<Vec<Recipient>, AgeError> {
            texts.iter().map(|text| text.parse()).collect()
        };
        Ok(Self {
            first: half.first.parse()?,
            second: half.second.parse()?,
            outer: recipients(half.outer)?,
            inner: recipients(half.inner)?,
            sealed: half.sealed.0,
        })
    }
}
