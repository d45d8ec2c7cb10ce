//! Restricted items: what two persons need to open them together, and sealing them anew.

use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{HttpResponse, get, post, put};
use serde::Deserialize;

use super::content::evidence_headers;
use super::statements::opening;
use super::{Answer, created, ok};
use crate::api;
use crate::app::{App, Opening, parse};
use crate::http::auth::Person;

/// Under which grant, and through which halves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Under {
    access: Option<String>,
    reseal: Option<String>,
    half: Option<bool>,
}

impl Under {
    fn opening(&self) -> Opening<'_> {
        Opening {
            access: self.access.as_deref(),
            reseal: self.reseal.as_deref(),
            without_half: self.half == Some(false),
        }
    }
}

/// What the signed-in person needs to open a restricted item together with the one whom their grant names.
#[utoipa::path(params(("id" = String, Path), ("access" = String, Query), ("reseal" = Option<String>, Query), ("half" = Option<bool>, Query)), responses((status = 200, body = api::Halves)))]
#[get("/api/v1/items/{id}/halves")]
pub(crate) async fn halves(app: Data<App>, who: Person, id: Path<String>, query: Query<Under>) -> Answer {
    Ok(ok(Box::pin(app.halves(who.0.person, parse(&id, "id")?, query.opening())).await?))
}

/// Keeps, for the other whom the person's grant names, what was in the outer file.
#[utoipa::path(params(("id" = String, Path), ("access" = String, Query), ("reseal" = Option<String>, Query)), request_body = api::NewContribution, responses((status = 204)))]
#[put("/api/v1/items/{id}/contribution")]
pub(crate) async fn contribute(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    query: Query<Under>,
    body: Json<api::NewContribution>,
) -> Answer {
    let contributed = body.into_inner();
    Box::pin(app.contribute(who.0.person, parse(&id, "id")?, query.opening(), contributed)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The ciphertext of a restricted item, for somebody who is opening it.
#[utoipa::path(params(("id" = String, Path), ("access" = String, Query)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
#[get("/api/v1/items/{id}/sealed-content")]
pub(crate) async fn sealed_content(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    query: Query<Under>,
) -> Answer {
    let (size, stream) =
        Box::pin(app.sealed_content(who.0.person, parse(&id, "id")?, query.opening())).await?;
    let mut response = HttpResponse::Ok();
    evidence_headers(&mut response);
    Ok(response.no_chunking(size).streaming(stream))
}

/// Takes an item's content as its sender sealed it: one line of JSON, then the object.
#[utoipa::path(params(("id" = String, Path)), request_body(content = Vec<u8>, content_type = "application/vnd.custos.sealed"), responses((status = 201, body = api::Stored)))]
#[put("/api/v1/items/{id}/sealed-content")]
pub(crate) async fn receive_sealed(app: Data<App>, who: Person, id: Path<String>, body: Payload) -> Answer {
    Ok(created(Box::pin(app.receive_sealed(who.0.person, parse(&id, "id")?, body)).await?))
}

/// To what is sealed for some pairs, for whoever seals on a device of their own.
#[utoipa::path(params(("id" = String, Path)), request_body = api::Sealing, responses((status = 200, body = api::Recipients)))]
#[post("/api/v1/cases/{id}/recipients")]
pub(crate) async fn recipients(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    body: Json<api::Sealing>,
) -> Answer {
    Ok(ok(app.recipients(who.0.person, parse(&id, "id")?, &body).await?))
}

/// Keeps a restricted item's new halves, sealed to other pairs, until somebody else confirms them.
#[utoipa::path(params(("id" = String, Path)), request_body = api::NewResealing, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/items/{id}/resealing")]
pub(crate) async fn reseal(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    body: Json<api::NewResealing>,
) -> Answer {
    let api::NewResealing { signed, mask, halves: sealed } = body.into_inner();
    let openings = signed.openings.into_iter().map(opening).collect::<Result<_, _>>()?;
    let said = (signed.envelope.0, openings);
    Ok(created(app.reseal(who.0.person, parse(&id, "id")?, said, (&mask, sealed)).await?))
}
