//! The file that names the providers.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::{AT_ONCE, EXCHANGES, FETCHES, Provider, Providers, SecondFactor, limiter};
use crate::client::{ClientError, secret};
use crate::outside;

/// Most bytes of the file.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// Most providers of a vault.
const MAX_PROVIDERS: usize = 16;
/// How long a provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How a provider may sign where the operator says nothing.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
/// What says of one factor, or of none, that it was shown (RFC 8176, section 2; all but `mfa`).
const ONE_FACTOR: [&str; 20] = [
    "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "otp", "pin", "pop", "pwd", "rba", "retina", "sc",
    "sms", "swk", "tel", "user", "vbm", "wia",
];
/// Where the vault's own pages are to which people come back, one for each provider.
const RETURN: &str = "/sign-in/return";

/// Why there are no providers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvidersError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is none, or has a key that is not known.
    #[error("{path}: {problem}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// The file with a client's secret.
    #[error("the secret of provider `{provider}`")]
    Secret {
        /// Whose.
        provider: String,
        /// Why not.
        #[source]
        source: ClientError,
    },
    /// A value that cannot be.
    #[error("provider `{provider}`: {rule}")]
    Value {
        /// Which.
        provider: String,
        /// How it must be.
        rule: &'static str,
    },
    /// HTTP cannot be set up.
    #[error("cannot be set up: {0}")]
    SetUp(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<Settings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: String,
    issuer: String,
    client_id: String,
    client_secret_file: PathBuf,
    #[serde(default)]
    algorithms: Option<Vec<String>>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    roots: Option<PathBuf>,
    #[serde(default)]
    second_factor: Option<Worth>,
    #[serde(default)]
    acr: Vec<String>,
    #[serde(default)]
    amr: Vec<String>,
    #[serde(default)]
    plain_loopback: bool,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Worth {
    Never,
    Always,
}

/// Reads the file that names the providers of the vault that people reach at `origin`. Paths in it are relative to it.
pub fn load(path: &Path, origin: &str) -> Result<Providers, ProvidersError> {
    let read = |source| ProvidersError::Read { path: path.to_owned(), source };
    let malformed = |problem: String| ProvidersError::Malformed { path: path.to_owned(), problem };
    if std::fs::metadata(path).map_err(read)?.len() > MAX_FILE_BYTES {
        return Err(malformed("it is larger than 64 KiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        malformed(format!("line {line}: {}", error.message()))
    })?;
    if file.provider.len() > MAX_PROVIDERS {
        return Err(malformed("a vault has at most 16 providers".to_owned()));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let made = file.provider.into_iter().map(|settings| provider(settings, folder, origin));
    let providers: Vec<_> = made.collect::<Result<_, _>>()?;
    for (at, provider) in providers.iter().enumerate() {
        if providers[..at].iter().any(|other| other.name == provider.name || other.issuer == provider.issuer)
        {
            return Err(value(&provider.name, "each provider has its own name and its own issuer"));
        }
    }
    Ok(Providers(providers))
}

fn provider(settings: Settings, folder: &Path, origin: &str) -> Result<Provider, ProvidersError> {
    let Settings { name, issuer, client_id, algorithms, plain_loopback: plain, .. } = settings;
    let plain_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain_name) {
        return Err(value(&name, "a name has 1 to 40 small letters, digits and hyphens"));
    }
    let address = Url::parse(&issuer).ok().filter(|url| {
        let own = url.scheme() == "https" || plain && url.scheme() == "http" && is_loopback(url);
        own && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    let rule = "an issuer is https://host, with a path or without, exactly as it calls itself";
    let host = address.as_ref().and_then(Url::host_str).ok_or(value(&name, rule))?.to_owned();
    let algorithms = algorithms.map_or(Ok(ALGORITHMS.to_vec()), |named| allowed(&name, &named))?;
    let always = settings.second_factor == Some(Worth::Always);
    if settings.second_factor.is_some() && !(settings.acr.is_empty() && settings.amr.is_empty()) {
        return Err(value(&name, "second_factor says it for all; without it, acr and amr say it for some"));
    }
    if settings.amr.iter().any(|amr| ONE_FACTOR.contains(&amr.as_str())) {
        return Err(value(
            &name,
            "amr names what says that two factors were shown, such as mfa; not one of them",
        ));
    }
    let secret_file = folder.join(settings.client_secret_file);
    let secret = secret::read(&secret_file)
        .map_err(|source| ProvidersError::Secret { provider: name.clone(), source })?;
    let roots = settings.roots.map(|roots| folder.join(roots));
    Ok(Provider {
        http: http(roots.as_deref(), plain)?,
        hosts: settings.hosts.into_iter().map(|host| host.to_ascii_lowercase()).chain([host]).collect(),
        second_factor: SecondFactor { always, acr: settings.acr, amr: settings.amr },
        redirect: format!("{origin}{RETURN}/{name}"),
        known: std::sync::RwLock::default(),
        fetches: limiter(FETCHES),
        exchanges: limiter(EXCHANGES),
        at_once: Semaphore::new(AT_ONCE),
        fetching: tokio::sync::Mutex::default(),
        fetched: AtomicU64::default(),
        name,
        issuer,
        client_id,
        secret,
        algorithms,
        plain,
    })
}

/// The algorithms named: signatures with a key that is published, and no others.
fn allowed(provider: &str, named: &[String]) -> Result<Vec<Algorithm>, ProvidersError> {
    let of = |name: &String| {
        let algorithm: Option<Algorithm> = name.parse().ok();
        let shared = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        algorithm.filter(|algorithm| !shared.contains(algorithm)).ok_or(value(
            provider,
            "algorithms are some of RS256 to RS512, PS256 to PS512, ES256, ES384, EdDSA",
        ))
    };
    if named.is_empty() {
        return Err(value(provider, "at least one algorithm"));
    }
    named.iter().map(of).collect()
}

fn http(roots: Option<&Path>, plain: bool) -> Result<reqwest::Client, ProvidersError> {
    let set_up = |error: reqwest::Error| ProvidersError::SetUp(error.to_string());
    let mut builder = outside::client(PATIENCE).https_only(!plain);
    if let Some(path) = roots {
        let read = |source| ProvidersError::Read { path: path.to_owned(), source };
        let pem = std::fs::read(path).map_err(read)?;
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).map_err(set_up)?);
    }
    builder.build().map_err(set_up)
}

/// Whether an address is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn value(provider: &str, rule: &'static str) -> ProvidersError {
    ProvidersError::Value { provider: provider.to_owned(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(more: &str) -> Result<Providers, ProvidersError> {
        let dir = tempfile::tempdir().unwrap();
        secret::write(&dir.path().join("secret"), "s").unwrap();
        let plain = "client_id = 'custos'\nclient_secret_file = 'secret'\n";
        let text = format!("[[provider]]\n{plain}{more}");
        std::fs::write(dir.path().join("providers.toml"), text).unwrap();
        load(&dir.path().join("providers.toml"), "https://vault.example")
    }

    #[test]
    fn a_provider_is_named_with_what_it_may_do() {
        let named = "name = 'ministry'\nissuer = 'https://login.example/realm'\n";
        let found = of(named).unwrap();
        let provider = found.of_name("ministry").unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), ["ministry"]);
        assert_eq!(provider.redirect, "https://vault.example/sign-in/return/ministry");
        let own = |url: &str| provider.is_own(&Url::parse(url).unwrap());
        assert!(own("https://login.example/x"));
        for foreign in [
            "http://login.example/x",
            "https://login.example.evil/x",
            "https://evil/login.example",
            "https://a@login.example/",
            "https://169.254.169.254/",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_cannot_be_or_must_not_be_is_refused() {
        let ok = "name = 'm'\nissuer = 'https://login.example'\n";
        assert!(of(&format!("{ok}algorithms = ['ES256', 'EdDSA']\nacr = ['x']\namr = ['mfa']\n")).is_ok());
        assert!(of("name = 'm'\nissuer = 'http://127.0.0.1:1'\nplain_loopback = true\n").is_ok());
        for wrong in [
            "name = 'M m'\nissuer = 'https://login.example'\n".to_owned(),
            "name = 'm'\nissuer = 'http://login.example'\n".to_owned(),
            "name = 'm'\nissuer = 'http://login.example'\nplain_loopback = true\n".to_owned(),
            "name = 'm'\nissuer = 'http://127.0.0.1:1'\n".to_owned(),
            "name = 'm'\nissuer = 'https://a:b@login.example'\n".to_owned(),
            "name = 'm'\nissuer = 'https://login.example/?x'\n".to_owned(),
            format!("{ok}algorithms = ['none']\n"),
            format!("{ok}algorithms = ['HS256']\n"),
            format!("{ok}algorithms = []\n"),
            format!("{ok}second_factor = 'always'\nacr = ['x']\n"),
            format!("{ok}amr = ['mfa', 'hwk']\n"),
            format!("{ok}amr = ['otp']\n"),
            format!("{ok}scopes = ['email']\n"),
            format!("{ok}roots = 'nowhere.pem'\n"),
        ] {
            assert!(of(&wrong).is_err(), "{wrong}");
        }
    }
}
