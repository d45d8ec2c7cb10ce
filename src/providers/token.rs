//! What a provider says about somebody, in a signed token (`OpenID` Connect Core 1.0, sections 2 and 3.1.3.7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use custody::time::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::NotSaid;

/// No key of the provider's fits the token.
pub(super) const NO_KEY: &str = "no key";
/// Clocks differ by so much, seconds.
const LEEWAY: i64 = 60;
/// A token is of now: it answers a code that was given a moment ago.
const MAX_AGE: i64 = 10 * 60;
/// Most characters of a name for somebody (`OpenID` Connect Core 1.0, section 2).
const MAX_SUB: usize = 255;

/// What is used of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    nonce: Option<String>,
    /// When the person last showed who they are; a number of seconds, if the provider keeps to the rules.
    #[serde(default)]
    auth_time: Value,
    #[serde(default)]
    pub(super) acr: Option<String>,
    #[serde(default)]
    pub(super) amr: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// The header of a token, if it is signed in a way that the operator allows: never `none`, never with a shared secret.
pub(super) fn header(token: &str, allowed: &[Algorithm]) -> Result<Header, NotSaid> {
    let header = decode_header(token).map_err(|_| NotSaid::Refused("the token's header"))?;
    if !allowed.contains(&header.alg) {
        return Err(NotSaid::Refused("the token's algorithm"));
    }
    // What must be understood is not (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(NotSaid::Refused("the token's crit"));
    }
    Ok(header)
}

/// What a token says, if a key of the provider's has signed it.
pub(super) fn verify(token: &str, header: &Header, keys: &[Jwk]) -> Result<Claims, NotSaid> {
    let mut fitting = keys.iter().filter(|key| fits(key, header)).peekable();
    if fitting.peek().is_none() {
        return Err(NotSaid::Refused(NO_KEY));
    }
    // Times and audiences are judged below, by the vault's own clock.
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let signed = |key: &Jwk| {
        let key = DecodingKey::from_jwk(key).ok()?;
        decode::<Claims>(token, &key, &validation).ok()
    };
    let found = fitting.find_map(signed).ok_or(NotSaid::Refused("the token's signature, or what it says"))?;
    Ok(found.claims)
}

/// Whether a key may have signed a token with this header: the one that it names, of the kind that its algorithm takes.
fn fits(key: &Jwk, header: &Header) -> bool {
    let named = header.kid.is_none() || header.kid == key.common.key_id;
    let signs = key.common.public_key_use.as_ref().is_none_or(|is| *is == PublicKeyUse::Signature);
    let declared = key.common.key_algorithm.and_then(|of| of.to_string().parse().ok());
    let agrees = key.common.key_algorithm.is_none() || declared == Some(header.alg);
    let kind = match header.alg {
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => matches!(key.algorithm, AlgorithmParameters::RSA(_)),
        Algorithm::ES256 | Algorithm::ES384 => {
            matches!(key.algorithm, AlgorithmParameters::EllipticCurve(_))
        }
        Algorithm::EdDSA => matches!(key.algorithm, AlgorithmParameters::OctetKeyPair(_)),
        _ => false,
    };
    named && signs && agrees && kind
}

impl Claims {
    /// Whether it is this provider's, for this client, in answer to this question, and of now.
    pub(super) fn check(
        &self,
        issuer: &str,
        client: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), NotSaid> {
        let now = now.millis() / 1_000;
        let (for_us, for_others) = match &self.aud {
            Audience::One(one) => (one == client, false),
            Audience::Some(all) => (all.iter().any(|one| one == client), all.len() > 1),
        };
        let authorized = match &self.azp {
            Some(azp) => azp == client,
            None => !for_others,
        };
        let times = self.exp.saturating_add(LEEWAY) > now
            && self.iat <= now.saturating_add(LEEWAY)
            && self.iat.saturating_add(MAX_AGE) > now
            && self.nbf.is_none_or(|from| from <= now.saturating_add(LEEWAY));
        let rules = [
            (self.iss == issuer, "iss"),
            (for_us, "aud"),
            (authorized, "azp"),
            (times, "exp, iat or nbf"),
            (self.nonce.as_deref().is_some_and(|said| same(said, nonce)), "nonce"),
            (!self.sub.is_empty() && self.sub.len() <= MAX_SUB && self.sub.is_ascii(), "sub"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, rule)) => Err(NotSaid::Refused(rule)),
        }
    }
}

