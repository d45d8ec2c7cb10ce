//! What goes to stdout (data) and to stderr (talk).
#![expect(clippy::print_stderr, reason = "this is where a command line prints")]

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::failure::Failure;

/// The two outputs of a command.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
    quiet: bool,
}

impl Out {
    /// JSON on stdout or text; talk on stderr or silence.
    pub const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether stdout carries JSON.
    pub const fn json(self) -> bool {
        self.json
    }

    /// Whether progress bars make sense.
    pub fn bars(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Whether stdout is a terminal that may show colours.
    pub fn colours(self) -> bool {
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }

    /// A result: one JSON document, or the text that `human` makes.
    pub fn result<T: Serialize>(self, value: &T, human: impl FnOnce(&T) -> String) {
        if self.json {
            self.document(value);
        } else {
            let text = human(value);
            if !text.is_empty() {
                self.data(&text);
            }
        }
    }

    /// One JSON document on a line.
    pub fn document<T: Serialize>(self, value: &T) {
        if let Ok(text) = serde_json::to_string(value) {
            self.data(&text);
        }
    }

    /// A line of data.
    pub fn data(self, line: &str) {
        // A reader that went away (`custos … | head`) is no error.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    /// Bytes of data.
    pub fn bytes(self, bytes: &[u8]) {
        let _ = io::stdout().lock().write_all(bytes);
    }

    /// A line of talk.
    pub fn say(self, line: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    /// An error; said even when quiet.
    pub(super) fn failure(failure: &Failure) {
        eprintln!("error: {}", failure.what());
        if let Some(hint) = failure.advice() {
            eprintln!("hint: {hint}");
        }
    }
}
