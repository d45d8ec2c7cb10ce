//! The program itself, `custos serve`, to be killed, traced or listened to.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::process::{ChildStdout, Command, Stdio};

use custos::config::Config;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custos");

/// A running service.
pub(crate) struct Child {
    process: std::process::Child,
    /// Who is asked to end: the service, also where another program runs it.
    service: u32,
    pub(crate) base: String,
    /// Held open: a process that cannot write ends.
    _output: ChildStdout,
}

impl Child {
    /// Starts the service, under another program where one is given; what it logs goes to `log`.
    pub(crate) fn start(config: &Config, under: &[OsString], log: Option<File>) -> Self {
        let mut line = under.iter().map(OsString::as_os_str).chain([OsStr::new(PROGRAM)]);
        let mut process = Command::new(line.next().unwrap())
            .args(line)
            .args(["--json", "serve"])
            .env("CUSTOS_LOG", "info,custos=trace,actix_web=debug,sqlx=debug")
            .env("CUSTOS_LISTEN", "127.0.0.1:0")
            .env("CUSTOS_DATA_DIR", config.data_dir())
            .env("CUSTOS_DATABASE_URL", config.database_url())
            .env("CUSTOS_BLOBS_URL", config.blobs_url())
            .envs(config.witnesses().map(|policy| ("CUSTOS_WITNESSES", policy)))
            .envs(config.client_ca().map(|authorities| ("CUSTOS_CLIENT_CA", authorities)))
            .envs(config.client_crls().map(|lists| ("CUSTOS_CLIENT_CRLS", lists)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.map_or_else(Stdio::null, Stdio::from))
            .spawn()
            .expect("the program starts");
        let mut output = process.stdout.take().unwrap();
        let mut documents = serde_json::Deserializer::from_reader(&mut output).into_iter();
        let bound: serde_json::Value = documents.next().expect("the service starts").unwrap();
        let base = format!("https://{}", bound["addr"].as_str().unwrap());
        let service = if under.is_empty() { process.id() } else { child_of(process.id()) };
        Self { process, service, base, _output: output }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// Ends the service as a service manager would; it ends well.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.service.to_string()]).status().unwrap();
        assert!(asked.success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let under_another = self.service != self.process.id();
        if under_another && matches!(self.process.try_wait(), Ok(None)) {
            drop(Command::new("kill").args(["-KILL", &self.service.to_string()]).status());
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The one process that another one started.
fn child_of(parent: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    children.trim().parse().expect("one child")
}
