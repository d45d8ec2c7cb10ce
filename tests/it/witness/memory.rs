//! What it remembers.

use std::path::Path;
use std::sync::Barrier;

use custody::note::{KeyName, SignedNote};
use custody::witness::{AddCheckpoint, Answer, cosignature_by, monitoring_path};
use custos::engine::OsEntropy;
use custos::witness::{Serving, Witness, WitnessError};

use crate::support::published::Published;

const LOG: &str = "vault.example.org/custos/1";
const NOW: u64 = 1_795_000_000;

fn init(root: &Path) -> Witness {
    Witness::init(root, &KeyName::new("witness.example/w1").unwrap(), &mut OsEntropy).unwrap()
}

fn answer(witness: &Witness, serving: &Serving, request: &str) -> Answer {
    witness.answer(serving, request.as_bytes(), NOW).unwrap()
}

#[test]
fn of_two_histories_sent_at_once_one_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let witness = init(&folder.path().join("w"));
    let serving = witness.begin().unwrap();
    for round in 0..50 {
        let origin = format!("race.example/{round}");
        let branches = [1, 2].map(|branch| Published::new(&origin, branch, 3, 9));
        witness.follow(&branches[0].vkey()).unwrap();
        assert!(matches!(answer(&witness, &serving, &branches[0].request(0, 3)), Answer::Cosigned(_)));
        let barrier = Barrier::new(2);
        let ask = &|log: &Published| {
            let request = log.request(3, 9);
            barrier.wait();
            answer(&witness, &serving, &request)
        };
        let answers = std::thread::scope(|scope| {
            let both = branches.each_ref().map(|log| scope.spawn(move || ask(log)));
            both.map(|asked| asked.join().unwrap())
        });
        let cosigned = answers.iter().filter(|answer| matches!(answer, Answer::Cosigned(_))).count();
        assert_eq!(cosigned, 1, "{answers:?}");
        assert!(answers.contains(&Answer::Conflict { size: 9 }), "{answers:?}");
    }
}

#[test]
fn what_was_cosigned_is_remembered_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let log = Published::new(LOG, 0, 0, 600);
    let mut vkey = None;
    for (old, size) in [(0, 0), (0, 1), (1, 300), (300, 300), (300, 600)] {
        // Each time a new process.
        let witness = if vkey.is_none() { init(&root) } else { Witness::open(&root).unwrap() };
        assert_eq!(witness.follow(&log.vkey()).unwrap(), vkey.is_none());
        let serving = witness.begin().unwrap();
        let Answer::Cosigned(signatures) = answer(&witness, &serving, &log.request(old, size)) else {
            panic!("refused {old} to {size}")
        };
        let note = log.checkpoint(size);
        let (_, seconds) = cosignature_by(witness.vkey(), &signatures, note.text()).unwrap();
        assert_eq!(seconds, NOW);
        let origin_hash = monitoring_path(LOG).split_once('/').unwrap().0.parse().unwrap();
        let shown = SignedNote::parse(&witness.shown(&origin_hash).unwrap().unwrap()).unwrap();
        assert_eq!(shown.text(), note.text());
        assert_eq!(shown.verify(&[log.vkey(), witness.vkey().clone()]).unwrap().len(), 2);
        let known = vkey.get_or_insert_with(|| witness.vkey().clone());
        assert_eq!(known, witness.vkey());
    }
    let logs = Witness::open(&root).unwrap().logs().unwrap();
    assert_eq!((logs.len(), logs[0].size, logs[0].evidence), (1, Some(600), 0));
}

#[test]
fn a_damaged_memory_is_no_empty_memory() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let witness = init(&root);
    let log = Published::new(LOG, 0, 0, 9);
    witness.follow(&log.vkey()).unwrap();
    let serving = witness.begin().unwrap();
    answer(&witness, &serving, &log.request(0, 9));
    let path = root.join("logs").join(monitoring_path(LOG));
    let sound = std::fs::read_to_string(&path).unwrap();
    let of_the_log_alone = log.checkpoint(9).to_string();
    for damaged in ["", &sound[..sound.len() - 9], &of_the_log_alone, &sound.replace("\n9\n", "\n8\n")] {
        std::fs::write(&path, damaged).unwrap();
        for request in [log.request(0, 9), log.request(9, 9)] {
            let error = witness.answer(&serving, request.as_bytes(), NOW).unwrap_err();
            assert!(matches!(error, WitnessError::Damaged { .. }), "{error}");
        }
    }
}

#[test]
fn requests_that_prove_two_histories_are_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let witness = init(&root);
    let (log, other) = (Published::new(LOG, 1, 4, 20), Published::new(LOG, 2, 4, 20));
    witness.follow(&log.vkey()).unwrap();
    let serving = witness.begin().unwrap();
    answer(&witness, &serving, &log.request(0, 9));
    // Proofs of nothing: a wrong old size, a smaller tree, another log's signature.
    assert_eq!(answer(&witness, &serving, &log.request(4, 12)), Answer::Conflict { size: 9 });
    assert_eq!(answer(&witness, &serving, &other.request(4, 8)), Answer::Conflict { size: 9 });
    let foreign = other.request(9, 9).replace("— vault", "— other");
    assert_eq!(answer(&witness, &serving, &foreign), Answer::Forbidden);
    assert_eq!(witness.logs().unwrap()[0].evidence, 0);
    // The same size with another root; a continuation of another history.
    for (request, told) in [
        (other.request(9, 9), Answer::Unprocessable),
        (other.request(4, 9), Answer::Conflict { size: 9 }),
        (other.request(9, 20), Answer::Unprocessable),
    ] {
        assert_eq!(answer(&witness, &serving, &request), told);
    }
    assert_eq!(witness.logs().unwrap()[0].evidence, 2);
    let kept = root.join("logs").join(monitoring_path(LOG)).with_file_name("evidence");
    for file in std::fs::read_dir(kept).unwrap().map(|file| file.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        if file.extension().unwrap() == "held" {
            assert_eq!(SignedNote::parse(&bytes).unwrap().text(), log.checkpoint(9).text());
        } else {
            let request = AddCheckpoint::parse(&bytes).unwrap();
            assert!(request.checkpoint().verify(&[log.vkey()]).is_ok());
        }
    }
    assert!(matches!(answer(&witness, &serving, &log.request(9, 20)), Answer::Cosigned(_)), "it goes on");
}

