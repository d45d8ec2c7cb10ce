//! One statement after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use custody::checkpoint::Origin;
use custody::id::ItemId;
use custody::kind::Kind;
use custody::record::Sequence;
use custody::rules::Refusal;
use custody::statement::{Seen, Statement};
use custos::clock::{Clock as _, ManualClock};
use custos::sequencer::{GenesisError, SubmitError, create_vault, start};
use custos::store::StoreError;

use crate::support::audit::audit;
use crate::support::world::{Engine, Ground, ORIGIN, World, counting, next_id, noon, signing_keys};

crate::on_both_engines! {
    a_vault_is_created_once
    what_is_said_is_recorded_with_a_receipt
    saying_it_twice_is_saying_it_once
    another_statement_with_a_known_op_id_is_refused
    a_forged_signature_is_refused
    what_was_seen_must_be_the_newest
    a_jump_of_the_clock_is_recorded_and_time_goes_on_from_there
    a_draft_sees_what_it_commits_to
}

async fn a_vault_is_created_once(engine: Engine) {
    let ground = Ground::new(engine).await;
    let (keys, clock) = (signing_keys(), ManualClock::new(noon()));
    let started = start(
        ground.store.clone(),
        Arc::new(signing_keys()),
        Arc::new(ManualClock::new(noon())),
        Box::new(counting()),
    );
    assert!(matches!(started.await, Err(StoreError::NoVault)));
    let origin = Origin::new(ORIGIN).unwrap();
    create_vault(&ground.store, &keys, &origin, &clock, &mut counting()).await.unwrap();
    let again = create_vault(&ground.store, &keys, &origin, &clock, &mut counting()).await;
    assert!(matches!(again, Err(GenesisError::Store(StoreError::VaultExists))));
    assert_eq!(ground.store.read().await.unwrap().log_head().await.unwrap().unwrap().size(), 1);
}

async fn what_is_said_is_recorded_with_a_receipt(engine: Engine) {
    let world = World::new(engine).await;
    let item = ItemId::new(next_id());
    let checked = world.done(world.item_named(item)).await;
    assert_eq!(checked.record.log_index + 1, world.size().await);
    assert_eq!(checked.checkpoint.size(), world.size().await);

    let mut tx = world.ground.store.read().await.unwrap();
    let stream = tx.records(Sequence::Item(item), 0, 10).await.unwrap();
    assert_eq!(stream.iter().map(|row| row.hash).collect::<Vec<_>>(), [checked.record_hash]);
    let case = Sequence::Case(world.case);
    let of_case = tx.records(case, 0, 2).await.unwrap();
    assert_eq!(of_case.iter().map(|row| row.kind).collect::<Vec<_>>(), [Kind::CaseOpened, Kind::MemberAdded]);
    assert_eq!(tx.records(case, 2, 10).await.unwrap(), stream);
    let introduced = tx.introductions(&BTreeSet::from([case, Sequence::Item(item)])).await.unwrap();
    assert_eq!(introduced[&case], of_case[0].stmt);
    assert_eq!(introduced[&Sequence::Item(item)], stream[0].stmt);
    let heads = tx.heads(&BTreeSet::from([case, Sequence::Refusals])).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!((heads[&case].head.seq, heads[&case].head.record), (3, checked.record_hash));

    let cases = tx.cases_of(world.asha.id, None, 10).await.unwrap();
    assert_eq!(cases.iter().map(|row| (row.id, row.case.items)).collect::<Vec<_>>(), [(world.case, 1)]);
    assert_eq!(tx.cases_of(world.asha.id, Some(world.case), 10).await.unwrap(), []);
    assert_eq!(tx.members(world.case).await.unwrap().len(), 2);
    assert!(tx.roles_in(world.case, world.registrar.id).await.unwrap().is_empty());
    assert_eq!(tx.items_of(world.case, 0, 10).await.unwrap()[0].0, item);
    assert_eq!(tx.items_held_by(world.asha.id, None, 10).await.unwrap().len(), 1);
    assert_eq!(tx.persons(None, 10).await.unwrap().len(), 3);
    assert_eq!(tx.keys_of(&[world.asha.id, world.ben.id]).await.unwrap().len(), 2);
    drop(tx);
    audit(&world).await;
}

async fn saying_it_twice_is_saying_it_once(engine: Engine) {
    let world = World::new(engine).await;
    let statement = world.item();
    let first = world.submit(&statement).await.unwrap();
    world.done(world.item()).await;
    let size = world.size().await;
    let second = world.submit(&statement).await.unwrap();
    assert_eq!(world.size().await, size);
    assert_eq!((&first[0].record, &first[0].entry), (&second[0].record, &second[0].entry));
    assert_eq!(first[0].predecessors, second[0].predecessors);
    // Proven anew, against what the log is now.
    assert_eq!(world.check(&second[0]).checkpoint.size(), size);

    let twice = world.item();
    let (one, other) = tokio::join!(world.submit(&twice), world.submit(&twice));
    assert_eq!(one.unwrap()[0].record, other.unwrap()[0].record);
    assert_eq!(world.size().await, size + 1);
    audit(&world).await;
}

