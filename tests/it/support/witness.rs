//! A witness on this machine: the decisions of `custody::witness` behind a little HTTP, and ways to misbehave.

use std::sync::{Arc, Mutex, MutexGuard};

use custody::note::{KeyName, SignatureType, VerifierKey};
use custody::witness::{AddCheckpoint, Answer, Head, decide};
use ed25519_dalek::SigningKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{RwLock, watch};

/// How it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Sound,
    /// 503 to everything.
    Down,
    /// Sends whoever asks elsewhere.
    Redirects(String),
    /// Cosigns with another key.
    OtherKey,
    /// Answers more than anybody reads.
    Endless,
    /// Takes the connection and says nothing.
    Silent,
    /// Says that it has cosigned one entry more than it is asked for, once the log [has that](Witness::grown).
    Ahead,
}

/// What a witness knows and was asked.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) manner: Manner,
    pub(crate) latest: Option<Head>,
    /// Old size and size of each request.
    pub(crate) asked: Vec<(u64, u64)>,
    /// How many requests have come.
    pub(crate) received: u64,
}

/// A running witness; it ends with the test.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) name: String,
    pub(crate) url: String,
    /// While somebody writes here, requests wait.
    pub(crate) gate: Arc<RwLock<()>>,
    /// How large the log has become, for one that claims to be ahead.
    pub(crate) grown: watch::Sender<u64>,
    key: SigningKey,
    known: Arc<Mutex<Known>>,
}

impl Witness {
    /// A witness that follows whatever log comes.
    pub(crate) async fn new(seed: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/below", listener.local_addr().unwrap());
        let known = Known { manner: Manner::Sound, latest: None, asked: Vec::new(), received: 0 };
        let witness = Self {
            name: format!("witness.example/w{seed}"),
            url,
            gate: Arc::default(),
            grown: watch::Sender::new(0),
            key: SigningKey::from_bytes(&[seed; 32]),
            known: Arc::new(Mutex::new(known)),
        };
        let serving = witness.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let witness = serving.clone();
                // Whoever goes away in the middle is no fault of the witness.
                tokio::spawn(async move { drop(witness.serve(stream).await) });
            }
        });
        witness
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.known().manner = manner;
    }

    pub(crate) fn key(&self) -> VerifierKey {
        let name = KeyName::new(&self.name).unwrap();
        VerifierKey::new(name, SignatureType::Cosignature, self.key.verifying_key()).unwrap()
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (head, body) = request(&mut stream).await?;
        self.known().received += 1;
        let _open = self.gate.read().await;
        let manner = self.known().manner.clone();
        let answer = match manner {
            Manner::Silent => return std::future::pending().await,
            Manner::Down => http("503 Service Unavailable", "text/plain", "down\n", ""),
            Manner::Redirects(to) => {
                http("307 Temporary Redirect", "text/plain", "", &format!("Location: {to}\r\n"))
            }
            Manner::Endless => http("200 OK", "text/plain", &"\u{2014} ".repeat(100_000), ""),
            Manner::Ahead => {
                let asked = AddCheckpoint::parse(&body).unwrap().head().size;
                drop(self.grown.subscribe().wait_for(|grown| *grown > asked).await);
                let answer = Answer::Conflict { size: asked + 1 };
                http("409 Conflict", answer.content_type(), &answer.body(), "")
            }
            Manner::Sound | Manner::OtherKey => {
                assert!(head.starts_with("POST /below/add-checkpoint HTTP/1.1\r\n"), "{head}");
                let answer = self.decide(&body, manner == Manner::OtherKey);
                let status = match answer.status() {
                    200 => "200 OK",
                    404 => "404 Not Found",
                    409 => "409 Conflict",
                    422 => "422 Unprocessable Content",
                    other => panic!("{other}: {answer:?}"),
                };
                http(status, answer.content_type(), &answer.body(), "")
            }
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }

    fn decide(&self, body: &[u8], other_key: bool) -> Answer {
        let request = AddCheckpoint::parse(body).unwrap();
        let mut known = self.known();
        known.asked.push((request.old_size(), request.head().size));
        // It believes the key under whose name the first signature stands: any log of this test.
        let signature = &request.checkpoint().signatures()[0];
        let keys = LOGS.lock().unwrap().clone();
        assert!(keys.iter().any(|key| signature.names(key)), "the test names its log");
        match decide(&keys, known.latest, &request) {
            Ok(accepted) => {
                known.latest = Some(accepted.head());
                let key = if other_key { SigningKey::from_bytes(&[99; 32]) } else { self.key.clone() };
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                let cosigned = accepted.cosign(KeyName::new(&self.name).unwrap(), &key, now.as_secs());
                Answer::Cosigned(vec![cosigned.unwrap()])
            }
            Err(refusal) => refusal.into(),
        }
    }
}

/// The logs that witnesses know.
static LOGS: Mutex<Vec<VerifierKey>> = Mutex::new(Vec::new());

/// Makes a log known to all witnesses.
pub(crate) fn introduce(log: &VerifierKey) {
    let mut logs = LOGS.lock().unwrap();
    // Tests run beside each other and some share an origin: one key under each name is enough for them.
    if !logs.contains(log) {
        logs.push(log.clone());
    }
}

/// A policy file that asks for `quorum` of these witnesses.
pub(crate) fn policy(quorum: usize, witnesses: &[&Witness], log: Option<&VerifierKey>) -> String {
    let log = log.map_or_else(String::new, |log| format!("log {log}\n"));
    let lines: Vec<_> = (0..).zip(witnesses).map(|(number, w)| policy_line(number, w)).collect();
    let names: Vec<_> = (0..witnesses.len()).map(|number| format!("w{number}")).collect();
    format!("{log}{}group enough {quorum} {}\nquorum enough\n", lines.concat(), names.join(" "))
}

fn policy_line(number: usize, witness: &Witness) -> String {
    format!("witness w{number} {} {}\n", witness.key(), witness.url)
}

fn http(status: &str, content_type: &str, body: &str, more: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{more}Connection: \
         close\r\n\r\n{body}"
    )
}

async fn request(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end + 2]).into_owned();
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.unwrap().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return Ok((head, bytes.split_off(end + 4)));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
