//! The session's cookie, and what a request must show before it counts.
//!
//! A browser sends a cookie with whatever is asked of the vault, whoever's page asks. `SameSite=Strict` keeps it from
//! what other sites ask; that another page of the same site, or a browser that does not know `SameSite`, changes
//! nothing is shown by the headers that no page can set.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use zeroize::Zeroizing;

use crate::app::{AppError, DEVICE_DAYS};

/// With `__Host-` browsers take it only over HTTPS, for this host alone and for all its paths.
const NAME: &str = "__Host-custos";
/// By which a browser is known that somebody signed in with before; it signs nobody in.
const DEVICE: &str = "__Host-custos-device";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A header that gives the browser the secret; it keeps it until it is closed.
pub(crate) fn set(secret: &str) -> (HeaderName, String) {
    (header::SET_COOKIE, format!("{NAME}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict"))
}

/// A header that makes the browser forget it.
pub(crate) fn forget() -> (HeaderName, String) {
    (header::SET_COOKIE, format!("{NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"))
}

/// A header by which the browser is known again.
pub(crate) fn know(device: &str) -> (HeaderName, String) {
    let seconds = DEVICE_DAYS * 24 * 60 * 60;
    (
        header::SET_COOKIE,
        format!("{DEVICE}={device}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}"),
    )
}

/// The secret of a request that has exactly one.
pub(crate) fn secret(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    only(headers, NAME)
}

/// By what the browser of a request is known.
pub(crate) fn device(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    only(headers, DEVICE)
}

fn only(headers: &HeaderMap, wanted: &str) -> Option<Zeroizing<String>> {
    let lines = headers.get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value);
    let secret = found.next()?;
    // Two are one too many: which of them is the person's cannot be known.
    found.next().is_none().then(|| Zeroizing::new(secret.to_owned()))
}

/// Refuses what changes something unless the vault's own pages ask: every header that says who asks must say so, and one
/// must be there.
pub(crate) fn asked_here(request: &HttpRequest, origin: &str) -> Result<(), AppError> {
    if request.method().is_safe() { Ok(()) } else { from_here(request, origin) }
}

/// The same for whoever signs in: no other site signs somebody in as somebody else. Programs, which name no site, may.
pub(crate) fn not_from_elsewhere(request: &HttpRequest, origin: &str) -> Result<(), AppError> {
    let named = [&FETCH_SITE, &header::ORIGIN].into_iter().any(|name| request.headers().contains_key(name));
    if named { from_here(request, origin) } else { Ok(()) }
}

fn from_here(request: &HttpRequest, origin: &str) -> Result<(), AppError> {
    own_pages(request.headers(), origin).inspect_err(|_| {
        tracing::warn!(target: "security", "a request by cookie, or to sign in, was not the vault's own");
    })
}

fn own_pages(headers: &HeaderMap, origin: &str) -> Result<(), AppError> {
    let says = |name: &HeaderName, expected: &str| {
        let mut values = headers.get_all(name).peekable();
        values.peek()?;
        Some(values.all(|value| value.as_bytes() == expected.as_bytes()))
    };
    match (says(&FETCH_SITE, "same-origin"), says(&header::ORIGIN, origin)) {
        (Some(false), _) | (_, Some(false)) | (None, None) => Err(AppError::CrossSite),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    const OWN: &str = "https://vault.example.org";

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in of {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn every_header_that_says_who_asks_must_say_the_vault_and_one_must_be_there() {
        let fits = |of: &[(&'static str, &'static str)]| own_pages(&headers(of), OWN).is_ok();
        assert!(fits(&[("sec-fetch-site", "same-origin")]));
        assert!(fits(&[("origin", OWN)]));
        assert!(fits(&[("sec-fetch-site", "same-origin"), ("origin", OWN)]));
        for wrong in [
            &[][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "https://vault.example.org.evil.example")],
            &[("origin", "https://vault.example.org:444")],
            &[("sec-fetch-site", "cross-site"), ("origin", OWN)],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("origin", OWN), ("origin", "https://evil.example")],
        ] {
            assert!(!fits(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_secret_is_read_from_any_place_in_the_header_and_only_if_it_is_the_only_one() {
        let read = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            secret(&headers(&lines)).map(|secret| secret.to_string())
        };
        assert_eq!(read(&["a=b; __Host-custos=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(read(&["a=b", "__Host-custos=x"]).as_deref(), Some("x"));
        assert_eq!(read(&["__Host-custos=x; __Host-custos=y"]), None);
        assert_eq!(read(&["__Host-custos=x", "__Host-custos=y"]), None);
        assert_eq!(read(&["custos=x; X__Host-custos=y"]), None);
    }
}
