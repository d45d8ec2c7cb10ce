//! Routes of sessions.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, post};

use super::cookie;
use crate::api;
use crate::app::{App, Opened, parse};
use crate::http::api::{Answer, ok};
use crate::http::auth::Person;

/// Opens a session with an API token; its secret is in the cookie. It ends with the token.
#[utoipa::path(request_body = api::NewSession, responses((status = 201, body = api::Session)))]
#[post("/api/v1/session")]
pub(crate) async fn open(app: Data<App>, who: Person, body: Json<api::NewSession>) -> Answer {
    Ok(opened(StatusCode::CREATED, app.open_session(&who.0, &body).await?))
}

/// A session as it is answered: its secrets are in cookies only.
pub(super) fn opened(status: StatusCode, opened: Opened) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header(("Cache-Control", "no-store")).append_header(cookie::set(&opened.secret));
    if let Some(device) = &opened.device {
        response.append_header(cookie::know(device));
    }
    response.json(opened.session)
}

/// Shows a second factor: the session goes on under a new secret and may do sensitive acts for some minutes.
#[utoipa::path(request_body = api::Factor, responses((status = 200, body = api::Session)))]
#[post("/api/v1/session/confirm")]
pub(crate) async fn confirm(app: Data<App>, who: Person, body: Json<api::Factor>) -> Answer {
    Ok(opened(StatusCode::OK, app.confirm_session(&who.0, &body).await?))
}

/// The session that this is asked with.
#[utoipa::path(responses((status = 200, body = api::Session)))]
#[get("/api/v1/session")]
pub(crate) async fn current(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.session(&who.0).await?))
}

/// Signs out.
#[utoipa::path(responses((status = 204)))]
#[delete("/api/v1/session")]
pub(crate) async fn sign_out(app: Data<App>, who: Person) -> Answer {
    app.sign_out(&who.0).await?;
    Ok(HttpResponse::NoContent().insert_header(cookie::forget()).finish())
}

/// One's own sessions, also those that are over, for a month.
#[utoipa::path(responses((status = 200, body = api::Sessions)))]
#[get("/api/v1/sessions")]
pub(crate) async fn list(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.sessions(&who.0).await?))
}

/// Ends all of one's own sessions but the one that this is asked with.
#[utoipa::path(responses((status = 204)))]
#[delete("/api/v1/sessions")]
pub(crate) async fn end_others(app: Data<App>, who: Person) -> Answer {
    app.end_other_sessions(&who.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends one of one's own sessions.
#[utoipa::path(params(("id" = String, Path)), responses((status = 204)))]
#[delete("/api/v1/sessions/{id}")]
pub(crate) async fn end(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    app.end_session(&who.0, parse(&id, "id")?).await?;
    Ok(HttpResponse::NoContent().finish())
}
