//! The real service: HTTPS on a port of its own, a temporary data directory, either engine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use custody::digest::Digest;
use custody::log_keys::LogKeys;
use custody::note::VerifierKey;
use custos::api;
use custos::app::setup::{self, InitOptions};
use custos::config::{Config, Flags};
use custos::http::{Bound, ServeError, serve};
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, oneshot};

use super::client::Caller;
use super::postgres;
use super::world::Engine;

/// What every caller of one vault shares.
pub(crate) struct Shared {
    pub(crate) base: Mutex<String>,
    pub(crate) http: reqwest::Client,
    pub(crate) vault: Digest,
    pub(crate) log: VerifierKey,
    /// All keys that the log has had.
    pub(crate) keys: Mutex<LogKeys>,
    /// Bodies of all errors that anybody was sent.
    pub(crate) errors: Mutex<Vec<String>>,
}

/// A vault and its running service.
pub(crate) struct TestApp {
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) admin: Caller,
    pub(crate) org: String,
    running: Option<Running>,
    directory: tempfile::TempDir,
}

struct Running {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Result<(), ServeError>>,
}

/// An empty place for a vault.
pub(crate) async fn place(engine: Engine, root: &Path) -> Config {
    place_with(engine, root, &[]).await
}

/// The same, with paths in the environment.
pub(crate) async fn place_with(engine: Engine, root: &Path, more: &[(&str, &Path)]) -> Config {
    let flags = Flags {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(root.join("data")),
        database_url: match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::fresh_database().await),
        },
        ..Flags::default()
    };
    Config::load(&flags, &named(more)).unwrap()
}

/// An environment that has these paths.
pub(crate) fn named(paths: &[(&str, &Path)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let found = paths.iter().find(|(found, _)| *found == name);
        found.map(|(_, path)| path.display().to_string())
    }
}

/// A second process.
pub(crate) struct Another(Running);

impl Another {
    pub(crate) async fn stop(self) {
        let Running { stop, thread } = self.0;
        stop.send(()).await.unwrap();
        tokio::task::spawn_blocking(|| thread.join().unwrap().unwrap()).await.unwrap();
    }
}

impl TestApp {
    pub(crate) async fn new(engine: Engine) -> Self {
        Self::named(engine, "Sample Unit", "Ada Admin").await
    }

    pub(crate) async fn named(engine: Engine, org: &str, admin: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = place(engine, directory.path()).await;
        Self::init(config, directory, org, admin).await
    }

    /// A vault that takes evidence, once its recovery kit was checked.
    pub(crate) async fn for_evidence(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = place(engine, directory.path()).await;
        Self::begin(config, directory, ("Unit", "Ada Admin"), false).await
    }

    pub(crate) async fn init(config: Config, directory: tempfile::TempDir, org: &str, admin: &str) -> Self {
        Self::begin(config, directory, (org, admin), true).await
    }

    async fn begin(
        config: Config,
        directory: tempfile::TempDir,
        (org, admin): (&str, &str),
        samples_only: bool,
    ) -> Self {
        let (org_name, admin_name) = (org.to_owned(), admin.to_owned());
        let options = InitOptions { org_name, admin_name, passphrase: None, samples_only };
        let report = Box::pin(setup::init(&config, options)).await.unwrap();
        let shared = Arc::new(Shared {
            base: Mutex::new(String::new()),
            http: pinned(&config),
            vault: report.fingerprint,
            log: report.log_vkey.parse().unwrap(),
            keys: Mutex::new(report.log_vkey.parse::<VerifierKey>().unwrap().into()),
            errors: Mutex::default(),
        });
        let admin = Caller {
            shared: Arc::clone(&shared),
            id: report.admin_person.to_string(),
            token: report.token.to_string(),
            key: SigningKey::from_bytes(&[21; 32]),
        };
        let mut app = Self { config, shared, admin, org: String::new(), running: None, directory };
        let bound = app.start().await;
        assert_eq!(bound.tls_fingerprint, report.tls_fingerprint);
        assert_eq!(bound.vault.fingerprint, report.fingerprint.to_hex());
        app.admin.enrol_first_key().await;
        app.org.clone_from(&app.admin.orgs().await.ok::<api::Orgs>().orgs[0].id);
        app
    }

    /// Starts the service, or starts it again over the same data.
    pub(crate) async fn start(&mut self) -> Bound {
        let (bound, running) = start(self.config.clone()).await.unwrap();
        self.serve_at(&format!("https://{}", bound.addr));
        self.running = Some(running);
        bound
    }

    /// From now on, everybody calls there.
    pub(crate) fn serve_at(&self, base: &str) {
        self.shared.base.lock().unwrap().replace_range(.., base);
    }

