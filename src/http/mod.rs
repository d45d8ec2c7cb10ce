//! HTTPS: the service's one way in.

mod absent;
pub mod api;
pub mod auth;
pub(crate) mod drain;
pub mod error;
pub(crate) mod limit;
pub mod problems;
pub mod range;
mod routes;
mod signin;
pub mod tls;
mod wait;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::DefaultHeaders;
use actix_web::web::{Data, JsonConfig, PathConfig, QueryConfig, ServiceConfig};
use actix_web::{App as Service, HttpServer};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use utoipa::OpenApi as _;
use zeroize::Zeroizing;

pub use routes::{Asks, Document, ROUTES, Route};

use crate::api as wire;
use crate::app::setup::{self, SetupError};
use crate::app::{App, AppError, tell_for_ever};
use crate::config::Config;
use custody::digest::Digest;
use signin::certificate::Asked;

/// Most bytes of a JSON body: a statement of 1,000 items in base64, with its openings.
const MAX_JSON_BYTES: usize = 4 << 20;
/// How long requests may take to finish once the service is asked to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long it may take after that to record what was counted and to close the database, which may be gone.
const ENDING: Duration = Duration::from_secs(15);
/// How long connections may take to close once no request is under way.
const CLOSE_SECONDS: u64 = 1;
/// Grants that ran out are closed, counted refusals recorded and idle clients forgotten, this often.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// Sweeps between two looks for what was kept long enough.
const ASK_EVERY: u32 = 60;
/// As many times what is counted is tried to be recorded when the service ends.
const ENDED_CONNECTIONS: u32 = 4;
/// Threads a worker for what must not hold it up: opening segments, reading files. More would wait for the same disk
/// and processors, and each keeps memory of its own.
const BLOCKING: usize = 8;

/// What a service that listens says.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Where.
    pub addr: SocketAddr,
    /// SHA-256 of the certificate.
    pub tls_fingerprint: Digest,
    /// Who this vault is.
    pub vault: wire::VaultInfo,
}

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The vault cannot be opened.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// What is left from an earlier run could not be cleared up.
    #[error("cannot clear up what an earlier run left")]
    Recover(#[source] AppError),
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
            Self::Setup(error) => error.remedy(),
            Self::Listen { .. } => "choose another `listen` address, or end what listens there".to_owned(),
            Self::Recover(_) | Self::Run(_) => "run `custos doctor`; the log above says more".to_owned(),
        }
    }
}

/// Serves the vault that `config` names until `shutdown`, then finishes what was begun.
pub async fn serve(
    config: &Config,
    passphrase: Option<Zeroizing<String>>,
    ready: oneshot::Sender<Bound>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    // The vault first: where there is none, nothing is made.
    let app = Arc::new(setup::open(config, passphrase).await?);
    let clients = setup::clients(config).map_err(SetupError::from)?;
    let tls = tls::Tls::load(&setup::tls_source(config), clients.clone()).map_err(SetupError::from)?;
    let clients = Data::new(Asked(clients));
    let orphans = app.find_orphans().await.map_err(ServeError::Recover)?;
    if orphans > 0 {
        tracing::warn!(orphans, "objects that no record names: see docs/OPERATIONS.md; nothing was deleted");
    }
    app.know_channels().await.map_err(ServeError::Recover)?;
    app.publish().await;
    let shared = Data::from(Arc::clone(&app));
    let limits = limit::Limits::new();
    let counted = limits.clone();
    let (busy, idle) = drain::counter();
    let listen = config.listen();
    let server = HttpServer::new(move || {
        Service::new()
            .app_data(shared.clone())
            .wrap(actix_web::middleware::from_fn(wait::for_witnesses))
            .wrap(actix_web::middleware::from_fn(signin::certificate::turn_away))
            .app_data(clients.clone())
            .wrap(actix_web::middleware::from_fn(limit::guard))
            .app_data(Data::new(limits.clone()))
            .wrap(headers())
            .wrap(actix_web::middleware::from_fn(drain::count))
            .app_data(Data::new(busy.clone()))
            .wrap(tracing_actix_web::TracingLogger::<Quiet>::new())
            .configure(configure)
    })
    .on_connect(tls::clients::keep_shown)
    .worker_max_blocking_threads(BLOCKING)
    .shutdown_timeout(CLOSE_SECONDS)
    .disable_signals()
    // An error sent before the body was read must reach the client: without this the connection is reset under it.
    .client_disconnect_timeout(Duration::from_secs(5))
    .bind_rustls_0_23(listen, tls.config)
    .map_err(|source| ServeError::Listen { addr: listen, source })?;
    let addr = server.addrs().first().copied().unwrap_or(listen);
    let running = server.run();
    let handle = running.handle();
    let (end, ended) = oneshot::channel();
    let sweeper = tokio::spawn(sweep(Arc::downgrade(&app), counted, ended));
    let (quit, gone) = watch::channel(());
    let mut telling: JoinSet<_> = (0..app.channels())
        .map(|channel| tell_for_ever(Arc::downgrade(&app), channel, gone.clone()))
        .collect();
    let serving = tokio::spawn(running);
    // Nobody waiting for it is no reason not to serve.
    let _ = ready.send(Bound { addr, tls_fingerprint: tls.fingerprint, vault: app.info() });
    shutdown.await;
    handle.pause().await;
    // Connections that nobody asks anything on are no reason to wait: an HTTP/2 client keeps its own open.
    if tokio::time::timeout(DRAIN, idle.all_answered()).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
    let orderly = async {
        // Before the threads end that answer: with each goes what it has opened of the pool of connections to PostgreSQL.
        record_refusals(&app).await;
        handle.stop(true).await;
        // What it has begun it finishes: broken off, it would leave refusals taken and not recorded.
        drop((end, quit));
        let _ = sweeper.await;
        while telling.join_next().await.is_some() {}
        record_refusals(&app).await;
        app.close().await;
    };
    if tokio::time::timeout(ENDING, orderly).await.is_err() {
        tracing::error!("the database does not answer: the service ends without it");
        handle.stop(false).await;
    }
    let lost = app.unrecorded_refusals();
    if lost > 0 {
        tracing::error!(refusals = lost, "refusals that were counted could not be recorded and are lost");
    }
    let ended = serving.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    ended.map_err(ServeError::Run)
}

