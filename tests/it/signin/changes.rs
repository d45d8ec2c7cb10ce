//! What changes what somebody signs in with, and what ends with it.

use custos::api;
use reqwest::Method;
use serde_json::json;

use super::passwords::{Device, PASSWORD, begin, from_base32, put, set_up, signed_in};
use super::{Browser, cookie};
use crate::api::refused;
use crate::support::app::TestApp;
use crate::support::client::draft;
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    a_session_that_showed_no_second_factor_sets_none_up
    of_two_first_passwords_at_once_one_person_has_one
    a_token_ends_with_the_one_it_was_made_with_also_by_way_of_a_session
    whoever_changes_what_they_sign_in_with_ends_what_was_opened_with_it
    whoever_was_about_to_sign_in_with_what_is_changed_is_not_let_in
    who_waits_for_one_another_goes_on
    what_ends_or_lets_in_others_takes_a_second_factor_and_the_emergency_brake_takes_none
}

async fn a_session_that_showed_no_second_factor_sets_none_up(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let (new, secret) = begin(&asha).await;
    let device = Device { name: "asha".to_owned(), secret, recovery_codes: Vec::new() };
    let (desk, _) = Browser::open(&app, &asha, "desk").await;
    desk.post("/api/v1/codes", &json!({})).await.problem("confirmation-needed");
    let codes = json!({ "id": new.id, "code": device.code(0) });
    let first = json!({ "name": "asha", "password": PASSWORD, "codes": codes });
    desk.put("/api/v1/password", &first).await.problem("confirmation-needed");
    desk.post("/api/v1/recovery-codes", &json!({})).await.problem("confirmation-needed");
    assert_eq!(refused(&app, &asha.id, "password-set").await, (1, 1));
    // The token does, and what it had opened before does not show what was set up since.
    put(&asha, &first).await.ok::<api::PasswordSet>();
    desk.post("/api/v1/session/confirm", &device.fresh(&app).await).await.problem("unauthenticated");
}

async fn of_two_first_passwords_at_once_one_person_has_one(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let mut asks = Vec::new();
    for name in ["asha.one", "asha.two"] {
        let (new, secret) = begin(&asha).await;
        let device = Device { name: name.to_owned(), secret, recovery_codes: Vec::new() };
        let codes = json!({ "id": new.id, "code": device.code(0) });
        asks.push((json!({ "name": name, "password": PASSWORD, "codes": codes }), device));
    }
    let [(one, of_one), (other, of_other)] = &asks[..] else { panic!("there are two") };
    let (one, other) = tokio::join!(put(&asha, one), put(&asha, other));
    let (won, lost, device) = if one.status == 200 { (one, other, of_one) } else { (other, one, of_other) };
    assert_eq!(won.ok::<api::PasswordSet>().recovery_codes.len(), 10);
    // Too late, or after the other one was there.
    assert!([403, 404, 409].contains(&lost.status.as_u16()), "{}", lost.text());
    signed_in(&app, device, &device.fresh(&app).await).await;
    let left: api::Credentials = asha.get("/api/v1/credentials").await.ok();
    assert_eq!(left.password.unwrap().recovery_codes_left, 10);
}

