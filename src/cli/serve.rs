//! `custos serve`

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::args::Vault;
use super::failure::{Exit, Failure};
use super::{Global, Out, env};
use crate::{http, telemetry};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    vault: Vault,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    telemetry::start(env("CUSTOS_LOG").as_deref());
    let (config, passphrase) = args.vault.open(global)?;
    let (ready, bound) = oneshot::channel();
    let serving = http::serve(&config, passphrase, ready, shutdown());
    let announce = async {
        if let Ok(bound) = bound.await {
            let shown = json!({
                "addr": bound.addr, "origin": config.origin(), "tls_fingerprint": bound.tls_fingerprint,
                "fingerprint": bound.vault.fingerprint,
            });
            if out.json() {
                out.document(&shown);
            }
            out.say(&format!(
                "serving https://{}\nvault fingerprint        {}\ncertificate fingerprint  {}\nCtrl-C ends it",
                bound.addr, bound.vault.fingerprint, bound.tls_fingerprint
            ));
        }
    };
    let (ended, ()) = tokio::join!(serving, announce);
    ended?;
    out.say("everything begun is finished");
    Ok(Exit::Valid)
}

/// Ctrl-C, or what a service manager sends.
pub(crate) async fn shutdown() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
