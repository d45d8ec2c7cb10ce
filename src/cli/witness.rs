//! `custos witness`: cosigning the logs of others.

use std::net::SocketAddr;
use std::path::PathBuf;

use custody::note::{KeyName, VerifierKey};
use serde_json::json;
use tokio::sync::oneshot;

use super::failure::{Exit, Failure};
use super::serve::shutdown;
use super::{Out, env};
use crate::engine::OsEntropy;
use crate::http::tls::TlsSource;
use crate::telemetry;
use crate::witness::{self, Options, Witness};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make a witness with a key of its own, and print its verifier key for policy files
    Init {
        /// A new directory
        dir: PathBuf,
        /// The name it cosigns under, for ever: a URL without scheme, such as witness.example/w1
        #[arg(long)]
        name: KeyName,
    },
    /// Follow a log from now on
    Add {
        /// The witness's directory
        dir: PathBuf,
        /// The log's verifier key
        vkey: VerifierKey,
    },
    /// The witness's verifier key, the logs it follows, and how far
    Show {
        /// The witness's directory
        dir: PathBuf,
    },
    /// Answer the logs that ask for cosignatures (C2SP tlog-witness)
    Serve(Serve),
}

/// Where and how to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The witness's directory
    dir: PathBuf,
    /// Address and port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8470")]
    listen: SocketAddr,
    /// Certificate chain (PEM); without one, a self-signed certificate is made
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "plain_http")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", conflicts_with = "plain_http")]
    tls_key: Option<PathBuf>,
    /// No TLS, on a loopback address only: behind a proxy
    #[arg(long)]
    plain_http: bool,
}

pub(super) async fn run(action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Init { dir, name } => {
            let witness = Witness::init(dir, name, &mut OsEntropy)?;
            let shown = json!({ "name": name.as_str(), "vkey": witness.vkey().to_string() });
            out.result(&shown, |_| witness.vkey().to_string());
            out.say("put this key into the policy files of those who trust this witness, and back up witness.key alone");
        }
        Action::Add { dir, vkey } => {
            let new = Witness::open(dir)?.follow(vkey)?;
            out.result(&json!({ "origin": vkey.name().as_str(), "new": new }), |_| String::new());
            out.say(&format!("{} {}", if new { "follows" } else { "already follows" }, vkey.name()));
        }
        Action::Show { dir } => {
            let witness = Witness::open(dir)?;
            let logs = witness.logs()?;
            out.result(&json!({ "vkey": witness.vkey().to_string(), "logs": logs }), |_| {
                let line = |log: &witness::Summary| {
                    let size = log
                        .size
                        .map_or("nothing cosigned yet".to_owned(), |size| format!("cosigned up to {size}"));
                    let evidence = if log.evidence > 0 {
                        format!(", {} CONTRADICTIONS kept", log.evidence)
                    } else {
                        String::new()
                    };
                    format!("\n{}  {size}{evidence}", log.origin)
                };
                witness.vkey().to_string() + &logs.iter().map(line).collect::<String>()
            });
        }
        Action::Serve(args) => return serve(args, out).await,
    }
    Ok(Exit::Valid)
}

async fn serve(args: &Serve, out: Out) -> Result<Exit, Failure> {
    telemetry::start(env("CUSTOS_LOG").as_deref());
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(TlsSource::Files { cert: cert.clone(), key: key.clone() }),
        _ if args.plain_http => None,
        _ => Some(TlsSource::SelfSigned(args.dir.join("tls"))),
    };
    let witness = Witness::open(&args.dir)?;
    let vkey = witness.vkey().to_string();
    let (ready, bound) = oneshot::channel();
    let serving = witness::serve(witness, Options { listen: args.listen, tls }, ready, shutdown());
    let announce = async {
        let Ok(bound) = bound.await else { return };
        if out.json() {
            let fingerprint = bound.tls_fingerprint;
            out.document(&json!({ "addr": bound.addr, "tls_fingerprint": fingerprint, "vkey": vkey }));
        }
        let scheme = if bound.tls_fingerprint.is_some() { "https" } else { "http" };
        out.say(&format!("witness at {scheme}://{}\nverifier key             {vkey}", bound.addr));
        if let Some(fingerprint) = bound.tls_fingerprint {
            out.say(&format!("certificate fingerprint  {fingerprint}"));
        }
        out.say("Ctrl-C ends it");
    };
    let (ended, ()) = tokio::join!(serving, announce);
    ended?;
    out.say("everything begun is finished");
    Ok(Exit::Valid)
}
