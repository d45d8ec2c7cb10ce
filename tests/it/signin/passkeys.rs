//! Passkeys, with an authenticator in software.

use custos::api;
use serde_json::{Value, json};

use super::Browser;
use super::authenticator::Authenticator;
use super::passwords::{Device, PASSWORD, begin, put, set_up};
use crate::api::refused;
use crate::support::app::TestApp;
use crate::support::client::{Answer, Caller, draft};
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_passkey_signs_in_without_a_name_and_confirms_a_session
    what_an_authenticator_must_not_do_is_refused
    a_copied_passkey_lets_in_neither_of_the_two_and_that_is_on_record
    what_is_asked_to_sign_in_confirms_nothing_and_the_other_way_round
    of_a_first_password_and_a_first_passkey_at_once_one_is_kept
    a_passkey_for_another_name_counts_for_nothing
    of_what_one_person_begins_little_is_kept
    a_passkey_is_made_once_for_whom_it_was_asked
    passkeys_end_with_all_else
}

/// Makes a passkey with a token.
async fn make(app: &TestApp, who: &Caller) -> (Authenticator, api::PasskeyInfo) {
    let mut authenticator = Authenticator::new(app.config.origin());
    let asked: api::PasskeyRequest = who.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
    let credential = authenticator.create(&asked.options);
    let new = json!({ "id": asked.id, "label": "key ring", "credential": credential });
    let made: api::PasskeyInfo = who.post("/api/v1/passkeys", &new).await.made();
    (authenticator, made)
}

async fn asked(browser: &Browser) -> api::PasskeyRequest {
    browser.post("/api/v1/sign-in/passkey/prepare", &json!({})).await.ok()
}

async fn asked_to_confirm(browser: &Browser) -> api::PasskeyRequest {
    browser.post("/api/v1/session/confirm/passkey/prepare", &json!({})).await.ok()
}

/// What somebody sends who was asked and whose authenticator has answered.
fn proof(asked: &api::PasskeyRequest, credential: &Value) -> Value {
    json!({ "id": asked.id, "label": "laptop", "credential": credential })
}

async fn sign_in(browser: &Browser, authenticator: &mut Authenticator) -> Answer {
    let asked = asked(browser).await;
    let credential = authenticator.get(&asked.options);
    browser.post("/api/v1/sign-in/passkey", &proof(&asked, &credential)).await
}

async fn a_passkey_signs_in_without_a_name_and_confirms_a_session(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["custodian"]).await;
    let (mut key, made) = make(&app, &asha).await;
    let mut desk = Browser::new(&app);
    let answer = sign_in(&desk, &mut key).await;
    desk.keep(&answer);
    let session: api::Session = answer.made();
    assert_eq!((session.method.as_str(), session.confirmed_until.is_some()), ("passkey", true));
    assert_eq!(desk.get("/api/v1/me").await.ok::<api::Me>().person.id, asha.id);
    let shown: api::Credentials = desk.get("/api/v1/credentials").await.ok();
    assert_eq!((shown.passkeys[0].id.as_str(), shown.passkeys[0].used.is_some()), (made.id.as_str(), true));

    // Minutes later the key is shown again; the session goes on under another secret.
    raw::change(app.config.database_url(), "UPDATE sessions SET confirmed = confirmed - 600000", 1).await;
    let token = json!({ "label": "mine", "days": 1 });
    desk.post("/api/v1/tokens", &token).await.problem("confirmation-needed");
    // Somebody else's key confirms nothing.
    let ben = app.enrol("Ben", &[]).await;
    let (mut bens, _) = make(&app, &ben).await;
    let request = asked_to_confirm(&desk).await;
    let wrong = json!({ "id": request.id, "credential": bens.get(&request.options) });
    desk.post("/api/v1/session/confirm/passkey", &wrong).await.problem("passkey-refused");
    assert_eq!(refused(&app, &asha.id, "session-confirm").await, (1, 1));
    let request = asked_to_confirm(&desk).await;
    let right = json!({ "id": request.id, "credential": key.get(&request.options) });
    let answer = desk.post("/api/v1/session/confirm/passkey", &right).await;
    let before = desk.clone();
    desk.keep(&answer);
    before.get("/api/v1/me").await.problem("unauthenticated");
    desk.post("/api/v1/tokens", &token).await.made::<api::Token>();
}

