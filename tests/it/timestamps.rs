//! Time stamps of a running vault, by an authority of openssl's on this machine.

#[path = "../../crates/custody/tests/timestamp/authority.rs"]
#[allow(dead_code, reason = "the tests of the core use more of it")]
pub(crate) mod openssl;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use custody::bundle::findings::{Code, Gravity};
use custody::bundle::{Report, Trust, verify};
use custody::digest::Digest;
use custody::timestamp::{Anchors, Nonce, request};
use custos::api;
use openssl::{Certified, Folder, P_256, ROOT, SIGNER};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::api::spine::two_custodians;
use crate::support::app::{TestApp, place_with};
use crate::support::bundle::Unzipped;
use crate::support::client::Caller;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_bundle_has_the_time_stamps_around_its_records_and_is_the_same_whenever_it_is_fetched
    an_export_goes_without_an_authority_that_is_down_or_lies
}

/// How the authority behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Sound,
    Down,
    NoReply,
    /// An answer to the same question with another nonce.
    OtherNonce,
    /// An answer about something else.
    OtherImprint,
    /// Signed by somebody for whom no root vouches.
    OtherAuthority,
}

#[derive(Clone)]
struct Authority {
    url: String,
    roots: PathBuf,
    manner: Arc<Mutex<Manner>>,
    made: Arc<Made>,
}

struct Made {
    folder: Folder,
    signer: Certified,
    stranger: Certified,
    /// openssl keeps its files in one place.
    turn: Mutex<()>,
}

impl Authority {
    async fn new() -> Self {
        let folder = Folder::new();
        let (root, other) = (folder.root(P_256, ROOT), folder.root(P_256, ROOT));
        let (signer, stranger) = (folder.issue(&root, P_256, SIGNER), folder.issue(&other, P_256, SIGNER));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = Self {
            url: format!("http://{}/tsr", listener.local_addr().unwrap()),
            roots: root.certificate,
            manner: Arc::new(Mutex::new(Manner::Sound)),
            made: Arc::new(Made { folder, signer, stranger, turn: Mutex::new(()) }),
        };
        let serving = authority.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let authority = serving.clone();
                // Whoever goes away in the middle is no fault of the authority.
                tokio::spawn(async move { drop(authority.serve(stream).await) });
            }
        });
        authority
    }

    fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let query = body(&mut stream).await?;
        let manner = *self.manner.lock().unwrap();
        let (status, content_type) = match manner {
            Manner::Down => ("503 Service Unavailable", "text/plain"),
            Manner::NoReply => ("200 OK", "text/html"),
            _ => ("200 OK", "application/timestamp-reply"),
        };
        let reply = self.reply(&query, manner);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            reply.len()
        );
        stream.write_all(&[head.as_bytes(), &reply].concat()).await?;
        stream.shutdown().await
    }

    fn reply(&self, query: &[u8], manner: Manner) -> Vec<u8> {
        let _turn = self.made.turn.lock().unwrap();
        let (digest, nonce) = asked(query);
        let query = match manner {
            Manner::OtherNonce => request(&digest, Nonce::new(nonce ^ 1)),
            Manner::OtherImprint => request(&Digest::of(b"something else"), Nonce::new(nonce)),
            _ => query.to_vec(),
        };
        let signer = if manner == Manner::OtherAuthority { &self.made.stranger } else { &self.made.signer };
        self.made.folder.reply(signer, &query, &[], "")
    }

    /// A vault that asks this authority.
    async fn vault(&self, engine: Engine) -> TestApp {
        let directory = tempfile::tempdir().unwrap();
        let asks =
            [("CUSTOS_TIMESTAMPS", Path::new(&self.url)), ("CUSTOS_TIMESTAMP_ROOTS", self.roots.as_path())];
        let config = place_with(engine, directory.path(), &asks).await;
        TestApp::init(config, directory, "Unit", "Ada").await
    }

    fn judged(&self, app: &TestApp, bundle: &[u8]) -> Report {
        let roots = Anchors::parse(&std::fs::read(&self.roots).unwrap()).unwrap();
        let trust =
            Trust { fingerprint: Some(app.shared.vault), timestamps: Some(roots), ..Trust::default() };
        let report = verify(&mut Unzipped::new(bundle), &trust, None, &[]).unwrap();
        let failed = report.findings.iter().any(|finding| finding.code.gravity() == Gravity::Failed);
        assert!(!failed, "{}", report.to_text());
        report
    }
}