/// Records what is counted, and again what a connection failed under that had ended unseen.
async fn record_refusals(app: &App) {
    for _ in 0..ENDED_CONNECTIONS {
        match app.record_counted_refusals().await {
            Ok(_) => return,
            Err(error) => tracing::warn!(code = error.code(), "recording counted refusals failed"),
        }
    }
}

/// Destroys what was approved, looks after what was destroyed, and now and then asks for what was kept long enough.
async fn destroy(app: &App, round: u32) {
    if round.is_multiple_of(ASK_EVERY)
        && let Err(error) = app.propose_by_retention().await
    {
        tracing::error!(code = error.code(), "proposing what was kept long enough failed; it is tried again");
    }
    if let Err(error) = app.carry_out_disposals().await {
        tracing::error!(code = error.code(), "destroying what was approved failed; it is tried again");
    }
    if let Err(error) = app.complete_disposals().await {
        tracing::error!(code = error.code(), "looking after what was destroyed failed; it is tried again");
    }
}

/// Sweeps until the sender of `end` is gone.
async fn sweep(app: std::sync::Weak<App>, limits: limit::Limits, mut end: oneshot::Receiver<()>) {
    let mut round = 0_u32;
    loop {
        {
            let Some(app) = app.upgrade() else { return };
            // An authority that says nothing is no reason to wait at the end.
            let taken = tokio::select! { taken = app.take_timestamps() => taken, _ = &mut end => return };
            if let Err(error) = taken {
                tracing::error!(code = error.code(), "taking time stamps failed; it is tried again");
            }
            destroy(&app, round).await;
            round = round.wrapping_add(1);
        }
        if tokio::time::timeout(SWEEP_EVERY, &mut end).await.is_ok() {
            return;
        }
        limits.forget_idle();
        let Some(app) = app.upgrade() else { return };
        if let Err(error) = app.close_expired_grants().await {
            tracing::error!(code = error.code(), "closing readings that ran out failed; it is tried again");
        }
        if let Err(error) = app.cut_off_suspended().await {
            tracing::error!(code = error.code(), "looking for suspended readers failed; it is tried again");
        }
        if let Err(error) = app.forget_contributions().await {
            tracing::error!(
                code = error.code(),
                "forgetting what was opened for others failed; it is tried again"
            );
        }
        if let Err(error) = app.forget_sign_ins().await {
            tracing::error!(
                code = error.code(),
                "forgetting what ran out before sign-in failed; it is tried again"
            );
        }
        if let Err(error) = app.forget_sessions().await {
            tracing::error!(
                code = error.code(),
                "forgetting sessions that are over failed; it is tried again"
            );
        }
        if let Err(error) = app.expire_offers().await {
            tracing::error!(code = error.code(), "recording offers that ran out failed; it is tried again");
        }
        if let Err(error) = app.record_counted_refusals().await {
            tracing::error!(code = error.code(), "recording counted refusals failed; it is tried again");
        }
    }
}

/// Headers of every answer.
fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Strict-Transport-Security", "max-age=31536000"))
}

/// All [routes](ROUTES), with the one shape of error for bodies, paths and queries that cannot be read.
pub fn configure(service: &mut ServiceConfig) {
    service
        .app_data(
            JsonConfig::default().limit(MAX_JSON_BYTES).error_handler(|e, r| error::malformed_json(&e, r)),
        )
        .app_data(PathConfig::default().error_handler(|e, r| error::malformed(&e, r)))
        .app_data(QueryConfig::default().error_handler(|e, r| error::malformed(&e, r)))
        .configure(routes::serve)
        .service(utoipa_swagger_ui::SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", Document::openapi()))
        .app_data(Data::new(absent::Known::new()))
        .default_service(actix_web::web::to(absent::answer));
}

/// One span a request: method, route pattern and status. Paths carry ids and queries carry grants; neither is logged.
#[derive(Debug)]
struct Quiet;

impl tracing_actix_web::RootSpanBuilder for Quiet {
    fn on_request_start(request: &actix_web::dev::ServiceRequest) -> tracing::Span {
        let route = request.match_pattern().unwrap_or_default();
        tracing::info_span!("request", method = %request.method(), route, id = %uuid::Uuid::new_v4().simple())
    }

    fn on_request_end<B: actix_web::body::MessageBody>(
        _: tracing::Span,
        outcome: &Result<actix_web::dev::ServiceResponse<B>, actix_web::Error>,
    ) {
        if let Ok(response) = outcome {
            tracing::debug!(status = response.status().as_u16(), "answered");
        }
    }
}
