//! Witnesses, asked by a vault (C2SP tlog-witness).

use custody::merkle::leaf_hash;
use custody::policy::Policy;
use custody::witness::Head;
use custos::publish::Stop;
use custos::publish::witnesses::{Witnesses, WitnessesError};

use super::{Office, Running, patient};
use crate::support::witness::{Manner, Witness, policy};
use crate::support::world::Engine;

crate::on_both_engines! {
    a_checkpoint_is_published_once_the_quorum_has_cosigned_it
    without_the_quorum_the_checkpoint_before_stays_and_an_alarm_is_raised
    a_vault_that_was_started_again_learns_what_its_witnesses_know
    a_witness_that_another_process_was_faster_with_is_no_trouble
    a_witness_that_is_always_ahead_hides_no_missed_quorum
    a_witness_that_has_seen_more_stops_publishing
    a_witness_that_has_seen_another_history_stops_publishing
    what_is_no_cosignature_counts_for_nothing
}

fn witnesses(text: &str) -> Result<Witnesses, WitnessesError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("witnesses");
    std::fs::write(&path, text).unwrap();
    Witnesses::load(&path, None)
}

async fn publish(office: &Office, quorum: usize, of: &[&Witness]) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("witnesses");
    std::fs::write(&file, policy(quorum, of, None)).unwrap();
    office.publish(Some(patient(&file, None))).await
}

async fn three() -> [Witness; 3] {
    [Witness::new(41).await, Witness::new(42).await, Witness::new(43).await]
}

async fn a_checkpoint_is_published_once_the_quorum_has_cosigned_it(engine: Engine) {
    let office = Office::new(engine).await;
    let [one, two, three] = three().await;
    three.behave(Manner::Silent);
    let mut running = publish(&office, 2, &[&one, &two, &three]).await;
    let size = office.grow(5).await;
    running.published(&office, size, true).await;
    let note = running.status.borrow().published.clone().unwrap().note;
    let text = policy(2, &[&one, &two, &three], Some(&office.world.log));
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let accepted = policy.accept(&note).unwrap();
    assert!(accepted.quorum_met);
    assert_eq!(accepted.cosignatures.len(), 2);
    assert!(note.signatures()[0].names(&office.world.log), "the log's own signature comes first");
    let head = Head { size: accepted.checkpoint.size(), root: *accepted.checkpoint.root() };
    assert_eq!((one.known().latest, two.known().latest), (Some(head), Some(head)));
    let row = office.world.ground.store.read().await.unwrap().newest_checkpoint().await.unwrap().unwrap();
    assert_eq!((row.size, row.note), (size, (*note).clone()));
    assert!(!running.status.borrow().quorum_missed);
}

async fn without_the_quorum_the_checkpoint_before_stays_and_an_alarm_is_raised(engine: Engine) {
    let office = Office::new(engine).await;
    let [one, two, three] = three().await;
    let all = [&one, &two, &three];
    let mut running = publish(&office, 2, &all).await;
    let before = running.published(&office, office.world.size().await, true).await;
    two.behave(Manner::Down);
    three.behave(Manner::Down);
    let size = office.grow(4).await;
    let status = running.until(|status| status.quorum_missed && status.stored == size).await;
    assert_eq!(status.published.as_ref().unwrap().size, before.size());
    assert_eq!(status.alarms().len(), 1, "{:?}", status.alarms());
    let troubled = status.witnesses.iter().filter(|witness| witness.trouble.is_some()).count();
    assert!(troubled > 0, "{:?}", status.witnesses);

    two.behave(Manner::Sound);
    assert_eq!(running.published(&office, size, true).await.size(), size, "what waited is caught up with");
    assert!(running.status.borrow().alarms().is_empty());
}

async fn a_vault_that_was_started_again_learns_what_its_witnesses_know(engine: Engine) {
    let office = Office::new(engine).await;
    let witness = Witness::new(41).await;
    let mut running = publish(&office, 1, &[&witness]).await;
    let first = running.published(&office, office.world.size().await, true).await.size();
    running.crash().await;
    let size = office.grow(3).await;
    witness.known().asked.clear();
    let mut again = publish(&office, 1, &[&witness]).await;
    assert_eq!(again.status.borrow().published.as_ref().unwrap().size, first, "what was published stays");
    again.published(&office, size, true).await;
    assert_eq!(witness.known().asked, [(0, size), (first, size)]);
}

async fn a_witness_that_another_process_was_faster_with_is_no_trouble(engine: Engine) {
    let office = Office::new(engine).await;
    let witness = Witness::new(41).await;
    let mut running = publish(&office, 1, &[&witness]).await;
    running.published(&office, office.world.size().await, true).await;
    let received = witness.known().received;
    let gate = witness.gate.write().await;
    let smaller = office.grow(1).await;
    while witness.known().received == received {
        tokio::task::yield_now().await;
    }
    // The question is under way; before it is answered, the log grows and another process has the witness cosign that.
    let size = office.grow(2).await;
    let head = office.world.ground.store.read().await.unwrap().log_head().await.unwrap().unwrap();
    witness.known().latest = Some(Head { size, root: head.frontier.root() });
    witness.known().asked.clear();
    drop(gate);
    assert_eq!(running.published(&office, size, true).await.size(), size);
    let status = running.status.borrow().clone();
    assert_eq!(witness.known().asked.first().map(|(_, asked)| *asked), Some(smaller));
    assert_eq!(status.counts.quorums_missed, 0, "{status:?}");
    assert!(status.alarms().is_empty() && status.witnesses[0].trouble.is_none(), "{status:?}");
}

