//! Whom a verifier trusts: logs, witnesses and a quorum (C2SP tlog-policy).
//!
//! A policy is a text that the verifier brings along; nothing inside a bundle can replace it. It is read strictly:
//! what is ambiguous is refused, since a misread line would change who is believed. Beyond C2SP, a key may not be
//! both log and witness, and names of keys that could be confused are refused.
//!
//! ```
//! use custody::policy::Policy;
//!
//! let policy = Policy::parse(
//!     b"log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n\
//!       quorum none\n",
//! )
//! .unwrap();
//! assert!(policy.quorum_is_none());
//! assert_eq!(policy.logs().len(), 1);
//! ```

mod parse;

use core::fmt;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{NoteError, SignatureType, SignedNote, VerifierKey};

/// No policy is larger, in bytes.
pub const MAX_POLICY_LEN: usize = 64 * 1024;

/// No policy has more logs, more witnesses or more groups; C2SP asks for at least 32 of each.
pub const MAX_ENTRIES: usize = 64;

/// Logs, witnesses, and which of these together are enough.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Quorum,
}

/// A log whose checkpoints are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    key: VerifierKey,
    url: Option<String>,
}

/// Somebody outside the log operator's control who cosigns checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    name: Vec<u8>,
    key: VerifierKey,
    url: Option<String>,
}

/// At least `threshold` of the members.
#[derive(Clone, PartialEq, Eq)]
struct Group {
    name: Vec<u8>,
    threshold: usize,
    members: Vec<Member>,
}

/// Positions in the policy's lists; a group refers only to groups before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// What a checkpoint needs beside the log's signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quorum {
    None,
    Of(Member),
}

/// A checkpoint that a known log signed, and who of the known witnesses cosigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<'p> {
    /// What the log said.
    pub checkpoint: Checkpoint,
    /// The log's key.
    pub log: &'p VerifierKey,
    /// The known witnesses that cosigned, each once for every cosignature, with its time in seconds since 1970.
    pub cosignatures: Vec<(&'p Witness, u64)>,
    /// Whether the cosignatures are enough for the policy; true without any under `quorum none`.
    pub quorum_met: bool,
}

/// Why a text is not a policy. Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More than [`MAX_POLICY_LEN`] bytes.
    #[error("a policy has at most 65,536 bytes")]
    TooLong,
    /// The last line does not end in a newline: the file may have been cut off.
    #[error("the last line of a policy ends in a newline")]
    NoFinalNewline,
    /// There is no quorum line.
    #[error("a policy has a quorum line")]
    NoQuorum,
    /// One line breaks a rule.
    #[error("line {line}: {rule}")]
    Line {
        /// Which line.
        line: usize,
        /// Which rule.
        rule: LineError,
    },
}

/// Which rule a line of a policy breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// A control character other than tab and newline (a carriage return, for instance).
    #[error("control characters other than tab and newline are refused")]
    ControlCharacter,
    /// The first word is none of log, witness, group and quorum.
    #[error("a line begins with log, witness, group or quorum")]
    UnknownKeyword,
    /// Too few or too many words for this keyword.
    #[error("the line has too few or too many words")]
    WrongWords,
    /// A key is not a verifier key.
    #[error("not a verifier key: {0}")]
    BadKey(crate::note::VerifierKeyError),
    /// A log's key is not a plain Ed25519 key, or a witness's key is not a cosignature key.
    #[error("a log has a key of type 1 (ed25519), a witness one of type 4 (cosignature)")]
    WrongKeyType,
    /// A URL is not UTF-8.
    #[error("a url is UTF-8")]
    BadUrl,
    /// The same public key was listed before.
    #[error("this public key is listed twice")]
    DuplicateKey,
    /// Another key with the same name and key id was listed before.
    #[error("another key with this name and key id is listed")]
    AmbiguousKey,
    /// The name was defined before, or is `none`.
    #[error("this name is taken")]
    NameTaken,
    /// The name was not defined on a line before.
    #[error("this name is not defined above")]
    UnknownName,
    /// A name is a member of two groups, or twice of one.
    #[error("a name can be a member once only")]
    MemberTwice,
    /// The threshold is not `all`, `any` or a number from 1 to the number of members.
    #[error("a threshold is all, any or a number from 1 to the number of members")]
    BadThreshold,
    /// A second quorum line.
    #[error("a policy has one quorum line")]
    SecondQuorum,
    /// More than [`MAX_ENTRIES`] logs, witnesses or groups.
    #[error("a policy has at most 64 logs, 64 witnesses and 64 groups")]
    TooMany,
}

