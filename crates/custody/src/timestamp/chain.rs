//! Certificates, and the way from one to a root that the verifier brought along (RFC 5280).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode, Encode, Tag};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};

use super::asn1::{Algorithm, Elements};
use super::signature::Scheme;
use super::{MAX_LEN, TimestampError};
use crate::time::Timestamp;

/// No more certificates are read from a token or a file of anchors.
const MAX_CERTIFICATES: usize = 32;

/// No chain has more certificates between the signer's and the anchor.
const MAX_DEPTH: usize = 6;

const TIMESTAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const EXTENDED_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

/// The certificates in which the verifier trusts, normally self-signed roots; their own signatures are not looked at.
/// The certificate of an authority itself may stand here too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors(Vec<Certificate>);

/// Why bytes are not trust anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// More than 65,536 bytes or 32 certificates.
    #[error("trust anchors have at most 65,536 bytes and 32 certificates")]
    TooLong,
    /// There is no certificate.
    #[error("there is no certificate")]
    None,
    /// A block between `BEGIN CERTIFICATE` and `END CERTIFICATE` is not base64 or not closed.
    #[error("a certificate is not closed, or not base64")]
    BadPem,
    /// The bytes are not a certificate (RFC 5280).
    #[error("not an x.509 certificate")]
    NotACertificate,
}

impl Anchors {
    /// Reads one certificate in DER, or any number in PEM; text around the blocks is ignored.
    pub fn parse(file: &[u8]) -> Result<Self, AnchorsError> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        if file.len() > MAX_LEN {
            return Err(AnchorsError::TooLong);
        }
        let certificate = |der: &[u8]| Certificate::parse(der).map_err(|_| AnchorsError::NotACertificate);
        let Some(text) = core::str::from_utf8(file).ok().filter(|text| text.contains(BEGIN)) else {
            return if file.is_empty() {
                Err(AnchorsError::None)
            } else {
                Ok(Self(vec![certificate(file)?]))
            };
        };
        let blocks = text.split(BEGIN).skip(1).map(|block| {
            let (base64, _) = block.split_once("-----END CERTIFICATE-----").ok_or(AnchorsError::BadPem)?;
            let base64: String = base64.split_ascii_whitespace().collect();
            certificate(&BASE64_STANDARD.decode(base64).map_err(|_| AnchorsError::BadPem)?)
        });
        let certificates = blocks.take(MAX_CERTIFICATES + 1).collect::<Result<Vec<_>, _>>()?;
        if certificates.len() > MAX_CERTIFICATES {
            Err(AnchorsError::TooLong)
        } else {
            Ok(Self(certificates))
        }
    }

    /// Trust in nobody: no token is believed, and its signature is checked all the same.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The names of the anchors (RFC 4514), in order.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(Certificate::name)
    }

    /// Checks that a chain of certificates, each valid `at` the time, leads from `signer` over any of `others` to an
    /// anchor. Returns when the first of them expires.
    pub(super) fn check(
        &self,
        signer: &Certificate,
        others: &[Certificate],
        at: Timestamp,
    ) -> Result<Timestamp, TimestampError> {
        signer.check_signs_timestamps()?;
        let mut search = Search { anchors: &self.0, others, at, why: TimestampError::NotTrusted };
        match search.climb(signer, 0) {
            Some(expires) => Ok(expires),
            None => Err(search.why),
        }
    }
}

/// The way up. Depth is bounded, and every step needs a signature, so there is little for an attacker to spend.
struct Search<'a> {
    anchors: &'a [Certificate],
    others: &'a [Certificate],
    at: Timestamp,
    /// The reason of the last way that ended not for want of a certificate.
    why: TimestampError,
}

impl Search<'_> {
    /// When the first certificate from this one up to an anchor expires; nothing if there is no way.
    fn climb(&mut self, certificate: &Certificate, depth: usize) -> Option<Timestamp> {
        if let Err(why) = certificate.check_usable(self.at) {
            self.why = why;
            return None;
        }
        let own = certificate.expires();
        if self.anchors.contains(certificate) {
            return Some(own);
        }
        let (anchors, others) = (self.anchors, self.others);
        for issuer in anchors.iter().chain(others) {
            if issuer.subject != certificate.issuer || issuer == certificate || depth >= MAX_DEPTH {
                continue;
            }
            let issued = issuer.check_issues(depth).and_then(|()| certificate.check_signed_by(issuer));
            match issued {
                // Another key under the issuer's name is no issuer.
                Err(TimestampError::BadSignature) => {}
                Err(why) => self.why = why,
                Ok(()) => {
                    if let Some(above) = self.climb(issuer, depth + 1) {
                        return Some(own.min(above));
                    }
                }
            }
        }
        None
    }
}

/// A certificate, with the bytes that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// All of it.
    der: Vec<u8>,
    /// What its issuer signed.
    signed: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    key: Vec<u8>,
    decoded: x509_cert::Certificate,
}

impl Certificate {
    pub(super) fn parse(der: &[u8]) -> Result<Self, TimestampError> {
        const BAD: TimestampError = TimestampError::Malformed("certificate");
        let decoded = x509_cert::Certificate::from_der(der).map_err(|_| BAD)?;
        let mut elements = Elements::of(der, Tag::Sequence, "certificate")?;
        let signed = elements.raw()?.to_vec();
        let content = decoded.tbs_certificate();
        let encode = |value: Result<Vec<u8>, der::Error>| value.map_err(|_| BAD);
        let (issuer, subject) = (encode(content.issuer().to_der())?, encode(content.subject().to_der())?);
        let key = encode(content.subject_public_key_info().to_der())?;
        let extensions: Vec<_> = content.extensions().into_iter().flatten().map(|e| e.extn_id).collect();
        let repeated = extensions.iter().enumerate().any(|(at, oid)| extensions[..at].contains(oid));
        if repeated || decoded.signature_algorithm() != content.signature() {
            return Err(BAD);
        }
        Ok(Self { der: der.to_vec(), signed, issuer, subject, key, decoded })
    }

