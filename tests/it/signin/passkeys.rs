//! Passkeys, with an authenticator in software.

use custos::api;
use serde_json::{Value, json};

use super::Browser;
use super::authenticator::Authenticator;
use super::passwords::set_up;
use crate::api::refused;
use crate::support::app::TestApp;
use crate::support::client::{Answer, Caller, draft};
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_passkey_signs_in_without_a_name_and_confirms_a_session
    what_an_authenticator_must_not_do_is_refused
    a_copied_passkey_is_refused_and_that_is_on_record
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
    let request = asked(&desk).await;
    let wrong = json!({ "id": request.id, "credential": bens.get(&request.options) });
    desk.post("/api/v1/session/confirm/passkey", &wrong).await.problem("passkey-refused");
    assert_eq!(refused(&app, &asha.id, "session-confirm").await, (1, 1));
    let request = asked(&desk).await;
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

async fn a_copied_passkey_is_refused_and_that_is_on_record(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let (mut key, _) = make(&app, &asha).await;
    let browser = Browser::new(&app);
    let mut copy = key.copy();
    sign_in(&browser, &mut key).await.made::<api::Session>();
    sign_in(&browser, &mut key).await.made::<api::Session>();
    sign_in(&browser, &mut copy).await.problem("sign-in-failed");
    assert_eq!(refused(&app, &asha.id, "sign-in").await, (1, 1));
    // One that has counted on is the one that the vault knows.
    sign_in(&browser, &mut key).await.made::<api::Session>();
    // Of two at the same moment, with the same count, one counts.
    let mut twin = key.copy();
    let (a, b) = tokio::join!(sign_in(&browser, &mut key), sign_in(&browser, &mut twin));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
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
    attempt(|_| ()).await.made::<api::PasskeyInfo>();
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
    let asha_too = device.sign_in(super::passwords::PASSWORD, &device.fresh(&app).await);
    browser.post("/api/v1/sign-in/password", &asha_too).await.made::<api::Session>();
}
