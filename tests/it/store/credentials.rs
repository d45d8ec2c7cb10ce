//! What people sign in with: two who change the same at the same time.

use custody::digest::Digest;
use custos::store::{Change, CredentialChange, Factor, PasswordRow, Store};

use crate::support::raw;
use crate::support::world::{Cast, Engine, World, next_id, noon};

crate::on_both_engines! {
    of_two_first_passwords_one_is_kept
    of_two_changes_of_a_password_one_is_kept_and_what_was_used_up_stays_so
    a_factor_counts_for_one_of_two_open_transactions
    of_two_sets_of_recovery_codes_one_is_left
}

fn password(of: &Cast, step: u64) -> PasswordRow {
    PasswordRow {
        person: of.id,
        name: Digest::of(next_id().as_bytes()),
        hash: b"hash".to_vec(),
        codes: b"codes".to_vec(),
        step,
        changed: noon(),
    }
}

fn codes(of: &Cast) -> CredentialChange {
    let hashes = (0..10).map(|_| Digest::of(next_id().as_bytes())).collect();
    CredentialChange::SetRecoveryCodes { person: of.id, hashes }
}

async fn done(store: &Store, change: CredentialChange) -> bool {
    store.apply(&[Change::Credential(change)]).await.unwrap()
}

/// How many of these two are done, begun while somebody else holds what both want.
async fn of_two(world: &World, held: &str, one: CredentialChange, other: CredentialChange) -> usize {
    let store = &world.ground.store;
    let (one, other) = (Box::pin(done(store, one)), Box::pin(done(store, other)));
    let both = Box::pin(async { tokio::join!(one, other) });
    let (one, other) = Box::pin(raw::while_held(&world.ground.url, held, 2, both)).await;
    usize::from(one) + usize::from(other)
}

async fn of_two_first_passwords_one_is_kept(engine: Engine) {
    let world = World::new(engine).await;
    let store = &world.ground.store;
    let first = |row: &PasswordRow| done(store, CredentialChange::FirstPassword(row.clone()));
    let (one, other) = (password(&world.asha, 1), password(&world.asha, 2));
    let (first_one, first_other) = tokio::join!(first(&one), first(&other));
    assert!(first_one ^ first_other);
    let kept = store.read().await.unwrap().password_of(world.asha.id).await.unwrap();
    assert_eq!(kept, Some(if first_one { one.clone() } else { other }));
    // Nor does anybody take somebody else's name.
    let name = kept.unwrap().name;
    assert!(!first(&PasswordRow { name, ..password(&world.ben, 1) }).await);
    assert!(first(&password(&world.ben, 1)).await);
}

async fn of_two_changes_of_a_password_one_is_kept_and_what_was_used_up_stays_so(engine: Engine) {
    let world = World::new(engine).await;
    let store = &world.ground.store;
    let first = password(&world.asha, 7);
    assert!(done(store, CredentialChange::FirstPassword(first.clone())).await);
    // Whoever changes the password read it before this code counted.
    let spend =
        |factor, changed| CredentialChange::Spend { person: world.asha.id, factor, changed, now: noon() };
    let changed = first.changed;
    assert!(done(store, spend(Factor::Code(8), changed)).await);
    let change = || {
        let changed = first.changed.saturating_add_millis(1);
        let row = PasswordRow { changed, ..password(&world.asha, 0) };
        CredentialChange::ChangePassword { row, before: first.changed }
    };
    assert_eq!(of_two(&world, "UPDATE passwords SET step = step", change(), change()).await, 1);
    let kept = store.read().await.unwrap().password_of(world.asha.id).await.unwrap().unwrap();
    assert_eq!((kept.step, kept.codes), (8, first.codes));
    assert!(!done(store, spend(Factor::Code(8), kept.changed)).await);
    // What came with the old password, and was looked at before it was changed, counts no more.
    let recovery = codes(&world.asha);
    let CredentialChange::SetRecoveryCodes { hashes, .. } = &recovery else { unreachable!() };
    let factors = [Factor::Code(9), Factor::Recovery(hashes[0])];
    assert!(done(store, recovery).await);
    for factor in factors {
        assert!(!done(store, spend(factor, changed)).await, "{factor:?}");
        assert!(done(store, spend(factor, kept.changed)).await, "{factor:?}");
    }
}

async fn a_factor_counts_for_one_of_two_open_transactions(engine: Engine) {
    let world = World::new(engine).await;
    let store = &world.ground.store;
    let person = world.asha.id;
    assert!(done(store, CredentialChange::FirstPassword(password(&world.asha, 7))).await);
    let recovery = codes(&world.asha);
    let CredentialChange::SetRecoveryCodes { hashes, .. } = &recovery else { unreachable!() };
    let factors = [Factor::Code(8), Factor::Recovery(hashes[0])];
    assert!(done(store, recovery).await);
    for factor in factors {
        let spend = CredentialChange::Spend { person, factor, changed: noon(), now: noon() };
        let counted = of_two(&world, "UPDATE passwords SET step = step", spend.clone(), spend).await;
        assert_eq!(counted, 1, "{factor:?}");
    }
}

async fn of_two_sets_of_recovery_codes_one_is_left(engine: Engine) {
    let world = World::new(engine).await;
    let store = &world.ground.store;
    assert!(!done(store, codes(&world.asha)).await, "for nothing they stand in for");
    assert!(done(store, CredentialChange::FirstPassword(password(&world.asha, 7))).await);
    assert!(done(store, codes(&world.asha)).await);
    let held = "UPDATE recovery_codes SET used = used";
    assert_eq!(of_two(&world, held, codes(&world.asha), codes(&world.asha)).await, 2);
    assert_eq!(store.read().await.unwrap().recovery_codes_left(world.asha.id).await.unwrap(), 10);
}
