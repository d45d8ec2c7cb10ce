//! `custos item reseal`, `confirm` and `withdraw`: a restricted item is sealed to other pairs.

use std::path::PathBuf;

use custody::act::Sealing;
use custody::digest::Digest;
use custody::halves::Pair;
use custody::id::{CaseId, Code, ItemId, PersonId};
use serde_json::json;

use super::args::code;
use super::failure::{Exit, Failure};
use super::get::{from_now, grant};
use super::item::{Sealed, case_of};
use super::open::identity;
use super::table::table;
use super::{Global, Out, progress, session};
use crate::api;
use crate::client::Client;
use crate::client::opening::Through;
use crate::client::resealing::{Opened, SealedTo, compared};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Together with whom.
#[derive(Debug, clap::Args)]
pub(super) struct Together {
    /// The item
    item: ItemId,
    /// With whom: the other of a pair, who has opened it for you (custos open, without --out)
    #[arg(long, value_name = "PERSON")]
    with: PersonId,
    /// Go on under a grant from before, which this command printed
    #[arg(long, value_name = "GRANT")]
    access: Option<Digest>,
    /// Your paper of a recovery pair, typed into a file (mode 0600), or - for stdin: AGE-SECRET-KEY-1...
    #[arg(long, value_name = "FILE")]
    paper: Option<PathBuf>,
    /// You have compared the keys and papers that this command printed with their owners: what it printed beside them
    #[arg(long, value_name = "HEX")]
    keys: Option<Digest>,
}

/// Arguments of `confirm`.
#[derive(Debug, clap::Args)]
pub(super) struct Confirm {
    #[command(flatten)]
    together: Together,
    /// What you confirm, as `custos item reseal` and `item show` print it
    #[arg(long, value_name = "RECORD")]
    reseal: Digest,
}

/// Arguments of `reseal`.
#[derive(Debug, clap::Args)]
pub(super) struct Reseal {
    #[command(flatten)]
    together: Together,
    #[command(flatten)]
    sealed: Sealed,
    /// Why, a code such as left or key-lost
    #[arg(long, value_name = "CODE")]
    purpose: Code,
    /// For how long it may be confirmed
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=29))]
    days: i64,
}

/// Seals an item to other pairs.
pub(super) async fn reseal(global: &Global, args: &Reseal, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let Reseal { together, sealed, purpose, days } = args;
    let sealing = sealed.sealing().ok_or_else(|| {
        Failure::usage("name the pairs that it is sealed to from now on: --pair PERSON,PERSON")
    })?;
    let item = client.item(together.item).await?;
    let of = (case_of(&item)?, &sealing);
    let (Some(seen), Some(_)) = (together.keys, looked_at(&client, of, together.keys, out).await?) else {
        return Ok(Exit::Incomplete);
    };
    let Some((access, halves)) = opened(&client, &item, together, (purpose, None), out).await? else {
        return Ok(Exit::Incomplete);
    };
    let identity = identity(&client, together.paper.as_deref())?;
    let opened = Opened { item: &item, with: together.with, access, halves: &halves, identity: &identity };
    let (kept, to) =
        client.reseal(opened, (&sealing, seen), (purpose.clone(), from_now(days * DAY_MS)?)).await?;
    let record = kept.checked.record_hash;
    out.result(&json!({ "item": together.item, "reseal": record, "sealed_to": to }), |_| listed(&to));
    out.say("it does not count yet, and the pairs until now open the item as before");
    out.say(&format!(
        "now two of the new pairs: one runs custos open {item} --with OTHER --purpose {purpose} --new, the other custos item \
         confirm {item} --reseal {record} --with THEM",
        item = together.item,
        purpose = purpose.as_str()
    ));
    Ok(Exit::Valid)
}