    /// Ends the service as Ctrl-C would.
    pub(crate) async fn stop(&mut self) {
        self.begin_to_stop().await.await.unwrap();
    }

    /// Another process over the same data; from now on, everybody calls there.
    pub(crate) async fn another(&self) -> Another {
        let (bound, running) = start(self.config.clone()).await.unwrap();
        self.serve_at(&format!("https://{}", bound.addr));
        Another(running)
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Asks the service to end, and returns once it has heard; what comes back waits until it has ended.
    pub(crate) async fn begin_to_stop(&mut self) -> tokio::task::JoinHandle<()> {
        let Running { stop, thread } = self.running.take().unwrap();
        stop.send(()).await.unwrap();
        stop.closed().await;
        tokio::task::spawn_blocking(|| thread.join().unwrap().unwrap())
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// As [`Self::restart`], configured to ask nobody outside.
    pub(crate) async fn restart_alone(&mut self) {
        self.restart_with(&[]).await;
    }

    /// As [`Self::restart`], with these paths in the environment and no others.
    pub(crate) async fn restart_with(&mut self, paths: &[(&str, &Path)]) {
        let flags = Flags {
            listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(self.config.data_dir().to_owned()),
            database_url: Some(self.config.database_url().to_owned()),
            ..Flags::default()
        };
        self.stop().await;
        self.config = Config::load(&flags, &named(paths)).unwrap();
        self.start().await;
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Every stored object.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let folder = self.config.blobs_url().strip_prefix("file://").unwrap();
        // The published log beside them is none.
        let objects = std::path::Path::new(folder).join("objects");
        if !objects.exists() {
            return Vec::new();
        }
        walkdir::WalkDir::new(objects)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect()
    }

    /// A person with a key of their own, through invitation and approval.
    pub(crate) async fn enrol(&self, name: &str, roles: &[&str]) -> Caller {
        enrol(&self.admin, &self.org, name, roles).await
    }
}

/// Enters, invites and approves a person.
pub(crate) async fn enrol(admin: &Caller, org: &str, name: &str, roles: &[&str]) -> Caller {
    let new = api::NewPerson {
        org: org.to_owned(),
        name: name.to_owned(),
        email: None,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    let created: api::Created = admin.new_person(&new).await.made();
    assert_eq!(admin.check(&created.receipts).len(), 1 + roles.len());
    let invitation: api::Invitation = admin.invite(&created.id, "in-person").await.made();
    let key = SigningKey::from_bytes(&custos_random());
    let newcomer = admin.as_person(&created.id, "", key);
    let redeemed = newcomer.redeem_code(&invitation.code).await;
    assert_eq!(redeemed.person, created.id);
    let waiting = admin.enrolments().await.ok::<api::Enrolments>().enrolments;
    let enrolment = waiting.iter().find(|waiting| waiting.id == redeemed.enrolment).unwrap();
    assert_eq!(enrolment.name.as_deref(), Some(name));
    let recorded: api::Recorded = admin.approve(enrolment).await.made();
    admin.check(&recorded.receipts);
    Caller { token: redeemed.token, ..newcomer }
}

/// Fresh random bytes.
pub(crate) fn custos_random() -> [u8; 32] {
    use custody::entropy::Entropy as _;
    custos::engine::OsEntropy.array()
}

/// Serves on a thread with a runtime of its own, as the binary does.
async fn start(config: Config) -> Result<(Bound, Running), ServeError> {
    let (ready, bound) = oneshot::channel();
    let (stop, mut stopped) = mpsc::channel(1);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(serve(&config, None, ready, async move {
            stopped.recv().await;
        }))
    });
    match bound.await {
        Ok(bound) => Ok((bound, Running { stop, thread })),
        Err(_) => Err(thread.join().unwrap().unwrap_err()),
    }
}

/// Why the service does not start.
pub(crate) async fn refused_start(config: &Config) -> ServeError {
    start(config.clone()).await.map(|(bound, _)| bound).unwrap_err()
}

/// A client that accepts this vault's certificate and no other.
pub(crate) fn pinned(config: &Config) -> reqwest::Client {
    builder(config).build().unwrap()
}

/// The same, to be told more.
pub(crate) fn builder(config: &Config) -> reqwest::ClientBuilder {
    // What the service logs is shown to whoever looks for a fault.
    if let Ok(filter) = std::env::var("CUSTOS_TEST_LOG") {
        drop(tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init());
    }
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let certificate = std::fs::read(config.data_dir().join("tls/server.crt")).unwrap();
    let certificate = reqwest::Certificate::from_pem(&certificate).unwrap();
    reqwest::Client::builder().tls_certs_only([certificate])
}
