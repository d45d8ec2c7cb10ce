//! Personal fields: sealed at intake under the key of their case, person or organisation, opened for readers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use custody::act::Act;
use custody::commitment::FieldOpening;
use custody::digest::Digest;
use custody::id::{CaseId, Code, OrgId, PersonId};
use custody::keys::{FieldKey, KeyContext, WrappedKey};
use custody::statement::Statement;
use custody::{json, record::Sequence};
use serde::{Deserialize, Serialize};

use super::{App, AppError, signin};
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{SealedOpening, StoredOpening, SubjectKey};

/// Where the vault writes to a person; in no bundle.
pub(super) const FIELD_EMAIL: &str = "email";
/// Field keys kept unwrapped at most; beyond that all are forgotten and unwrapped anew when needed.
const MAX_FIELD_KEYS: usize = 4_096;

/// Whose key encrypts fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldScope {
    Case(CaseId),
    Person(PersonId),
    Org(OrgId),
    /// No fields: what people sign in with.
    SignIn,
}

impl FieldScope {
    /// The scope of a statement's fields, and whether this act brings its key into being.
    fn of(statement: &Statement, act: &Act) -> Option<(Self, bool)> {
        match (act, statement.case, statement.person) {
            (Act::OrgRegistered(d), ..) => Some((Self::Org(d.org), true)),
            (Act::PersonRegistered(person, _), ..) => Some((Self::Person(*person), true)),
            (Act::CaseOpened(case, _), ..) => Some((Self::Case(*case), true)),
            (_, Some(case), _) => Some((Self::Case(case), false)),
            (_, None, Some(person)) => Some((Self::Person(person), false)),
            _ => None,
        }
    }

    fn context(self, app: &App) -> KeyContext {
        match self {
            Self::Case(case) => KeyContext::Case(app.vault_id(), case),
            Self::Person(person) => KeyContext::person(app.vault_id(), person),
            Self::Org(org) => KeyContext::Subject(app.vault_id(), *org.as_bytes()),
            Self::SignIn => app.signin_context(),
        }
    }
}

impl std::fmt::Display for FieldScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Case(id) => write!(f, "case:{id}"),
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Org(id) => write!(f, "org:{id}"),
            Self::SignIn => f.write_str(signin::SCOPE),
        }
    }
}

