//! What people sign in with, and what is counted and begun on the way.

use custody::digest::Digest;
use custody::id::PersonId;
use custody::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use super::outside::{CertificateChange, LinkChange};
use super::passkeys::PasskeyChange;
use super::row::{Row, Value};
use super::sql::signin;

/// A password with the device that gives codes: neither is there without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRow {
    /// Whose.
    pub person: PersonId,
    /// Keyed hash of the name that the person signs in with.
    pub name: Digest,
    /// The hashed password, sealed.
    pub hash: Vec<u8>,
    /// The secret that codes are made from, sealed.
    pub codes: Vec<u8>,
    /// Time step of the last code that counted.
    pub step: u64,
    /// When either was last changed.
    pub changed: Timestamp,
}

/// Failed attempts of one sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guesses {
    /// Keyed hash of whose or from where.
    pub subject: Digest,
    /// How many.
    pub failures: u64,
    /// The last one.
    pub last: Timestamp,
    /// Until when no other is looked at.
    pub until: Timestamp,
}

/// Something begun that is finished once, soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Hash of the secret that it is finished with.
    pub hash: Digest,
    /// What.
    pub kind: ChallengeKind,
    /// Who began it; nobody for strangers.
    pub person: Option<PersonId>,
    /// What the vault needs to finish it, sealed.
    pub state: Vec<u8>,
    /// Until when it can be finished.
    pub expires: Timestamp,
}

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChallengeKind {
    /// A device that is to give codes.
    Codes,
    /// A passkey that is to be made.
    NewPasskey,
    /// A passkey that is to be shown, to sign in.
    Passkey,
    /// A passkey that somebody who is signed in is to show.
    Confirm,
    /// Whoever a provider says it is, to be signed in.
    Provider,
    /// Whoever a provider says it is, to be linked to who asks.
    NewLink,
}

/// A second factor that counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// A code of this time step.
    Code(u64),
    /// The recovery code with this hash.
    Recovery(Digest),
}

/// A change of what people sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialChange {
    /// The first password; too late if there is one, or somebody else has the name.
    FirstPassword(PasswordRow),
    /// Another name and password; too late if they were changed since `before`. The device stays, and what it has used up.
    ChangePassword {
        /// The password; of its device nothing is taken.
        row: PasswordRow,
        /// When it was last changed.
        before: Timestamp,
    },
    /// Another device, for the password that is there.
    ChangeDevice {
        /// Whose.
        person: PersonId,
        /// Its secret, sealed.
        codes: Vec<u8>,
        /// The step of the code that it was shown with.
        step: u64,
    },
    /// What was known of browsers is forgotten, and what was begun ends.
    ForgetDevices(PersonId),
    /// New recovery codes, by their hashes, in the place of all before; too late if there is no password.
    SetRecoveryCodes {
        /// Whose.
        person: PersonId,
        /// Their hashes.
        hashes: Vec<Digest>,
    },
    /// Password and codes go; too late if there are none.
    RemovePassword(PersonId),
    /// Whoever sets something up waits for others who do so for the same person; too late if the person is suspended or
    /// already has what must not be there.
    Turn {
        /// Whose.
        person: PersonId,
        /// Nothing to sign in with may be there: no password, no certificate, nobody's name at a provider, and no passkey of
        /// whichever host: the vault may go back to it.
        first: bool,
    },
    /// A second factor counts, and does not again; too late if it did, or the password is no longer what it was.
    Spend {
        /// Whose.
        person: PersonId,
        /// Which.
        factor: Factor,
        /// When the password that came with it was last changed.
        changed: Timestamp,
        /// When.
        now: Timestamp,
    },
    /// A browser that somebody signed in with; of twenty-one the one longest not seen is forgotten.
    SeeDevice {
        /// Hash of its secret.
        hash: Digest,
        /// Who.
        person: PersonId,
        /// When.
        now: Timestamp,
    },
    /// A passkey.
    Passkey(PasskeyChange),
    /// A certificate.
    Certificate(CertificateChange),
    /// Who somebody is at a provider.
    Link(LinkChange),
    /// Something begins; of ten of a sort that one person has begun the one that ends first is forgotten.
    Begin(Challenge),
    /// It is finished; too late if it was.
    Finish(Digest),
    /// What has run out is removed.
    Forget {
        /// When challenges have run out.
        now: Timestamp,
        /// When failures are too old to count.
        guesses: Timestamp,
        /// When devices were not seen for too long.
        devices: Timestamp,
    },
}

impl Tx {
    /// The password of whoever signs in with this name.
    pub async fn password_by_name(&mut self, name: &Digest) -> Result<Option<PasswordRow>, StoreError> {
        self.one(signin::PASSWORD_BY_NAME, vec![Value::digest(name)])
            .await?
            .as_ref()
            .map(password)
            .transpose()
    }

