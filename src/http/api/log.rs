//! What everybody may read: who the vault is, the newest checkpoint, the public entries. No sign-in.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;

use super::{Answer, ok};
use crate::api;
use crate::app::{App, Readiness};
use crate::http::signin::certificate;

/// Who this vault is.
#[utoipa::path(responses((status = 200, body = api::VaultInfo)), security(()))]
#[get("/api/v1/vault")]
pub(crate) async fn vault(app: Data<App>) -> Answer {
    Ok(ok(app.info()))
}

/// The newest checkpoint, a C2SP signed note.
#[utoipa::path(responses((status = 200, content_type = "text/plain", body = String)), security(()))]
#[get("/log/checkpoint")]
pub(crate) async fn checkpoint(app: Data<App>) -> Answer {
    let note = app.checkpoint()?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("Cache-Control", "public, max-age=1"))
        .body(note))
}

/// The keys that the log got after the one that record 0 names: the receipts of the records that say so, one a line, in
/// the order of the log. Empty where the key was never replaced.
#[utoipa::path(responses((status = 200, content_type = "text/plain", body = String)), security(()))]
#[get("/log/keys")]
pub(crate) async fn keys(app: Data<App>) -> Answer {
    let lines = app.log_keys().await?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("Cache-Control", "public, max-age=1"))
        .body(lines))
}

/// A tile of hashes or a bundle of entries (C2SP tlog-tiles), such as `0/x001/234` or `entries/005.p/8`.
#[utoipa::path(params(("path" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)), security(()))]
#[get("/log/tile/{path:.*}")]
pub(crate) async fn tile(app: Data<App>, path: Path<String>) -> Answer {
    let bytes = app.tile(&format!("tile/{path}")).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(("Cache-Control", "public, max-age=31536000, immutable"))
        .body(bytes))
}

/// Which entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entries {
    start: u64,
    limit: Option<u32>,
}

/// Public entries from an index on, 97 bytes each, at most 65,536.
#[utoipa::path(params(("start" = u64, Query), ("limit" = Option<u32>, Query)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)), security(()))]
#[get("/log/entries")]
pub(crate) async fn entries(app: Data<App>, page: Query<Entries>) -> Answer {
    let bytes = app.entries(page.start, page.limit.unwrap_or(65_536).clamp(1, 65_536)).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(("Cache-Control", "no-cache"))
        .body(bytes))
}

/// The process runs.
#[utoipa::path(responses((status = 200, body = String)), security(()))]
#[get("/livez")]
pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// How much to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verbose {
    verbose: Option<String>,
}

/// The database answers; what an operator must look at stands below. With `?verbose` how far publishing is.
#[utoipa::path(params(("verbose" = Option<String>, Query)), responses((status = 200, body = String), (status = 503, body = String)), security(()))]
#[get("/readyz")]
pub(crate) async fn readyz(app: Data<App>, how: Query<Verbose>, request: HttpRequest) -> HttpResponse {
    match app.readiness().await {
        Ok(readiness) => {
            let alarms = readiness.alarms().into_iter().chain(certificate::alarms(&request));
            let alarms = alarms.map(|alarm| format!("alarm: {alarm}"));
            let more = if how.verbose.is_some() { verbose(&readiness) } else { Vec::new() };
            let lines: Vec<_> = std::iter::once("ready".to_owned()).chain(alarms).chain(more).collect();
            HttpResponse::Ok()
                .content_type("text/plain; charset=utf-8")
                .insert_header(("Cache-Control", "no-store"))
                .body(lines.join("\n") + "\n")
        }
        Err(error) => {
            tracing::warn!(code = error.code(), "not ready");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain")
                .body("the database does not answer\n")
        }
    }
}

fn verbose(Readiness { size, status, .. }: &Readiness) -> Vec<String> {
    let (published, witnessed) =
        status.published.as_ref().map_or((0, false), |published| (published.size, published.witnessed));
    let counts = status.counts;
    let mut lines = vec![
        format!("entries: {size} committed, {} stored, {published} published", status.stored),
        format!("witnessed: {}", if witnessed { "yes" } else { "no" }),
        format!(
            "since the start: {} tiles, {} checkpoints, {} failures, {} quorums missed",
            counts.objects, counts.checkpoints, counts.failures, counts.quorums_missed
        ),
    ];
    lines.extend(status.witnesses.iter().map(|witness| {
        let trouble = witness.trouble.as_deref().unwrap_or("cosigns");
        format!("witness {}: {} entries, {trouble}", witness.name, witness.size)
    }));
    lines
}
