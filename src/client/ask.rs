//! What is asked for, and whether a statement says exactly that.
//!
//! A vault prepares the bytes that a person signs. Before anything is signed they are parsed and every member is
//! compared with what the person asked for: a vault that is taken over must not get a signature under words of
//! its own. The same comparison is made with what the vault recorded when it signed on a person's behalf.

use core::fmt;
use std::collections::BTreeMap;

use custody::commitment::{FieldOpening, check_openings};
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId, KeyHash, OpId, PersonId};
use custody::json::{self, Object, Value};
use custody::kind::Kind;
use custody::record::{Record, Sequence};
use custody::statement::{Actor, Assurance, CheckedBy, Content, ItemRef, Seen, Statement};
use custody::time::Timestamp;

use super::ClientError;
use crate::api;

/// How far a statement's time may be from this device's clock, milliseconds.
const MAX_CLOCK_DIFFERENCE_MS: u64 = 5 * 60 * 1_000;
/// Most bytes of a prepared statement: what its envelope may have.
const MAX_PREPARED_BYTES: usize = 1 << 20;

/// Something to be said, complete: whatever a vault adds to it is refused.
#[derive(Debug, Clone)]
pub struct Ask {
    kind: Kind,
    op_id: OpId,
    case: Option<CaseId>,
    item: Option<ItemId>,
    items: Option<Vec<ItemRef>>,
    person: Option<PersonId>,
    content: Option<(Digest, u64)>,
    purpose: Option<Code>,
    data: Object,
    fields: BTreeMap<Code, String>,
    seen: Option<Seen>,
}

/// Who signs, for which vault.
#[derive(Debug, Clone, Copy)]
pub struct Voice {
    /// The vault.
    pub vault: Digest,
    /// Who says it.
    pub actor: Actor,
    /// H(public key) of the signer.
    pub key: KeyHash,
    /// How the signature relates to the actor.
    pub assurance: Assurance,
}

/// Which member of a statement is not as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    member: &'static str,
    asked: String,
    found: String,
}

impl Difference {
    /// The member's name in the statement.
    pub const fn member(&self) -> &'static str {
        self.member
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: asked for {}, found {}", self.member, self.asked, self.found)
    }
}

impl Ask {
    /// A statement of `kind` under the name `op_id`, without further members yet.
    pub const fn new(kind: Kind, op_id: OpId) -> Self {
        Self {
            kind,
            op_id,
            case: None,
            item: None,
            items: None,
            person: None,
            content: None,
            purpose: None,
            data: Object::new(),
            fields: BTreeMap::new(),
            seen: None,
        }
    }

    /// In a case.
    #[must_use]
    pub const fn case(mut self, case: CaseId) -> Self {
        self.case = Some(case);
        self
    }

    /// About an item.
    #[must_use]
    pub const fn item(mut self, item: ItemId) -> Self {
        self.item = Some(item);
        self
    }

    /// About several items; they are sorted here.
    #[must_use]
    pub fn items(mut self, mut items: Vec<ItemRef>) -> Self {
        items.sort_unstable_by_key(|item| item.item);
        self.items = Some(items);
        self
    }

    /// In a person's stream.
    #[must_use]
    pub const fn person(mut self, person: PersonId) -> Self {
        self.person = Some(person);
        self
    }

    /// With content whose digest was computed on this device.
    #[must_use]
    pub const fn content(mut self, digest: Digest, size_bytes: u64) -> Self {
        self.content = Some((digest, size_bytes));
        self
    }

    /// For a purpose.
    #[must_use]
    pub fn purpose(mut self, purpose: Code) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// With the data of its kind.
    #[must_use]
    pub fn data(mut self, data: Object) -> Self {
        self.data = data;
        self
    }

    /// With personal or free-text values; empty ones are left out.
    #[must_use]
    pub fn fields(mut self, mut fields: BTreeMap<Code, String>) -> Self {
        fields.retain(|_, value| !value.is_empty());
        self.fields = fields;
        self
    }

    /// After having seen a record.
    #[must_use]
    pub const fn seen(mut self, seen: Seen) -> Self {
        self.seen = Some(seen);
        self
    }

    /// The name of the act.
    pub const fn op_id(&self) -> OpId {
        self.op_id
    }