async fn what_an_authenticator_must_not_do_is_refused(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let (mut key, _) = make(&app, &asha).await;
    let browser = Browser::new(&app);
    let mut said = Vec::new();
    let mut fails = |answer: Answer| {
        let mut problem = answer.problem("sign-in-failed");
        problem.request_id.clear();
        said.push(serde_json::to_string(&problem).unwrap());
    };
    // What was answered once does not count again, to the same question or to another one.
    let first = asked(&browser).await;
    let answer = key.get(&first.options);
    browser.post("/api/v1/sign-in/passkey", &proof(&first, &answer)).await.made::<api::Session>();
    fails(browser.post("/api/v1/sign-in/passkey", &proof(&first, &answer)).await);
    let second = asked(&browser).await;
    fails(browser.post("/api/v1/sign-in/passkey", &proof(&second, &answer)).await);
    // A question is used up by a wrong answer.
    let right = key.get(&second.options);
    fails(browser.post("/api/v1/sign-in/passkey", &proof(&second, &right)).await);
    // Nobody was sure who held it.
    key.verifies = false;
    fails(sign_in(&browser, &mut key).await);
    key.verifies = true;
    // Another page asked.
    for wrong in [
        "https://evil.example",
        "http://localhost:0",
        "https://localhost.evil.example",
        "https://localhost:1",
    ] {
        let own = std::mem::replace(&mut key.origin, wrong.to_owned());
        fails(sign_in(&browser, &mut key).await);
        key.origin = own;
    }
    let browser = Browser::elsewhere(&app, 7);
    let own = std::mem::replace(&mut key.host, "evil.example".to_owned());
    fails(sign_in(&browser, &mut key).await);
    key.host = own;
    // Another key, or one that nobody has made here.
    let mut stranger = Authenticator::new(app.config.origin());
    fails(sign_in(&browser, &mut stranger).await);
    // An answer that was altered.
    let request = asked(&browser).await;
    let mut altered = key.get(&request.options);
    altered["response"]["authenticatorData"] =
        key.get(&request.options)["response"]["authenticatorData"].clone();
    fails(browser.post("/api/v1/sign-in/passkey", &proof(&request, &altered)).await);
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    // Too late.
    let request = asked(&browser).await;
    raw::change(app.config.database_url(), "UPDATE challenges SET expires = expires - 300000", 1).await;
    let late = key.get(&request.options);
    let answer = browser.post("/api/v1/sign-in/passkey", &proof(&request, &late)).await;
    answer.problem("sign-in-failed");
    // None of this harms the key.
    sign_in(&browser, &mut key).await.made::<api::Session>();
}

