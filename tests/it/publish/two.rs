//! Two processes of one vault, on one database and one object store: both publish.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use custody::checkpoint::Checkpoint;
use custody::merkle::{Frontier, leaf_hash};
use custody::note::{SignedNote, VerifierKey};
use custody::tile::{TileKind, TilePath, parse_entries};
use custos::blobs::{Blobs, LogFile, LogObjects};
use custos::publish::Publisher;
use custos::publish::witnesses::Witnesses;
use custos::sequencer::{Handle, start};
use custos::store::Store;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{Office, Running, patient};
use crate::support::app::{Shared, TestApp};
use crate::support::child::Child;
use crate::support::client::Caller;
use crate::support::witness::{Witness, policy};
use crate::support::world::{Engine, counting};

/// A vault and a second process of it.
struct Replicated {
    office: Arc<Office>,
    store: Store,
    handle: Handle,
    _folder: tempfile::TempDir,
}

impl Replicated {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut office = Office::new(Engine::Postgres).await;
        office.objects = Blobs::open(&format!("file://{}", folder.path().display())).unwrap().log();
        let world = &office.world;
        let store = Store::open(&world.ground.url).await.unwrap();
        let (keys, clock) = (Arc::clone(&world.keys), world.clock.clone());
        let (handle, _) = start(store.clone(), keys, clock, Box::new(counting())).await.unwrap();
        Self { office: Arc::new(office), store, handle, _folder: folder }
    }

    /// The second process publishes.
    async fn publish(&self, witnesses: Option<Witnesses>) -> Running {
        let signers = self.office.world.log.clone().into();
        let found = custos::publish::find(&self.store, &self.office.objects, &signers).await.unwrap();
        let (store, clock) = (self.store.clone(), self.office.world.clock.clone());
        let committed = self.handle.committed();
        let publisher =
            Publisher::new(store, self.office.objects.clone(), clock, committed, found, witnesses);
        Running { status: publisher.status(), task: tokio::spawn(publisher.run()) }
    }

    /// Items come in through both processes, several at a time.
    async fn load(&self, rounds: usize) {
        for round in 0..rounds {
            let items = (0..20 + round % 7).map(|number| {
                let (world, second) = (Arc::clone(&self.office.world), self.handle.clone());
                tokio::spawn(async move {
                    let submission = world.signed(&world.item());
                    let handle = if number % 2 == 0 { &world.handle } else { &second };
                    handle.submit(submission).await.unwrap();
                })
            });
            join_all(items).await.into_iter().for_each(|item| item.unwrap());
        }
    }
}

/// What somebody sees who has nothing but the object store: everything that the checkpoint covers is there, and neither
/// checkpoint nor tail ever goes back.
async fn look(objects: &LogObjects, log: &VerifierKey, before: (u64, u64)) -> (u64, u64) {
    let note = objects.read(LogFile::Checkpoint).await.unwrap().unwrap();
    let checkpoint = Checkpoint::open(&SignedNote::parse(&note).unwrap(), log).unwrap();
    let tail = objects.read(LogFile::Tail).await.unwrap().unwrap();
    let (start, bundle) = tail.split_first_chunk().unwrap();
    let start = u64::from_be_bytes(*start);
    let mut frontier = Frontier::new();
    let mut add = |path, bytes: &[u8]| {
        for entry in parse_entries(path, bytes).unwrap() {
            if frontier.size() < checkpoint.size() {
                frontier.push(leaf_hash(entry));
            }
        }
    };
    for number in 0..start / 256 {
        let path = TilePath::new(TileKind::Entries, number, 256).unwrap();
        add(path, &objects.tile(path).await.unwrap().expect("what comes before the tail is there"));
    }
    let width = u16::try_from(bundle.len() / 99).unwrap();
    if width > 0 {
        add(TilePath::new(TileKind::Entries, start / 256, width).unwrap(), bundle);
    }
    assert_eq!(frontier.size(), checkpoint.size(), "the tail from {start} has {width} entries");
    assert_eq!(frontier.root(), *checkpoint.root());
    let now = (checkpoint.size(), start + u64::from(width));
    assert!(now.0 >= before.0 && now.1 >= before.1, "{before:?}, then {now:?}");
    now
}

