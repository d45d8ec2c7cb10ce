//! `custos doctor`: what is wrong with the vault on this machine, and the command that mends it.

use std::error::Error;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use custody::time::Timestamp;
use serde::Serialize;

use super::args::Vault;
use super::failure::{Exit, Failure};
use super::table::table;
use super::{Global, Out, progress};
use crate::app::setup::{self, SetupError};
use crate::app::{AppError, Lapsed, Readiness, lapsed_of};
use crate::client::now;
use crate::config::Config;
use crate::keyring::{KeyProvider, Keyring, provider};
use crate::kit::{Standing, left_in, standing_of};
use crate::ops::Difference;
use crate::ops::replay::replay;
use crate::store::{Differs, Store, StoreError};

/// This program was written after this moment, milliseconds since 1970; a clock before it is wrong.
const WRITTEN_MS: i64 = 1_780_000_000_000;

const PUBLISHED: &str = "published log";
const WITNESSES: &str = "witnesses";

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Decide and record everything once more, from the records alone, and compare every table with the outcome; needs
    /// no key
    #[arg(long)]
    replay: bool,
    /// Folder for the replay's own database, about as large as the vault's [default: the system's temporary folder]
    #[arg(long, value_name = "DIR", requires = "replay")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    vault: Vault,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    detail: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    if args.replay {
        return replayed(&args.vault.config(global)?, args, out).await;
    }
    let (config, passphrase) = args.vault.open(global)?;
    let keys = provider(passphrase.clone());
    let keyring = keyring(&config, keys.as_ref());
    let database = database(&config).await;
    let together = keyring.ok && database.ok;
    let mut findings = vec![clock(), data_dir(&config), keyring, database, blobs(&config)];
    if together {
        findings.push(recovery_kit(&config, keys.as_ref()).await);
        findings.push(recovery_sheet(config.data_dir()));
        findings.push(kek_age(&config, now()).await);
        findings.extend(outsiders(&config).await);
        findings.extend(certificates(&config));
        match setup::open(&config, passphrase).await {
            Ok(app) => {
                findings.push(good("keys of this database", "they open what the database holds"));
                findings.push(published(app.readiness().await));
                findings.push(restricted(app.sealed_to_leavers().await));
                app.close().await;
            }
            Err(error) => {
                let check = match error {
                    SetupError::Published(_) => PUBLISHED,
                    SetupError::Witnesses(_) => WITNESSES,
                    _ => "keys of this database",
                };
                findings.push(bad(check, &error, error.remedy()));
            }
        }
    }
    let ill = findings.iter().any(|finding| !finding.ok);
    out.result(&findings, |findings| {
        let row = |f: &Finding| {
            let state = if f.ok { "ok" } else { "WRONG" };
            [f.check.to_owned(), state.to_owned(), f.detail.clone()]
        };
        table(["check", "", "found"], &findings.iter().map(row).collect::<Vec<_>>())
    });
    for finding in &findings {
        if let Some(mend) = &finding.mend {
            out.say(&format!("hint: {}: {mend}", finding.check));
        }
    }
    Ok(if ill { Exit::Failure } else { Exit::Valid })
}

async fn replayed(config: &Config, args: &Args, out: Out) -> Result<Exit, Failure> {
    let store = Store::attach(config.database_url()).await.map_err(|error| Failure::of(&error))?;
    let folder = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let bar = progress::count(out);
    let ended = replay(&store, &folder, &mut |what, done, total| progress::at(&bar, what, done, total)).await;
    bar.finish_and_clear();
    store.close().await;
    let report = ended.map_err(|error| {
        Failure::of(&error)
            .hint("check `database_url` (custos config show) and the room in the scratch folder")
    })?;
    out.result(&report, |report| {
        let line = |row: &Difference| format!("{} {}: {}", row.table, row.row, row.problem);
        let mut lines: Vec<_> = report.differences.rows.iter().map(line).collect();
        if report.differences.more > 0 {
            lines.push(format!("… and {} more", report.differences.more));
        }
        let root = report.root;
        lines.push(match (report.replayed, report.differences.count()) {
            (true, 0) => {
                format!(
                    "{} records replayed, {} rows compared, no difference; root {root}",
                    report.records, report.rows
                )
            }
            (true, count) => format!("{} records replayed: {count} difference(s)", report.records),
            (false, _) => "the records themselves are damaged: tables were not compared".to_owned(),
        });
        lines.join("\n")
    });
    if report.differences.is_empty() {
        return Ok(Exit::Valid);
    }
    out.say("hint: copy the database as it is first; then restore a backup: custos restore --help");
    Ok(Exit::Failure)
}

