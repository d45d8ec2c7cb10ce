//! The wire types of the HTTP API, shared by the server and the command line's client.
//!
//! JSON in `snake_case`; ids are UUIDs, hashes lower hex, bytes standard base64, times RFC 3339 UTC with
//! milliseconds. What is signed or hashed travels as bytes, never as JSON to be re-encoded.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// Bytes, in standard base64 on the wire.
#[derive(Clone, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = Byte)]
pub struct Bytes64(pub Vec<u8>);

impl fmt::Debug for Bytes64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes64({} bytes)", self.0.len())
    }
}
impl Serialize for Bytes64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}
impl<'de> Deserialize<'de> for Bytes64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(|_| serde::de::Error::custom("expected standard base64"))
    }
}

macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {$(
            $(#[$field_doc])*
            pub $field: $type,
        )*}
    )*};
}

/// An error as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable address of the error's documentation, ending in its code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// The stable code, never renamed.
    pub code: String,
    /// The rule that was broken, in plain words.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// Names this request in the server's log.
    pub request_id: String,
}

wire! {
    /// `GET /api/v1/vault`: who this vault is. No sign-in.
    VaultInfo {
        /// The fingerprint to compare with paper: hash of record 0, hex.
        fingerprint: String,
        /// The log's origin.
        origin: String,
        /// The log's verifier key (C2SP vkey).
        log_vkey: String,
        /// The vault's Ed25519 public key, hex.
        vault_key: String,
        /// Version of the server.
        version: String,
        /// Record 0: its hash is the fingerprint, so that whoever holds that on paper can check everything above.
        founding_record: Bytes64,
        /// The envelope of record 0, which names the origin and both keys.
        founding_envelope: Bytes64,
    }

    /// `GET /api/v1/me`.
    Me {
        /// The signed-in person.
        person: Person,
        /// The label of the token in use.
        token_label: String,
    }

    /// A person, with what the reader may see.
    Person {
        /// Id.
        id: String,
        /// Organisation id.
        org: String,
        /// Name as entered, where the reader may see it.
        #[serde(default)]
        name: Option<String>,
        /// Roles in the vault.
        roles: Vec<String>,
        /// Enrolled keys.
        keys: Vec<PersonKey>,
    }

    /// An enrolled key.
    PersonKey {
        /// H(public key), hex.
        hash: String,
        /// Public key, hex.
        key: String,
        /// How the voucher made sure: `in-person`, `voice`, `none`.
        checked: String,
        /// Who vouched: `owner`, `registrar:<person>`, `vault`.
        voucher: String,
        /// Log index of its revocation, if revoked.
        #[serde(default)]
        revoked: Option<u64>,
    }

    /// `POST /api/v1/orgs`.
    NewOrg {
        /// Name as entered.
        name: String,
    }
    /// `POST /api/v1/persons`.
    NewPerson {
        /// Organisation id.
        org: String,
        /// Name as entered.
        name: String,
        /// Roles in the vault to grant at once.
        #[serde(default)]
        roles: Vec<String>,
    }
    /// `POST /api/v1/persons/{id}/roles`.
    RoleName {
        /// The role.
        role: String,
    }
    /// What was made: its id and the receipts of its records.
    Created {
        /// Id of the new thing.
        id: String,
        /// One receipt a record, each the strict JSON of a receipt.
        receipts: Vec<Bytes64>,
    }
    /// What was recorded.
    Recorded {
        /// One receipt a record, each the strict JSON of a receipt.
        receipts: Vec<Bytes64>,
    }
    /// One organisation.
    Org {
        /// Id.
        id: String,
        /// Name, where the reader may see it.
        #[serde(default)]
        name: Option<String>,
    }
    /// A list with a cursor.
    Orgs {
        /// The organisations.
        orgs: Vec<Org>,
    }
    /// `GET /api/v1/persons`.
    Persons {
        /// The persons.
        persons: Vec<Person>,
    }

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
    /// A statement to sign.
    Prepared {
        /// The exact bytes to sign (the body of the envelope).
        statement: Bytes64,
        /// The openings of its fields, to be sent along with the envelope.
        #[serde(default)]
        openings: Vec<Opening>,
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
        /// The API token.
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

    /// `POST /api/v1/cases`.
    NewCase {
        /// Title as entered; kept as a commitment with an encrypted opening.
        title: String,
        /// Type of case, a code such as `forced-labour`.
        case_type: String,
        /// Jurisdiction, a code such as `ke`.
        jurisdiction: String,
        /// Further fields (`reference`, `warrant`, …) by name.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// A case as listed.
    Case {
        /// Id.
        id: String,
        /// Type of case.
        case_type: String,
        /// Jurisdiction.
        jurisdiction: String,
        /// Opened fields (title, references).
        fields: BTreeMap<String, String>,
        /// The reader's roles in it.
        roles: Vec<String>,
        /// How many items.
        items: u32,
        /// How many records.
        records: u64,
    }
    /// `GET /api/v1/cases`.
    Cases {
        /// One's own.
        cases: Vec<Case>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
    /// `POST /api/v1/cases/{id}/members`, and to remove `DELETE …/members/{person}/{role}`.
    NewMember {
        /// Who.
        person: String,
        /// As what.
        role: String,
    }
    /// A member.
    Member {
        /// Who.
        person: String,
        /// Name.
        #[serde(default)]
        name: Option<String>,
        /// As what.
        roles: Vec<String>,
    }
    /// `GET /api/v1/cases/{id}/members`.
    Members {
        /// The members.
        members: Vec<Member>,
    }

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
    }
    /// `GET /api/v1/cases/{id}/items`.
    Items {
        /// In order of exhibit number.
        items: Vec<Item>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
    /// `PUT /api/v1/items/{id}/content` answers so.
    Stored {
        /// SHA-256 of the bytes as received, hex.
        digest: String,
        /// Bytes.
        size: u64,
        /// The receipt.
        receipts: Vec<Bytes64>,
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
        receipts: Vec<Bytes64>,
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
        /// The envelope's bytes.
        envelope: Bytes64,
    }
    /// `GET /api/v1/items/{id}/custody` and `GET /api/v1/cases/{id}/custody`.
    Custody {
        /// In order.
        records: Vec<RecordView>,
        /// Where the next page starts, if there is one.
        #[serde(default)]
        next: Option<String>,
    }
    /// `GET /api/v1/transfers`: offers that wait for the signed-in person.
    Transfers {
        /// The items, each with its offer.
        items: Vec<Item>,
    }

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

    /// `POST /api/v1/cases/{id}/exports`.
    NewExport {
        /// Why, a code such as `court`.
        purpose: String,
        /// `recipient` and `authority` as entered, and further fields.
        #[serde(default)]
        fields: BTreeMap<String, String>,
    }
    /// A finished export; the bundle is at `GET /api/v1/exports/{id}/bundle` (ZIP).
    Export {
        /// Record hash of `bundle.exported`, hex.
        id: String,
        /// Records in the bundle.
        records: u64,
        /// Exhibits in the bundle.
        exhibits: u64,
        /// Exact bytes of the ZIP.
        size: u64,
        /// The vault's fingerprint, hex.
        fingerprint: String,
        /// The receipts of `bundle.exported` and `bundle.completed`.
        receipts: Vec<Bytes64>,
    }
}
