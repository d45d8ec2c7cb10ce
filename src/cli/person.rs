//! `custos person`

use custody::act::{PersonRegistered, RoleChange, VaultRole};
use custody::id::{OrgId, PersonId};
use custody::kind::Kind;
use serde_json::json;

use super::args::code;
use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};
use crate::client::{Ask, Client, new_op_id};

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
        /// Roles in the vault: administrator, registrar, auditor, custodian, investigator
        #[arg(long = "role", value_name = "ROLE", value_parser = role)]
        roles: Vec<VaultRole>,
    },
    /// Every person
    List,
    /// Give a role in the vault
    Grant {
        /// Whom
        person: PersonId,
        /// administrator, registrar, auditor, custodian, investigator
        #[arg(value_parser = role)]
        role: VaultRole,
    },
    /// Take a role in the vault away
    Revoke {
        /// From whom
        person: PersonId,
        /// administrator, registrar, auditor, custodian, investigator
        #[arg(value_parser = role)]
        role: VaultRole,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Add { name, org, roles } => {
            let person = add(&session::client(global)?, name, *org, roles).await?;
            out.result(&json!({ "person": person }), |_| person.to_string());
        }
        Action::List => {
            let persons = session::reader(global)?.persons().await?;
            out.result(&persons, |persons| {
                let row = |p: &crate::api::Person| {
                    let valid = p.keys.iter().filter(|key| key.revoked.is_none()).count();
                    [p.id.clone(), p.name.clone().unwrap_or_default(), p.roles.join(" "), valid.to_string()]
                };
                table(["id", "name", "roles", "keys"], &persons.iter().map(row).collect::<Vec<_>>())
            });
        }
        Action::Grant { person, role } => {
            change(&session::client(global)?, Kind::RoleGranted, *person, *role).await?;
            out.result(&json!({ "person": person, "granted": role }), |_| String::new());
        }
        Action::Revoke { person, role } => {
            change(&session::client(global)?, Kind::RoleRevoked, *person, *role).await?;
            out.result(&json!({ "person": person, "revoked": role }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}

/// Enters a person and grants roles.
pub(crate) async fn add(
    client: &Client,
    name: &str,
    org: OrgId,
    roles: &[VaultRole],
) -> Result<PersonId, Failure> {
    let person = PersonId::new(uuid::Uuid::now_v7());
    let ask = Ask::new(Kind::PersonRegistered, new_op_id())
        .person(person)
        .data(PersonRegistered { org }.to_data())
        .fields([(code("name"), name.to_owned())].into());
    client.say(&ask).await?;
    for role in roles {
        change(client, Kind::RoleGranted, person, *role).await?;
    }
    Ok(person)
}

async fn change(client: &Client, kind: Kind, person: PersonId, role: VaultRole) -> Result<(), Failure> {
    let ask = Ask::new(kind, new_op_id()).person(person).data(RoleChange { role }.to_data());
    client.say(&ask).await?;
    Ok(())
}

fn role(text: &str) -> Result<VaultRole, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "a role is administrator, registrar, auditor, custodian or investigator".into())
}
