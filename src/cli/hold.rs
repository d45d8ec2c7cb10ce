//! `custos hold`: what must not be destroyed.

use std::collections::BTreeMap;

use custody::act::HoldReleased;
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId};
use custody::kind::Kind;
use custody::statement::Seen;
use serde_json::json;

use super::args::{code, fields, parse_field};
use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};
use crate::api;
use crate::client::{Ask, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Keep a case, or one item of it, from being destroyed; whatever was proposed or approved waits, and lapses
    Place {
        /// The case
        case: CaseId,
        /// Only this item
        #[arg(long, value_name = "ID")]
        item: Option<ItemId>,
        #[command(flatten)]
        why: Why,
    },
    /// End a hold, with a key of your own
    Release {
        /// The case
        case: CaseId,
        /// The hold: hash of its record, as `hold list` shows it
        hold: Digest,
        #[command(flatten)]
        why: Why,
    },
    /// The holds of a case
    List {
        /// The case
        case: CaseId,
    },
}

/// On whose word.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// Why, a code such as pending-trial
    #[arg(long, value_name = "CODE")]
    purpose: Code,
    /// Whose order or request it is; kept encrypted, committed to on record
    #[arg(long, value_name = "TEXT")]
    authority: String,
    /// Further words: reason=…, reference=…
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
    fields: Vec<(Code, String)>,
}

impl Why {
    fn fields(&self) -> Result<BTreeMap<Code, String>, Failure> {
        let mut fields = fields(&self.fields)?;
        fields.insert(code("authority"), self.authority.clone());
        Ok(fields)
    }
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Place { case, item, why } => {
            let client = session::client(global)?;
            let ask = Ask::new(Kind::HoldPlaced, new_op_id()).case(*case);
            let ask = item.map_or(ask.clone(), |item| ask.item(item));
            let kept = client.say(&ask.purpose(why.purpose.clone()).fields(why.fields()?)).await?;
            let hold = kept.first().map(|kept| kept.checked.record_hash);
            out.result(&json!({ "case": case, "item": item, "hold": hold }), |_| {
                hold.map(Digest::to_hex).unwrap_or_default()
            });
        }
        Action::Release { case, hold, why } => {
            let client = session::client(global)?;
            let holds = client.holds(*case).await?;
            let found = holds.iter().find(|found| found.record == hold.to_hex());
            let found = found.ok_or_else(|| {
                Failure::new("no such hold is on this case")
                    .exits(Exit::NotFound)
                    .hint("custos hold list CASE")
            })?;
            let item = found.item.as_deref().and_then(|item| item.parse().ok());
            let ask = Ask::new(Kind::HoldReleased, new_op_id()).case(*case);
            let ask = item.map_or(ask.clone(), |item| ask.item(item));
            let data = HoldReleased { hold: Seen::Record(*hold) };
            let ask = ask.data(data.to_data()).purpose(why.purpose.clone()).fields(why.fields()?);
            client.say(&ask).await?;
            out.result(&json!({ "case": case, "released": hold }), |_| String::new());
        }
        Action::List { case } => {
            let holds = session::reader(global)?.holds(*case).await?;
            out.result(&holds, |holds| {
                let row = |hold: &api::HoldInfo| {
                    [
                        hold.record.clone(),
                        hold.item.clone().unwrap_or_else(|| "the whole case".to_owned()),
                        hold.placed.to_string(),
                        hold.released.map_or_else(|| "no".to_owned(), |record| format!("record {record}")),
                    ]
                };
                table(["hold", "on", "record", "released"], &holds.iter().map(row).collect::<Vec<_>>())
            });
        }
    }
    Ok(Exit::Valid)
}
