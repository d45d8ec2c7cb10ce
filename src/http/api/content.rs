//! Content: uploads and downloads, ranges, digests.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, get, post, put, route};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody::digest::Digest;
use serde::Deserialize;

use super::{Answer, created, ok};
use crate::api;
use crate::app::{App, AppError, parse};
use crate::http::auth::{Idempotency, Person};
use crate::http::range::{Wanted, wanted};

/// Takes an item's content.
#[utoipa::path(params(("id" = String, Path)), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = api::Stored)))]
#[put("/api/v1/items/{id}/content")]
pub(crate) async fn upload(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    request: HttpRequest,
    body: Payload,
) -> Answer {
    let announced = repr_digest(request.headers())?;
    let length = number(request.headers(), header::CONTENT_LENGTH)?;
    let stored = app.receive(who.0.person, parse(&id, "id")?, announced, length, body).await?;
    Ok(created(stored))
}

/// Records why the item is read, before the first byte.
#[utoipa::path(params(("id" = String, Path)), request_body = api::NewAccess, responses((status = 201, body = api::Access)))]
#[post("/api/v1/items/{id}/access")]
pub(crate) async fn access(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    body: Json<api::NewAccess>,
) -> Answer {
    Ok(created(app.grant_access(who.0.person, parse(&id, "id")?, body.into_inner(), key.0).await?))
}

/// Reading is over.
#[utoipa::path(params(("id" = String, Path), ("grant" = String, Path)), responses((status = 200, body = api::Recorded)))]
#[post("/api/v1/items/{id}/access/{grant}/complete")]
pub(crate) async fn complete(app: Data<App>, who: Person, path: Path<(String, String)>) -> Answer {
    let (id, grant) = path.into_inner();
    Ok(ok(app.complete_access(who.0.person, parse(&id, "id")?, &grant).await?))
}

/// The grant that content requests carry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    access: Option<String>,
}

impl Access {
    pub(super) fn access(&self) -> Option<&str> {
        self.access.as_deref()
    }
}

/// An item's content, or a range of it.
#[utoipa::path(get, path = "/api/v1/items/{id}/content", params(("id" = String, Path), ("access" = String, Query)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 206, content_type = "application/octet-stream", body = Vec<u8>)))]
#[route("/api/v1/items/{id}/content", method = "GET", method = "HEAD")]
pub(crate) async fn download(
    app: Data<App>,
    who: Person,
    id: Path<String>,
    query: Query<Access>,
    request: HttpRequest,
) -> Answer {
    let found = app.content(who.0.person, parse(&id, "id")?, query.access.as_deref()).await?;
    let (digest, size) = (found.digest(), found.size());
    // A range of something else than what the client holds is no use to it: then the whole is sent.
    let fits = text(request.headers(), header::IF_RANGE).is_none_or(|tag| tag == etag(&digest));
    let range = text(request.headers(), header::RANGE).filter(|_| fits);
    let (mut response, start, length) = match wanted(range, size) {
        Wanted::Whole => (HttpResponse::Ok(), 0, size),
        Wanted::Outside => return Err(AppError::Range(size)),
        Wanted::Part { start, length } => {
            let last = start + length - 1;
            let mut response = HttpResponse::PartialContent();
            response.insert_header((header::CONTENT_RANGE, format!("bytes {start}-{last}/{size}")));
            (response, start, length)
        }
    };
    evidence_headers(&mut response);
    response
        .insert_header((header::ETAG, etag(&digest)))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header(("Repr-Digest", format!("sha-256=:{}:", STANDARD.encode(digest.as_bytes()))));
    if request.method() == Method::HEAD {
        return Ok(response
            .no_chunking(length)
            .streaming(futures_util::stream::empty::<Result<_, AppError>>()));
    }
    let stream = app.read_content(&found, start..start + length).await?;
    Ok(response.no_chunking(length).streaming(stream))
}

/// Makes a redaction of an image: a new item with boxes burnt in, linked to the original by the vault.
#[utoipa::path(params(("id" = String, Path), ("access" = String, Query)), request_body = api::NewRedaction, responses((status = 201, body = api::Redacted)))]
#[post("/api/v1/items/{id}/redactions")]
pub(crate) async fn redact(
    app: Data<App>,
    who: Person,
    key: Idempotency,
    id: Path<String>,
    query: Query<Access>,
    body: Json<api::NewRedaction>,
) -> Answer {
    let Access { access: grant } = query.into_inner();
    let (id, body) = (parse(&id, "id")?, body.into_inner());
    Ok(created(Box::pin(app.redact(who.0.person, id, grant.as_deref(), body, key.0)).await?))
}

/// The bundle of an export.
#[utoipa::path(params(("id" = String, Path)), responses((status = 200, content_type = "application/zip", body = Vec<u8>)))]
#[get("/api/v1/exports/{id}/bundle")]
pub(crate) async fn bundle(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    let bundle = app.into_inner().bundle(who.0.person, parse(&id, "id")?).await?;
    let mut response = HttpResponse::Ok();
    evidence_headers(&mut response);
    response.insert_header((header::CONTENT_TYPE, "application/zip"));
    Ok(response.no_chunking(bundle.size).streaming(bundle.stream))
}

/// Evidence is never rendered by whoever receives it from here: not by a browser, not by a cache.
pub(super) fn evidence_headers(response: &mut HttpResponseBuilder) {
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"));
}

fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// `Repr-Digest: sha-256=:…:` (RFC 9530), the one algorithm that is checked.
fn repr_digest(headers: &HeaderMap) -> Result<Option<Digest>, AppError> {
    let Some(value) = headers.get("Repr-Digest") else { return Ok(None) };
    let wrong = || AppError::Invalid("Repr-Digest: write sha-256=:<base64 of 32 bytes>:".to_owned());
    let text = value.to_str().map_err(|_| wrong())?.trim();
    let base64 = text.strip_prefix("sha-256=:").and_then(|rest| rest.strip_suffix(':')).ok_or_else(wrong)?;
    let bytes = STANDARD.decode(base64).map_err(|_| wrong())?;
    Digest::from_slice(&bytes).map(Some).map_err(|_| wrong())
}

fn number(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<u64>, AppError> {
    let text = text(headers, name);
    text.map(|text| text.parse().map_err(|_| AppError::Invalid("Content-Length: not a number".to_owned())))
        .transpose()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
