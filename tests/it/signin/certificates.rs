//! Certificates, over real connections: which sign in, which are refused before they become a request, and what is left of
//! either.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use custos::api;
use custos::client::secret;
use rcgen::ExtendedKeyUsagePurpose;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::refused;
use crate::support::app::{TestApp, builder, refused_start};
use crate::support::authority::{Authority, Pair, UNDER, Wanted};
use crate::support::child::Child;
use crate::support::client::{Answer, Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_certificate_signs_in_whoever_bound_its_key_and_nobody_else
    what_was_revoked_signs_in_no_longer_on_open_connections_or_new_ones
    a_refused_certificate_is_in_the_security_log_with_the_reason
    where_everybody_must_show_one_who_shows_none_is_told_so
    a_suspended_person_has_no_certificate_left
    the_command_line_signs_in_by_certificate_alone
}

/// An authority, and a vault that believes it.
pub(super) struct World {
    pub(super) app: TestApp,
    pub(super) authority: Authority,
    pub(super) files: Files,
    _folder: tempfile::TempDir,
}

/// What the vault is configured with.
pub(super) struct Files {
    ca: PathBuf,
    pub(super) lists: PathBuf,
}

impl Files {
    /// As the vault is configured with them.
    pub(super) fn paths(&self) -> Vec<(&'static str, &Path)> {
        vec![("CUSTOS_CLIENT_CA", self.ca.as_path()), ("CUSTOS_CLIENT_CRLS", self.lists.as_path())]
    }

    /// Puts a list in the place of the one of this name, whole.
    pub(super) fn put(&self, name: &str, list: &str) {
        let new = self.lists.join(".new");
        fs::write(&new, list).unwrap();
        fs::rename(new, self.lists.join(name)).unwrap();
    }
}

impl World {
    pub(super) async fn new(engine: Engine, required: bool) -> Self {
        let mut app = TestApp::new(engine).await;
        let folder = tempfile::tempdir().unwrap();
        let files = Files { ca: folder.path().join("ca.pem"), lists: folder.path().join("revoked") };
        let authority = Authority::new("An authority");
        fs::create_dir(&files.lists).unwrap();
        fs::write(&files.ca, authority.pem()).unwrap();
        files.put("authority.crl", &authority.revokes(&[], 2099));
        let mut paths = files.paths();
        if required {
            paths.push(("CUSTOS_CLIENT_CERTIFICATES", Path::new("required")));
        }
        app.restart_with(&paths).await;
        Self { app, authority, files, _folder: folder }
    }

    pub(super) fn showing(&self, pair: &Pair) -> Showing {
        let http = builder(&self.app.config).identity(pair.identity()).build().unwrap();
        Showing { http, anew: None, caller: self.app.admin.with_token("") }
    }

    /// The same, with a new connection for each request; what TLS remembers of the ones before is kept.
    fn showing_anew(&self, pair: &Pair) -> Showing {
        let http = builder(&self.app.config).identity(pair.identity()).pool_max_idle_per_host(0);
        Showing { http: http.build().unwrap(), anew: Some(()), caller: self.app.admin.with_token("") }
    }
}

/// A program whose connections show a certificate.
pub(super) struct Showing {
    http: reqwest::Client,
    anew: Option<()>,
    caller: Caller,
}

impl Showing {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let base = self.caller.shared.base.lock().unwrap().clone();
        let request = self.http.request(method, format!("{base}{path}"));
        if self.anew.is_some() { request.header("Connection", "close") } else { request }
    }

    /// By the certificate.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path).header("Authorization", "Certificate");
        self.caller.send(body.map_or(request.try_clone().unwrap(), |body| request.json(body))).await
    }

    pub(super) async fn me(&self) -> Answer {
        self.ask(Method::GET, "/api/v1/me", None).await
    }

    /// By a token, for what the connection shows.
    pub(super) async fn bind(&self, who: &Caller) -> Answer {
        let request = self.request(Method::POST, "/api/v1/certificates").bearer_auth(&who.token);
        self.caller.send(request.json(&json!({ "label": "scanner" }))).await
    }

    /// The connection does not come about.
    pub(super) async fn is_refused(&self) {
        let asked = self.request(Method::GET, "/api/v1/vault").send().await;
        assert!(asked.is_err(), "{asked:?}");
    }
}

