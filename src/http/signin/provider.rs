//! Routes of outside providers.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};

use super::cookie;
use super::session::opened;
use crate::api;
use crate::app::{App, parse};
use crate::http::api::{Answer, created, ok};
use crate::http::auth::Person;

/// The providers by which one may sign in here.
#[utoipa::path(responses((status = 200, body = api::Providers)), security(()))]
#[get("/api/v1/sign-in/providers")]
pub(crate) async fn providers(app: Data<App>) -> Answer {
    Ok(ok(app.providers()))
}

/// Where to send the browser, to sign in.
#[utoipa::path(
    request_body = api::AskProvider,
    responses((status = 200, body = api::ProviderRequest)),
    security(())
)]
#[post("/api/v1/sign-in/provider/prepare")]
pub(crate) async fn ask_provider(
    app: Data<App>,
    request: HttpRequest,
    body: Json<api::AskProvider>,
) -> Answer {
    cookie::not_from_elsewhere(&request, app.web_origin())?;
    Ok(ok(app.ask_provider(&body).await?))
}

/// Signs in with what the browser came back with. Whatever is wrong, the answer is the same.
#[utoipa::path(request_body = api::ProviderSignIn, responses((status = 201, body = api::Session)), security(()))]
#[post("/api/v1/sign-in/provider")]
pub(crate) async fn sign_in_by_provider(
    app: Data<App>,
    request: HttpRequest,
    body: Json<api::ProviderSignIn>,
) -> Answer {
    cookie::not_from_elsewhere(&request, app.web_origin())?;
    Ok(opened(StatusCode::CREATED, app.sign_in_by_provider(&body).await?))
}

/// Where to send the browser, to link whoever signs in there to oneself.
#[utoipa::path(request_body = api::AskProvider, responses((status = 200, body = api::ProviderRequest)))]
#[post("/api/v1/provider-links/prepare")]
pub(crate) async fn prepare_link(app: Data<App>, who: Person, body: Json<api::AskProvider>) -> Answer {
    Ok(ok(app.begin_link(&who.0, &body).await?))
}

/// Links whoever came back from the provider to oneself.
#[utoipa::path(request_body = api::NewProviderLink, responses((status = 201, body = api::ProviderLink)))]
#[post("/api/v1/provider-links")]
pub(crate) async fn add_link(app: Data<App>, who: Person, body: Json<api::NewProviderLink>) -> Answer {
    Ok(created(app.add_link(&who.0, &body).await?))
}

/// Removes one of one's own links.
#[utoipa::path(params(("id" = String, Path)), responses((status = 204)))]
#[delete("/api/v1/provider-links/{id}")]
pub(crate) async fn remove_link(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    app.remove_link(&who.0, parse(&id, "id")?).await?;
    Ok(HttpResponse::NoContent().finish())
}
