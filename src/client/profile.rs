//! A profile: one vault as one person on one device knows it.
//!
//! A TOML file with the vault's address, the pins that trust rests on, and where token, key and receipts lie. It
//! holds no secret itself. Paths in it are relative to the file.

use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::id::PersonId;
use custody::log_keys::LogKeys;
use custody::note::VerifierKey;
use serde::{Deserialize, Serialize};

use super::secret::file;
use super::{ClientError, OwnCertificate, VaultTrust};
use crate::durable;

/// Name of the profile when none is given.
pub const DEFAULT_PROFILE: &str = "default";
/// Far above any profile.
const MAX_PROFILE_BYTES: u64 = 65_536;

/// A profile as read.
#[derive(Debug, Clone)]
pub struct Profile {
    path: PathBuf,
    wire: Wire,
    tls: Digest,
    trust: VaultTrust,
    person: PersonId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    /// `https://host:port`, without a path.
    url: String,
    /// SHA-256 of the server's certificate, hex: the pin.
    fingerprint: String,
    /// Hash of the vault's record 0, hex.
    vault: String,
    /// The log's verifier key.
    log_vkey: String,
    /// The vault's public key, hex.
    vault_key: String,
    /// The person's id.
    person: String,
    /// File with the API token; without, the certificate signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<PathBuf>,
    /// The certificate that every connection shows, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_cert: Option<PathBuf>,
    /// File with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_key: Option<PathBuf>,
    /// File with the person's own signing key, if there is one on this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
    /// Folder of receipts.
    receipts: PathBuf,
    /// The log's later keys, once they were followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    log_keys: Vec<LaterKey>,
}

/// A key that the log got after the one that record 0 names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaterKey {
    /// Index of the record that says so.
    since: u64,
    /// The verifier key.
    vkey: String,
    /// Where that record notes a loss: index of the first lost record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_from: Option<u64>,
}

/// What a new profile is made of.
#[derive(Debug, Clone)]
pub struct NewProfile {
    /// `https://host:port`.
    pub url: String,
    /// SHA-256 of the server's certificate.
    pub tls: Digest,
    /// The vault's identity and keys.
    pub trust: VaultTrust,
    /// The person.
    pub person: PersonId,
    /// File with the token, relative to the profile.
    pub token: Option<PathBuf>,
    /// The certificate that every connection shows.
    pub certificate: Option<OwnCertificate>,
    /// File with the person's own key, relative to the profile.
    pub key: Option<PathBuf>,
    /// Folder of receipts, relative to the profile.
    pub receipts: PathBuf,
}

impl Profile {
    /// Reads a profile and everything in it that trust rests on.
    pub fn read(path: &Path) -> Result<Self, ClientError> {
        let problem = |problem: String| ClientError::Profile { path: path.to_owned(), problem };
        let metadata = std::fs::metadata(path).map_err(|_| problem("there is no such profile".into()))?;
        if metadata.len() > MAX_PROFILE_BYTES {
            return Err(problem("it is larger than 64 KiB".into()));
        }
        let text = std::fs::read_to_string(path).map_err(file(path))?;
        let wire: Wire = toml::from_str(&text).map_err(|error| problem(error.message().to_owned()))?;
        let digest = |name: &str, hex: &str| {
            Digest::from_hex(hex)
                .map_err(|_| problem(format!("`{name}` is 64 lower-case hexadecimal digits")))
        };
        let tls = digest("fingerprint", &wire.fingerprint)?;
        let log: VerifierKey =
            wire.log_vkey.parse().map_err(|_| problem("`log_vkey` is not a verifier key".into()))?;
        let key = digest("vault_key", &wire.vault_key)?;
        let trust = VaultTrust::new(digest("vault", &wire.vault)?, log, key.as_bytes())
            .map_err(|_| problem("`vault_key` is not a public key".into()))?;
        let logs = wire.log_keys.iter().try_fold(trust.logs().clone(), |logs, later| {
            logs.replaced_after(later.since, later.lost_from, later.vkey.parse().ok()?).ok()
        });
        let trust = trust.with_logs(logs.ok_or_else(|| problem("`log_keys` are not the log's".into()))?);
        let person = wire.person.parse().map_err(|_| problem("`person` is not an id".into()))?;
        Ok(Self { path: path.to_owned(), wire, tls, trust, person })
    }

