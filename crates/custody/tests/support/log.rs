//! The public log of the kit's vault, and receipts.

use super::*;

/// A log's key under its name.
pub fn vkey(origin: &str, key: &SigningKey) -> VerifierKey {
    let name = Origin::new(origin).unwrap().key_name();
    VerifierKey::new(name, SignatureType::Ed25519, key.verifying_key()).unwrap()
}

impl Vault {
    /// All keys that the log has had, as far as they can follow each other.
    pub fn log_keys(&self) -> LogKeys {
        let vault = self.state.vault.as_ref().unwrap();
        let mut vkeys = vault.log_vkeys();
        let first = LogKeys::from(vkeys.next().unwrap().parse::<VerifierKey>().unwrap());
        vault.former_log_keys.iter().zip(vkeys).fold(first, |keys, (former, vkey)| {
            let vkey = vkey.parse().unwrap();
            keys.clone().replaced_after(former.until, former.lost_from, vkey).unwrap_or(keys)
        })
    }

    /// Replaces the log's key; the record's hash.
    pub fn rotate(&mut self, new: &SigningKey) -> Digest {
        let data = LogKeyRotated {
            log_vkey: vkey(&self.origin, new).to_string(),
            previous: self.log_vkey().to_string(),
        };
        let old = std::mem::replace(&mut self.log_key, new.clone());
        let d = draft(Kind::LogKeyRotated, data.to_data());
        self.say(By::Keys(&[&self.key.clone(), &old, new]), d)
    }

    /// Gives the log's key up and goes on under another name.
    pub fn continue_log(
        &mut self,
        origin: &str,
        new: &SigningKey,
        anchor: &SignedNote,
        by: LogAnchor,
    ) -> Digest {
        let data = LogContinued {
            anchor: anchor.to_string(),
            anchored_by: by,
            log_vkey: vkey(origin, new).to_string(),
            origin: Origin::new(origin).unwrap(),
            previous: self.log_vkey().to_string(),
        };
        (self.log_key, self.origin) = (new.clone(), origin.to_owned());
        let d = draft(Kind::LogContinued, data.to_data());
        self.say(By::Keys(&[&self.key.clone(), new]), d)
    }

    pub fn leaves(&self) -> Vec<Digest> {
        self.entries().iter().map(|entry| leaf_hash(entry)).collect()
    }

    /// The public entries.
    pub fn entries(&self) -> Vec<[u8; ENTRY_BYTES]> {
        let here = self.records().map(|(_, built)| (built.record.log_index, built.entry));
        let all: BTreeMap<_, _> =
            here.chain(self.lost.entries.iter().map(|(index, entry)| (*index, *entry))).collect();
        all.into_values().map(Entry::to_bytes).collect()
    }

    pub fn batch(&self) -> Batch {
        Batch::new(&Frontier::new(), &self.leaves())
    }

    /// The signed checkpoint over everything so far.
    pub fn checkpoint(&self) -> SignedNote {
        let batch = self.batch();
        let origin = Origin::new(&self.origin).unwrap();
        Checkpoint::new(origin, batch.size(), batch.root()).unwrap().sign(&self.log_key).unwrap()
    }

    /// The receipt of the record at a log index.
    pub fn receipt(&self, index: u64) -> Receipt {
        let (said, built) = self.records().find(|(_, built)| built.record.log_index == index).unwrap();
        let before = |link: &Link| {
            let found = self.records().find(|(_, other)| other.hash == link.prev)?.1;
            let (_, head) = found.heads.iter().find(|(sequence, _)| *sequence == link.sequence)?;
            Some(Predecessor { sequence: link.sequence, record: found.bytes.clone(), next: head.next })
        };
        Receipt {
            record: built.bytes.clone(),
            envelope: said.envelope.clone().into(),
            salt: built.salt,
            entry: built.entry,
            predecessors: built.record.links().filter_map(before).collect(),
            proof: self.proof(index),
            recoveries: self.recoveries(built),
        }
    }

    pub fn proof(&self, index: u64) -> TlogProof {
        TlogProof::new(index, self.batch().inclusion_proof(index).unwrap(), self.checkpoint()).unwrap()
    }
}