async fn a_copied_passkey_lets_in_neither_of_the_two_and_that_is_on_record(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha", &[]).await, app.enrol("Ben", &[]).await);
    let browser = Browser::new(&app);
    let (of_ben, _) = Browser::open(&app, &ben, "desk").await;
    let (mut key, _) = make(&app, &asha).await;
    let mut copy = key.copy();
    let (desk, thief) = (signed_in(&app, &mut key).await, signed_in(&app, &mut key).await);
    // Who has the copy counts on from what it was copied at: that is noticed, and which of the two it is nobody knows.
    sign_in(&browser, &mut copy).await.problem("passkey-copied");
    assert_eq!(refused(&app, &asha.id, "sign-in").await, (1, 1));
    for ended in [&desk, &thief] {
        ended.get("/api/v1/me").await.problem("unauthenticated");
    }
    copy.counter += 10;
    for end in [&mut key, &mut copy] {
        sign_in(&browser, end).await.problem("sign-in-failed");
    }
    assert_eq!(asha.get("/api/v1/credentials").await.ok::<api::Credentials>().passkeys.len(), 0);
    of_ben.get("/api/v1/me").await.ok::<api::Me>();

    // Where the copy counts first the owner is the one who is refused, and the thief goes as well.
    let (mut key, _) = make(&app, &asha).await;
    let desk = signed_in(&app, &mut key).await;
    let mut copy = key.copy();
    let thief = signed_in(&app, &mut copy).await;
    let request = asked_to_confirm(&desk).await;
    let proof = json!({ "id": request.id, "credential": key.get(&request.options) });
    let answer = desk.post("/api/v1/session/confirm/passkey", &proof).await;
    assert!(answer.problem("passkey-copied").remedy.contains("administrator"));
    assert_eq!(refused(&app, &asha.id, "session-confirm").await, (1, 1));
    for ended in [&desk, &thief] {
        ended.get("/api/v1/me").await.problem("unauthenticated");
    }

    // Of two at the same moment, with the same count, one counts.
    let browser = Browser::elsewhere(&app, 8);
    let (mut key, _) = make(&app, &asha).await;
    sign_in(&browser, &mut key).await.made::<api::Session>();
    let mut twin = key.copy();
    let (a, b) = tokio::join!(sign_in(&browser, &mut key), sign_in(&browser, &mut twin));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [201, 401 | 403]), "{statuses:?}");
}

/// A browser that somebody has signed in with.
async fn signed_in(app: &TestApp, authenticator: &mut Authenticator) -> Browser {
    let mut browser = Browser::new(app);
    browser.keep(&sign_in(&browser, authenticator).await);
    browser
}

async fn what_is_asked_to_sign_in_confirms_nothing_and_the_other_way_round(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha", &[]).await, app.enrol("Ben", &[]).await);
    asha.post("/api/v1/session/confirm/passkey/prepare", &json!({})).await.problem("not-found");
    let ((mut key, _), (mut bens, _)) = (make(&app, &asha).await, make(&app, &ben).await);
    let (mut desk, of_ben) = (signed_in(&app, &mut key).await, signed_in(&app, &mut bens).await);
    let confirm = async |desk: &Browser, request: &api::PasskeyRequest, key: &mut Authenticator| {
        let proof = json!({ "id": request.id, "credential": key.get(&request.options) });
        desk.post("/api/v1/session/confirm/passkey", &proof).await
    };
    confirm(&desk, &asked(&desk).await, &mut key).await.problem("passkey-refused");
    let request = asked_to_confirm(&desk).await;
    let credential = key.get(&request.options);
    desk.post("/api/v1/sign-in/passkey", &proof(&request, &credential)).await.problem("sign-in-failed");
    // Nor is what one person is asked answered by another one.
    confirm(&desk, &asked_to_confirm(&of_ben).await, &mut key).await.problem("passkey-refused");
    let answer = confirm(&desk, &request, &mut key).await;
    desk.keep(&answer);
    desk.get("/api/v1/me").await.ok::<api::Me>();
}

async fn of_a_first_password_and_a_first_passkey_at_once_one_is_kept(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let (new, secret) = begin(&asha).await;
    let device = Device { name: "asha".to_owned(), secret, recovery_codes: Vec::new() };
    let codes = json!({ "id": new.id, "code": device.code(0) });
    let password = json!({ "name": "asha", "password": PASSWORD, "codes": codes });
    let asked: api::PasskeyRequest = asha.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
    let credential = Authenticator::new(app.config.origin()).create(&asked.options);
    let passkey = json!({ "id": asked.id, "label": "key ring", "credential": credential });
    let both = async { tokio::join!(put(&asha, &password), asha.post("/api/v1/passkeys", &passkey)) };
    // Both have found nothing before either is let go on.
    let held = "UPDATE api_tokens SET expires = expires";
    let (password, passkey) = raw::while_held(app.config.database_url(), held, 2, both).await;
    let kept = [password.status == 200, passkey.status == 201];
    assert!(kept[0] ^ kept[1], "{} {}", password.text(), passkey.text());
    let lost = if kept[0] { passkey } else { password };
    assert!([403, 409].contains(&lost.status.as_u16()), "{}", lost.text());
    let left: api::Credentials = asha.get("/api/v1/credentials").await.ok();
    assert_eq!([left.password.is_some(), left.passkeys.len() == 1], kept);
}

