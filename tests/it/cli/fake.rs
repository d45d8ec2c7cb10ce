//! A server that shows a certificate and answers as a test wants: a vault that was taken over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use custody::digest::Digest;
use custody::id::PersonId;
use custody::note::{SignatureType, VerifierKey};
use custos::client::{NewProfile, Profile, VaultTrust};
use ed25519_dalek::SigningKey;

pub(super) const ORIGIN: &str = "vault.example.org/custos/1";

/// Answers by method and path.
pub(super) type Answers = Arc<dyn Fn(&str, &str, &[u8]) -> (u16, Vec<u8>) + Send + Sync>;

/// A running fake.
pub(super) struct Fake {
    pub(super) url: String,
    pub(super) tls: Digest,
    /// How often each `METHOD /path` was asked.
    pub(super) asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// Starts a server with a fresh certificate.
pub(super) fn start(answers: Answers) -> Fake {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = Digest::of(issued.cert.der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![issued.cert.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into()),
            )
            .unwrap();
    let asked = Arc::new(Mutex::new(BTreeMap::new()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let counts = Arc::clone(&asked);
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = move || {
                let (answers, counts) = (Arc::clone(&answers), Arc::clone(&counts));
                App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                    let (method, path) = (request.method().as_str(), request.path());
                    *counts.lock().unwrap().entry(format!("{method} {path}")).or_insert(0) += 1;
                    let (status, body) = answers(method, path, &body);
                    let status = actix_web::http::StatusCode::from_u16(status).unwrap();
                    async move { HttpResponse::build(status).content_type("application/json").body(body) }
                }))
            };
            HttpServer::new(app).workers(1).listen_rustls_0_23(listener, config).unwrap().run().await
        })
    });
    Fake { url, tls, asked }
}

/// The keys and identity that a profile of the fake's pins.
pub(super) fn trust() -> (SigningKey, VaultTrust) {
    let key = SigningKey::from_bytes(&[1; 32]);
    let name = custody::checkpoint::Origin::new(ORIGIN).unwrap().key_name();
    let log = VerifierKey::new(name, SignatureType::Ed25519, key.verifying_key()).unwrap();
    let trust = VaultTrust::new(Digest::of(b"record 0"), log, key.verifying_key().as_bytes()).unwrap();
    (key, trust)
}

/// A profile with a token and no key.
pub(super) fn profile(dir: &Path, url: &str, tls: Digest, person: PersonId) -> Profile {
    custos::client::secret::write(&dir.join("test.token"), "cus_test").unwrap();
    let new = NewProfile {
        url: url.to_owned(),
        tls,
        trust: trust().1,
        person,
        token: Some(PathBuf::from("test.token")),
        certificate: None,
        key: None,
        receipts: PathBuf::from("receipts"),
    };
    Profile::create(&dir.join("test.toml"), new).unwrap()
}