    /// The password of a person.
    pub async fn password_of(&mut self, person: PersonId) -> Result<Option<PasswordRow>, StoreError> {
        self.one(signin::PASSWORD_OF_PERSON, vec![Value::text(person)])
            .await?
            .as_ref()
            .map(password)
            .transpose()
    }

    /// Whether this is a recovery code of the person's that has not counted yet.
    pub async fn has_recovery_code(&mut self, person: PersonId, hash: &Digest) -> Result<bool, StoreError> {
        let found = self.one(signin::RECOVERY_CODE, vec![Value::digest(hash), Value::text(person)]).await?;
        Ok(found.is_some())
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes_left(&mut self, person: PersonId) -> Result<u64, StoreError> {
        let row = self.one(signin::RECOVERY_CODES_LEFT, vec![Value::text(person)]).await?;
        row.map_or(Ok(0), |row| row.uint(0))
    }

    /// Who signed in with the device whose secret has this hash.
    pub async fn device(&mut self, hash: &Digest) -> Result<Option<PersonId>, StoreError> {
        self.one(signin::DEVICE, vec![Value::digest(hash)]).await?.map(|row| row.parse(1)).transpose()
    }

    /// Failures of this sort.
    pub async fn guesses(&mut self, subject: &Digest) -> Result<Option<Guesses>, StoreError> {
        let row = self.one(signin::GUESSES, vec![Value::digest(subject)]).await?;
        row.as_ref().map(guesses).transpose()
    }

    /// What was begun under this hash.
    pub async fn challenge(&mut self, hash: &Digest) -> Result<Option<Challenge>, StoreError> {
        self.one(signin::CHALLENGE, vec![Value::digest(hash)]).await?.as_ref().map(challenge).transpose()
    }

    /// Makes a change; `false` if it came too late and changed nothing.
    pub(super) async fn change_credential(&mut self, change: &CredentialChange) -> Result<bool, StoreError> {
        let changed = match change {
            CredentialChange::FirstPassword(row) => {
                self.run(signin::FIRST_PASSWORD, password_values(row).into()).await?
            }
            CredentialChange::ChangePassword { row, before } => {
                let [person, name, hash, _, _, changed] = password_values(row);
                self.run(signin::CHANGE_PASSWORD, vec![person, name, hash, changed, Value::time(*before)])
                    .await?
            }
            CredentialChange::ChangeDevice { person, codes, step } => {
                let params = vec![Value::text(person), Value::blob(codes), Value::uint(*step)];
                self.run(signin::CHANGE_DEVICE, params).await?
            }
            CredentialChange::ForgetDevices(person) => {
                self.forget_devices(*person).await?;
                1
            }
            CredentialChange::SetRecoveryCodes { person, hashes } => {
                // The password's row, so that of two at the same time the later one finds what the other one made.
                if self.run(signin::HOLD_PASSWORD, vec![Value::text(person)]).await? == 0 {
                    return Ok(false);
                }
                self.run(signin::REMOVE_RECOVERY_CODES, vec![Value::text(person)]).await?;
                for hash in hashes {
                    let row = [Value::digest(hash), Value::text(person), Value::Int(None)];
                    self.insert(signin::INSERT_RECOVERY_CODES, row).await?;
                }
                1
            }
            CredentialChange::RemovePassword(person) => self.remove_password(*person).await?,
            CredentialChange::Turn { person, first } => {
                let alone = self.run(signin::HOLD_PERSON, vec![Value::text(person)]).await?;
                if *first && self.has_credentials(*person).await? { 0 } else { alone }
            }
            CredentialChange::Spend { person, factor, changed, now } => {
                self.spend(*person, *factor, *changed, *now).await?
            }
            CredentialChange::SeeDevice { hash, person, now } => {
                let params = vec![Value::digest(hash), Value::text(person), Value::time(*now)];
                self.run(signin::SEE_DEVICE, params).await?;
                self.run(signin::PRUNE_DEVICES, vec![Value::text(person)]).await?;
                1
            }
            CredentialChange::Passkey(change) => self.change_passkey(change).await?,
            CredentialChange::Certificate(change) => self.change_certificate(change).await?,
            CredentialChange::Link(change) => self.change_link(change).await?,
            CredentialChange::Begin(challenge) => {
                if let Some(person) = challenge.person {
                    let sort = vec![Value::text(person), Value::code(&challenge.kind)];
                    self.run(signin::PRUNE_CHALLENGES, sort).await?;
                }
                self.run(signin::ADD_CHALLENGE, challenge_values(challenge).into()).await?
            }
            CredentialChange::Finish(hash) => {
                self.run(signin::TAKE_CHALLENGE, vec![Value::digest(hash)]).await?
            }
            CredentialChange::Forget { now, guesses, devices } => {
                self.run(signin::FORGET_CHALLENGES, vec![Value::time(*now)]).await?;
                self.run(signin::FORGET_GUESSES, vec![Value::time(*guesses)]).await?;
                self.run(signin::FORGET_DEVICES, vec![Value::time(*devices)]).await?;
                1
            }
        };
        Ok(changed == 1)
    }

    /// Whether there is anything that `person` can sign in with.
    pub async fn has_credentials(&mut self, person: PersonId) -> Result<bool, StoreError> {
        let outside =
            !self.certificates_of(person).await?.is_empty() || !self.links_of(person).await?.is_empty();
        Ok(outside || self.has_passkey(person).await? || self.password_of(person).await?.is_some())
    }

    async fn spend(
        &mut self,
        person: PersonId,
        factor: Factor,
        changed: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        match factor {
            Factor::Code(step) => {
                let params = vec![Value::uint(step), Value::text(person), Value::time(changed)];
                self.run(signin::SPEND_STEP, params).await
            }
            Factor::Recovery(hash) => {
                // The password's row, so that whoever changes or removes it at the same time waits.
                let same = vec![Value::text(person), Value::time(changed)];
                if self.run(signin::HOLD_SAME_PASSWORD, same).await? == 0 {
                    return Ok(0);
                }
                let params = vec![Value::time(now), Value::digest(&hash), Value::text(person)];
                self.run(signin::SPEND_RECOVERY_CODE, params).await
            }
        }
    }

    async fn remove_password(&mut self, person: PersonId) -> Result<u64, StoreError> {
        let removed = self.run(signin::REMOVE_PASSWORD, vec![Value::text(person)]).await?;
        self.run(signin::REMOVE_RECOVERY_CODES, vec![Value::text(person)]).await?;
        Ok(removed)
    }

    /// Removes everything that a person signs in with; how much that was. In the order in which signing in takes the rows,
    /// so that nobody waits for each other.
    pub(super) async fn remove_credentials(&mut self, person: PersonId) -> Result<u64, StoreError> {
        let passwords = self.remove_password(person).await?;
        let passkeys = self.remove_passkeys(person).await?;
        let outside = self.remove_outside(person).await?;
        Ok(passwords + passkeys + outside + self.forget_devices(person).await?)
    }

    async fn forget_devices(&mut self, person: PersonId) -> Result<u64, StoreError> {
        let devices = self.run(signin::REMOVE_DEVICES, vec![Value::text(person)]).await?;
        let begun = self.run(signin::REMOVE_CHALLENGES, vec![Value::text(person)]).await?;
        Ok(devices + begun)
    }
}

impl Store {
    /// Counts attempts, each as the step from what was read to what it is now, all or none; `false` if another one was
    /// counted since.
    pub async fn count_guesses(&self, steps: &[(Option<Guesses>, Guesses)]) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        for (so_far, next) in steps {
            let (failures, last, until) =
                (Value::uint(next.failures), Value::time(next.last), Value::time(next.until));
            let subject = Value::digest(&next.subject);
            let counted = match so_far {
                None => tx.run(signin::FIRST_GUESS, vec![subject, failures, last, until]).await?,
                Some(old) => {
                    let before = [Value::uint(old.failures), Value::time(old.last)];
                    let params = [failures, last, until, subject].into_iter().chain(before).collect();
                    tx.run(signin::NEXT_GUESS, params).await?
                }
            };
            if counted == 0 {
                return Ok(false);
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Forgets failures.
    pub async fn forgive_guesses(&self, subject: &Digest) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.run(signin::FORGIVE_GUESSES, vec![Value::digest(subject)]).await?;
        tx.commit().await
    }
}

fn password_values(row: &PasswordRow) -> [Value; 6] {
    [
        Value::text(row.person),
        Value::digest(&row.name),
        Value::blob(&row.hash),
        Value::blob(&row.codes),
        Value::uint(row.step),
        Value::time(row.changed),
    ]
}

fn password(row: &Row) -> Result<PasswordRow, StoreError> {
    Ok(PasswordRow {
        person: row.parse(0)?,
        name: row.digest(1)?,
        hash: row.blob(2)?,
        codes: row.blob(3)?,
        step: row.uint(4)?,
        changed: row.time(5)?,
    })
}

fn guesses(row: &Row) -> Result<Guesses, StoreError> {
    Ok(Guesses { subject: row.digest(0)?, failures: row.uint(1)?, last: row.time(2)?, until: row.time(3)? })
}

fn challenge_values(challenge: &Challenge) -> [Value; 5] {
    [
        Value::digest(&challenge.hash),
        Value::code(&challenge.kind),
        Value::opt_text(challenge.person),
        Value::blob(&challenge.state),
        Value::time(challenge.expires),
    ]
}

fn challenge(row: &Row) -> Result<Challenge, StoreError> {
    Ok(Challenge {
        hash: row.digest(0)?,
        kind: row.code(1)?,
        person: row.opt_parse(2)?,
        state: row.blob(3)?,
        expires: row.time(4)?,
    })
}
