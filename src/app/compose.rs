//! Composing statements: from what a person asks for to the exact bytes to sign, with the openings of its fields.

use std::collections::{BTreeMap, HashMap, HashSet};

use custody::blob::BlobFacts;
use custody::commitment::{FieldOpening, MAX_VALUE_BYTES};
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId, KeyHash, OpId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use custody::rules::{Footprint, Refusal, Right};
use custody::statement::{
    Actor, Assurance, CheckedBy, Content, DigestAlg, ItemRef, Seen, Statement, Version,
};
use uuid::Uuid;

use super::refuse::Place;
use super::{App, AppError};
use crate::api;

/// What is to be said, before it is anybody's statement.
#[derive(Debug, Clone)]
pub struct Say {
    /// Kind.
    pub kind: Kind,
    /// Case, where the kind has one.
    pub case: Option<CaseId>,
    /// Item, where the kind has one.
    pub item: Option<ItemId>,
    /// Several items instead.
    pub items: Option<Vec<ItemRef>>,
    /// Person, where the kind has one.
    pub person: Option<PersonId>,
    /// Content, where the kind has one.
    pub content: Option<Content>,
    /// Purpose, where the kind has one.
    pub purpose: Option<Code>,
    /// Data of the kind.
    pub data: Object,
    /// Fields by name, as entered.
    pub fields: BTreeMap<Code, String>,
    /// What was seen; the newest is filled in where the kind needs it and this is absent.
    pub seen: Option<Seen>,
    /// The act's name; random when absent.
    pub op_id: Option<OpId>,
}

impl Say {
    /// Something with no members but its kind.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            case: None,
            item: None,
            items: None,
            person: None,
            content: None,
            purpose: None,
            data: Object::new(),
            fields: BTreeMap::new(),
            seen: None,
            op_id: None,
        }
    }

    /// Something about a case.
    pub fn in_case(kind: Kind, case: CaseId) -> Self {
        Self { case: Some(case), ..Self::new(kind) }
    }

    /// Something about an item.
    pub fn of_item(kind: Kind, case: CaseId, item: ItemId) -> Self {
        Self { item: Some(item), ..Self::in_case(kind, case) }
    }

    /// Something in a person's stream.
    pub fn of_person(kind: Kind, person: PersonId) -> Self {
        Self { person: Some(person), ..Self::new(kind) }
    }

    /// Whether what was seen and which offer is answered are filled in from the items named.
    fn asks_the_items(&self) -> bool {
        self.kind.spec().changes_state && self.kind != Kind::ItemRegistered
    }

    /// With the data of the kind.
    #[must_use]
    pub fn data(mut self, data: Object) -> Self {
        self.data = data;
        self
    }

    /// With the caller's name for the act.
    #[must_use]
    pub fn op_id(mut self, op_id: Option<OpId>) -> Self {
        self.op_id = op_id;
        self
    }

    /// With fields by name; names must be codes, values at most 4,096 bytes.
    pub fn fields(mut self, fields: BTreeMap<String, String>) -> Result<Self, AppError> {
        for (name, value) in fields {
            let name = parse::<Code>(&name, "field name")?;
            if value.len() > MAX_VALUE_BYTES {
                return Err(AppError::Invalid(format!(
                    "field {name} is longer than 4,096 bytes: shorten it"
                )));
            }
            if !value.is_empty() {
                self.fields.insert(name, value);
            }
        }
        Ok(self)
    }
}

impl TryFrom<api::Draft> for Say {
    type Error = AppError;
    fn try_from(draft: api::Draft) -> Result<Self, AppError> {
        let item_ref = |d: api::DraftItem| {
            Ok::<_, AppError>(ItemRef {
                item: parse(&d.item, "item")?,
                offer: parse_opt(d.offer.as_deref(), "offer")?,
                seen: parse_opt(d.seen.as_deref(), "seen")?,
            })
        };
        // Parsed again, because statements know no fractions and no integers of 2^53 and beyond.
        let data = custody::json::emit(&draft.data);
        let data = custody::json::parse(&data, data.len())
            .map_err(|_| AppError::Invalid("`data` is not the strict JSON expected".to_owned()))?;
        let say = Self {
            kind: parse(&draft.kind, "kind")?,
            case: parse_opt(draft.case.as_deref(), "case")?,
            item: parse_opt(draft.item.as_deref(), "item")?,
            items: draft.items.map(|items| items.into_iter().map(item_ref).collect()).transpose()?,
            person: parse_opt(draft.person.as_deref(), "person")?,
            content: draft.content.map(|c| claimed(&c.digest, c.size)).transpose()?,
            purpose: parse_opt(draft.purpose.as_deref(), "purpose")?,
            data,
            fields: BTreeMap::new(),
            seen: parse_opt(draft.seen.as_deref(), "seen")?,
            op_id: parse_opt(draft.op_id.as_deref(), "op_id")?,
        };
        say.fields(draft.fields)
    }
}

/// Content as a person claims it.
pub(super) fn claimed(digest: &str, size: u64) -> Result<Content, AppError> {
    let digest: Digest = parse(digest, "digest")?;
    Ok(Content { alg: DigestAlg::Sha256, checked_by: CheckedBy::Oneself, digest, size })
}

/// The content of an object: as the vault computed it, or as its sender said, who sealed it.
pub(super) fn content_of(facts: &BlobFacts) -> Content {
    let content = computed(facts.sha256, facts.content_size);
    if facts.by_sender { Content { checked_by: CheckedBy::None, ..content } } else { content }
}

