//! Errors on the wire: RFC 9457 problems from one table of codes.
//!
//! A code is never renamed. What a client sees is the rule and the remedy; causes go to the log under the request id.

use actix_web::error::JsonPayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::problems::row;
use crate::api::Problem;
use crate::app::AppError;

/// When an upload that found no room is worth another try.
const BUSY_SECONDS: u32 = 10;

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(row(self.code()).1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        problem(self, &request_id())
    }
}

/// Builds the answer, and logs what happened inside with its causes.
fn problem(error: &AppError, request_id: &str) -> HttpResponse {
    let (code, status, title, remedy) = row(error.code());
    let detail = if let AppError::Internal { context, source } = error {
        tracing::error!(request_id, error = %chain(source.as_ref()), "{context} failed");
        "the cause is in the server's log under the request id".to_owned()
    } else {
        error.to_string()
    };
    let body = Problem {
        kind: format!("https://custos.invalid/errors/{code}"),
        title: title.to_owned(),
        status,
        code: code.to_owned(),
        detail,
        remedy: remedy.to_owned(),
        request_id: request_id.to_owned(),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type("application/problem+json");
    match error {
        AppError::Range(size) => response.insert_header((header::CONTENT_RANGE, format!("bytes */{size}"))),
        AppError::TooMany(seconds) => response.insert_header((header::RETRY_AFTER, seconds.to_string())),
        AppError::Busy => response.insert_header((header::RETRY_AFTER, BUSY_SECONDS)),
        AppError::Method(allowed) => response.insert_header((header::ALLOW, allowed.as_str())),
        AppError::Unauthenticated | AppError::SignInFailed => {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"custos\""))
        }
        _ => &mut response,
    };
    response.json(body)
}

/// Malformed JSON: the same shape of answer as everything else.
pub fn malformed_json(error: &JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let invalid = |text: &str| AppError::Invalid(text.to_owned());
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            AppError::TooLarge.into()
        }
        JsonPayloadError::ContentType => invalid("send JSON with `Content-Type: application/json`").into(),
        JsonPayloadError::Deserialize(error) => {
            AppError::Invalid(format!("JSON: {}", without_values(&error.to_string()))).into()
        }
        _ => invalid("the body ended early or cannot be read").into(),
    }
}

/// Malformed path or query.
pub fn malformed(error: &dyn std::fmt::Display, _: &HttpRequest) -> actix_web::Error {
    AppError::Invalid(format!("address: {}", without_values(&error.to_string()))).into()
}

/// What a parser says without what it quotes: names and values in a request may be personal and belong in no answer,
/// which proxies and browsers keep.
fn without_values(text: &str) -> String {
    if text.starts_with("missing field") {
        return text.to_owned();
    }
    let quoted = text.rsplit_once(", expected ").map(|(_, expected)| format!("expected {expected}"));
    let place = || text.rsplit_once(" at line ").map(|(_, place)| format!("malformed at line {place}"));
    quoted.or_else(place).unwrap_or_else(|| "a name or a value that does not fit".to_owned())
}

fn request_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_said_is_not_repeated() {
        let error = serde_json::from_str::<u32>("\"Asha, expected x\"").unwrap_err().to_string();
        assert!(error.contains("Asha"), "{error}");
        assert_eq!(without_values(&error), "expected u32 at line 1 column 18");
        assert_eq!(without_values("missing field `title` at line 1"), "missing field `title` at line 1");
        assert_eq!(without_values("unknown field `Asha`"), "a name or a value that does not fit");
    }

    #[test]
    fn whoever_is_to_come_again_is_told_when() {
        for (error, status) in [(AppError::Busy, 503), (AppError::TooMany(7), 429)] {
            let answer = error.error_response();
            assert_eq!(answer.status(), status);
            let seconds: u32 =
                answer.headers().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
            assert!(seconds > 0);
        }
    }

    #[test]
    fn every_code_has_one_row() {
        let mut codes: Vec<_> = crate::http::problems::TABLE.iter().map(|row| row.0).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(row("stale").1, 409);
    }
}
