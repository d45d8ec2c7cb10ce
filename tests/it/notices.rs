//! Who is told that something happened, and what they learn of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custos::api;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::api::spine::two_custodians;
use crate::support::app::{TestApp, place_with, refused_start};
use crate::support::client::{self, Caller, draft};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_webhook_is_told_that_something_happened_and_not_what
    what_could_not_be_told_waits_and_is_told_after_a_restart
    letters_go_to_those_on_duty_and_to_whoever_is_offered_something
    a_file_of_notices_that_others_may_read_or_nobody_can_stops_the_start
}

/// 32 bytes of no secret.
const SECRET: [u8; 32] = *b"a key that is in this test alone";

/// Somebody who takes notices over HTTP, and the status that they answer with.
struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    taken: mpsc::UnboundedReceiver<Taken>,
}

/// A notice as it arrived.
struct Taken {
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Receiver {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=MARKER-of-the-address", listener.local_addr().unwrap());
        let (taken, status) = (mpsc::unbounded_channel(), Arc::new(AtomicU16::new(204)));
        let (say, answer) = (taken.0, Arc::clone(&status));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = taken_from(stream, answer.load(Ordering::SeqCst)).await;
                // Whoever goes away in the middle said nothing; a test that is over hears nothing.
                drop(told.map(|told| say.send(told)));
            }
        });
        Self { url, status, taken: taken.1 }
    }

    fn file(&self, folder: &Path) -> PathBuf {
        let secret = STANDARD.encode(SECRET);
        private(
            folder,
            &format!("[[webhook]]\nurl = '{}'\nsecret = 'whsec_{secret}'\ninside = true\n", self.url),
        )
    }

    /// The next notice, once another program has found it well signed.
    async fn next(&mut self) -> (String, Value) {
        let taken = self.taken.recv().await.unwrap();
        let judge = standardwebhooks::Webhook::from_bytes(SECRET.to_vec()).unwrap();
        judge.verify(&taken.body, &taken.headers).unwrap();
        assert_eq!(taken.headers["content-type"], "application/cloudevents+json; charset=utf-8");
        let event: Value = serde_json::from_slice(&taken.body).unwrap();
        assert_eq!(
            (&event["specversion"], &event["id"]),
            (&json!("1.0"), &json!(taken.headers["webhook-id"].to_str().unwrap()))
        );
        (event["type"].as_str().unwrap().to_owned(), event)
    }
}

async fn taken_from(mut stream: TcpStream, status: u16) -> std::io::Result<Taken> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let header = |line: &str| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.parse::<http::HeaderName>().unwrap(), value.parse::<http::HeaderValue>().unwrap())
            };
            let headers: http::HeaderMap = head.lines().skip(1).map(header).collect();
            let len: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
            if read.len() >= end + 4 + len {
                let answer =
                    format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                return Ok(Taken { headers, body: read[end + 4..].to_vec() });
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A file with secrets, for its owner.
fn private(folder: &Path, content: &str) -> PathBuf {
    let path = folder.join("notices.toml");
    let mut file =
        std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    path
}

/// The same vault, which tells from now on.
async fn tells(app: &mut TestApp, file: &Path) {
    app.restart_with(&[("CUSTOS_NOTICES", file)]).await;
}

async fn a_webhook_is_told_that_something_happened_and_not_what(engine: Engine) {
    let mut receiver = Receiver::new().await;
    let mut app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let items = [asha.put(&case, "a.txt", b"a").await, asha.put(&case, "b.txt", b"b").await];
    asha.offer(&case, &items[0], &ben.id).await.made::<api::Recorded>();
    let file = receiver.file(&app.root());
    tells(&mut app, &file).await;

    // Nothing of the past; a statement about many items is told of once.
    ben.accept(&case, &items[0]).await.made::<api::Recorded>();
    let (first, event) = receiver.next().await;
    assert_eq!((first.as_str(), &event["source"]), ("custos.custody.accepted", &json!(app.config.origin())));
    // What is not what was announced is no stored evidence.
    let wrong: api::Created = asha.register(&case, &client::item("open", "c.txt", Some(b"c"))).await.made();
    asha.upload(&wrong.id, b"d").await.problem("digest-mismatch");
    let both = [&items[0], &items[1]];
    let back = both.map(|item| json!({ "item": item }));
    ben.offer(&case, &items[0], &asha.id).await.made::<api::Recorded>();
    assert_eq!(receiver.next().await.0, "custos.custody.offered");
    asha.accept(&case, &items[0]).await.made::<api::Recorded>();
    assert_eq!(receiver.next().await.0, "custos.custody.accepted");
    let more = json!({ "case": case, "items": back, "purpose": "storage", "data": { "to": ben.id } });
    asha.say(&draft("transfer.offered", &more)).await.made::<api::Recorded>();
    assert_eq!(receiver.next().await.0, "custos.custody.offered");
    let answer = draft("transfer.declined", &json!({ "case": case, "items": back }));
    ben.say(&answer).await.made::<api::Recorded>();
    let (last, event) = receiver.next().await;
    assert_eq!(last, "custos.custody.declined");

    // An event has these members and no more: no case, person, item or name.
    let members: Vec<_> = event.as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "source", "specversion", "time", "type"]);
    let text = event.to_string();
    for id in [&case, &asha.id, &ben.id, &items[0], &items[1]] {
        assert!(!text.contains(id.as_str()));
    }
    assert!(!ready(&asha).await.contains("notices"));
}

