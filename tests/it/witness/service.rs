//! `custos witness serve`, from the outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use custody::note::VerifierKey;
use custody::witness::{Answer, cosignature_by, monitoring_path};
use serde_json::Value;

use crate::support::published::Published;

const LOG: &str = "vault.example.org/custos/1";

/// A witness's directory, and the process that serves it.
pub(crate) struct Service {
    root: PathBuf,
    how: Vec<String>,
    process: std::process::Child,
    pub(crate) base: String,
    pub(crate) vkey: VerifierKey,
}

impl Service {
    /// Makes a witness that follows `logs`, and serves it over plain HTTP.
    pub(crate) fn new(root: &Path, name: &str, logs: &[&VerifierKey]) -> Self {
        Self::make(root, name, logs, vec!["--plain-http".to_owned()])
    }

    /// The same over HTTPS, with certificate and key, or a certificate that the witness makes for itself.
    pub(crate) fn with_tls(
        root: &Path,
        name: &str,
        logs: &[&VerifierKey],
        tls: Option<(&Path, &Path)>,
    ) -> Self {
        let files = tls.map(|(cert, key)| [("--tls-cert", cert), ("--tls-key", key)]);
        let files = files.into_iter().flatten();
        let how = files.flat_map(|(flag, file)| [flag.to_owned(), file.display().to_string()]);
        Self::make(root, name, logs, how.collect())
    }

    fn make(root: &Path, name: &str, logs: &[&VerifierKey], how: Vec<String>) -> Self {
        let dir = root.to_str().unwrap();
        let made = custos(&["--json", "witness", "init", dir, "--name", name]);
        assert!(made["vkey"].as_str().unwrap().starts_with(name));
        for log in logs {
            assert_eq!(custos(&["--json", "witness", "add", dir, &log.to_string()])["new"], true);
        }
        let (process, base, vkey) = serve(root, &how);
        Self { root: root.to_owned(), how, process, base, vkey }
    }

    /// `kill -9`, and a new process over the same directory.
    pub(crate) fn killed(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, self.base, self.vkey) = serve(&self.root, &self.how);
    }

    /// What the witness says of the logs that it follows.
    pub(crate) fn logs(&self) -> Value {
        custos(&["--json", "witness", "show", self.root.to_str().unwrap()])["logs"].clone()
    }

    pub(crate) async fn ask(&self, request: String) -> Answer {
        let response = post(&self.base, request.into_bytes()).await;
        let (status, content_type, body) = response.unwrap();
        Answer::parse(status, content_type.as_deref(), &body).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn serve(root: &Path, how: &[String]) -> (std::process::Child, String, VerifierKey) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_custos"))
        .args(["--json", "--quiet", "witness", "serve", root.to_str().unwrap(), "--listen", "127.0.0.1:0"])
        .args(how)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = process.stdout.take().unwrap();
    let bound: Value = serde_json::Deserializer::from_reader(output).into_iter().next().unwrap().unwrap();
    let scheme = if bound["tls_fingerprint"].is_null() { "http" } else { "https" };
    let base = format!("{scheme}://{}", bound["addr"].as_str().unwrap());
    (process, base, bound["vkey"].as_str().unwrap().parse().unwrap())
}

fn custos(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_custos")).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn client() -> reqwest::Client {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    reqwest::Client::new()
}

type Told = (u16, Option<String>, Vec<u8>);

async fn told(response: reqwest::Response) -> Result<Told, reqwest::Error> {
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
    Ok((response.status().as_u16(), content_type, response.bytes().await?.to_vec()))
}

async fn post(base: &str, body: Vec<u8>) -> Result<Told, reqwest::Error> {
    told(client().post(format!("{base}/add-checkpoint")).body(body).send().await?).await
}

async fn get(base: &str, path: &str) -> Told {
    told(client().get(format!("{base}/{path}")).send().await.unwrap()).await.unwrap()
}

