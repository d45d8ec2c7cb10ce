//! Holds, disposals and certificates of destruction. Placing, proposing and approving are statements.

use actix_web::get;
use actix_web::web::{Data, Path, Query};

use super::{Answer, Page, ok};
use crate::api;
use crate::app::{App, parse, parse_opt};
use crate::http::auth::Person;

/// A case's holds.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Holds)))]
#[get("/api/v1/cases/{id}/holds")]
pub(crate) async fn holds(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.holds(who.0.person, parse(&id, "id")?).await?))
}

/// What is to be destroyed in a case, or was.
#[utoipa::path(params(("id" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Disposals)))]
#[get("/api/v1/cases/{id}/disposals")]
pub(crate) async fn disposals(app: Data<App>, who: Person, id: Path<String>, page: Query<Page>) -> Answer {
    let after = parse_opt(page.cursor.as_deref(), "cursor")?.unwrap_or(0);
    Ok(ok(app.disposals(who.0.person, parse(&id, "id")?, after, page.limit()?).await?))
}

/// What is to be destroyed of the values about a person, or was.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Disposals)))]
#[get("/api/v1/persons/{id}/disposals")]
pub(crate) async fn person_disposals(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.disposals_about(who.0.person, parse(&id, "id")?).await?))
}

/// One disposal, by the hash of its proposal's record.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::DisposalInfo)))]
#[get("/api/v1/disposals/{id}")]
pub(crate) async fn disposal(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.disposal(who.0.person, parse(&id, "id")?).await?))
}

/// The certificate of a disposal that was carried out.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::DestructionCertificate)))]
#[get("/api/v1/disposals/{id}/certificate")]
pub(crate) async fn certificate(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.certificate(who.0.person, parse(&id, "id")?).await?))
}
