//! `custos person`

use custody::act::{PersonRegistered, PersonSuspended, RoleChange, RoleGranted, VaultRole};
use custody::id::{Code, OrgId, PersonId};
use custody::json::Object;
use custody::kind::Kind;
use serde_json::json;

use super::args::{TermArgs, code, fields, parse_field, terms};
use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};
use crate::client::{Ask, Client, new_op_id};
use crate::notices::is_address;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Enter a person
    Add {
        /// The person's name
        name: String,
        /// The person's organisation
        #[arg(long, value_name = "ID")]
        org: OrgId,
        /// Where letters go that say that something waits, if this vault sends them
        #[arg(long, value_name = "ADDRESS", value_parser = address)]
        email: Option<String>,
        /// Roles in the vault: administrator, registrar, auditor, custodian, investigator
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<VaultRole>,
    },
    /// Every person
    List,
    /// End somebody's tokens, keys and readings at once: oneself, a colleague of one's organisation, or as administrator
    /// or registrar anybody
    Suspend {
        /// Whom
        person: PersonId,
        /// Why, a code such as loss or duress
        #[arg(long, value_name = "CODE")]
        purpose: Option<Code>,
        /// Record from which on it is not sure who spoke: whatever the person said since then is reported as suspect
        #[arg(long, value_name = "INDEX")]
        suspect_from: Option<u64>,
        /// Facts about it: notes=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Let somebody speak again who was suspended; it takes a new invitation to come back in
    Restore {
        /// Whom
        person: PersonId,
    },
    /// Give a role in the vault
    Grant {
        /// Whom
        person: PersonId,
        /// administrator, registrar, auditor, custodian, investigator
        role: VaultRole,
        #[command(flatten)]
        term: TermArgs,
    },
    /// Take a role in the vault away
    Revoke {
        /// From whom
        person: PersonId,
        /// administrator, registrar, auditor, custodian, investigator
        role: VaultRole,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Add { name, org, email, roles } => {
            let person = add(&session::client(global)?, name, *org, email.as_deref(), roles).await?;
            out.result(&json!({ "person": person }), |_| person.to_string());
        }
        Action::List => {
            let persons = session::reader(global)?.persons().await?;
            out.result(&persons, |persons| {
                let row = |p: &crate::api::Person| {
                    let valid = p.keys.iter().filter(|key| key.revoked.is_none()).count();
                    let suspended = if p.suspended { "suspended" } else { "" };
                    let name = p.name.clone().unwrap_or_default();
                    [
                        p.id.clone(),
                        name,
                        p.roles.join(" "),
                        terms(&p.terms),
                        valid.to_string(),
                        suspended.to_owned(),
                    ]
                };
                table(
                    ["id", "name", "roles", "for a time", "keys", ""],
                    &persons.iter().map(row).collect::<Vec<_>>(),
                )
            });
        }
        Action::Suspend { person, purpose, suspect_from, fields: given } => {
            let data = PersonSuspended { suspect_from: *suspect_from }.to_data();
            let ask = Ask::new(Kind::PersonSuspended, new_op_id()).person(*person).data(data);
            let ask = ask.fields(fields(given)?);
            let ask = if let Some(purpose) = purpose { ask.purpose(purpose.clone()) } else { ask };
            session::client(global)?.say(&ask).await?;
            out.result(&json!({ "person": person, "suspended": true }), |_| String::new());
        }
        Action::Restore { person } => {
            let ask = Ask::new(Kind::PersonRestored, new_op_id()).person(*person);
            session::client(global)?.say(&ask).await?;
            out.result(&json!({ "person": person, "suspended": false }), |_| String::new());
        }
        Action::Grant { person, role, term } => {
            let data = RoleGranted { from: term.from, role: *role, until: term.until };
            change(&session::client(global)?, Kind::RoleGranted, *person, data.to_data()).await?;
            out.result(&json!({ "person": person, "granted": role }), |_| String::new());
        }
        Action::Revoke { person, role } => {
            change(
                &session::client(global)?,
                Kind::RoleRevoked,
                *person,
                RoleChange { role: *role }.to_data(),
            )
            .await?;
            out.result(&json!({ "person": person, "revoked": role }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}

/// `--email`
fn address(text: &str) -> Result<String, String> {
    if is_address(text) { Ok(text.to_owned()) } else { Err("an address is like ben@example.org".to_owned()) }
}

/// Enters a person and grants roles.
pub(crate) async fn add(
    client: &Client,
    name: &str,
    org: OrgId,
    email: Option<&str>,
    roles: &[VaultRole],
) -> Result<PersonId, Failure> {
    let person = PersonId::new(uuid::Uuid::now_v7());
    let email = email.map(|email| (code("email"), email.to_owned()));
    let ask = Ask::new(Kind::PersonRegistered, new_op_id())
        .person(person)
        .data(PersonRegistered { org }.to_data())
        .fields([(code("name"), name.to_owned())].into_iter().chain(email).collect());
    client.say(&ask).await?;
    for role in roles {
        let data = RoleGranted { from: None, role: *role, until: None };
        change(client, Kind::RoleGranted, person, data.to_data()).await?;
    }
    Ok(person)
}

async fn change(client: &Client, kind: Kind, person: PersonId, data: Object) -> Result<(), Failure> {
    client.say(&Ask::new(kind, new_op_id()).person(person).data(data)).await?;
    Ok(())
}
