//! Certificates: a machine's way in. Whoever has the key of one that was bound to a person is that person, in each request
//! over a connection that shows it.
//!
//! What is bound is the key and never a name in the certificate: names are the authority's, not the vault's. Whoever binds one
//! shows it on the connection that this is asked with, and so has its key. Nobody binds one for somebody else.

use custody::digest::Digest;
use custody::id::PersonId;
use uuid::Uuid;

use super::By;
use crate::api;
use crate::app::refuse::Place;
use crate::app::token::check_label;
use crate::app::{App, AppError, SignedIn};
use crate::store::{CertificateChange, CertificateRow, Change, CredentialChange, MAX_CERTIFICATES};

/// Use is written down once a minute.
const SEEN_EVERY_MS: i64 = 60 * 1_000;

impl App {
    /// Who has the certificate with this key, which the connection showed and which counts.
    pub async fn sign_in_by_certificate(&self, key: Digest) -> Result<SignedIn, AppError> {
        let found = self.store.read().await?.certificate(&key).await?;
        let row = found.ok_or(AppError::Unauthenticated)?;
        let now = self.clock.now();
        if row.used.is_none_or(|used| used.saturating_add_millis(SEEN_EVERY_MS) <= now) {
            let touch = CertificateChange::Touch { id: row.id, now };
            self.store.apply(&[Change::Credential(CredentialChange::Certificate(touch))]).await?;
            tracing::info!(target: "security", person = %row.person, method = "certificate", "signed in");
        }
        let by = By::Certificate { id: row.id, label: row.label };
        Ok(SignedIn { person: row.person, by, enrolment: None })
    }

    /// Refuses, on record where somebody has it, a certificate that the connection showed and that has been revoked, or has
    /// run out, since.
    pub async fn refuse_certificate(&self, key: Digest) -> Result<SignedIn, AppError> {
        if let Some(row) = self.store.read().await?.certificate(&key).await? {
            self.deny(row.person, Place::VAULT, "sign-in", "certificate-refused").await?;
        }
        Err(AppError::Unauthenticated)
    }

    /// Binds the certificate with this key, which the connection showed, to whoever asks.
    pub async fn add_certificate(
        &self,
        who: &SignedIn,
        key: Option<Digest>,
        new: &api::NewCertificate,
    ) -> Result<api::CertificateInfo, AppError> {
        if matches!(who.by, By::Certificate { .. }) {
            // What was stolen would be followed by what nobody knows to be.
            self.deny(who.person, Place::VAULT, "certificate-added", AppError::Unconfirmed.code()).await?;
            return Err(AppError::Unconfirmed);
        }
        self.may_set_up(who, "certificate-added").await?;
        check_label(&new.label)?;
        let key = key.ok_or_else(|| {
            AppError::Invalid("a certificate is added over a connection that shows it".to_owned())
        })?;
        if self.store.read().await?.certificates_of(who.person).await?.len() >= MAX_CERTIFICATES {
            return Err(AppError::Invalid("one has at most 20 certificates: remove one first".to_owned()));
        }
        let row = CertificateRow {
            id: Uuid::now_v7(),
            key,
            person: who.person,
            label: new.label.clone(),
            created: self.clock.now(),
            used: None,
        };
        let view = view(&row);
        self.set_up(who, vec![CredentialChange::Certificate(CertificateChange::Add(row))]).await?;
        tracing::info!(target: "security", person = %who.person, key = %key, "certificate added");
        Ok(view)
    }

    /// Removes one of one's own certificates: after a second factor, or the very one that this is asked with, which lets
    /// nobody in.
    pub async fn remove_certificate(&self, who: &SignedIn, id: Uuid) -> Result<(), AppError> {
        let itself = matches!(&who.by, By::Certificate { id: own, .. } if *own == id);
        if !itself {
            self.may_set_up(who, "certificate-removed").await?;
        }
        let rows = self.store.read().await?.certificates_of(who.person).await?;
        if !rows.iter().any(|row| row.id == id) {
            return Err(AppError::NotFound("certificate"));
        }
        let remove = CertificateChange::Remove { id, person: who.person };
        self.set_up(who, vec![CredentialChange::Certificate(remove)]).await?;
        tracing::info!(target: "security", person = %who.person, "certificate removed");
        Ok(())
    }

    /// A person's certificates.
    pub(super) async fn certificates(&self, person: PersonId) -> Result<Vec<api::CertificateInfo>, AppError> {
        Ok(self.store.read().await?.certificates_of(person).await?.iter().map(view).collect())
    }
}

fn view(row: &CertificateRow) -> api::CertificateInfo {
    api::CertificateInfo {
        id: row.id.to_string(),
        label: row.label.clone(),
        key: row.key.to_hex(),
        created: row.created.to_string(),
        used: row.used.map(|used| used.to_string()),
    }
}
