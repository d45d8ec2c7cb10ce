//! Outside providers: whoever one says it is, and links to it.

use custos::api;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::Browser;
use super::provider::{Hostile, Key, Real, configure, parameter, visit};
use crate::api::refused;
use crate::support::app::TestApp;
use crate::support::client::{Answer, Caller, draft};
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    whoever_linked_themselves_is_signed_in_by_a_real_provider
    what_came_back_counts_once_in_the_browser_that_was_sent
    links_end_with_all_else
    whoever_links_has_just_shown_the_provider_who_they_are
}

/// A vault whose provider is the real one.
async fn with_real(engine: Engine) -> (TestApp, Real, tempfile::TempDir) {
    let mut app = TestApp::new(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let provider = Real::start(app.config.origin());
    let file = configure(folder.path(), &provider.issuer, "");
    app.restart_with(&[("CUSTOS_PROVIDERS", &file)]).await;
    (app, provider, folder)
}

/// A vault whose provider is the hostile one.
pub(super) async fn with_hostile(engine: Engine, more: &str) -> (TestApp, Hostile, Key, tempfile::TempDir) {
    let mut app = TestApp::new(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let (provider, key) = (Hostile::start(), Key::new("one"));
    provider.publishes(&[key.public()]);
    let file = configure(folder.path(), &provider.issuer, more);
    app.restart_with(&[("CUSTOS_PROVIDERS", &file)]).await;
    (app, provider, key, folder)
}

pub(super) const MINISTRY: &str = "ministry";

pub(super) async fn sent(browser: &Browser) -> api::ProviderRequest {
    browser.post("/api/v1/sign-in/provider/prepare", &json!({ "provider": MINISTRY })).await.ok()
}

async fn sent_to_link(who: &Caller) -> api::ProviderRequest {
    who.post("/api/v1/provider-links/prepare", &json!({ "provider": MINISTRY })).await.ok()
}

/// What the vault's page sends that somebody came back to.
fn back(request: &api::ProviderRequest, at: &Url) -> Value {
    json!({
        "id": request.id, "label": "desk", "provider": at.path().rsplit('/').next(),
        "code": parameter(at, "code"), "state": parameter(at, "state"), "iss": parameter(at, "iss"),
    })
}

pub(super) async fn finish(browser: &Browser, back: &Value) -> Answer {
    browser.post("/api/v1/sign-in/provider", back).await
}

/// Signs in at the real provider, and with that here.
async fn sign_in(browser: &Browser, name: &str) -> Answer {
    let request = sent(browser).await;
    let at = visit(&request.url, name).await;
    finish(browser, &back(&request, &at)).await
}

async fn link(who: &Caller, name: &str) -> Answer {
    let request = sent_to_link(who).await;
    let at = visit(&request.url, name).await;
    who.post("/api/v1/provider-links", &without_label(back(&request, &at))).await
}

fn without_label(mut back: Value) -> Value {
    back.as_object_mut().unwrap().remove("label");
    back
}

pub(super) fn told(answer: &Answer) -> String {
    let mut problem = answer.problem("sign-in-failed");
    problem.request_id.clear();
    serde_json::to_string(&problem).unwrap()
}

async fn whoever_linked_themselves_is_signed_in_by_a_real_provider(engine: Engine) {
    let (mut app, provider, _folder) = with_real(engine).await;
    let (asha, ben) = (app.enrol("Asha", &[]).await, app.enrol("Ben", &[]).await);
    let mut desk = Browser::new(&app);
    let known: api::Providers = desk.get("/api/v1/sign-in/providers").await.ok();
    assert_eq!(known.providers, [MINISTRY]);
    // The provider knows her, the vault does not yet; her address of mail would not help.
    let unknown = sign_in(&desk, "asha").await;
    let linked: api::ProviderLink = link(&asha, "asha").await.made();
    assert_eq!(linked.provider, MINISTRY);
    let answer = sign_in(&desk, "asha").await;
    desk.keep(&answer);
    let session: api::Session = answer.made();
    assert_eq!((session.method.as_str(), session.confirmed_until.is_none()), ("provider", true));
    assert_eq!(desk.get("/api/v1/me").await.ok::<api::Me>().person.id, asha.id);
    // The provider is one factor, unless the operator says otherwise.
    let token = json!({ "label": "mine", "days": 1 });
    desk.post("/api/v1/tokens", &token).await.problem("confirmation-needed");
    let shown: api::Credentials = desk.get("/api/v1/credentials").await.ok();
    assert!(shown.providers[0].used.is_some());
    // Nobody else takes her name there, and nobody is let in by another one of the provider's.
    link(&ben, "asha").await.problem("too-late");
    assert_eq!(told(&sign_in(&Browser::new(&app), "ben").await), told(&unknown));
    // Her name there stands nowhere in the vault, and neither does what was exchanged.
    let rows = raw::number(app.config.database_url(), "SELECT COUNT(*) FROM provider_links".to_owned()).await;
    assert_eq!(rows, 1);
    let subject = raw::bytes(app.config.database_url(), "SELECT subject FROM provider_links").await;
    assert_eq!(subject.len(), 32);
    // Taken out of the configuration, it signs nobody in.
    drop(provider);
    app.restart_alone().await;
    let gone =
        Browser::new(&app).post("/api/v1/sign-in/provider/prepare", &json!({ "provider": MINISTRY })).await;
    gone.problem("not-found");
}

async fn what_came_back_counts_once_in_the_browser_that_was_sent(engine: Engine) {
    let (app, _provider, _folder) = with_real(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    link(&asha, "asha").await.made::<api::ProviderLink>();
    let browser = Browser::new(&app);
    let request = sent(&browser).await;
    let at = visit(&request.url, "asha").await;
    let right = back(&request, &at);
    let cross =
        browser.bare(Method::POST, "/api/v1/sign-in/provider").header("Origin", "https://evil.example");
    browser.caller.send(cross.json(&right)).await.problem("cross-site");
    finish(&browser, &right).await.made::<api::Session>();
    let mut said = vec![told(&finish(&browser, &right).await)];
    // One address fails only so often in a minute.
    let altered = async |address: u8, change: fn(&mut Value)| {
        let browser = Browser::elsewhere(&app, address);
        let request = sent(&browser).await;
        let at = visit(&request.url, "asha").await;
        let mut body = back(&request, &at);
        change(&mut body);
        let first = told(&finish(&browser, &body).await);
        // It is used up by what was wrong.
        let again = told(&finish(&browser, &back(&request, &at)).await);
        assert_eq!(first, again);
        first
    };
    said.push(altered(10, |body| body["state"] = "x".into()).await);
    said.push(altered(11, |body| body["code"] = "x".into()).await);
    said.push(altered(12, |body| body["iss"] = "https://evil.example".into()).await);
    // This provider says that it says who it is.
    said.push(altered(13, |body| body["iss"] = Value::Null).await);
    let browser = Browser::elsewhere(&app, 8);
    // A code of one round in another one: the provider knows which question it answers.
    let (one, other) = (sent(&browser).await, sent(&browser).await);
    let (at_one, at_other) = (visit(&one.url, "asha").await, visit(&other.url, "asha").await);
    let mut mixed = back(&other, &at_other);
    mixed["code"] = parameter(&at_one, "code").into();
    said.push(told(&finish(&browser, &mixed).await));
    // What came back to the address of another provider.
    let request = sent(&browser).await;
    let mut elsewhere = back(&request, &visit(&request.url, "asha").await);
    elsewhere["provider"] = "another".into();
    said.push(told(&finish(&browser, &elsewhere).await));
    // Another browser has no id; what was begun to link signs nobody in, nor the other way round.
    let mut stolen = back(&one, &at_one);
    stolen["id"] = "x".into();
    said.push(told(&finish(&Browser::elsewhere(&app, 9), &stolen).await));
    let ben = app.enrol("Ben", &[]).await;
    let linking = sent_to_link(&ben).await;
    let at = visit(&linking.url, "ben").await;
    said.push(told(&finish(&Browser::elsewhere(&app, 9), &back(&linking, &at)).await));
    ben.post("/api/v1/provider-links", &without_label(back(&one, &at_one))).await.problem("provider-refused");
    asha.post("/api/v1/provider-links", &without_label(back(&linking, &at)))
        .await
        .problem("confirmation-needed");
    ben.post("/api/v1/provider-links", &without_label(back(&linking, &at))).await.made::<api::ProviderLink>();
    // Too late.
    let request = sent(&Browser::elsewhere(&app, 9)).await;
    let at = visit(&request.url, "asha").await;
    let late = "UPDATE challenges SET expires = expires - 600000 WHERE hash IN (SELECT hash FROM challenges \
                ORDER BY expires DESC LIMIT 1)";
    raw::change(app.config.database_url(), late, 1).await;
    said.push(told(&finish(&Browser::elsewhere(&app, 9), &back(&request, &at)).await));
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

/// What an honest token says to a question.
pub(super) fn honest(provider: &Hostile, url: &str) -> Value {
    let now = jiff_now();
    json!({
        "iss": provider.issuer, "sub": "asha", "aud": "custos", "iat": now, "exp": now + 300, "auth_time": now,
        "nonce": parameter(&Url::parse(url).unwrap(), "nonce"),
    })
}

pub(super) fn jiff_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Comes back from the hostile provider with this token.
pub(super) async fn answered(
    browser: &Browser,
    provider: &Hostile,
    token: impl FnOnce(Value) -> String,
) -> Answer {
    let request = sent(browser).await;
    provider.gives(&token(honest(provider, &request.url)));
    let state = parameter(&Url::parse(&request.url).unwrap(), "state");
    let body =
        json!({ "id": request.id, "label": "desk", "provider": MINISTRY, "code": "c", "state": state });
    finish(browser, &body).await
}

pub(super) async fn link_hostile(who: &Caller, provider: &Hostile, key: &Key) {
    linked(who, provider, |claims| key.signs(&claims)).await.made::<api::ProviderLink>();
}

/// Comes back from the hostile provider with this token, to be linked.
async fn linked(who: &Caller, provider: &Hostile, token: impl FnOnce(Value) -> String) -> Answer {
    let request = sent_to_link(who).await;
    provider.gives(&token(honest(provider, &request.url)));
    let state = parameter(&Url::parse(&request.url).unwrap(), "state");
    who.post(
        "/api/v1/provider-links",
        &json!({ "id": request.id, "provider": MINISTRY, "code": "c", "state": state }),
    )
    .await
}

pub(super) fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

async fn links_end_with_all_else(engine: Engine) {
    let (app, provider, key, _folder) = with_hostile(engine, "second_factor = 'always'").await;
    let (asha, ben, _) = crate::api::spine::two_custodians(&app).await;
    link_hostile(&ben, &provider, &key).await;
    let mut desk = Browser::new(&app);
    desk.keep(&answered(&desk, &provider, |claims| key.signs(&claims)).await);
    let shown: api::Credentials = desk.get("/api/v1/credentials").await.ok();
    let path = format!("/api/v1/provider-links/{}", shown.providers[0].id);
    // Once there is one, a token alone adds and removes nothing.
    ben.delete(&path).await.problem("confirmation-needed");
    let ask = json!({ "provider": MINISTRY });
    ben.post("/api/v1/provider-links/prepare", &ask).await.problem("confirmation-needed");
    ben.post("/api/v1/codes", &json!({})).await.problem("confirmation-needed");
    assert_eq!(refused(&app, &ben.id, "provider-removed").await, (1, 1));
    asha.delete(&path).await.problem("not-found");
    assert_eq!(desk.delete(&path).await.status, 204);
    answered(&desk, &provider, |claims| key.signs(&claims)).await.problem("sign-in-failed");
    link_hostile(&ben, &provider, &key).await;
    let suspended = draft("person.suspended", &json!({ "person": ben.id, "purpose": "loss", "data": {} }));
    asha.say(&suspended).await.made::<api::Recorded>();
    answered(&desk, &provider, |claims| key.signs(&claims)).await.problem("sign-in-failed");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    app.admin.say(&restored).await.made::<api::Recorded>();
    answered(&desk, &provider, |claims| key.signs(&claims)).await.problem("sign-in-failed");
}

async fn whoever_links_has_just_shown_the_provider_who_they_are(engine: Engine) {
    let (app, provider, key, _folder) = with_hostile(engine, "").await;
    let asha = app.enrol("Asha", &[]).await;
    let url = Url::parse(&sent_to_link(&asha).await.url).unwrap();
    let asked = ["prompt", "max_age"].map(|name| parameter(&url, name));
    assert_eq!(asked, [Some("login".to_owned()), Some("0".to_owned())]);
    // Somebody else has signed this browser in there, as themselves.
    let now = jiff_now();
    for at in [Value::Null, json!(now - 3_600), json!(now - 120)] {
        let says = |claims| key.signs(&with(claims, "auth_time", at));
        linked(&asha, &provider, says).await.problem("provider-refused");
    }
    link_hostile(&asha, &provider, &key).await;
    // Where a provider is one factor, whoever is signed in there signs in here.
    let browser = Browser::new(&app);
    assert_eq!(parameter(&Url::parse(&sent(&browser).await.url).unwrap(), "max_age"), None);
    let says = |claims| key.signs(&with(claims, "auth_time", Value::Null));
    answered(&browser, &provider, says).await.made::<api::Session>();
}
