//! Cases, members, items, custody, transfers and exports.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, post};
use custody::act::{MemberAdded, MemberChange};
use custody::kind::Kind;
use custody::record::Sequence;

use super::{Answer, Page, created, ok};
use crate::api;
use crate::app::{App, parse, parse_opt};
use crate::http::auth::{Idempotency, Person};

/// Opens a case.
#[utoipa::path(request_body = api::NewCase, responses((status = 201, body = api::Created)))]
#[post("/api/v1/cases")]
pub(crate) async fn open_case(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    body: Json<api::NewCase>,
) -> Answer {
    Ok(created(app.open_case(who.0.person, body.into_inner(), key.0).await?))
}

/// One's own cases.
#[utoipa::path(params(("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Cases)))]
#[get("/api/v1/cases")]
pub(crate) async fn cases(app: Data<App>, who: Person, page: Query<Page>) -> Answer {
    let after = parse_opt(page.cursor.as_deref(), "cursor")?;
    Ok(ok(app.cases(who.0.person, after, page.limit()?).await?))
}

/// One case.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Case)))]
#[get("/api/v1/cases/{id}")]
pub(crate) async fn case(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.case(who.0.person, parse(&id, "id")?).await?))
}

/// What to ask for when something comes into a case.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::IntakeForm)))]
#[get("/api/v1/cases/{id}/intake-form")]
pub(crate) async fn intake_form(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.intake_form(who.0.person, parse(&id, "id")?).await?))
}

/// Adds a member.
#[utoipa::path(params(("id" = String, Path)), request_body = api::NewMember, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/cases/{id}/members")]
pub(crate) async fn add_member(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::NewMember>,
) -> Answer {
    let added = MemberAdded {
        from: parse_opt(body.from.as_deref(), "from")?,
        member: parse(&body.person, "person")?,
        role: parse(&body.role, "role")?,
        until: parse_opt(body.until.as_deref(), "until")?,
    };
    app.confirmed_to_say(&who.0, Kind::MemberAdded).await?;
    Ok(created(app.add_member(who.0.person, parse(&id, "id")?, added, key.0).await?))
}

/// Removes a member's role.
#[utoipa::path(params(("id" = String, Path), ("person" = String, Path), ("role" = String, Path)), responses((status = 200, body = api::Recorded)))]
#[delete("/api/v1/cases/{id}/members/{person}/{role}")]
pub(crate) async fn remove_member(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    path: Path<(String, String, String)>,
) -> Answer {
    let (id, person, role) = path.into_inner();
    let removed = MemberChange { member: parse(&person, "person")?, role: parse(&role, "role")? };
    Ok(ok(app.remove_member(who.0.person, parse(&id, "id")?, removed, key.0).await?))
}

/// Changes a case's type, jurisdiction, title or references.
#[utoipa::path(params(("id" = String, Path)), request_body = api::CaseUpdate, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/cases/{id}/update")]
pub(crate) async fn update_case(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::CaseUpdate>,
) -> Answer {
    Ok(created(app.update_case(who.0.person, parse(&id, "id")?, body.into_inner(), key.0).await?))
}

/// Closes a case: nothing more is added to it.
#[utoipa::path(params(("id" = String, Path)), request_body = api::CaseTurn, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/cases/{id}/close")]
pub(crate) async fn close_case(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::CaseTurn>,
) -> Answer {
    Ok(created(app.turn_case(who.0.person, parse(&id, "id")?, true, body.into_inner(), key.0).await?))
}

/// Reopens a case.
#[utoipa::path(params(("id" = String, Path)), request_body = api::CaseTurn, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/cases/{id}/reopen")]
pub(crate) async fn reopen_case(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::CaseTurn>,
) -> Answer {
    Ok(created(app.turn_case(who.0.person, parse(&id, "id")?, false, body.into_inner(), key.0).await?))
}

/// A case's members.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Members)))]
#[get("/api/v1/cases/{id}/members")]
pub(crate) async fn members(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.members(who.0.person, parse(&id, "id")?).await?))
}

/// Registers an item.
#[utoipa::path(params(("id" = String, Path)), request_body = api::NewItem, responses((status = 201, body = api::Created)))]
#[post("/api/v1/cases/{id}/items")]
pub(crate) async fn register_item(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::NewItem>,
) -> Answer {
    Ok(created(app.register_item(who.0.person, parse(&id, "id")?, body.into_inner(), key.0).await?))
}

