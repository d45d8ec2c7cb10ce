//! Certificates of connections: what they are worth to a request, and their routes.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, post};
use custody::digest::Digest;

use crate::api;
use crate::app::{App, AppError, parse};
use crate::http::api::{Answer, created};
use crate::http::auth::Person;
use crate::http::tls::clients::{Clients, Shown};

/// Whose certificates are asked for, if anybody's are.
#[derive(Debug)]
pub(crate) struct Asked(pub(crate) Option<Arc<Clients>>);

/// What the certificate of a connection is worth now; each by the hash of its key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    /// It counts.
    Yes(Digest),
    /// It has been revoked, or has run out, since the connection was made.
    NoMore(Digest),
    /// There is none.
    NoneShown,
}

/// Judges the certificate of a request's connection again.
pub(crate) fn counted(request: &HttpRequest) -> Counted {
    let asked = request.app_data::<Data<Asked>>().and_then(|asked| asked.0.as_ref());
    let (Some(clients), Some(shown)) = (asked, request.conn_data::<Shown>()) else {
        return Counted::NoneShown;
    };
    if clients.still_counts(shown) { Counted::Yes(shown.key) } else { Counted::NoMore(shown.key) }
}

/// What an operator must look at about lists of revoked certificates.
pub(crate) fn alarms(request: &HttpRequest) -> Vec<String> {
    let asked = request.app_data::<Data<Asked>>().and_then(|asked| asked.0.as_ref());
    asked.map(|clients| clients.alarms()).unwrap_or_default()
}

/// Turns away who shows none, where everybody must; but for whoever asks whether the vault is alive.
pub(crate) async fn turn_away(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let asked = request.app_data::<Data<Asked>>().and_then(|asked| asked.0.as_ref());
    let required = asked.is_some_and(|clients| clients.required());
    let probe = matches!(request.match_info().as_str(), "/livez" | "/readyz");
    if required && !probe && !matches!(counted(request.request()), Counted::Yes(_)) {
        tracing::warn!(target: "security", "a request was turned away: its connection shows no certificate that counts");
        return Err(AppError::CertificateNeeded.into());
    }
    next.call(request).await
}

/// Binds the certificate that this connection shows.
#[utoipa::path(request_body = api::NewCertificate, responses((status = 201, body = api::CertificateInfo)))]
#[post("/api/v1/certificates")]
pub(crate) async fn add_certificate(
    app: Data<App>,
    who: Person,
    request: HttpRequest,
    body: Json<api::NewCertificate>,
) -> Answer {
    let key = match counted(&request) {
        Counted::Yes(key) => Some(key),
        Counted::NoMore(_) | Counted::NoneShown => None,
    };
    Ok(created(app.add_certificate(&who.0, key, &body).await?))
}

/// Removes one of one's own certificates.
#[utoipa::path(params(("id" = String, Path)), responses((status = 204)))]
#[delete("/api/v1/certificates/{id}")]
pub(crate) async fn remove_certificate(app: Data<App>, who: Person, id: Path<String>) -> Answer {
    app.remove_certificate(&who.0, parse(&id, "id")?).await?;
    Ok(HttpResponse::NoContent().finish())
}
