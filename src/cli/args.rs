//! Arguments that several commands share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use custody::id::Code;
use custody::time::Timestamp;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::files::{passphrase, secret_from};
use super::recover::refuse_served;
use super::{Global, env};
use crate::api::RoleTerm;
use crate::config::{Config, Flags};
use crate::keyring::{KeyFile, PassphraseProvider};

/// The vault on this machine, and what its keys are protected by.
#[derive(Debug, clap::Args)]
pub(super) struct Vault {
    /// File with the passphrase of the vault's keys (mode 0600), or - for stdin
    #[arg(long, value_name = "FILE", env = "CUSTOS_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

impl Vault {
    /// The configuration, for what needs no key.
    pub(super) fn config(&self, global: &Global) -> Result<Config, Failure> {
        self.server.config(global)
    }

    /// The configuration, and the passphrase of the keys where they are kept under one: from its file, or asked for.
    pub(super) fn open(&self, global: &Global) -> Result<(Config, Option<Zeroizing<String>>), Failure> {
        let config = self.config(global)?;
        let passphrase = self.passphrase(&config)?;
        Ok((config, passphrase))
    }

    /// As [`open`](Self::open), for what must not run beside the service.
    pub(super) async fn open_unserved(
        &self,
        global: &Global,
    ) -> Result<(Config, Option<Zeroizing<String>>), Failure> {
        let config = self.config(global)?;
        refuse_served(config.listen()).await?;
        let passphrase = self.passphrase(&config)?;
        Ok((config, passphrase))
    }

    fn passphrase(&self, config: &Config) -> Result<Option<Zeroizing<String>>, Failure> {
        if let Some(file) = &self.passphrase_file {
            return Ok(Some(secret_from(file, "passphrase")?));
        }
        // A key file that cannot be read is reported, with its remedy, when the keyring is opened.
        let locked = KeyFile::read(&config.data_dir().join("keys").join("vault.key"))
            .is_ok_and(|key| key.provider == PassphraseProvider::NAME);
        let ask = || passphrase("CUSTOS_PASSPHRASE_FILE", "passphrase of the vault's keys: ");
        locked.then(ask).transpose()
    }
}

/// Where a vault on this machine keeps its things; each also `CUSTOS_…` or a key of the configuration file.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Server {
    /// Address and port to serve HTTPS on
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Keys, certificate, and what else stays on this machine
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// `sqlite:///path` or `postgres://…`
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where encrypted evidence lies: `file:///path`
    #[arg(long, value_name = "URL")]
    blobs_url: Option<String>,
    /// The address that people type
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// Certificate chain (PEM); without one, a self-signed certificate is made
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
}

impl Server {
    /// The configuration with these flags on top.
    pub(super) fn config(&self, global: &Global) -> Result<Config, Failure> {
        let this = self.clone();
        let flags = Flags {
            config: global.config.clone(),
            listen: this.listen,
            data_dir: this.data_dir,
            database_url: this.database_url,
            blobs_url: this.blobs_url,
            origin: this.origin,
            tls_cert: this.tls_cert,
            tls_key: this.tls_key,
        };
        Ok(Config::load(&flags, &env)?)
    }
}

/// `name=value` of `--field`.
pub(super) fn parse_field(text: &str) -> Result<(Code, String), String> {
    let (name, value) = text.split_once('=').ok_or("a field is written name=value")?;
    let name = name.parse().map_err(|error| format!("{name}: {error}"))?;
    Ok((name, value.to_owned()))
}

/// Fields given one by one, each once.
pub(super) fn fields(given: &[(Code, String)]) -> Result<BTreeMap<Code, String>, Failure> {
    let mut fields = BTreeMap::new();
    for (name, value) in given {
        if fields.insert(name.clone(), value.clone()).is_some() {
            return Err(Failure::usage(format!("the field {name} is given twice")));
        }
    }
    Ok(fields)
}

/// A field's name that this program knows.
#[expect(clippy::expect_used, reason = "names in the source are codes")]
pub(super) fn code(name: &str) -> Code {
    name.parse().expect("a name of our own is a code")
}

/// How long a role counts.
#[derive(Debug, clap::Args)]
pub(super) struct TermArgs {
    /// The role counts from then on: a day, or a time such as 2026-12-01T08:00:00.000Z; without it, at once
    #[arg(long, value_name = "TIME", value_parser = day_or_time)]
    pub(super) from: Option<Timestamp>,
    /// It counts no longer from then on; without it, until it is taken away
    #[arg(long, value_name = "TIME", value_parser = day_or_time)]
    pub(super) until: Option<Timestamp>,
}

fn day_or_time(text: &str) -> Result<Timestamp, String> {
    let day = format!("{text}T00:00:00.000Z").parse();
    day.or_else(|_| text.parse()).map_err(|error| format!("a day is written YYYY-MM-DD; {error}"))
}

/// Roles that begin or end at some time, as a list shows them.
pub(super) fn terms(terms: &[RoleTerm]) -> String {
    let edge =
        |word: &str, at: &Option<String>| at.as_ref().map(|at| format!(" {word} {at}")).unwrap_or_default();
    let term = |t: &RoleTerm| format!("{}{}{}", t.role, edge("from", &t.from), edge("until", &t.until));
    terms.iter().map(term).collect::<Vec<_>>().join(", ")
}
