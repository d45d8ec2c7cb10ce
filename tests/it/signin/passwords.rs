//! Passwords with second factors: setting up, signing in, and everything that does not.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::hmac;
use custos::api;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, cookie};
use crate::api::refused;
use crate::support::app::{TestApp, builder, refused_start};
use crate::support::client::{Answer, Caller, draft};
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_password_signs_in_with_its_device_and_what_is_sensitive_follows
    whatever_is_wrong_is_answered_alike
    a_code_and_a_recovery_code_count_once
    a_token_does_not_take_over_what_somebody_signs_in_with
    of_ten_thousand_guesses_from_everywhere_few_are_looked_at_and_the_person_still_gets_in
    whoever_is_suspended_has_nothing_left_to_sign_in_with
    what_may_not_be_a_password_or_a_name_is_refused
}

pub(crate) const PASSWORD: &str = "seven green lanterns on a boat";

/// What somebody signs in with.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) recovery_codes: Vec<String>,
}

impl Device {
    /// The code of now, or of so many steps later.
    pub(crate) fn code(&self, later: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        totp(&self.secret, (now / 30).checked_add_signed(later).unwrap())
    }

    /// A code that counts whatever was used before, and also if the next half minute begins meanwhile.
    pub(crate) async fn fresh(&self, app: &TestApp) -> Value {
        let url = app.config.database_url();
        let all = raw::number(url, "SELECT COUNT(*) FROM passwords".to_owned()).await;
        raw::change(url, "UPDATE passwords SET step = 0", all.unsigned_abs()).await;
        json!({ "code": self.code(1) })
    }

    pub(crate) fn sign_in(&self, password: &str, factor: &Value) -> Value {
        json!({ "name": self.name, "password": password, "factor": factor, "label": "desk" })
    }
}

