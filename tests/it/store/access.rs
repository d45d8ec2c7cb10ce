//! Tokens, invitations and enrolments beside the log.

use custody::act::KeyCheck;
use custody::digest::Digest;
use custody::statement::Statement;
use custos::sequencer::{Attachments, SubmitError};
use custos::store::{
    ApiToken, Change, EnrolmentState, Invitation, PendingEnrolment, SealedOpening, StoredOpening,
};

use crate::support::audit::audit;
use crate::support::world::{Engine, World, next_id, noon};

crate::on_both_engines! {
    a_token_ends_when_it_is_revoked
    an_invitation_is_redeemed_once
    a_change_that_comes_too_late_takes_its_statement_along
    openings_are_kept_with_their_statement
}

fn token(world: &World) -> ApiToken {
    ApiToken {
        id: next_id(),
        hash: Digest::of(next_id().as_bytes()),
        person: world.asha.id,
        label: "phone".to_owned(),
        created: noon(),
        expires: noon().saturating_add_millis(1_000),
        revoked: None,
        parent: None,
    }
}

fn invitation(world: &World) -> Invitation {
    Invitation {
        hash: Digest::of(next_id().as_bytes()),
        person: world.ben.id,
        invited_by: world.registrar.id,
        checked: KeyCheck::Voice,
        created: noon(),
        expires: noon().saturating_add_millis(1_000),
        redeemed: None,
    }
}

async fn a_token_ends_when_it_is_revoked(engine: Engine) {
    let world = World::new(engine).await;
    let store = &world.ground.store;
    let (one, other) = (token(&world), token(&world));
    store.apply(&[Change::AddToken(one.clone()), Change::AddToken(other.clone())]).await.unwrap();
    assert_eq!(store.read().await.unwrap().token(&one.hash).await.unwrap(), Some(one.clone()));
    let revoke = Change::RevokeToken { id: one.id, person: world.asha.id, now: noon() };
    let stranger = Change::RevokeToken { id: one.id, person: world.ben.id, now: noon() };
    assert!(!store.apply(&[stranger]).await.unwrap());
    assert!(store.apply(std::slice::from_ref(&revoke)).await.unwrap());
    assert!(!store.apply(&[revoke]).await.unwrap());
    assert!(store.apply(&[Change::RevokeTokens { person: world.asha.id, now: noon() }]).await.unwrap());
    let tokens = store.read().await.unwrap().tokens_of(world.asha.id).await.unwrap();
    assert_eq!(tokens.iter().map(|token| token.revoked).collect::<Vec<_>>(), [Some(noon()); 2]);
}

async fn an_invitation_is_redeemed_once(engine: Engine) {
    let world = World::new(engine).await;
    let store = &world.ground.store;
    let invitation = invitation(&world);
    store.apply(&[Change::Invite(invitation.clone())]).await.unwrap();
    assert_eq!(
        store.read().await.unwrap().invitation(&invitation.hash).await.unwrap(),
        Some(invitation.clone())
    );
    let waiting = PendingEnrolment {
        id: next_id(),
        person: world.ben.id,
        voucher: world.registrar.id,
        voucher_key: Digest::of(world.registrar.key.verifying_key().as_bytes()),
        body: b"a statement".to_vec(),
        signature: [5; 64],
        created: noon(),
        state: EnrolmentState::Waiting,
    };
    let redeem = |now| {
        let waiting = PendingEnrolment { id: next_id(), ..waiting.clone() };
        [
            Change::Redeem { hash: invitation.hash, now },
            Change::AddToken(token(&world)),
            Change::Await(waiting),
        ]
    };
    assert!(!store.apply(&redeem(invitation.expires)).await.unwrap());
    assert!(store.apply(&redeem(noon())).await.unwrap());
    assert!(!store.apply(&redeem(noon())).await.unwrap());
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.tokens_of(world.asha.id).await.unwrap().len(), 1);
    let [enrolment] = tx.enrolments_for(world.registrar.id).await.unwrap().try_into().unwrap();
    assert_eq!(PendingEnrolment { id: waiting.id, ..enrolment.clone() }, waiting);
    drop(tx);
    let settle = Change::Settle { id: enrolment.id, state: EnrolmentState::Refused };
    assert!(store.apply(std::slice::from_ref(&settle)).await.unwrap());
    assert!(!store.apply(&[settle]).await.unwrap());
    let mut tx = store.read().await.unwrap();
    assert!(tx.enrolments_for(world.registrar.id).await.unwrap().is_empty());
    assert_eq!(tx.enrolment(enrolment.id).await.unwrap().unwrap().state, EnrolmentState::Refused);
}

async fn a_change_that_comes_too_late_takes_its_statement_along(engine: Engine) {
    let world = World::new(engine).await;
    let (kept, used) = (token(&world), invitation(&world));
    world.ground.store.apply(&[Change::Invite(used.clone())]).await.unwrap();
    let redeem = Change::Redeem { hash: used.hash, now: noon() };
    world.ground.store.apply(std::slice::from_ref(&redeem)).await.unwrap();
    let size = world.size().await;
    let statement = world.item();
    let changes = vec![Change::AddToken(kept.clone()), redeem];
    let late = world.signed_with(&statement, Attachments { changes, ..Attachments::default() });
    let (late, other) =
        tokio::join!(world.handle.submit(late), world.handle.submit(world.signed(&world.item())));
    assert!(matches!(late, Err(SubmitError::TooLate)));
    other.unwrap();
    assert_eq!(world.size().await, size + 1);
    assert_eq!(world.ground.store.read().await.unwrap().token(&kept.hash).await.unwrap(), None);

    // Nothing of it is left: the same statement counts when it comes without.
    let changes = vec![Change::AddToken(kept.clone())];
    let again = world.signed_with(&statement, Attachments { changes, ..Attachments::default() });
    world.handle.submit(again).await.unwrap();
    assert_eq!(world.ground.store.read().await.unwrap().token(&kept.hash).await.unwrap(), Some(kept));
    audit(&world).await;
}

async fn openings_are_kept_with_their_statement(engine: Engine) {
    let world = World::new(engine).await;
    let title: custody::id::Code = "title".parse().unwrap();
    let fields = [(title.clone(), Digest::of(b"commitment"))].into();
    let statement = Statement { fields, ..world.item() };
    let opening = SealedOpening { name: title, scope: format!("case:{}", world.case), sealed: vec![7; 44] };
    let openings = vec![opening.clone()];
    let submission = world.signed_with(&statement, Attachments { openings, ..Attachments::default() });
    let stmt = submission.stmt();
    world.handle.submit(submission).await.unwrap();
    let mut tx = world.ground.store.read().await.unwrap();
    assert_eq!(tx.openings(&[stmt, Digest::ZERO]).await.unwrap(), [StoredOpening { stmt, opening }]);
    assert_eq!(
        tx.envelopes(&[stmt]).await.unwrap()[&stmt],
        tx.records_of(&[stmt]).await.unwrap()[0].envelope
    );
}
