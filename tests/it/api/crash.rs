//! `kill -9` in the middle of everything: what was answered is there, what was not is there once or not at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use custody::merkle::{Frontier, leaf_hash};
use custody::receipt::Receipt;
use custos::api;
use custos::store::Store;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::spine::two_custodians;
use crate::on_both_engines;
use crate::support::app::{TestApp, pinned};
use crate::support::audit::audit_log;
use crate::support::bundle::{assert_as_good_as_it_gets, judged};
use crate::support::child::Child;
use crate::support::client::{Caller, item, op_id};
use crate::support::world::Engine;

/// How often the service is killed.
const ROUNDS: usize = 50;
/// Requests under way at each kill, at least.
const IN_FLIGHT: usize = 8;
const WORKERS: usize = 16;

on_both_engines! { fifty_kills_lose_nothing_that_was_answered }

/// What the clients know, whatever the service forgets.
struct Journal {
    receipts: Mutex<Vec<Receipt>>,
    answered: watch::Sender<usize>,
    under_way: AtomicUsize,
    /// When each request began that was never answered.
    lost: Mutex<Vec<Instant>>,
}

/// Where a worker stands: a step that got no answer is taken again in the next round.
enum Step {
    Register { key: String },
    Upload { item: String, again: bool },
    Read { item: String, key: String },
}

struct Worker {
    caller: Caller,
    case: String,
    content: Vec<u8>,
    step: Step,
}

async fn fifty_kills_lose_nothing_that_was_answered(engine: Engine) {
    let mut app = TestApp::new(engine).await;
    let (asha, ben, case) = two_custodians(&app).await;
    app.stop().await;
    let journal = Arc::new(Journal {
        receipts: Mutex::default(),
        answered: watch::Sender::new(0),
        under_way: AtomicUsize::new(0),
        lost: Mutex::default(),
    });
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|number| Worker {
            caller: if number % 2 == 0 { asha.clone() } else { ben.clone() },
            case: case.clone(),
            content: vec![u8::try_from(number).unwrap(); 1_000 + number],
            step: Step::Register { key: op_id() },
        })
        .collect();
    let (mut rounds, mut tries) = (0, 0);
    while rounds < ROUNDS {
        tries += 1;
        assert!(tries < 2 * ROUNDS, "too few requests are under way");
        workers = round(&app, &journal, workers, tries % 23).await;
        let enough = std::mem::take(&mut *journal.lost.lock().unwrap()).len() >= IN_FLIGHT;
        rounds += usize::from(enough);
    }
    app.start().await;
    for worker in &mut workers {
        // At least once around: what was registered without an answer gets its content too.
        loop {
            assert!(worker.take_step(&app.shared.http, &journal).await, "the service answers again");
            if matches!(worker.step, Step::Register { .. }) {
                break;
            }
        }
    }
    let export: api::Export = asha.export(&case).await.made();
    let bundle = asha.bundle(&export.id).await.body;
    assert_as_good_as_it_gets(&judged(&asha, &bundle).await);
    let stored = with_content(&asha, &case).await;
    assert_eq!(export.exhibits, stored as u64, "every stored content can be read");
    app.stop().await;
    // What a crash left between an object and its record is counted, and nobody's content; nothing is half written.
    let objects = app.objects();
    let whole = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 32);
    assert!(objects.iter().all(whole), "{objects:?}");
    let service = custos::app::setup::open(&app.config, None).await.unwrap();
    assert_eq!(service.find_orphans().await.unwrap(), objects.len() - stored);
    service.close().await;
    compare(&app, &journal).await;
}

/// Starts the service, lets everybody work for a while, kills it.
async fn round(app: &TestApp, journal: &Arc<Journal>, workers: Vec<Worker>, patience: usize) -> Vec<Worker> {
    let mut child = Child::start(&app.config, &[], None);
    app.serve_at(&child.base);
    let http = pinned(&app.config);
    let mut answered = journal.answered.subscribe();
    let goal = *answered.borrow_and_update() + patience;
    let mut at_work = JoinSet::new();
    for mut worker in workers {
        let (journal, http) = (Arc::clone(journal), http.clone());
        at_work.spawn(async move {
            while worker.take_step(&http, &journal).await {}
            worker
        });
    }
    let busy = || journal.under_way.load(Ordering::SeqCst) >= WORKERS - 2;
    answered.wait_for(|answered| *answered >= goal && busy()).await.unwrap();
    let killed = Instant::now();
    child.kill();
    let workers = at_work.join_all().await;
    journal.lost.lock().unwrap().retain(|begun| *begun < killed);
    workers
}

