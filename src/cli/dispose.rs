//! `custos dispose`: destroying content or personal values, after two persons have agreed.

use std::path::{Path, PathBuf};

use custody::act::{Disclosure, DisposalApproved, DisposalDeclined, DisposalProposed};
use custody::digest::Digest;
use custody::id::{CaseId, Code, ItemId, PersonId};
use custody::kind::Kind;
use serde_json::json;

use super::args::{fields, parse_field};
use super::failure::{Exit, Failure};
use super::files::create_new;
use super::item::{case_of, made};
use super::table::table;
use super::{Global, Out, session};
use crate::api;
use crate::client::{Ask, ClientError, new_op_id};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Ask that something be destroyed: the content of an item, the values in records of a case, all values about a person
    Propose {
        #[command(flatten)]
        what: What,
        /// Records of the case, by hash, whose personal values are meant
        #[arg(long = "record", value_name = "HASH", requires = "case")]
        records: Vec<Digest>,
        /// On what ground, a code such as retention-elapsed, court-order, return-to-owner
        #[arg(long, value_name = "CODE")]
        ground: Code,
        /// Further words: authority=…, reason=…
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = parse_field)]
        fields: Vec<(Code, String)>,
    },
    /// Agree to a proposal of somebody else, with a key of your own; the second agreement carries it out
    Approve {
        /// The proposal: hash of its record
        proposal: Digest,
        /// The role in which you agree; nobody else may have agreed in it
        #[arg(long = "as", value_name = "ROLE")]
        role: Code,
        #[command(flatten)]
        disclosure: Said,
    },
    /// Decline a proposal, or take back your own
    Decline {
        /// The proposal
        proposal: Digest,
    },
    /// A proposal with everything that an approver answers for: bundles exported, approvals, what it waits for
    Show {
        /// The proposal
        proposal: Digest,
    },
    /// What is to be destroyed, or was
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Write the certificate of destruction into a new folder
    Certificate {
        /// The proposal
        proposal: Digest,
        /// New folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// What an approver says on record about the duty to disclose; read `dispose show` first.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Said {
    /// Nothing of it is still to be disclosed to the defence
    #[arg(long)]
    no_disclosure_pending: bool,
    /// The defence has what it must have, by another way than a bundle that was exported for purpose disclosure
    #[arg(long)]
    disclosed_otherwise: bool,
}

/// What is to be destroyed.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// The content of this item
    #[arg(long, value_name = "ID")]
    item: Option<ItemId>,
    /// Personal values in records of this case
    #[arg(long, value_name = "ID", requires = "records")]
    case: Option<CaseId>,
    /// All personal values about this person
    #[arg(long, value_name = "ID")]
    person: Option<PersonId>,
}

/// Whose disposals.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Of {
    /// Of this case
    #[arg(long, value_name = "ID")]
    case: Option<CaseId>,
    /// Of the values about this person
    #[arg(long, value_name = "ID")]
    person: Option<PersonId>,
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Propose { what, records, ground, fields: given } => {
            let client = session::client(global)?;
            let ask = Ask::new(Kind::DisposalProposed, new_op_id()).purpose(ground.clone());
            let mut records = records.clone();
            records.sort_unstable();
            records.dedup();
            let ask = match (what.item, what.case, what.person) {
                (Some(item), ..) => {
                    let found = client.item(item).await?;
                    linked(found.linked.as_deref().unwrap_or_default(), out);
                    ask.case(case_of(&found)?).item(item)
                }
                (_, Some(case), _) => ask.case(case),
                (.., Some(person)) => ask.person(person),
                _ => return Err(Failure::usage("name an item, a case or a person")),
            };
            let data =
                DisposalProposed { records: (!records.is_empty()).then_some(records), retention: None };
            let kept = client.say(&ask.data(data.to_data()).fields(fields(given)?)).await?;
            let proposal = kept.first().map(|kept| kept.checked.record_hash);
            out.result(&json!({ "proposal": proposal }), |_| {
                proposal.map(Digest::to_hex).unwrap_or_default()
            });
        }
        Action::Approve { proposal, role, disclosure } => {
            let client = session::client(global)?;
            let found = client.disposal(*proposal).await?;
            exports(&found, out);
            linked(&found.linked, out);
            let data = DisposalApproved {
                disclosure: if disclosure.disclosed_otherwise {
                    Disclosure::MadeOtherwise
                } else {
                    Disclosure::NonePending
                },
                exports: found.exports,
                proposal: *proposal,
                role: role.clone(),
            };
            let ask = about(Kind::DisposalApproved, &found)?.data(data.to_data());
            client.say(&ask).await?;
            out.result(&json!({ "approved": proposal, "as": role }), |_| String::new());
        }
        Action::Decline { proposal } => {
            let client = session::client(global)?;
            let found = client.disposal(*proposal).await?;
            let data = DisposalDeclined { proposal: *proposal };
            client.say(&about(Kind::DisposalDeclined, &found)?.data(data.to_data())).await?;
            out.result(&json!({ "declined": proposal }), |_| String::new());
        }
        Action::Show { proposal } => {
            let found = session::reader(global)?.disposal(*proposal).await?;
            out.result(&found, show);
            exports(&found, out);
            linked(&found.linked, out);
        }
        Action::List { of } => {
            let client = session::reader(global)?;
            let found = match (of.case, of.person) {
                (Some(case), _) => client.disposals(case).await?,
                (_, Some(person)) => client.disposals_about(person).await?,
                _ => return Err(Failure::usage("name a case or a person")),
            };
            out.result(&found, |found| {
                let row = |d: &api::DisposalInfo| {
                    [d.record.clone(), subject(d), d.ground.clone(), d.stage.clone(), d.waits.join("; ")]
                };
                table(
                    ["proposal", "of", "ground", "stage", "waits for"],
                    &found.iter().map(row).collect::<Vec<_>>(),
                )
            });
        }
        Action::Certificate { proposal, out: folder } => {
            let found = session::reader(global)?.certificate(*proposal).await?;
            write(folder, &found)?;
            out.result(&json!({ "folder": folder }), |_| found.text.clone());
        }
    }
    Ok(Exit::Valid)
}

