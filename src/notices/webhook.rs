//! Webhooks: a `CloudEvent` 1.0 in JSON, signed as Standard Webhooks has it (standardwebhooks.com, version 1).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::digest::Digest;
use custody::time::Timestamp;
use reqwest::Url;
use serde::Deserialize;
use url::Host;
use zeroize::Zeroizing;

use super::guard::{NotPublic, PublicOnly, is_public};
use super::{Channel, NotTold, Notice, NoticesError, PATIENCE, Target};
use crate::outside;

const PREFIX: &str = "whsec_";

/// `[[webhook]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    url: String,
    secret: Zeroizing<String>,
    #[serde(default)]
    inside: bool,
    topics: Option<Vec<String>>,
}

/// Somebody who takes notices over HTTPS.
#[derive(Debug)]
pub(super) struct Webhook {
    url: Url,
    key: hmac::Key,
    origin: String,
    http: reqwest::Client,
}

pub(super) fn channel(settings: Settings, origin: &str) -> Result<Channel, NoticesError> {
    let url = address(&settings.url, settings.inside)?;
    let secret = settings.secret.strip_prefix(PREFIX).and_then(|secret| STANDARD.decode(secret).ok());
    let secret = Zeroizing::new(secret.filter(|secret| (24..=64).contains(&secret.len())).ok_or(
        NoticesError::Value(
            "a webhook's secret is whsec_ and 24 to 64 bytes in base64: openssl rand -base64 32",
        ),
    )?);
    let http = outside::client(PATIENCE);
    let http = if settings.inside { http } else { http.dns_resolver(PublicOnly) };
    let http = http.build().map_err(|error| NoticesError::SetUp(error.to_string()))?;
    // Addresses may hold secrets: the database knows them by their hash.
    let name = format!("webhook:{}", &Digest::of(url.as_str().as_bytes()).to_hex()[..16]);
    let webhook =
        Webhook { url, key: hmac::Key::new(hmac::HMAC_SHA256, &secret), origin: origin.to_owned(), http };
    Channel::new(name, settings.topics, Target::Webhook(Box::new(webhook)))
}

fn address(text: &str, inside: bool) -> Result<Url, NoticesError> {
    let rule = NoticesError::Value(
        "a webhook's `url` is https://…, or http://… with `inside = true`; an address inside needs `inside = true`, too",
    );
    let Ok(url) = text.parse::<Url>() else { return Err(rule) };
    let public = match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(_)) => true,
        None => return Err(rule),
    };
    let secure = url.scheme() == "https" || (inside && url.scheme() == "http");
    if secure && (public || inside) { Ok(url) } else { Err(rule) }
}

impl Webhook {
    pub(super) async fn tell(&self, notice: &Notice, now: Timestamp) -> Result<(), NotTold> {
        let body = serde_json::json!({
            "specversion": "1.0",
            "id": notice.id,
            "source": self.origin,
            "type": format!("custos.{}", notice.topic.name),
            "time": notice.time.to_string(),
        })
        .to_string();
        let seconds = now.millis() / 1_000;
        let signed = hmac::sign(&self.key, format!("{}.{seconds}.{body}", notice.id).as_bytes());
        let answer = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(signed)))
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(NotTold::Refused(answer.status().as_u16())),
            Err(error) if is_inside(&error) => Err(NotTold::Inside),
            Err(_) => Err(NotTold::Silent),
        }
    }
}

/// Whether a name was looked up and leads inside only.
fn is_inside(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn made(url: &str, secret: &str, inside: bool) -> Result<Channel, NoticesError> {
        let secret = Zeroizing::new(secret.to_owned());
        channel(Settings { url: url.to_owned(), secret, inside, topics: None }, "https://vault.example.org")
    }

    #[test]
    fn what_leads_inside_is_refused_unless_it_is_meant() {
        for url in [
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://169.254.169.254/latest",
            "https://10.0.0.8/",
            "http://hooks.example.org/",
        ] {
            assert!(made(url, SECRET, false).is_err(), "{url}");
            assert!(made(url, SECRET, true).is_ok(), "{url}");
        }
        assert!(made("https://hooks.example.org/x?token=y", SECRET, false).is_ok());
        for url in ["ftp://hooks.example.org/", "hooks.example.org", "https://"] {
            assert!(made(url, SECRET, true).is_err(), "{url}");
        }
    }

    #[test]
    fn a_weak_secret_is_refused_and_no_secret_is_shown() {
        for secret in
            ["", "whsec_", "whsec_c2hvcnQ=", SECRET.trim_start_matches("whsec_"), "whsec_not base64"]
        {
            assert!(made("https://hooks.example.org/", secret, false).is_err(), "{secret}");
        }
        let channel = made("https://hooks.example.org/", SECRET, false).unwrap();
        assert!(!format!("{channel:?}").contains("MDEy"));
        assert!(channel.name.starts_with("webhook:") && !channel.name.contains("hooks"));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_asked() {
        let channel = made("https://localhost:1/", SECRET, false).unwrap();
        let notice = Notice {
            id: "1".to_owned(),
            topic: super::super::QUORUM_MISSED,
            time: Timestamp::from_millis(0).unwrap(),
        };
        let told = channel.tell(&notice, None, notice.time).await;
        assert_eq!(told, Err(NotTold::Inside));
    }
}
