//! `custos open`

use std::path::{Path, PathBuf};

use custody::age::Identity;
use custody::digest::Digest;
use custody::id::{Code, ItemId, PersonId};
use serde_json::json;

use super::args::{fields, parse_field};
use super::failure::{Exit, Failure};
use super::files::{Part, secret_from};
use super::get::grant;
use super::{Global, Out, progress, session};
use crate::api;
use crate::client::Client;
use crate::client::opening::{Found, Through, all_hold_it};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The restricted item
    item: ItemId,
    /// With whom: the other of a pair, who runs the same command naming you
    #[arg(long, value_name = "PERSON")]
    with: PersonId,
    /// Why, a code such as case-review; it is recorded before anything is opened
    #[arg(long, value_name = "CODE")]
    purpose: Code,
    /// New file to write, to read it yourself; without it you open it for the other. Never overwrites
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on under a grant from before, which this command printed
    #[arg(long, value_name = "GRANT")]
    access: Option<Digest>,
    /// Your paper of a recovery pair, typed into a file (mode 0600), or - for stdin: AGE-SECRET-KEY-1...
    #[arg(long, value_name = "FILE")]
    paper: Option<PathBuf>,
    /// Through the halves that somebody sealed anew and that wait to be confirmed: custos item confirm
    #[arg(long)]
    new: bool,
    /// Further words for the record: notes=…, warrant=…
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
    fields: Vec<(Code, String)>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let item = client.item(args.item).await?;
    if item.sealing.is_none() {
        return Err(Failure::new("the item is not restricted").hint("custos get reads it"));
    }
    let reseal = item.reseal.as_ref().filter(|_| args.new).map(|reseal| reseal.record.as_str());
    if args.new && reseal.is_none() {
        return Err(Failure::new("nothing of this item waits to be confirmed").hint("custos item show"));
    }
    let identity = identity(&client, args.paper.as_deref())?;
    let access = match args.access {
        Some(access) => access,
        None => grant(&client, &item, (&args.purpose, Some(args.with)), fields(&args.fields)?).await?,
    };
    let through = Through::halves(access, reseal);
    let halves = client.halves(args.item, through).await?;
    let contributed = client.contribute(args.item, through, &halves, &identity).await?;
    let mut shown =
        json!({ "item": args.item, "access": access, "with": args.with, "contributed": contributed });
    let Some(path) = &args.out else {
        if !contributed {
            return Err(Failure::new("nothing is sealed to your key that this other could open"));
        }
        out.result(&shown, |_| access.to_string());
        out.say(&format!("{} can read it now, for as long as your grant lasts", args.with));
        return Ok(Exit::Valid);
    };
    if halves.half.is_none() {
        out.result(&shown, |_| access.to_string());
        out.say(&format!("{} has not opened it for you yet; when they have:", args.with));
        out.say(&format!(
            "custos open {} --with {} --purpose {}{} --access {access} --out {}",
            args.item,
            args.with,
            args.purpose.as_str(),
            if args.new { " --new" } else { "" },
            path.display()
        ));
        return Ok(Exit::Incomplete);
    }
    let Found { digest, size: bytes, .. } =
        read(&client, &item, (access, &halves, &identity), path, out).await?;
    let all_hold = item.sealed_by.is_none() || all_hold_it(args.item, &halves, &identity)?;
    if let Some(shown) = shown.as_object_mut() {
        shown.extend([
            ("file".to_owned(), json!(path)),
            ("bytes".to_owned(), json!(bytes)),
            ("digest".to_owned(), json!(digest)),
            ("all_halves_hold".to_owned(), json!(all_hold)),
        ]);
    }
    out.result(&shown, |_| path.display().to_string());
    out.say("opened on this device; the digest is the one on record. Your grant ends within the hour: until then the other can read");
    if item.sealed_by.is_some() {
        out.say("its sender sealed it, and the vault never saw it: that you found the digest they stated is on record now");
    }
    if !all_hold {
        out.say("but somebody else to whom it is sealed was given another half, and cannot open it: seal it anew (custos item reseal)");
        return Ok(Exit::Failure);
    }
    Ok(Exit::Valid)
}

pub(super) fn identity(client: &Client, paper: Option<&Path>) -> Result<Identity, Failure> {
    let Some(paper) = paper else {
        return client.identity().ok_or_else(|| {
            Failure::new("restricted items take a key of your own on this device").hint("custos key enroll")
        });
    };
    let text = secret_from(paper, "paper")?;
    text.parse().map_err(|error| Failure::new("the paper does not read").because(&error))
}

/// Opens it into a new file. What its sender sealed nobody has seen before: what is found goes on record, and so does what is not
/// as recorded; a file with that is not left behind.
async fn read(
    client: &Client,
    item: &api::Item,
    (access, halves, identity): (Digest, &api::Halves, &Identity),
    path: &Path,
    out: Out,
) -> Result<Found, Failure> {
    let (part, mut file) = Part::begin(path)?;
    let bar = progress::bytes(out, item.stored.as_ref().map_or(0, |stored| stored.size), "open");
    let opened =
        client.open_sealed(item, access, halves, identity, (&mut file, |bytes| bar.inc(bytes))).await;
    bar.finish_and_clear();
    let mut found = opened?;
    if found.verdict.is_err() || item.sealed_by.is_some() {
        client.say_opened(item, access, &found).await?;
    }
    if let Err(error) = std::mem::replace(&mut found.verdict, Ok(())) {
        return Err(Failure::from(error).hint("that you found this is on record now: the sender, the other who opened it for you, or the vault gave something else than was agreed"));
    }
    file.sync_all()
        .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))?;
    part.finish()?;
    Ok(found)
}