async fn a_certificate_signs_in_whoever_bound_its_key_and_nobody_else(engine: Engine) {
    let world = World::new(engine, false).await;
    let (app, authority) = (&world.app, &world.authority);
    let (asha, ben) = (app.enrol("Asha", &["investigator"]).await, app.enrol("Ben", &[]).await);
    let pair = authority.issue(Wanted::default());
    let machine = world.showing(&pair);
    machine.me().await.problem("unauthenticated");
    // A connection that shows none binds none.
    asha.post("/api/v1/certificates", &json!({ "label": "none" })).await.problem("invalid-request");
    let bound: api::CertificateInfo = machine.bind(&asha).await.made();
    assert_eq!(machine.me().await.ok::<api::Me>().person.id, asha.id);
    let shown: api::Credentials = asha.get("/api/v1/credentials").await.ok();
    assert_eq!((shown.certificates[0].id.as_str(), shown.certificates[0].used.is_some()), (&*bound.id, true));
    // Nobody is signed in without saying so, without showing it, or with another one of the same names.
    machine.caller.send(machine.request(Method::GET, "/api/v1/me")).await.problem("unauthenticated");
    let bare = asha.with_token("").request(Method::GET, "/api/v1/me").header("Authorization", "Certificate");
    asha.send(bare).await.problem("unauthenticated");
    let other = world.showing(&authority.issue(Wanted::default()));
    other.me().await.problem("unauthenticated");
    machine.bind(&ben).await.problem("too-late");
    // What it says is said on behalf of its person.
    let case = json!({ "title": "T", "case_type": "other", "jurisdiction": "ke" });
    let made: api::Created = machine.ask(Method::POST, "/api/v1/cases", Some(&case)).await.made();
    assert_eq!(asha.get(&format!("/api/v1/cases/{}", made.id)).await.ok::<api::Case>().id, made.id);

    // Neither a token nor the certificate makes more of itself.
    other.bind(&asha).await.problem("confirmation-needed");
    let more = json!({ "label": "more" });
    let answer = other.ask(Method::POST, "/api/v1/certificates", Some(&more)).await;
    answer.problem("unauthenticated");
    let answer = machine.ask(Method::POST, "/api/v1/certificates", Some(&more)).await;
    answer.problem("confirmation-needed");
    assert_eq!(refused(app, &asha.id, "certificate-added").await, (1, 1));
    let token = json!({ "label": "mine", "days": 1 });
    machine.ask(Method::POST, "/api/v1/tokens", Some(&token)).await.problem("invalid-request");
    machine.ask(Method::POST, "/api/v1/session", Some(&more)).await.problem("invalid-request");
    machine.ask(Method::POST, "/api/v1/codes", Some(&json!({}))).await.problem("confirmation-needed");
    // A renewed certificate of the same key is the same one.
    let renewed = Wanted { serial: 8, key: Some(pair.key.clone()), ..Wanted::default() };
    let renewed = world.showing(&authority.issue(renewed));
    assert_eq!(renewed.me().await.ok::<api::Me>().person.id, asha.id);

    // It ends itself; a token alone does not end it.
    let path = format!("/api/v1/certificates/{}", bound.id);
    asha.delete(&path).await.problem("confirmation-needed");
    ben.delete(&path).await.problem("not-found");
    assert_eq!(machine.ask(Method::DELETE, &path, None).await.status, 204);
    machine.me().await.problem("unauthenticated");
    other.bind(&asha).await.made::<api::CertificateInfo>();
    assert_eq!(other.me().await.ok::<api::Me>().person.id, asha.id);
    // Ending all access ends it.
    let all = format!("/api/v1/persons/{}/tokens", asha.id);
    assert_eq!(app.admin.delete(&all).await.status, 204);
    other.me().await.problem("unauthenticated");
}