async fn another_statement_with_a_known_op_id_is_refused(engine: Engine) {
    let world = World::new(engine).await;
    let statement = world.item();
    world.done(statement.clone()).await;
    let other = Statement { item: Some(ItemId::new(next_id())), ..statement.clone() };
    assert!(matches!(world.submit(&other).await, Err(SubmitError::OpIdReused)));
    // Another actor's act of the same name is another act.
    let of_ben =
        Statement { op_id: statement.op_id, ..world.said(&world.ben, Kind::ItemRegistered, other.data) };
    world.done(Statement { item: other.item, case: other.case, ..of_ben }).await;
    audit(&world).await;
}

async fn a_forged_signature_is_refused(engine: Engine) {
    let world = World::new(engine).await;
    let size = world.size().await;
    // Ben signs what Asha is to have said.
    let forged = Statement {
        actor: world.said(&world.ben, Kind::OrgRegistered, custody::json::Object::new()).actor,
        ..world.item()
    };
    let submission = world.signed(&forged);
    assert!(matches!(world.handle.submit(submission).await, Err(SubmitError::Refused(Refusal::KeyNotValid))));
    let mut other = world.item();
    other.actor_key = custody::digest::Digest::of(b"nobody's key");
    assert!(matches!(world.submit(&other).await, Err(SubmitError::Refused(Refusal::KeyNotValid))));
    assert_eq!(world.size().await, size);
}

async fn what_was_seen_must_be_the_newest(engine: Engine) {
    let world = World::new(engine).await;
    let item = ItemId::new(next_id());
    let registered = world.done(world.item_named(item)).await.record_hash;
    let classify = |seen| {
        let data = custody::act::ItemClassified { class: custody::act::Class::Confidential, sealing: None }
            .to_data();
        let said = world.in_case(world.said(&world.asha, Kind::ItemClassified, data));
        Statement { item: Some(item), seen: Some(Seen::Record(seen)), ..said }
    };
    let classified = world.done(classify(registered)).await.record_hash;
    assert!(matches!(world.submit(&classify(registered)).await, Err(SubmitError::Refused(Refusal::Stale))));
    world.done(classify(classified)).await;
    audit(&world).await;
}

async fn a_jump_of_the_clock_is_recorded_and_time_goes_on_from_there(engine: Engine) {
    let world = World::new(engine).await;
    world.clock.advance(60_000);
    assert_eq!(world.done(world.item()).await.record.received, noon().saturating_add_millis(60_000));
    let size = world.size().await;

    // Somebody sets the clock back by an hour.
    let earlier = noon().saturating_add_millis(-3_600_000);
    world.clock.set_wall(earlier);
    assert_eq!(world.done(world.item()).await.record.received, earlier);
    let rows = audit(&world).await;
    let fault = &rows[usize::try_from(size).unwrap()];
    assert_eq!(fault.kind, Kind::ClockFault);
    assert_eq!(fault.received, noon().saturating_add_millis(60_000));
    assert_eq!(rows.len() as u64, size + 2);

    // A little is not a fault: time waits until the clock has caught up.
    world.clock.advance(1_000);
    world.done(world.item()).await;
    let latest = world.clock.now();
    world.clock.set_wall(latest.saturating_add_millis(-2_000));
    assert_eq!(world.done(world.item()).await.record.received, latest);
}

async fn a_draft_sees_what_it_commits_to(engine: Engine) {
    let world = Arc::new(World::new(engine).await);
    world.done(world.item()).await;
    let size = world.size().await;
    let drafting = Arc::clone(&world);
    let draft: custos::sequencer::Draft = Box::new(move |view| {
        Box::pin(async move {
            let case = Sequence::Case(drafting.case);
            let heads = view.tx().heads(&BTreeSet::from([case])).await?;
            let head = heads[&case].head;
            assert_eq!(view.size(), size);
            let heads = custody::record::heads_digest([(&case, head.seq, &head.record)]);
            let data = custody::act::BundleExported { heads, productions: None, sequences: 1 }.to_data();
            let said = drafting.in_case(drafting.said(&drafting.asha, Kind::BundleExported, data));
            Ok(drafting.signed(&Statement { purpose: Some("disclosure".parse().unwrap()), ..said }))
        })
    });
    let receipts = world.handle.draft(draft).await.unwrap();
    assert_eq!(world.check(&receipts[0]).record.log_index, size);
    let refused: custos::sequencer::Draft =
        Box::new(|_| Box::pin(async { Err(SubmitError::Draft("nothing to export".to_owned())) }));
    assert!(matches!(world.handle.draft(refused).await, Err(SubmitError::Draft(_))));
    // A draft that was given up holds no lock.
    world.done(world.item()).await;
    audit(&world).await;
}
