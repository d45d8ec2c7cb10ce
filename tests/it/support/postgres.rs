//! A PostgreSQL server for the tests: the one that `CUSTOS_TEST_POSTGRES` names, or a throw-away one of the newest
//! version installed, reachable by a Unix socket only, gone when the tests end. A fresh database for every test.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The address of a new, empty database.
pub(crate) async fn fresh_database() -> String {
    database("").await
}

/// The address of a copy of the database at `url`, which nobody may be connected to.
pub(crate) async fn copy_of(url: &str) -> String {
    let base = url.split_once('?').map_or(url, |(base, _)| base);
    let (_, name) = base.rsplit_once('/').expect("the address names a database");
    database(&format!(" TEMPLATE {name}")).await
}

async fn database(like: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server();
    let name = format!("custos_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}{like}"));
    sqlx::query(create).execute(&mut connection).await.expect("the test server makes databases");
    let (base, options) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').expect("the address names a database");
    format!("{host}/{name}?{options}")
}

fn server() -> String {
    static SERVER: OnceLock<String> = OnceLock::new();
    let start = || std::env::var("CUSTOS_TEST_POSTGRES").unwrap_or_else(|_| throw_away());
    SERVER.get_or_init(start).clone()
}

/// Starts a server that ends, and removes its files, when this process goes away: a shell waits for the end of its
/// standard input, which this process holds open.
fn throw_away() -> String {
    let bin = newest().expect(
        "these tests need PostgreSQL: install it (Debian: apt-get install postgresql), \
         or name a server in CUSTOS_TEST_POSTGRES=postgres://user@host/database",
    );
    let durable = if std::env::var_os("CUSTOS_TEST_DURABLE").is_some() { "on" } else { "off" };
    let script = format!(
        "set -e; d=$(mktemp -d /tmp/custos-pg-XXXXXX); trap 'rm -rf \"$d\"' EXIT; cd \"$d\"; \
         {bin}/initdb -D data -U postgres -A trust -E UTF8 --locale=C -N >initdb.log; \
         {bin}/pg_ctl -D data -w -l server.log -o \"-k $d -h '' -c fsync={durable} -c max_connections=400\" \
         start >/dev/null; echo \"$d\"; cat >/dev/null; {bin}/pg_ctl -D data -m immediate stop >/dev/null",
        bin = bin.display(),
    );
    let mut shell = unprivileged();
    let shell = shell.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().expect("a shell starts");
    let mut directory = String::new();
    let output = shell.stdout.take().expect("its output is piped");
    BufReader::new(output).read_line(&mut directory).expect("its output is text");
    let directory = directory.trim();
    assert!(!directory.is_empty(), "PostgreSQL in {} does not start", bin.display());
    keep(shell);
    format!("postgres://postgres@localhost/postgres?host={directory}")
}

/// Holds the shell's standard input open for as long as this process lives.
fn keep(shell: Child) {
    static SHELL: OnceLock<Child> = OnceLock::new();
    drop(SHELL.set(shell));
}

/// PostgreSQL refuses to run as root.
fn unprivileged() -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
    }
    command
}

fn newest() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = installed.map(|entry| entry.path()).max_by_key(version)?.join("bin");
    newest.join("initdb").exists().then_some(newest)
}
