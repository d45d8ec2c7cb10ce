//! `custos certificate`

use serde_json::json;

use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, session};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// One's own certificates
    List,
    /// Make the certificate of this profile one's own: it signs in from now on
    Add {
        /// What it is called in the list
        #[arg(long, default_value = "command line")]
        label: String,
    },
    /// Remove a certificate: it signs in no longer
    Remove {
        /// Its id
        id: String,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    match action {
        Action::List => {
            let certificates = client.credentials().await?.certificates;
            out.result(&certificates, |certificates| {
                let row = |c: &crate::api::CertificateInfo| {
                    [&c.id, &c.label, &c.key, &c.created, c.used.as_ref().unwrap_or(&"-".to_owned())]
                        .map(ToString::to_string)
                };
                let rows: Vec<_> = certificates.iter().map(row).collect();
                table(["id", "label", "key", "since", "used"], &rows)
            });
        }
        Action::Add { label } => {
            let added = client.add_certificate(label).await?;
            out.result(&added, |added| added.id.clone());
        }
        Action::Remove { id } => {
            client.remove_certificate(id).await?;
            out.result(&json!({ "removed": id }), |_| String::new());
        }
    }
    Ok(Exit::Valid)
}
