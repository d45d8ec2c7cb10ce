//! `custos case`

use custody::act::{CaseOpened, CaseRole, CaseType, CaseUpdated, MemberAdded, MemberChange, reference_field};
use custody::id::{CaseId, Code, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use serde_json::json;

use super::args::{TermArgs, code, fields, parse_field, terms};
use super::failure::{Exit, Failure};
use super::table::{printable, table};
use super::{Global, Out, form, session};
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
        /// forced-labour, trafficking, online-exploitation, sexual-violence, property-grabbing, police-abuse,
        /// citizenship-rights, other
        #[arg(long = "type", value_name = "TYPE")]
        case_type: CaseType,
        /// A code such as ke
        #[arg(long, value_name = "CODE")]
        jurisdiction: Code,
        /// Number under which others know it: fir=…, gd=…, cnr=…, docket=…, warrant=…, esakshya-sid=…, other=…, a second one
        /// fir-2=…; kept encrypted, shown to members
        #[arg(long = "reference", value_name = "KIND=VALUE", value_parser = parse_reference)]
        references: Vec<(Code, String)>,
        /// Further words: notes=…
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
    /// What to ask for when something comes in, by the case's jurisdiction: what is not asked cannot be certified
    Form {
        /// The case
        case: CaseId,
    },
    /// Readings of a case's items in an emergency, by somebody who had no right to read them
    Emergencies {
        /// The case
        case: CaseId,
    },
    /// Change what a case is said to be: what is given takes the place of what was
    Update {
        /// The case
        case: CaseId,
        /// Another title; kept encrypted, shown to members
        #[arg(long)]
        title: Option<String>,
        /// Another type
        #[arg(long = "type", value_name = "TYPE")]
        case_type: Option<CaseType>,
        /// Another jurisdiction
        #[arg(long, value_name = "CODE")]
        jurisdiction: Option<Code>,
        /// A reference that is new, or other than it was; as with `open`
        #[arg(long = "reference", value_name = "KIND=VALUE", value_parser = parse_reference)]
        references: Vec<(Code, String)>,
        /// Further words: notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Close a case: it is read, exported and its items are kept on, but nothing is added to it
    Close {
        /// The case
        case: CaseId,
        #[command(flatten)]
        why: Why,
    },
    /// Reopen a closed case
    Reopen {
        /// The case
        case: CaseId,
        #[command(flatten)]
        why: Why,
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

/// Why a case is closed or reopened.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// Why, a code such as judgment
    #[arg(long, value_name = "CODE")]
    purpose: Option<Code>,
    /// Words about it: notes=…
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
    fields: Vec<(Code, String)>,
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Open { title, case_type, jurisdiction, references, fields: given } => {
            let mut fields = fields(&[given.as_slice(), references].concat())?;
            fields.insert(code("title"), title.clone());
            let data = CaseOpened { case_type: *case_type, jurisdiction: jurisdiction.clone() };
            let case = new_case_id();
            let ask = Ask::new(Kind::CaseOpened, new_op_id()).case(case).data(data.to_data()).fields(fields);
            session::client(global)?.say(&ask).await?;
            out.result(&json!({ "case": case }), |_| case.to_string());
        }
        Action::Emergencies { case } => {
            let found = session::reader(global)?.emergencies(*case).await?;
            out.result(&found, |found| {
                let row = |e: &api::Emergency| {
                    [e.record.clone(), e.item.clone(), e.person.clone(), e.expires.clone(), e.review.clone()]
                };
                table(
                    ["grant", "item", "person", "expires", "review"],
                    &found.iter().map(row).collect::<Vec<_>>(),
                )
            });
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
                        if case.closed { "closed" } else { "open" }.to_owned(),
                        case.roles.join(" "),
                    ]
                };
                table(
                    ["id", "title", "items", "records", "state", "you"],
                    &cases.iter().map(row).collect::<Vec<_>>(),
                )
            });
        }
        Action::Show { case } => {
            let case = session::reader(global)?.case(*case).await?;
            out.result(&case, show);
        }
        Action::Form { case } => {
            let form = session::reader(global)?.intake_form(*case).await?;
            out.result(&form, form::show);
        }
        Action::Update { case, title, case_type, jurisdiction, references, fields: given } => {
            let mut fields = fields(&[given.as_slice(), references].concat())?;
            fields.extend(title.clone().map(|title| (code("title"), title)));
            let data = CaseUpdated { case_type: *case_type, jurisdiction: jurisdiction.clone() }.to_data();
            if data.is_empty() && fields.is_empty() {
                return Err(Failure::usage("say what changes: --title, --type, --jurisdiction, --reference"));
            }
            let ask = Ask::new(Kind::CaseUpdated, new_op_id()).case(*case).data(data).fields(fields);
            session::client(global)?.say(&ask).await?;
            out.result(&json!({ "case": case, "updated": true }), |_| String::new());
        }
        Action::Close { case, why } => {
            turn(&session::client(global)?, Kind::CaseClosed, *case, why).await?;
            out.result(&json!({ "case": case, "closed": true }), |_| String::new());
        }
        Action::Reopen { case, why } => {
            turn(&session::client(global)?, Kind::CaseReopened, *case, why).await?;
            out.result(&json!({ "case": case, "closed": false }), |_| String::new());
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

async fn turn(client: &Client, kind: Kind, case: CaseId, why: &Why) -> Result<(), Failure> {
    let ask = Ask::new(kind, new_op_id()).case(case).fields(fields(&why.fields)?);
    let ask = if let Some(purpose) = &why.purpose { ask.purpose(purpose.clone()) } else { ask };
    client.say(&ask).await?;
    Ok(())
}

/// `kind=value` of `--reference`, as the field that it stands in.
fn parse_reference(text: &str) -> Result<(Code, String), String> {
    let (reference, value) = text.split_once('=').ok_or("a reference is written kind=value")?;
    let field = reference_field(reference).map_err(|error| error.to_string())?;
    Ok((field, value.to_owned()))
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
    lines.extend(case.references.iter().map(|(name, value)| format!("{name:<13} {}", printable(value))));
    lines.extend(case.fields.iter().map(|(name, value)| format!("{name:<13} {}", printable(value))));
    lines.join("\n")
}