async fn what_could_not_be_told_waits_and_is_told_after_a_restart(engine: Engine) {
    let mut receiver = Receiver::new().await;
    let mut app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    let item = asha.put(&case, "a.txt", b"a").await;
    let file = receiver.file(&app.root());
    tells(&mut app, &file).await;
    receiver.status.store(503, Ordering::SeqCst);
    asha.offer(&case, &item, &ben.id).await.made::<api::Recorded>();
    let (_, first) = receiver.next().await;
    // The second attempt comes after the first one's failure was noted.
    let (_, second) = receiver.next().await;
    assert_eq!(first, second);
    let said = ready(&asha).await;
    assert!(said.contains("notices by webhook:") && said.contains("refuses with status 503"), "{said}");
    assert!(!said.contains("MARKER") && !said.contains("127.0.0.1"), "{said}");
    ben.accept(&case, &item).await.made::<api::Recorded>();

    app.stop().await;
    receiver.status.store(200, Ordering::SeqCst);
    while receiver.taken.try_recv().is_ok() {}
    app.start().await;
    assert_eq!(receiver.next().await.1, first, "at least once, and known by its id");
    let (_, accepted) = receiver.next().await;
    assert_eq!(accepted["type"], "custos.custody.accepted");
    // What was told is not told again, but for the last one, whose answer may have been lost.
    ben.offer(&case, &item, &asha.id).await.made::<api::Recorded>();
    let (_, offered) = receiver.next().await;
    app.restart().await;
    asha.accept(&case, &item).await.made::<api::Recorded>();
    let (_, mut next) = receiver.next().await;
    if next == offered {
        next = receiver.next().await.1;
    }
    assert_eq!(next["type"], "custos.custody.accepted");
    assert!(next["id"] != accepted["id"] && next["id"] != first["id"]);
}

async fn ready(who: &Caller) -> String {
    String::from_utf8_lossy(&who.get("/readyz").await.body).into_owned()
}

/// A mail server, `aiosmtpd`, with a certificate of an authority of its own.
struct MailServer {
    process: Child,
    letters: BufReader<ChildStdout>,
    port: u64,
}

