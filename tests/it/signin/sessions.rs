//! What a session opens, for whom, and what ends it.

use custos::api;
use custos::config::{Config, Flags};
use reqwest::Method;
use serde_json::json;

use super::{Browser, cookie};
use crate::api::refused;
use crate::support::app::TestApp;
use crate::support::client::draft;
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_session_opens_what_its_person_may_see_and_is_kept_as_a_hash
    a_cookie_counts_for_what_the_vaults_own_pages_ask_only
    a_session_ends_unused_after_the_idle_limit_and_used_after_the_absolute_one
    whoever_lists_their_sessions_can_end_each_and_all_others
    what_ends_a_token_ends_its_sessions_and_suspension_ends_all
    a_session_without_a_second_factor_does_nothing_sensitive_and_that_is_on_record
}

async fn a_session_opens_what_its_person_may_see_and_is_kept_as_a_hash(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["custodian"]).await;
    let (browser, session) = Browser::open(&app, &asha, "front desk").await;
    assert_eq!((session.label.as_str(), session.method.as_str()), ("front desk", "token"));
    assert_eq!(browser.session.len(), 43);
    let me: api::Me = browser.get("/api/v1/me").await.ok();
    assert_eq!((me.person.id, me.token_label), (asha.id.clone(), "front desk".to_owned()));
    let body = json!({ "title": "By cookie", "case_type": "trafficking", "jurisdiction": "ke" });
    let opened: api::Created = browser.post("/api/v1/cases", &body).await.made();
    // The vault signs on behalf, as for a token.
    let said = &asha.check(&opened.receipts)[0].statement;
    assert_eq!(said.actor.to_string(), asha.id);
    assert_eq!(serde_json::to_value(said.assurance).unwrap(), "session");

    let secret = &browser.session;
    let url = app.config.database_url();
    let found = raw::number(url, format!("SELECT COUNT(*) FROM sessions WHERE label = '{secret}'")).await;
    let hash = raw::bytes(url, "SELECT hash FROM sessions").await;
    assert_eq!((found, hash), (0, custody::digest::Digest::of(secret.as_bytes()).as_bytes().to_vec()));

    // Another secret, another person's, or none.
    for other in [String::new(), "A".repeat(43), secret.to_lowercase(), format!("{secret}A")] {
        let other = Browser { session: other, ..browser.clone() };
        other.get("/api/v1/me").await.problem("unauthenticated");
    }
    let both = browser.asks(Method::GET, "/api/v1/me").bearer_auth("cus_x");
    browser.caller.send(both).await.problem("unauthenticated");
    // A session opens no other one.
    browser.post("/api/v1/session", &json!({ "label": "again" })).await.problem("invalid-request");
    let long = json!({ "label": "x".repeat(101) });
    asha.post("/api/v1/session", &long).await.problem("invalid-request");
}

async fn a_cookie_counts_for_what_the_vaults_own_pages_ask_only(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (browser, _) = Browser::open(&app, &app.admin, "desk").await;
    let post = |headers: &[(&str, &str)]| {
        let request = browser.bare(Method::POST, "/api/v1/orgs").json(&json!({ "name": "Unit" }));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        browser.caller.send(request)
    };
    let own = browser.origin.as_str();
    for wrong in [
        &[][..],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", own)],
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")],
    ] {
        post(wrong).await.problem("cross-site");
    }
    let delete = browser.bare(Method::DELETE, "/api/v1/session");
    browser.caller.send(delete).await.problem("cross-site");
    assert_eq!(app.admin.orgs().await.ok::<api::Orgs>().orgs.len(), 1, "nothing was done");
    post(&[("Origin", own)]).await.made::<api::Created>();
    post(&[("Sec-Fetch-Site", "same-origin")]).await.made::<api::Created>();
    // Reading changes nothing, and no other site can read the answer.
    let read = browser.bare(Method::GET, "/api/v1/me");
    let answer = browser.caller.send(read).await;
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    answer.ok::<api::Me>();
    // A token is sent by no page of another site.
    let request = app.admin.request(Method::POST, "/api/v1/orgs").json(&json!({ "name": "Unit" }));
    let request = request.header("Origin", "https://evil.example").header("Sec-Fetch-Site", "cross-site");
    app.admin.send(request).await.made::<api::Created>();
}

