//! Who asks: extractors. A handler that names one in its arguments cannot run without it.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use custody::id::OpId;
use zeroize::Zeroizing;

use crate::app::{App, AppError, SignedIn, parse};

/// A person signed in by API token.
#[derive(Debug, Clone)]
pub struct Person(pub SignedIn);

impl FromRequest for Person {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, AppError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let presented = presented(request);
        Box::pin(async move {
            let (app, token) = presented.ok_or(AppError::Unauthenticated)?;
            app.sign_in(&token).await.map(Self)
        })
    }
}

/// A person signed in by API token, or somebody whose key still waits for its voucher.
#[derive(Debug, Clone)]
pub struct Newcomer(pub SignedIn);

impl FromRequest for Newcomer {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, AppError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let presented = presented(request);
        Box::pin(async move {
            let (app, token) = presented.ok_or(AppError::Unauthenticated)?;
            app.recognise(&token).await.map(Self)
        })
    }
}

/// The service, and the token of a request that has one.
fn presented(request: &HttpRequest) -> Option<(web::Data<App>, Zeroizing<String>)> {
    let app = request.app_data::<web::Data<App>>().cloned();
    app.zip(bearer(request).map(|token| Zeroizing::new(token.to_owned())))
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