impl Claims {
    /// Whether the person showed who they are at the provider after a round had begun, rather than some time before it.
    pub(super) fn is_since(&self, began: Timestamp, now: Timestamp) -> bool {
        let (began, now) = (began.millis() / 1_000, now.millis() / 1_000);
        let shown = self.auth_time.as_i64();
        shown.is_some_and(|at| at >= began.saturating_sub(LEEWAY) && at <= now.saturating_add(LEEWAY))
    }
}

/// Compares in the same time wherever they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// PKCE's challenge to a verifier (RFC 7636, section 4.2).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00.000Z".parse().unwrap()
    }

    fn claims(change: impl FnOnce(&mut Claims)) -> Result<(), NotSaid> {
        let at = now().millis() / 1_000;
        let mut claims = Claims {
            iss: "https://idp.example".to_owned(),
            sub: "248289761001".to_owned(),
            aud: Audience::One("custos".to_owned()),
            azp: None,
            exp: at + 300,
            iat: at,
            nbf: None,
            nonce: Some("n".to_owned()),
            auth_time: Value::Null,
            acr: None,
            amr: Vec::new(),
        };
        change(&mut claims);
        claims.check("https://idp.example", "custos", "n", now())
    }

    type Change<'a> = Box<dyn FnOnce(&mut Claims) + 'a>;

    #[test]
    fn what_a_token_says_is_judged_to_the_second() {
        let at = now().millis() / 1_000;
        assert_eq!(claims(|_| ()), Ok(()));
        let both = || Audience::Some(vec!["custos".to_owned(), "other".to_owned()]);
        let good: Vec<Change<'_>> = vec![
            Box::new(|it| it.exp = at - 59),
            Box::new(|it| it.iat = at + 60),
            Box::new(|it| it.iat = at - 599),
            Box::new(|it| it.nbf = Some(at + 60)),
            Box::new(|it| it.aud = Audience::Some(vec!["custos".to_owned()])),
            Box::new(|it| (it.aud, it.azp) = (both(), Some("custos".to_owned()))),
        ];
        for change in good {
            assert_eq!(claims(change), Ok(()));
        }
        let bad: Vec<(Change<'_>, &str)> = vec![
            (Box::new(|it| it.iss.push('/')), "iss"),
            (Box::new(|it| it.aud = Audience::One("other".to_owned())), "aud"),
            (Box::new(|it| it.aud = Audience::Some(Vec::new())), "aud"),
            (Box::new(|it| it.aud = both()), "azp"),
            (Box::new(|it| it.azp = Some("other".to_owned())), "azp"),
            (Box::new(|it| it.exp = at - 60), "exp, iat or nbf"),
            (Box::new(|it| it.iat = at + 61), "exp, iat or nbf"),
            (Box::new(|it| it.iat = at - 600), "exp, iat or nbf"),
            (Box::new(|it| it.nbf = Some(at + 61)), "exp, iat or nbf"),
            (Box::new(|it| it.nonce = None), "nonce"),
            (Box::new(|it| it.nonce = Some("m".to_owned())), "nonce"),
            (Box::new(|it| it.sub.clear()), "sub"),
            (Box::new(|it| it.sub = "x".repeat(256)), "sub"),
        ];
        for (change, rule) in bad {
            assert_eq!(claims(change), Err(NotSaid::Refused(rule)));
        }
    }
}