impl Worker {
    /// Takes the next step; `false` when no answer came.
    async fn take_step(&mut self, http: &reqwest::Client, journal: &Journal) -> bool {
        let (method, path) = match &self.step {
            Step::Register { .. } => (Method::POST, format!("/api/v1/cases/{}/items", self.case)),
            Step::Upload { item, .. } => (Method::PUT, format!("/api/v1/items/{item}/content")),
            Step::Read { item, .. } => (Method::POST, format!("/api/v1/items/{item}/access")),
        };
        let base = self.caller.shared.base.lock().unwrap().clone();
        let request = http.request(method, format!("{base}{path}")).bearer_auth(&self.caller.token);
        let request = match &self.step {
            Step::Register { key } => {
                request.header("Idempotency-Key", key).json(&item("open", "small.bin", Some(&self.content)))
            }
            Step::Upload { .. } => request.body(self.content.clone()),
            Step::Read { key, .. } => {
                request.header("Idempotency-Key", key).json(&json!({ "purpose": "case-review" }))
            }
        };
        if let Some((status, body)) = journal.send(request).await {
            self.advance(status, &body, journal);
            return true;
        }
        if let Step::Upload { again, .. } = &mut self.step {
            *again = true;
        }
        false
    }

    fn advance(&mut self, status: u16, body: &[u8], journal: &Journal) {
        let text = String::from_utf8_lossy(body);
        // Stored and recorded, but the answer was lost.
        let stored_before = matches!(self.step, Step::Upload { again: true, .. }) && status == 409;
        assert!(status == 201 || stored_before, "{status} {text}");
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
        if status == 201 {
            let receipts: api::Receipts = serde_json::from_value(answer["receipts"].clone()).unwrap();
            self.caller.check(&receipts);
            let receipts = receipts.to_keep().map(|receipt| Receipt::parse(&receipt).unwrap());
            journal.receipts.lock().unwrap().extend(receipts);
        } else {
            assert_eq!(answer["code"], "content-exists", "{text}");
        }
        self.step = match &self.step {
            Step::Register { .. } => {
                Step::Upload { item: answer["id"].as_str().unwrap().to_owned(), again: false }
            }
            Step::Upload { item, .. } => Step::Read { item: item.clone(), key: op_id() },
            Step::Read { .. } => Step::Register { key: op_id() },
        };
    }
}

impl Journal {
    async fn send(&self, request: RequestBuilder) -> Option<(u16, Vec<u8>)> {
        let begun = Instant::now();
        self.under_way.fetch_add(1, Ordering::SeqCst);
        self.answered.send_modify(|_| {});
        let answer = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?.to_vec()))
        };
        let answer = answer.await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if answer.is_ok() {
            self.answered.send_modify(|answered| *answered += 1);
        } else {
            self.lost.lock().unwrap().push(begun);
        }
        answer.ok()
    }
}

/// How many items of the case have content.
async fn with_content(caller: &Caller, case: &str) -> usize {
    let mut count = 0;
    let mut next = Some("0".to_owned());
    while let Some(cursor) = next {
        let path = format!("/api/v1/cases/{case}/items?limit=200&cursor={cursor}");
        let page: api::Items = caller.get(&path).await.ok();
        count += page.items.iter().filter(|item| item.stored.is_some()).count();
        next = page.next;
    }
    count
}

/// Every receipt's record is there byte for byte, and the log extends every tree that a receipt was proven in.
async fn compare(app: &TestApp, journal: &Journal) {
    let store = Store::open(app.config.database_url()).await.unwrap();
    let rows = audit_log(&store, &app.shared.vault, &app.shared.log).await;
    let receipts = journal.receipts.lock().unwrap();
    assert!(receipts.len() > ROUNDS);
    let mut promised = BTreeMap::new();
    for receipt in receipts.iter() {
        let checked = receipt.check(&app.shared.vault, &app.shared.log).unwrap();
        let row = &rows[usize::try_from(checked.record.log_index).unwrap()];
        assert_eq!((&*row.record, &*row.envelope), (&*receipt.record, &*receipt.envelope));
        assert_eq!((row.salt, row.entry), (receipt.salt, receipt.entry));
        promised.insert(checked.checkpoint.size(), *checked.checkpoint.root());
    }
    let mut frontier = Frontier::new();
    for row in &rows {
        frontier.push(leaf_hash(&row.entry.to_bytes()));
        if let Some(root) = promised.remove(&frontier.size()) {
            assert_eq!(frontier.root(), root, "the log of {} entries is another one", frontier.size());
        }
    }
    assert!(promised.is_empty(), "the log is shorter than what was promised");
}