async fn a_token_ends_with_the_one_it_was_made_with_also_by_way_of_a_session(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let make = json!({ "label": "short", "days": 1 });
    let short: api::Token = asha.post("/api/v1/tokens", &make).await.made();
    let (mut desk, _) = Browser::open(&app, &asha.with_token(&short.token), "desk").await;
    let answer = desk.post("/api/v1/session/confirm", &device.fresh(&app).await).await;
    desk.keep(&answer);
    let long = json!({ "label": "long", "days": 300 });
    let by_session: api::Token = desk.post("/api/v1/tokens", &long).await.made();
    assert_eq!(by_session.expires, short.expires);
    let further: api::Token = asha.with_token(&by_session.token).post("/api/v1/tokens", &long).await.made();
    assert_eq!(further.expires, short.expires);
    let (phone, _) = Browser::open(&app, &asha.with_token(&further.token), "phone").await;
    // One who signed in owes the token nothing.
    let own = signed_in(&app, &device, &device.fresh(&app).await).await;
    let kept: api::Token = own.post("/api/v1/tokens", &long).await.made();
    assert!(kept.expires > short.expires);

    asha.delete(&format!("/api/v1/tokens/{}", short.id)).await;
    for ended in [&short, &by_session, &further] {
        asha.with_token(&ended.token).get("/api/v1/me").await.problem("unauthenticated");
    }
    desk.get("/api/v1/me").await.problem("unauthenticated");
    phone.get("/api/v1/me").await.problem("unauthenticated");
    own.get("/api/v1/me").await.ok::<api::Me>();
    asha.with_token(&kept.token).get("/api/v1/me").await.ok::<api::Me>();
    asha.get("/api/v1/me").await.ok::<api::Me>();
}

async fn whoever_changes_what_they_sign_in_with_ends_what_was_opened_with_it(engine: Engine) {
    let app = TestApp::new(engine).await;
    let url = app.config.database_url();
    let asha = app.enrol("Asha", &[]).await;
    let ben = app.enrol("Ben", &[]).await;
    let (of_ben, _) = Browser::open(&app, &ben, "ben").await;
    let mut device = set_up(&asha, "asha").await;
    let desk = signed_in(&app, &device, &device.fresh(&app).await).await;
    let devices = || raw::number(url, "SELECT COUNT(*) FROM devices".to_owned());

    let thief = signed_in(&app, &device, &device.fresh(&app).await).await;
    let other = json!({ "name": "asha", "password": PASSWORD });
    desk.put("/api/v1/password", &other).await.ok::<api::PasswordSet>();
    thief.get("/api/v1/me").await.problem("unauthenticated");
    assert_eq!(devices().await, 2, "the browsers are the same");

    let thief = signed_in(&app, &device, &device.fresh(&app).await).await;
    desk.post("/api/v1/recovery-codes", &json!({})).await.made::<api::PasswordSet>();
    thief.get("/api/v1/me").await.problem("unauthenticated");

    // Another device: what was known of browsers goes, and what somebody has begun.
    let thief = signed_in(&app, &device, &device.fresh(&app).await).await;
    let begun: api::NewCodes = thief.post("/api/v1/codes", &json!({})).await.made();
    let new: api::NewCodes = desk.post("/api/v1/codes", &json!({})).await.made();
    device.secret = from_base32(new.secret.expose());
    let codes = json!({ "id": new.id, "code": device.code(0) });
    let set = json!({ "name": "asha", "password": PASSWORD, "codes": codes });
    desk.put("/api/v1/password", &set).await.ok::<api::PasswordSet>();
    thief.get("/api/v1/me").await.problem("unauthenticated");
    assert_eq!(devices().await, 0);
    let code = Device { secret: from_base32(begun.secret.expose()), ..device.clone() }.code(0);
    let late = json!({ "name": "asha", "password": PASSWORD, "codes": { "id": begun.id, "code": code } });
    desk.put("/api/v1/password", &late).await.problem("not-found");

    let at_home = Browser::new(&app);
    let ask = device.sign_in(PASSWORD, &device.fresh(&app).await);
    let answer = at_home.post("/api/v1/sign-in/password", &ask).await;
    let session = cookie(&answer, "__Host-custos").unwrap();
    assert_eq!((answer.status.as_u16(), devices().await), (201, 1));
    assert_eq!(desk.delete("/api/v1/password").await.status, 204);
    Browser { session, ..at_home }.get("/api/v1/me").await.problem("unauthenticated");
    assert_eq!(devices().await, 0);
    desk.get("/api/v1/me").await.ok::<api::Me>();
    of_ben.get("/api/v1/me").await.ok::<api::Me>();
}