/// Content as the vault computed it.
pub(super) const fn computed(digest: Digest, size: u64) -> Content {
    Content { alg: DigestAlg::Sha256, checked_by: CheckedBy::Vault, digest, size }
}

/// Parses a value of a request, or says which one is wrong and how it is written.
pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str, what: &str) -> Result<T, AppError> {
    text.parse().map_err(|error| AppError::Invalid(format!("{what}: {error}")))
}

/// [`parse`] for what may be absent.
pub fn parse_opt<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: Option<&str>,
    what: &str,
) -> Result<Option<T>, AppError> {
    text.map(|text| parse(text, what)).transpose()
}

/// Whose key will sign.
#[derive(Debug, Clone, Copy)]
pub enum Signer {
    /// The person's own.
    OwnKey(PersonId, KeyHash),
    /// The vault's, on the person's behalf.
    Session(PersonId),
    /// The vault's, for itself.
    System,
}

/// A statement with the openings of its fields.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The statement.
    pub statement: Statement,
    /// One opening a field.
    pub openings: Vec<FieldOpening>,
}

impl App {
    /// Composes a statement: fills in vault, time, `op_id`, what was seen and which offer is answered, and commits to
    /// the fields.
    pub async fn compose(&self, say: Say, signer: Signer) -> Result<Composed, AppError> {
        let say = self.fill_in(say).await?;
        let (actor, actor_key, assurance) = match signer {
            Signer::OwnKey(person, key) => (Actor::Person(person), key, Assurance::UserKey),
            Signer::Session(person) => (Actor::Person(person), self.vault_key_hash(), Assurance::Session),
            Signer::System => (Actor::System, self.vault_key_hash(), Assurance::System),
        };
        let op_id = say.op_id.unwrap_or_else(|| OpId::new(Uuid::now_v7().into_bytes()));
        let openings: Vec<_> = say
            .fields
            .into_iter()
            .map(|(name, value)| FieldOpening { name, salt: Digest::new(self.random()), value })
            .collect();
        let statement = Statement {
            actor,
            actor_key,
            actor_time: self.clock.now(),
            assurance,
            case: say.case,
            content: say.content,
            data: say.data,
            fields: openings.iter().map(|o| (o.name.clone(), o.commitment(&op_id))).collect(),
            item: say.item,
            items: say.items,
            kind: say.kind,
            op_id,
            person: say.person,
            purpose: say.purpose,
            seen: say.seen,
            v: Version,
            vault: Some(self.vault),
        };
        Ok(Composed { statement, openings })
    }

    /// Refuses (and records it) unless `person` may read the records of every item from which something would be
    /// filled in: whoever only prepares must learn no more than whoever reads.
    pub(super) async fn may_see_what_is_filled_in(
        &self,
        person: PersonId,
        say: &Say,
    ) -> Result<(), AppError> {
        if !say.asks_the_items() {
            return Ok(());
        }
        let ids: Vec<_> =
            say.item.into_iter().chain(say.items.iter().flatten().map(|item| item.item)).collect();
        let found = self.store.read().await?.items(&ids).await?;
        let cases: HashMap<_, _> = found.into_iter().map(|(id, item)| (id, item.case)).collect();
        let mut readable = HashSet::new();
        for id in ids {
            match cases.get(&id) {
                Some(case) if readable.contains(case) => {}
                Some(case) => {
                    self.require(person, *case, Some(id), Right::ReadRecords).await?;
                    readable.insert(*case);
                }
                None => {
                    let (right, unknown) = (Right::ReadRecords.code(), Refusal::Unknown("item"));
                    return Err(self.refused(person, Place::VAULT, right, unknown).await?);
                }
            }
        }
        Ok(())
    }

    /// Fills in what a kind that changes custody or state must name and the caller left out: the newest record of
    /// each item, and the offer that waits.
    async fn fill_in(&self, mut say: Say) -> Result<Say, AppError> {
        let answers = matches!(
            say.kind,
            Kind::TransferCarried | Kind::TransferAccepted | Kind::TransferDeclined | Kind::TransferRecalled
        );
        if !say.asks_the_items() {
            return Ok(say);
        }
        let mut footprint = Footprint::default();
        footprint.items.extend(say.item);
        footprint.items.extend(say.items.iter().flatten().map(|r| r.item));
        let state = self.store.read().await?.state(&footprint).await?;
        let head = |item: &ItemId| state.items.get(item).map(|item| Seen::Record(item.head.record));
        let seal = |item: &ItemId| {
            state.items.get(item).and_then(|item| item.seal).map(|seal| Seen::Record(seal.record))
        };
        let offer = |item: &ItemId| {
            state
                .items
                .get(item)
                .and_then(|item| item.offer.as_ref())
                .map(|offer| Seen::Record(offer.head.record))
        };
        if let Some(items) = &mut say.items {
            items.sort_unstable_by_key(|r| r.item);
            for r in items {
                r.seen = r.seen.or_else(|| head(&r.item));
                if answers {
                    r.offer = Some(r.offer.or_else(|| offer(&r.item)).ok_or(Refusal::NoSuchOffer)?);
                }
            }
        }
        if let Some(item) = say.item {
            say.seen = say.seen.or_else(|| head(&item));
            let named = match say.kind {
                _ if answers => Some(("offer", offer(&item), Refusal::NoSuchOffer)),
                Kind::SealBroken => Some(("seal", seal(&item), Refusal::NoSuchSeal)),
                _ => None,
            };
            if let Some((name, value, absent)) = named
                && !say.data.contains_key(name)
            {
                let value = value.ok_or(absent)?;
                say.data.insert(name.to_owned(), value.to_string().as_str().into());
            }
        }
        Ok(say)
    }
}
