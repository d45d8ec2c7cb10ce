//! Arguments that several commands share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use custody::id::Code;

use super::failure::Failure;
use super::{Global, env};
use crate::config::{Config, Flags};

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