/// A case's items.
#[utoipa::path(params(("id" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Items)))]
#[get("/api/v1/cases/{id}/items")]
pub(crate) async fn items(app: Data<App>, who: Person, id: Path<String>, page: Query<Page>) -> Answer {
    let after = parse_opt(page.cursor.as_deref(), "cursor")?.unwrap_or(0);
    Ok(ok(app.items(who.0.person, parse(&id, "id")?, after, page.limit()?).await?))
}

/// Items of a case whose opened fields contain some words.
#[utoipa::path(params(("id" = String, Path)), request_body = api::Search, responses((status = 200, body = api::Items)))]
#[post("/api/v1/cases/{id}/items/search")]
pub(crate) async fn search(app: Data<App>, who: Person, id: Path<String>, body: Json<api::Search>) -> Answer {
    Ok(ok(app.search(who.0.person, parse(&id, "id")?, &body).await?))
}

/// The receipts of an item's registration and content, once more.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Recorded)))]
#[get("/api/v1/items/{id}/receipts")]
pub(crate) async fn intake_receipts(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.intake_receipts(who.0.person, parse(&id, "id")?).await?))
}

/// One item.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Item)))]
#[get("/api/v1/items/{id}")]
pub(crate) async fn item(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.item(who.0.person, parse(&id, "id")?).await?))
}

/// Changes an item's class.
#[utoipa::path(params(("id" = String, Path)), request_body = api::NewClass, responses((status = 200, body = api::Classified)))]
#[post("/api/v1/items/{id}/class")]
pub(crate) async fn classify(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::NewClass>,
) -> Answer {
    Ok(ok(app.classify(who.0.person, parse(&id, "id")?, &body, key.0).await?))
}

/// A case's custody.
#[utoipa::path(params(("id" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Custody)))]
#[get("/api/v1/cases/{id}/custody")]
pub(crate) async fn case_custody(app: Data<App>, who: Person, id: Path<String>, page: Query<Page>) -> Answer {
    custody(&app, &who, Sequence::Case(parse(&id, "id")?), &page).await
}

/// An item's custody.
#[utoipa::path(params(("id" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Custody)))]
#[get("/api/v1/items/{id}/custody")]
pub(crate) async fn item_custody(app: Data<App>, who: Person, id: Path<String>, page: Query<Page>) -> Answer {
    custody(&app, &who, Sequence::Item(parse(&id, "id")?), &page).await
}

async fn custody(app: &App, who: &Person, of: Sequence, page: &Page) -> Answer {
    let after = parse_opt(page.cursor.as_deref(), "cursor")?.unwrap_or(0);
    Ok(ok(app.custody(who.0.person, of, after, page.limit()?).await?))
}

/// Reads the stored bytes of an item once more and records whether they are the ones that were received.
#[utoipa::path(params(("id" = String, Path)), responses((status = 201, body = api::Fixity)))]
#[post("/api/v1/items/{id}/fixity")]
pub(crate) async fn fixity(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(created(app.check_item(who.0.person, parse(&id, "id")?).await?))
}

/// Offers that wait for the signed-in person.
#[utoipa::path(params(("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Transfers)))]
#[get("/api/v1/transfers")]
pub(crate) async fn transfers(app: Data<App>, who: Person, page: Query<Page>) -> Answer {
    let after = parse_opt(page.cursor.as_deref(), "cursor")?;
    Ok(ok(app.offered(who.0.person, after, page.limit()?).await?))
}

/// Readings of the case's items in an emergency.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Emergencies)))]
#[get("/api/v1/cases/{id}/emergencies")]
pub(crate) async fn emergencies(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.emergencies(who.0.person, parse(&id, "id")?).await?))
}

/// Records an export and lays out its bundle.
#[utoipa::path(params(("id" = String, Path)), request_body = api::NewExport, responses((status = 201, body = api::Export)))]
#[post("/api/v1/cases/{id}/exports")]
pub(crate) async fn export(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::NewExport>,
) -> Answer {
    app.confirmed_to_say(&who.0, Kind::BundleExported).await?;
    let app = app.into_inner();
    Ok(created(app.export(who.0.person, parse(&id, "id")?, body.into_inner(), key.0).await?))
}
