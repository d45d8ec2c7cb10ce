//! Organisations, persons, invitations, keys and tokens.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, post, put};
use custody::kind::Kind;
use custody::record::Sequence;

use super::{Answer, Page, created, ok};
use crate::api;
use crate::app::{App, AppError, parse, parse_opt};
use crate::http::auth::{Idempotency, Newcomer, Person};

/// The signed-in person; answered also while their key waits for its voucher.
#[utoipa::path(responses((status = 200, body = api::Me)))]
#[get("/api/v1/me")]
pub(crate) async fn me(app: Data<App>, who: Newcomer) -> Answer {
    Ok(ok(app.me(&who.0).await?))
}

/// Enters an organisation.
#[utoipa::path(request_body = api::NewOrg, responses((status = 201, body = api::Created)))]
#[post("/api/v1/orgs")]
pub(crate) async fn new_org(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    body: Json<api::NewOrg>,
) -> Answer {
    Ok(created(app.register_org(who.0.person, body.into_inner().name, key.0).await?))
}

/// All organisations.
#[utoipa::path(responses((status = 200, body = api::Orgs)))]
#[get("/api/v1/orgs")]
pub(crate) async fn orgs(app: Data<App>, _who: Person) -> Answer {
    Ok(ok(app.orgs().await?))
}

/// Enters a person.
#[utoipa::path(request_body = api::NewPerson, responses((status = 201, body = api::Created)))]
#[post("/api/v1/persons")]
pub(crate) async fn new_person(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    body: Json<api::NewPerson>,
) -> Answer {
    if !body.roles.is_empty() {
        app.confirmed_to_say(&who.0, Kind::RoleGranted).await?;
    }
    Ok(created(app.register_person(who.0.person, body.into_inner(), key.0).await?))
}

/// All persons.
#[utoipa::path(responses((status = 200, body = api::Persons)))]
#[get("/api/v1/persons")]
pub(crate) async fn persons(app: Data<App>, _who: Person) -> Answer {
    Ok(ok(app.persons().await?))
}

/// One person.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, body = api::Person)))]
#[get("/api/v1/persons/{id}")]
pub(crate) async fn person(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    Ok(ok(app.person(who.0.person, parse(&id, "id")?).await?))
}

/// Grants a role in the vault.
#[utoipa::path(params(("id" = String, Path)), request_body = api::RoleName, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/persons/{id}/roles")]
pub(crate) async fn grant_role(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::RoleName>,
) -> Answer {
    app.confirmed_to_say(&who.0, Kind::RoleGranted).await?;
    Ok(created(app.grant_role(who.0.person, parse(&id, "id")?, &body, key.0).await?))
}

/// Revokes a role in the vault.
#[utoipa::path(params(("id" = String, Path), ("role" = String, Path)), responses((status = 200, body = api::Recorded)))]
#[delete("/api/v1/persons/{id}/roles/{role}")]
pub(crate) async fn revoke_role(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    path: Path<(String, String)>,
) -> Answer {
    let (id, role) = path.into_inner();
    Ok(ok(app.revoke_role(who.0.person, parse(&id, "id")?, &role, key.0).await?))
}

/// Invites a registered person.
#[utoipa::path(request_body = api::NewInvitation, responses((status = 201, body = api::Invitation)))]
#[post("/api/v1/invitations")]
pub(crate) async fn invite(app: Data<App>, who: Person, body: Json<api::NewInvitation>) -> Answer {
    app.confirmed(&who.0, "invite").await?;
    Ok(created(app.invite(who.0.person, &body).await?))
}

/// The enrolment that an invited person's new key signs. No sign-in: the code is the right.
#[utoipa::path(request_body = api::RedeemPrepare, responses((status = 200, body = api::Prepared)), security(()))]
#[post("/api/v1/invitations/prepare")]
pub(crate) async fn prepare_redemption(app: Data<App>, body: Json<api::RedeemPrepare>) -> Answer {
    Ok(ok(app.prepare_redemption(&body).await?))
}

/// Redeems an invitation. No sign-in: the code is the right.
#[utoipa::path(request_body = api::Redeem, responses((status = 201, body = api::Redeemed)), security(()))]
#[post("/api/v1/invitations/redeem")]
pub(crate) async fn redeem(app: Data<App>, body: Json<api::Redeem>) -> Answer {
    Ok(created(app.redeem(body.into_inner()).await?))
}