    /// Certificates out of a CMS SET; other kinds of certificates are passed over.
    pub(super) fn parse_set(mut set: Elements<'_>) -> Result<Vec<Self>, TimestampError> {
        let mut certificates = Vec::new();
        while !set.is_empty() {
            let plain = set.next_is(Tag::Sequence);
            let der = set.raw()?;
            if certificates.len() == MAX_CERTIFICATES {
                return Err(set.malformed());
            }
            if plain {
                certificates.push(Self::parse(der)?);
            }
        }
        Ok(certificates)
    }

    /// All of its bytes.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its public key, a `SubjectPublicKeyInfo`.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Its subject's name (RFC 4514).
    pub(super) fn name(&self) -> String {
        self.decoded.tbs_certificate().subject().to_string()
    }

    /// Its serial number, as an INTEGER's content.
    pub(super) fn serial(&self) -> &[u8] {
        self.decoded.tbs_certificate().serial_number().as_bytes()
    }

    /// Whether its subject key identifier is this one.
    pub(super) fn has_key_id(&self, id: &[u8]) -> bool {
        let own = self.extension::<SubjectKeyIdentifier>(SUBJECT_KEY_ID);
        matches!(own, Ok(Some((own, _))) if own.0.as_bytes() == id)
    }

    fn expires(&self) -> Timestamp {
        seconds(self.decoded.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
    }

    /// Valid at the time, and without demands that we do not know how to meet.
    fn check_usable(&self, at: Timestamp) -> Result<(), TimestampError> {
        // Policies limit nothing for a verifier who asks for none; alternative names are names.
        const KNOWN: [ObjectIdentifier; 6] =
            [SUBJECT_KEY_ID, KEY_USAGE, SUBJECT_NAMES, BASIC_CONSTRAINTS, POLICIES, EXTENDED_USAGE];
        let content = self.decoded.tbs_certificate();
        let begins = seconds(content.validity().not_before.to_unix_duration().as_secs());
        // Validity is in whole seconds and includes the last one.
        if at < begins || at > self.expires().saturating_add_millis(999) {
            return Err(TimestampError::NotValidThen);
        }
        let mut extensions = content.extensions().into_iter().flatten();
        if extensions.any(|extension| extension.critical && !KNOWN.contains(&extension.extn_id)) {
            return Err(TimestampError::UnknownCritical);
        }
        Ok(())
    }

    /// For timestamps and nothing else (RFC 3161, section 2.3), with a key that may sign.
    fn check_signs_timestamps(&self) -> Result<(), TimestampError> {
        let usage = self.extension::<ExtendedKeyUsage>(EXTENDED_USAGE)?;
        let only = usage.is_some_and(|(usage, critical)| critical && usage.0 == [TIMESTAMPING]);
        let key = self.extension::<KeyUsage>(KEY_USAGE)?;
        let signs = key.is_none_or(|(key, _)| key.digital_signature() || key.non_repudiation());
        if only && signs { Ok(()) } else { Err(TimestampError::NotForTimestamps) }
    }

    /// May issue a certificate that has `below` others between itself and the signer's.
    fn check_issues(&self, below: usize) -> Result<(), TimestampError> {
        let constraints = self.extension::<BasicConstraints>(BASIC_CONSTRAINTS)?;
        let authority = constraints.is_some_and(|(constraints, _)| {
            constraints.ca && constraints.path_len_constraint.is_none_or(|most| below <= usize::from(most))
        });
        let key = self.extension::<KeyUsage>(KEY_USAGE)?;
        let usage = self.extension::<ExtendedKeyUsage>(EXTENDED_USAGE)?;
        let signs = key.is_none_or(|(key, _)| key.key_cert_sign());
        let allows =
            usage.is_none_or(|(usage, _)| usage.0.contains(&TIMESTAMPING) || usage.0.contains(&ANY_USAGE));
        if authority && signs && allows { Ok(()) } else { Err(TimestampError::NotTrusted) }
    }

    fn check_signed_by(&self, issuer: &Self) -> Result<(), TimestampError> {
        let mut elements = Elements::of(&self.der, Tag::Sequence, "certificate")?;
        elements.raw()?;
        let scheme = Scheme::of(&Algorithm::read(&mut elements)?, None)?;
        let signature: BitStringRef<'_> = elements.decode()?;
        let signature = signature.as_bytes().ok_or(TimestampError::BadSignature)?;
        scheme.verify(&issuer.key, &self.signed, signature)
    }

    /// An extension and whether it is critical.
    fn extension<T: for<'d> Decode<'d>>(
        &self,
        oid: ObjectIdentifier,
    ) -> Result<Option<(T, bool)>, TimestampError> {
        let mut extensions = self.decoded.tbs_certificate().extensions().into_iter().flatten();
        let Some(found) = extensions.find(|extension| extension.extn_id == oid) else { return Ok(None) };
        let value = T::from_der(found.extn_value.as_bytes());
        Ok(Some((value.map_err(|_| TimestampError::Malformed("certificate"))?, found.critical)))
    }
}

/// Seconds since 1970; what lies beyond the year 9999 is its end.
fn seconds(seconds: u64) -> Timestamp {
    let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    Timestamp::from_millis(millis).unwrap_or(Timestamp::MAX)
}