/// Minutes in milliseconds.
const MINUTE: i64 = 60_000;

async fn a_session_ends_unused_after_the_idle_limit_and_used_after_the_absolute_one(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let url = app.config.database_url().to_owned();
    // Moves a session into the past instead of waiting.
    let age = async |column: &str, minutes: i64| {
        let by = minutes * MINUTE;
        raw::change(&url, &format!("UPDATE sessions SET {column} = {column} - {by} WHERE ended IS NULL"), 1)
            .await;
    };
    let (browser, session) = Browser::open(&app, &app.admin, "standard").await;
    assert!(session.idle_until < session.expires);
    age("seen", 59).await;
    browser.get("/api/v1/me").await.ok::<api::Me>();
    // That was use; from it on an hour counts anew.
    age("seen", 59).await;
    browser.get("/api/v1/me").await.ok::<api::Me>();
    age("expires", 11 * 60 + 59).await;
    browser.get("/api/v1/me").await.ok::<api::Me>();
    age("expires", 1).await;
    browser.get("/api/v1/me").await.problem("unauthenticated");
    let over: api::Sessions = app.admin.get("/api/v1/sessions").await.ok();
    assert!(over.sessions[0].ended && !over.sessions[0].current);
    app.admin.delete("/api/v1/sessions").await;

    let (browser, _) = Browser::open(&app, &app.admin, "standard").await;
    age("seen", 60).await;
    browser.get("/api/v1/me").await.problem("unauthenticated");
    app.admin.delete("/api/v1/sessions").await;

    let (browser, _) = Browser::open(&app, &app.admin, "stricter").await;
    let environment = |name: &str| (name == "CUSTOS_SIGN_IN").then(|| "cjis".to_owned());
    let flags = Flags {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(app.config.data_dir().to_owned()),
        database_url: Some(url.clone()),
        ..Flags::default()
    };
    app.stop().await;
    app.config = Config::load(&flags, &environment).unwrap();
    app.start().await;
    age("seen", 29).await;
    browser.get("/api/v1/me").await.ok::<api::Me>();
    age("seen", 30).await;
    browser.get("/api/v1/me").await.problem("unauthenticated");
}

async fn whoever_lists_their_sessions_can_end_each_and_all_others(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &["custodian"]).await;
    let (desk, at_desk) = Browser::open(&app, &asha, "desk").await;
    let (phone, on_phone) = Browser::open(&app, &asha, "phone").await;
    let (van, _) = Browser::open(&app, &asha, "van").await;
    let (other, of_other) = Browser::open(&app, &app.admin, "other").await;
    let list: api::Sessions = desk.get("/api/v1/sessions").await.ok();
    let shown: Vec<_> = list.sessions.iter().map(|s| (s.label.as_str(), s.current, s.ended)).collect();
    assert_eq!(shown, [("desk", true, false), ("phone", false, false), ("van", false, false)]);
    let current: api::Session = desk.get("/api/v1/session").await.ok();
    assert_eq!((current.id, current.current), (at_desk.id.clone(), true));
    asha.get("/api/v1/session").await.problem("not-found");

    // Nobody ends what is somebody else's, nor learns that it is there.
    let foreign = desk.delete(&format!("/api/v1/sessions/{}", of_other.id)).await;
    let missing = desk.delete(&format!("/api/v1/sessions/{}", uuid::Uuid::now_v7())).await;
    assert_eq!(foreign.problem("not-found").detail, missing.problem("not-found").detail);
    let path = format!("/api/v1/sessions/{}", on_phone.id);
    assert_eq!(desk.delete(&path).await.status, 204);
    phone.get("/api/v1/me").await.problem("unauthenticated");
    desk.delete(&path).await.problem("not-found");

    assert_eq!(desk.delete("/api/v1/sessions").await.status, 204);
    van.get("/api/v1/me").await.problem("unauthenticated");
    desk.get("/api/v1/me").await.ok::<api::Me>();
    other.get("/api/v1/me").await.ok::<api::Me>();

    let out = desk.delete("/api/v1/session").await;
    assert_eq!((out.status.as_u16(), cookie(&out, "__Host-custos").unwrap().as_str()), (204, ""));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    desk.get("/api/v1/me").await.problem("unauthenticated");
    asha.me().await.ok::<api::Me>();
}

