//! The service in a process of its own, to be killed, traced or listened to: this test program, started again, runs
//! [`custos::http::serve`] instead of tests.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{ChildStdout, Command, Stdio};

use custos::config::{Config, Flags};
use custos::http::serve;
use tokio::sync::oneshot;

const CHILD: &str = "CUSTOS_TEST_CHILD";

/// A running service.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) base: String,
    /// Held open: a process that cannot write ends.
    _output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts the service, under another program where one is given; what it logs goes to `log`.
    pub(crate) fn start(config: &Config, under: &[OsString], log: Option<File>) -> Self {
        let this = std::env::current_exe().unwrap().into_os_string();
        let mut line = under.iter().chain([&this]);
        let mut command = Command::new(line.next().unwrap());
        command
            .args(line)
            .args(["support::child::serves_for_its_parent", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, "info,custos=trace,actix_web=debug,sqlx=debug")
            .env("CUSTOS_LISTEN", "127.0.0.1:0")
            .env("CUSTOS_DATA_DIR", config.data_dir())
            .env("CUSTOS_DATABASE_URL", config.database_url())
            .env("CUSTOS_BLOBS_URL", config.blobs_url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.map_or_else(Stdio::null, Stdio::from));
        let mut process = command.spawn().expect("a child process starts");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let listening =
            |line: std::io::Result<String>| Some(line.ok()?.strip_prefix("listening ")?.to_owned());
        let base =
            output.by_ref().lines().find_map(listening).expect("the service in the child process starts");
        Self { process, base, _output: output }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// Ends the service as Ctrl-C would.
    pub(crate) fn stop(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Serves while a parent process holds standard input open; for nobody else.
#[test]
fn serves_for_its_parent() {
    let Ok(filter) = std::env::var(CHILD) else { return };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = Config::load(&Flags::default(), &|name| std::env::var(name).ok()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (ready, bound) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    std::thread::spawn(move || {
        let bound: custos::http::Bound = bound.blocking_recv().unwrap();
        let mut output = std::io::stdout();
        writeln!(output, "\nlistening https://{}", bound.addr).unwrap();
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        stop.send(()).unwrap();
    });
    let served = runtime.block_on(serve(&config, None, ready, async {
        drop(stopped.await);
    }));
    served.unwrap();
}