/// Looks again and again until told to end; what it saw last.
fn watch(replicated: &Replicated, end: &Arc<AtomicBool>) -> tokio::task::JoinHandle<(u64, u64)> {
    let (office, end) = (Arc::clone(&replicated.office), Arc::clone(end));
    tokio::spawn(async move {
        let mut seen = (0, 0);
        while !end.load(Ordering::Relaxed) {
            seen = look(&office.objects, &office.world.log, seen).await;
        }
        seen
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_of_one_log_agree_at_every_moment() {
    let replicated = Replicated::new().await;
    let office = &replicated.office;
    let mut first = office.publish(None).await;
    first.published(office, office.world.size().await, false).await;
    let mut second = replicated.publish(None).await;
    let end = Arc::new(AtomicBool::new(false));
    let watching = watch(&replicated, &end);
    replicated.load(60).await;
    let size = office.world.size().await;
    assert!(size > 1_300);
    for running in [&mut first, &mut second] {
        assert_eq!(running.published(office, size, false).await.size(), size);
        let status = running.status.borrow().clone();
        assert_eq!((status.alarms().len(), status.counts.failures), (0, 0), "{status:?}");
    }
    end.store(true, Ordering::Relaxed);
    let seen = watching.await.unwrap();
    assert_eq!(look(&office.objects, &office.world.log, seen).await, (size, size));

    // One that nobody asks to record anything shows what the other one records; and the other way round.
    let one = office.grow(1).await;
    assert_eq!(second.published(office, one, false).await.size(), one);
    replicated.handle.submit(office.world.signed(&office.world.item())).await.unwrap();
    assert_eq!(first.published(office, one + 1, false).await.size(), one + 1);
    assert_eq!(look(&office.objects, &office.world.log, (one, one)).await, (one + 1, one + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_ask_the_same_witnesses_and_show_what_either_got() {
    let replicated = Replicated::new().await;
    let office = &replicated.office;
    let witnesses = [Witness::new(81).await, Witness::new(82).await];
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("witnesses");
    std::fs::write(&file, policy(2, &[&witnesses[0], &witnesses[1]], None)).unwrap();
    let load = || Some(patient(&file, None));
    let mut first = office.publish(load()).await;
    first.published(office, office.world.size().await, true).await;
    let mut second = replicated.publish(load()).await;
    replicated.load(60).await;
    let size = office.world.size().await;
    for running in [&mut first, &mut second] {
        assert_eq!(running.published(office, size, true).await.size(), size);
        // Whoever was overtaken often raises an alarm, and ends it when what the other one got is shown.
        let status = running.until(|status| status.alarms().is_empty()).await;
        assert_eq!(status.counts.failures, 0, "{status:?}");
    }
    let cosigned = office.objects.read(LogFile::Witnessed).await.unwrap().unwrap();
    let checkpoint = Checkpoint::open(&SignedNote::parse(&cosigned).unwrap(), &office.world.log).unwrap();
    assert_eq!(checkpoint.size(), size);
    look(&office.objects, &office.world.log, (size, size)).await;
}

/// The same vault's administrator, at another process of it.
fn at(base: &str, app: &TestApp) -> Caller {
    let shared = Shared {
        base: Mutex::new(base.to_owned()),
        http: app.shared.http.clone(),
        vault: app.shared.vault,
        log: app.shared.log.clone(),
        keys: Mutex::new(app.shared.log.clone().into()),
        errors: Mutex::default(),
    };
    Caller { shared: Arc::new(shared), ..app.admin.clone() }
}

/// Records one after another until nobody answers any more; how often somebody did.
async fn record(there: Caller) -> u32 {
    let mut recorded = 0;
    loop {
        let request = there.request(Method::POST, "/api/v1/orgs").json(&json!({ "name": "Unit" }));
        match request.send().await {
            Ok(answer) => recorded += u32::from(answer.status() == 201),
            Err(_) => return recorded,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_publishes_holds_nobody_up() {
    let app = TestApp::new(Engine::Postgres).await;
    let objects = Blobs::open(app.config.blobs_url()).unwrap().log();
    let mut seen = (0, 0);
    for round in 0..5 {
        // It starts beside one that is at work.
        let here = (0..4).map(|_| {
            let admin = app.admin.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    admin.new_org("Unit").await.made::<custos::api::Created>();
                }
            })
        });
        let here: Vec<_> = here.collect();
        let config = app.config.clone();
        let started = tokio::task::spawn_blocking(move || Child::start(&config, &[], None));
        let mut second = started.await.unwrap();
        let there: Vec<_> = (0..4).map(|_| tokio::spawn(record(at(&second.base, &app)))).collect();
        for _ in 0..10 + 5 * round {
            app.admin.new_org("Unit").await.made::<custos::api::Created>();
            seen = look(&objects, &app.shared.log, seen).await;
        }
        second.kill();
        let recorded: u32 = join_all(there).await.into_iter().map(|recorded| recorded.unwrap()).sum();
        assert!(recorded > 0);
        join_all(here).await.into_iter().for_each(|recorded| recorded.unwrap());
        seen = look(&objects, &app.shared.log, seen).await;
    }
    // What the others committed last is published by the one that is left.
    let store = Store::attach(app.config.database_url()).await.unwrap();
    let size = store.read().await.unwrap().log_head().await.unwrap().unwrap().size();
    let shown = async || {
        let note = SignedNote::parse(app.admin.checkpoint().await.as_bytes()).unwrap();
        Checkpoint::open(&note, &app.shared.log).unwrap().size()
    };
    while seen != (size, size) {
        seen = look(&objects, &app.shared.log, seen).await;
    }
    while shown().await < size {}
    let ready = app.admin.with_token("").get("/readyz").await.body;
    assert_eq!(String::from_utf8(ready).unwrap(), "ready\n");
}