/// Confirms what somebody else sealed.
pub(super) async fn confirm(global: &Global, args: &Confirm, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let Confirm { together, reseal: named } = args;
    let item = client.item(together.item).await?;
    let Some(reseal) = item.reseal.clone().filter(|waits| waits.record == named.to_hex()) else {
        return Err(Failure::new(
            "that does not wait to be confirmed, or something else has taken its place",
        )
        .hint("custos item show says what waits, and to whom it is sealed"));
    };
    let sealing = crate::client::resealing::sealing(&reseal.sealing)?;
    let of = (case_of(&item)?, &sealing);
    let (Some(seen), Some(_)) = (together.keys, looked_at(&client, of, together.keys, out).await?) else {
        return Ok(Exit::Incomplete);
    };
    let purpose = code("reseal");
    let waits = Some(reseal.record.as_str());
    let Some((access, halves)) = opened(&client, &item, together, (&purpose, waits), out).await? else {
        return Ok(Exit::Incomplete);
    };
    let identity = identity(&client, together.paper.as_deref())?;
    let opened = Opened { item: &item, with: together.with, access, halves: &halves, identity: &identity };
    let bar = progress::bytes(
        out,
        item.stored.as_ref().map_or(0, |stored| stored.size),
        "open through the new halves",
    );
    let confirmed = client.confirm_reseal(opened, seen, |bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    let (digest, to) = confirmed?;
    let shown =
        json!({ "item": together.item, "digest": digest, "sealed_to": to, "confirmed": reseal.record });
    out.result(&shown, |_| listed(&to));
    out.say("opened through the new halves, with the digest on record, and all of them hold the same: they count now, the old ones are destroyed");
    out.say("backups made until now hold the old ones: rotate the key encryption key, and let them run out");
    Ok(Exit::Valid)
}

/// Gives up what was sealed.
pub(super) async fn withdraw(global: &Global, item: ItemId, out: Out) -> Result<Exit, Failure> {
    let client = session::client(global)?;
    let found = client.item(item).await?;
    if found.reseal.is_none() {
        return Err(Failure::new("nothing of this item waits to be confirmed").hint("custos item show"));
    }
    client.withdraw_reseal(&found).await?;
    out.result(&json!({ "item": item }), |_| String::new());
    Ok(Exit::Valid)
}

/// To what is sealed, as the person has compared it; nothing if that is still to be done, and then they are shown what.
pub(super) async fn looked_at(
    client: &Client,
    (case, sealing): (CaseId, &Sealing),
    seen: Option<Digest>,
    out: Out,
) -> Result<Option<Vec<Pair>>, Failure> {
    let (pairs, to) = client.recipients(case, sealing).await?;
    let keys = compared(&to, sealing.recovery.as_ref());
    if seen == Some(keys) {
        return Ok(Some(pairs));
    }
    out.result(&json!({ "sealed_to": to, "papers": sealing.recovery, "keys": keys }), |_| listed(&to));
    for paper in sealing.recovery.iter().flatten() {
        out.say(&format!("and to a paper: {paper}"));
    }
    out.say("compare these keys and papers with their owners by voice or on paper: what is sealed to a false one, somebody else opens");
    out.say(&format!("then the same again, with --keys {keys}"));
    Ok(None)
}

/// One's own grant, and what the other has opened; nothing if they have not yet.
async fn opened(
    client: &Client,
    item: &api::Item,
    together: &Together,
    (purpose, reseal): (&Code, Option<&str>),
    out: Out,
) -> Result<Option<(Digest, api::Halves)>, Failure> {
    let Together { item: id, with, access, .. } = together;
    if item.sealing.is_none() {
        return Err(Failure::new("the item is not restricted"));
    }
    let access = match access {
        Some(access) => *access,
        None => grant(client, item, (purpose, Some(*with)), std::collections::BTreeMap::new()).await?,
    };
    // Whoever seals anew needs the persons' half alone.
    let through = Through { without_half: reseal.is_none(), ..Through::halves(access, reseal) };
    let halves = client.halves(*id, through).await?;
    if halves.contributed.is_some() {
        return Ok(Some((access, halves)));
    }
    out.result(&json!({ "item": id, "access": access, "with": with }), |_| access.to_string());
    let new = if reseal.is_some() { " --new" } else { "" };
    out.say(&format!("{with} has not opened it for you yet. They run:"));
    out.say(&format!("custos open {id} --with {} --purpose {}{new}", client.person(), purpose.as_str()));
    out.say(&format!("then you the same again, with --access {access}"));
    Ok(None)
}

/// To what it is sealed, as a table.
fn listed(to: &[SealedTo]) -> String {
    let row = |to: &SealedTo| {
        let vouched = format!("{} (key {})", to.vouched_by, to.voucher);
        [to.person.to_string(), to.key.to_string(), to.recipient.to_string(), vouched]
    };
    table(["person", "key", "recipient", "vouched for by"], &to.iter().map(row).collect::<Vec<_>>())
}