async fn a_passkey_for_another_name_counts_for_nothing(engine: Engine) {
    let app = TestApp::new(engine).await;
    let url = app.config.database_url();
    let asha = app.enrol("Asha", &[]).await;
    let (mut key, _) = make(&app, &asha).await;
    let shown = async || asha.get("/api/v1/credentials").await.ok::<api::Credentials>().passkeys.len();
    let of_host = |host: &str| format!("SELECT COUNT(*) FROM passkeys WHERE host = '{host}'");
    assert_eq!((shown().await, raw::number(url, of_host("localhost")).await), (1, 1));
    // The vault has moved: the passkey answers to no page of it. Whoever stole the token makes no first one of their own.
    raw::change(url, "UPDATE passkeys SET host = 'elsewhere.example'", 1).await;
    assert_eq!(shown().await, 0);
    asha.post("/api/v1/passkeys/prepare", &json!({})).await.problem("confirmation-needed");
    asha.post("/api/v1/codes", &json!({})).await.problem("confirmation-needed");
    // One that was made before it was kept counts, and is known once it was used.
    raw::change(url, "UPDATE passkeys SET host = NULL WHERE host = 'elsewhere.example'", 1).await;
    assert_eq!(shown().await, 1);
    signed_in(&app, &mut key).await;
    assert_eq!(raw::number(url, of_host("localhost")).await, 1);
}

async fn of_what_one_person_begins_little_is_kept(engine: Engine) {
    let app = TestApp::new(engine).await;
    let url = app.config.database_url();
    let asha = app.enrol("Asha", &[]).await;
    let (codes, _) = begin(&asha).await;
    let mut last: Option<api::PasskeyRequest> = None;
    for _ in 0..12 {
        last = Some(asha.post("/api/v1/passkeys/prepare", &json!({})).await.ok());
        begin(&asha).await;
    }
    assert_eq!(raw::number(url, "SELECT COUNT(*) FROM challenges".to_owned()).await, 20);
    let late = json!({ "id": codes.id, "code": "000000" });
    let set = json!({ "name": "asha", "password": PASSWORD, "codes": late });
    put(&asha, &set).await.problem("not-found");
    let (mut key, request) = (Authenticator::new(app.config.origin()), last.unwrap());
    let new = json!({ "id": request.id, "label": "first", "credential": key.create(&request.options) });
    asha.post("/api/v1/passkeys", &new).await.made::<api::PasskeyInfo>();

    // Twenty passkeys are enough, also where two are made at once.
    let desk = signed_in(&app, &mut key).await;
    let begun = async || {
        let request: api::PasskeyRequest = desk.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
        let credential = Authenticator::new(app.config.origin()).create(&request.options);
        json!({ "id": request.id, "label": "one more", "credential": credential })
    };
    for _ in 1..19 {
        desk.post("/api/v1/passkeys", &begun().await).await.made::<api::PasskeyInfo>();
    }
    let (one, other) = (begun().await, begun().await);
    let both =
        async { tokio::join!(desk.post("/api/v1/passkeys", &one), desk.post("/api/v1/passkeys", &other)) };
    let held = "UPDATE sessions SET expires = expires";
    let (one, other) = raw::while_held(url, held, 2, both).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [201, 400 | 409]), "{statuses:?}");
    desk.post("/api/v1/passkeys/prepare", &json!({})).await.problem("invalid-request");
}

