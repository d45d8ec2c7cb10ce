//! Configuration: flags over environment over file over default, and where each value came from.

mod layers;
mod retention;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

pub use retention::Retention;
pub use tls::{ClientCertificates, Tls};

use crate::app::Profile;
use layers::Layers;

/// Days after which a key encryption key is old, unless the configuration says otherwise.
const KEK_DAYS: u32 = 31;
/// Read when no file is named and it is there.
pub const SYSTEM_FILE: &str = "/etc/custos/custos.toml";
/// Read from the data directory when no other file is: what `custos init` was told there.
const OWN_FILE: &str = "custos.toml";
const DEFAULT_LISTEN: &str = "127.0.0.1:8443";
const DEFAULT_DATA_DIR: &str = "custos-data";
/// Far above any configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag,
    /// An environment variable.
    Environment(&'static str),
    /// A configuration file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    value: T,
    source: Source,
}

/// Values given as flags.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--blobs-url`
    pub blobs_url: Option<String>,
    /// `--origin`
    pub origin: Option<String>,
    /// `--tls-cert`
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`
    pub tls_key: Option<PathBuf>,
}

/// The configuration of a vault's process.
#[derive(Clone)]
pub struct Config {
    file: Option<PathBuf>,
    listen: Setting<SocketAddr>,
    data_dir: Setting<PathBuf>,
    database_url: Setting<String>,
    blobs_url: Setting<String>,
    origin: Setting<String>,
    tls: Setting<Tls>,
    witnesses: Setting<Option<PathBuf>>,
    witness_roots: Setting<Option<PathBuf>>,
    timestamps: Setting<Vec<String>>,
    timestamp_roots: Setting<Option<PathBuf>>,
    timestamp_hours: Setting<u32>,
    backup_days: Setting<Option<u32>>,
    kek_days: Setting<u32>,
    retention: Setting<Vec<Retention>>,
    sign_in: Setting<Profile>,
    breached_passwords: Setting<Option<PathBuf>>,
    notices: Setting<Option<PathBuf>>,
    client_ca: Setting<Option<PathBuf>>,
    client_crls: Setting<Option<PathBuf>>,
    client_certificates: Setting<ClientCertificates>,
    providers: Setting<Option<PathBuf>>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that was named cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not TOML, or has a key that is not known.
    #[error("the configuration {} is malformed: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// A value that cannot be.
    #[error("`{key}` from {source_of}: {rule}")]
    Value {
        /// The key.
        key: &'static str,
        /// Where the value came from.
        source_of: Source,
        /// How it is written.
        rule: &'static str,
    },
}

impl Config {
    /// Puts together flags, environment, file and defaults.
    pub fn load(flags: &Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let (path, file) = read_file(flags, env)?;
        let layers = Layers { env, path: path.clone() };
        let listen =
            layers.pick("CUSTOS_LISTEN", flags.listen.clone(), file.listen, || DEFAULT_LISTEN.into());
        let listen = listen.parse("listen", "an address and a port, such as 127.0.0.1:8443", |text| {
            text.parse::<SocketAddr>().ok()
        })?;
        let data_dir =
            layers.pick("CUSTOS_DATA_DIR", flags.data_dir.as_deref().map(text), file.data_dir, || {
                DEFAULT_DATA_DIR.into()
            });
        let data_dir = data_dir.parse("data_dir", "a directory", |text| {
            (!text.is_empty()).then(|| std::path::absolute(text).ok()).flatten()
        })?;
        let within = |scheme: &str, name: &str| format!("{scheme}://{}", data_dir.value.join(name).display());
        let database_url =
            layers.pick("CUSTOS_DATABASE_URL", flags.database_url.clone(), file.database_url, || {
                within("sqlite", "custos.db")
            });
        let database_url = database_url.parse(
            "database_url",
            "sqlite:///path/to/custos.db or postgres://…",
            one_of(&["sqlite://", "postgres://", "postgresql://"]),
        )?;
        let blobs_url = layers
            .pick("CUSTOS_BLOBS_URL", flags.blobs_url.clone(), file.blobs_url, || within("file", "blobs"));
        let blobs_url = blobs_url.parse("blobs_url", "file:///path/to/blobs", one_of(&["file://"]))?;
        let origin = layers.pick("CUSTOS_ORIGIN", flags.origin.clone(), file.origin, || {
            format!("https://localhost:{}", listen.value.port())
        });
        let origin =
            origin.parse("origin", "https://host or https://host:port, without a path", web_origin)?;
        let tls = layers.tls(flags, file.tls)?;
        let witnesses = layers.optional("CUSTOS_WITNESSES", file.witnesses);
        let witness_roots = layers.optional("CUSTOS_WITNESS_ROOTS", file.witness_roots);
        let timestamps = file.timestamps.map(|urls| urls.join(" "));
        let timestamps = layers.pick("CUSTOS_TIMESTAMPS", None, timestamps, String::new);
        let timestamps = timestamps.parse("timestamps", "addresses", |text| {
            Some(text.split_ascii_whitespace().map(str::to_owned).collect())
        })?;
        let timestamp_roots = layers.optional("CUSTOS_TIMESTAMP_ROOTS", file.timestamp_roots);
        let hours = file.timestamp_hours.map(|hours| hours.to_string());
        let hours = layers.pick("CUSTOS_TIMESTAMP_HOURS", None, hours, || "24".to_owned());
        let timestamp_hours =
            hours.parse("timestamp_hours", "a number of hours", |text| text.parse().ok())?;
        let sign_in = layers.pick("CUSTOS_SIGN_IN", None, file.sign_in, || Profile::Standard.to_string());
        let sign_in = sign_in.parse("sign_in", "standard or cjis", |text| text.parse().ok())?;
        let certificates = layers.pick("CUSTOS_CLIENT_CERTIFICATES", None, file.client_certificates, || {
            ClientCertificates::default().to_string()
        });
        let client_certificates =
            certificates.parse("client_certificates", "optional or required", ClientCertificates::of)?;
        let client_ca = layers.optional("CUSTOS_CLIENT_CA", file.client_ca);
        let client_crls = layers.optional("CUSTOS_CLIENT_CRLS", file.client_crls);
        let alone = client_crls.value.is_some() || client_certificates.value == ClientCertificates::Required;
        if client_ca.value.is_none() && alone {
            let rule = "a file of authorities, where client_crls or client_certificates are set";
            return Err(ConfigError::Value { key: "client_ca", source_of: client_ca.source, rule });
        }
        if client_ca.value.is_some() && client_crls.value.is_none() {
            let rule = "a file or folder of lists of what was revoked, where client_ca is set; or \"none\", and whoever \
                        has a stolen certificate goes on until it is removed";
            return Err(ConfigError::Value { key: "client_crls", source_of: client_crls.source, rule });
        }
        let notices = layers.optional("CUSTOS_NOTICES", file.notices);
        let days = file.backup_days.map(|days| days.to_string());
        let days = layers.pick("CUSTOS_BACKUP_DAYS", None, days, || "0".to_owned());
        let backup_days = days.parse("backup_days", "a number of days, or 0 for no end", |text| {
            text.parse().ok().map(|days| Some(days).filter(|days| *days > 0))
        })?;
        let days = file.kek_days.map(|days| days.to_string());
        let days = layers.pick("CUSTOS_KEK_DAYS", None, days, || KEK_DAYS.to_string());
        let kek_days =
            days.parse("kek_days", "a number of days, or 0 for no reminder", |text| text.parse().ok())?;
        let retention = Retention::setting(file.retention, &layers)?;
        Ok(Self {
            file: path,
            listen,
            data_dir,
            database_url,
            blobs_url,
            origin,
            tls,
            witnesses,
            witness_roots,
            timestamps,
            timestamp_roots,
            timestamp_hours,
            backup_days,
            kek_days,
            retention,
            sign_in,
            breached_passwords: layers.optional("CUSTOS_BREACHED_PASSWORDS", file.breached_passwords),
            notices,
            client_ca,
            client_crls,
            client_certificates,
            providers: layers.optional("CUSTOS_PROVIDERS", file.providers),
        })
    }

    /// The file that was read.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The file in the data directory, read where no other one is.
    pub fn own_file(&self) -> PathBuf {
        self.data_dir().join(OWN_FILE)
    }

    /// Where to serve HTTPS.
    pub const fn listen(&self) -> SocketAddr {
        self.listen.value
    }

    /// Keys, certificate, and whatever else stays on this machine; absolute.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir.value
    }

    /// The database. May hold a password: not for logs.
    pub fn database_url(&self) -> &str {
        &self.database_url.value
    }

    /// Where encrypted evidence lies.
    pub fn blobs_url(&self) -> &str {
        &self.blobs_url.value
    }

    /// The address that people type.
    pub fn origin(&self) -> &str {
        &self.origin.value
    }

    /// The server's certificate.
    pub const fn tls(&self) -> &Tls {
        &self.tls.value
    }

    /// The policy file (C2SP tlog-policy) with the witnesses that are asked to cosign.
    pub fn witnesses(&self) -> Option<&Path> {
        self.witnesses.value.as_deref()
    }

    /// The certificates by which the witnesses' HTTPS is trusted, instead of the system's.
    pub fn witness_roots(&self) -> Option<&Path> {
        self.witness_roots.value.as_deref()
    }

    /// The addresses of the timestamp authorities that are asked.
    pub fn timestamps(&self) -> &[String] {
        &self.timestamps.value
    }

    /// The root certificates by which time stamps are believed.
    pub fn timestamp_roots(&self) -> Option<&Path> {
        self.timestamp_roots.value.as_deref()
    }

    /// Hours between two time stamps.
    pub const fn timestamp_hours(&self) -> u32 {
        self.timestamp_hours.value
    }

    /// How strictly people are signed in.
    pub const fn sign_in(&self) -> Profile {
        self.sign_in.value
    }

    /// SHA-1 of stolen passwords, which nobody may have.
    pub fn breached_passwords(&self) -> Option<&Path> {
        self.breached_passwords.value.as_deref()
    }

    /// The file that names who is told that something happened: webhooks and mail. It holds secrets.
    pub fn notices(&self) -> Option<&Path> {
        self.notices.value.as_deref()
    }

    /// For how many days backups are kept; without end where nobody said.
    pub const fn backup_days(&self) -> Option<u32> {
        self.backup_days.value
    }

    /// The authorities whose certificates people and machines show. Without, nobody is asked for one.
    pub fn client_ca(&self) -> Option<&Path> {
        self.client_ca.value.as_deref()
    }

    /// The lists of certificates that they have revoked: a file, or a folder of files.
    pub fn client_crls(&self) -> Option<&Path> {
        // Said in so many words: nothing is looked up.
        self.client_crls.value.as_deref().filter(|path| *path != Path::new("none"))
    }

    /// Whether everybody must show one.
    pub const fn client_certificates(&self) -> ClientCertificates {
        self.client_certificates.value
    }

    /// The file that names the providers by which people sign in.
    pub fn providers(&self) -> Option<&Path> {
        self.providers.value.as_deref()
    }

    /// After how many days somebody is reminded to replace the key encryption key; never with 0.
    pub const fn kek_days(&self) -> u32 {
        self.kek_days.value
    }

    /// For how long closed cases are kept; those that no rule is for, without end.
    pub fn retention(&self) -> &[Retention] {
        &self.retention.value
    }

    /// Every key with its value, as it may be shown, and its source.
    pub fn entries(&self) -> [(&'static str, String, &Source); 21] {
        [
            ("listen", self.listen.value.to_string(), &self.listen.source),
            ("data_dir", text(&self.data_dir.value), &self.data_dir.source),
            ("database_url", without_password(&self.database_url.value), &self.database_url.source),
            ("blobs_url", self.blobs_url.value.clone(), &self.blobs_url.source),
            ("origin", self.origin.value.clone(), &self.origin.source),
            ("tls", self.tls.value.to_string(), &self.tls.source),
            ("witnesses", optional_text(self.witnesses()), &self.witnesses.source),
            ("witness_roots", optional_text(self.witness_roots()), &self.witness_roots.source),
            ("timestamps", self.timestamps.value.join(" "), &self.timestamps.source),
            ("timestamp_roots", optional_text(self.timestamp_roots()), &self.timestamp_roots.source),
            ("timestamp_hours", self.timestamp_hours.value.to_string(), &self.timestamp_hours.source),
            ("backup_days", self.backup_days().unwrap_or(0).to_string(), &self.backup_days.source),
            ("kek_days", self.kek_days().to_string(), &self.kek_days.source),
            ("retention", Retention::shown(self.retention()), &self.retention.source),
            ("sign_in", self.sign_in.value.to_string(), &self.sign_in.source),
            ("breached_passwords", optional_text(self.breached_passwords()), &self.breached_passwords.source),
            ("notices", optional_text(self.notices()), &self.notices.source),
            ("client_ca", optional_text(self.client_ca()), &self.client_ca.source),
            ("client_crls", optional_text(self.client_crls()), &self.client_crls.source),
            (
                "client_certificates",
                self.client_certificates.value.to_string(),
                &self.client_certificates.source,
            ),
            ("providers", optional_text(self.providers()), &self.providers.source),
        ]
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().iter().map(|(key, value, _)| (key, value))).finish()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    data_dir: Option<String>,
    database_url: Option<String>,
    blobs_url: Option<String>,
    origin: Option<String>,
    tls: Option<FileTls>,
    witnesses: Option<PathBuf>,
    witness_roots: Option<PathBuf>,
    timestamps: Option<Vec<String>>,
    timestamp_roots: Option<PathBuf>,
    timestamp_hours: Option<u32>,
    backup_days: Option<u32>,
    kek_days: Option<u32>,
    retention: Option<Vec<retention::FileRetention>>,
    sign_in: Option<String>,
    breached_passwords: Option<PathBuf>,
    notices: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    client_crls: Option<PathBuf>,
    client_certificates: Option<String>,
    providers: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum FileTls {
    Word(String),
    Files { cert: PathBuf, key: PathBuf },
}

fn read_file(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Option<PathBuf>, File), ConfigError> {
    let named = flags.config.clone().or_else(|| env("CUSTOS_CONFIG").map(PathBuf::from));
    let system = || Some(PathBuf::from(SYSTEM_FILE)).filter(|path| path.exists());
    let data_dir = flags.data_dir.clone().or_else(|| env("CUSTOS_DATA_DIR").map(PathBuf::from));
    let own = data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into()).join(OWN_FILE);
    let own = || Some(own).filter(|path| path.exists());
    let Some(path) = named.or_else(system).or_else(own) else { return Ok((None, File::default())) };
    let read = |source| ConfigError::Read { path: path.clone(), source };
    let malformed = |problem: String| ConfigError::Malformed { path: path.clone(), problem };
    if std::fs::metadata(&path).map_err(read)?.len() > MAX_FILE_BYTES {
        return Err(malformed("it is larger than 1 MiB".into()));
    }
    let content = std::fs::read_to_string(&path).map_err(read)?;
    let file = toml::from_str(&content).map_err(|error| {
        let line = error.span().map_or(1, |span| content[..span.start].lines().count().max(1));
        malformed(format!("line {line}: {}", error.message()))
    })?;
    Ok((Some(path), file))
}

fn one_of(schemes: &'static [&'static str]) -> impl FnOnce(&str) -> Option<String> {
    move |text| schemes.iter().any(|scheme| text.starts_with(scheme)).then(|| text.to_owned())
}

/// An origin as browsers write it in `Origin`: small letters, no default port.
fn web_origin(text: &str) -> Option<String> {
    let host = text.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &text[8..])?;
    if host.is_empty() || host.contains(['/', '\\', '?', '#', '@', ' ']) {
        return None;
    }
    Some(Url::parse(text).ok()?.origin().ascii_serialization())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn optional_text(path: Option<&Path>) -> String {
    path.map_or_else(|| "none".to_owned(), text)
}

/// `postgres://user:secret@host` as `postgres://user:***@host`, and whatever a query says about a password.
fn without_password(url: &str) -> String {
    let url = match url.split_once("password=") {
        Some((before, after)) => {
            let rest = after.find('&').map_or("", |end| &after[end..]);
            format!("{before}password=***{rest}")
        }
        None => url.to_owned(),
    };
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let end = rest.find('/').unwrap_or(rest.len());
    // The last `@` of the authority: a password may contain one.
    let Some(at) = rest[..end].rfind('@') else { return url };
    match rest[..at].split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:***{}", &rest[at..]),
        None => url,
    }
}

#[cfg(test)]
mod tests;
