//! Certificates and providers that people sign in with: which key, and whose name elsewhere, is which person's.

use custody::digest::Digest;
use custody::id::PersonId;
use custody::time::Timestamp;
use uuid::Uuid;

use super::db::Tx;
use super::error::StoreError;
use super::row::{Row, Value};
use super::sql::signin;

/// Most certificates of one person.
pub const MAX_CERTIFICATES: usize = 20;
/// Most names at providers of one person.
pub const MAX_LINKS: usize = 20;

/// A certificate, by its key: a renewed one of the same key is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// What it is removed by.
    pub id: Uuid,
    /// SHA-256 of its public key (`SubjectPublicKeyInfo`).
    pub key: Digest,
    /// Whose.
    pub person: PersonId,
    /// What the person called it.
    pub label: String,
    /// Since when.
    pub created: Timestamp,
    /// Last used when, to the minute.
    pub used: Option<Timestamp>,
}

/// A change of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateChange {
    /// A new one; too late if its key is known, or its person has as many as there may be.
    Add(CertificateRow),
    /// It is in use.
    Touch {
        /// Which.
        id: Uuid,
        /// When.
        now: Timestamp,
    },
    /// It goes; too late if it is gone.
    Remove {
        /// Which.
        id: Uuid,
        /// Whose.
        person: PersonId,
    },
}

/// Who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// What it is removed by.
    pub id: Uuid,
    /// Keyed hash of the issuer and of its name for the person.
    pub subject: Digest,
    /// Whose.
    pub person: PersonId,
    /// What the configuration called the provider.
    pub provider: String,
    /// Since when.
    pub created: Timestamp,
    /// Last used when.
    pub used: Option<Timestamp>,
}

/// A change of who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkChange {
    /// A new one; too late if somebody has it, or its person has as many as there may be.
    Add(LinkRow),
    /// It signs in; too late if it is gone.
    Use {
        /// Which.
        id: Uuid,
        /// When.
        now: Timestamp,
    },
    /// It goes; too late if it is gone.
    Remove {
        /// Which.
        id: Uuid,
        /// Whose.
        person: PersonId,
    },
}

impl Tx {
    /// The certificate with this key, unless its person is suspended.
    pub async fn certificate(&mut self, key: &Digest) -> Result<Option<CertificateRow>, StoreError> {
        let row = self.one(signin::CERTIFICATE, vec![Value::digest(key)]).await?;
        row.as_ref().map(certificate).transpose()
    }

    /// A person's certificates.
    pub async fn certificates_of(&mut self, person: PersonId) -> Result<Vec<CertificateRow>, StoreError> {
        let rows = self.all(signin::CERTIFICATES_OF_PERSON, vec![Value::text(person)]).await?;
        rows.iter().map(certificate).collect()
    }

    /// Who this is, unless suspended.
    pub async fn link(&mut self, subject: &Digest) -> Result<Option<LinkRow>, StoreError> {
        self.one(signin::LINK, vec![Value::digest(subject)]).await?.as_ref().map(link).transpose()
    }

    /// Who a person is at providers.
    pub async fn links_of(&mut self, person: PersonId) -> Result<Vec<LinkRow>, StoreError> {
        let rows = self.all(signin::LINKS_OF_PERSON, vec![Value::text(person)]).await?;
        rows.iter().map(link).collect()
    }

    pub(super) async fn change_certificate(&mut self, change: &CertificateChange) -> Result<u64, StoreError> {
        match change {
            CertificateChange::Add(row) => {
                if self.certificates_of(row.person).await?.len() >= MAX_CERTIFICATES {
                    return Ok(0);
                }
                let params = vec![
                    Value::text(row.id),
                    Value::digest(&row.key),
                    Value::text(row.person),
                    Value::text(&row.label),
                    Value::time(row.created),
                ];
                self.run(signin::ADD_CERTIFICATE, params).await
            }
            CertificateChange::Touch { id, now } => {
                // Whoever asks twice at the same time is seen once.
                self.run(signin::TOUCH_CERTIFICATE, vec![Value::time(*now), Value::text(id)]).await?;
                Ok(1)
            }
            CertificateChange::Remove { id, person } => {
                self.run(signin::REMOVE_CERTIFICATE, vec![Value::text(id), Value::text(person)]).await
            }
        }
    }

    pub(super) async fn change_link(&mut self, change: &LinkChange) -> Result<u64, StoreError> {
        match change {
            LinkChange::Add(row) => {
                if self.links_of(row.person).await?.len() >= MAX_LINKS {
                    return Ok(0);
                }
                let params = vec![
                    Value::text(row.id),
                    Value::digest(&row.subject),
                    Value::text(row.person),
                    Value::text(&row.provider),
                    Value::time(row.created),
                ];
                self.run(signin::ADD_LINK, params).await
            }
            LinkChange::Use { id, now } => {
                self.run(signin::USE_LINK, vec![Value::time(*now), Value::text(id)]).await
            }
            LinkChange::Remove { id, person } => {
                self.run(signin::REMOVE_LINK, vec![Value::text(id), Value::text(person)]).await
            }
        }
    }

    /// Removes all certificates of a person, and who they are at providers; how many.
    pub(super) async fn remove_outside(&mut self, person: PersonId) -> Result<u64, StoreError> {
        let certificates = self.run(signin::REMOVE_CERTIFICATES, vec![Value::text(person)]).await?;
        Ok(certificates + self.run(signin::REMOVE_LINKS, vec![Value::text(person)]).await?)
    }
}

fn certificate(row: &Row) -> Result<CertificateRow, StoreError> {
    Ok(CertificateRow {
        id: row.parse(0)?,
        key: row.digest(1)?,
        person: row.parse(2)?,
        label: row.text(3)?,
        created: row.time(4)?,
        used: row.opt_time(5)?,
    })
}

fn link(row: &Row) -> Result<LinkRow, StoreError> {
    Ok(LinkRow {
        id: row.parse(0)?,
        subject: row.digest(1)?,
        person: row.parse(2)?,
        provider: row.text(3)?,
        created: row.time(4)?,
        used: row.opt_time(5)?,
    })
}
