//! Timestamps: an outsider's word that something existed at a time (RFC 3161, RFC 5816).
//!
//! Asking is bytes out ([`request`]) and bytes in ([`Token::from_response`]); HTTP is the caller's. A token proves
//! nothing by itself: [`Token::verify`] checks it against the digest that it should cover and against root
//! certificates that came from somewhere else ([`Anchors`]). It needs no network and no clock, and gives the same
//! answer in twenty years: certificates must have been valid at the time that the token states.
//!
//! What it does not do: it asks nobody whether a certificate was revoked, and certificates in the token that the chain
//! does not need are parsed but not believed. Signatures: RSA PKCS #1 v1.5 of 2,048 to 4,096 bits and ECDSA on P-256
//! and P-384, with SHA-256, SHA-384 or SHA-512; Ed25519. Names are compared byte by byte, and DER is read strictly.
//!
//! ```
//! use custody::digest::Digest;
//! use custody::timestamp::{Nonce, Token, TimestampError, request};
//!
//! let query = request(&Digest::of(b"checkpoint"), Nonce::new(0x1234));
//! assert_eq!(query.len(), 63);
//! // POST it as custody::timestamp::QUERY_TYPE; the answer is a response, not HTML.
//! let answer = Token::from_response(b"<html>");
//! assert_eq!(answer, Err(TimestampError::Malformed("response")));
//! ```

mod asn1;
mod chain;
mod signature;
mod token;

use core::time::Duration;

pub use chain::{Anchors, AnchorsError};
pub use token::Token;

use crate::digest::Digest;
use crate::time::Timestamp;

/// No response and no token is larger, in bytes; nor is a file of anchors.
pub const MAX_LEN: usize = 64 * 1024;

/// The content type of a request.
pub const QUERY_TYPE: &str = "application/timestamp-query";

/// The content type of a response.
pub const REPLY_TYPE: &str = "application/timestamp-reply";

/// A number that the authority repeats in its token, so that an old response cannot be passed off as the answer. It is
/// random, and the caller keeps it until the answer is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(u64);

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// When the authority saw the digest: what is covered is older. Fractions below a millisecond are cut off.
    pub time: Timestamp,
    /// By how much the time may be off to either side, where the authority says so.
    pub accuracy: Option<Duration>,
    /// The subject of the certificate that signed (RFC 4514).
    pub authority: String,
    /// The token's serial number, lower-case hexadecimal.
    pub serial: String,
    /// The policy under which the authority issued it, an object identifier in dotted decimal.
    pub policy: String,
    /// When the first certificate of the chain expires: the token has to be covered by a newer one before.
    pub expires: Timestamp,
}

/// Why a response has no token, or a token is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// More than [`MAX_LEN`] bytes.
    #[error("a timestamp has at most 65,536 bytes")]
    TooLong,
    /// The named part is not what the RFCs say, or not DER.
    #[error("the timestamp's {0} is malformed")]
    Malformed(&'static str),
    /// The authority refuses; the number is its `PKIStatus` (RFC 3161, section 2.4.2).
    #[error("the authority did not grant a timestamp: status {0}")]
    NotGranted(u8),
    /// The token is over another digest, or over one that is not SHA-256.
    #[error("the timestamp covers something else")]
    OtherImprint,
    /// The token does not repeat the nonce of the request.
    #[error("the timestamp does not repeat the request's nonce")]
    OtherNonce,
    /// An algorithm that we do not know or do not trust, such as SHA-1 or RSA below 2,048 bits.
    #[error("the {0} is of an unknown or a weak algorithm")]
    Algorithm(&'static str),
    /// The certificate of the signer is not in the token.
    #[error("the signer's certificate is not in the timestamp")]
    NoCertificate,
    /// The signed attributes name another certificate than that of the signer (RFC 5035).
    #[error("the signature is not bound to the signer's certificate")]
    NotBound,
    /// The signature is over something else than the token's content.
    #[error("the signature does not cover the timestamp's content")]
    OtherContent,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
    /// The certificate's extended key usage is not timestamping alone, marked critical (RFC 3161, section 2.3), or its
    /// key usage does not allow signatures.
    #[error("the signer's certificate is not for timestamps alone")]
    NotForTimestamps,
    /// No chain of certificates leads to an anchor.
    #[error("no chain of certificates leads to a trusted root")]
    NotTrusted,
    /// There is a chain, but one of its certificates was not valid at the stated time.
    #[error("a certificate was not valid at the stated time")]
    NotValidThen,
    /// A critical extension that we do not understand, in a certificate of the chain or in the token.
    #[error("a critical extension is not understood")]
    UnknownCritical,
}

impl Nonce {
    /// From 64 random bits.
    pub const fn new(random: u64) -> Self {
        Self(random)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A request for a timestamp over `digest`, with the authority's certificate in the answer (RFC 3161, section 2.4.1).
pub fn request(digest: &Digest, nonce: Nonce) -> Vec<u8> {
    let imprint = asn1::tlv(
        asn1::SEQUENCE,
        &[&asn1::sha256_identifier(), &asn1::tlv(asn1::OCTET_STRING, &[digest.as_bytes()])],
    );
    let version = asn1::unsigned(1);
    let certificate = asn1::tlv(asn1::BOOLEAN, &[&[0xff]]);
    asn1::tlv(asn1::SEQUENCE, &[&version, &imprint, &asn1::unsigned(nonce.0), &certificate])
}