/// Enrolments that wait for the signed-in person's signature.
#[utoipa::path(responses((status = 200, body = api::Enrolments)))]
#[get("/api/v1/enrolments")]
pub(crate) async fn enrolments(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.enrolments(who.0.person).await?))
}

/// The voucher signs.
#[utoipa::path(params(("id" = String, Path)), request_body = api::Approve, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/enrolments/{id}/approve")]
pub(crate) async fn approve(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    body: Json<api::Approve>,
) -> Answer {
    Ok(created(app.approve(who.0.person, parse(&id, "id")?, &body).await?))
}

/// The enrolment of a further key of one's own, or of the first registrar's first.
#[utoipa::path(request_body = api::KeyPrepare, responses((status = 200, body = api::Prepared)))]
#[post("/api/v1/keys/prepare")]
pub(crate) async fn prepare_key(app: Data<App>, who: Person, body: Json<api::KeyPrepare>) -> Answer {
    Ok(ok(app.prepare_key(who.0.person, &body).await?))
}

/// Enrols it.
#[utoipa::path(request_body = api::NewKey, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/keys")]
pub(crate) async fn add_key(app: Data<App>, who: Person, body: Json<api::NewKey>) -> Answer {
    app.confirmed_to_say(&who.0, Kind::KeyEnrolled).await?;
    Ok(created(app.add_key(who.0.person, &body).await?))
}

/// Names a key of one's own.
#[utoipa::path(params(("hash" = String, Path)), request_body = api::KeyName, responses((status = 200, body = api::KeyName)))]
#[put("/api/v1/keys/{hash}/name")]
pub(crate) async fn name_key(
    app: Data<App>,
    who: Person,
    hash: Path<String>,
    body: Json<api::KeyName>,
) -> Answer {
    Ok(ok(app.name_key(who.0.person, parse(&hash, "hash")?, &body).await?))
}

/// Revokes a key.
#[utoipa::path(params(("hash" = String, Path)), responses((status = 200, body = api::Recorded)))]
#[post("/api/v1/keys/{hash}/revoke")]
pub(crate) async fn revoke_key(app: Data<App>, who: Person, key: Idempotency, hash: Path<String>) -> Answer {
    Ok(ok(app.revoke_key(who.0.person, parse(&hash, "hash")?, key.0).await?))
}

/// A further token of one's own; it ends no later than the one this is asked with.
#[utoipa::path(request_body = api::NewToken, responses((status = 201, body = api::Token)))]
#[post("/api/v1/tokens")]
pub(crate) async fn new_token(app: Data<App>, who: Person, body: Json<api::NewToken>) -> Answer {
    Ok(created(app.new_token(&who.0, &body).await?))
}

/// One's own tokens.
#[utoipa::path(responses((status = 200, body = api::Tokens)))]
#[get("/api/v1/tokens")]
pub(crate) async fn tokens(app: Data<App>, who: Person) -> Answer {
    Ok(ok(app.tokens(who.0.person).await?))
}

/// Ends one of one's own tokens.
#[utoipa::path(params(("id" = String, Path)), responses((status = 204)))]
#[delete("/api/v1/tokens/{id}")]
pub(crate) async fn revoke_token(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    app.revoke_token(who.0.person, parse(&id, "id")?).await?;
    Ok(actix_web::HttpResponse::NoContent().finish())
}

/// Ends all tokens, sessions and ways to sign in of a person, their open invitations and waiting enrolments: one's own, or
/// as registrar or administrator anybody's.
#[utoipa::path(params(("id" = String, Path)), responses((status = 204)))]
#[delete("/api/v1/persons/{id}/tokens")]
pub(crate) async fn end_tokens(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    app.end_tokens(&who.0, parse(&id, "id")?).await?;
    Ok(actix_web::HttpResponse::NoContent().finish())
}

/// The records of the vault's stream (`vault`), of the refusals of those who are no members (`refusals`), or of a person
/// (`person:<id>`), for auditors.
#[utoipa::path(params(("stream" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = api::Custody)))]
#[get("/api/v1/audit/{stream}")]
pub(crate) async fn audit(app: Data<App>, who: Person, stream: Path<String>, page: Query<Page>) -> Answer {
    let of: Sequence = parse(&stream, "stream")?;
    if matches!(of, Sequence::Case(_) | Sequence::Item(_)) {
        return Err(AppError::Invalid("stream: vault, refusals or person:<id>".to_owned()));
    }
    let after = parse_opt(page.cursor.as_deref(), "cursor")?.unwrap_or(0);
    Ok(ok(app.custody(who.0.person, of, after, page.limit()?).await?))
}
