//! Many statements at once.

use std::collections::HashSet;
use std::sync::Arc;

use custody::id::ItemId;
use custody::kind::Kind;
use custody::rules::Refusal;
use custody::statement::Statement;
use custos::sequencer::{Attachments, SubmitError, start};
use custos::store::{Store, SubjectKey};
use futures_util::future::join_all;

use crate::support::audit::audit;
use crate::support::world::{Engine, World, counting, next_id};

const SUBMITTERS: usize = 32;
const EACH: usize = 6;

crate::on_both_engines! {
    submitters_at_once_make_one_log_without_gaps
    a_refusal_leaves_the_others_alone
    a_conflict_undoes_its_own_statement_and_nothing_else
}

async fn submitters_at_once_make_one_log_without_gaps(engine: Engine) {
    let world = Arc::new(World::new(engine).await);
    let before = world.size().await;
    let submitters = (0..SUBMITTERS).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            for _ in 0..EACH {
                world.done(world.item()).await;
            }
        })
    });
    for submitter in join_all(submitters).await {
        submitter.unwrap();
    }
    let rows = audit(&world).await;
    assert_eq!(rows.len() as u64, before + (SUBMITTERS * EACH) as u64);
    let mut tx = world.ground.store.read().await.unwrap();
    let exhibits: Vec<_> =
        tx.items_of(world.case, 0, 1_000).await.unwrap().iter().map(|(_, i)| i.exhibit).collect();
    assert!(exhibits.iter().copied().eq(1..=u32::try_from(SUBMITTERS * EACH).unwrap()));
}

async fn a_refusal_leaves_the_others_alone(engine: Engine) {
    let world = World::new(engine).await;
    let size = world.size().await;
    let statements: Vec<_> = (0..20)
        .map(|number| match number % 4 {
            // The registrar is no member of the case.
            0 => {
                let item = world.item();
                let said = world.said(&world.registrar, Kind::ItemRegistered, item.data);
                Statement { case: item.case, item: item.item, ..said }
            }
            _ => world.item(),
        })
        .collect();
    let answers = join_all(statements.iter().map(|statement| world.submit(statement))).await;
    for (number, answer) in answers.iter().enumerate() {
        let refused = matches!(answer, Err(SubmitError::Refused(Refusal::NotPermitted(_))));
        assert_eq!(refused, number % 4 == 0, "{answer:?}");
    }
    assert_eq!(world.size().await, size + 15);
    audit(&world).await;
}

async fn a_conflict_undoes_its_own_statement_and_nothing_else(engine: Engine) {
    let world = World::new(engine).await;
    let key = |scope: &str| SubjectKey { scope: scope.to_owned(), wrapped: vec![1; 60], kek: 1 };
    let with = |scope: &str| Attachments { subject_keys: vec![key(scope)], ..Attachments::default() };
    world.handle.submit(world.signed_with(&world.item(), with("case:taken"))).await.unwrap();
    let size = world.size().await;
    let items: Vec<_> = (0..9).map(|_| ItemId::new(next_id())).collect();
    let submissions = items.iter().enumerate().map(|(number, item)| {
        let scope = if number == 4 { "case:taken".to_owned() } else { format!("case:{number}") };
        world.handle.submit(world.signed_with(&world.item_named(*item), with(&scope)))
    });
    let answers = join_all(submissions).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(matches!(answer, Err(SubmitError::TooLate)), number == 4, "{answer:?}");
    }
    assert_eq!(world.size().await, size + 8);
    let mut tx = world.ground.store.read().await.unwrap();
    assert!(tx.items(&[items[4]]).await.unwrap().is_empty());
    drop(tx);
    audit(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_server_make_one_log() {
    let world = Arc::new(World::new(Engine::Postgres).await);
    let store = Store::open(&world.ground.url).await.unwrap();
    let (other, _) =
        start(store, Arc::clone(&world.keys), world.clock.clone(), Box::new(counting())).await.unwrap();
    let before = world.size().await;
    let submitters = (0..SUBMITTERS).map(|number| {
        let (world, other) = (Arc::clone(&world), other.clone());
        tokio::spawn(async move {
            let mut records = HashSet::new();
            for _ in 0..EACH {
                let submission = world.signed(&world.item());
                let handle = if number % 2 == 0 { &other } else { &world.handle };
                let receipts = handle.submit(submission).await.unwrap();
                records.insert(world.check(&receipts[0]).record_hash);
            }
            records
        })
    });
    let made: HashSet<_> = join_all(submitters).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(made.len(), SUBMITTERS * EACH);
    assert_eq!(audit(&world).await.len() as u64, before + made.len() as u64);

    // The same act at both doors at once counts once.
    let statement = world.item();
    let (one, two) = tokio::join!(world.submit(&statement), other.submit(world.signed(&statement)));
    assert_eq!(one.unwrap()[0].record, two.unwrap()[0].record);
    audit(&world).await;
}
