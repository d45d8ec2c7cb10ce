//! Cases and their members.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use custody::act::{Act, CaseOpened, CaseUpdated, MemberAdded, MemberChange, reference_field, reference_in};
use custody::commitment::FieldOpening;
use custody::digest::Digest;
use custody::id::{CaseId, OpId, PersonId};
use custody::intake::{self, Fact};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::{Footprint, Right, is_member};

use super::compose::Say;
use super::{App, AppError, parse, parse_opt, wire};
use crate::api;
use crate::store::CaseRow;

impl App {
    /// Opens a case; its author becomes its lead.
    pub async fn open_case(
        &self,
        person: PersonId,
        new: api::NewCase,
        op_id: Option<OpId>,
    ) -> Result<api::Created, AppError> {
        let case = CaseId::new(Self::new_id(person, op_id));
        let data = CaseOpened {
            case_type: parse(&new.case_type, "case_type")?,
            jurisdiction: parse(&new.jurisdiction, "jurisdiction")?,
        };
        let fields = described(Some(new.title), new.references, new.fields)?;
        let say = Say::in_case(Kind::CaseOpened, case).data(data.to_data()).op_id(op_id).fields(fields)?;
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Created { id: case.to_string(), receipts: wire(&receipts) })
    }

    /// The cases in which `person` has a role.
    pub async fn cases(
        &self,
        person: PersonId,
        after: Option<CaseId>,
        limit: u32,
    ) -> Result<api::Cases, AppError> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let at_once = limit.max(super::PASSED_OVER_AT_ONCE);
        let all = usize::try_from(at_once).unwrap_or(usize::MAX);
        let (mut visible, mut after, now) = (Vec::new(), after, self.clock.now());
        // Where the next page starts is told by what is on this one: cases that a role no longer shows are passed over.
        let next = loop {
            let rows = self.store.read().await?.cases_of(person, after, at_once).await?;
            let (full, last) = (rows.len() == all, rows.last().map(|row| row.id));
            visible.extend(rows.into_iter().filter(|row| is_member(&row.roles, now)));
            if visible.len() >= most {
                visible.truncate(most);
                break visible.last().map(|row: &CaseRow| row.id.to_string());
            }
            if !full {
                break None;
            }
            after = last;
        };
        Ok(api::Cases { cases: self.case_views(visible).await?, next })
    }

    /// One case.
    pub async fn case(&self, person: PersonId, id: CaseId) -> Result<api::Case, AppError> {
        self.require(person, id, None, Right::ReadRecords).await?;
        let mut state = self.store.read().await?.state(&Footprint::of_members(id, [person])).await?;
        let case = state.cases.remove(&id).ok_or(AppError::NotFound("case"))?;
        let roles = state.members.remove(&(id, person)).unwrap_or_default();
        self.case_views(vec![CaseRow { id, case, roles }]).await?.pop().ok_or(AppError::NotFound("case"))
    }

    /// What to ask for when something comes into a case, by its jurisdiction.
    pub async fn intake_form(&self, person: PersonId, id: CaseId) -> Result<api::IntakeForm, AppError> {
        let case = self.case(person, id).await?;
        let form = intake::form(&parse(&case.jurisdiction, "jurisdiction")?);
        let fact = |Fact { field, label, needed }: Fact| api::IntakeFact {
            field: field.to_owned(),
            label: label.to_owned(),
            needed,
        };
        Ok(api::IntakeForm {
            name: form.name.to_owned(),
            jurisdiction: case.jurisdiction,
            law: form.law.to_owned(),
            review: intake::REVIEW.to_owned(),
            facts: form.all().into_iter().map(fact).collect(),
        })
    }

    async fn case_views(&self, rows: Vec<CaseRow>) -> Result<Vec<api::Case>, AppError> {
        let sequences: BTreeSet<_> = rows.iter().map(|row| Sequence::Case(row.id)).collect();
        let (introductions, heads, statements) = {
            let mut tx = self.store.read().await?;
            let introductions = tx.introductions(&sequences).await?;
            let updates = rows.iter().flat_map(|row| &row.case.updates);
            let stmts: Vec<_> = introductions.values().chain(updates).copied().collect();
            let mut statements = HashMap::new();
            for (stmt, envelope) in tx.envelopes(&stmts).await? {
                statements.insert(stmt, super::read::statement(&envelope)?);
            }
            (introductions, tx.heads(&sequences).await?, statements)
        };
        let opened = self.open_fields(&statements.iter().map(|(stmt, s)| (*stmt, s)).collect()).await?;
        let now = self.clock.now();
        rows.into_iter()
            .map(|row| {
                let sequence = Sequence::Case(row.id);
                let said = introductions.get(&sequence).into_iter().chain(&row.case.updates);
                let mut about = About::default();
                for stmt in said {
                    let statement = statements.get(stmt).ok_or(AppError::NotFound("case"))?;
                    about.learn(&Act::parse(statement)?, opened.get(stmt).into_iter().flatten());
                }
                Ok(api::Case {
                    id: row.id.to_string(),
                    case_type: about.case_type,
                    jurisdiction: about.jurisdiction,
                    fields: about.fields,
                    references: about.references,
                    roles: super::people::role_views(&row.roles, now).0,
                    closed: row.case.closed,
                    items: row.case.items,
                    records: heads.get(&sequence).map_or(0, |head| head.head.seq),
                })
            })
            .collect()
    }

    /// Changes what a case is said to be.
    pub async fn update_case(
        &self,
        person: PersonId,
        case: CaseId,
        update: api::CaseUpdate,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        self.require(person, case, None, Right::UpdateCase).await?;
        let data = CaseUpdated {
            case_type: parse_opt(update.case_type.as_deref(), "case_type")?,
            jurisdiction: parse_opt(update.jurisdiction.as_deref(), "jurisdiction")?,
        };
        let fields = described(update.title, update.references, update.fields)?;
        let say = Say::in_case(Kind::CaseUpdated, case).data(data.to_data()).op_id(op_id).fields(fields)?;
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    /// Closes a case, or reopens it.
    pub async fn turn_case(
        &self,
        person: PersonId,
        case: CaseId,
        closes: bool,
        turn: api::CaseTurn,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        let kind = if closes { Kind::CaseClosed } else { Kind::CaseReopened };
        let mut say = Say::in_case(kind, case).op_id(op_id).fields(turn.fields)?;
        say.purpose = parse_opt(turn.purpose.as_deref(), "purpose")?;
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    /// Gives a person a role in a case, or for longer.
    pub async fn add_member(
        &self,
        person: PersonId,
        case: CaseId,
        added: MemberAdded,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        let say = Say::in_case(Kind::MemberAdded, case).data(added.to_data()).op_id(op_id);
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    /// Takes a role in a case away.
    pub async fn remove_member(
        &self,
        person: PersonId,
        case: CaseId,
        removed: MemberChange,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        let say = Say::in_case(Kind::MemberRemoved, case).data(removed.to_data()).op_id(op_id);
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Recorded { receipts: wire(&receipts) })
    }

    /// A case's members.
    pub async fn members(&self, person: PersonId, case: CaseId) -> Result<api::Members, AppError> {
        self.require(person, case, None, Right::ReadRecords).await?;
        let rows = self.store.read().await?.members(case).await?;
        let names = self.names(rows.iter().map(|(person, _)| *person)).await?;
        let now = self.clock.now();
        let members = rows
            .into_iter()
            .filter(|(_, roles)| !roles.is_empty())
            .map(|(person, roles)| {
                let (roles, terms) = super::people::role_views(&roles, now);
                let name = names.get(&person).cloned();
                api::Member { person: person.to_string(), name, roles, terms }
            })
            .collect();
        Ok(api::Members { members })
    }

    /// An id for something new. Derived from the caller and their key for the act, so that a repeated request names
    /// the same thing again and gets the first receipt, and nobody else's request ever does; random without one.
    pub(super) fn new_id(person: PersonId, op_id: Option<OpId>) -> uuid::Uuid {
        let Some(op_id) = op_id else { return uuid::Uuid::now_v7() };
        let name = [b"custos/new-id/v1\0", person.as_bytes().as_slice(), op_id.as_bytes()].concat();
        let mut id = [0; 16];
        id.copy_from_slice(&Digest::of(&name).as_bytes()[..16]);
        uuid::Builder::from_custom_bytes(id).into_uuid()
    }
}

/// What was said of a case, one thing after the other: the last word counts.
#[derive(Default)]
struct About {
    case_type: String,
    jurisdiction: String,
    fields: BTreeMap<String, String>,
    references: BTreeMap<String, String>,
}

impl About {
    fn learn<'a>(&mut self, act: &Act, opened: impl Iterator<Item = &'a FieldOpening>) {
        let (case_type, jurisdiction) = match act {
            Act::CaseOpened(_, d) => (Some(d.case_type), Some(&d.jurisdiction)),
            Act::CaseUpdated(_, d) => (d.case_type, d.jurisdiction.as_ref()),
            _ => (None, None),
        };
        self.case_type = case_type.map_or(std::mem::take(&mut self.case_type), |new| new.to_string());
        self.jurisdiction = jurisdiction.map_or(std::mem::take(&mut self.jurisdiction), ToString::to_string);
        for FieldOpening { name, value, .. } in opened {
            match reference_in(name) {
                Ok(Some(reference)) => self.references.insert(reference.to_owned(), value.clone()),
                _ => self.fields.insert(name.to_string(), value.clone()),
            };
        }
    }
}

/// The fields of a statement about a case; references each in the field for it.
fn described(
    title: Option<String>,
    references: BTreeMap<String, String>,
    mut fields: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, AppError> {
    if title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(AppError::Invalid("a case needs a title".to_owned()));
    }
    fields.extend(title.map(|title| ("title".to_owned(), title)));
    for (reference, value) in references {
        let field =
            reference_field(&reference).map_err(|error| AppError::Invalid(format!("references: {error}")))?;
        fields.insert(field.to_string(), value);
    }
    Ok(fields)
}
