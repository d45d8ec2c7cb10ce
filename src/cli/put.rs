//! `custos put`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody::act::{Class, Derivation};
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::json;

use super::args::{fields, parse_field};
use super::failure::{Exit, Failure};
use super::item::{Sealed, class};
use super::reseal::looked_at;
use super::table::{printable, size};
use super::{Global, Out, form, progress, session};
use crate::client::derive::Origin;
use crate::client::intake::{Intake, Outcome, Source, TakenIn, walk};
use crate::client::{Client, ClientError};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case
    case: CaseId,
    /// Files, and folders with everything below them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// open, confidential, restricted
    #[arg(long, default_value = "confidential", value_parser = class, conflicts_with = "hash_only")]
    class: Class,
    #[command(flatten)]
    sealed: Sealed,
    /// With class restricted: seal on this device, so that the vault never sees the content, and cannot vouch for its digest
    #[arg(long, requires = "pairs")]
    seal_here: bool,
    /// With --seal-here: you have compared the keys and papers that this command printed with their owners: what it printed
    /// beside them
    #[arg(long, value_name = "HEX", requires = "seal_here")]
    keys: Option<Digest>,
    /// Register digests only; no byte leaves this device
    #[arg(long)]
    hash_only: bool,
    /// Files at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    parallel: u8,
    /// Everything that is put in was made from this item
    #[arg(long, value_name = "ITEM", requires = "how")]
    derived_from: Option<ItemId>,
    /// With --derived-from: working-copy, clip, redaction, transcript or translation
    #[arg(long = "as", value_name = "WHAT", requires = "derived_from")]
    how: Option<Derivation>,
    /// With --derived-from: why, a code; needed for what is less protected than the original
    #[arg(long, value_name = "CODE", requires = "derived_from")]
    purpose: Option<Code>,
    /// Facts about every item: place=…, collected-by=…, taken-at=…, device=…, notes=…
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
    fields: Vec<(Code, String)>,
}

/// What became of everything.
#[derive(Debug, Default, Serialize)]
struct Summary {
    files: u64,
    bytes: u64,
    stored: u64,
    sealed_here: u64,
    already_there: u64,
    hash_only: u64,
    failed: u64,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let client = Arc::new(session::client(global)?);
    let sources = sources(&args.paths, out)?;
    let origin = origin(&client, args).await?;
    let total: u64 = sources.iter().filter_map(|source| source.file.metadata().ok()).map(|m| m.len()).sum();
    let class = if args.hash_only { Class::HashOnly } else { args.class };
    let sealing = args.sealed.sealing();
    let pairs = match sealing.as_ref().filter(|_| args.seal_here) {
        None => None,
        Some(_) if class != Class::Restricted => {
            return Err(Failure::usage(
                "--seal-here is for what two persons open together: --class restricted",
            ));
        }
        Some(sealing) => match looked_at(&client, (args.case, sealing), args.keys, out).await? {
            Some(pairs) => Some(pairs),
            None => return Ok(Exit::Incomplete),
        },
    };
    let fields = fields(&args.fields)?;
    let intake = Arc::new(Intake { case: args.case, class, sealing, pairs, fields });
    if origin.is_none() {
        form::warn(&client, args.case, &intake.fields, out).await;
    }
    // Every byte is read twice: for its fingerprint, and to be sent.
    let passes = if args.hash_only { 1 } else { 2 };
    let bar = progress::bytes(out, total * passes, "fingerprint and send");
    let count = {
        let bar = bar.clone();
        move |bytes| bar.inc(bytes)
    };
    let mut results = Box::pin(client.take_in(intake, sources, args.parallel.into(), count));
    let (mut summary, mut worst) = (Summary::default(), None::<Failure>);
    while let Some((source, ended)) = results.next().await {
        summary.files += 1;
        let ended = linked(&client, origin.as_ref(), ended).await;
        match ended {
            Ok(taken) => {
                summary.add(&taken);
                bar.suspend(|| report(out, &source, &taken));
            }
            Err(error) => {
                summary.failed += 1;
                let failure = Failure::from(error);
                bar.suspend(|| report_failure(out, &source, &failure));
                // What fails for one file only does not keep the others from going in.
                let end = failure.exit() != Exit::Failure;
                worst = worst.filter(|worst| worst.exit() != Exit::Failure).or(Some(failure));
                if end {
                    break;
                }
            }
        }
    }
    bar.finish_and_clear();
    if out.json() {
        out.document(&json!({ "summary": summary }));
    }
    let Some(failure) = worst else {
        let compared = match (summary.sealed_here, summary.hash_only) {
            (0, 0) => "all fingerprints match".to_owned(),
            (0, only) => format!("{only} by fingerprint only, all others match"),
            (here, _) => {
                format!("{here} sealed here: until somebody opens them, their fingerprints are your word")
            }
        };
        out.say(&format!("{} files, {}, {compared}", summary.files, size(summary.bytes)));
        return Ok(Exit::Valid);
    };
    let done = summary.files - summary.failed;
    out.say(&format!("{done} files went in; the same command goes on where this one ended"));
    Err(failure)
}

