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
