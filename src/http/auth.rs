//! Who asks: extractors. A handler that names one in its arguments cannot run without it.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use custody::id::OpId;
use zeroize::Zeroizing;

use super::signin::certificate::{self, Counted};
use super::signin::cookie;
use crate::app::{App, AppError, SignedIn, parse};

/// A person signed in, by API token, by session or by certificate.
#[derive(Debug, Clone)]
pub struct Person(pub SignedIn);

impl FromRequest for Person {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, AppError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let presented = presented(request);
        Box::pin(async move {
            let (app, presented) = presented?;
            match presented {
                Presented::Token(token) => app.sign_in(&token).await,
                Presented::Session(secret) => app.sign_in_by_session(&secret).await,
                Presented::Certificate(shown) => sign_in_by_certificate(&app, shown).await,
            }
            .map(Self)
        })
    }
}

/// A person signed in, or somebody whose key still waits for its voucher.
#[derive(Debug, Clone)]
pub struct Newcomer(pub SignedIn);

impl FromRequest for Newcomer {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, AppError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let presented = presented(request);
        Box::pin(async move {
            let (app, presented) = presented?;
            match presented {
                Presented::Token(token) => app.recognise(&token).await,
                Presented::Session(secret) => app.sign_in_by_session(&secret).await,
                Presented::Certificate(shown) => sign_in_by_certificate(&app, shown).await,
            }
            .map(Self)
        })
    }
}

/// What a request shows of whoever asks.
enum Presented {
    Token(Zeroizing<String>),
    Session(Zeroizing<String>),
    /// That the certificate of the connection counts, and what that one is worth now.
    Certificate(Counted),
}

async fn sign_in_by_certificate(app: &App, counted: Counted) -> Result<SignedIn, AppError> {
    match counted {
        Counted::Yes(key) => app.sign_in_by_certificate(key).await,
        Counted::NoMore(key) => app.refuse_certificate(key).await,
        Counted::NoneShown => Err(AppError::Unauthenticated),
    }
}

/// The service, and what the request shows: an `Authorization` header, which no other site's page can add, or a cookie,
/// which then counts for what the vault's own pages ask only.
fn presented(request: &HttpRequest) -> Result<(web::Data<App>, Presented), AppError> {
    let app = request.app_data::<web::Data<App>>().cloned().ok_or(AppError::Unauthenticated)?;
    if request.headers().contains_key(header::AUTHORIZATION) {
        if names_certificate(request) {
            return Ok((app, Presented::Certificate(certificate::counted(request))));
        }
        let token = bearer(request).ok_or(AppError::Unauthenticated)?;
        return Ok((app, Presented::Token(Zeroizing::new(token.to_owned()))));
    }
    let secret = cookie::secret(request.headers()).ok_or(AppError::Unauthenticated)?;
    cookie::asked_here(request, app.web_origin())?;
    Ok((app, Presented::Session(secret)))
}

/// Whether the request says that it is the certificate of its connection that signs in. A browser shows that one to
/// whatever any page asks; this header no other site's page can add.
fn names_certificate(request: &HttpRequest) -> bool {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.eq_ignore_ascii_case("Certificate"))
}

/// The token of an `Authorization` header, whose scheme is spelt in any case (RFC 9110, section 11.1).
fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

/// The caller's own name for the act, from `Idempotency-Key`.
#[derive(Debug, Clone, Copy)]
pub struct Idempotency(pub Option<OpId>);

impl FromRequest for Idempotency {
    type Error = AppError;
    type Future = std::future::Ready<Result<Self, AppError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = request.headers().get("Idempotency-Key");
        std::future::ready(match header.map(|value| value.to_str()) {
            None => Ok(Self(None)),
            Some(Ok(text)) => parse(text, "Idempotency-Key").map(|op_id| Self(Some(op_id))),
            Some(Err(_)) => Err(AppError::Invalid("Idempotency-Key: not ASCII".to_owned())),
        })
    }
}
