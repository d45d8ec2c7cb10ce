//! `custos get`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use custody::act::{AccessBreakGlass, AccessGranted};
use custody::digest::{Digest, Hasher};
use custody::id::{CaseId, Code, ItemId, PersonId};
use custody::kind::Kind;
use custody::time::Timestamp;
use serde_json::json;

use super::args::{code, fields, parse_field};
use super::failure::{Exit, Failure};
use super::files::Part;
use super::item::case_of;
use super::{Global, Out, progress, session};
use crate::api;
use crate::client::{Ask, Client, ClientError, Download, new_op_id, now};

/// How long a grant lasts, milliseconds: long enough for a large item over a bad line.
const GRANT_MS: i64 = 60 * 60 * 1_000;

/// In an emergency: shorter than the hour that the rules allow by as much as clocks may differ.
const BREAK_GLASS_MS: i64 = 50 * 60 * 1_000;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The item
    item: ItemId,
    /// Why, a code such as case-review; it is recorded before the first byte is sent
    #[arg(long, value_name = "CODE")]
    purpose: Code,
    /// New file to write; never overwrites. Without it: the item's own file name, in this folder
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only these bytes: first-last, first- or -suffix. A part cannot be checked against the digest
    #[arg(long, value_name = "RANGE", value_parser = range)]
    range: Option<String>,
    /// Further words for the record: notes=…, warrant=…
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
    fields: Vec<(Code, String)>,
    /// In an emergency, without any right to read it, by your own key: the reason in words. Notices go out at once, and
    /// somebody else says on record what they think of it
    #[arg(long, value_name = "REASON", requires_all = ["case", "out"], conflicts_with = "range")]
    break_glass: Option<String>,
    /// The item's case, where you are no member of it: it stands on the exhibit's label
    #[arg(long, requires = "break_glass")]
    case: Option<CaseId>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    if let (Some(reason), Some(case), Some(path)) = (&args.break_glass, args.case, &args.out) {
        return break_glass(&client, args, (case, reason), path, out).await;
    }
    let item = client.item(args.item).await?;
    let Some(stored) = &item.stored else {
        return Err(Failure::new("the vault holds no content of this item").exits(Exit::NotFound));
    };
    if item.sealing.is_some() {
        return Err(
            Failure::new("the item is sealed to persons: two of them open it together").hint("custos open")
        );
    }
    let expected = stored.digest.parse().map_err(|_| ClientError::Protocol("a digest is 64 hex digits"))?;
    let path = args.out.clone().unwrap_or_else(|| own_name(&item));
    let (part, file) = Part::begin(&path)?;
    let grant = grant(&client, &item, (&args.purpose, None), fields(&args.fields)?).await?;
    let read = fetch(&client, args, grant, stored.size, file, out).await;
    // Reading is over either way; what was sent is the vault's to count.
    let completed = client.complete_access(args.item, grant).await;
    let read = read.and_then(|(digest, bytes)| {
        if args.range.is_none() && digest != expected {
            return Err(ClientError::Digest { ours: digest, theirs: expected, place: "in the record" }.into());
        }
        Ok((digest, bytes))
    });
    let (digest, bytes) = read?;
    completed?;
    part.finish()?;
    let checked = args.range.is_none();
    let shown = json!({
        "item": args.item, "access": grant, "file": path, "bytes": bytes, "digest": digest, "checked": checked,
    });
    out.result(&shown, |_| path.display().to_string());
    out.say(if checked {
        "the digest is the one on record"
    } else {
        "a part: it cannot be checked against the digest"
    });
    Ok(Exit::Valid)
}

/// Reads without any right to, and says so. What is compared is the digest that the answer names.
async fn break_glass(
    client: &Client,
    args: &Args,
    (case, reason): (CaseId, &str),
    path: &Path,
    out: Out,
) -> Result<Exit, Failure> {
    let (part, file) = Part::begin(path)?;
    let expires = from_now(BREAK_GLASS_MS)?;
    let mut words = fields(&args.fields)?;
    words.insert(code("reason"), reason.to_owned());
    let ask = Ask::new(Kind::AccessBreakGlass, new_op_id())
        .case(case)
        .item(args.item)
        .purpose(args.purpose.clone())
        .data(AccessBreakGlass { expires }.to_data())
        .fields(words);
    let grant = said(client, &ask).await?;
    let read = fetch(client, args, grant, 0, file, out).await;
    let completed = client.complete_access(args.item, grant).await;
    let (digest, bytes) = read?;
    part.finish()?;
    completed?;
    let shown = json!({
        "item": args.item, "access": grant, "file": path, "bytes": bytes, "digest": digest, "checked": false,
    });
    out.result(&shown, |_| path.display().to_string());
    out.say("read in an emergency, on record; somebody of the case will look at why");
    Ok(Exit::Valid)
}

