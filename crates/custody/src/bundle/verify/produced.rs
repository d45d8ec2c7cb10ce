//! Restricted content that a bundle carries sealed to a court.

use std::collections::BTreeSet;

use ed25519_dalek::VerifyingKey;

use super::exhibits::{Exhibits, Stored};
use super::statements::Rules;
use super::{Bag, Identity, Notes};
use crate::blob::{Audit, BlobFacts};
use crate::bundle::findings::Code;
use crate::bundle::layout::{Half, exhibit_label, half_path, manifest_path, sealed_path};
use crate::bundle::read::{Files, ReadError};
use crate::bundle::report::Produced;
use crate::digest::Digest;
use crate::envelope::PayloadType;
use crate::manifest;

impl Rules {
    /// Checks what `bundle.exported` says that the bundle carries, as far as that goes without the court's key: the stored
    /// ciphertext by the parts in its signed manifest, and the persons' half by the digest on record. Returns the files
    /// that are accounted for so.
    pub(super) fn check_produced(
        &self,
        files: &mut dyn Files,
        bag: &Bag,
        identity: &Identity,
        exhibits: &Exhibits,
        notes: &mut Notes,
    ) -> Result<BTreeSet<String>, ReadError> {
        let mut accounted = BTreeSet::new();
        let carried = self.exported().and_then(|exported| exported.data.productions.as_ref());
        for proposal in carried.into_iter().flatten() {
            let found = self.state.productions.get(proposal);
            let item = found.and_then(|found| self.state.items.get(&found.item));
            // What the rules did not admit was found already; what was destroyed is said of the exhibit.
            let (Some(found), Some(item)) = (found, item) else { continue };
            let Some(stored) = exhibits.stored(item.exhibit).filter(|_| !item.disposed) else { continue };
            let sealed = sealed_path(item.exhibit);
            let half = |half| half_path(item.exhibit, proposal, half);
            let (persons, vault) = (half(Half::Persons), half(Half::Vault));
            for path in [&sealed, &persons, &vault] {
                if bag.size(path).is_none() && !bag.lacks(path) {
                    notes.find(Code::Missing, path, None, "bundle.exported says that the bundle carries it");
                }
            }
            if bag.digest(&persons).is_some_and(|digest| Some(digest) != found.sealed) {
                let detail = "it is not what two of a pair have sealed to the court";
                notes.find(Code::Changed, &persons, None, detail);
            }
            if accounted.insert(sealed.clone()) {
                check_ciphertext(files, bag, identity, (&sealed, stored), notes)?;
            }
            let name = |given: &crate::rules::Consent| {
                let name = exhibits.name(Some(given.person));
                if name.is_empty() { given.person.to_string() } else { name }
            };
            notes.facts.produced.push(Produced {
                approved_by: found.approvals.iter().map(name).collect(),
                digest: stored.content.digest,
                exhibit: exhibit_label(item.exhibit),
                manifest: manifest_path(&stored.object),
                order: found.order,
                path: exhibits.path(item.exhibit),
                persons_half: persons.clone(),
                recipient: found.recipient.to_string(),
                sealed,
                vaults_half: vault.clone(),
            });
            let label = exhibit_label(item.exhibit);
            notes.skip(format!(
                "{label}: whether what is sealed to the court opens, and to what (--open-with its key)"
            ));
            accounted.extend([persons, vault]);
        }
        Ok(accounted)
    }
}

fn check_ciphertext(
    files: &mut dyn Files,
    bag: &Bag,
    identity: &Identity,
    (path, stored): (&str, &Stored),
    notes: &mut Notes,
) -> Result<(), ReadError> {
    // A manifest that is not the one on record is found where manifests are checked.
    let manifest = manifest_path(&stored.object);
    let limit = PayloadType::Manifest.max_envelope_bytes();
    let Some(bytes) = bag.whole(files, &manifest, limit, notes)? else { return Ok(()) };
    if Digest::of(&bytes) != stored.manifest {
        return Ok(());
    }
    let Ok(key) = VerifyingKey::from_bytes(identity.vault_key.as_bytes()) else { return Ok(()) };
    let Ok(BlobFacts { parts, .. }) = manifest::verify(&bytes, &key) else { return Ok(()) };
    let mut audit = Audit::new(parts);
    if bag.stream(files, path, |chunk| audit.push(chunk), notes)? && !audit.finish().is_clean() {
        notes.find(Code::Changed, path, None, "it is not the ciphertext that the vault's manifest describes");
    }
    Ok(())
}