async fn a_witness_that_is_always_ahead_hides_no_missed_quorum(engine: Engine) {
    let office = Office::new(engine).await;
    let [one, two, _] = three().await;
    let mut running = publish(&office, 2, &[&one, &two]).await;
    let before = running.published(&office, office.world.size().await, true).await;
    one.behave(Manner::Ahead);
    two.behave(Manner::Down);
    // Nobody else publishes this log: of what it says it has cosigned nothing comes.
    let growing = async {
        loop {
            one.grown.send_replace(office.grow(1).await);
        }
    };
    let status = tokio::select! {
        status = running.until(|status| status.quorum_missed) => status,
        () = growing => unreachable!("it grows until then"),
    };
    assert_eq!(status.alarms().len(), 1, "{status:?}");
    assert_eq!(status.published.unwrap().size, before.size());
    let trouble = status.witnesses[0].trouble.clone().unwrap();
    assert!(trouble.starts_with("it has cosigned ") && trouble.ends_with(" entries already"), "{trouble}");

    one.behave(Manner::Sound);
    two.behave(Manner::Sound);
    running.published(&office, office.world.size().await, true).await;
    assert!(running.status.borrow().alarms().is_empty());
}

async fn a_witness_that_has_seen_more_stops_publishing(engine: Engine) {
    let office = Office::new(engine).await;
    let [one, two, _] = three().await;
    let mut running = publish(&office, 1, &[&one, &two]).await;
    let before = running.published(&office, office.world.size().await, true).await;
    running.crash().await;
    let ahead = Head { size: before.size() + 1_000, root: leaf_hash(b"what was lost") };
    one.known().latest = Some(ahead);
    two.behave(Manner::Silent);
    let size = office.grow(2).await;
    let mut again = publish(&office, 1, &[&one, &two]).await;
    let status = again.until(|status| status.stopped.is_some()).await;
    let stop = Stop::SetBack { witness: "w0".to_owned(), seen: ahead.size, database: size };
    assert_eq!(status.stopped, Some(stop));
    assert_eq!(status.published.unwrap().size, before.size());
    again.task.await.unwrap();
    assert_eq!(one.known().latest, Some(ahead));
}

async fn a_witness_that_has_seen_another_history_stops_publishing(engine: Engine) {
    let office = Office::new(engine).await;
    let witness = Witness::new(41).await;
    witness.known().latest = Some(Head { size: 3, root: leaf_hash(b"another history") });
    office.grow(2).await;
    let mut running = publish(&office, 1, &[&witness]).await;
    let status = running.until(|status| status.stopped.is_some()).await;
    assert_eq!(status.stopped, Some(Stop::Forked { witness: "w0".to_owned() }));
    assert_eq!(status.published, None);
}

async fn what_is_no_cosignature_counts_for_nothing(engine: Engine) {
    let office = Office::new(engine).await;
    let [one, two, three] = three().await;
    let decoy = Witness::new(44).await;
    one.behave(Manner::OtherKey);
    two.behave(Manner::Redirects(format!("{}/add-checkpoint", decoy.url)));
    three.behave(Manner::Endless);
    let mut running = publish(&office, 1, &[&one, &two, &three]).await;
    let missed = |status: &custos::publish::Status| {
        status.quorum_missed && status.witnesses.iter().all(|witness| witness.trouble.is_some())
    };
    let status = running.until(missed).await;
    let published = status.published.unwrap();
    assert!(!published.witnessed, "until the first quorum there is nothing better to show");
    assert_eq!(published.note.signatures().len(), 1);
    assert_eq!(decoy.known().asked, [], "redirects are not followed");
}

#[tokio::test]
async fn witnesses_that_cannot_be_enough_or_are_not_reached_safely_are_refused() {
    let witness = Witness::new(41).await;
    let key = witness.key();
    let load = |text: String| witnesses(&text).unwrap_err();
    assert!(matches!(load(format!("witness w {key}\nquorum w\n")), WitnessesError::Unreachable));
    let plain = load(format!("witness w {key} http://w.example/\nquorum w\n"));
    assert!(matches!(plain, WitnessesError::Address(name) if name == "w"));
    assert!(matches!(load("quorum".to_owned()), WitnessesError::Policy { .. }));
    assert!(witnesses(&format!("witness w {key} https://w.example/\nquorum none\n")).is_ok());
    let nowhere = Witnesses::load(std::path::Path::new("/nowhere/at/all"), None);
    assert!(matches!(nowhere, Err(WitnessesError::Read { .. })));
}
