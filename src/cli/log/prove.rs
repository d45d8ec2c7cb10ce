//! `custos log prove`

use std::path::PathBuf;

use custody::digest::Digest;
use custody::merkle::leaf_hash;
use custody::receipt::{MAX_RECEIPT_BYTES, Receipt};
use serde_json::json;
use tokio::runtime::Handle;

use super::{Global, Out, Whose, failed, session, write_new};
use crate::cli::failure::{Exit, Failure};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The record: its log index, or its hash if its receipt was kept
    #[arg(value_name = "RECORD|INDEX")]
    what: String,
    /// Write the proof into this new file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read the log there: an address, or a mirror's folder; without it, at the profile's vault
    #[arg(long, value_name = "URL|DIR")]
    from: Option<String>,
    #[command(flatten)]
    whose: Whose,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<(), Failure> {
    let receipt = match args.what.parse::<Digest>() {
        Ok(record) => Some(kept(global, &record)?),
        Err(_) => None,
    };
    let index = match &receipt {
        Some(receipt) => receipt.proof.index(),
        None => {
            args.what.parse().map_err(|_| Failure::usage("a record is named by its log index or its hash"))?
        }
    };
    let (log, source) = (args.whose.log(global)?, args.whose.source(global, args.from.as_deref())?);
    let runtime = Handle::current();
    let proven = tokio::task::spawn_blocking(move || source.prove(&log, index, &runtime)).await;
    let (proof, log) =
        proven.map_err(|_| Failure::new("proving broke off"))?.map_err(|error| failed(error, out))?;
    if let Some(receipt) = receipt {
        proof.verify_with(&leaf_hash(&receipt.entry.to_bytes()), &log).map_err(|error| {
            Failure::of(&error)
                .exits(Exit::VerificationFailed)
                .hint("the log does not have what the receipt proves: keep the receipt, and show it to the log's auditors")
        })?;
    }
    let text = proof.to_string();
    if let Some(file) = &args.out {
        write_new(file, text.as_bytes())?;
    }
    let shown = json!({ "index": index, "proof": text });
    out.result(&shown, |_| if args.out.is_some() { String::new() } else { text.trim_end().to_owned() });
    Ok(())
}

/// The receipt that the profile keeps of a record.
fn kept(global: &Global, record: &Digest) -> Result<Receipt, Failure> {
    let path = session::profile(global)?.receipts().join(format!("{record}.json"));
    let absent = || {
        Failure::new(format!("no receipt of the record {record} is kept here"))
            .exits(Exit::NotFound)
            .hint("give its log index: `custos custody item` shows it")
    };
    let length = std::fs::metadata(&path).map_err(|_| absent())?.len();
    if length > MAX_RECEIPT_BYTES as u64 {
        return Err(Failure::new(format!("{} is too long to be a receipt", path.display())));
    }
    let bytes = std::fs::read(&path)
        .map_err(|error| Failure::new(format!("cannot read {}", path.display())).because(&error))?;
    Receipt::parse(&bytes).map_err(|error| Failure::of(&error))
}
