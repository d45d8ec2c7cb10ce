//! Notices: outsiders are told that something happened, and never what.
//!
//! A notice names no case, person, exhibit or file: whoever reads somebody else's mail, or runs the receiver of a
//! webhook, learns that custody was offered at some time, and nothing else. What it is about is read after signing in.
//!
//! The log is the outbox: what a notice tells of is a record, committed or not with everything else, so that none is
//! lost and none tells of what never happened. Each channel remembers up to where it has told; it tells at least once,
//! in the log's order (`docs/adr/0029-the-log-is-the-outbox.md`).

mod guard;
mod mail;
mod webhook;

use std::path::{Path, PathBuf};
use std::time::Duration;

use custody::kind::Kind;
use custody::time::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

pub use guard::is_public;

use crate::client::secret::is_exposed;
use mail::Mail;
use webhook::Webhook;

/// How long a receiver may take for one notice.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most channels of a vault.
const MAX_CHANNELS: usize = 16;
/// Most bytes of the file that names them.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// What can be told: its name in notices, and a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// In configurations and, after `custos.`, as the type of a `CloudEvent`.
    pub name: &'static str,
    /// For a letter.
    pub sentence: &'static str,
}

/// Kinds of records that are told of.
pub const TOPICS: &[(Kind, Topic)] = &[
    (Kind::TransferOffered, topic("custody.offered", "Custody of exhibits was offered.")),
    (Kind::TransferCarried, topic("custody.carried", "An exhibit changed hands on its way.")),
    (Kind::TransferAccepted, topic("custody.accepted", "Custody of exhibits was taken over.")),
    (Kind::TransferDeclined, topic("custody.declined", "Custody of exhibits was declined.")),
    (Kind::TransferRecalled, topic("custody.recalled", "An offer of custody was taken back.")),
    (Kind::TransferExpired, topic("custody.expired", "An offer of custody ran out without an answer.")),
    (
        Kind::FixityFailed,
        topic("fixity.failed", "Stored evidence is not what was received. Look at it today."),
    ),
    (Kind::PersonSuspended, topic("person.suspended", "Somebody was suspended.")),
    (Kind::HoldPlaced, topic("hold.placed", "Something must not be destroyed any more.")),
    (Kind::HoldReleased, topic("hold.released", "A hold ended: something may be destroyed again.")),
    (
        Kind::DisposalProposed,
        topic("disposal.proposed", "Something is proposed to be destroyed. Two others must agree."),
    ),
    (Kind::DisposalApproved, topic("disposal.approved", "Somebody agreed that something is destroyed.")),
    (Kind::DisposalDeclined, topic("disposal.declined", "Somebody declined that something is destroyed.")),
    (Kind::DisposalExecuted, topic("disposal.executed", "Content was destroyed.")),
    (Kind::OpeningErased, topic("disposal.executed", "Personal values were destroyed.")),
    (Kind::DisposalCompleted, topic("disposal.final", "A certificate of destruction is final.")),
    (
        Kind::AccessBreakGlass,
        topic(
            "emergency.reading",
            "Somebody read in an emergency what they may not read. Look at why today.",
        ),
    ),
    (Kind::AccessReviewed, topic("emergency.reviewed", "A reading in an emergency was looked at.")),
    (
        Kind::ItemResealed,
        topic(
            "restricted.sealed-anew",
            "A restricted item was sealed anew. Somebody else must open and confirm it.",
        ),
    ),
    (
        Kind::ResealConfirmed,
        topic("restricted.confirmed", "A restricted item is sealed to other pairs from now on."),
    ),
    (Kind::RecoveryNoted, topic("log.loss", "The vault noted that records were lost.")),
    (Kind::LogKeyRotated, topic("log.key", "The log has a new key.")),
    (Kind::LogContinued, topic("log.key", "The log goes on under another name, with a new key.")),
    (Kind::ClockFault, topic("clock.fault", "The vault's clocks disagreed.")),
];

/// A fixity check by a person, who opened a restricted item: nothing is wrong with what is stored.
pub const FOUND_OTHERWISE: Topic = topic(
    "restricted.found-otherwise",
    "Somebody opened a restricted item and says that it is not what is recorded. Ask them.",
);
/// What is no record: an operator must look at the running service.
pub const QUORUM_MISSED: Topic = topic("witnesses.missing", "Too few witnesses cosign the log.");
/// As above.
pub const STOPPED: Topic = topic("publishing.stopped", "The log is no longer published.");

const fn topic(name: &'static str, sentence: &'static str) -> Topic {
    Topic { name, sentence }
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever it is told: receivers drop what they know.
    pub id: String,
    /// What it is about.
    pub topic: Topic,
    /// When it was recorded, or seen.
    pub time: Timestamp,
}

