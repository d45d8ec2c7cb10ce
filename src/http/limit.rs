//! Limits for whoever has not signed in, per address: failed sign-ins and the open invitation routes, and what
//! everybody may read.
//!
//! What strangers send is no record (they could fill the log); it is counted, limited and told to the operator's
//! security log without personal data.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::app::AppError;

/// Failed sign-ins and invitation requests that an address may make at once, and per minute after that.
const GUESSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Open readings of log, vault and documentation that an address may make at once, and per minute after that: a mirror
/// that is behind gets 19 million entries in the first minute.
const READINGS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// Tiles that an address may read at once, and per minute after that: a mirror reads a bundle of 256 entries at a time, and
/// tiles never change, so that a cache in between answers for most.
const TILES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(6_000).unwrap();

/// The counters, shared by all workers.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    guesses: Counter,
    readings: Counter,
    tiles: Counter,
}

impl Limits {
    /// Nobody has done anything yet.
    pub(super) fn new() -> Self {
        Self {
            guesses: Counter::new(Quota::per_minute(GUESSES_PER_MINUTE)),
            readings: Counter::new(Quota::per_minute(READINGS_PER_MINUTE)),
            tiles: Counter::new(Quota::per_minute(TILES_PER_MINUTE)),
        }
    }

    /// Forgets who has their whole allowance again.
    pub(super) fn forget_idle(&self) {
        self.guesses.forget_idle();
        self.readings.forget_idle();
        self.tiles.forget_idle();
    }
}

/// What each client has used up.
#[derive(Debug, Clone)]
struct Counter(Arc<DefaultKeyedRateLimiter<IpAddr>>);

impl Counter {
    fn new(quota: Quota) -> Self {
        Self(Arc::new(RateLimiter::keyed(quota)))
    }

    /// Counts one request, or says how long to wait.
    fn count(&self, client: IpAddr) -> Result<(), AppError> {
        self.0.check_key(&client).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            AppError::TooMany(wait.as_secs() + 1)
        })
    }

    fn forget_idle(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

/// Whom an address is counted as. Who has one IPv6 address has the 2^64 of its network.
pub(crate) fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Counts open requests and failed sign-ins; turns away who has used up either.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let limits = request.app_data::<Data<Limits>>().cloned();
    let client = request.peer_addr().map(|peer| client(peer.ip()));
    let (Some(limits), Some(client)) = (limits, client) else { return next.call(request).await };
    // As the router reads it: `%69` is an `i` to it.
    if let Some((counter, what)) = limits.of(request.match_info().as_str()) {
        counter.count(client).inspect_err(|_| {
            tracing::warn!(target: "security", "too many {what} from one address");
        })?;
    }
    let response = next.call(request).await?;
    if response.status() == StatusCode::UNAUTHORIZED {
        let counted = limits.guesses.count(client);
        tracing::warn!(target: "security", exhausted = counted.is_err(), "sign-in failed");
        counted?;
    }
    Ok(response)
}

impl Limits {
    /// What counts a request to an open path before it is answered. Whether the service is alive may be asked as often
    /// as one likes.
    fn of(&self, path: &str) -> Option<(&Counter, &'static str)> {
        if path.starts_with("/api/v1/invitations/") {
            return Some((&self.guesses, "invitation requests"));
        }
        if path.starts_with("/api/v1/sign-in/") {
            return Some((&self.guesses, "requests to sign in"));
        }
        if path.starts_with("/log/tile/") {
            return Some((&self.tiles, "tiles"));
        }
        let open = path == "/api/v1/vault" || path == "/openapi.json";
        let open = open || path.starts_with("/log/") || path.starts_with("/docs/");
        open.then_some((&self.readings, "open readings"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_client() {
        let of = |text: &str| client(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn who_has_the_whole_allowance_again_is_forgotten() {
        let idle = Counter::new(Quota::per_second(NonZeroU32::new(1_000_000_000).unwrap()));
        let busy = Counter::new(Quota::per_hour(NonZeroU32::MIN));
        for counter in [&idle, &busy] {
            for number in 0..1_000_u32 {
                counter.count(std::net::Ipv4Addr::from_bits(number).into()).unwrap();
            }
            counter.forget_idle();
        }
        assert_eq!((idle.0.len(), busy.0.len()), (0, 1_000));
        assert!(matches!(busy.count([0, 0, 0, 1].into()), Err(AppError::TooMany(3_000..=3_601))));
    }
}
