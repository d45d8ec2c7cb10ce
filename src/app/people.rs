//! Organisations, persons and their roles in the vault.

use std::collections::BTreeMap;

use custody::act::{OrgRegistered, PersonRegistered, RoleChange, RoleGranted, VaultRole};
use custody::digest::Digest;
use custody::id::KeyHash;
use custody::id::{OpId, OrgId, PersonId};
use custody::kind::Kind;
use custody::rules::{Key, Person, Refusal, Right, Term, Voucher, permitted_in_vault};
use custody::time::Timestamp;
use serde::Serialize;

use super::compose::Say;
use super::fields::FIELD_EMAIL;
use super::read::code;
use super::refuse::Place;
use super::{App, AppError, SignedIn, parse, parse_opt, wire};
use crate::api;
use crate::notices::is_address;

impl App {
    /// Who is signed in, with roles and keys.
    pub async fn me(&self, who: &SignedIn) -> Result<api::Me, AppError> {
        let person = self.persons_by_id(&[who.person]).await?.pop().ok_or(AppError::NotFound("person"))?;
        let enrolment = who.enrolment.map(|id| id.to_string());
        Ok(api::Me { person, token_label: who.by.label().to_owned(), enrolment })
    }

    /// Enters an organisation.
    pub async fn register_org(
        &self,
        person: PersonId,
        name: String,
        op_id: Option<OpId>,
    ) -> Result<api::Created, AppError> {
        let org = OrgId::new(Self::new_id(person, op_id));
        let say = Say::new(Kind::OrgRegistered)
            .data(OrgRegistered { org }.to_data())
            .op_id(op_id)
            .fields(named(name)?)?;
        let receipts = self.say_on_behalf(person, say).await?;
        Ok(api::Created { id: org.to_string(), receipts: wire(&receipts) })
    }

    /// All organisations, with their names.
    pub async fn orgs(&self) -> Result<api::Orgs, AppError> {
        let rows = self.store.read().await?.orgs().await?;
        let stmts: Vec<_> = rows.iter().map(|(_, stmt)| *stmt).collect();
        let mut names = self.values_of(&stmts, "name").await?;
        let orgs =
            rows.into_iter().map(|(id, stmt)| api::Org { id: id.to_string(), name: names.remove(&stmt) });
        Ok(api::Orgs { orgs: orgs.collect() })
    }

    /// Enters a person and grants roles. Each is a record of its own; a role that is refused leaves the person entered.
    pub async fn register_person(
        &self,
        by: PersonId,
        new: api::NewPerson,
        op_id: Option<OpId>,
    ) -> Result<api::Created, AppError> {
        let roles =
            new.roles.iter().map(|role| parse(role, "role")).collect::<Result<Vec<VaultRole>, _>>()?;
        let person = PersonId::new(Self::new_id(by, op_id));
        let data = PersonRegistered { org: parse(&new.org, "org")? };
        let mut fields = named(new.name)?;
        if let Some(email) = new.email {
            if !is_address(&email) {
                return Err(AppError::Invalid("email: an address like ben@example.org".to_owned()));
            }
            fields.insert(FIELD_EMAIL.to_owned(), email);
        }
        let say = Say::of_person(Kind::PersonRegistered, person)
            .data(data.to_data())
            .op_id(op_id)
            .fields(fields)?;
        let mut receipts = self.say_on_behalf(by, say).await?;
        for role in roles {
            // A name of its own for each, so that repeating the request grants nothing twice.
            let granted = op_id.map(|op_id| {
                let name = Digest::of(&[op_id.as_bytes().as_slice(), code(&role).as_bytes()].concat());
                OpId::new(name.as_bytes()[..16].try_into().unwrap_or_default())
            });
            let data = RoleChange { role }.to_data();
            let say = Say::of_person(Kind::RoleGranted, person).data(data).op_id(granted);
            receipts.extend(self.say_on_behalf(by, say).await?);
        }
        Ok(api::Created { id: person.to_string(), receipts: wire(&receipts) })
    }

    /// Grants a role in the vault, or for longer.
    pub async fn grant_role(
        &self,
        by: PersonId,
        person: PersonId,
        granted: &api::RoleName,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        let data = RoleGranted {
            from: parse_opt(granted.from.as_deref(), "from")?,
            role: parse(&granted.role, "role")?,
            until: parse_opt(granted.until.as_deref(), "until")?,
        };
        let say = Say::of_person(Kind::RoleGranted, person).data(data.to_data()).op_id(op_id);
        Ok(api::Recorded { receipts: wire(&self.say_on_behalf(by, say).await?) })
    }

    /// Revokes a role in the vault.
    pub async fn revoke_role(
        &self,
        by: PersonId,
        person: PersonId,
        role: &str,
        op_id: Option<OpId>,
    ) -> Result<api::Recorded, AppError> {
        let data = RoleChange { role: parse(role, "role")? }.to_data();
        let say = Say::of_person(Kind::RoleRevoked, person).data(data).op_id(op_id);
        Ok(api::Recorded { receipts: wire(&self.say_on_behalf(by, say).await?) })
    }