#[actix_web::test]
async fn every_exchange_has_the_bytes_and_codes_of_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = (Published::new(LOG, 1, 4, 700), Published::new(LOG, 2, 4, 700));
    let service = Service::new(&folder.path().join("w"), "witness.example/w1", &[&log.vkey()]);
    let shown = monitoring_path(LOG);
    assert_eq!(get(&service.base, &shown).await.0, 404);
    let (status, content_type, body) = post(&service.base, log.request(0, 5).into_bytes()).await.unwrap();
    let Ok(Answer::Cosigned(lines)) = Answer::parse(status, content_type.as_deref(), &body) else {
        panic!("refused")
    };
    assert_eq!((status, lines.len()), (200, 1));
    assert_eq!(String::from_utf8(body).unwrap(), format!("{}\n", lines[0]));
    let (_, seconds) = cosignature_by(&service.vkey, &lines, log.checkpoint(5).text()).unwrap();
    assert!(seconds > 1_700_000_000);
    let (status, _, body) = get(&service.base, &shown).await;
    let mut expected = log.checkpoint(5);
    expected.add(lines[0].clone()).unwrap();
    assert_eq!((status, String::from_utf8(body).unwrap()), (200, expected.to_string()));

    let unknown = Published::new("other.example/1", 0, 0, 5).request(0, 5);
    let unsigned = log.request(5, 9).replace("— vault", "— other");
    let forged = log.request(5, 9).replace("\n9\n", "\n8\n");
    let mut no_proof: Vec<_> = log.request(5, 9).lines().map(str::to_owned).collect();
    no_proof.remove(1);
    for (request, code) in [
        (String::new(), 400),
        ("old 05\n\nx\n".to_owned(), 400),
        (log.request(5, 9).replace("old 5", "old 10"), 400),
        ("x".repeat(200_000), 400),
        (unknown, 404),
        (unsigned, 403),
        (forged, 403),
        (no_proof.join("\n") + "\n", 422),
        (other.request(5, 5), 422),
        (other.request(5, 9), 422),
    ] {
        let (status, content_type, _) = post(&service.base, request.clone().into_bytes()).await.unwrap();
        assert_eq!(status, code, "{request}");
        assert!(content_type.is_some_and(|value| value.starts_with("text/plain")), "{request}");
    }
    for request in [log.request(0, 9), log.request(4, 9), other.request(4, 5)] {
        let conflict = post(&service.base, request.into_bytes()).await.unwrap();
        assert_eq!(conflict, (409, Some("text/x.tlog.size".to_owned()), b"5\n".to_vec()));
    }
    assert!(matches!(service.ask(log.request(5, 700)).await, Answer::Cosigned(_)));
    assert_eq!(get(&service.base, "livez").await.0, 200);
    assert_eq!(get(&service.base, "add-checkpoint").await.0, 405);
    assert_eq!(get(&service.base, "nowhere/checkpoint").await.0, 404);
}

#[actix_web::test]
async fn a_key_that_was_stolen_after_it_was_replaced_gets_nothing_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let stolen = Published::new(LOG, 1, 0, 600);
    let log = stolen.signed_by(2);
    let keys = [&stolen.vkey(), &log.vkey()];
    let mut service = Service::new(&folder.path().join("w"), "witness.example/w1", &keys);
    assert!(matches!(service.ask(stolen.request(0, 300)).await, Answer::Cosigned(_)));
    assert!(matches!(service.ask(log.request(300, 310)).await, Answer::Cosigned(_)));
    let fork = Published::new(LOG, 2, 310, 600);
    for _ in 0..2 {
        let (status, _, body) = post(&service.base, fork.request(310, 311).into_bytes()).await.unwrap();
        assert_eq!((status, &body[..]), (403, &b"not signed by a known key of this log\n"[..]));
        service.killed();
    }
    assert_eq!(service.logs()[0]["replaced"], serde_json::json!([stolen.vkey().to_string()]));
    assert!(matches!(service.ask(log.request(310, 600)).await, Answer::Cosigned(_)), "the log goes on");
}

#[actix_web::test]
async fn killing_it_at_any_moment_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = (Published::new(LOG, 1, 0, 600), Published::new(LOG, 2, 0, 600));
    let mut service = Service::new(&folder.path().join("w"), "witness.example/w1", &[&log.vkey()]);
    let mut promised = 0;
    for round in 1..=8_u64 {
        // One after another, until the process is killed under a request.
        let base = service.base.clone();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let requests: Vec<_> = (promised..promised + 60).map(|old| log.request(old, old + 1)).collect();
        let asking = actix_web::rt::spawn(async move {
            for request in requests {
                match post(&base, request.into_bytes()).await {
                    Ok((200, _, _)) => tell.send(()).unwrap(),
                    Ok(other) => panic!("{other:?}"),
                    Err(_) => return,
                }
            }
        });
        for _ in 0..round {
            told.recv().await.unwrap();
            promised += 1;
        }
        service.killed();
        asking.await.unwrap();
        while told.try_recv().is_ok() {
            promised += 1;
        }
        let Answer::Conflict { size } = service.ask(other.request(599, 600)).await else {
            panic!("no conflict")
        };
        assert!(size >= promised, "{size} of {promised}");
        assert_eq!(service.ask(other.request(size, size)).await, Answer::Unprocessable);
        promised = size;
    }
    assert!(matches!(service.ask(log.request(promised, 600)).await, Answer::Cosigned(_)));
}

#[test]
fn asked_to_end_it_ends_well_and_plain_http_stays_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let mut service = Service::new(&root, "witness.example/w1", &[]);
    let asked = Command::new("kill").args(["-TERM", &service.process.id().to_string()]).status().unwrap();
    assert!(asked.success() && service.process.wait().unwrap().success());
    let refused = Command::new(env!("CARGO_BIN_EXE_custos"))
        .args(["witness", "serve", root.to_str().unwrap(), "--listen", "0.0.0.0:0", "--plain-http"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("loopback"));
}
