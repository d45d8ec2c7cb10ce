//! Names that people give to their own keys, such as "laptop". They stand beside the log: they prove nothing, change as
//! their owner likes, and are no part of what a verifier sees. They are sealed as other values about the person are, and
//! are gone with these.

use std::collections::HashMap;

use custody::id::{KeyHash, OpId, PersonId};
use custody::rules::Right;

use super::fields::FieldScope;
use super::{App, AppError};
use crate::api;
use crate::engine::OsEntropy;

/// What is sealed.
const NAME: &str = "key-name";
/// Longest name, characters.
const MAX_CHARS: usize = 64;

impl App {
    /// Names a key of one's own; no name takes away the one that it has.
    pub async fn name_key(
        &self,
        person: PersonId,
        hash: KeyHash,
        new: &api::KeyName,
    ) -> Result<api::KeyName, AppError> {
        let found = self.store.read().await?.keys(&[hash]).await?.pop();
        if found.is_none_or(|(_, key)| key.owner != person) {
            return Err(AppError::NotFound("key of yours"));
        }
        let Some(name) = new.name.as_deref().map(str::trim) else {
            self.store.unname_key(hash).await?;
            return Ok(api::KeyName { name: None });
        };
        if name.is_empty() || name.chars().count() > MAX_CHARS || name.chars().any(char::is_control) {
            return Err(AppError::Invalid(format!("name: 1 to {MAX_CHARS} characters on one line, or none")));
        }
        let scope = FieldScope::Person(person).to_string();
        let key = self.field_keys(&[scope.clone()].into()).await?.remove(&scope).ok_or(AppError::Erased)?;
        let sealed = key.seal_opening(place(&hash), NAME, name.as_bytes(), &mut OsEntropy);
        self.store.name_key(hash, &scope, sealed).await?;
        Ok(api::KeyName { name: Some(name.to_owned()) })
    }

    /// The names of somebody's keys, for themselves and for whoever may revoke them.
    pub(super) async fn key_names(
        &self,
        by: PersonId,
        owner: PersonId,
    ) -> Result<HashMap<KeyHash, String>, AppError> {
        if by != owner && !self.in_vault(by, Right::RevokeKeys).await? {
            return Ok(HashMap::new());
        }
        let scope = FieldScope::Person(owner).to_string();
        let sealed = self.store.read().await?.key_names(&scope).await?;
        let Some(key) = self.field_keys(&[scope.clone()].into()).await?.remove(&scope) else {
            return Ok(HashMap::new());
        };
        let open = |(hash, sealed): (KeyHash, Vec<u8>)| {
            let plain = key.open_opening(place(&hash), NAME, &sealed);
            let plain = plain.map_err(AppError::internal("opening the name of a key"))?;
            Ok((hash, String::from_utf8_lossy(&plain).into_owned()))
        };
        sealed.into_iter().map(open).collect()
    }
}

/// In place of the act that other sealed values belong to: a name is of one key and of no other.
fn place(hash: &KeyHash) -> OpId {
    let mut place = [0; 16];
    place.copy_from_slice(&hash.as_bytes()[..16]);
    OpId::new(place)
}
