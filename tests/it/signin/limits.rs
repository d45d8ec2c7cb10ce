//! Whom limits hold up, and whom they do not.

use custos::api;
use reqwest::Method;
use serde_json::{Value, json};

use super::passwords::{Device, PASSWORD, set_up, signed_in};
use super::{Browser, cookie};
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::raw;
use crate::support::world::Engine;

crate::on_both_engines! {
    whoever_signs_in_rightly_makes_nobody_at_their_address_wait
    what_is_refused_for_its_form_or_for_another_limit_is_not_counted
}

async fn sign_in(app: &TestApp, device: &Device, password: &str, factor: &Value) -> Answer {
    Browser::new(app).post("/api/v1/sign-in/password", &device.sign_in(password, factor)).await
}

async fn fails(app: &TestApp, name: &str) {
    let nobody = Device { name: name.to_owned(), secret: vec![0; 20], recovery_codes: Vec::new() };
    sign_in(app, &nobody, PASSWORD, &json!({ "code": "000000" })).await.problem("sign-in-failed");
}

async fn whoever_signs_in_rightly_makes_nobody_at_their_address_wait(engine: Engine) {
    let app = TestApp::new(engine).await;
    let url = app.config.database_url();
    let (asha, ben) = (app.enrol("Asha", &[]).await, app.enrol("Ben", &[]).await);
    let (of_asha, of_ben) = (set_up(&asha, "asha").await, set_up(&ben, "ben").await);
    let at_home = sign_in(&app, &of_asha, PASSWORD, &of_asha.fresh(&app).await).await;
    let known = cookie(&at_home, "__Host-custos-device").unwrap();
    fails(&app, "nobody.1").await;
    fails(&app, "nobody.2").await;
    // Others have failed here nearly as often as is free.
    raw::change(url, "UPDATE guesses SET failures = 49 WHERE failures = 2", 1).await;
    for device in [&of_asha, &of_ben, &of_asha] {
        signed_in(&app, device, &device.fresh(&app).await).await;
    }
    fails(&app, "nobody.3").await;
    sign_in(&app, &of_ben, PASSWORD, &of_ben.fresh(&app).await).await.problem("too-many-requests");
    let stranger = Browser::new(&app);
    let request = stranger.asks(Method::POST, "/api/v1/sign-in/password");
    let request = request.header("Cookie", format!("__Host-custos-device={known}"));
    let right = of_asha.sign_in(PASSWORD, &of_asha.fresh(&app).await);
    stranger.caller.send(request.json(&right)).await.made::<api::Session>();
    sign_in(&app, &of_ben, PASSWORD, &json!({ "recovery_code": of_ben.recovery_codes[0] }))
        .await
        .made::<api::Session>();
}

async fn what_is_refused_for_its_form_or_for_another_limit_is_not_counted(engine: Engine) {
    let app = TestApp::new(engine).await;
    let url = app.config.database_url();
    let counted = || raw::number(url, "SELECT COUNT(*) FROM guesses".to_owned());
    let asha = app.enrol("Asha", &[]).await;
    let device = set_up(&asha, "asha").await;
    let browser = Browser::new(&app);
    // Whether the password is right shows in nothing.
    for password in [PASSWORD, "seven green lanterns on a boot"] {
        for wrong in [json!({ "label": "x".repeat(101) }), json!({ "factor": {} })] {
            let mut ask = device.sign_in(password, &device.fresh(&app).await);
            ask.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            browser.post("/api/v1/sign-in/password", &ask).await.problem("invalid-request");
        }
    }
    assert_eq!(counted().await, 0);
    let desk = signed_in(&app, &device, &device.fresh(&app).await).await;
    desk.post("/api/v1/session/confirm", &json!({})).await.problem("invalid-request");
    // The address, as nobody has failed at it.
    assert_eq!(counted().await, 1);

    fails(&app, "nobody.1").await;
    fails(&app, "nobody.2").await;
    raw::change(url, "UPDATE guesses SET failures = 49 WHERE failures = 2", 1).await;
    fails(&app, "nobody.3").await;
    let before = counted().await;
    for _ in 0..3 {
        sign_in(&app, &device, PASSWORD, &device.fresh(&app).await).await.problem("too-many-requests");
    }
    assert_eq!(counted().await, before, "her name is not held up as well");
}
