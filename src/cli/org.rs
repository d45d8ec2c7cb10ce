//! `custos org`

use custody::act::OrgRegistered;
use custody::id::OrgId;
use custody::kind::Kind;
use serde_json::json;

use super::args::code;
use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};
use crate::client::{Ask, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Enter an organisation
    Add {
        /// Its name
        name: String,
    },
    /// Every organisation
    List,
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Add { name } => {
            let client = session::client(global)?;
            let org = OrgId::new(uuid::Uuid::now_v7());
            let ask = Ask::new(Kind::OrgRegistered, new_op_id())
                .data(OrgRegistered { org }.to_data())
                .fields([(code("name"), name.clone())].into());
            client.say(&ask).await?;
            out.result(&json!({ "org": org }), |_| org.to_string());
        }
        Action::List => {
            let orgs = session::reader(global)?.orgs().await?;
            out.result(&orgs, |orgs| {
                let rows: Vec<_> =
                    orgs.iter().map(|org| [org.id.clone(), org.name.clone().unwrap_or_default()]).collect();
                table(["id", "name"], &rows)
            });
        }
    }
    Ok(Exit::Valid)
}