/// RFC 4226, section 5.3, without the code under test.
fn totp(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let digest = hmac::sign(&key, &step.to_be_bytes());
    let digest = digest.as_ref();
    let offset = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

pub(crate) fn from_base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
        bits = bits << 5 | u32::try_from(value).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// Begins a device: the answer, and the secret.
pub(crate) async fn begin(who: &Caller) -> (api::NewCodes, Vec<u8>) {
    let new: api::NewCodes = who.post("/api/v1/codes", &json!({})).await.made();
    let secret = from_base32(new.secret.expose());
    (new, secret)
}

pub(crate) async fn put(who: &Caller, body: &Value) -> Answer {
    who.send(who.request(Method::PUT, "/api/v1/password").json(body)).await
}

/// Sets up a password and a device with a token.
pub(crate) async fn set_up(who: &Caller, name: &str) -> Device {
    set_up_with(who, name, PASSWORD).await
}

pub(crate) async fn set_up_with(who: &Caller, name: &str, password: &str) -> Device {
    let (new, secret) = begin(who).await;
    let mut device = Device { name: name.to_owned(), secret, recovery_codes: Vec::new() };
    let codes = json!({ "id": new.id, "code": device.code(0) });
    let set: api::PasswordSet =
        put(who, &json!({ "name": name, "password": password, "codes": codes })).await.ok();
    device.recovery_codes = set.recovery_codes.iter().map(|code| code.expose().to_owned()).collect();
    device
}

/// Signs in with a browser.
pub(crate) async fn signed_in(app: &TestApp, device: &Device, factor: &Value) -> Browser {
    let mut browser = Browser::new(app);
    let answer = browser.post("/api/v1/sign-in/password", &device.sign_in(PASSWORD, factor)).await;
    browser.keep(&answer);
    answer.made::<api::Session>();
    browser
}

async fn a_password_signs_in_with_its_device_and_what_is_sensitive_follows(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["custodian"]).await;
    let none: api::Credentials = asha.get("/api/v1/credentials").await.ok();
    assert!(none.password.is_none());
    let alone = json!({ "name": "asha.k", "password": PASSWORD });
    put(&asha, &alone).await.problem("invalid-request");
    let (new, secret) = begin(&asha).await;
    assert!(new.uri.expose().contains(new.secret.expose()) && secret.len() == 20);
    let wrong = json!({ "id": new.id, "code": "000000" });
    put(&asha, &json!({ "name": "asha.k", "password": PASSWORD, "codes": wrong }))
        .await
        .problem("wrong-code");
    // What somebody else has begun is nobody else's.
    let codes = json!({ "id": new.id, "code": totp(&secret, 0) });
    let stolen = json!({ "name": "other", "password": PASSWORD, "codes": codes });
    put(&app.admin, &stolen).await.problem("not-found");

    let device = set_up(&asha, " Asha.K ").await;
    assert_eq!(device.recovery_codes.len(), 10);
    let info: api::Credentials = asha.get("/api/v1/credentials").await.ok();
    assert_eq!(info.password.unwrap().recovery_codes_left, 10);
    let desk =
        signed_in(&app, &Device { name: "ASHA.k".to_owned(), ..device.clone() }, &device.fresh(&app).await)
            .await;
    let session: api::Session = desk.get("/api/v1/session").await.ok();
    assert_eq!((session.method.as_str(), session.confirmed_until.is_some()), ("password", true));
    desk.post("/api/v1/tokens", &json!({ "label": "mine", "days": 30 })).await.made::<api::Token>();

    // Minutes later it is not sure any more who sits there.
    let url = app.config.database_url();
    raw::change(url, "UPDATE sessions SET confirmed = confirmed - 600000", 1).await;
    let token = json!({ "label": "mine", "days": 30 });
    desk.post("/api/v1/tokens", &token).await.problem("confirmation-needed");
    desk.post("/api/v1/session/confirm", &json!({ "code": "000000" })).await.problem("wrong-code");
    assert_eq!(refused(&app, &asha.id, "session-confirm").await, (1, 1));
    let answer = desk.post("/api/v1/session/confirm", &device.fresh(&app).await).await;
    let mut confirmed = desk.clone();
    confirmed.keep(&answer);
    assert_ne!(confirmed.session, desk.session);
    desk.get("/api/v1/me").await.problem("unauthenticated");
    confirmed.post("/api/v1/tokens", &token).await.made::<api::Token>();
    assert_eq!(answer.ok::<api::Session>().id, session.id, "it goes on under another secret");
    app.admin.post("/api/v1/session/confirm", &json!({ "code": "1" })).await.problem("not-found");

    if engine == Engine::Sqlite {
        let file = fs::read(app.config.data_dir().join("custos.db-wal")).unwrap();
        for kept in
            ["asha.k", "Asha.K", PASSWORD, &device.recovery_codes[0], new.secret.expose(), &confirmed.session]
        {
            let found = file.windows(kept.len()).any(|window| window == kept.as_bytes());
            assert!(!found, "{kept} stands in the database");
        }
    }
}

