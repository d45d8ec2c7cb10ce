//! Signing in, seen from a browser.

mod authenticator;
mod certificates;
mod changes;
mod command_line;
mod hostile;
mod limits;
mod lists;
mod passkeys;
pub(crate) mod passwords;
mod provider;
mod providers;
mod sessions;

use custos::api;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;

use crate::support::app::{TestApp, builder};
use crate::support::client::{Answer, Caller};

/// A browser: its cookies, and pages of the vault that ask.
#[derive(Clone)]
pub(crate) struct Browser {
    /// Without a token.
    caller: Caller,
    http: reqwest::Client,
    /// What the vault calls itself in its configuration.
    origin: String,
    session: String,
}

impl Browser {
    pub(crate) fn new(app: &TestApp) -> Self {
        let caller = app.admin.with_token("");
        let http = caller.shared.http.clone();
        Self { caller, http, origin: app.config.origin().to_owned(), session: String::new() }
    }

    /// On another machine, by the last part of its address: what one address may ask does not count for it.
    fn elsewhere(app: &TestApp, address: u8) -> Self {
        let address = std::net::Ipv4Addr::new(127, 0, 2, address);
        let http = builder(&app.config).local_address(std::net::IpAddr::V4(address)).build().unwrap();
        Self { http, ..Self::new(app) }
    }

    /// A request that shows the cookie and nothing else.
    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.caller.shared.base.lock().unwrap().clone();
        let request = self.http.request(method, format!("{base}{path}"));
        if self.session.is_empty() {
            return request;
        }
        request.header("Cookie", format!("theme=dark; __Host-custos={}", self.session))
    }

    /// As a page of the vault asks.
    fn asks(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("Origin", &self.origin).header("Sec-Fetch-Site", "same-origin")
    }

    async fn get(&self, path: &str) -> Answer {
        self.caller.send(self.asks(Method::GET, path)).await
    }

    async fn put(&self, path: &str, body: &impl Serialize) -> Answer {
        self.caller.send(self.asks(Method::PUT, path).json(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.caller.send(self.asks(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.caller.send(self.asks(Method::POST, path).json(body)).await
    }

    /// Takes over the cookie that came with an answer.
    #[track_caller]
    fn keep(&mut self, answer: &Answer) {
        self.session = cookie(answer, "__Host-custos").expect("a session's cookie");
    }

    /// Opens a session with somebody's token.
    async fn open(app: &TestApp, who: &Caller, label: &str) -> (Self, api::Session) {
        let mut browser = Self::new(app);
        let answer = who.post("/api/v1/session", &serde_json::json!({ "label": label })).await;
        browser.keep(&answer);
        (browser, answer.made())
    }
}

/// The value of a cookie that an answer sets: for this host alone, over HTTPS alone, for no script and no other site.
#[track_caller]
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let mut mine = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    mine.next_back().map(|line| {
        let mut parts = line.split("; ");
        let value = parts.next().unwrap().to_owned();
        let attributes: Vec<_> = parts.collect();
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(attributes.contains(&attribute), "{attributes:?}");
        }
        assert!(!line.contains("Domain"), "{line}");
        value
    })
}
