//! `custos open`

use std::path::{Path, PathBuf};

use custody::act::OTHER_HALVES;
use custody::age::Identity;
use custody::digest::Digest;
use custody::id::{Code, ItemId, PersonId};
use custody::manifest;
use serde_json::json;

use super::args::{fields, parse_field};
use super::failure::{Exit, Failure};
use super::files::{Part, secret_from};
use super::get::grant;
use super::{Global, Out, progress, session};
use crate::api;
use crate::client::opening::{Contributed, Found, Through};
use crate::client::{Client, ClientError};

/// Advice where something did not open, or was something else.
const ON_RECORD: &str = "that you found this is on record now: the sender, the other who opened it for you, or the vault gave something \
                         else than was agreed";

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
    let opening = Opening { client: &client, item: &item, with: args.with, access, halves: &halves };
    if contributed == Contributed::Garbage {
        return Err(opening.unopened("what is sealed to your key does not open").await);
    }
    let contributed = contributed == Contributed::Given;
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
    let (found, all_hold) = opening.read(&identity, path, out).await?;
    if let Some(shown) = shown.as_object_mut() {
        shown.extend([
            ("file".to_owned(), json!(path)),
            ("bytes".to_owned(), json!(found.size)),
            ("digest".to_owned(), json!(found.digest)),
            ("all_halves_hold".to_owned(), json!(all_hold)),
        ]);
    }
    out.result(&shown, |_| path.display().to_string());
    out.say("opened on this device; the digest is the one on record. Your grant ends within the hour: until then the other can read");
    if found.by_sender {
        out.say("its sender sealed it, and the vault never saw it: what you found is on record now");
    }
    if all_hold {
        return Ok(Exit::Valid);
    }
    Err(Failure::new(
        "somebody else to whom it is sealed was given another half, or none, and cannot open it",
    )
    .hint("custos item reseal, while a pair opens it"))
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

/// An item that is being opened together with somebody.
struct Opening<'a> {
    client: &'a Client,
    item: &'a api::Item,
    with: PersonId,
    access: Digest,
    halves: &'a api::Halves,
}

impl Opening<'_> {
    /// Opens it into a new file; whether everybody else can, too, where its sender sealed it. What its sender sealed nobody has
    /// seen before: what is found goes on record. So does what is not as recorded, and no file of that is left behind.
    async fn read(&self, identity: &Identity, path: &Path, out: Out) -> Result<(Found, bool), Failure> {
        let (part, mut file) = Part::begin(path)?;
        let bar = progress::bytes(out, self.item.stored.as_ref().map_or(0, |stored| stored.size), "open");
        let to = (&mut file as &mut (dyn std::io::Write + Send), |bytes| bar.inc(bytes));
        let opened = self.client.open_sealed(self.item, self.access, self.halves, identity, to).await;
        bar.finish_and_clear();
        let mut found = match opened {
            // A half that is sealed to this very key, once the other has opened it, is not what the other gave.
            Err(ClientError::Key(_)) if self.is_meant(identity) => {
                return Err(self.unopened("what the other opened for you does not open with your key").await);
            }
            opened => opened?,
        };
        if found.verdict.is_err() {
            self.say(&found).await?;
            let error = std::mem::replace(&mut found.verdict, Ok(())).err().map(Failure::from);
            return Err(error.unwrap_or_else(|| Failure::new("it does not open")).hint(ON_RECORD));
        }
        file.sync_all()
            .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))?;
        // What was opened is kept, whatever becomes of saying so.
        part.finish()?;
        if !found.by_sender {
            return Ok((found, true));
        }
        self.say(&found).await?;
        let all_hold = self.client.all_hold_it(self.item, self.halves, identity).await?;
        if !all_hold {
            found.reason = Some(OTHER_HALVES);
            self.say(&found).await?;
        }
        Ok((found, all_hold))
    }

    /// Whether a half is sealed to this key, of what its sender sealed; of a paper nobody knows which of two it is.
    fn is_meant(&self, identity: &Identity) -> bool {
        let (own, person) = (identity.recipient().to_string(), self.client.person().to_string());
        let meant = |half: &api::SealedHalf| half.second == person && half.inner.contains(&own);
        self.halves.contributed.is_some() && self.halves.others.iter().any(meant)
    }

    async fn say(&self, found: &Found) -> Result<(), Failure> {
        Ok(self.client.say_opened(self.item, (self.access, self.with), self.halves, found).await?)
    }

    /// Puts on record that it did not open, of what its sender sealed: nobody else will.
    async fn unopened(&self, what: &'static str) -> Failure {
        let failure = Failure::new(what);
        let facts = manifest::verify(&self.halves.manifest.0, self.client.trust().key());
        let Ok(facts) = facts else { return failure.hint("the manifest is not one of this vault") };
        let found = Found::nothing(facts.header.context().object, facts.by_sender);
        match self.say(&found).await {
            Ok(()) => failure.hint(ON_RECORD),
            Err(error) => failure.hint(format!("that could not be put on record: {}", error.what())),
        }
    }
}