/// Digest and nonce of a request: its only octet string, and the integer after it.
fn asked(query: &[u8]) -> (Digest, u64) {
    let at = query.windows(2).position(|pair| pair == [0x04, 0x20]).unwrap() + 2;
    let digest = Digest::from_slice(&query[at..at + 32]).unwrap();
    let len = usize::from(query[at + 33]);
    let nonce = query[at + 34..at + 34 + len].iter().fold(0, |nonce, byte| nonce << 8 | u64::from(*byte));
    (digest, nonce)
}

/// The body of an HTTP/1.1 request with a length.
async fn body(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            assert!(head.contains("content-type: application/timestamp-query"), "{head}");
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let whole = end + 4 + len.parse::<usize>().unwrap();
            if read.len() >= whole {
                return Ok(read[end + 4..whole].to_vec());
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn exported(asha: &Caller, case: &str) -> (String, Vec<u8>) {
    let export: api::Export = asha.export(case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    (export.id, bundle)
}

fn stamps(bundle: &[u8]) -> usize {
    let files = Unzipped::new(bundle);
    files.by_name().keys().filter(|name| name.contains(".tsr")).count()
}

async fn a_bundle_has_the_time_stamps_around_its_records_and_is_the_same_whenever_it_is_fetched(
    engine: Engine,
) {
    let authority = Authority::new().await;
    let mut app = authority.vault(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "a.txt", b"a").await;
    let (first, bundle) = exported(&asha, &case).await;
    let report = authority.judged(&app, &bundle);
    assert!(report.facts.timestamps.iter().any(|stamp| stamp.size >= report.facts.cut.unwrap()));

    // A case that begins after a time stamp was noted lies between two.
    let later = asha.open_case("Later").await;
    asha.put(&later, "b.txt", b"b").await;
    let (_, second) = exported(&asha, &later).await;
    let report = authority.judged(&app, &second);
    assert!(!report.has(Code::NotTimestamped), "{}", report.to_text());
    let bracket = report.facts.bracket.unwrap();
    assert!(bracket.from.is_some() && bracket.from <= bracket.to, "{bracket:?}");
    assert!(stamps(&second) >= 2);

    // What was taken since does not change a bundle; nor does a start without authorities.
    assert!(asha.bundle(&first).await.body == bundle);
    app.restart_alone().await;
    assert!(asha.bundle(&first).await.body == bundle);
}

async fn an_export_goes_without_an_authority_that_is_down_or_lies(engine: Engine) {
    let authority = Authority::new().await;
    authority.behave(Manner::Down);
    let app = authority.vault(engine).await;
    let (asha, _, case) = two_custodians(&app).await;
    asha.put(&case, "a.txt", b"a").await;
    for manner in
        [Manner::Down, Manner::NoReply, Manner::OtherNonce, Manner::OtherImprint, Manner::OtherAuthority]
    {
        authority.behave(manner);
        let (_, bundle) = exported(&asha, &case).await;
        let report = authority.judged(&app, &bundle);
        assert!(report.has(Code::NotTimestamped) && stamps(&bundle) == 0, "{manner:?}");
        let ready = asha.get("/readyz").await;
        let said = String::from_utf8_lossy(&ready.body).into_owned();
        assert!(said.contains("timestamp authority 1"), "{manner:?}: {said}");
    }
    authority.behave(Manner::Sound);
    let (_, bundle) = exported(&asha, &case).await;
    assert_eq!(stamps(&bundle), 1);
    let ready = asha.get("/readyz").await;
    assert!(!String::from_utf8_lossy(&ready.body).contains("timestamp authority"));
}
