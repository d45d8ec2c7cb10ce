//! The people of the story, each with a profile, a token and a key of their own.

use std::path::{Path, PathBuf};

use custody::act::VaultRole;
use custody::digest::Digest;
use custody::id::{OrgId, PersonId};
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::login::{Places, redeem};
use crate::cli::person;
use crate::client::{Client, ClientError, Profile, Stranger, key, secret};

/// The vault as people meet it.
pub(super) struct Door<'a> {
    pub(super) url: &'a str,
    pub(super) tls: Digest,
    pub(super) fingerprint: Digest,
    /// Folder of everybody's folders.
    pub(super) people: PathBuf,
}

impl Door<'_> {
    /// The first administrator: signs in with the token that `init` wrote, and enrols a key for which the vault
    /// vouches once.
    pub(super) async fn administrator(
        &self,
        person: PersonId,
        token: &Zeroizing<String>,
    ) -> Result<Client, Failure> {
        let path = self.profile("administrator");
        let places = Places::beside(&path)?;
        secret::write(places.token(), token)?;
        let mut profile = places.profile(&self.meet().await?, self.tls, person, None, true)?;
        let key = key::generate()?;
        key::create(&path.with_extension("key"), &key, None)?;
        // Whoever runs the vault saw this key being made: it happened on the line above.
        Client::open(&profile, None)?.enrol_key(&key, "in-person").await?;
        profile.set_key(Path::new("profile.key"))?;
        Ok(Client::open(&profile, Some(key))?)
    }

    /// Somebody who is registered, invited, makes a key on their own device, and is vouched for.
    pub(super) async fn invited(
        &self,
        administrator: &Client,
        org: OrgId,
        role: &str,
        name: &str,
        vault_roles: &[VaultRole],
    ) -> Result<Client, Failure> {
        let id = person::add(administrator, name, org, None, vault_roles).await?;
        let invitation = administrator.invite(id, "in-person").await?;
        let code = Zeroizing::new(invitation.code);
        let (profile, enrolment) =
            redeem(&self.meet().await?, self.tls, &self.profile(role), &code, None, "sample device").await?;
        let waiting = administrator.enrolments().await?;
        let enrolment = waiting
            .iter()
            .find(|waiting| waiting.id == enrolment)
            .ok_or(ClientError::Protocol("an enrolment waits for whoever sent the invitation"))?;
        administrator.approve(enrolment).await?;
        open(&profile)
    }

    async fn meet(&self) -> Result<Stranger, ClientError> {
        Stranger::meet(self.url, self.tls, self.fingerprint).await
    }

    fn profile(&self, role: &str) -> PathBuf {
        self.people.join(role).join("profile.toml")
    }
}

fn open(profile: &Profile) -> Result<Client, Failure> {
    let key = profile.key_file().map(|path| key::open(&path, None)).transpose()?;
    Ok(Client::open(profile, key)?)
}
