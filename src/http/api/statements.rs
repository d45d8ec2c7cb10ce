//! Statements: the one general write.

use actix_web::post;
use actix_web::web::{Data, Json};
use custody::commitment::FieldOpening;

use super::{Answer, created, ok};
use crate::api;
use crate::app::{App, AppError, Say, parse, parse_opt};
use crate::http::auth::{Idempotency, Person};

/// The exact bytes to sign, with the openings of their fields.
#[utoipa::path(request_body = api::Draft, responses((status = 200, body = api::Prepared)))]
#[post("/api/v1/statements/prepare")]
pub(crate) async fn prepare(app: Data<App>, who: Person, body: Json<api::Draft>) -> Answer {
    let draft = body.into_inner();
    let key = parse_opt(draft.actor_key.as_deref(), "actor_key")?;
    Ok(ok(app.prepare(who.0.person, key, Say::try_from(draft)?).await?))
}

/// A signed statement.
#[utoipa::path(request_body = api::Signed, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/statements")]
pub(crate) async fn submit(app: Data<App>, who: Person, body: Json<api::Signed>) -> Answer {
    let signed = body.into_inner();
    let openings = signed.openings.into_iter().map(opening).collect::<Result<_, _>>()?;
    Ok(created(app.record_signed(who.0.person, signed.envelope.0, openings).await?))
}

/// The vault signs on the person's behalf.
#[utoipa::path(request_body = api::Draft, responses((status = 201, body = api::Recorded)))]
#[post("/api/v1/statements/on-behalf")]
pub(crate) async fn on_behalf(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    body: Json<api::Draft>,
) -> Answer {
    let mut say = Say::try_from(body.into_inner())?;
    say.op_id = say.op_id.or(key.0);
    app.confirmed_to_say(&who.0, say.kind).await?;
    Ok(created(app.record_on_behalf(who.0.person, say).await?))
}

pub(super) fn opening(wire: api::Opening) -> Result<FieldOpening, AppError> {
    Ok(FieldOpening { name: parse(&wire.name, "name")?, salt: parse(&wire.salt, "salt")?, value: wire.value })
}
