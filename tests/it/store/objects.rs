//! Stored objects and the records that name them.

use custody::act::{ContentReceived, ObjectId};
use custody::digest::Digest;
use custody::id::ItemId;
use custody::kind::Kind;
use custody::statement::{CheckedBy, Content, DigestAlg, Statement};
use custos::sequencer::{Attachments, Submission, SubmissionError, SubmitError};
use custos::store::{Change, ObjectRow, ObjectState};

use crate::support::audit::audit;
use crate::support::world::{Engine, World, next_id, noon};

crate::on_both_engines! {
    an_object_is_committed_with_its_record
    an_object_given_up_is_never_named
}

fn received(world: &World, item: ItemId, object: ObjectId) -> (Statement, ObjectRow) {
    let manifest = b"a manifest".to_vec();
    let row = ObjectRow {
        object,
        item,
        manifest: manifest.clone(),
        wrapped: vec![9; 180],
        kek: 1,
        size: 4_096,
        state: ObjectState::Present,
        halved: false,
    };
    let data =
        ContentReceived { halves: None, manifest: Digest::of(&manifest), object, version: 1 }.to_data();
    let content = Content {
        alg: DigestAlg::Sha256,
        checked_by: CheckedBy::Vault,
        digest: Digest::of(b"photo"),
        size: 5,
    };
    let said = world.in_case(world.system(Kind::ContentReceived, data));
    (Statement { item: Some(item), content: Some(content), ..said }, row)
}

fn with(object: ObjectRow) -> Attachments {
    Attachments { object: Some(object), ..Attachments::default() }
}

async fn an_object_is_committed_with_its_record(engine: Engine) {
    let world = World::new(engine).await;
    let item = ItemId::new(next_id());
    world.done(world.item_named(item)).await;
    let object = ObjectId::new(*next_id().as_bytes());
    let (statement, row) = received(&world, item, object);
    let alone = world.signed_with(&statement, with(row.clone())).bytes().to_vec();
    let refused = Submission::new(alone, Attachments::default());
    assert!(matches!(refused, Err(SubmissionError::Attachment(_))));

    world.handle.submit(world.signed_with(&statement, with(row.clone()))).await.unwrap();
    let store = &world.ground.store;
    assert_eq!(store.read().await.unwrap().objects(&[object]).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(store.read().await.unwrap().objects_of(item).await.unwrap(), std::slice::from_ref(&row));
    assert!(!store.bury(object, noon()).await.unwrap());

    let damaged = Change::NoteObject { object, state: ObjectState::Damaged };
    let rewrapped = Change::RewrapObject { object, wrapped: vec![8; 180], old_kek: 1, kek: 2, halved: false };
    assert!(store.apply(&[damaged, rewrapped.clone()]).await.unwrap());
    assert!(!store.apply(&[rewrapped]).await.unwrap());
    let now = store.read().await.unwrap().all_objects(None, 10).await.unwrap();
    assert_eq!(now, [ObjectRow { wrapped: vec![8; 180], kek: 2, state: ObjectState::Damaged, ..row }]);
    audit(&world).await;

    // A look at it that ends after it was destroyed does not bring it back.
    let shred = |kek, wrapped| [Change::ShredObject { object, kek, wrapped, now: noon() }];
    assert!(!store.apply(&shred(1, vec![8; 180])).await.unwrap(), "wrapped anew since it was read");
    assert!(!store.apply(&shred(2, vec![9; 180])).await.unwrap(), "another key than was read");
    assert!(store.apply(&shred(2, vec![8; 180])).await.unwrap());
    assert!(store.apply(&shred(0, Vec::new())).await.unwrap(), "destroyed already, as a restore does");
    for state in [ObjectState::Damaged, ObjectState::Present] {
        assert!(!store.apply(&[Change::NoteObject { object, state }]).await.unwrap());
        let now = store.read().await.unwrap().objects(&[object]).await.unwrap();
        assert_eq!((now[0].state, now[0].wrapped.len()), (ObjectState::Shredded, 0));
    }
}

async fn an_object_given_up_is_never_named(engine: Engine) {
    let world = World::new(engine).await;
    let item = ItemId::new(next_id());
    world.done(world.item_named(item)).await;
    let object = ObjectId::new(*next_id().as_bytes());
    let store = &world.ground.store;
    assert!(store.bury(object, noon()).await.unwrap());
    assert!(store.bury(object, noon()).await.unwrap());
    let size = world.size().await;
    let (statement, row) = received(&world, item, object);
    let answer = world.handle.submit(world.signed_with(&statement, with(row))).await;
    assert!(matches!(answer, Err(SubmitError::TooLate)), "{answer:?}");
    assert_eq!(world.size().await, size);
    audit(&world).await;
}