async fn whoever_was_about_to_sign_in_with_what_is_changed_is_not_let_in(engine: Engine) {
    let app = TestApp::new(engine).await;
    let url = app.config.database_url();
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let desk = signed_in(&app, &device, &device.fresh(&app).await).await;
    let mut passwords = [PASSWORD, "nine red kites over a lake", "two old drums in the rain"].windows(2);
    let held = "UPDATE passwords SET step = step";
    for thief_is_first in [true, false] {
        let [old, new] = passwords.next().unwrap() else { unreachable!() };
        let (ask, change) =
            (device.sign_in(old, &device.fresh(&app).await), json!({ "name": "asha", "password": new }));
        let mut thief = Browser::new(&app);
        let signs_in = thief.post("/api/v1/sign-in/password", &ask);
        let change = desk.put("/api/v1/password", &change);
        // What the first one waits for is held until the second one waits as well; they go on in this order.
        let both = async {
            if thief_is_first {
                tokio::join!(signs_in, async {
                    raw::until_waiting(url, 1).await;
                    change.await
                })
            } else {
                let (changed, signed_in) = tokio::join!(change, async {
                    raw::until_waiting(url, 1).await;
                    signs_in.await
                });
                (signed_in, changed)
            }
        };
        let (signed_in, changed) = Box::pin(raw::while_held(url, held, 2, both)).await;
        changed.ok::<api::PasswordSet>();
        if signed_in.status == 201 {
            thief.keep(&signed_in);
        } else {
            signed_in.problem("sign-in-failed");
        }
        thief.get("/api/v1/me").await.problem("unauthenticated");
        desk.get("/api/v1/me").await.ok::<api::Me>();
    }
}

async fn who_waits_for_one_another_goes_on(engine: Engine) {
    let app = TestApp::new(engine).await;
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let mut desk = signed_in(&app, &device, &device.fresh(&app).await).await;
    let factor = device.fresh(&app).await;
    let (first, then) = ("UPDATE passwords SET step = step", "UPDATE sessions SET expires = expires");
    let confirm = desk.post("/api/v1/session/confirm", &factor);
    let answer = raw::crossed(app.config.database_url(), first, then, confirm).await;
    desk.keep(&answer);
    answer.ok::<api::Session>();
    desk.get("/api/v1/me").await.ok::<api::Me>();
}

async fn what_ends_or_lets_in_others_takes_a_second_factor_and_the_emergency_brake_takes_none(
    engine: Engine,
) {
    let app = TestApp::new(engine).await;
    let (asha, ben, case) = crate::api::spine::two_custodians(&app).await;
    let (desk, _) = Browser::open(&app, &asha, "desk").await;
    let member = json!({ "person": ben.id, "role": "observer" });
    desk.post(&format!("/api/v1/cases/{case}/members"), &member).await.problem("confirmation-needed");
    let data = json!({ "member": ben.id, "role": "observer" });
    let on_behalf = draft("member.added", &json!({ "case": case, "data": data }));
    desk.post("/api/v1/statements/on-behalf", &on_behalf).await.problem("confirmation-needed");
    let referrer = desk.caller.send(desk.asks(Method::GET, "/api/v1/me")).await;
    assert_eq!(
        referrer.header("referrer-policy"),
        "same-origin",
        "else forms of one's own come from nowhere"
    );

    let (office, _) = Browser::open(&app, &app.admin, "office").await;
    let tokens = |of: &str| format!("/api/v1/persons/{of}/tokens");
    office.delete(&tokens(&ben.id)).await.problem("confirmation-needed");
    assert_eq!(refused(&app, &app.admin.id, "end-tokens").await, (1, 1));
    ben.get("/api/v1/me").await.ok::<api::Me>();
    assert_eq!(desk.delete(&tokens(&asha.id)).await.status, 204);
    desk.get("/api/v1/me").await.problem("unauthenticated");
    asha.get("/api/v1/me").await.problem("unauthenticated");
}
