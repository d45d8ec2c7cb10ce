//! Restricted content produced to courts. Proposing, approving, declining and sealing are statements.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{get, post};

use super::content::Access;
use super::{Answer, created, ok};
use crate::api;
use crate::app::{App, parse};
use crate::http::auth::Person;

/// What is to be produced of an item, or was.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Productions)))]
#[get("/api/v1/items/{id}/productions")]
pub(crate) async fn productions(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.productions(who.0.person, parse(&id, "id")?).await?))
}

/// Keeps the persons' half of the key, sealed to the court, and the vault's half beside it.
#[utoipa::path(params(("id" = String, Path), ("proposal" = String, Path), ("access" = String, Query)), request_body = api::NewProducedHalf, responses((status = 201, body = api::Produced)))]
#[post("/api/v1/items/{id}/productions/{proposal}/half")]
pub(crate) async fn produce(
    app: Data<App>,
    who: Person,
    path: Path<(String, String)>,
    query: Query<Access>,
    body: Json<api::NewProducedHalf>,
) -> Answer {
    let (id, proposal) = path.into_inner();
    let sent = (query.access(), body.into_inner());
    Ok(created(Box::pin(app.produce(who.0.person, parse(&id, "id")?, &proposal, sent)).await?))
}