/// Puts the reading on record, why and with whom; the grant to read with.
pub(crate) async fn grant(
    client: &Client,
    item: &api::Item,
    (purpose, with): (&Code, Option<PersonId>),
    fields: std::collections::BTreeMap<Code, String>,
) -> Result<Digest, ClientError> {
    let id = item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
    let ask = Ask::new(Kind::AccessGranted, new_op_id())
        .case(case_of(item)?)
        .item(id)
        .purpose(purpose.clone())
        .data(AccessGranted { expires: from_now(GRANT_MS)?, with }.to_data())
        .fields(fields);
    said(client, &ask).await
}

/// Says it; the hash of its record.
async fn said(client: &Client, ask: &Ask) -> Result<Digest, ClientError> {
    let kept = client.say(ask).await?;
    kept.first().map(|kept| kept.checked.record_hash).ok_or(ClientError::NoReceipt)
}

pub(super) fn from_now(millis: i64) -> Result<Timestamp, ClientError> {
    Timestamp::from_millis(now().millis() + millis)
        .map_err(|_| ClientError::Input("this device's clock is wrong".into()))
}

async fn fetch(
    client: &Client,
    args: &Args,
    grant: Digest,
    size: u64,
    file: std::fs::File,
    out: Out,
) -> Result<(Digest, u64), Failure> {
    let mut download = client.content(args.item, grant, args.range.as_deref()).await?;
    let bar = progress::bytes(out, download.announced().unwrap_or(size), "read");
    let read = save(client, &mut download, file, |bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    let (digest, bytes) = read?;
    if args.range.is_none() {
        download.check(digest)?;
    }
    Ok((digest, bytes))
}

/// Writes an answer to a file, on disk when this returns; its digest and length.
pub(crate) async fn save(
    client: &Client,
    download: &mut Download,
    mut file: std::fs::File,
    progress: impl Fn(u64),
) -> Result<(Digest, u64), Failure> {
    let write = |error: &std::io::Error| Failure::new("cannot write what was read").because(error);
    let (mut hasher, mut size) = (Hasher::new(), 0);
    while let Some(chunk) = client.next_chunk(download).await? {
        hasher.update(&chunk);
        file.write_all(&chunk).map_err(|error| write(&error))?;
        size += chunk.len() as u64;
        progress(chunk.len() as u64);
    }
    file.sync_all().map_err(|error| write(&error))?;
    Ok((hasher.finish(), size))
}

/// The item's file name, made harmless: it came from somebody else.
fn own_name(item: &api::Item) -> PathBuf {
    let given = item.fields.get("file-name").map(String::as_str).unwrap_or_default();
    let name: String = given
        .chars()
        .map(|c| if c.is_control() || matches!(c, '/' | '\\' | ':') { '_' } else { c })
        .collect();
    let name = name.trim().trim_start_matches('.');
    if name.is_empty() { PathBuf::from(format!("exhibit-{}", item.exhibit)) } else { PathBuf::from(name) }
}

fn range(text: &str) -> Result<String, String> {
    let digits = |part: &str| part.is_empty() || part.parse::<u64>().is_ok();
    match text.split_once('-') {
        Some((first, last)) if digits(first) && digits(last) && text.len() > 1 => Ok(text.to_owned()),
        _ => Err("a range is first-last, first- or -suffix, in bytes from 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_stays_in_this_folder() {
        let item = |name: &str| api::Item {
            id: String::new(),
            case: String::new(),
            exhibit: 7,
            class: String::new(),
            custodian: String::new(),
            claimed: None,
            stored: None,
            head: String::new(),
            offer: None,
            seal: None,
            sealing: None,
            sealed_by: None,
            cannot_open: Vec::new(),
            reseal: None,
            derived: None,
            linked: None,
            fields: [("file-name".to_owned(), name.to_owned())].into(),
        };
        for (given, safe) in [
            ("IMG 1.JPG", "IMG 1.JPG"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("/abs", "_abs"),
            ("..", "exhibit-7"),
            ("a\nb", "a_b"),
            ("", "exhibit-7"),
        ] {
            assert_eq!(own_name(&item(given)), PathBuf::from(safe), "{given:?}");
        }
    }

    #[test]
    fn ranges_are_those_of_http() {
        for good in ["0-9", "5-", "-5"] {
            assert!(range(good).is_ok(), "{good}");
        }
        for bad in ["", "-", "a-b", "5", "1-2-3"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