impl std::str::FromStr for FieldScope {
    type Err = AppError;
    fn from_str(text: &str) -> Result<Self, AppError> {
        let bad = || AppError::internal("reading a field's scope")(format!("unknown scope {text}"));
        if text == signin::SCOPE {
            return Ok(Self::SignIn);
        }
        let (kind, id) = text.split_once(':').ok_or_else(bad)?;
        match kind {
            "case" => id.parse().map(Self::Case).map_err(|_| bad()),
            "person" => id.parse().map(Self::Person).map_err(|_| bad()),
            "org" => id.parse().map(Self::Org).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

/// The plaintext of a sealed opening.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    salt: Digest,
    value: String,
}

/// Opened fields of one statement.
pub(super) type Opened = HashMap<Digest, Vec<FieldOpening>>;

impl App {
    /// Seals a statement's openings into `attach`, with the new key where the act brings one into being.
    pub(super) async fn seal_fields(
        &self,
        statement: &Statement,
        act: &Act,
        openings: &[FieldOpening],
        attach: &mut Attachments,
    ) -> Result<(), AppError> {
        let Some((scope, new)) = FieldScope::of(statement, act) else {
            return match openings {
                [] => Ok(()),
                _ => Err(AppError::Invalid("a statement of the vault itself carries no fields".to_owned())),
            };
        };
        let key = if new {
            let key = FieldKey::make(&mut OsEntropy);
            let wrapped = self.keyring.wrap(&scope.context(self), key.as_key(), &mut OsEntropy);
            let kek = self.keyring.current_kek().0;
            attach.subject_keys.push(SubjectKey {
                scope: scope.to_string(),
                wrapped: wrapped.to_bytes(),
                kek,
            });
            Arc::new(key)
        } else if openings.is_empty() {
            return Ok(());
        } else {
            // A case or person that does not exist is for the rules to refuse, and for them to record.
            let Some(key) = self.field_keys(&[scope.to_string()].into()).await?.remove(&scope.to_string())
            else {
                // Nothing would open them, and nobody would see them again.
                let erased = self.store.read().await?.scope_is_destroyed(&scope.to_string()).await?;
                return if erased { Err(AppError::Erased) } else { Ok(()) };
            };
            key
        };
        for opening in openings {
            let plain = json::emit(&Plain { salt: opening.salt, value: opening.value.clone() });
            let sealed = key.seal_opening(statement.op_id, opening.name.as_str(), &plain, &mut OsEntropy);
            attach.openings.push(SealedOpening {
                name: opening.name.clone(),
                scope: scope.to_string(),
                sealed,
            });
        }
        Ok(())
    }

    /// Opens the fields of these statements; names and values by H(envelope). Erased openings are absent.
    pub(super) async fn open_fields(
        &self,
        statements: &HashMap<Digest, &Statement>,
    ) -> Result<Opened, AppError> {
        let stmts: Vec<_> =
            statements.iter().filter(|(_, s)| !s.fields.is_empty()).map(|(stmt, _)| *stmt).collect();
        if stmts.is_empty() {
            return Ok(Opened::new());
        }
        let stored = self.store.read().await?.openings(&stmts).await?;
        let keys = self.field_keys(&stored.iter().map(|o| o.opening.scope.clone()).collect()).await?;
        let mut opened = Opened::new();
        for StoredOpening { stmt, opening } in stored {
            let (Some(key), Some(statement)) = (keys.get(&opening.scope), statements.get(&stmt)) else {
                continue;
            };
            let plain = key
                .open_opening(statement.op_id, opening.name.as_str(), &opening.sealed)
                .map_err(AppError::internal("opening a field"))?;
            let Plain { salt, value } =
                json::parse(&plain, 1 << 16).map_err(AppError::internal("reading a field"))?;
            opened.entry(stmt).or_default().push(FieldOpening { name: opening.name, salt, value });
        }
        Ok(opened)
    }

    /// The fields that introduced each sequence (a case's title, an item's file name, a person's name).
    pub(super) async fn introduced(
        &self,
        sequences: &BTreeSet<Sequence>,
    ) -> Result<HashMap<Sequence, BTreeMap<Code, String>>, AppError> {
        let (introductions, envelopes) = {
            let mut tx = self.store.read().await?;
            let introductions = tx.introductions(sequences).await?;
            let stmts: Vec<_> = introductions.values().copied().collect();
            (introductions, tx.envelopes(&stmts).await?)
        };
        let mut statements = HashMap::new();
        for (stmt, envelope) in &envelopes {
            statements.insert(*stmt, super::read::statement(envelope)?);
        }
        let mut opened = self.open_fields(&statements.iter().map(|(stmt, s)| (*stmt, s)).collect()).await?;
        let by_name = |openings: Vec<FieldOpening>| openings.into_iter().map(|o| (o.name, o.value)).collect();
        Ok(introductions
            .into_iter()
            .map(|(sequence, stmt)| (sequence, opened.remove(&stmt).map(by_name).unwrap_or_default()))
            .collect())
    }

    /// Names of persons, as registered.
    pub(super) async fn names(
        &self,
        persons: impl IntoIterator<Item = PersonId>,
    ) -> Result<HashMap<PersonId, String>, AppError> {
        let sequences = persons.into_iter().map(Sequence::Person).collect();
        let introduced = self.introduced(&sequences).await?;
        Ok(introduced
            .into_iter()
            .filter_map(|(sequence, mut fields)| match sequence {
                Sequence::Person(person) => {
                    let name: Code = "name".parse().ok()?;
                    Some((person, fields.remove(&name)?))
                }
                _ => None,
            })
            .collect())
    }

    pub(super) async fn field_keys(
        &self,
        scopes: &BTreeSet<String>,
    ) -> Result<HashMap<String, Arc<FieldKey>>, AppError> {
        let mut found: HashMap<_, _> = {
            let cache = self.field_key_cache();
            scopes.iter().filter_map(|s| cache.get(s).map(|key| (s.clone(), Arc::clone(key)))).collect()
        };
        let missing: Vec<_> = scopes.iter().filter(|scope| !found.contains_key(*scope)).cloned().collect();
        if missing.is_empty() {
            return Ok(found);
        }
        for row in self.store.read().await?.subject_keys(&missing).await? {
            let scope: FieldScope = row.scope.parse()?;
            let wrapped =
                WrappedKey::parse(&row.wrapped).map_err(AppError::internal("reading a field key"))?;
            let key = self
                .keyring
                .unwrap(&scope.context(self), &wrapped)
                .map_err(AppError::internal("unwrapping a field key"))?;
            found.insert(row.scope, Arc::new(FieldKey::new(key)));
        }
        let mut cache = self.field_key_cache();
        if cache.len() + found.len() > MAX_FIELD_KEYS {
            cache.clear();
        }
        cache.extend(found.iter().map(|(scope, key)| (scope.clone(), Arc::clone(key))));
        Ok(found)
    }

    /// A key that is destroyed is kept nowhere.
    pub(super) fn forget_field_key(&self, scope: &str) {
        self.field_key_cache().remove(scope);
    }

    fn field_key_cache(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<FieldKey>>> {
        self.field_keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What the key of a stored scope was wrapped for.
pub(super) fn context_of(app: &App, scope: &str) -> Option<KeyContext> {
    scope.parse::<FieldScope>().ok().map(|scope| scope.context(app))
}
