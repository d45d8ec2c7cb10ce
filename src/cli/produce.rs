//! `custos produce`: restricted content for a court that ordered it.

use std::path::{Path, PathBuf};

use custody::act::{ProductionApproved, ProductionDeclined, ProductionProposed, ProductionSealed};
use custody::age::Recipient;
use custody::digest::Digest;
use custody::id::{Code, ItemId, PersonId};
use custody::kind::Kind;
use serde_json::json;

use super::args::{code, fields, parse_field};
use super::failure::{Exit, Failure};
use super::get::grant;
use super::item::case_of;
use super::open::identity;
use super::table::table;
use super::{Global, Out, session};
use crate::api;
use crate::client::opening::{Contributed, Through};
use crate::client::{Ask, Client, ClientError, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Ask, with a court's order, that restricted content be produced to it
    Propose {
        /// The restricted item
        item: ItemId,
        /// The order, as a file; its SHA-256 is recorded
        #[arg(long, value_name = "FILE")]
        order: PathBuf,
        /// To whom of the court it is sealed (age1…): the court makes the key itself, with age-keygen
        #[arg(long, value_name = "RECIPIENT")]
        recipient: Recipient,
        /// The court and the number of its order; kept encrypted, committed to on record
        #[arg(long, value_name = "TEXT")]
        authority: String,
        /// On what ground, a code
        #[arg(long, value_name = "CODE", default_value = "court-order")]
        ground: Code,
        /// Further words for the record
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Agree to a proposal of somebody else, with a key of your own; it takes two
    Approve {
        #[command(flatten)]
        what: What,
        /// The order, as the court gave it to you: it must be the one that is proposed
        #[arg(long, value_name = "FILE")]
        order: PathBuf,
        /// The court's recipient, as the court gave it to you
        #[arg(long, value_name = "RECIPIENT")]
        recipient: Recipient,
    },
    /// Decline a proposal, or end a production: no bundle made from then on carries it
    Decline {
        #[command(flatten)]
        what: What,
    },
    /// Seal an approved one to the court, with the other of a pair, who runs `custos open` naming you
    Seal {
        #[command(flatten)]
        what: What,
        /// The court's recipient, as the court gave it to you
        #[arg(long, value_name = "RECIPIENT")]
        recipient: Recipient,
        /// The other of the pair
        #[arg(long, value_name = "PERSON")]
        with: PersonId,
        /// Go on under a grant from before, which this command printed
        #[arg(long, value_name = "GRANT")]
        access: Option<Digest>,
        /// Your paper of a recovery pair, typed into a file (mode 0600), or - for stdin
        #[arg(long, value_name = "FILE")]
        paper: Option<PathBuf>,
    },
    /// What is to be produced of an item, or was
    List {
        /// The item
        item: ItemId,
    },
}

/// A production.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct What {
    /// The restricted item
    item: ItemId,
    /// The proposal: hash of its record
    proposal: Digest,
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Propose { item, order, recipient, authority, ground, fields: given } => {
            let client = session::client(global)?;
            let mut words = fields(given)?;
            words.insert(code("authority"), authority.clone());
            let data = ProductionProposed { order: digest_of(order)?, recipient: *recipient };
            let ask = about(&client, Kind::ProductionProposed, *item).await?;
            let kept = client.say(&ask.purpose(ground.clone()).data(data.to_data()).fields(words)).await?;
            let proposal = kept.first().map(|kept| kept.checked.record_hash);
            out.result(&json!({ "proposal": proposal }), |_| {
                proposal.map(Digest::to_hex).unwrap_or_default()
            });
        }
        Action::Approve { what, order, recipient } => {
            let client = session::client(global)?;
            let (order, proposal) = (digest_of(order)?, what.proposal);
            let data = ProductionApproved { order, proposal, recipient: *recipient };
            let ask = about(&client, Kind::ProductionApproved, what.item).await?;
            client.say(&ask.data(data.to_data())).await?;
            out.result(&json!({ "approved": what.proposal }), |_| String::new());
        }
        Action::Decline { what } => {
            let client = session::client(global)?;
            let data = ProductionDeclined { proposal: what.proposal };
            let ask = about(&client, Kind::ProductionDeclined, what.item).await?;
            client.say(&ask.data(data.to_data())).await?;
            out.result(&json!({ "declined": what.proposal }), |_| String::new());
        }
        Action::Seal { what, recipient, with, access, paper } => {
            let client = session::client(global)?;
            let with = (*with, *access, paper.as_deref());
            return seal(&client, *what, recipient, with, out).await;
        }
        Action::List { item } => {
            let found = session::reader(global)?.productions(*item).await?;
            out.result(&found, |found| {
                let row = |p: &api::ProductionInfo| {
                    [p.record.clone(), p.recipient.clone(), p.stage.clone(), p.waits.join("; ")]
                };
                let rows: Vec<_> = found.iter().map(row).collect();
                table(["proposal", "sealed to", "stage", "waits for"], &rows)
            });
        }
    }
    Ok(Exit::Valid)
}

