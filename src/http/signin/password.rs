//! Routes of passwords and second factors.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};

use super::cookie;
use super::session::opened;
use crate::api;
use crate::app::{App, Where};
use crate::http::api::{Answer, created, ok};
use crate::http::auth::Person;
use crate::http::limit::client;

/// Signs in by name, password and second factor. Whatever is wrong, the answer is the same.
#[utoipa::path(request_body = api::PasswordSignIn, responses((status = 201, body = api::Session)), security(()))]
#[post("/api/v1/sign-in/password")]
pub(crate) async fn sign_in(app: Data<App>, request: HttpRequest, body: Json<api::PasswordSignIn>) -> Answer {
    cookie::not_from_elsewhere(&request, app.web_origin())?;
    let at = Where {
        address: request.peer_addr().map(|peer| client(peer.ip())),
        device: cookie::device(request.headers()),
    };
    Ok(opened(StatusCode::CREATED, app.sign_in_by_password(&body, &at).await?))
}

/// What one can sign in with.
#[utoipa::path(responses((status = 200, body = api::Credentials)))]
#[get("/api/v1/credentials")]
pub(crate) async fn credentials(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.credentials(who.0.person).await?))
}

/// Begins to set up a device that gives codes; its secret is shown once.
#[utoipa::path(responses((status = 201, body = api::NewCodes)))]
#[post("/api/v1/codes")]
pub(crate) async fn codes(app: Data<App>, who: Person) -> Answer {
    Ok(created(app.begin_codes(&who.0).await?))
}

/// Sets the password, with a device or keeping the one before.
#[utoipa::path(request_body = api::NewPassword, responses((status = 200, body = api::PasswordSet)))]
#[put("/api/v1/password")]
pub(crate) async fn set(app: Data<App>, who: Person, body: Json<api::NewPassword>) -> Answer {
    Ok(ok(app.set_password(&who.0, &body).await?))
}

/// Removes password, device and recovery codes.
#[utoipa::path(responses((status = 204)))]
#[delete("/api/v1/password")]
pub(crate) async fn remove(app: Data<App>, who: Person) -> Answer {
    app.remove_password(&who.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// New recovery codes; all earlier ones end.
#[utoipa::path(responses((status = 201, body = api::PasswordSet)))]
#[post("/api/v1/recovery-codes")]
pub(crate) async fn recovery_codes(app: Data<App>, who: Person) -> Answer {
    Ok(created(app.new_recovery_codes(&who.0).await?))
}
