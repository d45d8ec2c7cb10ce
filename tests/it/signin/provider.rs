//! Two providers: a real one in a process of its own, and one that says whatever it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use custos::client::secret;
use rcgen::{KeyPair, PublicKeyData as _};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

/// What the vault shows at token endpoints.
const SECRET: &str = "s3cret: +/&=%";

/// Names a provider in a file for the vault, with more lines; the file.
pub(super) fn configure(folder: &Path, issuer: &str, more: &str) -> std::path::PathBuf {
    let (file, secret_file) = (folder.join("providers.toml"), folder.join("client.secret"));
    if !secret_file.exists() {
        secret::write(&secret_file, SECRET).unwrap();
    }
    let text = format!(
        "[[provider]]\nname = \"ministry\"\nissuer = \"{issuer}\"\nclient_id = \"custos\"\n\
         client_secret_file = \"client.secret\"\nplain_loopback = true\n{more}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// The real one.
pub(super) struct Real {
    process: Child,
    pub(super) issuer: String,
}

impl Real {
    /// Starts it; people come back to `origin`.
    pub(super) fn start(origin: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut process = Command::new("node")
            .arg(root.join("tests/provider/provider.mjs"))
            .arg(root.join("target/test-tools/provider"))
            .arg(format!("{origin}/sign-in/return/ministry"))
            .arg(SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs: tests/setup.sh installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| serde_json::from_str::<Value>(&line.unwrap()).ok());
        let said = said.expect("it listens: tests/setup.sh installs oidc-provider");
        // It goes on to say things, and must not be stopped by nobody reading them.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, issuer: said["issuer"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Signs in at the real one as a person does: types a name, agrees, and is sent back; the address.
pub(super) async fn visit(url: &str, name: &str) -> Url {
    let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let mut cookies = BTreeMap::<String, String>::new();
    let (mut url, mut form) = (Url::parse(url).unwrap(), None::<String>);
    for _ in 0..20 {
        let line: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match form.take() {
            None => http.get(url.clone()),
            Some(form) => {
                http.post(url.clone()).header("Content-Type", "application/x-www-form-urlencoded").body(form)
            }
        };
        let answer = request.header("Cookie", line.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        if answer.status().is_redirection() {
            let next = url.join(answer.headers()["location"].to_str().unwrap()).unwrap();
            if next.path() == "/sign-in/return/ministry" {
                return next;
            }
            url = next;
            continue;
        }
        let status = answer.status();
        let page = answer.text().await.unwrap();
        assert_eq!(status, 200, "{page}");
        // Its form is sent to where it stands.
        let login = page.contains("name=\"login\"");
        form = Some(if login {
            format!("prompt=login&login={name}&password=x")
        } else {
            "prompt=consent".to_owned()
        });
    }
    panic!("nobody is sent back")
}

/// One parameter of an address.
pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A provider that says what it is told.
#[derive(Clone)]
pub(super) struct Hostile {
    pub(super) issuer: String,
    pub(super) says: Arc<Mutex<Says>>,
}

/// What it says next, and what it was asked.
pub(super) struct Says {
    pub(super) metadata: Value,
    pub(super) keys: (u16, String),
    pub(super) token: (u16, String),
    /// Requests to each path so far.
    pub(super) asked: BTreeMap<String, usize>,
    /// The last form at the token endpoint, and its header.
    pub(super) exchanged: Option<(String, String)>,
    /// What whoever exchanges a code waits for.
    pub(super) gate: Option<Arc<Semaphore>>,
}

impl Hostile {
    pub(super) fn start() -> Self {
        let says = Arc::new(Mutex::new(Says {
            metadata: Value::Null,
            keys: (200, json!({ "keys": [] }).to_string()),
            token: (400, String::new()),
            asked: BTreeMap::new(),
            exchanged: None,
            gate: None,
        }));
        let shared = Data::from(Arc::clone(&says));
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(answer)));
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let issuer = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        let hostile = Self { issuer, says };
        hostile.says.lock().unwrap().metadata = hostile.honest_metadata();
        hostile
    }

    pub(super) fn honest_metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
        })
    }

    pub(super) fn asked(&self, path: &str) -> usize {
        self.says.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// Publishes these keys from now on.
    pub(super) fn publishes(&self, keys: &[Value]) {
        self.says.lock().unwrap().keys = (200, json!({ "keys": keys }).to_string());
    }

    /// Gives this token from now on.
    pub(super) fn gives(&self, token: &str) {
        let answer = json!({ "access_token": "a", "token_type": "Bearer", "id_token": token });
        self.says.lock().unwrap().token = (200, answer.to_string());
    }
}

async fn answer(request: HttpRequest, body: Bytes, says: Data<Mutex<Says>>) -> HttpResponse {
    let gate = {
        let mut says = says.lock().unwrap();
        *says.asked.entry(request.path().to_owned()).or_default() += 1;
        says.gate.clone().filter(|_| request.path() == "/token")
    };
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let mut says = says.lock().unwrap();
    let (status, text) = match request.path() {
        "/.well-known/openid-configuration" => (200, says.metadata.to_string()),
        "/keys" => says.keys.clone(),
        "/token" => {
            let header =
                request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
            says.exchanged = Some((String::from_utf8(body.to_vec()).unwrap(), header.unwrap_or_default()));
            says.token.clone()
        }
        _ => (404, String::new()),
    };
    let mut response = HttpResponse::build(status.try_into().unwrap());
    if status == 302 {
        response.insert_header(("Location", text.clone()));
    }
    response.content_type("application/json").body(text)
}

/// A key that signs tokens.
pub(super) struct Key {
    id: String,
    pair: KeyPair,
}

impl Key {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: KeyPair::generate().unwrap() }
    }

    /// As it is published.
    pub(super) fn public(&self) -> Value {
        // 4, x, y.
        let raw = self.point();
        let (x, y) = raw[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    /// The public key.
    pub(super) fn point(&self) -> Vec<u8> {
        self.pair.der_bytes().to_vec()
    }

    /// A token with these claims, signed.
    pub(super) fn signs(&self, claims: &Value) -> String {
        self.signs_under(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.id }), claims)
    }

    /// The same under any header.
    pub(super) fn signs_under(&self, header: &Value, claims: &Value) -> String {
        use rcgen::SigningKey as _;
        let text = unsigned(header, claims);
        let signature = self.pair.sign(text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(fixed(&signature)))
    }
}

/// A token without its signature.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A signature in DER (SEQUENCE of two INTEGERs) as tokens have it: r and s, 32 bytes each.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut out = Vec::new();
    for _ in 0..2 {
        let (len, tail) = (usize::from(rest[1]), &rest[2..]);
        let number = &tail[..len];
        let number = &number[len.saturating_sub(32)..];
        out.extend(std::iter::repeat_n(0, 32 - number.len()));
        out.extend_from_slice(number);
        rest = &tail[len..];
    }
    out
}
