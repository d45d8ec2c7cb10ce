//! A hostile provider: forged tokens, keys without end, other addresses, no answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use custos::api;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

use super::Browser;
use super::provider::{Hostile, Key, configure, parameter, unsigned};
use super::providers::{
    MINISTRY, answered, finish, honest, jiff_now, link_hostile, sent, told, with, with_hostile,
};
use crate::support::app::{TestApp, refused_start};
use crate::support::world::Engine;

crate::on_both_engines! {
    no_token_counts_that_is_not_this_providers_for_this_vault_and_question
    a_second_factor_counts_where_the_provider_says_so
    keys_change_and_nobody_makes_the_vault_ask_for_them_without_end
    a_provider_cannot_send_the_vault_elsewhere
    a_provider_is_asked_once_for_all_who_wait_and_takes_nothing_with_it
}

/// The last form at the token endpoint, and its header.
fn exchanged(provider: &Hostile) -> (BTreeMap<String, String>, String) {
    let (form, header) = provider.says.lock().unwrap().exchanged.clone().unwrap();
    (url::form_urlencoded::parse(form.as_bytes()).into_owned().collect(), header)
}

/// Makes a token of what an honest one says.
type Forged<'a> = Box<dyn FnOnce(Value) -> String + 'a>;

async fn no_token_counts_that_is_not_this_providers_for_this_vault_and_question(engine: Engine) {
    let (app, provider, key, _folder) = with_hostile(engine, "").await;
    let asha = app.enrol("Asha", &[]).await;
    link_hostile(&asha, &provider, &key).await;
    let (form, header) = exchanged(&provider);
    assert_eq!(form["redirect_uri"], format!("{}/sign-in/return/ministry", app.config.origin()));
    assert_eq!((form["code"].as_str(), form["code_verifier"].len()), ("c", 43));
    // RFC 6749, section 2.3.1: both encoded as in a form, then as Basic.
    let basic = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(basic, b"custos:s3cret%3A+%2B%2F%26%3D%25");

    let request = sent(&Browser::new(&app)).await;
    let url = Url::parse(&request.url).unwrap();
    provider.gives(&key.signs(&honest(&provider, &request.url)));
    let body = json!({ "id": request.id, "label": "desk", "provider": MINISTRY, "code": "c", "state": parameter(&url, "state") });
    finish(&Browser::new(&app), &body).await.made::<api::Session>();
    // PKCE: what was asked with is the hash of what is exchanged with, and another one in each round.
    let (verifier, before) = (exchanged(&provider).0["code_verifier"].clone(), &form["code_verifier"]);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    assert_eq!(parameter(&url, "code_challenge"), Some(URL_SAFE_NO_PAD.encode(digest)));
    assert_eq!(parameter(&url, "code_challenge_method").as_deref(), Some("S256"));
    assert_ne!(&verifier, before);
    let other = Key::new("one");
    let named = |alg: &str| json!({ "alg": alg, "typ": "JWT", "kid": "one" });
    let by_hash = |secret: &[u8], claims: &Value| {
        let text = unsigned(&named("HS256"), claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let forged: Vec<(&str, Forged<'_>)> = vec![
        ("alg none", Box::new(|claims| format!("{}.", unsigned(&named("none"), &claims)))),
        ("alg None", Box::new(|claims| format!("{}.", unsigned(&named("None"), &claims)))),
        ("no signature", Box::new(|claims| format!("{}.", unsigned(&named("ES256"), &claims)))),
        ("HS256 with the public point", Box::new(|claims| by_hash(&key.point(), &claims))),
        (
            "HS256 with the published key",
            Box::new(|claims| by_hash(key.public().to_string().as_bytes(), &claims)),
        ),
        ("another algorithm's name", Box::new(|claims| key.signs_under(&named("RS256"), &claims))),
        ("an algorithm that is not allowed", Box::new(|claims| key.signs_under(&named("ES384"), &claims))),
        ("another key of the same name", Box::new(|claims| other.signs(&claims))),
        (
            "a key of its own in the header",
            Box::new(|claims| {
                let header = json!({ "alg": "ES256", "kid": "one", "jwk": other.public() });
                other.signs_under(&header, &claims)
            }),
        ),
        (
            "altered",
            Box::new(|claims| {
                let token = key.signs(&claims);
                let (_, signature) = token.rsplit_once('.').unwrap();
                let text = unsigned(
                    &json!({ "alg": "ES256", "typ": "JWT", "kid": "one" }),
                    &with(claims, "exp", 9_999_999_999_i64),
                );
                format!("{text}.{signature}")
            }),
        ),
        ("wrong issuer", Box::new(|claims| key.signs(&with(claims, "iss", "https://evil.example")))),
        ("wrong audience", Box::new(|claims| key.signs(&with(claims, "aud", "another")))),
        ("many audiences", Box::new(|claims| key.signs(&with(claims, "aud", json!(["custos", "another"]))))),
        ("another's token", Box::new(|claims| key.signs(&with(claims, "azp", "another")))),
        ("wrong nonce", Box::new(|claims| key.signs(&with(claims, "nonce", "another")))),
        ("no nonce", Box::new(|claims| key.signs(&with(claims, "nonce", Value::Null)))),
        (
            "expired",
            Box::new(|claims| {
                let now = jiff_now();
                key.signs(&with(with(claims, "iat", now - 400), "exp", now - 100))
            }),
        ),
        ("long ago", Box::new(|claims| key.signs(&with(claims, "iat", jiff_now() - 3_600)))),
        ("of tomorrow", Box::new(|claims| key.signs(&with(claims, "iat", jiff_now() + 86_400)))),
        ("nobody", Box::new(|claims| key.signs(&with(claims, "sub", "")))),
        ("somebody else", Box::new(|claims| key.signs(&with(claims, "sub", "ben")))),
        (
            "what must be understood and is not",
            Box::new(|claims| {
                let header = json!({ "alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false });
                key.signs_under(&header, &claims)
            }),
        ),
        ("no token", Box::new(|_| String::new())),
        ("too long", Box::new(|claims| key.signs(&with(claims, "x", "x".repeat(40_000))))),
    ];
    let mut said = Vec::new();
    for (number, (name, token)) in forged.into_iter().enumerate() {
        // One address fails only so often in a minute.
        let browser = Browser::elsewhere(&app, u8::try_from(20 + number / 8).unwrap());
        let answer = answered(&browser, &provider, token).await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
        said.push(told(&answer));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    let good =
        |claims: Value| key.signs(&with(with(claims, "aud", json!(["custos", "another"])), "azp", "custos"));
    answered(&Browser::elsewhere(&app, 30), &provider, good).await.made::<api::Session>();
}

async fn a_second_factor_counts_where_the_provider_says_so(engine: Engine) {
    let (mut app, provider, key, folder) = with_hostile(engine, "acr = ['phr']\namr = ['mfa']").await;
    let asha = app.enrol("Asha", &[]).await;
    link_hostile(&asha, &provider, &key).await;
    let browser = Browser::new(&app);
    let request = sent(&browser).await;
    let url = Url::parse(&request.url).unwrap();
    let asked = ["acr_values", "max_age", "prompt"].map(|name| parameter(&url, name));
    assert_eq!(asked, [Some("phr".to_owned()), Some("0".to_owned()), None]);
    let confirmed_at = async |browser: &Browser, at: Value, name: &'static str, value: Value| {
        let says = |claims| key.signs(&with(with(claims, "auth_time", at), name, value));
        answered(browser, &provider, says).await.made::<api::Session>().confirmed_until.is_some()
    };
    let confirmed = async |browser: &Browser, name: &'static str, value: Value| {
        confirmed_at(browser, jiff_now().into(), name, value).await
    };
    assert!(!confirmed(&browser, "amr", json!(["pwd"])).await);
    assert!(!confirmed(&browser, "acr", json!("phrh")).await);
    assert!(!confirmed(&browser, "amr", json!(["pwd", "hwk"])).await);
    assert!(confirmed(&browser, "amr", json!(["pwd", "mfa"])).await);
    assert!(confirmed(&browser, "acr", json!("phr")).await);
    let always = configure(folder.path(), &provider.issuer, "second_factor = 'always'");
    app.restart_with(&[("CUSTOS_PROVIDERS", &always)]).await;
    assert!(confirmed(&Browser::new(&app), "x", Value::Null).await);
    // Whoever is signed in there already comes back without having shown anything: that signs in, and confirms nothing.
    let now = jiff_now();
    for at in [Value::Null, json!(now - 3_600), json!(now - 120), json!(now + 3_600), json!(now.to_string())]
    {
        let browser = Browser::new(&app);
        assert!(!confirmed_at(&browser, at.clone(), "x", Value::Null).await, "{at}");
        assert!(!confirmed_at(&browser, at.clone(), "amr", json!(["mfa"])).await, "{at}");
    }
    // A configuration that cannot be is refused at start.
    app.stop().await;
    configure(folder.path(), &provider.issuer, "algorithms = ['none']");
    let error = refused_start(&app.config).await;
    assert!(error.remedy().contains("providers"), "{error}");
}

async fn keys_change_and_nobody_makes_the_vault_ask_for_them_without_end(engine: Engine) {
    let (app, provider, old, _folder) = with_hostile(engine, "").await;
    let asha = app.enrol("Asha", &[]).await;
    link_hostile(&asha, &provider, &old).await;
    let new = Key::new("two");
    provider.publishes(&[json!({ "kty": "XX" }), new.public()]);
    let browser = Browser::new(&app);
    answered(&browser, &provider, |claims| new.signs(&claims)).await.made::<api::Session>();
    // The one before is gone.
    answered(&browser, &provider, |claims| old.signs(&claims)).await.problem("sign-in-failed");
    for number in 0..20 {
        let unknown = Key::new("three");
        let browser = Browser::elsewhere(&app, 40 + number / 5);
        let answer = answered(&browser, &provider, |claims| unknown.signs(&claims)).await;
        assert!([401, 502].contains(&answer.status.as_u16()), "{}", answer.text());
    }
    // Twelve at once, one more in five seconds.
    let asked = provider.asked("/keys");
    assert!((3..20).contains(&asked), "{asked}");
}

async fn a_provider_cannot_send_the_vault_elsewhere(engine: Engine) {
    let (mut app, provider, key, folder) = with_hostile(engine, "").await;
    let elsewhere = Hostile::start();
    // By another name of the same machine, which the configuration does not name.
    let foreign = elsewhere.issuer.replace("127.0.0.1", "localhost");
    let file = folder.path().join("providers.toml");
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("authorization_endpoint", json!(format!("{foreign}/authorize"))),
        ("token_endpoint", json!(format!("{foreign}/token"))),
        ("jwks_uri", json!(format!("{foreign}/keys"))),
        ("jwks_uri", json!(format!("{}/keys", provider.issuer.replace("//", "//name:word@")))),
        ("jwks_uri", json!(format!("{}/keys#x", provider.issuer))),
        ("code_challenge_methods_supported", json!(["plain"])),
    ] {
        provider.says.lock().unwrap().metadata = with(provider.honest_metadata(), name, value);
        refuses_to_ask(&app).await;
    }
    app.restart_with(&[("CUSTOS_PROVIDERS", &file)]).await;
    provider.says.lock().unwrap().metadata = provider.honest_metadata();
    provider.says.lock().unwrap().keys = (302, format!("{}/keys", elsewhere.issuer));
    refuses_to_ask(&app).await;
    provider.says.lock().unwrap().keys = (200, format!("{{\"keys\": [{}]}}", "1,".repeat(200_000) + "1"));
    refuses_to_ask(&app).await;
    assert_eq!(elsewhere.asked("/keys") + elsewhere.asked("/authorize") + elsewhere.asked("/token"), 0);
    provider.publishes(&[key.public()]);
    let asha = app.enrol("Asha", &[]).await;
    link_hostile(&asha, &provider, &key).await;
    // What does not work at the provider is no fault of whoever signs in.
    let browser = Browser::new(&app);
    for (status, code) in [
        (500, "provider-silent"),
        (401, "provider-silent"),
        (302, "provider-silent"),
        (400, "sign-in-failed"),
    ] {
        let request = sent(&browser).await;
        provider.says.lock().unwrap().token = (status, format!("{}/token", elsewhere.issuer));
        let state = parameter(&Url::parse(&request.url).unwrap(), "state");
        let body =
            json!({ "id": request.id, "label": "desk", "provider": MINISTRY, "code": "c", "state": state });
        finish(&browser, &body).await.problem(code);
    }
    assert_eq!(elsewhere.asked("/token"), 0);
}

async fn refuses_to_ask(app: &TestApp) {
    let ask = json!({ "provider": MINISTRY });
    Browser::new(app).post("/api/v1/sign-in/provider/prepare", &ask).await.problem("provider-silent");
}

async fn a_provider_is_asked_once_for_all_who_wait_and_takes_nothing_with_it(engine: Engine) {
    let (mut app, provider, key, folder) = with_hostile(engine, "").await;
    let asha = app.enrol("Asha", &[]).await;
    let browser = Browser::new(&app);
    let published = "/.well-known/openid-configuration";
    join_all((0..8).map(|_| sent(&browser))).await;
    assert_eq!((provider.asked(published), provider.asked("/keys")), (1, 1));
    // A provider that does not answer uses nothing up.
    link_hostile(&asha, &provider, &key).await;
    let request = sent(&browser).await;
    provider.gives(&key.signs(&honest(&provider, &request.url)));
    let state = parameter(&Url::parse(&request.url).unwrap(), "state");
    let body =
        json!({ "id": request.id, "label": "desk", "provider": MINISTRY, "code": "c", "state": state });
    provider.says.lock().unwrap().metadata = Value::Null;
    app.restart_with(&[("CUSTOS_PROVIDERS", &folder.path().join("providers.toml"))]).await;
    finish(&Browser::new(&app), &body).await.problem("provider-silent");
    provider.says.lock().unwrap().metadata = provider.honest_metadata();
    finish(&Browser::new(&app), &body).await.made::<api::Session>();
    // Strangers have sixteen codes looked at there at once.
    let gate = Arc::new(Semaphore::new(0));
    provider.says.lock().unwrap().gate = Some(Arc::clone(&gate));
    let before = provider.asked("/token");
    let mut strangers = JoinSet::new();
    for number in 0..20 {
        // One address asks only so often in a minute.
        let browser = Browser::elsewhere(&app, 60 + number / 5);
        let request = sent(&browser).await;
        let state = parameter(&Url::parse(&request.url).unwrap(), "state");
        let body =
            json!({ "id": request.id, "label": "desk", "provider": MINISTRY, "code": "c", "state": state });
        strangers.spawn(async move { finish(&browser, &body).await });
    }
    for _ in 0..4 {
        strangers.join_next().await.unwrap().unwrap().problem("provider-silent");
    }
    gate.add_permits(20);
    strangers.join_all().await;
    assert_eq!(provider.asked("/token") - before, 16);
}