async fn whatever_is_wrong_is_answered_alike(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let browser = Browser::new(&app);
    let nobody = Device { name: "nobody".to_owned(), ..device.clone() };
    let code = device.fresh(&app).await;
    let mut said = Vec::new();
    for (who, password, factor) in [
        (&device, "seven green lanterns on a boot", &code),
        (&device, PASSWORD, &json!({ "code": "000000" })),
        (&device, PASSWORD, &json!({ "recovery_code": "aaaa-aaaa-aaaa-aaaa" })),
        (&device, PASSWORD, &json!({ "recovery_code": "short" })),
        (&nobody, PASSWORD, &code),
        (&nobody, PASSWORD, &json!({ "recovery_code": device.recovery_codes[0] })),
        (&Device { name: "\u{0}".to_owned(), ..device.clone() }, PASSWORD, &code),
        (&nobody, &"x".repeat(10_000), &code),
    ] {
        let answer = browser.post("/api/v1/sign-in/password", &who.sign_in(password, factor)).await;
        assert_eq!(cookie(&answer, "__Host-custos"), None);
        let mut problem = answer.problem("sign-in-failed");
        problem.request_id.clear();
        said.push(serde_json::to_string(&problem).unwrap());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    for neither in [json!({}), json!({ "code": "1", "recovery_code": "2" })] {
        let other = Device { name: "somebody".to_owned(), ..device.clone() };
        let answer = browser.post("/api/v1/sign-in/password", &other.sign_in(PASSWORD, &neither)).await;
        answer.problem("invalid-request");
    }
    // Another site signs nobody in.
    let request =
        browser.bare(Method::POST, "/api/v1/sign-in/password").header("Origin", "https://evil.example");
    let answer = browser.caller.send(request.json(&device.sign_in(PASSWORD, &code))).await;
    answer.problem("cross-site");
    signed_in(&app, &device, &device.fresh(&app).await).await;
}

async fn a_code_and_a_recovery_code_count_once(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let url = app.config.database_url();
    let browser = Browser::new(&app);
    let ask = device.sign_in(PASSWORD, &json!({ "code": device.code(1) }));
    // Of five at the same moment one is let in; the others are wrong, or asked to wait.
    let answers =
        futures_util::future::join_all((0..5).map(|_| browser.post("/api/v1/sign-in/password", &ask))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let counted = raw::number(url, "SELECT COUNT(*) FROM guesses".to_owned()).await;
    raw::change(url, "DELETE FROM guesses", counted.unsigned_abs()).await;
    browser.post("/api/v1/sign-in/password", &ask).await.problem("sign-in-failed");
    let earlier = device.sign_in(PASSWORD, &json!({ "code": device.code(0) }));
    browser.post("/api/v1/sign-in/password", &earlier).await.problem("sign-in-failed");

    // As it is printed, or as people type it.
    let [first, second, third, ..] = &device.recovery_codes[..] else { panic!("there are ten") };
    let typed = second.to_uppercase().replace('-', " ");
    for code in [first, &typed] {
        let factor = json!({ "recovery_code": *code });
        signed_in(&app, &device, &factor).await;
        let again = device.sign_in(PASSWORD, &factor);
        browser.post("/api/v1/sign-in/password", &again).await.problem("sign-in-failed");
    }
    let desk = signed_in(&app, &device, &json!({ "recovery_code": third })).await;
    let left: api::Credentials = desk.get("/api/v1/credentials").await.ok();
    assert_eq!(left.password.unwrap().recovery_codes_left, 7);
    let new: api::PasswordSet = desk.post("/api/v1/recovery-codes", &json!({})).await.made();
    let ended = device.sign_in(PASSWORD, &json!({ "recovery_code": device.recovery_codes[3] }));
    browser.post("/api/v1/sign-in/password", &ended).await.problem("sign-in-failed");
    signed_in(&app, &device, &json!({ "recovery_code": new.recovery_codes[0].expose() })).await;
}

async fn a_token_does_not_take_over_what_somebody_signs_in_with(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    asha.post("/api/v1/codes", &json!({})).await.problem("confirmation-needed");
    let other = json!({ "name": "asha", "password": "another long password" });
    put(&asha, &other).await.problem("confirmation-needed");
    asha.post("/api/v1/recovery-codes", &json!({})).await.problem("confirmation-needed");
    asha.delete("/api/v1/password").await.problem("confirmation-needed");
    // The second one like it within a minute is counted, to be recorded with the next.
    assert_eq!(refused(&app, &asha.id, "password-set").await, (1, 1));
    assert_eq!(refused(&app, &asha.id, "password-removed").await.0, 1);
    // Nor does a session that such a token opened, unless its person is there with the device.
    let (mut desk, _) = Browser::open(&app, &asha, "desk").await;
    desk.delete("/api/v1/password").await.problem("confirmation-needed");
    let answer = desk.post("/api/v1/session/confirm", &device.fresh(&app).await).await;
    desk.keep(&answer);
    let changed = desk.caller.send(desk.asks(Method::PUT, "/api/v1/password").json(&other)).await;
    assert!(
        changed.ok::<api::PasswordSet>().recovery_codes.is_empty(),
        "the device stays, and so do its codes"
    );
    let browser = Browser::new(&app);
    let code = device.fresh(&app).await;
    let before = device.sign_in(PASSWORD, &code);
    browser.post("/api/v1/sign-in/password", &before).await.problem("sign-in-failed");
    let now = device.sign_in("another long password", &code);
    browser.post("/api/v1/sign-in/password", &now).await.made::<api::Session>();
    assert_eq!(desk.delete("/api/v1/password").await.status, 204);
    let gone = device.sign_in("another long password", &json!({ "recovery_code": device.recovery_codes[0] }));
    browser.post("/api/v1/sign-in/password", &gone).await.problem("sign-in-failed");
    desk.delete("/api/v1/password").await.problem("not-found");
    // Another person takes the name once it is free, and not before.
    let device = set_up(&asha, "asha").await;
    let (new, secret) = begin(&app.admin).await;
    let codes = json!({ "id": new.id, "code": Device { secret, ..device }.code(0) });
    let taken = json!({ "name": "ASHA", "password": PASSWORD, "codes": codes });
    put(&app.admin, &taken).await.problem("name-taken");
}

/// Guesses, and addresses that they come from: no address alone makes enough to be stopped for that.
const GUESSES: usize = 10_000;
const ADDRESSES: usize = 500;

async fn of_ten_thousand_guesses_from_everywhere_few_are_looked_at_and_the_person_still_gets_in(
    engine: Engine,
) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let mut desk = Browser::new(&app);
    let ask = device.sign_in(PASSWORD, &device.fresh(&app).await);
    let answer = desk.post("/api/v1/sign-in/password", &ask).await;
    desk.keep(&answer);
    let known = cookie(&answer, "__Host-custos-device").unwrap();
    assert!(
        answer.headers.get_all("set-cookie").iter().any(|c| c.to_str().unwrap().contains("Max-Age=15552000"))
    );

    let base = app.shared.base.lock().unwrap().clone();
    let config = &app.config;
    let from = |number: usize| {
        let base = base.clone();
        let wrong = device.sign_in("a guess like any other one", &json!({ "code": "123456" }));
        async move {
            let address = Ipv4Addr::from_bits(0x7f01_0000 + u32::try_from(number).unwrap());
            let http = builder(config).local_address(IpAddr::V4(address)).build().unwrap();
            let mut answers = Vec::new();
            for _ in 0..GUESSES / ADDRESSES {
                let sent =
                    http.post(format!("{base}/api/v1/sign-in/password")).json(&wrong).send().await.unwrap();
                answers.push(sent.status().as_u16());
            }
            answers
        }
    };
    let answers: Vec<u16> = futures_util::stream::iter(0..ADDRESSES)
        .map(from)
        .buffer_unordered(16)
        .map(futures_util::stream::iter)
        .flatten()
        .collect()
        .await;
    let (looked_at, refused) =
        (answers.iter().filter(|s| **s == 401).count(), answers.iter().filter(|s| **s == 429).count());
    assert_eq!(looked_at + refused, GUESSES);
    // Five, and one more a minute, twice as long each time.
    assert!((1..=10).contains(&looked_at), "{looked_at}");

    // From elsewhere even what is right waits now, and is told how long; where the person has signed in before it does not.
    let right = device.sign_in(PASSWORD, &device.fresh(&app).await);
    let stranger = Browser::new(&app);
    let locked = stranger.post("/api/v1/sign-in/password", &right).await;
    locked.problem("too-many-requests");
    assert!((1..=3_600).contains(&locked.header("retry-after").parse::<u32>().unwrap()));
    let request = stranger.asks(Method::POST, "/api/v1/sign-in/password");
    let request = request.header("Cookie", format!("__Host-custos-device={known}")).json(&right);
    stranger.caller.send(request).await.made::<api::Session>();
    desk.get("/api/v1/me").await.ok::<api::Me>();

    // A device of somebody else's helps nobody.
    let ben = app.enrol("Ben", &[]).await;
    let of_ben = set_up(&ben, "ben").await;
    let answer =
        stranger.post("/api/v1/sign-in/password", &of_ben.sign_in(PASSWORD, &of_ben.fresh(&app).await)).await;
    let bens = cookie(&answer, "__Host-custos-device").unwrap();
    let by = |factor: &Value| {
        let request = stranger.asks(Method::POST, "/api/v1/sign-in/password");
        let request = request.header("Cookie", format!("__Host-custos-device={bens}"));
        stranger.caller.send(request.json(&device.sign_in(PASSWORD, factor)))
    };
    by(&device.fresh(&app).await).await.problem("too-many-requests");
    // A recovery code does: nobody guesses one. What is none is counted like everything else.
    by(&json!({ "recovery_code": "aaaa-aaaa-aaaa-aaaa" })).await.problem("too-many-requests");
    by(&json!({ "recovery_code": device.recovery_codes[0] })).await.made::<api::Session>();
    by(&json!({ "recovery_code": device.recovery_codes[0] })).await.problem("too-many-requests");
}

async fn whoever_is_suspended_has_nothing_left_to_sign_in_with(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, _) = crate::api::spine::two_custodians(&app).await;
    let device = set_up(&ben, "ben").await;
    let desk = signed_in(&app, &device, &device.fresh(&app).await).await;
    let suspended = draft("person.suspended", &json!({ "person": ben.id, "purpose": "loss", "data": {} }));
    asha.say(&suspended).await.made::<api::Recorded>();
    desk.get("/api/v1/me").await.problem("unauthenticated");
    let browser = Browser::new(&app);
    let code = device.sign_in(PASSWORD, &json!({ "code": device.code(1) }));
    browser.post("/api/v1/sign-in/password", &code).await.problem("sign-in-failed");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    app.admin.say(&restored).await.made::<api::Recorded>();
    let recovery = device.sign_in(PASSWORD, &json!({ "recovery_code": device.recovery_codes[0] }));
    browser.post("/api/v1/sign-in/password", &recovery).await.problem("sign-in-failed");
    for table in ["passwords", "recovery_codes", "devices", "challenges"] {
        let left = raw::number(app.config.database_url(), format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(left, 0, "{table}");
    }
}

async fn what_may_not_be_a_password_or_a_name_is_refused(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let list = app.root().join("stolen");
    // SHA-1 of PASSWORD, as lists of stolen passwords have it.
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes());
    fs::write(&list, format!("{}\r\n{}:3\r\n", "0".repeat(40), hex::encode_upper(hash))).unwrap();
    app.restart_with(&[("CUSTOS_BREACHED_PASSWORDS", &list)]).await;
    let (new, secret) = begin(&app.admin).await;
    let device = Device { name: String::new(), secret, recovery_codes: Vec::new() };
    let ask = |name: &str, password: &str| {
        let codes = json!({ "id": new.id, "code": device.code(0) });
        json!({ "name": name, "password": password, "codes": codes })
    };
    for unfit in [PASSWORD, "eleven char", "password12345", "I am ada.admin herself", &"long ".repeat(60)] {
        let problem = put(&app.admin, &ask("ada.admin", unfit)).await.problem("password-unfit");
        assert!(!problem.detail.contains(unfit));
    }
    for name in ["", "ab", &"x".repeat(65), "a\u{7}bc"] {
        put(&app.admin, &ask(name, "nine red lanterns")).await.problem("invalid-request");
    }
    put(&app.admin, &ask("ada.admin", "nine red lanterns")).await.ok::<api::PasswordSet>();
    app.stop().await;
    fs::remove_file(&list).unwrap();
    let error = refused_start(&app.config).await;
    assert!(error.remedy().contains("breached_passwords"), "{}", error.remedy());
    fs::write(&list, "0".repeat(40)).unwrap();
    app.start().await;
}
