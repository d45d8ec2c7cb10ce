//! What the process tells its operator: to stderr, for people on a terminal, as JSON lines elsewhere.
//!
//! Names, titles, file names and contents are never logged; ids, counts, durations and codes are.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// What is logged unless `CUSTOS_LOG` says otherwise.
const DEFAULT_LEVEL: &str = "info,sqlx=warn,hyper=warn,actix_server=warn";

/// Starts logging at the level of `CUSTOS_LOG` (`error` … `trace`, or directives such as `custos=debug`).
/// Later calls in one process change nothing.
pub fn start(level: Option<&str>) {
    let filter =
        EnvFilter::try_new(level.unwrap_or(DEFAULT_LEVEL)).unwrap_or_else(|_| EnvFilter::new(DEFAULT_LEVEL));
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // An error means that logging was started before, by a test or a host program.
    let _ = if io::stderr().is_terminal() {
        logging.with_target(false).try_init()
    } else {
        logging.json().flatten_event(true).try_init()
    };
}
