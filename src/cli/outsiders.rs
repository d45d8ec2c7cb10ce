//! What `custos init` asks about those outside who confirm the log: witnesses and timestamp authorities.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::failure::Failure;
use crate::app::setup::SetupError;
use crate::config::Config;
use crate::durable;
use crate::publish::witnesses::Witnesses;
use crate::timestamps::Authorities;

/// Who confirms the log from outside; the same names as in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, clap::Args)]
pub(super) struct Outsiders {
    /// Policy file (C2SP tlog-policy) with the witnesses that cosign the log; asked for when absent
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    witnesses: Option<PathBuf>,
    /// Certificates (PEM) by which the witnesses' HTTPS is trusted, instead of the system's
    #[arg(long, value_name = "FILE", requires = "witnesses")]
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_roots: Option<PathBuf>,
    /// Address of a timestamp authority (RFC 3161); twice for two, which are enough; asked for when absent
    #[arg(long, value_name = "URL", requires = "timestamp_roots")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timestamps: Vec<String>,
    /// Root certificates (PEM) by which time stamps are believed
    #[arg(long, value_name = "FILE", requires = "timestamps")]
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_roots: Option<PathBuf>,
}

/// What to write where, so that `custos serve` asks them.
#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    /// The configuration file.
    file: PathBuf,
    /// Whether that was done; otherwise it is left to whoever keeps that file.
    written: bool,
    /// Why it could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Lines of TOML.
    lines: String,
    #[serde(skip)]
    witnesses: bool,
}

impl Outsiders {
    /// Checks what was given, and asks for the rest where somebody is there to answer.
    pub(super) fn settled(
        &self,
        config: &Config,
        terminal: Option<(&mut dyn BufRead, &mut dyn Write)>,
    ) -> Result<Self, Failure> {
        let mut settled = self.absolute()?;
        for (configured, given, key) in [
            (config.witnesses().is_some(), self.witnesses.is_some(), "witnesses"),
            (!config.timestamps().is_empty(), !self.timestamps.is_empty(), "timestamps"),
        ] {
            if configured && given {
                return Err(Failure::usage(format!("`{key}` is configured already"))
                    .hint(format!("leave --{key} away, or change the configuration: custos config show")));
            }
        }
        settled.check_witnesses()?;
        settled.check_timestamps(config)?;
        if let Some((answers, questions)) = terminal {
            let mut talk = Talk { answers, questions };
            if config.witnesses().is_none() && settled.witnesses.is_none() {
                settled.ask_witnesses(&mut talk)?;
            }
            if config.timestamps().is_empty() && settled.timestamps.is_empty() {
                settled.ask_timestamps(&mut talk, config)?;
            }
        }
        Ok(settled)
    }

    /// What stands in the configuration then, not written yet: to be found out before there is a vault.
    pub(super) fn configuration(&self, config: &Config) -> Result<Option<Configuration>, Failure> {
        if *self == Self::default() {
            return Ok(None);
        }
        let lines = toml::to_string(self).map_err(|error| {
            Failure::new("a path cannot be written in TOML")
                .because(&error)
                .hint("give these files names in UTF-8, such as witnesses.policy")
        })?;
        let file = config.file().map_or_else(|| config.own_file(), Path::to_owned);
        Ok(Some(Configuration {
            file,
            written: false,
            error: None,
            lines,
            witnesses: self.witnesses.is_some(),
        }))
    }

    fn absolute(&self) -> Result<Self, Failure> {
        let absolute = |path: &Option<PathBuf>| path.as_deref().map(absolute).transpose();
        Ok(Self {
            witnesses: absolute(&self.witnesses)?,
            witness_roots: absolute(&self.witness_roots)?,
            timestamps: self.timestamps.clone(),
            timestamp_roots: absolute(&self.timestamp_roots)?,
        })
    }

    fn check_witnesses(&self) -> Result<(), Failure> {
        let Some(policy) = &self.witnesses else { return Ok(()) };
        let loaded = Witnesses::load(policy, self.witness_roots.as_deref());
        loaded.map(drop).map_err(|error| SetupError::from(error).into())
    }

    fn check_timestamps(&self, config: &Config) -> Result<(), Failure> {
        let roots = self.timestamp_roots.as_deref();
        let loaded = Authorities::load(&self.timestamps, roots, config.timestamp_hours());
        loaded.map(drop).map_err(|error| SetupError::from(error).into())
    }

    fn ask_witnesses(&mut self, talk: &mut Talk<'_>) -> Result<(), Failure> {
        talk.say(
            "Witnesses cosign the log, so that not even whoever has this machine can write a second history.",
        )?;
        loop {
            self.witnesses = talk.file("policy file that names them (C2SP tlog-policy), Enter for none: ")?;
            self.witness_roots = match self.witnesses {
                Some(_) => talk.file("certificates (PEM) to trust them by, Enter for the system's: ")?,
                None => None,
            };
            match self.check_witnesses() {
                Ok(()) => return Ok(()),
                Err(failure) => talk.again(&failure)?,
            }
        }
    }

