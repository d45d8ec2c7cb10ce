//! `custos case`

use custody::act::{CaseOpened, CaseRole, MemberAdded, MemberChange};
use custody::id::{CaseId, Code, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use serde_json::json;

use super::args::{TermArgs, code, fields, parse_field, terms};
use super::failure::{Exit, Failure};
use super::table::{printable, table};
use super::{Global, Out, session};
use crate::api;
use crate::client::{Ask, Client, new_case_id, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Open a case; you become its lead
    Open {
        /// Title; kept encrypted, shown to members
        #[arg(long)]
        title: String,
        /// A code such as forced-labour
        #[arg(long = "type", value_name = "CODE")]
        case_type: Code,
        /// A code such as ke
        #[arg(long, value_name = "CODE")]
        jurisdiction: Code,
        /// Further words: reference=…, warrant=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Your cases
    List,
    /// One case
    Show {
        /// The case
        case: CaseId,
    },
    /// Who is a member, as what
    Members {
        /// The case
        case: CaseId,
    },
    /// Give a person a role in the case
    AddMember {
        /// The case
        case: CaseId,
        /// Who
        person: PersonId,
        /// lead, investigator, custodian, prosecutor, court, defence, reader, observer
        role: CaseRole,
        #[command(flatten)]
        term: TermArgs,
    },
    /// Take a role in the case away
    RemoveMember {
        /// The case
        case: CaseId,
        /// From whom
        person: PersonId,
        /// lead, investigator, custodian, prosecutor, court, defence, reader, observer
        role: CaseRole,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Open { title, case_type, jurisdiction, fields: given } => {
            let mut fields = fields(given)?;
            fields.insert(code("title"), title.clone());
            let data = CaseOpened { case_type: case_type.clone(), jurisdiction: jurisdiction.clone() };
            let case = new_case_id();
            let ask = Ask::new(Kind::CaseOpened, new_op_id()).case(case).data(data.to_data()).fields(fields);
            session::client(global)?.say(&ask).await?;
            out.result(&json!({ "case": case }), |_| case.to_string());
        }
        Action::List => {
            let cases = session::reader(global)?.cases().await?;
            out.result(&cases, |cases| {
                let row = |case: &api::Case| {
                    let title = case.fields.get("title").cloned().unwrap_or_default();
                    [
                        case.id.clone(),
                        title,
                        case.items.to_string(),
                        case.records.to_string(),
                        case.roles.join(" "),
                    ]
                };
                table(["id", "title", "items", "records", "you"], &cases.iter().map(row).collect::<Vec<_>>())
            });
        }
        Action::Show { case } => {
            let case = session::reader(global)?.case(*case).await?;
            out.result(&case, show);
        }
        Action::Members { case } => {
            let members = session::reader(global)?.members(*case).await?;
            out.result(&members, |members| {
                let row = |m: &api::Member| {
                    [m.person.clone(), m.name.clone().unwrap_or_default(), m.roles.join(" "), terms(&m.terms)]
                };
                table(["id", "name", "roles", "for a time"], &members.iter().map(row).collect::<Vec<_>>())
            });
        }
        Action::AddMember { case, person, role, term } => {
            let data = MemberAdded { from: term.from, member: *person, role: *role, until: term.until };
            change(&session::client(global)?, Kind::MemberAdded, *case, data.to_data()).await?;
            out.result(&json!({ "case": case, "person": person, "added": role }), |_| String::new());
        }
        Action::RemoveMember { case, person, role } => {
            let data = MemberChange { member: *person, role: *role };
            change(&session::client(global)?, Kind::MemberRemoved, *case, data.to_data()).await?;
            out.result(&json!({ "case": case, "person": person, "removed": role }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}

async fn change(client: &Client, kind: Kind, case: CaseId, data: Object) -> Result<(), Failure> {
    client.say(&Ask::new(kind, new_op_id()).case(case).data(data)).await?;
    Ok(())
}

fn show(case: &api::Case) -> String {
    let mut lines = vec![
        format!("case          {}", case.id),
        format!("type          {}", case.case_type),
        format!("jurisdiction  {}", case.jurisdiction),
        format!("state         {}", if case.closed { "closed" } else { "open" }),
        format!("items         {}", case.items),
        format!("records       {}", case.records),
        format!("you           {}", case.roles.join(" ")),
    ];
    lines.extend(case.fields.iter().map(|(name, value)| format!("{name:<13} {}", printable(value))));
    lines.join("\n")
}
