//! Limits for whoever has not signed in: failed sign-ins and the open invitation routes, per address.
//!
//! What strangers send is no record (they could fill the log); it is counted, limited and told to the operator's
//! security log without personal data.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::app::AppError;

/// Failed sign-ins and invitation requests that an address may make at once, and per minute after that.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// The counters, shared by all workers.
#[derive(Debug, Clone)]
pub(super) struct Limits(Arc<DefaultKeyedRateLimiter<IpAddr>>);

impl Limits {
    /// Nobody has done anything yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(RateLimiter::keyed(Quota::per_minute(PER_MINUTE))))
    }
}

/// Counts invitation requests and failed sign-ins; turns away who has used up either.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let limits = request.app_data::<Data<Limits>>().cloned();
    let address = request.peer_addr().map(|peer| peer.ip());
    let open = request.path().starts_with("/api/v1/invitations/");
    if let (true, Some(limits), Some(address)) = (open, &limits, address)
        && limits.0.check_key(&address).is_err()
    {
        tracing::warn!(target: "security", "too many invitation requests from one address");
        return Err(AppError::TooMany.into());
    }
    let response = next.call(request).await?;
    if response.status() == StatusCode::UNAUTHORIZED
        && let (Some(limits), Some(address)) = (limits, address)
    {
        let exhausted = limits.0.check_key(&address).is_err();
        tracing::warn!(target: "security", exhausted, "sign-in failed");
        if exhausted {
            return Err(AppError::TooMany.into());
        }
    }
    Ok(response)
}
