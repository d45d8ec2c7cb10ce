//! How a person gets in: invitations, enrolments of keys, API tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Bytes64;

wire! {
    /// `POST /api/v1/invitations`.
    NewInvitation {
        /// Whom to invite; a registered person.
        person: String,
        /// How the registrar will have made sure whose key it is: `in-person`, `voice`, `none`.
        checked: String,
    }
    /// The one time an invitation's code is shown.
    Invitation {
        /// The one-time code.
        code: String,
        /// Until when it can be redeemed.
        expires: String,
    }
    /// `POST /api/v1/invitations/prepare`, on the invited person's own device. No sign-in.
    RedeemPrepare {
        /// The one-time code.
        code: String,
        /// The new key's public half, hex.
        key: String,
    }
    /// `POST /api/v1/invitations/redeem`. No sign-in.
    Redeem {
        /// The one-time code.
        code: String,
        /// The bytes from `prepare`, unchanged.
        statement: Bytes64,
        /// The new key's signature over their pre-authentication encoding, 64 bytes.
        signature: Bytes64,
        /// A label for the token, such as the device's kind.
        label: String,
    }
    /// The one time a token is shown.
    Redeemed {
        /// The person's id.
        person: String,
        /// The API token. It opens nothing before the enrolment is approved.
        token: String,
        /// The enrolment that waits for the voucher's signature.
        enrolment: String,
    }
    /// An enrolment that waits for its voucher.
    Enrolment {
        /// Id.
        id: String,
        /// Whose key.
        person: String,
        /// The person's name, as far as the voucher may see it.
        #[serde(default)]
        name: Option<String>,
        /// The new key, hex.
        key: String,
        /// The statement to sign.
        statement: Bytes64,
    }
    /// `GET /api/v1/enrolments`.
    Enrolments {
        /// Those that wait for the signed-in person.
        enrolments: Vec<Enrolment>,
    }
    /// `POST /api/v1/enrolments/{id}/approve`.
    Approve {
        /// The voucher's signature over the statement, 64 bytes.
        signature: Bytes64,
    }
    /// `POST /api/v1/keys/prepare`: a further key of one's own, or the first registrar's first key.
    KeyPrepare {
        /// The new key's public half, hex.
        key: String,
        /// How somebody made sure whose key it is: `in-person`, `voice`, or `none`, which is meant when absent. A
        /// further key needs no look at the person, the earlier key vouches; the first registrar's does, and this is
        /// the word of whoever runs the vault.
        #[serde(default)]
        checked: Option<String>,
    }
    /// `POST /api/v1/keys`.
    NewKey {
        /// The bytes from `prepare`, unchanged.
        statement: Bytes64,
        /// The signature of the earlier key; absent when the vault vouches for the first registrar.
        #[serde(default)]
        voucher_signature: Option<Bytes64>,
        /// The new key's signature.
        signature: Bytes64,
    }
    /// `POST /api/v1/tokens`.
    NewToken {
        /// A label.
        label: String,
        /// Days until it expires, 1 to 365.
        days: u32,
    }
    /// The one time a token is shown.
    Token {
        /// Id, to revoke it by.
        id: String,
        /// The API token.
        token: String,
        /// Until when.
        expires: String,
    }
    /// A token without its secret.
    TokenInfo {
        /// Id.
        id: String,
        /// Label.
        label: String,
        /// Made when.
        created: String,
        /// Until when.
        expires: String,
        /// Whether it was revoked.
        revoked: bool,
    }
    /// `GET /api/v1/tokens`.
    Tokens {
        /// One's own.
        tokens: Vec<TokenInfo>,
    }
}
