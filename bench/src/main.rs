//! The parts of `bench/run` that happen inside a process. Each prints one number: operations per second.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program whose output is a number")]

mod api;
mod bundle;
mod speaker;
#[path = "../../crates/custody/tests/support/mod.rs"]
#[allow(clippy::unwrap_used, clippy::wildcard_imports, reason = "the kit of the core's own tests")]
mod support;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use world::World;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Statements signed beforehand for each submitter: signing is the person's work, not the vault's.
const PREPARED: usize = 4_000;

/// Submitters, and statements of each in one go, that make a log long before it is measured.
const FILLING: (usize, usize) = (128, 100);

const USAGE: &str = "usage: custos-bench append URL SUBMITTERS SECONDS [RECORDS BEFORE] | insert FILE SECONDS | \
                     api URL DEMO SUBMITTERS SECONDS | strict THREADS SECONDS | bundle FOLDER RECORDS";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let figure = match words.as_slice() {
        ["append", url, submitters, seconds] => append(url, submitters, seconds, "0").await,
        ["append", url, submitters, seconds, before] => append(url, submitters, seconds, before).await,
        ["api", url, demo, submitters, seconds] => through_api(url, demo, submitters, seconds).await,
        ["insert", path, seconds] => insert(path, seconds).await,
        ["strict", threads, seconds] => strict(threads, seconds),
        ["bundle", folder, records] => bundle::write(folder, records),
        _ => Err(USAGE.into()),
    };
    match figure {
        Ok(figure) => {
            println!("{figure:.1}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Signed statements verified, chained and durable, by so many submitters who each wait for their receipt, in a log that
/// has so many records already.
async fn append(url: &str, submitters: &str, seconds: &str, before: &str) -> Result<f64, Failure> {
    let (submitters, time): (usize, _) = (submitters.parse()?, duration(seconds)?);
    let world = Arc::new(World::new(url).await?);
    let (mut left, (at_once, each)) = (before.parse::<usize>()?, FILLING);
    while left > 0 {
        let filled =
            submit(&world, world.prepare(at_once, each.min(left.div_ceil(at_once)))?, Duration::MAX).await?;
        left = left.saturating_sub(usize::try_from(filled)?);
    }
    let prepared = world.prepare(submitters, PREPARED)?;
    let start = Instant::now();
    #[expect(clippy::cast_precision_loss, reason = "a count of operations, far below 2^52")]
    let count = submit(&world, prepared, time).await? as f64;
    Ok(count / start.elapsed().as_secs_f64())
}

/// Submits until all is said or the time is over; how many were recorded.
async fn submit(world: &Arc<World>, prepared: Vec<Vec<Vec<u8>>>, time: Duration) -> Result<u64, Failure> {
    let (done, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let tasks: Vec<_> = prepared
        .into_iter()
        .map(|statements| {
            let (world, done) = (Arc::clone(world), Arc::clone(&done));
            tokio::spawn(async move {
                for statement in statements {
                    if start.elapsed() >= time {
                        break;
                    }
                    world.submit(statement).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(done.load(Ordering::Relaxed))
}

/// Prints the lag of the published log, in milliseconds, before the rate.
async fn through_api(url: &str, demo: &str, submitters: &str, seconds: &str) -> Result<f64, Failure> {
    let (rate, lag) = api::api(url, Path::new(demo), submitters.parse()?, duration(seconds)?).await?;
    println!("{lag:.1}");
    Ok(rate)
}

/// The bare loop: one row a transaction, durable, one connection.
async fn insert(path: &str, seconds: &str) -> Result<f64, Failure> {
    let time = duration(seconds)?;
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    sqlx::query("CREATE TABLE rows (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
        .execute(&mut connection)
        .await?;
    let row = vec![7_u8; 1_000];
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < time {
        sqlx::query("INSERT INTO rows (bytes) VALUES ($1)").bind(&row).execute(&mut connection).await?;
        count += 1.0;
    }
    Ok(count / start.elapsed().as_secs_f64())
}

/// Ed25519 alone: strict verifications of a statement-sized message, on so many cores.
fn strict(threads: &str, seconds: &str) -> Result<f64, Failure> {
    let (threads, time): (usize, _) = (threads.parse()?, duration(seconds)?);
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(move || strict_alone(time))).collect();
    running.into_iter().map(|thread| thread.join().map_err(|_| "a thread broke off")?).sum()
}

fn strict_alone(time: Duration) -> Result<f64, Failure> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let message = [7; 700];
    let (signature, public) = (key.sign(&message), key.verifying_key());
    let start = Instant::now();
    let mut count = 0.0;
    while start.elapsed() < time {
        for _ in 0..100 {
            public.verify_strict(&message, &signature)?;
        }
        count += 100.0;
    }
    Ok(count / start.elapsed().as_secs_f64())
}

fn duration(seconds: &str) -> Result<Duration, Failure> {
    Ok(Duration::from_secs_f64(seconds.parse()?))
}