/// What everything was made from, as the vault shows it before anything is sent.
async fn origin(client: &Client, args: &Args) -> Result<Option<Origin>, Failure> {
    let (Some(original), Some(how)) = (args.derived_from, args.how) else { return Ok(None) };
    let original = client.item(original).await?;
    if original.case != args.case.to_string() {
        return Err(Failure::new("the original is in another case: what is made from it belongs there"));
    }
    Ok(Some(Origin::new(&original, how, args.purpose.clone())?))
}

/// With what it was made from on record.
async fn linked(
    client: &Client,
    origin: Option<&Origin>,
    ended: Result<TakenIn, ClientError>,
) -> Result<TakenIn, ClientError> {
    let taken = ended?;
    if let Some(origin) = origin {
        client.derive(origin, taken.item, taken.digest).await?;
    }
    Ok(taken)
}

impl Summary {
    fn add(&mut self, taken: &TakenIn) {
        self.bytes += taken.size;
        match taken.outcome {
            Outcome::Stored => self.stored += 1,
            Outcome::SealedHere => self.sealed_here += 1,
            Outcome::AlreadyThere => self.already_there += 1,
            Outcome::HashOnly => self.hash_only += 1,
        }
    }
}

fn sources(paths: &[PathBuf], out: Out) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        let (found, skipped) = walk(path, &prefix(path)?)?;
        for path in skipped {
            out.say(&format!(
                "left out: {} is neither a file nor a folder",
                printable(&path.to_string_lossy())
            ));
        }
        sources.extend(found);
    }
    if sources.is_empty() {
        return Err(Failure::new("there are no files in what was named"));
    }
    Ok(sources)
}

/// The last name of a path: what a file is called, and what paths below a folder start with.
fn prefix(path: &Path) -> Result<String, Failure> {
    let whole = path
        .canonicalize()
        .map_err(|error| Failure::new(format!("cannot read {}", path.display())).because(&error))?;
    Ok(whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

fn report(out: Out, source: &Source, taken: &TakenIn) {
    if out.json() {
        out.document(&json!({ "file": source.file, "result": taken }));
        return;
    }
    let compared = match (taken.outcome, taken.on_arrival, taken.read_back) {
        (Outcome::Stored, Some(_), Some(_)) => "3 digests agree",
        (Outcome::Stored, ..) => "2 digests agree",
        (Outcome::SealedHere, ..) => "sealed here",
        (Outcome::AlreadyThere, ..) => "was there already",
        (Outcome::HashOnly, ..) => "digest only",
    };
    out.data(&format!("{}  {}  {compared}  {}", taken.item, taken.digest, printable(&taken.path)));
}

fn report_failure(out: Out, source: &Source, failure: &Failure) {
    if out.json() {
        out.document(&json!({ "file": source.file, "error": failure.what(), "hint": failure.advice() }));
    } else {
        out.say(&format!("failed: {}: {}", printable(&source.path), failure.what()));
    }
}