async fn seal(
    client: &Client,
    what: What,
    recipient: &Recipient,
    (with, access, paper): (PersonId, Option<Digest>, Option<&Path>),
    out: Out,
) -> Result<Exit, Failure> {
    let production = found(client, what).await?;
    if production.recipient != recipient.to_string() {
        return Err(Failure::new(format!(
            "what is proposed is sealed to {}, and not to that recipient",
            production.recipient
        ))
        .hint(
            "ask the court for its recipient again; if it is the one that you gave, decline the proposal",
        ));
    }
    let item = client.item(what.item).await?;
    let identity = identity(client, paper)?;
    let access = if let Some(access) = access {
        access
    } else {
        let ground = production.ground.parse().map_err(|_| ClientError::Protocol("a ground is a code"))?;
        grant(client, &item, (&ground, Some(with)), std::collections::BTreeMap::new()).await?
    };
    let through = Through::halves(access, None);
    let halves = client.halves(what.item, through).await?;
    let contributed = client.contribute(what.item, through, &halves, &identity).await? == Contributed::Given;
    let shown = json!({ "item": what.item, "access": access, "with": with, "contributed": contributed });
    if halves.contributed.is_none() {
        out.result(&shown, |_| access.to_string());
        out.say(&format!(
            "{with} has not opened it for you yet (custos open {} --with YOU); when they have:",
            what.item
        ));
        out.say(&format!(
            "custos produce seal {} {} --recipient {recipient} --with {with} --access {access}",
            what.item, what.proposal
        ));
        return Ok(Exit::Incomplete);
    }
    let sealed = client.produce((what.item, what.proposal), (access, &halves), &identity, recipient).await?;
    let data = ProductionSealed { proposal: what.proposal, recipient: *recipient, sealed, with };
    let ask = about(client, Kind::ProductionSealed, what.item).await?;
    client.say(&ask.data(data.to_data())).await?;
    out.result(&json!({ "sealed": sealed, "access": access }), |_| String::new());
    out.say(&format!("custos export … --produce {} makes a bundle that carries it", what.proposal));
    Ok(Exit::Valid)
}

async fn about(client: &Client, kind: Kind, item: ItemId) -> Result<Ask, Failure> {
    let case = case_of(&client.item(item).await?)?;
    Ok(Ask::new(kind, new_op_id()).case(case).item(item))
}

async fn found(client: &Client, what: What) -> Result<api::ProductionInfo, Failure> {
    let name = what.proposal.to_hex();
    let found = client.productions(what.item).await?.into_iter().find(|found| found.record == name);
    found.ok_or_else(|| {
        Failure::new("the item has no such production").hint(format!("custos produce list {}", what.item))
    })
}

fn digest_of(path: &Path) -> Result<Digest, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}", path.display())).because(&error);
    Ok(Digest::of(&std::fs::read(path).map_err(failed)?))
}
