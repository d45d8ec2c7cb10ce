//! `custos item`

use custody::act::{Class, ItemClassified};
use custody::id::{CaseId, ItemId};
use custody::kind::Kind;
use custody::statement::Seen;
use serde_json::json;

use super::failure::{Exit, Failure};
use super::table::{printable, size, table};
use super::{Global, Out, session};
use crate::api;
use crate::client::{Ask, ClientError, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// The items of a case
    List {
        /// The case
        case: CaseId,
        /// Only those with this in a title, a file name, a note
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// One item
    Show {
        /// The item
        item: ItemId,
    },
    /// Change how sensitive an item is
    Classify {
        /// The item
        item: ItemId,
        /// open, confidential, hash-only
        #[arg(value_parser = class)]
        class: Class,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::List { case, search } => {
            let items = session::reader(global)?.items(*case, search.as_deref()).await?;
            out.result(&items, |items| list(items));
        }
        Action::Show { item } => {
            let item = session::reader(global)?.item(*item).await?;
            out.result(&item, show);
        }
        Action::Classify { item, class } => {
            let client = session::client(global)?;
            let found = client.item(*item).await?;
            let ask = Ask::new(Kind::ItemClassified, new_op_id())
                .case(case_of(&found)?)
                .item(*item)
                .seen(head(&found)?)
                .data(ItemClassified { class: *class }.to_data());
            client.say(&ask).await?;
            out.result(&json!({ "item": item, "class": class }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}

/// The items as a table.
pub(super) fn list(items: &[api::Item]) -> String {
    let row = |item: &api::Item| {
        let name = ["title", "path", "file-name"].iter().find_map(|name| item.fields.get(*name));
        let content = item.stored.as_ref().or(item.claimed.as_ref());
        [
            item.exhibit.to_string(),
            item.id.clone(),
            item.class.clone(),
            content.map(|content| size(content.size)).unwrap_or_default(),
            content
                .map(|content| content.digest.get(..16).unwrap_or_default().to_owned())
                .unwrap_or_default(),
            item.offer.as_ref().map_or("", |_| "offered").to_owned(),
            name.cloned().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    table(["nr", "id", "class", "size", "sha-256", "custody", "title"], &rows)
}

fn show(item: &api::Item) -> String {
    let content = |content: &api::ContentInfo| format!("sha-256 {} ({} bytes)", content.digest, content.size);
    let mut lines = vec![
        format!("item       {}", item.id),
        format!("case       {}", item.case),
        format!("exhibit    {}", item.exhibit),
        format!("class      {}", item.class),
        format!("custodian  {}", item.custodian),
        format!("claimed    {}", item.claimed.as_ref().map_or("nothing".into(), content)),
        format!("stored     {}", item.stored.as_ref().map_or("nothing".into(), content)),
        format!("head       {}", item.head),
    ];
    lines.extend(item.offer.iter().map(|offer| format!("offered    to {}", offer.to)));
    lines.extend(item.fields.iter().map(|(name, value)| format!("{name:<10} {}", printable(value))));
    lines.join("\n")
}

/// The case an item belongs to.
pub(super) fn case_of(item: &api::Item) -> Result<CaseId, ClientError> {
    item.case.parse().map_err(|_| ClientError::Protocol("a case's id is a UUID"))
}

/// What an item's next change must name as seen.
pub(super) fn head(item: &api::Item) -> Result<Seen, ClientError> {
    let hash = item.head.parse().map_err(|_| ClientError::Protocol("an item's head is a record hash"))?;
    Ok(Seen::Record(hash))
}

/// `--class`
pub(super) fn class(text: &str) -> Result<Class, String> {
    serde_json::from_value(text.into()).map_err(|_| "a class is open, confidential or hash-only".into())
}
