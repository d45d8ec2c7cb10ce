//! `custos key`

use std::path::{Path, PathBuf};

use custody::act::RecipientNamed;
use custody::age::Identity;
use custody::digest::Digest;
use custody::envelope::key_hash;
use custody::kind::Kind;
use serde_json::json;

use super::args::Vault;
use super::failure::{Exit, Failure};
use super::files::{new_passphrase, secret_from};
use super::table::table;
use super::{Global, Out, kit, session};
use crate::api;
use crate::app::{Rotated, next_log_key, rotate_log_key};
use crate::client::{Ask, Client, key, new_op_id, secret};
use crate::engine::OsEntropy;
use crate::keyring::provider;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make a key in a new file
    Generate {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Protect it with a passphrase, which is asked for
        #[arg(long)]
        passphrase: bool,
        /// Protect it with the passphrase in this file (mode 0600), or - for stdin
        #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
        passphrase_file: Option<PathBuf>,
    },
    /// Enrol a further key of your own, vouched with your present one (the first registrar's first: by the vault)
    Enroll {
        /// The key's file; without it a new key is made beside the profile
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// For the first registrar's first key: how you who run the vault made sure whose key it is. Reports doubt a
        /// key that nobody looked at. A further key is vouched for by the one before
        #[arg(long, value_parser = ["in-person", "voice", "none"], default_value = "none")]
        checked: String,
        /// Revoke your present key once the new one is enrolled. Keep its file: restricted items that were sealed to it open
        /// with it alone (key identity, open --paper)
        #[arg(long)]
        replace: bool,
    },
    /// The keys of a person, yours by default
    List {
        /// Whose
        #[arg(long, value_name = "ID")]
        person: Option<custody::id::PersonId>,
    },
    /// Call a key of yours something, such as laptop; you see it in `key list`, and so does whoever may revoke your keys
    Name {
        /// H(public key), as `key list` shows it
        key: Digest,
        /// What it is called; without it, it has no name any more
        name: Option<String>,
    },
    /// Name the recipient that goes with your key, so that restricted items can be sealed to you; once a key
    Recipient,
    /// Write the identity that opens what is sealed to you, for stock `age`: a secret as great as your key
    Identity {
        /// New file (mode 0600)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make the two papers of a recovery pair for restricted items, each to be printed, given to another person, and its
    /// file destroyed; prints their recipients
    Paper {
        /// New folder for the two files (mode 0600)
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// End a key: your own, or as registrar anybody's
    Revoke {
        /// H(public key), as `key list` shows it
        key: Digest,
    },
    /// Replace the key with which the log of the vault on this machine signs. Stop the service first, and tell its
    /// witnesses the next key before: --prepare makes and prints it
    RotateLog {
        /// Only make the next key, if there is none yet, and print it for witnesses and policies
        #[arg(long)]
        prepare: bool,
        #[command(flatten)]
        vault: Box<Vault>,
    },
    /// Make a new version of the key that wraps all keys of the vault on this machine, wrap them by it, and destroy the
    /// versions before: what was disposed of cannot be opened with copies of the database any more. Stop the service
    /// first. What breaks off is gone on with when the command is repeated
    RotateKek {
        #[command(flatten)]
        vault: Box<Vault>,
    },
    /// Vouch for the key of somebody you invited; without an id: show what waits
    Approve {
        /// The enrolment's id
        enrolment: Option<String>,
    },
    /// Make a recovery kit of the vault on this machine: a sheet to print, and a file; together they bring its keys back
    RecoverySheet(kit::Sheet),
    /// Show that a printed recovery sheet opens its kit and that it holds the vault's keys; until then the vault takes no
    /// evidence
    CheckRecovery(kit::Check),
    /// Make the keys of a vault again from a recovery kit, where they are lost
    RecoverKeys(kit::Recover),
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    match action {
        Action::Generate { out: path, passphrase, passphrase_file } => {
            let passphrase = match passphrase_file {
                Some(file) => Some(secret_from(file, "passphrase")?),
                None => passphrase.then(|| new_passphrase("passphrase for the new key: ")).transpose()?,
            };
            let new = key::generate()?;
            key::create(path, &new, passphrase)?;
            let public = new.verifying_key();
            let shown = json!({
                "file": path, "public": hex::encode(public.as_bytes()), "key": key_hash(&public),
            });
            out.result(&shown, |_| key_hash(&public).to_hex());
        }
        Action::Enroll { key_file, checked, replace } => {
            let former = session::client(global)?.key_hash().filter(|_| *replace);
            enroll(global, key_file.as_ref(), checked, out).await?;
            if let Some(former) = former {
                session::client(global)?.revoke_key(former).await?;
                out.say(&format!("{former} is revoked"));
            }
        }
        Action::List { person } => {
            let client = session::reader(global)?;
            let person = client.person_of(person.unwrap_or(client.person())).await?;
            out.result(&person.keys, |keys| {
                let row = |key: &api::PersonKey| {
                    let state = key.revoked.map_or("valid".to_owned(), |at| format!("revoked at {at}"));
                    let name = key.name.clone().unwrap_or_default();
                    [key.hash.clone(), name, key.checked.clone(), key.voucher.clone(), state]
                };
                table(
                    ["key", "name", "checked", "voucher", "state"],
                    &keys.iter().map(row).collect::<Vec<_>>(),
                )
            });
        }
        Action::Name { key, name } => {
            let named = session::client(global)?.name_key(*key, name.clone()).await?;
            out.result(&json!({ "key": key, "name": named.name }), |_| String::new());
        }
        Action::Recipient => name_recipient(global, out).await?,
        Action::Identity { out: path } => {
            let identity = own_identity(&session::client(global)?)?;
            secret::write(path, &identity.expose())?;
            let recipient = identity.recipient();
            out.result(&json!({ "file": path, "recipient": recipient }), |_| recipient.to_string());
        }
        Action::Paper { out: folder } => paper(folder, out)?,
        Action::Revoke { key } => {
            session::client(global)?.revoke_key(*key).await?;
            out.result(&json!({ "revoked": key }), |_| String::new());
        }
        Action::RotateLog { prepare, vault } => rotate_log(global, *prepare, vault, out).await?,
        Action::RotateKek { vault } => rotate_kek(global, vault, out).await?,
        Action::Approve { enrolment } => approve(global, enrolment.as_deref(), out).await?,
        Action::RecoverySheet(args) => kit::sheet(global, args, out).await?,
        Action::CheckRecovery(args) => kit::check(global, args, out).await?,
        Action::RecoverKeys(args) => kit::recover(global, args, out)?,
    }
    Ok(Exit::Valid)
}

async fn rotate_log(global: &Global, prepare: bool, vault: &Vault, out: Out) -> Result<(), Failure> {
    let (config, passphrase) =
        if prepare { vault.open(global)? } else { vault.open_unserved(global).await? };
    let keys = provider(passphrase.clone());
    if prepare {
        let next = next_log_key(&config, passphrase).await?;
        out.result(&json!({ "next_log_vkey": next.to_string() }), |_| next.to_string());
        out.say("give this key to the operators of your witnesses (custos witness add), then rotate");
    } else {
        let Rotated { previous, log_vkey, index, before } = rotate_log_key(&config, passphrase).await?;
        let shown = json!({
            "log_vkey": log_vkey.to_string(), "previous": previous.to_string(), "index": index, "before": before,
        });
        out.result(&shown, |_| log_vkey.to_string());
        out.say(&if before {
            format!(
                "nothing was changed: the log has this key since record {index}. For another one, make it first: custos \
                 key rotate-log --prepare"
            )
        } else {
            format!(
                "record {index} says so: the key before signs nothing more. Start the service again, and make a backup"
            )
        });
    }
    kit::remind(&config, keys.as_ref(), out).await;
    Ok(())
}

async fn rotate_kek(global: &Global, vault: &Vault, out: Out) -> Result<(), Failure> {
    let (config, passphrase) = vault.open_unserved(global).await?;
    let keys = provider(passphrase.clone());
    let rotated = crate::app::rotate_kek(&config, passphrase).await?;
    out.result(&rotated, |rotated| format!("kek/{}", rotated.kek));
    let destroyed: Vec<_> = rotated.destroyed.iter().map(|version| format!("kek/{version}")).collect();
    out.say(&format!(
        "{} keys are wrapped by kek/{} now; destroyed: {}. Start the service again, and make a backup",
        rotated.rewrapped,
        rotated.kek,
        if destroyed.is_empty() { "none".to_owned() } else { destroyed.join(", ") },
    ));
    kit::remind(&config, keys.as_ref(), out).await;
    Ok(())
}

async fn enroll(global: &Global, key_file: Option<&PathBuf>, checked: &str, out: Out) -> Result<(), Failure> {
    let mut profile = session::profile(global)?;
    let client = session::client(global)?;
    let path = match key_file {
        Some(path) => std::path::absolute(path)
            .map_err(|error| Failure::new("cannot find the key file").because(&error))?,
        None => free_name(&profile.path().with_extension("key"))?,
    };
    let new = if key_file.is_some() {
        session::open_key(&path)?
    } else {
        let new = key::generate()?;
        key::create(&path, &new, None)?;
        new
    };
    client.enrol_key(&new, checked).await?;
    profile.set_key(&path)?;
    let hash = key_hash(&new.verifying_key());
    out.result(&json!({ "key": hash, "file": path }), |_| hash.to_hex());
    Ok(())
}

fn own_identity(client: &Client) -> Result<Identity, Failure> {
    client
        .identity()
        .ok_or_else(|| Failure::new("there is no key of your own on this device").hint("custos key enroll"))
}

async fn name_recipient(global: &Global, out: Out) -> Result<(), Failure> {
    let client = session::client(global)?;
    let recipient = own_identity(&client)?.recipient();
    let hash = client.key_hash().map(|hash| hash.to_string());
    let own = client.person_of(client.person()).await?;
    let named =
        own.keys.iter().find(|key| Some(&key.hash) == hash.as_ref()).and_then(|key| key.recipient.clone());
    if named.is_none() {
        let ask = Ask::new(Kind::RecipientNamed, new_op_id()).person(client.person());
        client.say(&ask.data(RecipientNamed { recipient }.to_data())).await?;
    } else if named != Some(recipient.to_string()) {
        return Err(Failure::new(
            "another recipient is on record for this key: enrol a new key, and revoke this one",
        ));
    }
    out.result(&json!({ "recipient": recipient }), |_| recipient.to_string());
    Ok(())
}

fn paper(folder: &Path, out: Out) -> Result<(), Failure> {
    std::fs::create_dir(folder)
        .map_err(|error| Failure::new(format!("cannot make {}", folder.display())).because(&error))?;
    let mut recipients = Vec::new();
    for n in [1, 2] {
        let identity = Identity::make(&mut OsEntropy);
        let recipient = identity.recipient();
        let file = folder.join(format!("paper-{n}.txt"));
        secret::write(&file, &identity.expose())?;
        recipients.push(recipient);
    }
    out.result(&json!({ "recipients": recipients, "folder": folder }), |_| {
        recipients.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    });
    out.say(
        "print each on its own sheet, give them to two people, destroy the files; then seal with --recovery",
    );
    Ok(())
}

async fn approve(global: &Global, enrolment: Option<&str>, out: Out) -> Result<(), Failure> {
    let client = session::client(global)?;
    let waiting = client.enrolments().await?;
    let hash = |enrolment: &api::Enrolment| {
        hex::decode(&enrolment.key).map(|key| Digest::of(&key).to_hex()).unwrap_or_default()
    };
    let Some(id) = enrolment else {
        out.result(&waiting, |waiting| {
            let row = |e: &api::Enrolment| [e.id.clone(), e.name.clone().unwrap_or_default(), hash(e)];
            table(["id", "name", "key"], &waiting.iter().map(row).collect::<Vec<_>>())
        });
        out.say("compare each key with what the person reads to you, then: custos key approve ID");
        return Ok(());
    };
    let Some(found) = waiting.iter().find(|enrolment| enrolment.id == id) else {
        return Err(Failure::new("no such enrolment waits for you")
            .exits(Exit::NotFound)
            .hint("custos key approve"));
    };
    client.approve(found).await?;
    out.result(&json!({ "person": found.person, "key": hash(found) }), |_| hash(found));
    Ok(())
}

/// `name.key`, or else `name-2.key`, `name-3.key`, …
fn free_name(path: &std::path::Path) -> Result<PathBuf, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    std::iter::once(path.to_owned())
        .chain((2..100).map(|n| path.with_file_name(format!("{stem}-{n}.key"))))
        .find(|path| !path.exists())
        .ok_or_else(|| Failure::new("there are a hundred keys beside this profile"))
}
