//! Nothing is answered before it is on the disk: the system calls of the running service say so.

use std::ffi::OsString;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use custos::api;

use super::spine::two_custodians;
use crate::support::app::TestApp;
use crate::support::child::Child;
use crate::support::client::item;
use crate::support::world::Engine;

/// A system call that succeeded, when it returned, in microseconds.
#[derive(Debug)]
struct Call {
    at: u64,
    name: String,
    on: String,
}

impl Call {
    fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync")
    }

    /// Something goes out to a client.
    fn is_answer(&self) -> bool {
        !self.is_sync() && (self.on.starts_with("TCP") || self.on.starts_with("socket"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_on_the_disk_before_it_is_answered() {
    let mut app = TestApp::new(Engine::Sqlite).await;
    let (asha, _, case) = two_custodians(&app).await;
    app.stop().await;
    let trace = app.root().join("trace");
    let calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
    let mut strace: Vec<OsString> =
        ["strace", "-f", "-yy", "-ttt", "-T", "-s", "0", "-e", calls, "-o"].map(OsString::from).into();
    strace.push(trace.clone().into());
    let version = std::process::Command::new("strace").arg("-V").output();
    assert!(version.is_ok(), "this test needs strace: run tests/setup.sh");
    let child = Child::start(&app.config, &strace, None);
    app.serve_at(&child.base);

    let begun = now();
    let made: api::Created = asha.register(&case, &item("open", "a", None)).await.made();
    let registered = now();
    assert_eq!(asha.upload(&made.id, &vec![7; 300_000]).await.status, 201);
    let uploaded = now();
    child.stop();

    let calls = read(&fs::read_to_string(&trace).unwrap());
    let log = |call: &Call| call.is_sync() && call.on.ends_with("-wal");
    synced_then_answered(&calls, begun, registered, &[&log]);
    let blobs = app.config.blobs_url().strip_prefix("file://").unwrap().to_owned();
    let below = |call: &Call| call.is_sync() && call.on.starts_with(&blobs);
    let file = |call: &Call| below(call) && fs::metadata(&call.on).is_ok_and(|found| found.is_file());
    let renamed = |call: &Call| below(call) && fs::metadata(&call.on).is_err();
    let folder = |call: &Call| below(call) && fs::metadata(&call.on).is_ok_and(|found| found.is_dir());
    // A staged file is synced under the name it had before it was moved to its own.
    let bytes = |call: &Call| file(call) || renamed(call);
    synced_then_answered(&calls, registered, uploaded, &[&bytes, &folder, &log]);
}

/// Between `from` and `to` these things happened in this order, and then came the last answer.
fn synced_then_answered(calls: &[Call], from: u64, to: u64, order: &[&dyn Fn(&Call) -> bool]) {
    let within: Vec<_> = calls.iter().filter(|call| (from..=to).contains(&call.at)).collect();
    let answer = within.iter().rposition(|call| call.is_answer()).expect("an answer is sent");
    let mut rest = within[..answer].iter();
    for (number, wanted) in order.iter().enumerate() {
        assert!(rest.any(|call| wanted(call)), "sync {number} does not come before the answer: {within:#?}");
    }
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Reads `pid seconds.micros name(fd<what>, …) = result <seconds.micros>`, also where a call was interrupted by those of other
/// threads and stands on two lines.
fn read(trace: &str) -> Vec<Call> {
    let mut begun = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        // Short process numbers are followed by more than one space.
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Some((at, rest)) = rest.trim().split_once(' ') else { continue };
        let at = micros(at);
        let succeeded = || rest.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with('-'));
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((name, on)) = begun.remove(pid) else { continue };
            assert!(resumed.starts_with(&name), "{line}");
            if succeeded() {
                // The line is written when the call returns.
                calls.push(Call { at, name, on });
            }
            continue;
        }
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        let on = described(arguments);
        if rest.ends_with("<unfinished ...>") {
            begun.insert(pid, (name.to_owned(), on));
        } else if succeeded() {
            let took = rest.rsplit_once('<').map_or(0, |(_, took)| micros(took.trim_end_matches('>')));
            calls.push(Call { at: at + took, name: name.to_owned(), on });
        }
    }
    calls.sort_by_key(|call| call.at);
    calls
}

/// What the first argument's file descriptor stands for: `5</path>`, `7<TCP:[…->…]>`.
fn described(arguments: &str) -> String {
    let from = arguments.find('<').map_or(arguments.len(), |at| at + 1);
    let what = &arguments[from..];
    // An address contains `->`, a path may contain anything but ends before `>,` or `>)`.
    let end = [">,", ">)", "> "].iter().filter_map(|end| what.find(end)).min().unwrap_or(what.len());
    what[..end].to_owned()
}

fn micros(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    whole.parse::<u64>().unwrap_or(0) * 1_000_000 + part.parse::<u64>().unwrap_or(0)
}
