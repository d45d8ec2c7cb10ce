//! Requests to one pinned server: JSON in and out, problems as errors, patience where repeating is safe.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use custody::digest::Digest;
use custody::id::OpId;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ClientError;
use super::certificate::OwnCertificate;
use super::pin::{Pin, pinned};
use crate::api::Problem;

/// How often a request that may be repeated is repeated.
const RETRIES: u32 = 4;
/// Most bytes of an error document that are read.
const MAX_PROBLEM_BYTES: usize = 65_536;
/// Longest wait that a busy server can ask for, seconds.
const MAX_RETRY_AFTER_SECONDS: u64 = 30;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence within an answer. Large uploads are read back by the vault before it answers.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// A connection to one vault.
#[derive(Clone)]
pub(super) struct Http {
    inner: reqwest::Client,
    pin: Arc<Pin>,
    base: String,
    authorization: Option<HeaderValue>,
    waits: bool,
}

/// What shows who asks.
#[derive(Clone, Copy, Default)]
pub(super) struct Shows<'a> {
    /// Signs in.
    pub(super) token: Option<&'a Zeroizing<String>>,
    /// Shown by the connection; signs in where there is no token and `signs_in`.
    pub(super) certificate: Option<&'a OwnCertificate>,
    /// Whether anything signs in at all.
    pub(super) signs_in: bool,
}

impl Shows<'_> {
    fn authorization(self) -> Result<Option<HeaderValue>, ClientError> {
        match (self.token, self.certificate) {
            (Some(token), _) => bearer(token).map(Some),
            (None, Some(_)) if self.signs_in => Ok(Some(HeaderValue::from_static("Certificate"))),
            (None, _) => Ok(None),
        }
    }
}

/// One request.
pub(super) struct Call {
    method: Method,
    path: String,
    op_id: Option<OpId>,
    headers: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    repeatable: bool,
}

impl Call {
    /// A reading request; it may be repeated.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into(), None, true)
    }

    /// A write; repeated only under its key, which makes twice the same as once.
    pub(super) fn write(method: Method, path: impl Into<String>, op_id: OpId) -> Self {
        Self::new(method, path.into(), Some(op_id), true)
    }

    /// A write under no key: never repeated by itself.
    pub(super) fn once(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into(), None, false)
    }

    /// A value that is put in place of another: twice is the same as once.
    pub(super) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into(), None, true)
    }

    /// A question that is asked with POST and changes nothing.
    pub(super) fn ask(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into(), None, true)
    }

    /// With a JSON body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, ClientError> {
        let bytes = serde_json::to_vec(body).map_err(|error| ClientError::Input(error.to_string()))?;
        self.body = Some(bytes.into());
        Ok(self)
    }

    /// With a header.
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn new(method: Method, path: String, op_id: Option<OpId>, repeatable: bool) -> Self {
        Self { method, path, op_id, headers: Vec::new(), body: None, repeatable }
    }
}

impl Http {
    /// Prepares a connection to `url` (`https://host:port`), which must show the certificate `tls`, by somebody who shows
    /// this.
    pub(super) fn new(url: &str, tls: Digest, shows: Shows<'_>) -> Result<Self, ClientError> {
        let base = base(url)?;
        let (config, pin) = pinned(tls, shows.certificate)?;
        // HTTP/1.1: uploads over HTTP/2 are several times slower.
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("custos/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Self { inner, pin, base, authorization: shows.authorization()?, waits: false })
    }

    /// Asks for receipts that witnesses cosigned, with every write from now on.
    pub(super) fn wait_for_witnesses(&mut self) {
        self.waits = true;
    }

    /// Whether it does.
    pub(super) const fn waits_for_witnesses(&self) -> bool {
        self.waits
    }

    /// The address.
    pub(super) fn url(&self) -> &str {
        &self.base
    }

    /// Sends and reads a JSON answer.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let bytes = self.bytes(call).await?;
        serde_json::from_slice(&bytes).map_err(|_| ClientError::Protocol("an answer of another shape"))
    }

    /// Sends and reads all of an answer.
    pub(super) async fn bytes(&self, call: Call) -> Result<Bytes, ClientError> {
        let response = self.send(call).await?;
        response.bytes().await.map_err(|error| self.network(error))
    }

    /// Sends and reads all of an answer that has at most `limit` bytes.
    pub(super) async fn bytes_at_most(&self, call: Call, limit: usize) -> Result<Vec<u8>, ClientError> {
        let mut response = self.send(call).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.network(error))? {
            if bytes.len() + chunk.len() > limit {
                return Err(ClientError::Protocol("an answer is longer than it can be"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Sends; the answer's status is a success, its body is still to come.
    pub(super) async fn send(&self, call: Call) -> Result<Response, ClientError> {
        let mut attempt = 0;
        loop {
            let error = match self.request(&call).send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    let wait = retry_after(&response);
                    if !busy(response.status()) || !call.repeatable || attempt == RETRIES {
                        return Err(self.refusal(response).await);
                    }
                    attempt += 1;
                    tokio::time::sleep(wait.unwrap_or_else(|| pause(attempt))).await;
                    continue;
                }
                Err(error) => self.network(error),
            };
            if matches!(error, ClientError::Certificate { .. }) || !call.repeatable || attempt == RETRIES {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    /// Sends a body that can be sent only once.
    pub(super) async fn upload(&self, call: &Call, body: reqwest::Body) -> Result<Response, ClientError> {
        let response = self.request(call).body(body).send().await.map_err(|error| self.network(error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// An error of the network, unless the pin is behind it.
    pub(super) fn network(&self, source: reqwest::Error) -> ClientError {
        self.pin.violated().unwrap_or_else(|| ClientError::Network { url: self.base.clone(), source })
    }

    fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        // What has a name of its own is a write, and no write's address has parameters.
        let wait = if self.waits && call.op_id.is_some() { "?wait=witnessed" } else { "" };
        let mut request =
            self.inner.request(call.method.clone(), format!("{}{}{wait}", self.base, call.path));
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        if let Some(op_id) = call.op_id {
            request = request.header("idempotency-key", op_id.to_string());
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        match &call.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => request,
        }
    }

    async fn refusal(&self, mut response: Response) -> ClientError {
        let status = response.status().as_u16();
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_PROBLEM_BYTES {
                break;
            }
        }
        match serde_json::from_slice::<Problem>(&text) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            Err(_) => ClientError::Http { status },
        }
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("base", &self.base).finish_non_exhaustive()
    }
}

/// `https://host[:port]`, without a path.
fn base(url: &str) -> Result<String, ClientError> {
    let plain = url.trim_end_matches('/');
    let host = plain.strip_prefix("https://").unwrap_or_default();
    let sound = !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    if sound && reqwest::Url::parse(plain).is_ok() {
        Ok(plain.to_owned())
    } else {
        Err(ClientError::Input("a vault's address is https://host or https://host:port".into()))
    }
}

fn bearer(token: &Zeroizing<String>) -> Result<HeaderValue, ClientError> {
    let text = Zeroizing::new(format!("Bearer {}", token.as_str()));
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| ClientError::Input("a token is plain text".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER_SECONDS)))
}

/// 100 ms, 200 ms, 400 ms, 800 ms.
fn pause(attempt: u32) -> Duration {
    Duration::from_millis(50 << attempt.min(6))
}