    /// Whether these are its records: one in the sequence of each of its items, or one of what has no item.
    pub fn is_recorded_in<'a>(&self, records: impl Iterator<Item = &'a Record>) -> bool {
        let mut found: Vec<_> = records.map(|record| record.own.map(|own| own.sequence)).collect();
        let items = self.items.iter().flatten().map(|item| item.item).chain(self.item);
        let mut asked: Vec<_> = items.map(|item| Some(Sequence::Item(item))).collect();
        if asked.is_empty() {
            return found.len() == 1;
        }
        found.sort_unstable();
        asked.sort_unstable();
        found == asked
    }

    /// As the vault is asked; `actor_key` where the person's own key will sign.
    pub fn draft(&self, actor_key: Option<KeyHash>) -> api::Draft {
        let text = |value: &dyn fmt::Display| value.to_string();
        api::Draft {
            kind: text(&self.kind),
            case: self.case.as_ref().map(|id| text(id)),
            item: self.item.as_ref().map(|id| text(id)),
            items: self.items.as_ref().map(|items| items.iter().map(draft_item).collect()),
            person: self.person.as_ref().map(|id| text(id)),
            content: self.content.map(|(digest, size)| api::ContentInfo {
                digest: digest.to_hex(),
                checked_by: "self".to_owned(),
                size,
            }),
            purpose: self.purpose.as_ref().map(|code| text(code)),
            data: self.data.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            fields: self.fields.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            seen: self.seen.as_ref().map(|seen| text(seen)),
            actor_key: actor_key.map(Digest::to_hex),
            op_id: Some(text(&self.op_id)),
        }
    }

    /// Takes prepared bytes apart and compares them with what was asked for, openings included.
    /// Whoever signs `prepared.statement` after this signs what was asked.
    pub fn check_prepared(
        &self,
        prepared: &api::Prepared,
        voice: &Voice,
        now: Timestamp,
    ) -> Result<Statement, ClientError> {
        let statement = parse(prepared)?;
        self.compare(&statement, voice).map_err(ClientError::NotAsked)?;
        check_time(&statement, now).map_err(ClientError::NotAsked)?;
        let openings = openings(prepared)?;
        let values = openings.iter().map(|opening| (opening.name.clone(), opening.value.clone())).collect();
        same("fields", &self.fields, &values).map_err(ClientError::NotAsked)?;
        check_openings(&self.op_id, &statement.fields, &openings).map_err(ClientError::Openings)?;
        Ok(statement)
    }

    /// Compares every member but the author's time; of fields the names.
    pub fn compare(&self, statement: &Statement, voice: &Voice) -> Result<(), Difference> {
        same("kind", &self.kind, &statement.kind)?;
        same("vault", &Some(voice.vault), &statement.vault)?;
        same("op_id", &self.op_id, &statement.op_id)?;
        same("actor", &voice.actor, &statement.actor)?;
        same("actor_key", &voice.key, &statement.actor_key)?;
        same("assurance", &voice.assurance, &statement.assurance)?;
        same("case", &self.case, &statement.case)?;
        same("item", &self.item, &statement.item)?;
        same("items", &self.items, &statement.items)?;
        same("person", &self.person, &statement.person)?;
        same("purpose", &self.purpose, &statement.purpose)?;
        same("content", &self.expected_content(), &statement.content)?;
        same("data", &self.data, &statement.data)?;
        let names = |fields: &BTreeMap<Code, _>| fields.keys().cloned().collect::<Vec<_>>();
        let committed = statement.fields.keys().cloned().collect::<Vec<_>>();
        same("fields", &names(&self.fields), &committed)?;
        // What was seen is signed as well: the vault may not claim it for the person.
        same("seen", &self.seen, &statement.seen)
    }

    fn expected_content(&self) -> Option<Content> {
        self.content.map(|(digest, size)| Content {
            alg: custody::statement::DigestAlg::Sha256,
            checked_by: CheckedBy::Oneself,
            digest,
            size,
        })
    }
}

/// The statement in prepared bytes.
pub(super) fn parse(prepared: &api::Prepared) -> Result<Statement, ClientError> {
    if prepared.statement.0.len() > MAX_PREPARED_BYTES {
        return Err(ClientError::Protocol("a prepared statement is at most 1 MiB"));
    }
    Statement::parse(&prepared.statement.0).map_err(ClientError::NotStatement)
}

/// Whether a statement was made just now, by this device's clock.
pub(super) fn check_time(statement: &Statement, now: Timestamp) -> Result<(), Difference> {
    if statement.actor_time.millis().abs_diff(now.millis()) <= MAX_CLOCK_DIFFERENCE_MS {
        return Ok(());
    }
    Err(Difference {
        member: "actor_time",
        asked: format!("within five minutes of {now} on this device's clock"),
        found: statement.actor_time.to_string(),
    })
}

/// Two values of a member.
pub(super) fn same<T: PartialEq + fmt::Debug>(
    member: &'static str,
    asked: &T,
    found: &T,
) -> Result<(), Difference> {
    if asked == found {
        return Ok(());
    }
    Err(Difference { member, asked: shorten(asked), found: shorten(found) })
}

fn shorten(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn openings(prepared: &api::Prepared) -> Result<Vec<FieldOpening>, ClientError> {
    let read = |opening: &api::Opening| {
        let name = opening.name.parse().map_err(|_| ClientError::Protocol("a field name is a code"))?;
        let salt = opening.salt.parse().map_err(|_| ClientError::Protocol("a salt is 32 bytes in hex"))?;
        Ok(FieldOpening { name, salt, value: opening.value.clone() })
    };
    prepared.openings.iter().map(read).collect()
}

fn draft_item(item: &ItemRef) -> api::DraftItem {
    api::DraftItem {
        item: item.item.to_string(),
        offer: item.offer.map(|offer| offer.to_string()),
        seen: item.seen.map(|seen| seen.to_string()),
    }
}

fn plain(value: &Value) -> serde_json::Value {
    // Strict JSON is JSON.
    serde_json::from_slice(&json::emit(value)).unwrap_or(serde_json::Value::Null)
}