/// Who opens what is restricted: nobody may be left, one day.
fn restricted(found: Result<u64, AppError>) -> Finding {
    const CHECK: &str = "restricted items";
    match found {
        Ok(0) => good(CHECK, "everybody to whom one is sealed can open it with somebody"),
        Ok(count) => Finding {
            mend: Some("members of their cases see which: custos item list; two of a pair that is left seal them anew: custos item reseal".to_owned()),
            ..good(CHECK, &format!("{count} are sealed to somebody who cannot open them any more"))
        },
        Err(error) => bad(CHECK, &error, "look at the log of custos serve".to_owned()),
    }
}

fn clock() -> Finding {
    let now = now();
    if now.millis() >= WRITTEN_MS {
        good("clock", &now.to_string())
    } else {
        let detail = format!("{now} is before this program was written");
        Finding { check: "clock", ok: false, detail, mend: Some("timedatectl set-ntp true".into()) }
    }
}

fn data_dir(config: &Config) -> Finding {
    let dir = config.data_dir();
    let shown = dir.display();
    match std::fs::metadata(dir) {
        Err(error) => bad("data directory", &error, "custos init".into()),
        Ok(metadata) if !metadata.is_dir() => Finding {
            check: "data directory",
            ok: false,
            detail: format!("{shown} is not a directory"),
            mend: Some("custos init --data-dir DIR".into()),
        },
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Finding {
            check: "data directory",
            ok: false,
            detail: format!(
                "{shown} has mode {:04o}: others can enter",
                metadata.permissions().mode() & 0o7777
            ),
            mend: Some(format!("chmod 0700 {shown}")),
        },
        Ok(_) => good("data directory", &shown.to_string()),
    }
}

fn keyring(config: &Config, provider: &dyn KeyProvider) -> Finding {
    match Keyring::open(&config.data_dir().join("keys"), provider) {
        Ok(keyring) => {
            good("keyring", &format!("key encryption key {}, log and vault keys", keyring.current_kek().0))
        }
        Err(error) => bad("keyring", &error, error.remedy()),
    }
}

async fn database(config: &Config) -> Finding {
    let vault = async {
        // Left at its version: bringing it up to date is for the service, which copies it first.
        let store = Store::attach(config.database_url()).await?;
        let vault = store.read().await?.vault().await?;
        store.close().await;
        Ok::<_, StoreError>(vault)
    };
    match vault.await {
        Ok(Some(vault)) => good("database", &format!("vault {}", vault.id)),
        Ok(None) => Finding {
            check: "database",
            ok: false,
            detail: "there is no vault in it".into(),
            mend: Some("custos init".into()),
        },
        Err(
            error @ (StoreError::OlderSchema { .. }
            | StoreError::OtherSchema { differs: Differs::Missing, .. }),
        ) => bad("database", &error, "custos serve".into()),
        Err(error @ StoreError::OtherSchema { .. }) => bad(
            "database",
            &error,
            "run the version of custos that made the database, or restore a backup with this one".into(),
        ),
        Err(error) => bad(
            "database",
            &error,
            "check `database_url` (custos config show); for a new vault: custos init".into(),
        ),
    }
}

fn blobs(config: &Config) -> Finding {
    let Some(folder) = config.blobs_url().strip_prefix("file://").map(Path::new) else {
        return good("object store", config.blobs_url());
    };
    // A file that is gone again when it is dropped.
    match tempfile::tempfile_in(folder) {
        Ok(_) => good("object store", &format!("{} can be written", folder.display())),
        Err(error) => bad("object store", &error, format!("mkdir -p -m 0700 {}", folder.display())),
    }
}

/// How old the key is that wraps all others. An old one is no fault: what was destroyed waits for the next.
async fn kek_age(config: &Config, now: Timestamp) -> Finding {
    const CHECK: &str = "key encryption key";
    let since = async {
        let store = Store::attach(config.database_url()).await?;
        let since = store.read().await?.kek_since().await?;
        store.close().await;
        Ok::<_, crate::store::StoreError>(since)
    };
    match since.await {
        Err(error) => bad(CHECK, &error, "check `database_url` (custos config show)".into()),
        Ok(since) => kek_finding(since.unwrap_or(now), now, config.kek_days()),
    }
}

fn kek_finding(since: Timestamp, now: Timestamp, days: u32) -> Finding {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let mut finding = good("key encryption key", &format!("in use since {since}"));
    let due = since.saturating_add_millis(i64::from(days) * DAY_MS);
    if days > 0 && due <= now {
        finding.detail = format!("{}: longer than {days} days", finding.detail);
        finding.mend = Some("stop the service, then: custos key rotate-kek".to_owned());
    }
    finding
}

/// Whether a recovery kit would bring back the keys that are here.
async fn recovery_kit(config: &Config, provider: &dyn KeyProvider) -> Finding {
    const CHECK: &str = "recovery kit";
    match standing_of(config, provider).await {
        Err(error) => bad(CHECK, &error, error.remedy()),
        Ok(standing) => match (standing.wanting(), standing) {
            (Some((detail, mend)), _) => {
                Finding { check: CHECK, ok: false, detail, mend: Some(mend.to_owned()) }
            }
            (None, Standing::Checked(kit, at)) => {
                good(CHECK, &format!("kit {kit}, checked {at}, holds every key"))
            }
            (None, _) => good(CHECK, "none is needed: the vault takes sample data only"),
        },
    }
}