async fn a_passkey_is_made_once_for_whom_it_was_asked(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben) = (app.enrol("Asha", &[]).await, app.enrol("Ben", &[]).await);
    let request: api::PasskeyRequest = asha.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
    let mut key = Authenticator::new(app.config.origin());
    let credential = key.create(&request.options);
    let new = json!({ "id": request.id, "label": "mine", "credential": credential });
    ben.post("/api/v1/passkeys", &new).await.problem("not-found");
    asha.post("/api/v1/passkeys", &new).await.made::<api::PasskeyInfo>();
    asha.post("/api/v1/passkeys", &new).await.problem("confirmation-needed");

    let attempt = async |change: fn(&mut Authenticator)| {
        let request: api::PasskeyRequest = ben.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
        let mut key = Authenticator::new(app.config.origin());
        change(&mut key);
        let mut options = request.options;
        options["publicKey"]["rp"]["id"] = key.host.clone().into();
        let new = json!({ "id": request.id, "label": "mine", "credential": key.create(&options) });
        ben.post("/api/v1/passkeys", &new).await
    };
    attempt(|key| key.verifies = false).await.problem("passkey-refused");
    attempt(|key| "https://evil.example".clone_into(&mut key.origin)).await.problem("passkey-refused");
    attempt(|key| "evil.example".clone_into(&mut key.host)).await.problem("passkey-refused");
    // The same key again, as somebody else's.
    let request: api::PasskeyRequest = ben.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
    let again = json!({ "id": request.id, "label": "mine", "credential": key.create(&request.options) });
    ben.post("/api/v1/passkeys", &again).await.problem("too-late");
    // One that the authenticator does not keep would sign nobody in; an old browser does not say.
    attempt(|key| key.keeps = Some(false)).await.problem("passkey-not-kept");
    attempt(|key| key.keeps = None).await.made::<api::PasskeyInfo>();
}

async fn passkeys_end_with_all_else(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, _) = crate::api::spine::two_custodians(&app).await;
    let (mut key, made) = make(&app, &ben).await;
    let browser = Browser::new(&app);
    // Once there is one, a token alone adds, changes and removes nothing.
    ben.post("/api/v1/passkeys/prepare", &json!({})).await.problem("confirmation-needed");
    ben.post("/api/v1/codes", &json!({})).await.problem("confirmation-needed");
    let path = format!("/api/v1/passkeys/{}", made.id);
    ben.delete(&path).await.problem("confirmation-needed");
    let mut desk = Browser::new(&app);
    desk.keep(&sign_in(&browser, &mut key).await);
    let request: api::PasskeyRequest = desk.post("/api/v1/passkeys/prepare", &json!({})).await.ok();
    assert_eq!(request.options["publicKey"]["excludeCredentials"].as_array().unwrap().len(), 1);
    let foreign = format!("/api/v1/passkeys/{}", uuid::Uuid::now_v7());
    desk.delete(&foreign).await.problem("not-found");
    assert_eq!(desk.delete(&path).await.status, 204);
    sign_in(&browser, &mut key).await.problem("sign-in-failed");

    let (mut key, _) = make(&app, &ben).await;
    let device = set_up(&asha, "asha").await;
    let suspended = draft("person.suspended", &json!({ "person": ben.id, "purpose": "loss", "data": {} }));
    asha.say(&suspended).await.made::<api::Recorded>();
    sign_in(&browser, &mut key).await.problem("sign-in-failed");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    app.admin.say(&restored).await.made::<api::Recorded>();
    sign_in(&browser, &mut key).await.problem("sign-in-failed");
    let asha_too = device.sign_in(PASSWORD, &device.fresh(&app).await);
    browser.post("/api/v1/sign-in/password", &asha_too).await.made::<api::Session>();
}
