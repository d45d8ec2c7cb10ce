//! Routes of passkeys.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, post};

use super::cookie;
use super::session::opened;
use crate::api;
use crate::app::{App, parse};
use crate::http::api::{Answer, created, ok};
use crate::http::auth::Person;

/// Begins to make a passkey.
#[utoipa::path(responses((status = 200, body = api::PasskeyRequest)))]
#[post("/api/v1/passkeys/prepare")]
pub(crate) async fn prepare_passkey(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.begin_passkey(&who.0).await?))
}

/// Takes the passkey that the authenticator made.
#[utoipa::path(request_body = api::NewPasskey, responses((status = 201, body = api::PasskeyInfo)))]
#[post("/api/v1/passkeys")]
pub(crate) async fn add_passkey(app: Data<App>, who: Person, body: Json<api::NewPasskey>) -> Answer {
    Ok(created(app.add_passkey(&who.0, &body).await?))
}

/// Removes one of one's own passkeys.
#[utoipa::path(params(("id" = String, Path)), responses((status = 204)))]
#[delete("/api/v1/passkeys/{id}")]
pub(crate) async fn remove_passkey(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    app.remove_passkey(&who.0, parse(&id, "id")?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What to ask an authenticator for, to sign in.
#[utoipa::path(responses((status = 200, body = api::PasskeyRequest)), security(()))]
#[post("/api/v1/sign-in/passkey/prepare")]
pub(crate) async fn ask_for_passkey(app: Data<App>) -> Answer {
    Ok(ok(app.ask_for_passkey().await?))
}

/// Signs in with a passkey. Whatever is wrong, the answer is the same, but for whoever shows the key itself and counts
/// backwards.
#[utoipa::path(request_body = api::PasskeySignIn, responses((status = 201, body = api::Session)), security(()))]
#[post("/api/v1/sign-in/passkey")]
pub(crate) async fn sign_in_by_passkey(
    app: Data<App>,
    request: HttpRequest,
    body: Json<api::PasskeySignIn>,
) -> Answer {
    cookie::not_from_elsewhere(&request, app.web_origin())?;
    Ok(opened(StatusCode::CREATED, app.sign_in_by_passkey(&body).await?))
}

/// What to ask an authenticator for, to confirm the session that this is asked with.
#[utoipa::path(responses((status = 200, body = api::PasskeyRequest)))]
#[post("/api/v1/session/confirm/passkey/prepare")]
pub(crate) async fn ask_to_confirm(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.ask_to_confirm(&who.0).await?))
}

/// Shows a passkey: the session goes on under a new secret and may do sensitive acts for some minutes.
#[utoipa::path(request_body = api::PasskeyProof, responses((status = 200, body = api::Session)))]
#[post("/api/v1/session/confirm/passkey")]
pub(crate) async fn confirm_by_passkey(app: Data<App>, who: Person, body: Json<api::PasskeyProof>) -> Answer {
    Ok(opened(StatusCode::OK, app.confirm_by_passkey(&who.0, &body).await?))
}