    /// All persons. Whoever is signed in may see them: colleagues are needed to add members and offer custody.
    pub async fn persons(&self) -> Result<api::Persons, AppError> {
        let rows = self.store.read().await?.persons(None, 10_000).await?;
        Ok(api::Persons { persons: self.person_views(rows).await? })
    }

    /// One person, as `by` may see them.
    pub async fn person(&self, by: PersonId, id: PersonId) -> Result<api::Person, AppError> {
        let mut person = self.persons_by_id(&[id]).await?.pop().ok_or(AppError::NotFound("person"))?;
        for (hash, name) in self.key_names(by, id).await? {
            let hash = hash.to_hex();
            person
                .keys
                .iter_mut()
                .filter(|key| key.hash == hash)
                .for_each(|key| key.name = Some(name.clone()));
        }
        Ok(person)
    }

    async fn persons_by_id(&self, ids: &[PersonId]) -> Result<Vec<api::Person>, AppError> {
        let rows = self.store.read().await?.persons_by_id(ids).await?;
        self.person_views(rows).await
    }

    async fn person_views(&self, rows: Vec<(PersonId, Person)>) -> Result<Vec<api::Person>, AppError> {
        let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
        let mut names = self.names(ids.iter().copied()).await?;
        let mut keys: BTreeMap<PersonId, Vec<api::PersonKey>> = BTreeMap::new();
        for (hash, key) in self.store.read().await?.keys_of(&ids).await? {
            keys.entry(key.owner).or_default().push(key_view(hash, &key));
        }
        let now = self.clock.now();
        let view = |(id, person): (PersonId, Person)| {
            let (roles, terms) = role_views(&person.roles, now);
            api::Person {
                id: id.to_string(),
                org: person.org.to_string(),
                name: names.remove(&id),
                roles,
                terms,
                suspended: person.suspended.is_some(),
                keys: keys.remove(&id).unwrap_or_default(),
            }
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Refuses (and records it, as `act`) unless `person` has `right` in the vault.
    pub(super) async fn require_in_vault(
        &self,
        person: PersonId,
        right: Right,
        act: &str,
    ) -> Result<(), AppError> {
        if self.in_vault(person, right).await? {
            return Ok(());
        }
        Err(self.refused(person, Place::VAULT, act, Refusal::NotPermitted(right)).await?)
    }

    /// Whether `person` holds a role in the vault that carries `right`.
    pub(super) async fn in_vault(&self, person: PersonId, right: Right) -> Result<bool, AppError> {
        let rows = self.store.read().await?.persons_by_id(&[person]).await?;
        let now = self.clock.now();
        Ok(rows.iter().any(|(_, person)| permitted_in_vault(&person.roles, right, now).is_ok()))
    }

    /// One field of each of these statements.
    async fn values_of(
        &self,
        stmts: &[custody::digest::Digest],
        name: &str,
    ) -> Result<std::collections::HashMap<custody::digest::Digest, String>, AppError> {
        let mut statements = std::collections::HashMap::new();
        for (stmt, envelope) in self.store.read().await?.envelopes(stmts).await? {
            statements.insert(stmt, super::read::statement(&envelope)?);
        }
        let opened = self.open_fields(&statements.iter().map(|(stmt, s)| (*stmt, s)).collect()).await?;
        let value = |(stmt, fields): (_, Vec<custody::commitment::FieldOpening>)| {
            let field = fields.into_iter().find(|field| field.name.as_str() == name)?;
            Some((stmt, field.value))
        };
        Ok(opened.into_iter().filter_map(value).collect())
    }
}

fn key_view(hash: KeyHash, key: &Key) -> api::PersonKey {
    api::PersonKey {
        hash: hash.to_hex(),
        key: key.public.to_string(),
        checked: code(&key.checked),
        voucher: match key.voucher {
            Voucher::Owner(_) => "owner".to_owned(),
            Voucher::Registrar(person, _) => format!("registrar:{person}"),
            Voucher::Vault => "vault".to_owned(),
        },
        revoked: key.revoked,
        recipient: key.recipient.map(|recipient| recipient.to_string()),
        name: None,
    }
}

/// The roles that count now, and all those that begin or end at some time.
pub(super) fn role_views<R: Serialize>(
    roles: &BTreeMap<R, Term>,
    now: Timestamp,
) -> (Vec<String>, Vec<api::RoleTerm>) {
    let counts = roles.iter().filter(|(_, term)| term.covers(now)).map(|(role, _)| code(role)).collect();
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let limited = roles.iter().filter(|(_, term)| **term != Term::LASTING);
    let view = |(role, term): (&R, &Term)| api::RoleTerm {
        role: code(role),
        from: text(term.from),
        until: text(term.until),
    };
    (counts, limited.map(view).collect())
}

fn named(name: String) -> Result<BTreeMap<String, String>, AppError> {
    if name.trim().is_empty() {
        return Err(AppError::Invalid("a name is needed".to_owned()));
    }
    Ok([("name".to_owned(), name)].into())
}
