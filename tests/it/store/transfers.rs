//! Several items in one statement: all or nothing.

use custody::digest::Digest;
use custody::id::ItemId;
use custody::kind::Kind;
use custody::rules::Refusal;
use custody::statement::{ItemRef, Seen, Statement};
use custos::sequencer::SubmitError;

use crate::support::audit::audit;
use crate::support::world::{Engine, World, next_id};

crate::on_both_engines! {
    a_transfer_of_many_items_is_all_or_nothing
}

async fn a_transfer_of_many_items_is_all_or_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let mut items = Vec::new();
    for _ in 0..25 {
        let item = ItemId::new(next_id());
        items.push((item, world.done(world.item_named(item)).await.record_hash));
    }
    items.sort_unstable();
    let size = world.size().await;
    let refs = |heads: &[(ItemId, Digest)], offers: Option<&[Digest]>| {
        let item = |(number, (item, head)): (usize, &(ItemId, Digest))| ItemRef {
            item: *item,
            offer: offers.map(|offers| Seen::Record(offers[number])),
            seen: Some(Seen::Record(*head)),
        };
        Some(heads.iter().enumerate().map(item).collect::<Vec<_>>())
    };
    let offer = |items| Statement { item: None, seen: None, items, ..world.offer(next_item(), Digest::ZERO) };

    let mut stale = items.clone();
    stale[24].1 = stale[3].1;
    assert!(matches!(
        world.submit(&offer(refs(&stale, None))).await,
        Err(SubmitError::Refused(Refusal::Stale))
    ));
    assert_eq!(world.size().await, size);

    let offered = world.submit(&offer(refs(&items, None))).await.unwrap();
    assert_eq!(offered.len(), 25);
    let heads: Vec<_> = offered.iter().map(|receipt| world.check(receipt).record_hash).collect();
    let waiting = world.ground.store.read().await.unwrap().items_offered_to(world.ben.id, None, 100).await;
    assert_eq!(waiting.unwrap().len(), 25);

    let seen: Vec<_> = items.iter().zip(&heads).map(|((item, _), head)| (*item, *head)).collect();
    let said = world.in_case(world.said(&world.ben, Kind::TransferAccepted, custody::json::Object::new()));
    let accepted = world.submit(&Statement { items: refs(&seen, Some(&heads)), ..said }).await.unwrap();
    assert_eq!(accepted.len(), 25);
    for receipt in &accepted {
        world.check(receipt);
    }
    let mut tx = world.ground.store.read().await.unwrap();
    assert_eq!(tx.items_held_by(world.ben.id, None, 100).await.unwrap().len(), 25);
    assert!(tx.items_offered_to(world.ben.id, None, 100).await.unwrap().is_empty());
    drop(tx);
    assert_eq!(audit(&world).await.len() as u64, size + 50);
}

fn next_item() -> ItemId {
    ItemId::new(next_id())
}
