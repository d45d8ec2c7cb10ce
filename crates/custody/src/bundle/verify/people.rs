//! Who signed, who vouched for them, and who holds what, for the report.

use std::collections::BTreeMap;

use super::exhibits::Exhibits;
use super::statements::{Rules, Used};
use crate::act::{KeyCheck, PublicKey};
use crate::bundle::report::{Custodian, Signer};
use crate::id::KeyHash;
use crate::rules::{Key, Voucher};

impl Rules {
    /// Everybody who signed, with the names that were disclosed.
    pub(super) fn signers(&self, vault_key: &PublicKey, exhibits: &Exhibits) -> Vec<Signer> {
        let signer = |(hash, used): (&KeyHash, &Used)| {
            let key = self.state.keys.get(hash);
            let actor = match key {
                Some(key) => key.owner.to_string(),
                None if *hash == vault_key.hash() => "vault".to_owned(),
                None => "unknown".to_owned(),
            };
            Signer {
                actor,
                key: *hash,
                name: exhibits.name(key.map(|key| key.owner)),
                statements: used.statements,
                vouched_by: key
                    .map_or_else(|| "the fingerprint of record 0".to_owned(), |key| voucher(key, exhibits)),
            }
        };
        self.signers.iter().map(signer).collect()
    }

    /// Everybody who holds items now, with the names that were disclosed.
    pub(super) fn custodians(&self, exhibits: &Exhibits) -> Vec<Custodian> {
        let mut held = BTreeMap::<_, u64>::new();
        for item in self.state.items.values().filter(|item| !item.disposed) {
            *held.entry(item.custodian).or_default() += 1;
        }
        let custodian = |(person, exhibits_held)| Custodian {
            exhibits: exhibits_held,
            name: exhibits.name(Some(person)),
            person,
        };
        held.into_iter().map(custodian).collect()
    }
}

fn voucher(key: &Key, exhibits: &Exhibits) -> String {
    let how = match key.checked {
        KeyCheck::InPerson => "in person",
        KeyCheck::Voice => "by voice",
        KeyCheck::None => "without any check",
    };
    match key.voucher {
        Voucher::Vault => format!("vouched for by the vault itself, {how}"),
        Voucher::Owner(_) => format!("vouched for by an earlier key of the same person, {how}"),
        Voucher::Registrar(person, _) => {
            let name = exhibits.name(Some(person));
            let name = if name.is_empty() { person.to_string() } else { name };
            format!("vouched for by registrar {name}, {how}")
        }
    }
}