async fn what_ends_a_token_ends_its_sessions_and_suspension_ends_all(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, _) = crate::api::spine::two_custodians(&app).await;
    let token: api::Token = ben.post("/api/v1/tokens", &json!({ "label": "b", "days": 1 })).await.made();
    let (by_other, session) = Browser::open(&app, &ben.with_token(&token.token), "short").await;
    assert!(session.expires < token.expires);
    let (desk, _) = Browser::open(&app, &ben, "desk").await;
    ben.delete(&format!("/api/v1/tokens/{}", token.id)).await;
    by_other.get("/api/v1/me").await.problem("unauthenticated");
    desk.get("/api/v1/me").await.ok::<api::Me>();
    let token: api::Token = ben.post("/api/v1/tokens", &json!({ "label": "c", "days": 1 })).await.made();
    let sooner =
        format!("UPDATE api_tokens SET expires = expires - {} WHERE id = '{}'", 23 * 60 * MINUTE, token.id);
    raw::change(app.config.database_url(), &sooner, 1).await;
    let (_, session) = Browser::open(&app, &ben.with_token(&token.token), "ends with it").await;
    let row = ben.get("/api/v1/tokens").await.ok::<api::Tokens>().tokens.pop().unwrap();
    assert_eq!((row.id, row.expires), (token.id, session.expires));

    let suspended = draft("person.suspended", &json!({ "person": ben.id, "purpose": "loss", "data": {} }));
    asha.say(&suspended).await.made::<api::Recorded>();
    desk.get("/api/v1/me").await.problem("unauthenticated");
    let restored = draft("person.restored", &json!({ "person": ben.id }));
    app.admin.say(&restored).await.made::<api::Recorded>();
    desk.get("/api/v1/me").await.problem("unauthenticated");

    let (desk, _) = Browser::open(&app, &asha, "desk").await;
    assert_eq!(app.admin.delete(&format!("/api/v1/persons/{}/tokens", asha.id)).await.status, 204);
    desk.get("/api/v1/me").await.problem("unauthenticated");
}

async fn a_session_without_a_second_factor_does_nothing_sensitive_and_that_is_on_record(engine: Engine) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = crate::api::spine::two_custodians(&app).await;
    let (desk, _) = Browser::open(&app, &asha, "desk").await;
    desk.post("/api/v1/tokens", &json!({ "label": "mine", "days": 1 })).await.problem("confirmation-needed");
    let export = json!({ "purpose": "court", "fields": { "recipient": "Court" } });
    let path = format!("/api/v1/cases/{case}/exports");
    desk.post(&path, &export).await.problem("confirmation-needed");
    assert_eq!(refused(&app, &asha.id, "token-made").await, (1, 1));
    assert_eq!(refused(&app, &asha.id, "bundle-exported").await, (1, 1));

    let (admin, _) = Browser::open(&app, &app.admin, "office").await;
    let role = json!({ "role": "auditor" });
    let roles = format!("/api/v1/persons/{}/roles", ben.id);
    admin.post(&roles, &role).await.problem("confirmation-needed");
    let on_behalf = draft("role.granted", &json!({ "person": ben.id, "data": role }));
    admin.post("/api/v1/statements/on-behalf", &on_behalf).await.problem("confirmation-needed");
    let invite = json!({ "person": ben.id, "checked": "voice" });
    admin.post("/api/v1/invitations", &invite).await.problem("confirmation-needed");
    let person = json!({ "org": app.org, "name": "Carl", "roles": ["auditor"] });
    admin.post("/api/v1/persons", &person).await.problem("confirmation-needed");
    // What is no more than entering somebody is done.
    let person = json!({ "org": app.org, "name": "Carl", "roles": [] });
    admin.post("/api/v1/persons", &person).await.made::<api::Created>();
    // A token does what it ever did.
    app.admin.post(&roles, &role).await.made::<api::Recorded>();
}
