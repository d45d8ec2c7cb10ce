//! Setting up a vault, and opening one that is there.

mod error;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use custody::act::{Act, KekStep, OrgRegistered, PersonRegistered, RoleChange, VaultRole};
use custody::checkpoint::Origin;
use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::envelope::{Envelope, PayloadType};
use custody::id::{OrgId, PersonId};
use custody::keys::{KeyError, WrappedKey};
use custody::kind::Kind;
use custody::log_keys::LogKeys;
use custody::record::Sequence;
use custody::rules::Vault;
use custody::statement::Statement;
use ed25519_dalek::SigningKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::compose::Say;
use super::lapsed::lapsed;
use super::notices::Telling;
use super::publication::Publication;
use super::say::With;
use super::timestamps::Timestamping;
use super::token::DEFAULT_DAYS;
use super::{App, AppError};
use crate::blobs::Blobs;
use crate::clock::{Clock, SystemClock};
use crate::config::{ClientCertificates, Config, Tls};
use crate::engine::OsEntropy;
use crate::http::tls::{Clients, TlsError, TlsSource};
use crate::keyring::{Keyring, provider};
use crate::notices::{self, Channel};
use crate::ops::backup::{BackupError, before_migration};
use crate::providers;
use crate::publish::witnesses::Witnesses;
use crate::publish::{self, Publisher, StartError};
use crate::sequencer::{self, SigningKeys};
use crate::store::{Change, Store, StoreError};
use crate::timestamps::Authorities;

pub use error::SetupError;

/// What a new vault is told.
#[derive(Debug)]
pub struct InitOptions {
    /// Name of the organisation that runs it.
    pub org_name: String,
    /// Name of the first person, who becomes administrator and registrar.
    pub admin_name: String,
    /// Protects the key files; without one the files protect themselves by their permissions alone.
    pub passphrase: Option<Zeroizing<String>>,
    /// It takes sample data only, for ever, and asks for no recovery kit.
    pub samples_only: bool,
}

/// What a new vault says once.
#[derive(Debug)]
pub struct InitReport {
    /// Hash of record 0: the fingerprint that goes on paper.
    pub fingerprint: Digest,
    /// The log's verifier key.
    pub log_vkey: String,
    /// The log's origin.
    pub origin: String,
    /// The first person.
    pub admin_person: PersonId,
    /// That person's API token. Shown once.
    pub token: Zeroizing<String>,
    /// SHA-256 of the server's certificate.
    pub tls_fingerprint: Digest,
}

/// Makes a new vault: keys, database, record 0, the first organisation and person, and that person's token.
pub async fn init(config: &Config, options: InitOptions) -> Result<InitReport, SetupError> {
    let data = config.data_dir();
    make_private_dir(data)?;
    if let Some(folder) = config.blobs_url().strip_prefix("file://") {
        make_private_dir(Path::new(folder))?;
    }
    let origin = log_origin(config.origin())?;
    let tls = crate::http::tls::Tls::load(&tls_source(config), None)?;
    // The database first: one that holds a vault already must not get a second keyring.
    let store = Store::create(config.database_url()).await?;
    if store.read().await?.vault().await?.is_some() {
        return Err(StoreError::VaultExists.into());
    }
    let blobs = Blobs::open(config.blobs_url())?;
    if !blobs.log().is_empty().await? {
        return Err(SetupError::Published(StartError::OtherLog));
    }
    let provider = provider(options.passphrase);
    let keyring = Keyring::create(&data.join("keys"), provider.as_ref(), &mut OsEntropy)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let keys = signing_keys(&keyring, keyring.log_keys().values().next())?;
    sequencer::create_vault(&store, &keys, &origin, clock.as_ref(), &mut OsEntropy).await?;
    if options.samples_only {
        store.mark_samples_only().await?;
    }
    let app = App::start(store, keyring, blobs, clock, Outsiders::default()).await?;
    let (admin_person, token) =
        app.found(options.org_name, options.admin_name).await.map_err(SetupError::First)?;
    let report = InitReport {
        fingerprint: app.vault,
        log_vkey: app.identity.log_vkey.clone(),
        origin: app.identity.origin.clone(),
        admin_person,
        token,
        tls_fingerprint: tls.fingerprint,
    };
    app.close().await;
    Ok(report)
}

/// Opens the vault that `config` names.
pub async fn open(config: &Config, passphrase: Option<Zeroizing<String>>) -> Result<App, SetupError> {
    open_at(config, passphrase, Arc::new(SystemClock::new())).await
}

/// The same, by another clock.
pub async fn open_at(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
    clock: Arc<dyn Clock>,
) -> Result<App, SetupError> {
    Ok(open_signing(config, Parts::open(config, passphrase).await?, clock, true).await?.0)
}

