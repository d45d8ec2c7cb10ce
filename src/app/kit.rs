//! Evidence comes in only once somebody has shown that the vault's keys can be brought back.

use std::sync::atomic::{AtomicBool, Ordering};

use custody::kind::Kind;

use super::{App, AppError};
use crate::keyring::Keyring;
use crate::kit::{Standing, standing};
use crate::store::{Store, StoreError};

/// Whether this vault takes evidence.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) samples_only: bool,
    /// Once open, it stays open.
    open: AtomicBool,
}

impl Intake {
    /// Looks at the kits, and warns where one is wanting.
    pub(super) async fn of(store: &Store, keyring: &Keyring) -> Result<Self, StoreError> {
        let standing = standing(store, &keyring.list()).await?;
        if let Some((detail, mend)) = standing.wanting() {
            tracing::warn!("recovery kit: {detail}; this mends it: {mend}");
        }
        let samples_only = standing == Standing::SamplesOnly;
        let open = !matches!(standing, Standing::None | Standing::Unchecked(_));
        Ok(Self { samples_only, open: AtomicBool::new(open) })
    }
}

impl App {
    /// Refuses what brings evidence in, as long as nobody has checked a recovery kit. The check is made by another
    /// process, so that it is looked for at each attempt.
    pub(super) async fn require_kit(&self, kind: Kind) -> Result<(), AppError> {
        let brings_in = matches!(kind, Kind::CaseOpened | Kind::ItemRegistered);
        if !brings_in || self.intake.open.load(Ordering::Relaxed) {
            return Ok(());
        }
        if checked(&self.store).await? {
            self.intake.open.store(true, Ordering::Relaxed);
            return Ok(());
        }
        Err(AppError::RecoveryUnchecked)
    }
}

async fn checked(store: &Store) -> Result<bool, StoreError> {
    Ok(store.read().await?.recovery_kits().await?.iter().any(|kit| kit.checked.is_some()))
}
