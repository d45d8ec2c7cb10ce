//! Scrubbing.

use actix_web::web::{Data, Json};
use actix_web::{get, post};

use super::{Answer, created, ok};
use crate::api;
use crate::app::App;
use crate::http::auth::Person;

/// Begins to read and compare everything that is stored; answers with the scrub that runs, if one does.
#[utoipa::path(request_body = api::NewScrub, responses((status = 201, body = api::Scrub)))]
#[post("/api/v1/scrub")]
pub(crate) async fn start(app: Data<App>, who: Person, body: Json<api::NewScrub>) -> Answer {
    Ok(created(app.into_inner().start_scrub(who.0.person, &body).await?))
}

/// How far it is, or what the last one found.
#[utoipa::path(responses((status = 200, body = api::Scrub)))]
#[get("/api/v1/scrub")]
pub(crate) async fn state(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.scrub_state(who.0.person).await?))
}
