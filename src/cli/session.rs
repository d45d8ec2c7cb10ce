//! From global flags to a signed-in client.

use std::path::PathBuf;
use std::sync::Arc;

use ed25519_dalek::SigningKey;

use super::failure::Failure;
use super::{Global, Wait, env};
use crate::client::profile::{home, profile_path};
use crate::client::{Client, Profile, key};

/// The profile that the flags name.
pub(super) fn profile(global: &Global) -> Result<Profile, Failure> {
    Ok(Profile::read(&path(global)?)?)
}

/// The file of the profile that the flags name.
pub(super) fn path(global: &Global) -> Result<PathBuf, Failure> {
    // A path needs no home.
    let home = if global.profile.contains('/') { PathBuf::new() } else { home(&env)? };
    Ok(profile_path(&home, &global.profile)?)
}

/// A client with the person's own key, where the profile names one.
pub(super) fn client(global: &Global) -> Result<Client, Failure> {
    let profile = profile(global)?;
    let key = own_key(&profile)?;
    let client = Client::open(&profile, key)?;
    Ok(match global.wait {
        Some(Wait::Witnessed) => client.waiting_for_witnesses(Arc::clone(&global.unwitnessed)),
        None => client,
    })
}

/// A client that signs nothing: for questions.
pub(super) fn reader(global: &Global) -> Result<Client, Failure> {
    Ok(Client::open(&profile(global)?, None)?)
}

/// The profile's key, opened; a passphrase comes from `CUSTOS_KEY_PASSPHRASE_FILE` or a prompt.
pub(super) fn own_key(profile: &Profile) -> Result<Option<SigningKey>, Failure> {
    profile.key_file().map(|path| open_key(&path)).transpose()
}

/// A key file, opened.
pub(super) fn open_key(path: &std::path::Path) -> Result<SigningKey, Failure> {
    let passphrase =
        || super::files::passphrase("CUSTOS_KEY_PASSPHRASE_FILE", "passphrase of the signing key: ");
    if key::needs_passphrase(path)? {
        Ok(key::open(path, Some(passphrase()?))?)
    } else {
        Ok(key::open(path, None)?)
    }
}
