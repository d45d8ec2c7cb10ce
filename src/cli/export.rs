//! `custos export`

use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::id::{CaseId, Code};
use serde_json::json;

use super::args::{fields, parse_field};
use super::failure::{Exit, Failure};
use super::files::create_new;
use super::{Global, Out, get, progress, session, unzip, verify};
use crate::api;
use crate::client::{Client, ClientError};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The case
    case: CaseId,
    /// Why, a code such as court
    #[arg(long, value_name = "CODE")]
    purpose: Code,
    /// Restricted content that the bundle carries sealed to a court: the proposal, as `custos produce list` shows it
    #[arg(long = "produce", value_name = "PROPOSAL")]
    productions: Vec<Digest>,
    #[command(flatten)]
    target: Target,
    /// recipient=…, authority=…, and further words for the record
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
    fields: Vec<(Code, String)>,
}

/// What to write.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// New ZIP file
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// New folder instead of a ZIP file
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let target = args.target.out.as_deref().or(args.target.folder.as_deref()).unwrap_or(Path::new(""));
    if target.exists() {
        return Err(Failure::new(format!("{} is there already", target.display()))
            .hint("nothing is ever overwritten: name another one, or move this one away"));
    }
    let new = api::NewExport {
        purpose: args.purpose.to_string(),
        productions: args.productions.iter().map(ToString::to_string).collect(),
        fields: fields(&args.fields)?.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
    };
    let export = client.export(args.case, &new).await?;
    let zip = match &args.target.folder {
        Some(folder) => folder.with_extension("zip.part"),
        None => target.to_owned(),
    };
    let digest = download(&client, &export, &zip, out).await?;
    let report = verify::report(verify::pinned(&zip, Some(client.trust().fingerprint()))).await?;
    if verify::exit(&report) == Exit::VerificationFailed {
        return Err(Failure::new(format!("the bundle does not verify; it stays as {}", zip.display()))
            .exits(Exit::VerificationFailed)
            .hint(format!("custos verify {}", zip.display())));
    }
    if let Some(folder) = &args.target.folder {
        unzip::unpack(&zip, folder)?;
        std::fs::remove_file(&zip)
            .map_err(|error| Failure::new(format!("cannot remove {}", zip.display())).because(&error))?;
    }
    let shown = json!({
        "bundle": target, "export": export.id, "records": export.records, "exhibits": export.exhibits,
        "size": export.size, "sha256": digest, "fingerprint": export.fingerprint, "verdict": report.verdict,
        "findings": report.findings,
    });
    out.result(&shown, |_| target.display().to_string());
    out.say(&format!(
        "{} exhibits, {} records; {}. Give the fingerprint along on paper:\n{}",
        export.exhibits, export.records, report.verdict, export.fingerprint
    ));
    Ok(Exit::Valid)
}

/// Fetches a bundle into a new file; its digest.
pub(crate) async fn download(
    client: &Client,
    export: &api::Export,
    path: &Path,
    out: Out,
) -> Result<Digest, Failure> {
    let id = export.id.parse().map_err(|_| ClientError::Protocol("an export's id is a record hash"))?;
    let file = create_new(path)?;
    let bar = progress::bytes(out, export.size, "bundle");
    let saved = async {
        let mut download = client.bundle(id).await?;
        get::save(client, &mut download, file, |bytes| bar.inc(bytes)).await
    }
    .await;
    bar.finish_and_clear();
    let saved = saved.and_then(|(digest, size)| {
        if size == export.size {
            Ok(digest)
        } else {
            Err(Failure::new("the bundle was cut off").exits(Exit::Network))
        }
    });
    if saved.is_err() {
        let _ = std::fs::remove_file(path);
    }
    saved
}
