//! What stands in the object store and not in the database: found, whatever it is; and whose word counts about it.

use std::sync::Arc;

use custody::checkpoint::{Checkpoint, Origin};
use custody::log_keys::LogKeys;
use custody::merkle::leaf_hash;
use custody::note::{SignatureType, SignedNote, VerifierKey};
use custody::tile::{TileKind, TilePath};
use custos::blobs::{Blobs, LogFile};
use custos::publish::{LostError, Signers, StartError, Stop, find, lost};
use custos::store::Store;
use ed25519_dalek::SigningKey;

use super::Office;
use crate::support::raw::change;
use crate::support::world::{Engine, ORIGIN};

crate::on_both_engines! {
    anything_beyond_the_database_says_that_it_was_set_back
    only_keys_of_the_log_at_that_size_judge_the_database
}

impl Office {
    /// The same vault with an object store of its own, in which it has published all it has.
    async fn published_anew(&self) -> Self {
        let objects = Blobs::open("memory:///").unwrap().log();
        let office = Self { world: Arc::clone(&self.world), objects };
        let mut running = office.publish(None).await;
        running.published(&office, office.world.size().await, false).await;
        running.crash().await;
        office
    }

    async fn find(&self, signers: &Signers) -> Result<custos::publish::Found, StartError> {
        find(&self.world.ground.store, &self.objects, signers).await
    }
}

async fn anything_beyond_the_database_says_that_it_was_set_back(engine: Engine) {
    let office = Office::new(engine).await;
    let size = office.world.size().await;
    assert!((10..200).contains(&size));
    let signers: Signers = office.world.log.clone().into();
    // What a round writes in any order, at any level, next to what is there or far from it; and what a mirror keeps.
    for (path, needs) in [
        ("tile/0/000", 256),
        ("tile/0/007", 8 * 256),
        ("tile/1/000", 1 << 16),
        ("tile/2/x001/000", 1001 << 24),
        ("tile/entries/000", 256),
        ("tile/entries/003", 4 * 256),
        ("tile/entries/000.p/201", 201),
        ("tile/9/000", u64::MAX),
    ] {
        let office = office.published_anew().await;
        office.objects.create(path.parse().unwrap(), b"anything".to_vec()).await.unwrap();
        let refused = office.find(&signers).await;
        assert!(
            matches!(refused, Err(StartError::RolledBack { published, database }) if (published, database) == (needs, size)),
            "{path}: {refused:?}"
        );
        let unknown = lost(&office.world.ground.store, &office.objects, &signers).await;
        let at = format!("log/{path}");
        let named = match &unknown {
            Err(LostError::Beyond { path, .. }) => path.clone(),
            // In the place of what should be there.
            Err(LostError::Missing { path, .. }) => format!("log/{path}"),
            other => panic!("{at}: {other:?}"),
        };
        assert_eq!(named, at);
    }
    for (start, needs) in [(size + 1, size + 1), (u64::MAX, u64::MAX)] {
        let office = office.published_anew().await;
        office.objects.replace(LogFile::Tail, start.to_be_bytes().to_vec()).await.unwrap();
        let refused = office.find(&signers).await;
        assert!(matches!(refused, Err(StartError::RolledBack { published, .. }) if published == needs));
        let unknown = lost(&office.world.ground.store, &office.objects, &signers).await;
        assert!(matches!(&unknown, Err(LostError::Missing { .. } | LostError::Beyond { .. })), "{unknown:?}");
    }
    // What the database has too says nothing.
    let office = office.published_anew().await;
    let path: TilePath = "tile/entries/000.p/5".parse().unwrap();
    office.objects.create(path, b"anything".to_vec()).await.unwrap();
    assert_eq!(office.find(&signers).await.unwrap().stored.unwrap().size, size);
    let nothing = lost(&office.world.ground.store, &office.objects, &signers).await;
    assert!(matches!(nothing, Err(LostError::Nothing { .. })), "{nothing:?}");
}