/// The same, where the log's key may be gone: nothing can be recorded but what brings the next one. And what is published
/// contradicts, if anything: whoever stole that key may have written it, so that it is for people to judge.
pub(super) async fn open_to_continue(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
) -> Result<(App, Option<StartError>), SetupError> {
    let keyring = Keyring::open_to_continue(&config.data_dir().join("keys"), provider(passphrase).as_ref())?;
    open_signing(config, Parts::of(config, keyring).await?, Arc::new(SystemClock::new()), false).await
}

async fn open_signing(
    config: &Config,
    parts: Parts,
    clock: Arc<dyn Clock>,
    has_log_key: bool,
) -> Result<(App, Option<StartError>), SetupError> {
    let Parts { keyring, store, blobs } = parts;
    let witnesses = config.witnesses().map(|policy| Witnesses::load(policy, config.witness_roots()));
    let authorities =
        Authorities::load(config.timestamps(), config.timestamp_roots(), config.timestamp_hours())?;
    let notices =
        config.notices().map(|path| notices::load(path, config.origin())).transpose()?.unwrap_or_default();
    let outsiders = Outsiders { witnesses: witnesses.transpose()?, authorities, notices };
    for lapsed in lapsed(config, &store).await? {
        tracing::warn!("{}; this mends it: {}", lapsed.detail(), lapsed.remedy());
    }
    let (mut app, contradicted) =
        App::start_signing(store, keyring, blobs, clock, outsiders, has_log_key).await?;
    let providers = config.providers().map(|path| providers::load(path, config.origin()));
    app.signin = super::signin::SignIn::of(config, providers.transpose()?.unwrap_or_default())?;
    app.backup_days = config.backup_days();
    app.retention = config.retention().to_vec();
    Ok((app, contradicted))
}

/// Who is asked and told outside.
#[derive(Debug, Default)]
pub struct Outsiders {
    /// Who is asked to cosign.
    pub witnesses: Option<Witnesses>,
    /// Who is asked for time stamps.
    pub authorities: Option<Authorities>,
    /// Who is told that something happened.
    pub notices: Vec<Channel>,
}

