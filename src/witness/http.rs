//! The witness's service: `POST /add-checkpoint`, and what it shows to monitors. Bytes and status codes are those of
//! C2SP tlog-witness.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use custody::digest::Digest;
use custody::witness::{Answer, MAX_REQUEST_LEN};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::oneshot;

use super::{Serving, Witness, WitnessError};
use crate::clock::{Clock, SystemClock};
use crate::http::drain;
use crate::http::tls::{Tls, TlsError, TlsSource};

/// How long a request's head or body may take to arrive.
const RECEIVE: Duration = Duration::from_secs(10);
/// How long requests may take to finish once the service is asked to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long connections may take to close after that.
const CLOSE_SECONDS: u64 = 1;
/// Requests that an address may make at once, and per minute after that: a log asks once a second or less.
const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(1_200).unwrap();
/// How often addresses that have their whole allowance again are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// Threads that write, a worker.
const BLOCKING: usize = 8;

/// Where and how to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address.
    pub listen: SocketAddr,
    /// Certificate and key; without them plain HTTP, on loopback addresses only.
    pub tls: Option<TlsSource>,
}

/// What a service that listens says.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Where.
    pub addr: SocketAddr,
    /// SHA-256 of the certificate, if there is one.
    pub tls_fingerprint: Option<Digest>,
}

/// Why the witness does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Its directory cannot be used.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Plain HTTP, where others than this machine could ask.
    #[error("plain http is for loopback addresses, and {0} is none")]
    PlainHttp(SocketAddr),
    /// The address cannot be used.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The service broke off.
    #[error("the service ended with an error")]
    Run(#[source] std::io::Error),
}

impl ServeError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Witness(error) => error.remedy(),
            Self::Tls(_) => "check the files of --tls-cert and --tls-key, or leave both out".to_owned(),
            Self::PlainHttp(_) => {
                "leave out --plain-http, or listen on 127.0.0.1 behind a proxy with TLS".to_owned()
            }
            Self::Listen { .. } => "choose another address, or end what listens there".to_owned(),
            Self::Run(_) => "the log above says more".to_owned(),
        }
    }
}

/// What all workers share.
struct Shared {
    witness: Witness,
    serving: Serving,
    clock: SystemClock,
    asked: DefaultKeyedRateLimiter<IpAddr>,
}

/// Serves `witness` until `shutdown`, then finishes what was begun.
pub async fn serve(
    witness: Witness,
    options: Options,
    ready: oneshot::Sender<Bound>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let serving = witness.begin()?;
    let listen = options.listen;
    if options.tls.is_none() && !listen.ip().is_loopback() {
        return Err(ServeError::PlainHttp(listen));
    }
    let tls = options.tls.as_ref().map(|source| Tls::load(source, None)).transpose()?;
    let fingerprint = tls.as_ref().map(|tls| tls.fingerprint);
    let asked = RateLimiter::keyed(Quota::per_minute(REQUESTS_PER_MINUTE));
    let shared = Arc::new(Shared { witness, serving, clock: SystemClock::new(), asked });
    let data = Data::from(Arc::clone(&shared));
    let (busy, idle) = drain::counter();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .wrap(actix_web::middleware::from_fn(drain::count))
            .app_data(Data::new(busy.clone()))
            .service(web::resource("/add-checkpoint").route(web::post().to(add_checkpoint)))
            .service(web::resource("/{origin_hash}/checkpoint").route(web::get().to(checkpoint)))
            .service(web::resource("/livez").route(web::get().to(livez)))
    })
    .workers(2)
    .worker_max_blocking_threads(BLOCKING)
    .client_request_timeout(RECEIVE)
    .client_disconnect_timeout(Duration::from_secs(5))
    .shutdown_timeout(CLOSE_SECONDS)
    .disable_signals();
    let server = match tls {
        Some(tls) => server.bind_rustls_0_23(listen, tls.config),
        None => server.bind(listen),
    };
    let server = server.map_err(|source| ServeError::Listen { addr: listen, source })?;
    let addr = server.addrs().first().copied().unwrap_or(listen);
    let running = server.run();
    let handle = running.handle();
    let serving = tokio::spawn(running);
    let forgetting = tokio::spawn(forget(Arc::downgrade(&shared)));
    let _ = ready.send(Bound { addr, tls_fingerprint: fingerprint });
    shutdown.await;
    handle.pause().await;
    if tokio::time::timeout(DRAIN, idle.all_answered()).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
    handle.stop(true).await;
    forgetting.abort();
    serving.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(ServeError::Run)
}

async fn forget(shared: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(FORGET_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        shared.asked.retain_recent();
    }
}

/// Asks for a cosignature.
async fn add_checkpoint(request: HttpRequest, shared: Data<Shared>, body: Payload) -> HttpResponse {
    if let Some(refusal) = too_many(&request, &shared) {
        return refusal;
    }
    let body = match tokio::time::timeout(RECEIVE, body.to_bytes_limited(MAX_REQUEST_LEN)).await {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_)) | Err(_)) => return told(&Answer::BadRequest),
        Err(_) => return HttpResponse::RequestTimeout().finish(),
    };
    let answered = web::block(move || {
        let seconds = u64::try_from(shared.clock.now().millis() / 1_000).unwrap_or_default();
        shared.witness.answer(&shared.serving, &body, seconds)
    });
    match answered.await {
        Ok(Ok(answer)) => told(&answer),
        Ok(Err(error)) => broken(&error),
        Err(error) => broken(&error),
    }
}

/// The latest checkpoint cosigned of one log.
async fn checkpoint(request: HttpRequest, shared: Data<Shared>, path: web::Path<String>) -> HttpResponse {
    if let Some(refusal) = too_many(&request, &shared) {
        return refusal;
    }
    let Ok(origin_hash) = Digest::from_hex(&path) else { return told(&Answer::NotFound) };
    match web::block(move || shared.witness.shown(&origin_hash)).await {
        Ok(Ok(Some(note))) => HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .insert_header(("Cache-Control", "no-cache"))
            .body(note),
        Ok(Ok(None)) => told(&Answer::NotFound),
        Ok(Err(error)) => broken(&error),
        Err(error) => broken(&error),
    }
}

async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

fn told(answer: &Answer) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(answer.status()).unwrap_or_default();
    HttpResponse::build(status).insert_header((CONTENT_TYPE, answer.content_type())).body(answer.body())
}

/// Nothing was promised; the client may ask again.
fn broken(error: &dyn std::error::Error) -> HttpResponse {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::error!(error = %error, cause, "no answer could be given");
    HttpResponse::InternalServerError().content_type("text/plain; charset=utf-8").body("out of order\n")
}

fn too_many(request: &HttpRequest, shared: &Shared) -> Option<HttpResponse> {
    let client = crate::http::limit::client(request.peer_addr()?.ip());
    let until = shared.asked.check_key(&client).err()?;
    let wait = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
    Some(HttpResponse::TooManyRequests().insert_header((RETRY_AFTER, wait.to_string())).finish())
}
