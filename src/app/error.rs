//! What can go wrong in a use case, named once.

use custody::commitment::OpeningError;
use custody::rules::Refusal;
use custody::statement::StatementError;

use crate::redact::RedactError;

/// A use case that did not happen. Whatever was refused by the rules has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// No token, or one that is unknown, expired or revoked.
    #[error("sign in first")]
    Unauthenticated,
    /// A token whose enrolment waits for the voucher's signature.
    #[error("your key was not approved yet")]
    KeyWaiting,
    /// Signed in by a cookie, and not shown that one of the vault's own pages asks.
    #[error("a cookie signs in only what the vault's own pages ask for")]
    CrossSite,
    /// Signed in by a session that showed no second factor lately.
    #[error("this takes a second factor shown in the last minutes")]
    Unconfirmed,
    /// Name, password or second factor is wrong, or nobody has the name: all look the same.
    #[error("name, password or code is wrong, or the code was used before")]
    SignInFailed,
    /// A second factor that does not count.
    #[error("the code is wrong, or was used before")]
    WrongCode,
    /// What may not be a password.
    #[error("{0}")]
    Password(String),
    /// What an authenticator answered does not count.
    #[error("the authenticator's answer does not verify, or is not to what was asked")]
    Passkey,
    /// An authenticator counts backwards: somebody has a copy of it.
    #[error("the passkey was used elsewhere since: somebody has a copy of it")]
    PasskeyCopied,
    /// An authenticator made a passkey that it does not keep, so that it would need a name first.
    #[error("the authenticator does not keep the passkey")]
    PasskeyNotKept,
    /// A connection that shows no certificate where each must.
    #[error("this vault answers connections only that show a certificate")]
    CertificateNeeded,
    /// What somebody came back with from a provider does not count.
    #[error("what came back from the provider does not count, or was used before")]
    ProviderRefused,
    /// A provider that does not answer as it should.
    #[error("the provider does not answer, or not as it should")]
    ProviderSilent,
    /// Somebody else signs in with this name.
    #[error("somebody signs in with this name already")]
    NameTaken,
    /// Unknown, or not visible to this person: the two look the same.
    #[error("no such {0}, or you are not a member")]
    NotFound(&'static str),
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The same `op_id` with other bytes.
    #[error("this op_id was used for another statement")]
    OpIdReused,
    /// A request that cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// A statement whose shape is wrong.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// An envelope that does not parse or verify.
    #[error("the envelope is malformed or a signature does not verify")]
    Envelope(#[from] custody::envelope::EnvelopeError),
    /// A signature that does not verify.
    #[error("a signature does not verify")]
    BadSignature,
    /// Something that can be done once was done by somebody else.
    #[error("somebody else was first")]
    TooLate,
    /// Somebody else said first what the new item was made from.
    #[error("somebody else said first what the new item was made from: it holds nothing")]
    LinkedOtherwise,
    /// A field opening that does not fit its commitment.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// Bytes received do not have the digest or length that was announced. Nothing was stored.
    #[error("the bytes received do not match what was announced")]
    DigestMismatch,
    /// The connection ended before the announced length. Nothing was stored.
    #[error("the upload ended early")]
    Truncated,
    /// Too few bytes came for too long. Nothing was stored.
    #[error("fewer than 16 KiB of the upload came in 30 s")]
    TooSlow,
    /// More bytes than the item was registered with, or than the vault takes.
    #[error("the content is larger than allowed")]
    TooLarge,
    /// The vault cannot redact it. Nothing was stored.
    #[error(transparent)]
    NotRedactable(RedactError),
    /// A range outside the content.
    #[error("the range is outside the content of {0} bytes")]
    Range(u64),
    /// No valid access grant was named.
    #[error("no open access grant was named")]
    NoGrant,
    /// An invitation that is unknown, used or expired.
    #[error("the invitation is unknown, used or expired")]
    Invitation,
    /// Nothing of the log is published yet.
    #[error("nothing is published yet")]
    NotPublished,
    /// Nobody has shown yet that the vault's keys can be brought back.
    #[error("no evidence is taken in before the recovery kit was checked")]
    RecoveryUnchecked,
    /// Another process has replaced the log's key. Nothing was recorded.
    #[error("the log has another key now, which this process does not have")]
    LogKeyReplaced,
    /// The key that signed the log when this export was made is no longer in the keyring.
    #[error("the log's key of that time is no longer kept")]
    LogKeyGone,
    /// Something of this bundle was destroyed on record since.
    #[error("something of this bundle was destroyed on record since it was exported")]
    Destroyed,
    /// All values about this person were destroyed on record, with their key: new ones would be lost.
    #[error("the values about this person were destroyed on record: it takes no new ones")]
    Erased,
    /// Another process has replaced the key that wraps all keys. Nothing was recorded.
    #[error("the vault has another key encryption key now, which this process does not use")]
    KekReplaced,
    /// The disk is full; nothing was lost.
    #[error("the vault's storage is full")]
    DiskFull,
    /// As many uploads, or sign-ins, are under way as this machine can serve. Nothing was stored.
    #[error("too many of these are under way")]
    Busy,
    /// Too many requests from one place.
    #[error("too many requests: the next is taken in {0} s")]
    TooMany(u64),
    /// Nothing is served at this address, whoever asks.
    #[error("there is nothing at this address")]
    Address,
    /// The address takes other methods.
    #[error("this address takes {0}")]
    Method(String),
    /// Something failed inside. The text is for the log, never for the answer.
    #[error("{context}")]
    Internal {
        /// What was being done.
        context: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl AppError {
    /// Wraps an unexpected failure.
    pub fn internal<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        context: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Internal { context, source: source.into() }
    }

    /// The stable code of the API's table of errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::KeyWaiting => "key-waiting",
            Self::SignInFailed => "sign-in-failed",
            Self::WrongCode => "wrong-code",
            Self::Password(_) => "password-unfit",
            Self::Passkey => "passkey-refused",
            Self::PasskeyCopied => "passkey-copied",
            Self::PasskeyNotKept => "passkey-not-kept",
            Self::CertificateNeeded => "certificate-needed",
            Self::ProviderRefused => "provider-refused",
            Self::ProviderSilent => "provider-silent",
            Self::NameTaken => "name-taken",
            Self::CrossSite => "cross-site",
            Self::Unconfirmed => "confirmation-needed",
            Self::NotFound(_) => "not-found",
            Self::Refused(refusal) => refusal.code(),
            Self::OpIdReused => "op-id-reused",
            Self::Invalid(_) => "invalid-request",
            Self::Statement(_) => "invalid-statement",
            Self::Envelope(_) => "invalid-envelope",
            Self::BadSignature => "bad-signature",
            Self::TooLate => "too-late",
            Self::LinkedOtherwise => "linked-otherwise",
            Self::Opening(_) => "opening-mismatch",
            Self::DigestMismatch => "digest-mismatch",
            Self::Truncated => "truncated",
            Self::TooSlow => "too-slow",
            Self::TooLarge => "too-large",
            Self::NotRedactable(_) => "not-redactable",
            Self::Range(_) => "range-not-satisfiable",
            Self::NoGrant => "access-grant-needed",
            Self::Invitation => "invitation-invalid",
            Self::NotPublished => "not-published",
            Self::RecoveryUnchecked => "recovery-unchecked",
            Self::LogKeyReplaced => "log-key-replaced",
            Self::LogKeyGone => "log-key-gone",
            Self::Destroyed => "destroyed",
            Self::Erased => "erased",
            Self::KekReplaced => "kek-replaced",
            Self::DiskFull => "storage-full",
            Self::Busy => "busy",
            Self::TooMany(_) => "too-many-requests",
            Self::Address => "no-such-address",
            Self::Method(_) => "method-not-allowed",
            Self::Internal { .. } => "internal",
        }
    }
}