/// The beginning of an answer to a proposal.
fn about(kind: Kind, found: &api::DisposalInfo) -> Result<Ask, ClientError> {
    let wrong = || ClientError::Protocol("a disposal names an item, a case or a person");
    let ask = Ask::new(kind, new_op_id());
    match (&found.case, &found.item, &found.person) {
        (Some(case), item, None) => {
            let ask = ask.case(case.parse().map_err(|_| wrong())?);
            match item {
                Some(item) => Ok(ask.item(item.parse().map_err(|_| wrong())?)),
                None => Ok(ask),
            }
        }
        (None, None, Some(person)) => Ok(ask.person(person.parse().map_err(|_| wrong())?)),
        _ => Err(wrong()),
    }
}

fn subject(found: &api::DisposalInfo) -> String {
    match (&found.item, &found.person) {
        (Some(item), _) => format!("content of item {item}"),
        (_, Some(person)) => format!("values about person {person}"),
        _ => format!("values in {} record(s)", found.records.len()),
    }
}

fn show(found: &api::DisposalInfo) -> String {
    let mut lines = vec![
        format!("of        {}", subject(found)),
        format!("ground    {}", found.ground),
        format!("proposer  {}", found.proposer.as_deref().unwrap_or("the vault")),
        format!("stage     {}", found.stage),
    ];
    lines.extend(found.approvals.iter().map(|a| format!("approved  {} as {}", a.person, a.role)));
    lines.extend(found.waits.iter().map(|wait| format!("waits for {wait}")));
    lines.push(format!("exported  {} bundle(s)", found.exports));
    if found.pending > 0 {
        let named = found.pending_cases.join(", ");
        lines.push(format!(
            "undisclosed  {} case(s) whose defence got no bundle of it, as far as records say: {named}",
            found.pending
        ));
    }
    lines.join("\n")
}

/// What an approver answers for.
fn exports(found: &api::DisposalInfo, out: Out) {
    if found.case.is_some() {
        out.say(&format!(
            "{} bundle(s) of the case were exported: those who have one may rely on the vault",
            found.exports
        ));
    }
    for export in &found.exported {
        out.say(&format!(
            "  record {}, {}, by {}, for {}",
            export.index, export.received, export.actor, export.purpose
        ));
    }
    if found.in_no_bundle > 0 {
        out.say(&format!(
            "{} restricted item(s) of the case were in none of these but sealed to a court",
            found.in_no_bundle
        ));
    }
    if !found.exported.is_empty() {
        out.say("that a bundle was fetched or handed over is on no record: ask");
    }
}

/// What is not destroyed with it.
fn linked(found: &[api::LinkedInfo], out: Out) {
    if found.iter().any(|linked| linked.held) {
        out.say("made from it, and NOT destroyed with it; propose each by itself:");
    }
    found.iter().filter(|linked| linked.held).for_each(|linked| out.say(&format!("  {}", made(linked))));
}

fn write(folder: &Path, found: &api::DestructionCertificate) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot make {}", folder.display())).because(&error).hint("name a new folder")
    };
    std::fs::create_dir(folder).map_err(failed)?;
    let files: [(&str, &[u8]); 5] = [
        ("certificate.json", &found.body.0),
        ("certificate.signed", &found.signed.0),
        ("certificate.sig", &found.signature.0),
        ("certificate.txt", found.text.as_bytes()),
        ("vault.pem", found.key.as_bytes()),
    ];
    for (name, bytes) in files {
        use std::io::Write as _;
        let mut file = create_new(&folder.join(name))?;
        file.write_all(bytes).map_err(failed)?;
    }
    Ok(())
}
