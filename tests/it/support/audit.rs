//! Everything that must hold of a vault's database, whatever happened before.

use std::collections::HashMap;

use custody::act::Act;
use custody::checkpoint::Checkpoint;
use custody::digest::Digest;
use custody::envelope::{Envelope, PayloadType};
use custody::merkle::{Frontier, leaf_hash};
use custody::note::VerifierKey;
use custody::record::{NextOpening, Record, Sequence, leaf_commitment, record_hash};
use custody::rules::{self, Admitted, State};
use custody::statement::Statement;
use custos::store::{RecordPlace, RecordRow, Store};

use super::world::World;

/// Reads the whole log back: it counts without a gap, every chain and tag leads to the next record, the tree is the
/// one that the checkpoint signs, and replaying all statements gives exactly the projections. Returns the rows.
pub(crate) async fn audit(world: &World) -> Vec<RecordRow> {
    audit_log(&world.ground.store, &world.vault, &world.log).await
}

/// The same of any vault.
pub(crate) async fn audit_log(store: &Store, vault: &Digest, log: &VerifierKey) -> Vec<RecordRow> {
    let mut tx = store.read().await.unwrap();
    let mut rows = Vec::new();
    loop {
        let page = tx.records_from(rows.len() as u64, 100).await.unwrap();
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    let mut ends = HashMap::new();
    let mut frontier = Frontier::new();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.log_index, index as u64);
        check_record(row, &mut ends, vault);
        frontier.push(leaf_hash(&row.entry.to_bytes()));
    }
    let head = tx.log_head().await.unwrap().unwrap();
    assert_eq!(head.frontier, frontier);
    let checkpoint = Checkpoint::open(&head.checkpoint, log).unwrap();
    assert_eq!((checkpoint.size(), *checkpoint.root()), (frontier.size(), frontier.root()));
    assert_same(&replay(&rows), &tx.whole_state().await.unwrap());
    rows
}

type Ends = HashMap<Sequence, (u64, Digest, NextOpening)>;

fn check_record(row: &RecordRow, ends: &mut Ends, vault: &Digest) {
    let record = Record::parse(&row.record).unwrap();
    assert_eq!((record.log_index, record.stmt, record.kind), (row.log_index, row.stmt, row.kind));
    assert_eq!(row.hash, record_hash(&row.record));
    assert_eq!(row.stmt, Digest::of(&row.envelope));
    assert_eq!(row.entry.commitment, leaf_commitment(&row.salt, &row.hash));
    for (place, link, tag) in
        [(row.own, record.own, row.entry.tag), (row.case, record.case, row.entry.case_tag)]
    {
        let (Some(RecordPlace { sequence, seq, next }), Some(link)) = (place, link) else {
            assert!(place.is_none() && link.is_none());
            continue;
        };
        assert_eq!((link.sequence, link.seq, link.next), (sequence, seq, next.commitment()));
        let first = if row.log_index == 0 { Digest::ZERO } else { sequence.genesis_tag(vault) };
        let expected = ends
            .get(&sequence)
            .map_or((1, Digest::ZERO, first), |(seq, hash, next)| (seq + 1, *hash, next.t));
        assert_eq!((link.seq, link.prev, tag), expected);
        ends.insert(sequence, (seq, row.hash, next));
    }
}

/// The state after all records.
pub(crate) fn replay(rows: &[RecordRow]) -> State {
    let mut state = State::default();
    for of_one in rows.chunk_by(|a, b| a.stmt == b.stmt) {
        let envelope = Envelope::parse(&of_one[0].envelope, PayloadType::Statement).unwrap();
        let statement = Statement::parse(envelope.body()).unwrap();
        let act = Act::parse(&statement).unwrap();
        let records: Vec<_> = of_one.iter().map(|row| row.hash).collect();
        let admitted = Admitted { stmt: of_one[0].stmt, log_index: of_one[0].log_index, records: &records };
        rules::decide(&state, of_one[0].received, &statement, &act).unwrap();
        rules::apply(&mut state, &statement, &act, &admitted);
    }
    state
}

fn assert_same(replayed: &State, stored: &State) {
    assert_eq!(replayed.vault, stored.vault);
    assert_eq!(replayed.orgs, stored.orgs);
    assert_eq!(replayed.persons, stored.persons);
    assert_eq!(replayed.keys, stored.keys);
    assert_eq!(replayed.cases, stored.cases);
    assert_eq!(replayed.members, stored.members);
    assert_eq!(replayed.items, stored.items);
    assert_eq!(replayed.custody, stored.custody);
    assert_eq!(replayed.grants, stored.grants);
}
