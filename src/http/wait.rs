//! `?wait=witnessed` on any write: the answer's receipts come with a checkpoint that witnesses cosigned.

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::web::Data;
use serde_json::Value;

use crate::app::{App, AppError};

/// Exchanges the receipts of an answer that asked to wait. The act was recorded before: whatever fails here, the
/// receipts it has are sent.
pub(super) async fn for_witnesses(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let write = matches!(*request.method(), Method::POST | Method::PUT | Method::DELETE);
    let mut asked = request.query_string().split('&').filter_map(|pair| pair.strip_prefix("wait="));
    let wait = asked.next_back().filter(|_| write).map(|wait| wait == "witnessed");
    if wait == Some(false) {
        return Err(AppError::Invalid("wait: `witnessed`, or leave it out".to_owned()).into());
    }
    let app = request.app_data::<Data<App>>().cloned();
    let response = next.call(request).await?.map_into_boxed_body();
    let (Some(app), Some(true), true) = (app, wait, response.status().is_success()) else {
        return Ok(response);
    };
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let body =
        to_bytes(body).await.map_err(|error| AppError::internal("reading an answer")(error.to_string()))?;
    let body = match exchanged(&app, &body).await {
        Ok(Some(body)) => body,
        Ok(None) => body.to_vec(),
        Err(error) => {
            tracing::error!(code = error.code(), "receipts could not be exchanged for witnessed ones");
            body.to_vec()
        }
    };
    let mut response = head.set_body(BoxBody::new(body));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(ServiceResponse::new(request, response))
}

/// The answer with other receipts; nothing if it has none.
async fn exchanged(app: &App, body: &[u8]) -> Result<Option<Vec<u8>>, AppError> {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(body) else { return Ok(None) };
    let Some(receipts) = answer.get("receipts").cloned() else { return Ok(None) };
    let receipts = serde_json::from_value(receipts).map_err(AppError::internal("reading receipts"))?;
    let receipts = app.witnessed(receipts).await?;
    let receipts = serde_json::to_value(receipts).map_err(AppError::internal("writing receipts"))?;
    answer.insert("receipts".to_owned(), receipts);
    Ok(Some(serde_json::to_vec(&answer).map_err(AppError::internal("writing an answer"))?))
}
