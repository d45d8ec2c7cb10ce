//! Requests that no route takes as they are: other addresses, methods, spellings and sizes, and too many of them.

use std::collections::BTreeSet;

use custos::http::Document;
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use utoipa::OpenApi as _;

use crate::support::app::{TestApp, builder};
use crate::support::world::Engine;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_and_a_wrong_method_are_told_apart() {
    let app = TestApp::new(Engine::Sqlite).await;
    for path in ["/", "/nowhere", "/api/v1/cases/x/y", "/api/v2/vault", "/log"] {
        for caller in [&app.admin, &app.admin.with_token("")] {
            let problem = caller.get(path).await.problem("no-such-address");
            assert!(!problem.detail.contains("member") && !problem.remedy.contains("member"), "{problem:?}");
        }
    }
    let document: serde_json::Value = serde_json::from_str(&Document::openapi().to_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 30);
    for path in paths.keys() {
        let path = path.replace(['{', '}'], "");
        let answer = app.admin.send(app.admin.request(Method::PATCH, &path)).await;
        answer.problem("method-not-allowed");
        // A word may stand where another route takes an id.
        let also = paths.iter().filter(|(pattern, _)| is_of(&path, pattern));
        let mut taken: BTreeSet<_> = also
            .flat_map(|(_, methods)| methods.as_object().unwrap().keys().map(|m| m.to_uppercase()))
            .collect();
        if path.ends_with("/content") {
            taken.insert("HEAD".to_owned());
        }
        let allowed: BTreeSet<_> = answer.header("allow").split(", ").map(str::to_owned).collect();
        assert_eq!(allowed, taken, "{path}");
    }
}

/// Whether a path is one of those that a pattern with names in braces stands for.
fn is_of(path: &str, pattern: &str) -> bool {
    let fits = |(word, part): (&str, &str)| part.starts_with('{') || word == part;
    path.split('/').count() == pattern.split('/').count() && path.split('/').zip(pattern.split('/')).all(fits)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_of_a_token_is_spelt_in_any_case() {
    let app = TestApp::new(Engine::Sqlite).await;
    let me = |value: String| {
        let caller = app.admin.with_token("");
        async move { caller.send(caller.request(Method::GET, "/api/v1/me").header(AUTHORIZATION, value)).await }
    };
    let token = &app.admin.token;
    for scheme in ["Bearer", "bearer", "BEARER", "bEARER "] {
        assert_eq!(me(format!("{scheme} {token}")).await.status, 200, "{scheme}");
    }
    for value in [token.clone(), format!("Basic {token}"), format!("Bearer{token}"), "Bearer ".to_owned()] {
        me(value).await.problem("unauthenticated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_another_spelling_is_limited_as_the_same() {
    let app = TestApp::new(Engine::Sqlite).await;
    let stranger = app.admin.with_token("");
    let body = serde_json::json!({ "code": "guess", "key": "0".repeat(64) });
    let refused = async |path: &str, times| {
        let answers = join_all((0..times).map(|_| stranger.post(path, &body))).await;
        answers.into_iter().find(|answer| answer.status == 429)
    };
    refused("/api/v1/%69nvit%61tions/prepare", 60).await.unwrap().problem("too-many-requests");
    // Fewer than it would take to use up an allowance of its own.
    refused("/api/v1/invitations/prepare", 20).await.unwrap().problem("too-many-requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_large_or_too_many_are_431() {
    let app = TestApp::new(Engine::Sqlite).await;
    let http = builder(&app.config).http1_only().build().unwrap();
    let address = format!("{}/livez", app.shared.base.lock().unwrap());
    // The answer comes before the request is read to its end; now and then the closing connection overtakes it.
    let mut refused = 0;
    for _ in 0..20 {
        let large = http.get(&address).header("x-large", "x".repeat(200_000)).send().await;
        refused += u32::from(large.is_ok_and(|answer| {
            assert_eq!(answer.status(), 431);
            true
        }));
    }
    assert!(refused > 0, "nobody was told");
    let many =
        (0..200).fold(http.get(&address), |request, number| request.header(format!("x-{number}"), "x"));
    assert_eq!(many.send().await.unwrap().status(), 431);
    assert_eq!(http.get(&address).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_readings_are_limited_and_people_who_sign_in_are_not_held_up() {
    let app = TestApp::new(Engine::Sqlite).await;
    let stranger = app.admin.with_token("");
    let refused = async |path: &str, times| {
        let mut answers = join_all((0..times).map(|_| stranger.get(path))).await;
        answers.retain(|answer| answer.status != 200);
        answers
    };
    // One more is taken every fifth of a second, so that they are asked at once.
    assert!(refused("/log/checkpoint", 250).await.is_empty(), "generous");
    let answers = refused("/log/entries?start=0&limit=1", 400).await;
    answers[0].problem("too-many-requests");
    assert_eq!(answers[0].header("retry-after"), "1", "when the next one is taken");
    // Fewer than it would take to use up an allowance of its own.
    refused("/api/v1/vault", 150).await[0].problem("too-many-requests");
    assert_eq!(stranger.get("/readyz").await.status, 200);
    assert_eq!(app.admin.me().await.status, 200);
}
