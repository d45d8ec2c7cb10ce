//! The public log of the kit's vault, and receipts.

use super::*;

impl Vault {
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
        let origin = Origin::new(ORIGIN).unwrap();
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