impl MailServer {
    fn start(folder: &Path) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        std::fs::write(folder.join("roots.pem"), root.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = rcgen::Issuer::new(root, key);
        let own = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&own, &issuer).unwrap();
        std::fs::write(folder.join("mail.crt"), certificate.pem()).unwrap();
        std::fs::write(folder.join("mail.key"), own.serialize_pem()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut process = Command::new(root.join("target/test-tools/bin/python"))
            .arg(root.join("tests/mail_server.py"))
            .args([folder.join("mail.crt"), folder.join("mail.key")])
            .stdout(Stdio::piped())
            // Warnings about its own insides.
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need aiosmtpd: tests/setup.sh installs it");
        let mut server = Self { letters: BufReader::new(process.stdout.take().unwrap()), process, port: 0 };
        server.port = server.next().as_u64().unwrap();
        server
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.letters.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The next letter, whoever was refused before.
    fn letter(&mut self) -> Value {
        loop {
            let said = self.next();
            if said.get("refused").is_none() {
                return said;
            }
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn letters_go_to_those_on_duty_and_to_whoever_is_offered_something(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let folder = app.root();
    let mut server = MailServer::start(&folder);
    let asha = app.enrol("Asha Custodian", &["custodian"]).await;
    let mut new = Vec::new();
    for (name, email) in [("Ben", "ben@example.org"), ("Gone", "gone@example.org")] {
        let (org, roles) = (app.org.clone(), vec!["custodian".to_owned()]);
        let person = api::NewPerson { org, name: name.to_owned(), email: Some(email.to_owned()), roles };
        new.push(app.admin.new_person(&person).await.made::<api::Created>().id);
    }
    let case = asha.open_case("The quarry").await;
    let item = asha.put(&case, "a.txt", b"a").await;
    for person in &new {
        asha.add_member(&case, person, "custodian").await.made::<api::Recorded>();
    }
    let port = server.port;
    let file = |password: &str| {
        format!(
            "[mail]\nhost = 'localhost'\nport = {}\nsecurity = 'starttls'\nroots = '{}'\nuser = 'vault'\n\
             password = '{password}'\nfrom = 'Custos <custos@example.org>'\nto = ['Duty <duty@example.org>']\npeople = true\n",
            port,
            folder.join("roots.pem").display()
        )
    };
    tells(&mut app, &private(&folder, &file("wrong"))).await;
    asha.offer(&case, &item, &new[1]).await.made::<api::Recorded>();
    while !ready(&asha).await.contains("notices by mail: it refuses with status 535") {
        assert_eq!(server.next(), json!({ "refused": "vault" }));
    }
    private(&folder, &file("right"));
    app.restart().await;

    // A mailbox that is no more holds up nobody else's letters.
    for (at, (person, address)) in
        [(&new[1], "gone@example.org"), (&new[0], "ben@example.org")].into_iter().enumerate()
    {
        if at > 0 {
            asha.offer(&case, &item, person).await.made::<api::Recorded>();
        }
        let mut told = Vec::new();
        for letter in [server.letter(), server.letter()] {
            assert_eq!((&letter["tls"], &letter["from"]), (&json!(true), &json!("custos@example.org")));
            told.push(letter["to"].clone());
            let content = letter["content"].as_str().unwrap();
            assert!(
                content.contains("Subject: Custos: custody.offered") && content.contains(app.config.origin())
            );
            for named in [&case, &item, &asha.id, person, &"quarry".to_owned(), &"a.txt".to_owned()] {
                assert!(!content.contains(named.as_str()), "{content}");
            }
        }
        told.sort_by_key(Value::to_string);
        let mut expected = [json!([address]), json!(["duty@example.org"])];
        expected.sort_by_key(Value::to_string);
        assert_eq!(told, expected);
        let recalled = draft("transfer.recalled", &json!({ "case": case, "item": item }));
        asha.say(&recalled).await.made::<api::Recorded>();
        let letter = server.letter();
        assert_eq!(letter["to"], json!(["duty@example.org"]));
        assert!(letter["content"].as_str().unwrap().contains("custody.recalled"));
    }

    // An emergency is for whoever leads the case, and for auditors: not for other members, or other cases' leads.
    let (org, roles) = (app.org.clone(), vec!["auditor".to_owned()]);
    let auditor =
        api::NewPerson { org, name: "Au".to_owned(), email: Some("au@example.org".to_owned()), roles };
    app.admin.new_person(&auditor).await.made::<api::Created>();
    asha.add_member(&case, &new[0], "lead").await.made::<api::Recorded>();
    let other = asha.open_case("Another").await;
    asha.add_member(&other, &new[1], "lead").await.made::<api::Recorded>();
    let otto = app.enrol("Otto Investigator", &["investigator"]).await;
    let expires = jiff::Timestamp::now().as_millisecond() + 600_000;
    let more = json!({
        "case": case, "item": item, "purpose": "life-in-danger", "fields": { "reason": "Somebody is in danger" },
        "data": { "expires": custody::time::Timestamp::from_millis(expires).unwrap().to_string() },
    });
    otto.say(&draft("access.break-glass", &more)).await.made::<api::Recorded>();
    let mut told: Vec<_> = [server.letter(), server.letter(), server.letter()]
        .iter()
        .map(|letter| {
            assert!(letter["content"].as_str().unwrap().contains("Subject: Custos: emergency.reading"));
            letter["to"][0].as_str().unwrap().to_owned()
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, ["au@example.org", "ben@example.org", "duty@example.org"]);

    // Where somebody is written to is the business of no court and no auditor; what was found is the court's.
    let mut seized = client::item("open", "seized.txt", None);
    seized.fields.insert("email".to_owned(), "seized@example.net".to_owned());
    asha.register(&case, &seized).await.made::<api::Created>();
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    let holds = |text: &str| bundle.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("Asha Custodian") && holds("seized@example.net"));
    assert!(!holds("ben@example.org") && !holds("gone@example.org"));
    let auditor = app.enrol("Ola Auditor", &["auditor"]).await;
    let seen = auditor.get(&format!("/api/v1/audit/person:{}", new[0])).await;
    let seen = String::from_utf8_lossy(&seen.body).into_owned();
    assert!(seen.contains("Ben") && !seen.contains("ben@example.org"), "{seen}");
    let (org, roles) = (app.org.clone(), Vec::new());
    let nowhere =
        api::NewPerson { org, name: "Nowhere".to_owned(), email: Some("nowhere".to_owned()), roles };
    app.admin.new_person(&nowhere).await.problem("invalid-request");
}

async fn a_file_of_notices_that_others_may_read_or_nobody_can_stops_the_start(engine: Engine) {
    let directory = tempfile::tempdir().unwrap();
    let file = private(directory.path(), "");
    let config = place_with(engine, directory.path(), &[("CUSTOS_NOTICES", &file)]).await;
    let mut app = TestApp::init(config, directory, "Unit", "Ada").await;
    app.stop().await;
    let secret = STANDARD.encode(SECRET);
    for (content, said) in [
        ("[[webhook]]\nurl = 'https://hooks.example.org'\nsecret = 'MARKER'\n", "openssl rand -base64 32"),
        (&*format!("[[webhook]]\nurl = 'https://127.0.0.1/x'\nsecret = 'whsec_{secret}'\n"), "inside = true"),
        (
            &*format!("[[webhook]]\nurl = 'https://h.example'\nsecret = 'whsec_{secret}'\ntopics = ['x']\n"),
            "`x`",
        ),
        ("[mail]\nhost = 'h'\nport = 465\nfrom = 'MARKER'\npeople = true\n", "e-mail address"),
        ("[mail]\nhost = 'h'\nport = 'MARKER'\n", "line 3"),
        ("[mial]\n", "unknown field `mial`"),
    ] {
        private(&app.root(), content);
        let error = refused_start(&app.config).await;
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        assert!(text.contains(said) && !text.contains("MARKER"), "{content}: {text}");
        assert!(error.remedy().contains("0600"), "{}", error.remedy());
    }
    private(&app.root(), "");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let error = refused_start(&app.config).await;
    assert!(format!("{error:?}").contains("Exposed"), "{error:?}");
}
