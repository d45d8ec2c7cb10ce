//! `custos serve`

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::args::Server;
use super::failure::{Exit, Failure};
use super::files::{passphrase, secret_from};
use super::{Global, Out, env};
use crate::keyring::{KeyFile, PassphraseProvider};
use crate::{http, telemetry};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File with the passphrase of the keys (mode 0600), or - for stdin
    #[arg(long, value_name = "FILE", env = "CUSTOS_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    telemetry::start(env("CUSTOS_LOG").as_deref());
    let config = args.server.config(global)?;
    let passphrase = keys_passphrase(args.passphrase_file.as_deref(), config.data_dir())?;
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

/// The passphrase of the vault's keys, where they are kept under one.
pub(super) fn keys_passphrase(
    file: Option<&Path>,
    data_dir: &Path,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(file) = file {
        return Ok(Some(secret_from(file, "passphrase")?));
    }
    // A key file that cannot be read is reported, with its remedy, when the keyring is opened.
    let locked = KeyFile::read(&data_dir.join("keys").join("vault.key"))
        .is_ok_and(|key| key.provider == PassphraseProvider::NAME);
    if locked {
        Ok(Some(passphrase("CUSTOS_PASSPHRASE_FILE", "passphrase of the vault's keys: ")?))
    } else {
        Ok(None)
    }
}