async fn only_keys_of_the_log_at_that_size_judge_the_database(engine: Engine) {
    let office = Office::new(engine).await;
    let size = office.world.size().await;
    let [new, held, strange] = [71, 72, 73].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let given_up = office.world.keys.log.clone();
    let next = Origin::new("vault.example.org/custos/2").unwrap();
    let vkey = VerifierKey::new(next.key_name(), SignatureType::Ed25519, new.verifying_key()).unwrap();
    let log = LogKeys::from(office.world.log.clone()).replaced(size, vkey).unwrap();
    let signers = Signers { log, held: vec![held.verifying_key()], lost: false };
    let note = |origin: &str, size, key: &SigningKey| -> SignedNote {
        let origin = Origin::new(origin).unwrap();
        Checkpoint::new(origin, size, leaf_hash(b"another history")).unwrap().sign(key).unwrap()
    };
    let written = async |note: &SignedNote| {
        let bytes = note.to_string().into_bytes();
        office.objects.replace(LogFile::Checkpoint, bytes).await.unwrap();
        let lost = lost(&office.world.ground.store, &office.objects, &signers).await;
        (office.find(&signers).await, lost.unwrap_err())
    };
    // Whoever stole the key that was given up signs what they like where it has no say: nobody goes by it.
    for forged in [
        note(ORIGIN, size + 1, &given_up),
        note(ORIGIN, 1 << 40, &given_up),
        note(next.as_str(), size + 1, &given_up),
        note(next.as_str(), 1, &given_up),
        note(ORIGIN, 1, &new),
    ] {
        let (found, lost) = written(&forged).await;
        assert!(found.unwrap().stored.is_none(), "{forged}");
        assert!(matches!(lost, LostError::OtherKey), "{lost}");
    }
    // The log's key, and a later one whose record a restore lost: what they signed was published.
    for (origin, key) in [(next.as_str(), &new), (next.as_str(), &held), (ORIGIN, &held)] {
        let (found, lost) = written(&note(origin, size + 1, key)).await;
        assert!(matches!(found, Err(StartError::RolledBack { published, .. }) if published == size + 1));
        assert!(matches!(lost, LostError::Missing { .. }), "{lost}");
    }
    let (found, _) = written(&note(ORIGIN, 1, &given_up)).await;
    // It was the log's key then: who wrote this is for people to find out, and they are told whose word it is.
    let Err(contradicted) = found else { panic!("{forged}", forged = note(ORIGIN, 1, &given_up)) };
    let file = LogFile::Checkpoint;
    assert!(
        matches!(contradicted, StartError::FormerKey { published: 1, replaced, file: at } if replaced == size && at == file),
        "{contradicted}"
    );
    assert!(contradicted.remedy().contains("move `log/` in the object store to a safe place"));
    let (found, lost) = written(&note(next.as_str(), size + 1, &strange)).await;
    assert!(matches!(found, Err(StartError::OtherLog)), "{found:?}");
    assert!(matches!(lost, LostError::Published(StartError::OtherLog)), "{lost}");
}

/// A round that breaks off is made good, or what is left of it is enough to know what was published.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_round_is_read_by_a_database_that_was_set_back() {
    let office = Office::new(Engine::Sqlite).await;
    let signers: Signers = office.world.log.clone().into();
    let mut running = office.publish(None).await;
    let before = running.published(&office, office.world.size().await, false).await.size();
    running.crash().await;
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    change(&office.world.ground.url, &format!("VACUUM INTO '{}'", old.display()), 0).await;

    // The round breaks off at the first tile of hashes.
    office.grow(1_100).await;
    let stop: TilePath = "tile/0/000".parse().unwrap();
    office.objects.create(stop, b"another history".to_vec()).await.unwrap();
    let mut running = office.publish(None).await;
    let status = running.until(|status| status.stopped.is_some()).await;
    assert_eq!(status.stopped, Some(Stop::OtherBytes(stop)));
    running.task.await.unwrap();

    let old = Store::attach(&format!("sqlite:{}", old.display())).await.unwrap();
    let refused = find(&old, &office.objects, &signers).await;
    assert!(matches!(refused, Err(StartError::RolledBack { published: 1_024, .. })), "{refused:?}");
    let lost = lost(&old, &office.objects, &signers).await.unwrap();
    assert_eq!((lost.from, lost.signed, lost.to()), (before, before, 1_024));
    let had = office.world.ground.store.read().await.unwrap().entries(before..1_024).await.unwrap();
    assert!(lost.entries == had);
    let next = TilePath::new(TileKind::Entries, 4, 256).unwrap();
    assert_eq!(office.objects.tile(next).await.unwrap(), None);
}