async fn what_was_revoked_signs_in_no_longer_on_open_connections_or_new_ones(engine: Engine) {
    let world = World::new(engine, false).await;
    let asha = world.app.enrol("Asha", &[]).await;
    let pair = world.authority.issue(Wanted::default());
    let (open, anew) = (world.showing(&pair), world.showing_anew(&pair));
    open.bind(&asha).await.made::<api::CertificateInfo>();
    for machine in [&open, &anew, &anew] {
        machine.me().await.ok::<api::Me>();
    }
    // What cannot be read takes nothing away.
    world.files.put("authority.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    anew.me().await.ok::<api::Me>();
    world.files.put("authority.crl", &world.authority.revokes(&[7], 2099));
    open.me().await.problem("unauthenticated");
    assert_eq!(refused(&world.app, &asha.id, "sign-in").await, (1, 1));
    anew.is_refused().await;
    // Another one goes on.
    let other = Wanted { serial: 8, key: Some(pair.key.clone()), ..Wanted::default() };
    let other = world.showing(&world.authority.issue(other));
    other.me().await.ok::<api::Me>();
    // A list that ran out says nothing about anybody.
    world.files.put("authority.crl", &world.authority.revokes(&[], 2022));
    other.me().await.problem("unauthenticated");
    anew.is_refused().await;
    world.files.put("authority.crl", &world.authority.revokes(&[], 2099));
    anew.me().await.ok::<api::Me>();
}

async fn a_refused_certificate_is_in_the_security_log_with_the_reason(engine: Engine) {
    let mut world = World::new(engine, false).await;
    let asha = world.app.enrol("Asha", &[]).await;
    let (right, stranger) = (world.authority.issue(Wanted::default()), Authority::new("An authority"));
    world.showing(&right).bind(&asha).await.made::<api::CertificateInfo>();
    world.app.stop().await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let service = Child::start(&world.app.config, &[], Some(File::create(log.path()).unwrap()));
    world.app.serve_at(&service.base);
    let between = world.authority.under("In between");
    let mut below = between.issue(Wanted::default());
    below.chain.push_str(&between.pem());
    world.files.put("authority.crl", &world.authority.revokes(&[9], 2099));
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    for (pair, reason) in [
        (world.authority.issue(Wanted { years: (2020, 2021), ..Wanted::default() }), "expired"),
        (world.authority.issue(Wanted { years: (2098, 2099), ..Wanted::default() }), "not-yet-valid"),
        (stranger.issue(Wanted::default()), "does-not-verify"),
        (Authority::new("Another").issue(Wanted::default()), "unknown-issuer"),
        (world.authority.issue(Wanted { serial: 9, ..Wanted::default() }), "revoked"),
        (world.authority.issue(Wanted { usage: server, ..Wanted::default() }), "not-for-clients"),
        (below, "revocation-unknown"),
    ] {
        let before = said(log.path(), reason);
        world.showing(&pair).is_refused().await;
        assert_eq!(
            said(log.path(), reason),
            before + 1,
            "{reason}: {}",
            fs::read_to_string(log.path()).unwrap()
        );
    }
    // With lists of all authorities of the chain it is known.
    world.files.put("between.crl", &between.revokes(&[], 2099));
    let mut below = between.issue(Wanted::default());
    below.chain.push_str(&between.pem());
    world.showing(&below).me().await.problem("unauthenticated");
    // Those in between are looked up, too.
    world.files.put("authority.crl", &world.authority.revokes(&[UNDER], 2099));
    let before = said(log.path(), "revoked");
    world.showing(&below).is_refused().await;
    assert_eq!(said(log.path(), "revoked"), before + 1);
    world.files.put("authority.crl", &world.authority.revokes(&[9], 2099));
    world.showing(&below).me().await.problem("unauthenticated");
    world.files.put("between.crl", &between.revokes(&[], 2022));
    world.showing(&below).is_refused().await;
    assert!(said(log.path(), "revocation-list-expired") > 0);
    let named = fs::read_to_string(log.path()).unwrap();
    assert!(
        named.lines().any(|line| line.contains("between.crl") && line.contains("has run out")),
        "{named}"
    );
    // Nothing of who somebody is stands in it.
    assert!(!named.contains("Ada Admin") && !named.contains("In between"));
    world.showing(&right).me().await.ok::<api::Me>();
    service.stop();
}

/// How many refusals for this reason the log has.
fn said(log: &Path, reason: &str) -> usize {
    let text = fs::read_to_string(log).unwrap();
    let reason = format!("\"reason\":\"{reason}\"");
    text.lines().filter(|line| line.contains("\"security\"") && line.contains(&reason)).count()
}

async fn where_everybody_must_show_one_who_shows_none_is_told_so(engine: Engine) {
    let mut world = World::new(engine, true).await;
    for path in ["/api/v1/vault", "/log/checkpoint", "/api/v1/me", "/nowhere", "/livez/x", "/docs/"] {
        world.app.admin.get(path).await.problem("certificate-needed");
    }
    assert_eq!(world.app.admin.get("/livez").await.status, 200);
    let machine = world.showing(&world.authority.issue(Wanted::default()));
    let answer = machine.caller.send(machine.request(Method::GET, "/api/v1/vault")).await;
    answer.ok::<api::VaultInfo>();
    machine.bind(&world.app.admin).await.made::<api::CertificateInfo>();
    machine.me().await.ok::<api::Me>();
    world.files.put("authority.crl", &world.authority.revokes(&[7], 2099));
    machine.me().await.problem("certificate-needed");
    // What is configured must be there.
    world.app.stop().await;
    for (path, content) in [(&world.files.ca, ""), (&world.files.lists.join("authority.crl"), "no list")] {
        let before = fs::read(path).unwrap();
        fs::write(path, content).unwrap();
        let error = refused_start(&world.app.config).await;
        assert!(error.remedy().contains("client_ca"), "{error}: {}", error.remedy());
        fs::write(path, before).unwrap();
    }
    fs::remove_file(world.files.lists.join("authority.crl")).unwrap();
    refused_start(&world.app.config).await;
}

async fn a_suspended_person_has_no_certificate_left(engine: Engine) {
    let world = World::new(engine, false).await;
    let (asha, ben, _) = crate::api::spine::two_custodians(&world.app).await;
    let machine = world.showing(&world.authority.issue(Wanted::default()));
    machine.bind(&ben).await.made::<api::CertificateInfo>();
    machine.me().await.ok::<api::Me>();
    let suspended = draft("person.suspended", &json!({ "person": ben.id, "purpose": "loss", "data": {} }));
    asha.say(&suspended).await.made::<api::Recorded>();
    machine.me().await.problem("unauthenticated");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    world.app.admin.say(&restored).await.made::<api::Recorded>();
    machine.me().await.problem("unauthenticated");
}

async fn the_command_line_signs_in_by_certificate_alone(engine: Engine) {
    let world = World::new(engine, true).await;
    let home = tempfile::tempdir().unwrap();
    let (chain, key) = world.authority.issue(Wanted::default()).write(home.path());
    let token = home.path().join("admin.secret");
    secret::write(&token, &world.app.admin.token).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
        command.args(args).env_clear().env("CUSTOS_HOME", home.path()).current_dir(home.path());
        command.output().unwrap()
    };
    let url = world.app.shared.base.lock().unwrap().clone();
    let (tls, vault) = (tls_fingerprint(&world.app), world.app.shared.vault.to_hex());
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    let login = ["login", &url, "--fingerprint", &tls, "--vault-fingerprint", &vault];
    let shows = ["--client-cert", chain, "--client-key", key];
    let by_token = ["--token-file", token.to_str().unwrap()];
    // The vault answers nobody who shows none, and a certificate that is nobody's signs nobody in.
    let refused = run(&[&login[..], &by_token].concat());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--client-cert"), "{said}");
    assert!(!run(&[&login[..], &shows].concat()).status.success());
    let done = |args: &[&str]| {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    done(&[&login[..], &shows, &by_token].concat());
    let added: Value =
        serde_json::from_str(&done(&["--json", "certificate", "add", "--label", "scanner"])).unwrap();
    assert!(done(&["certificate", "list"]).contains("scanner"));
    // Alone.
    done(&[&["--profile", "alone"], &login[..], &shows].concat());
    let profile = fs::read_to_string(home.path().join("profiles/alone.toml")).unwrap();
    assert!(!profile.contains("token"), "{profile}");
    assert!(done(&["--profile", "alone", "person", "list"]).contains("Ada Admin"));
    fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let exposed = run(&["--profile", "alone", "person", "list"]);
    assert!(String::from_utf8_lossy(&exposed.stderr).contains("chmod 0600"), "{exposed:?}");
    fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    done(&["--profile", "alone", "certificate", "remove", added["id"].as_str().unwrap()]);
    assert!(!run(&["--profile", "alone", "person", "list"]).status.success());
}

pub(super) fn tls_fingerprint(app: &TestApp) -> String {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let der = CertificateDer::from_pem_file(app.config.data_dir().join("tls/server.crt")).unwrap();
    custody::digest::Digest::of(&der).to_hex()
}
