//! Asking a provider: what it publishes about itself, and for what it gives in exchange for a code.

use custody::time::Timestamp;
use jsonwebtoken::jwk::Jwk;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{NotSaid, Provider};
use crate::outside::body;

/// Most bytes of an answer.
const MAX_BYTES: usize = 256 << 10;
/// Most keys of a provider that are looked at.
const MAX_KEYS: usize = 64;
/// Most bytes of a token.
const MAX_TOKEN_BYTES: usize = 32 << 10;

/// What a provider publishes.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    /// When it was fetched.
    pub(super) at: Timestamp,
    pub(super) metadata: Metadata,
    pub(super) keys: Vec<Jwk>,
}

/// About itself.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    /// Where people sign in.
    pub(super) authorization: Url,
    /// Where codes are exchanged.
    pub(super) token: Url,
    /// Whether it takes the client's secret in a header (RFC 6749, section 2.3.1).
    pub(super) by_header: bool,
    /// Whether it says in its answer who it is (RFC 9207).
    pub(super) says_iss: bool,
}

/// `OpenID` Connect Discovery 1.0, section 3; what is used of it.
#[derive(Deserialize)]
struct Published {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Exchanged {
    id_token: Zeroizing<String>,
}

impl Provider {
    /// Asks the provider what it publishes.
    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Fetched, NotSaid> {
        let path = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let url = Url::parse(&path).map_err(|_| NotSaid::Unreachable("its issuer is no address"))?;
        let published: Published = self.get(url).await?;
        if published.issuer != self.issuer {
            return Err(NotSaid::Unreachable("it calls itself otherwise than the configuration"));
        }
        let own = [&published.authorization_endpoint, &published.token_endpoint, &published.jwks_uri];
        if !own.into_iter().all(|url| self.is_own(url)) {
            return Err(NotSaid::Unreachable("it names an address outside the hosts of the configuration"));
        }
        let methods = published.code_challenge_methods_supported;
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(NotSaid::Unreachable("it does not know PKCE with S256"));
        }
        let keys: Keys = self.get(published.jwks_uri).await?;
        // Keys of kinds that are not known are no business of ours.
        let keys = keys.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        let by_header = published
            .token_endpoint_auth_methods_supported
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        let metadata = Metadata {
            authorization: published.authorization_endpoint,
            token: published.token_endpoint,
            by_header,
            says_iss: published.authorization_response_iss_parameter_supported,
        };
        Ok(Fetched { at: now, metadata, keys: keys.collect() })
    }

    /// The token that the provider gives for a code.
    pub(super) async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
    ) -> Result<Zeroizing<String>, NotSaid> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", verifier),
        ];
        let mut request = self.http.post(metadata.token.clone());
        if metadata.by_header {
            request = request.basic_auth(encoded(&self.client_id), Some(encoded(&self.secret)));
        } else {
            form.extend([("client_id", self.client_id.as_str()), ("client_secret", self.secret.as_str())]);
        }
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json")
            .body(form);
        let silent = |_| NotSaid::Unreachable("it does not answer");
        let response = request.send().await.map_err(silent)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST => return Err(NotSaid::Refused("code")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(NotSaid::Unreachable("it does not know this client, or its secret"));
            }
            _ => return Err(NotSaid::Unreachable("it gives no token")),
        }
        let bytes = body(response, MAX_BYTES).await.map_err(silent)?;
        let bytes = Zeroizing::new(bytes.ok_or(NotSaid::Unreachable("its answer is too long"))?);
        let exchanged: Exchanged =
            serde_json::from_slice(&bytes).map_err(|_| NotSaid::Refused("no token was given"))?;
        if exchanged.id_token.len() > MAX_TOKEN_BYTES {
            return Err(NotSaid::Refused("the token is too long"));
        }
        Ok(exchanged.id_token)
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, url: Url) -> Result<T, NotSaid> {
        if !self.is_own(&url) {
            return Err(NotSaid::Unreachable("its address is outside the hosts of the configuration"));
        }
        let silent = |_| NotSaid::Unreachable("it does not answer");
        let response =
            self.http.get(url).header("Accept", "application/json").send().await.map_err(silent)?;
        if response.status() != StatusCode::OK {
            return Err(NotSaid::Unreachable("it does not say what it publishes"));
        }
        let bytes = body(response, MAX_BYTES).await.map_err(silent)?;
        let bytes = bytes.ok_or(NotSaid::Unreachable("its answer is too long"))?;
        serde_json::from_slice(&bytes).map_err(|_| NotSaid::Unreachable("its answer is of another shape"))
    }
}

/// As in a form: what a header for Basic carries of an OAuth client (RFC 6749, section 2.3.1).
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