#[test]
fn once_a_newer_key_has_signed_those_before_it_sign_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let witness = init(&root);
    let first = Published::new(LOG, 1, 9, 30);
    let [second, third] = [2, 3].map(|seed| first.signed_by(seed));
    // The operator was told of each in time; the second signs nothing that this witness sees.
    for log in [&first, &second, &third] {
        assert!(witness.follow(&log.vkey()).unwrap());
    }
    let serving = witness.begin().unwrap();
    for (old, size) in [(0, 9), (9, 12)] {
        assert!(matches!(answer(&witness, &serving, &first.request(old, size)), Answer::Cosigned(_)));
    }
    assert_eq!(witness.logs().unwrap()[0].replaced, Vec::<String>::new());
    assert!(matches!(answer(&witness, &serving, &third.request(12, 15)), Answer::Cosigned(_)));

    // Whoever has an old key signs what they like: the log as it is, and another history; in each new process too.
    let fork = Published::new(LOG, 2, 15, 30);
    for round in 0..2 {
        let again = Witness::open(&root).unwrap();
        let witness = if round == 0 { &witness } else { &again };
        for old_key in [&first, &second, &fork, &fork.signed_by(2)] {
            for (old, size) in [(15, 15), (15, 20), (12, 20), (0, 15)] {
                assert_eq!(answer(witness, &serving, &old_key.request(old, size)), Answer::Forbidden);
            }
            // A vault that was set back to before the new key learns how far it was.
            assert_eq!(answer(witness, &serving, &old_key.request(9, 12)), Answer::Conflict { size: 15 });
        }
        let told = witness.logs().unwrap().remove(0);
        assert_eq!(told.keys, [third.vkey().to_string()]);
        assert_eq!(told.replaced, [first.vkey().to_string(), second.vkey().to_string()]);
        assert_eq!((told.size, told.evidence), (Some(15), 0));
        for log in [&first, &second] {
            assert!(matches!(witness.follow(&log.vkey()), Err(WitnessError::Replaced(_))));
        }
        assert!(!witness.follow(&third.vkey()).unwrap());
    }

    // The log goes on, and to a next key, as often as it likes: those before do not count as keys of today.
    let mut held = 15;
    for seed in 4..16 {
        let next = first.signed_by(seed);
        assert!(witness.follow(&next.vkey()).unwrap());
        assert!(matches!(answer(&witness, &serving, &next.request(held, held + 1)), Answer::Cosigned(_)));
        held += 1;
        assert_eq!(answer(&witness, &serving, &third.request(held, 30)), Answer::Forbidden);
    }
    for seed in 16..23 {
        assert!(witness.follow(&first.signed_by(seed).vkey()).unwrap());
    }
    assert!(matches!(witness.follow(&first.signed_by(23).vkey()), Err(WitnessError::TooManyKeys)));
}

#[test]
fn a_checkpoint_by_the_old_key_and_the_new_one_is_the_last_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let witness = init(&folder.path().join("w"));
    let old = Published::new(LOG, 1, 9, 30);
    let new = old.signed_by(2);
    for log in [&old, &new] {
        witness.follow(&log.vkey()).unwrap();
    }
    let serving = witness.begin().unwrap();
    let both = |size, from| {
        let mut request = AddCheckpoint::parse(old.request(from, size).as_bytes()).unwrap();
        let mut note = request.checkpoint().clone();
        note.add(new.checkpoint(size).signatures()[0].clone()).unwrap();
        request = AddCheckpoint::new(from, request.proof().to_vec(), note).unwrap();
        answer(&witness, &serving, &request.to_string())
    };
    assert!(matches!(both(9, 0), Answer::Cosigned(_)));
    assert_eq!(answer(&witness, &serving, &old.request(9, 12)), Answer::Forbidden);
    // What the old key adds to it is of no account.
    assert!(matches!(both(12, 9), Answer::Cosigned(_)));
    assert_eq!(witness.logs().unwrap()[0].replaced, [old.vkey().to_string()]);
    assert!(matches!(answer(&witness, &serving, &new.request(12, 30)), Answer::Cosigned(_)));
}

#[test]
fn two_processes_never_serve_one_directory_and_it_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("w");
    let witness = init(&root);
    let serving = witness.begin().unwrap();
    assert!(matches!(Witness::open(&root).unwrap().begin(), Err(WitnessError::Served(_))));
    drop(serving);
    assert!(witness.begin().is_ok());
    let again = Witness::init(&root, &KeyName::new("witness.example/w2").unwrap(), &mut OsEntropy);
    assert!(matches!(again, Err(WitnessError::Keyring(_))));
    assert!(matches!(witness.follow(witness.vkey()), Err(WitnessError::NotALogKey)));
}