/// Where notices go.
#[derive(Debug)]
pub struct Channel {
    /// What the database calls it: `webhook:` and the beginning of its address's hash, or `mail`.
    pub name: String,
    topics: Option<Vec<String>>,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Webhook(Box<Webhook>),
    Mail(Box<Mail>),
}

/// Why there are no channels.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoticesError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds secrets, and others may read it.
    #[error("{0} can be read by others")]
    Exposed(PathBuf),
    /// The file is none, or has a key that is not known. What stands in it is not repeated: it holds secrets.
    #[error("{path}, line {line}: {problem}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A value that cannot be.
    #[error("{0}")]
    Value(&'static str),
    /// A topic that nobody tells of.
    #[error("no notices have the topic `{0}`")]
    Topic(String),
    /// HTTP or SMTP cannot be set up.
    #[error("cannot be set up: {0}")]
    SetUp(String),
}

/// Why a notice was not taken. It names the channel's answer, never its address or secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTold {
    /// The receiver cannot be reached, or does not answer in time.
    #[error("it does not answer")]
    Silent,
    /// It says no.
    #[error("it refuses with status {0}")]
    Refused(u16),
    /// It lets the vault in and will never take this letter.
    #[error("it refuses a letter for good, with status {0}")]
    RefusedForGood(u16),
    /// The address of a person is none that a letter can be sent to.
    #[error("an address that was entered is none")]
    Address,
    /// The vault cannot read what there is to tell.
    #[error("what is to be told cannot be read: custos doctor --replay")]
    Unreadable,
    /// Its address leads into a network that notices do not go to.
    #[error("its address is not a public one, and `inside` is not set")]
    Inside,
}

impl NotTold {
    /// Whether asking again helps nobody.
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::RefusedForGood(_) | Self::Address)
    }
}

/// The file that names the channels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    webhook: Vec<webhook::Settings>,
    mail: Option<mail::Settings>,
}

/// Whether letters can be sent to an address.
pub fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

/// Reads the file that names the channels of the vault that people reach at `origin`.
pub fn load(path: &Path, origin: &str) -> Result<Vec<Channel>, NoticesError> {
    let read = |source| NoticesError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(read)?;
    if is_exposed(path, &metadata) {
        return Err(NoticesError::Exposed(path.to_owned()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(NoticesError::Value("a file of notices has at most 64 KiB"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(read)?);
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        // A parser's message may quote a value.
        let problem = if error.message().starts_with("unknown field") {
            error.message()
        } else {
            "not as it should be"
        };
        NoticesError::Malformed { path: path.to_owned(), line, problem: problem.to_owned() }
    })?;
    let webhooks = file.webhook.into_iter().map(|settings| webhook::channel(settings, origin));
    let mut channels: Vec<_> = webhooks.collect::<Result<_, _>>()?;
    if let Some(settings) = file.mail {
        channels.extend(mail::channels(settings, origin)?);
    }
    if channels.len() > MAX_CHANNELS {
        return Err(NoticesError::Value("a vault has at most 16 channels for notices"));
    }
    let twice =
        |(at, channel): (usize, &Channel)| channels[..at].iter().any(|other| other.name == channel.name);
    if channels.iter().enumerate().any(twice) {
        return Err(NoticesError::Value("two webhooks have the same address"));
    }
    Ok(channels)
}

impl Channel {
    fn new(name: String, topics: Option<Vec<String>>, target: Target) -> Result<Self, NoticesError> {
        let known = |name: &String| {
            TOPICS
                .iter()
                .map(|(_, topic)| topic)
                .chain([&FOUND_OTHERWISE, &QUORUM_MISSED, &STOPPED])
                .any(|topic| topic.name == name)
        };
        match topics.iter().flatten().find(|name| !known(name)) {
            Some(unknown) => Err(NoticesError::Topic(unknown.clone())),
            None => Ok(Self { name, topics, target }),
        }
    }

    /// Whether this channel is told of a topic.
    pub fn wants(&self, topic: Topic) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.iter().any(|name| name == topic.name))
    }

    /// Whether it is for the persons concerned, each at an address of their own.
    pub fn is_for_people(&self) -> bool {
        matches!(&self.target, Target::Mail(mail) if mail.is_for_people())
    }

    /// Tells a notice; `person` is the address of the one concerned.
    pub async fn tell(&self, notice: &Notice, person: Option<&str>, now: Timestamp) -> Result<(), NotTold> {
        match &self.target {
            Target::Webhook(webhook) => webhook.tell(notice, now).await,
            Target::Mail(mail) => mail.tell(notice, person).await,
        }
    }
}
