//! The API: thin handlers that extract, make one call to the application, and answer.

pub mod cases;
pub mod content;
pub mod disposals;
pub mod log;
pub mod people;
pub mod productions;
pub mod scrub;
pub mod sealing;
pub mod statements;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::AppError;

/// What a handler returns.
pub type Answer = Result<HttpResponse, AppError>;

/// 200 with JSON that no cache keeps.
pub fn ok<T: Serialize>(body: T) -> HttpResponse {
    answer(StatusCode::OK, body)
}

/// 201 with JSON that no cache keeps.
pub fn created<T: Serialize>(body: T) -> HttpResponse {
    answer(StatusCode::CREATED, body)
}

fn answer<T: Serialize>(status: StatusCode, body: T) -> HttpResponse {
    HttpResponse::build(status).insert_header(("Cache-Control", "no-store")).json(body)
}

/// Where a page starts and how long it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// From the answer before.
    pub cursor: Option<String>,
    /// At most 200; 50 when absent.
    pub limit: Option<u32>,
}

impl Page {
    /// Rows in this page.
    pub fn limit(&self) -> Result<u32, AppError> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=200 => Ok(limit),
            _ => Err(AppError::Invalid("limit: 1 to 200".to_owned())),
        }
    }
}