    fn ask_timestamps(&mut self, talk: &mut Talk<'_>, config: &Config) -> Result<(), Failure> {
        talk.say("Timestamp authorities say when they saw the log: what was recorded before the first has no lower bound.")?;
        loop {
            let first = talk.answer("address of an authority (RFC 3161), Enter for none: ")?;
            (self.timestamps, self.timestamp_roots) = (Vec::from_iter(first), None);
            if !self.timestamps.is_empty() {
                self.timestamps.extend(talk.answer("address of a second one, Enter for none: ")?);
                self.timestamp_roots = talk.file("their root certificates (PEM): ")?;
            }
            match self.check_timestamps(config) {
                Ok(()) => return Ok(()),
                Err(failure) => talk.again(&failure)?,
            }
        }
    }
}

impl Configuration {
    /// Makes it part of the configuration of the vault that was made: a file of the vault's own, where no other one is
    /// read. Somebody else's file is never changed. Never fails: the vault is there, and what it says once must be said.
    pub(super) fn write(&mut self, config: &Config) {
        if config.file().is_some() {
            return;
        }
        let written = durable::write_new(&self.file, 0o600, self.lines.as_bytes())
            .and_then(|()| durable::sync_dir(durable::parent(&self.file)));
        (self.written, self.error) = (written.is_ok(), written.err().map(|error| error.to_string()));
    }

    /// What to tell whoever made the vault.
    pub(super) fn told(&self) -> String {
        let (file, lines) = (self.file.display(), self.lines.trim_end());
        let key = if self.witnesses {
            "\nGive the log's key above to the operator of each witness: none cosigns a log that it does not follow."
        } else {
            ""
        };
        if self.written {
            format!(
                "Who confirms the log from outside stands in {file}, which is read where no other file is:\n{lines}{key}"
            )
        } else if let Some(error) = &self.error {
            format!(
                "Cannot write {file}: {error}. Put these lines into it before you serve the vault:\n{lines}{key}"
            )
        } else {
            format!("Put these lines at the beginning of {file}, before you serve the vault:\n{lines}{key}")
        }
    }
}

/// A conversation on a terminal, or in a test.
struct Talk<'a> {
    answers: &'a mut dyn BufRead,
    questions: &'a mut dyn Write,
}

impl Talk<'_> {
    fn say(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.questions, "\n{text}").map_err(cannot_ask)
    }

    /// An answer; none for an empty one and where nobody answers any more.
    fn answer(&mut self, question: &str) -> Result<Option<String>, Failure> {
        write!(self.questions, "{question}").and_then(|()| self.questions.flush()).map_err(cannot_ask)?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(cannot_ask)?;
        Ok(Some(line.trim().to_owned()).filter(|answer| !answer.is_empty()))
    }

    fn file(&mut self, question: &str) -> Result<Option<PathBuf>, Failure> {
        self.answer(question)?.map(|path| absolute(Path::new(&path))).transpose()
    }

    /// Says what is wrong with the answers before.
    fn again(&mut self, failure: &Failure) -> Result<(), Failure> {
        let hint = failure.advice().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        writeln!(self.questions, "error: {}{hint}", failure.what()).map_err(cannot_ask)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn cannot_ask(error: std::io::Error) -> Failure {
    Failure::new("cannot ask on this terminal").because(&error)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("cannot use {}", path.display())).because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    /// What is left of what was asked, and the questions.
    fn asked(answers: &str) -> (Outsiders, String) {
        let flags = Flags { data_dir: Some("/nowhere".into()), ..Flags::default() };
        let config = Config::load(&flags, &|name| (name == "CUSTOS_CONFIG").then(|| "/dev/null".to_owned()));
        let (mut answers, mut questions) = (answers.as_bytes(), Vec::new());
        let terminal: (&mut dyn BufRead, &mut dyn Write) = (&mut answers, &mut questions);
        let settled = Outsiders::default().settled(&config.unwrap(), Some(terminal)).unwrap();
        (settled, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn nothing_is_an_answer_and_so_is_the_end_of_input() {
        for answers in ["\n\n", "", " \n"] {
            let (settled, questions) = asked(answers);
            assert_eq!(settled, Outsiders::default());
            assert_eq!(questions.matches("Enter for none: ").count(), 2, "{questions}");
            assert!(!questions.contains("error: "), "{questions}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_is_asked_for_again() {
        let (settled, questions) = asked("/no/policy\n/no/roots\n\nftp://tsa.example\n\n/no/roots\n\n");
        assert_eq!(settled, Outsiders::default());
        for said in [
            "/no/policy",
            "hint: check `witnesses`",
            "`ftp://tsa.example` is not an address",
            "hint: check `timestamps`",
        ] {
            assert!(questions.contains(said), "{questions}");
        }
        assert_eq!(questions.matches("error: ").count(), 2, "{questions}");
    }
}