impl Policy {
    /// Trusts one log and asks for no witnesses: what can be said of a vault whose key is known and nothing else.
    /// Nothing if `log` is not a key that signs checkpoints as a log.
    pub fn of_log(log: VerifierKey) -> Option<Self> {
        let logs = vec![Log { key: log, url: None }];
        let is_log = logs[0].key.signature_type() == SignatureType::Ed25519;
        is_log.then_some(Self { logs, witnesses: Vec::new(), groups: Vec::new(), quorum: Quorum::None })
    }

    /// The logs whose checkpoints are accepted; may be empty where the log is known from elsewhere.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The known witnesses, whether the quorum names them or not.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether no cosignature is asked for: order and completeness then rest on the log's word.
    pub const fn quorum_is_none(&self) -> bool {
        matches!(self.quorum, Quorum::None)
    }

    /// Whether the witnesses with these keys are enough. Keys are compared by public key alone.
    pub fn quorum_met(&self, cosigned: &[&VerifierKey]) -> bool {
        let signed =
            |witness: &Witness| cosigned.iter().any(|key| key.public_key() == witness.key.public_key());
        let Quorum::Of(quorum) = self.quorum else { return true };
        // Groups refer only backwards, so one pass settles them all.
        let mut met: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group.members.iter().filter(|member| self.is_met(**member, &met, signed)).count();
            met.push(count >= group.threshold);
        }
        self.is_met(quorum, &met, signed)
    }

    /// Opens `note` as a checkpoint of any of the policy's logs and looks at its cosignatures. A note with a failing
    /// signature by any known key is rejected. That the quorum is not met is no error here: see
    /// [`Accepted::quorum_met`].
    pub fn accept(&self, note: &SignedNote) -> Result<Accepted<'_>, CheckpointError> {
        let log = self.logs.iter().map(Log::key).find(|key| note.signatures().iter().any(|s| s.names(key)));
        let log = log.ok_or(NoteError::NoKnownSigner)?;
        self.accept_from(note, log)
    }

    /// [`Policy::accept`] for a log whose key is known from elsewhere.
    pub fn accept_from<'p>(
        &'p self,
        note: &SignedNote,
        log: &'p VerifierKey,
    ) -> Result<Accepted<'p>, CheckpointError> {
        let checkpoint = Checkpoint::open(note, log)?;
        let mut cosignatures = Vec::new();
        for signature in note.signatures() {
            for witness in self.witnesses.iter().filter(|witness| signature.names(&witness.key)) {
                if let Some(time) = signature.verify(&witness.key, note.text())? {
                    cosignatures.push((witness, time));
                }
            }
        }
        let cosigned: Vec<_> = cosignatures.iter().map(|(witness, _)| &witness.key).collect();
        let quorum_met = self.quorum_met(&cosigned);
        Ok(Accepted { checkpoint, log, cosignatures, quorum_met })
    }

    /// The policy as a file, without comments; [`Policy::parse`] reads it back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for Log { key, url } in &self.logs {
            line(&mut file, &[b"log", key.to_string().as_bytes(), bytes(url.as_ref())]);
        }
        for Witness { name, key, url } in &self.witnesses {
            line(&mut file, &[b"witness", name, key.to_string().as_bytes(), bytes(url.as_ref())]);
        }
        for Group { name, threshold, members } in &self.groups {
            let threshold = threshold.to_string();
            let mut words = vec![&b"group"[..], name, threshold.as_bytes()];
            words.extend(members.iter().map(|member| self.member_name(*member)));
            line(&mut file, &words);
        }
        let quorum = match self.quorum {
            Quorum::None => b"none",
            Quorum::Of(member) => self.member_name(member),
        };
        line(&mut file, &[b"quorum", quorum]);
        file
    }

    fn is_met(&self, member: Member, groups: &[bool], signed: impl Fn(&Witness) -> bool) -> bool {
        match member {
            Member::Witness(at) => self.witnesses.get(at).is_some_and(signed),
            Member::Group(at) => groups.get(at).copied().unwrap_or(false),
        }
    }

    fn member_name(&self, member: Member) -> &[u8] {
        match member {
            Member::Witness(at) => &self.witnesses[at].name,
            Member::Group(at) => &self.groups[at].name,
        }
    }
}

impl Log {
    /// The key; its name is the log's origin.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where the log is reached, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

impl Witness {
    /// What the policy calls it: opaque bytes, usually UTF-8.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The key it cosigns with.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where the witness is reached, if the policy says so.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

fn bytes(url: Option<&String>) -> &[u8] {
    url.map_or(b"", |url| url.as_bytes())
}

/// One line; empty words are left out.
fn line(file: &mut Vec<u8>, words: &[&[u8]]) {
    let words: Vec<_> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    file.extend_from_slice(&words.join(&b' '));
    file.push(b'\n');
}

#[cfg(test)]
mod tests;
