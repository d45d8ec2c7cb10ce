//! Errors as a person reads them, and the exit codes, which are an interface.

use std::error::Error;
use std::fmt::Write as _;

use crate::app::setup::SetupError;
use crate::client::ClientError;
use crate::config::ConfigError;
use crate::http::ServeError;

/// How a command ended. Frozen: scripts depend on these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a verification: valid.
    Valid,
    /// Something failed.
    Failure,
    /// The command was called wrongly.
    Usage,
    /// A verification FAILED, or a receipt, a digest or an identity is not what it must be.
    VerificationFailed,
    /// Valid, but incomplete.
    Incomplete,
    /// Not found, or not visible to this person.
    NotFound,
    /// Not allowed.
    NotAllowed,
    /// The network failed; the same command can be repeated and goes on.
    Network,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::VerificationFailed => 3,
            Self::Incomplete => 4,
            Self::NotFound => 5,
            Self::NotAllowed => 6,
            Self::Network => 7,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command failed: what, because of what, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, what: what.into(), hint: None }
    }

    /// An error with its causes.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let failure = Self::new(error.to_string());
        match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        }
    }

    /// A wrong call.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(what).exits(Exit::Usage)
    }

    /// With another exit code.
    pub(crate) fn exits(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// With advice.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With its causes, each after a colon.
    pub(crate) fn because(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries repeat their cause's text in their own.
            if !self.what.contains(&text) {
                let _ = write!(self.what, ": {text}");
            }
            next = cause.source();
        }
        self
    }

    /// The exit code.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// What failed, on one line.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What to do, on one line.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        use ClientError as E;
        let exit = match &error {
            E::Refused(problem) => by_status(problem.status),
            E::Http { status } => by_status(*status),
            E::Network { .. } => Exit::Network,
            E::Certificate { .. }
            | E::OtherVault(_)
            | E::NotAsked(_)
            | E::NotStatement(_)
            | E::Openings(_)
            | E::Receipt { .. }
            | E::NoReceipt
            | E::Digest { .. } => Exit::VerificationFailed,
            E::Profile { .. } => Exit::NotFound,
            _ => Exit::Failure,
        };
        let what = match &error {
            E::Refused(problem) => format!("{error} [{}]", problem.code),
            _ => error.to_string(),
        };
        let failure = Self::new(what).exits(exit);
        let failure = match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        };
        Self { hint: error.remedy(), ..failure }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        let hint = error.remedy();
        Self::of(&error).hint(hint)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let hint = error.remedy();
        Self::of(&error).hint(hint)
    }
}

impl From<crate::witness::WitnessError> for Failure {
    fn from(error: crate::witness::WitnessError) -> Self {
        let hint = error.remedy();
        Self::of(&error).hint(hint)
    }
}

impl From<crate::witness::ServeError> for Failure {
    fn from(error: crate::witness::ServeError) -> Self {
        let hint = error.remedy();
        Self::of(&error).hint(hint)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of(&error).exits(Exit::Usage).hint("custos config show")
    }
}

const fn by_status(status: u16) -> Exit {
    match status {
        401 | 403 => Exit::NotAllowed,
        404 | 410 => Exit::NotFound,
        429 | 502..=504 => Exit::Network,
        _ => Exit::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_its_frozen_number() {
        use Exit as E;
        let codes = [
            E::Valid,
            E::Failure,
            E::Usage,
            E::VerificationFailed,
            E::Incomplete,
            E::NotFound,
            E::NotAllowed,
            E::Network,
            E::Interrupted,
        ]
        .map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
    }

    #[test]
    fn an_error_of_the_vault_becomes_what_its_status_means() {
        for (status, exit) in
            [(401, Exit::NotAllowed), (403, Exit::NotAllowed), (404, Exit::NotFound), (409, Exit::Failure)]
        {
            let problem = crate::api::Problem {
                kind: String::new(),
                title: String::new(),
                status,
                code: "some-code".into(),
                detail: "the rule".into(),
                remedy: "the remedy".into(),
                request_id: String::new(),
            };
            let failure = Failure::from(ClientError::Refused(Box::new(problem)));
            assert_eq!((failure.exit(), failure.what()), (exit, "the rule [some-code]"));
            assert_eq!(failure.advice(), Some("the remedy"));
        }
    }
}
