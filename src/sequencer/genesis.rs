//! The first record of a vault.

use std::collections::HashMap;

use custody::act::{Act, PublicKey, VaultCreated};
use custody::checkpoint::Origin;
use custody::entropy::Entropy;
use custody::id::OpId;
use custody::kind::Kind;
use custody::merkle::Frontier;
use custody::note::{SignatureType, VerifierKey};
use custody::receipt::Receipt;
use custody::record::LogIdentity;
use custody::rules::{self, State};
use custody::statement::Statement;

use super::batch::{system_statement, system_submission};
use super::keys::SigningKeys;
use super::writer::Writer;
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Why no vault was created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The log's key is one for which signatures are easily forged.
    #[error("the log's key is unsound: make another")]
    LogKey,
    /// One key for both purposes would let a signature for one be passed off as one for the other.
    #[error("the log and the vault need a key each")]
    SameKey,
    /// The rules refuse the vault's own first statement: a mistake of this program.
    #[error("the first record is malformed")]
    Malformed,
    /// The database did not take it, or has a vault already.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes record 0, `vault.created`, into an empty database. Its record hash is the vault's identity: what goes on
/// paper.
pub async fn create_vault(
    store: &Store,
    keys: &SigningKeys,
    origin: &Origin,
    clock: &dyn Clock,
    entropy: &mut (dyn Entropy + Send),
) -> Result<Receipt, GenesisError> {
    let now = clock.now();
    let submission = system_submission(&first_statement(keys, origin, now, entropy)?, keys)
        .map_err(|_| GenesisError::Malformed)?;
    let empty = State::default();
    let signers = rules::signers(&empty, submission.statement(), submission.act());
    if !matches!((signers, submission.act()), (Ok(_), Act::VaultCreated(_))) {
        return Err(GenesisError::Malformed);
    }
    let log = LogIdentity { origin: origin.to_string(), vault: None };
    let mut writer = Writer::new(log, &Frontier::new(), now, empty.clone(), HashMap::new());
    let range = writer.record(&submission, entropy);

    let mut tx = store.write().await?;
    if tx.lock_log().await?.is_some() {
        return Err(StoreError::VaultExists.into());
    }
    let (made, ..) = writer.write(&mut tx, &empty, &keys.log).await.map_err(exists)?;
    tx.commit().await.map_err(exists)?;
    made.receipts(submission.bytes(), range).pop().ok_or(GenesisError::Malformed)
}

fn first_statement(
    keys: &SigningKeys,
    origin: &Origin,
    now: custody::time::Timestamp,
    entropy: &mut (dyn Entropy + Send),
) -> Result<Statement, GenesisError> {
    let (log, vault) = (keys.log.verifying_key(), keys.vault.verifying_key());
    if log == vault {
        return Err(GenesisError::SameKey);
    }
    let vkey = VerifierKey::new(origin.key_name(), SignatureType::Ed25519, log);
    let created = VaultCreated {
        log_vkey: vkey.map_err(|_| GenesisError::LogKey)?.to_string(),
        origin: origin.to_string(),
        vault_key: PublicKey::new(vault.to_bytes()),
    };
    let mut op_id = [0; 16];
    entropy.fill(&mut op_id);
    let statement = system_statement(keys, Kind::VaultCreated, OpId::new(op_id), now, None);
    Ok(Statement { data: created.to_data(), ..statement })
}

/// Another process created a vault in the same moment.
fn exists(error: StoreError) -> StoreError {
    if matches!(error, StoreError::Constraint(_)) { StoreError::VaultExists } else { error }
}