    /// Writes a new profile; never over an old one.
    pub fn create(path: &Path, new: NewProfile) -> Result<Self, ClientError> {
        let wire = Wire {
            url: new.url,
            fingerprint: new.tls.to_hex(),
            vault: new.trust.fingerprint().to_hex(),
            log_vkey: new.trust.log().to_string(),
            vault_key: hex::encode(new.trust.key().as_bytes()),
            person: new.person.to_string(),
            token: new.token,
            client_cert: new.certificate.as_ref().map(|own| own.chain.clone()),
            client_key: new.certificate.map(|own| own.key),
            key: new.key,
            receipts: new.receipts,
            log_keys: later_keys(new.trust.logs()),
        };
        let text = toml::to_string(&wire).map_err(|error| ClientError::Input(error.to_string()))?;
        super::secret::write(path, text.trim_end())?;
        Self::read(path)
    }

    /// Names the person's own key in the profile, from now on.
    pub fn set_key(&mut self, key: &Path) -> Result<(), ClientError> {
        self.wire.key = Some(key.to_owned());
        self.write()
    }

    /// Keeps the log's keys, which were followed from the one in the profile.
    pub fn set_log_keys(&mut self, logs: &LogKeys) -> Result<(), ClientError> {
        self.wire.log_keys = later_keys(logs);
        self.trust = self.trust.clone().with_logs(logs.clone());
        self.write()
    }

    fn write(&self) -> Result<(), ClientError> {
        let text = toml::to_string(&self.wire).map_err(|error| ClientError::Input(error.to_string()))?;
        durable::replace(&self.path, 0o600, text.as_bytes()).map_err(file(&self.path))
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `https://host:port`.
    pub fn url(&self) -> &str {
        &self.wire.url
    }

    /// The pin: SHA-256 of the server's certificate.
    pub const fn tls(&self) -> Digest {
        self.tls
    }

    /// The pin, where `url` lies at this profile's vault.
    pub fn tls_of(&self, url: &str) -> Option<Digest> {
        let rest = url.strip_prefix(self.url().trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then_some(self.tls)
    }

    /// The vault's identity and keys.
    pub const fn trust(&self) -> &VaultTrust {
        &self.trust
    }

    /// Whose profile it is.
    pub const fn person(&self) -> PersonId {
        self.person
    }

    /// File with the token, if there is one.
    pub fn token_file(&self) -> Option<PathBuf> {
        self.wire.token.as_ref().map(|token| self.folder().join(token))
    }

    /// The certificate that every connection shows.
    pub fn certificate(&self) -> Option<OwnCertificate> {
        let (chain, key) = (self.wire.client_cert.as_ref()?, self.wire.client_key.as_ref()?);
        Some(OwnCertificate { chain: self.folder().join(chain), key: self.folder().join(key) })
    }

    /// File with the person's own key.
    pub fn key_file(&self) -> Option<PathBuf> {
        self.wire.key.as_ref().map(|key| self.folder().join(key))
    }

    /// Folder of receipts.
    pub fn receipts(&self) -> PathBuf {
        self.folder().join(&self.wire.receipts)
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

fn later_keys(logs: &LogKeys) -> Vec<LaterKey> {
    let later = logs.former().iter().zip(logs.each().skip(1));
    let later = later.map(|(former, key)| LaterKey {
        since: former.until,
        vkey: key.to_string(),
        lost_from: former.lost_from,
    });
    later.collect()
}

/// Where profiles live: `$CUSTOS_HOME`, else `$XDG_CONFIG_HOME/custos`, else `~/.config/custos`.
pub fn home(env: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, ClientError> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CUSTOS_HOME")
        .or_else(|| set("XDG_CONFIG_HOME").map(|base| base.join("custos")))
        .or_else(|| set("HOME").map(|home| home.join(".config/custos")))
        .ok_or_else(|| ClientError::Input("neither CUSTOS_HOME nor HOME is set".into()))
}

/// The file of a profile given by name, or by a path (with a slash, or ending in `.toml`).
pub fn profile_path(home: &Path, name: &str) -> Result<PathBuf, ClientError> {
    if name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        return Ok(PathBuf::from(name));
    }
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !plain || name.is_empty() || name.starts_with('.') {
        return Err(ClientError::Input(format!(
            "a profile's name is made of letters, digits, `-`, `_` and `.`, not `{name}`"
        )));
    }
    Ok(home.join("profiles").join(format!("{name}.toml")))
}