/// Wraps by the version that the vault's records name; and destroys again what is destroyed by these records, and was put
/// back with a copy of the keys.
fn follow_keks(
    identity: &Vault,
    destroyed: &BTreeMap<u32, Digest>,
    keyring: &mut Keyring,
) -> Result<(), SetupError> {
    keyring.finish_destroying()?;
    if !keyring.use_kek(identity.kek()) {
        return Err(SetupError::OtherKeys("key encryption key"));
    }
    for (version, kek) in &identity.keks {
        let held = keyring.kek(*version).map(custody::keys::Kek::canary);
        match (held, destroyed.get(version)) {
            // Another key under the name of a destroyed one is not the one that the records mean.
            (Some(held), Some(check)) if held == *check => keyring.destroy_kek(*version)?,
            (Some(held), None) if held != kek.check => {
                return Err(SetupError::OtherKeys("key encryption key"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The versions that records of this vault say were destroyed, with the check value that each names. The table alone is not
/// believed: whoever writes to the database would destroy the keys by it, the one in use among them.
async fn destroyed_keks(
    store: &Store,
    identity: &Vault,
    keyring: &Keyring,
) -> Result<BTreeMap<u32, Digest>, SetupError> {
    let unsaid =
        || StoreError::Inconsistent("it names a key as destroyed, and no record of the vault says so");
    let key = keyring.vault_key().verifying_key();
    let mut tx = store.read().await?;
    let mut destroyed = BTreeMap::new();
    for (version, kek) in &identity.keks {
        let Some(index) = kek.destroyed else { continue };
        let row = tx.records_at(&[index]).await?.pop().ok_or_else(unsaid)?;
        let said = Envelope::parse(&row.envelope, PayloadType::Statement).ok();
        let said = said.filter(|said| said.signatures().len() == 1 && said.verify(0, &key).is_ok());
        let said = said.and_then(|said| Statement::parse(said.body()).ok());
        let said = said.filter(|said| said.vault == Some(identity.id));
        match said.and_then(|said| Act::parse(&said).ok()) {
            Some(Act::Kek(KekStep::Destroyed, d)) if d.kek == *version && d.kek < identity.kek() => {
                destroyed.insert(*version, d.check);
            }
            _ => return Err(unsaid().into()),
        }
    }
    Ok(destroyed)
}

/// What a vault is made of on this machine.
pub(super) struct Parts {
    pub(super) keyring: Keyring,
    pub(super) store: Store,
    pub(super) blobs: Blobs,
}

impl Parts {
    /// Opens them; the database is copied before its schema is brought up to date.
    pub(super) async fn open(
        config: &Config,
        passphrase: Option<Zeroizing<String>>,
    ) -> Result<Self, SetupError> {
        let keyring = Keyring::open(&config.data_dir().join("keys"), provider(passphrase).as_ref())?;
        Self::of(config, keyring).await
    }

    /// Opens them and changes nothing: a database with an older schema is refused ([`StoreError::OlderSchema`]).
    pub(super) async fn attach(
        config: &Config,
        passphrase: Option<Zeroizing<String>>,
    ) -> Result<Self, SetupError> {
        let keyring = Keyring::open(&config.data_dir().join("keys"), provider(passphrase).as_ref())?;
        let store = Store::attach(config.database_url()).await?;
        Ok(Self { keyring, store, blobs: Blobs::open(config.blobs_url())? })
    }

    pub(super) async fn of(config: &Config, keyring: Keyring) -> Result<Self, SetupError> {
        before_migration(config, SystemClock::new().now()).await.map_err(|error| match error {
            BackupError::Store(error) => SetupError::Store(error),
            error => SetupError::Copy(error),
        })?;
        let store = Store::open(config.database_url()).await?;
        Ok(Self { keyring, store, blobs: Blobs::open(config.blobs_url())? })
    }
}

/// The log's keys, once it is shown that the keyring is that of this vault.
pub(super) fn log_of(identity: &Vault, keyring: &Keyring) -> Result<LogKeys, SetupError> {
    if keyring.vault_key().verifying_key().as_bytes() != identity.key.as_bytes() {
        return Err(SetupError::OtherKeys("vault key"));
    }
    identity.log_keys().map_err(|_| SetupError::OtherKeys("log key"))
}

/// Who may have signed what is published: the log's keys, and those that the keyring got later.
pub(super) fn signers(keyring: &Keyring, log: &LogKeys) -> publish::Signers {
    let all = || keyring.log_keys().iter().map(|(version, key)| (*version, key.verifying_key()));
    let present = all().find(|(_, key)| key == log.present().public_key()).map(|(version, _)| version);
    let later = all().filter(|(version, _)| present.is_none_or(|present| *version > present));
    let held = later.map(|(_, key)| key).filter(|key| log.each().all(|had| had.public_key() != key));
    publish::Signers { log: log.clone(), held: held.collect(), lost: false }
}

/// Where the server's certificate comes from.
pub fn tls_source(config: &Config) -> TlsSource {
    match config.tls() {
        Tls::SelfSigned => TlsSource::SelfSigned(config.data_dir().join("tls")),
        Tls::Files { cert, key } => TlsSource::Files { cert: cert.clone(), key: key.clone() },
    }
}

/// Whose certificates the configuration believes; nothing where nobody is asked for one.
pub fn clients(config: &Config) -> Result<Option<Arc<Clients>>, TlsError> {
    let Some(ca) = config.client_ca() else { return Ok(None) };
    let required = config.client_certificates() == ClientCertificates::Required;
    Ok(Some(Arc::new(Clients::load(ca, config.client_crls(), required)?)))
}

/// The log's origin, from the address that people type: `https://vault.example.org` names `vault.example.org/custos/1`.
/// The number is there for a successor: a log whose key was lost goes on under the next one.
fn log_origin(address: &str) -> Result<Origin, SetupError> {
    let host = address.trim_start_matches("https://").trim_end_matches('/');
    Origin::new(&format!("{host}/custos/1")).map_err(|error| SetupError::Origin(error.to_string()))
}

/// The keys that sign now; nothing if the keyring lacks the log's.
pub(super) fn signing_keys(keyring: &Keyring, log: Option<&SigningKey>) -> Result<SigningKeys, SetupError> {
    let log = log.ok_or(SetupError::OtherKeys("log key"))?.clone();
    Ok(SigningKeys { log, vault: keyring.vault_key().clone() })
}

fn make_private_dir(path: &Path) -> Result<(), SetupError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| SetupError::Directory { path: path.to_owned(), source })
}

impl App {
    /// Starts the service over a vault that exists, after checking that keys and database belong together.
    pub async fn start(
        store: Store,
        keyring: Keyring,
        blobs: Blobs,
        clock: Arc<dyn Clock>,
        outsiders: Outsiders,
    ) -> Result<Self, SetupError> {
        Ok(Self::start_signing(store, keyring, blobs, clock, outsiders, true).await?.0)
    }

    async fn start_signing(
        store: Store,
        keyring: Keyring,
        blobs: Blobs,
        clock: Arc<dyn Clock>,
        Outsiders { witnesses, authorities, notices }: Outsiders,
        has_log_key: bool,
    ) -> Result<(Self, Option<StartError>), SetupError> {
        let (identity, founding) = {
            let mut tx = store.read().await?;
            let identity = tx.vault().await?.ok_or(StoreError::NoVault)?;
            let first = tx.records(Sequence::Vault, 0, 1).await?.pop().ok_or(StoreError::NoVault)?;
            (identity, (first.record, first.envelope.to_vec()))
        };
        let mut keyring = keyring;
        let destroyed = destroyed_keks(&store, &identity, &keyring).await?;
        follow_keks(&identity, &destroyed, &mut keyring)?;
        let log = log_of(&identity, &keyring)?;
        let log_key = keyring.log_key(log.present().public_key());
        // One that is not the log's signs nothing: its first checkpoint would be refused.
        let stand_in = (!has_log_key).then(|| SigningKey::from_bytes(&OsEntropy.array()));
        let keys = Arc::new(signing_keys(&keyring, log_key.or(stand_in.as_ref()))?);
        let found = publish::find(&store, &blobs.log(), &signers(&keyring, &log)).await;
        let (found, contradicted) = match found {
            Ok(found) => (found, None),
            Err(error) if has_log_key => return Err(error.into()),
            Err(error) => (publish::Found::default(), Some(error)),
        };
        let (sequencer, writer) =
            sequencer::start(store.clone(), keys, Arc::clone(&clock), Box::new(OsEntropy)).await?;
        let publisher = Publisher::new(
            store.clone(),
            blobs.log(),
            Arc::clone(&clock),
            sequencer.committed(),
            found,
            witnesses,
        );
        let intake = super::kit::Intake::of(&store, &keyring).await?;
        let app = Self {
            vault: identity.id,
            intake,
            backup_days: None,
            retention: Vec::new(),
            store,
            sequencer,
            writer: Mutex::new(Some(writer)),
            keyring: Arc::new(keyring),
            blobs,
            clock,
            identity,
            log,
            founding,
            field_keys: Mutex::new(HashMap::new()),
            refusals: Arc::default(),
            sent: super::sent::Sent::default(),
            turns: super::content::Turns::default(),
            redacting: super::redaction::OneAtATime::default(),
            cut_off: super::cut_off::CutOff::default(),
            exports: super::export::Recent::default(),
            scrubbing: super::scrub::Scrubbing::default(),
            publication: Publication::new(publisher),
            timestamping: Timestamping::new(authorities),
            signin: super::signin::SignIn::default(),
            telling: Telling::new(notices),
        };
        app.check_canaries().await?;
        Ok((app, contradicted))
    }

    /// Unwraps one key under each version of the key encryption key: a keyring that cannot read this database is
    /// found before anything is written with it.
    async fn check_canaries(&self) -> Result<(), SetupError> {
        for row in self.store.read().await?.canaries().await? {
            let opened = WrappedKey::parse(&row.wrapped).and_then(|wrapped| {
                let context = super::fields::context_of(self, &row.scope).ok_or(KeyError::OtherKek)?;
                self.keyring.unwrap(&context, &wrapped)
            });
            if opened.is_err() {
                return Err(SetupError::OtherKeys("key encryption key"));
            }
        }
        Ok(())
    }

    /// Records the first organisation, the first person with both roles, and gives that person a token.
    async fn found(
        &self,
        org_name: String,
        admin_name: String,
    ) -> Result<(PersonId, Zeroizing<String>), AppError> {
        let org = OrgId::new(Uuid::now_v7());
        let named = |name: String| [("name".to_owned(), name)].into();
        let say =
            Say::new(Kind::OrgRegistered).data(OrgRegistered { org }.to_data()).fields(named(org_name))?;
        self.say_as_vault(say, With::default()).await?;
        let person = PersonId::new(Uuid::now_v7());
        let say = Say::of_person(Kind::PersonRegistered, person)
            .data(PersonRegistered { org }.to_data())
            .fields(named(admin_name))?;
        self.say_as_vault(say, With::default()).await?;
        for role in [VaultRole::Administrator, VaultRole::Registrar] {
            let say = Say::of_person(Kind::RoleGranted, person).data(RoleChange { role }.to_data());
            self.say_as_vault(say, With::default()).await?;
        }
        let (secret, row) = self.make_token(Uuid::now_v7(), person, "first administrator", DEFAULT_DAYS)?;
        self.store.apply(&[Change::AddToken(row)]).await?;
        Ok((person, Zeroizing::new(secret.expose())))
    }

    /// Ends the service: nothing more is accepted, what was accepted is answered and durable.
    pub async fn close(&self) {
        self.scrubbing.end();
        let writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.sequencer.end().await;
        if let Some(writer) = writer {
            // A writer that panicked has nothing left to finish.
            let _ = writer.await;
        }
        self.publication.end().await;
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_named_after_the_address() {
        assert_eq!(log_origin("https://vault.example.org/").unwrap().as_str(), "vault.example.org/custos/1");
        assert_eq!(log_origin("https://localhost:8443").unwrap().as_str(), "localhost:8443/custos/1");
        assert!(log_origin("https://a b").is_err());
    }
}