/// Whether a secret of a kit lies on the disk.
fn recovery_sheet(data_dir: &Path) -> Finding {
    const CHECK: &str = "recovery sheet";
    let shown = data_dir.display();
    match left_in(data_dir) {
        Err(error) => bad(CHECK, &error, format!("make {shown} a directory that this user may read")),
        Ok(left) if left.is_empty() => good(CHECK, &format!("none is left in {shown}")),
        Ok(left) => {
            let left: Vec<_> = left.iter().map(|path| path.display().to_string()).collect();
            Finding {
                check: CHECK,
                ok: false,
                detail: format!("{} left in {shown}: whoever reads it has one half of a kit", left.len()),
                mend: Some(format!(
                    "print what is a sheet and not on paper yet; then: rm {}",
                    left.join(" ")
                )),
            }
        }
    }
}

/// Who confirmed the log from outside, and is asked no more.
async fn outsiders(config: &Config) -> Vec<Finding> {
    let check = |lapsed| match lapsed {
        Lapsed::Witnesses => WITNESSES,
        Lapsed::Timestamps => "time stamps",
    };
    match lapsed_of(config).await {
        Err(error) => vec![bad(WITNESSES, &error, "check `database_url` (custos config show)".into())],
        Ok(lapsed) => {
            let finding = |lapsed: Lapsed| Finding {
                check: check(lapsed),
                ok: false,
                detail: lapsed.detail().to_owned(),
                mend: Some(lapsed.remedy().to_owned()),
            };
            lapsed.into_iter().map(finding).collect()
        }
    }
}

/// Whether what authorities have revoked is known, where certificates sign in.
fn certificates(config: &Config) -> Option<Finding> {
    const CHECK: &str = "client certificates";
    let mend = "check `client_ca` and `client_crls` (custos config show), and fetch newer lists";
    Some(match (setup::clients(config).transpose()?, config.client_crls()) {
        (Err(error), _) => bad(CHECK, &error, mend.into()),
        (Ok(_), None) => {
            good(CHECK, "client_crls is none: what an authority revokes goes on until it is removed here")
        }
        (Ok(clients), Some(lists)) => match clients.alarms().as_slice() {
            [] => good(CHECK, &format!("what was revoked is known from {}", lists.display())),
            alarms => Finding { check: CHECK, ok: false, detail: alarms.join("; "), mend: Some(mend.into()) },
        },
    })
}

/// How far the log is published, as the object store and the database say; a service that runs says more.
fn published(readiness: Result<Readiness, AppError>) -> Finding {
    match readiness {
        Ok(Readiness { status, .. }) if status.missing > 0 => Finding {
            check: PUBLISHED,
            ok: false,
            detail: format!("{} tiles or bundles are gone from the object store", status.missing),
            mend: Some("custos serve".into()),
        },
        Ok(Readiness { size, status, .. }) => {
            let shown = status.published.as_ref().map_or(0, |published| published.size);
            let stored = status.stored;
            good(PUBLISHED, &format!("{size} entries committed, {stored} stored, {shown} published"))
        }
        Err(error) => bad(PUBLISHED, &error, "check `database_url` (custos config show)".into()),
    }
}

fn good(check: &'static str, detail: &str) -> Finding {
    Finding { check, ok: true, detail: detail.to_owned(), mend: None }
}

fn bad(check: &'static str, error: &dyn Error, mend: String) -> Finding {
    let mut detail = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        detail = format!("{detail}: {cause}");
        next = cause.source();
    }
    Finding { check, ok: false, detail, mend: Some(mend) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Status;

    #[test]
    fn an_old_key_is_no_fault_and_a_reminder() {
        let day = |day: i64| Timestamp::from_millis(1_800_000_000_000 + day * 86_400_000).unwrap();
        let found = |at, days| {
            let finding = kek_finding(day(0), day(at), days);
            assert!(finding.ok);
            finding.mend.is_some()
        };
        assert!(!found(30, 31) && found(31, 31) && !found(10_000, 0));
    }

    #[test]
    fn what_is_gone_of_the_published_log_is_wrong() {
        let found = |missing| {
            let status = Status { missing, ..Status::default() };
            published(Ok(Readiness { size: 300, status, timestamps: Vec::new(), notices: Vec::new() }))
        };
        assert!(found(0).ok);
        let gone = found(2);
        assert_eq!((gone.ok, gone.mend.as_deref()), (false, Some("custos serve")));
        assert_eq!(gone.detail, "2 tiles or bundles are gone from the object store");
    }
}
