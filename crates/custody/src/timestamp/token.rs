//! The token itself: CMS around a `TSTInfo` (RFC 5652, RFC 3161).

use core::time::Duration;

use der::asn1::ObjectIdentifier;
use der::{DateTime, Tag};

use super::asn1::{Algorithm, Elements, SEQUENCE, SET, constructed, primitive, tlv, unsigned};
use super::chain::{Anchors, Certificate};
use super::signature::{Hash, Scheme};
use super::{MAX_LEN, Nonce, TimestampError, Verified};
use crate::digest::Digest;
use crate::time::Timestamp;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// A timestamp token in DER, not believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(Vec<u8>);

impl Token {
    /// Takes the token out of an authority's response (RFC 3161, section 2.4.2), the form in which it is kept.
    pub fn from_response(response: &[u8]) -> Result<Self, TimestampError> {
        if response.len() > MAX_LEN {
            return Err(TimestampError::TooLong);
        }
        let mut elements = Elements::of(response, Tag::Sequence, "response")?;
        // The words and reasons after the status are for people.
        let status: u8 = elements.inside(Tag::Sequence)?.decode()?;
        // 0 is granted, 1 granted with modifications; what was modified shows when the token is verified.
        if status > 1 {
            return Err(TimestampError::NotGranted(status));
        }
        let token = elements.raw()?;
        elements.finish()?;
        Self::from_der(token)
    }

    /// A token by itself, without the response around it.
    pub fn from_der(token: &[u8]) -> Result<Self, TimestampError> {
        if token.len() > MAX_LEN {
            return Err(TimestampError::TooLong);
        }
        Signed::read(token)?;
        Ok(Self(token.to_vec()))
    }

    /// The token's bytes.
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// Checks that the token is over `digest`, repeats `nonce` where it is still known, and was signed by an authority
    /// whose chain of certificates led to one of `anchors` at the time that it states.
    pub fn verify(
        &self,
        digest: &Digest,
        nonce: Option<Nonce>,
        anchors: &Anchors,
    ) -> Result<Verified, TimestampError> {
        let envelope = Signed::read(&self.0)?;
        let info = Info::read(envelope.content)?;
        if info.imprint != (Hash::Sha256, digest.as_bytes()) {
            return Err(TimestampError::OtherImprint);
        }
        if nonce.is_some_and(|nonce| info.nonce != unsigned(nonce.number()).get(2..)) {
            return Err(TimestampError::OtherNonce);
        }
        let signer = envelope.verify()?;
        let expires = anchors.check(signer, &envelope.certificates, info.time)?;
        Ok(Verified {
            time: info.time,
            accuracy: info.accuracy,
            authority: signer.name(),
            serial: hex::encode(info.serial),
            policy: info.policy.to_string(),
            expires,
        })
    }
}

/// `SignedData` with one signer (RFC 5652, section 5.1).
struct Signed<'a> {
    content: &'a [u8],
    certificates: Vec<Certificate>,
    signer: Signer<'a>,
}

/// `SignerInfo` (RFC 5652, section 5.3).
struct Signer<'a> {
    id: SignerId<'a>,
    hash: Hash,
    /// The content of the SET of signed attributes.
    attributes: &'a [u8],
    scheme: Scheme,
    signature: &'a [u8],
}

enum SignerId<'a> {
    /// Issuer, with its tag, and serial number.
    Certificate(&'a [u8], &'a [u8]),
    KeyId(&'a [u8]),
}

impl<'a> Signed<'a> {
    fn read(token: &'a [u8]) -> Result<Self, TimestampError> {
        const WHAT: &str = "token";
        let mut outer = Elements::of(token, Tag::Sequence, WHAT)?;
        let is_signed = outer.decode::<ObjectIdentifier>()? == SIGNED_DATA;
        let mut explicit = outer.inside(constructed(0))?;
        outer.finish()?;
        let mut data = explicit.inside(Tag::Sequence)?;
        explicit.finish()?;
        // Version 3: the content is not plain data.
        let version: u8 = data.decode()?;
        let mut hashes = data.inside(Tag::Set)?;
        let mut known = Vec::new();
        while !hashes.is_empty() {
            let hash = Algorithm::read(&mut hashes)?;
            if !hash.has_none() {
                return Err(hashes.malformed());
            }
            known.push(hash.oid);
        }
        let mut encapsulated = data.inside(Tag::Sequence)?;
        let is_time = encapsulated.decode::<ObjectIdentifier>()? == TST_INFO;
        let mut explicit = encapsulated.inside(constructed(0))?;
        encapsulated.finish()?;
        let content = explicit.take(Tag::OctetString)?;
        explicit.finish()?;
        let certificates = match data.optional(constructed(0))? {
            Some(set) => Certificate::parse_set(Elements::new(set, "certificates")?)?,
            None => Vec::new(),
        };
        data.optional(constructed(1))?;
        let mut signers = data.inside(Tag::Set)?;
        data.finish()?;
        let (signer, hash) = Signer::read(&mut signers)?;
        signers.finish()?;
        if !is_signed || !is_time || version != 3 || !known.contains(&hash) {
            return Err(TimestampError::Malformed(WHAT));
        }
        Ok(Self { content, certificates, signer })
    }

    /// Checks that the signature covers the content and is by a certificate in the token, to which it is bound.
    fn verify(&self) -> Result<&Certificate, TimestampError> {
        let signer = &self.signer;
        let certificate = self.certificates.iter().find(|certificate| signer.id.names(certificate));
        let certificate = certificate.ok_or(TimestampError::NoCertificate)?;
        let attributes = Attributes::read(signer.attributes)?;
        let digest = signer.hash.digest(self.content);
        if attributes.content_type != TST_INFO || *attributes.message_digest != *digest {
            return Err(TimestampError::OtherContent);
        }
        attributes.check_bound_to(certificate)?;
        // Signed as a SET, whatever the tag they are sent under (RFC 5652, section 5.4).
        signer.scheme.verify(certificate.key(), &tlv(SET, &[signer.attributes]), signer.signature)?;
        Ok(certificate)
    }
}

impl<'a> Signer<'a> {
    /// Returns the object identifier of its digest too.
    fn read(from: &mut Elements<'a>) -> Result<(Self, ObjectIdentifier), TimestampError> {
        let mut elements = Elements::new(from.take(Tag::Sequence)?, "signer")?;
        let version: u8 = elements.decode()?;
        let (id, expected) = if let Some(id) = elements.optional(primitive(0))? {
            (SignerId::KeyId(id), 3)
        } else {
            let mut certificate = elements.inside(Tag::Sequence)?;
            let (issuer, serial) = (certificate.raw()?, certificate.take(Tag::Integer)?);
            certificate.finish()?;
            (SignerId::Certificate(issuer, serial), 1)
        };
        let digest = Algorithm::read(&mut elements)?;
        let hash = Hash::of(&digest)?;
        let attributes = elements.take(constructed(0))?;
        let scheme = Scheme::of(&Algorithm::read(&mut elements)?, Some(hash))?;
        let signature = elements.take(Tag::OctetString)?;
        // Unsigned attributes prove nothing.
        elements.optional(constructed(1))?;
        if version != expected {
            return Err(elements.malformed());
        }
        elements.finish()?;
        Ok((Self { id, hash, attributes, scheme, signature }, digest.oid))
    }
}

impl SignerId<'_> {
    fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Certificate(issuer, serial) => {
                certificate.issuer == *issuer && certificate.serial() == *serial
            }
            Self::KeyId(id) => certificate.has_key_id(id),
        }
    }
}

/// The signed attributes that count.
struct Attributes<'a> {
    content_type: ObjectIdentifier,
    message_digest: &'a [u8],
    /// The content of the first `ESSCertID` and of the first `ESSCertIDv2`.
    certificates: Vec<(ObjectIdentifier, &'a [u8])>,
}

impl<'a> Attributes<'a> {
    fn read(set: &'a [u8]) -> Result<Self, TimestampError> {
        const WHAT: &str = "signed attributes";
        let (mut content_type, mut message_digest, mut certificates) = (None, None, Vec::new());
        let mut elements = Elements::new(set, WHAT)?;
        let mut seen = Vec::new();
        while !elements.is_empty() {
            let mut attribute = elements.inside(Tag::Sequence)?;
            let kind: ObjectIdentifier = attribute.decode()?;
            let mut values = attribute.inside(Tag::Set)?;
            attribute.finish()?;
            if seen.contains(&kind) {
                return Err(elements.malformed());
            }
            seen.push(kind);
            match kind {
                CONTENT_TYPE => content_type = Some(values.decode()?),
                MESSAGE_DIGEST => message_digest = Some(values.take(Tag::OctetString)?),
                SIGNING_CERTIFICATE | SIGNING_CERTIFICATE_V2 => {
                    // The certificates, then policies; the first certificate is the signer's.
                    let mut value = values.inside(Tag::Sequence)?;
                    certificates.push((kind, value.inside(Tag::Sequence)?.take(Tag::Sequence)?));
                }
                _ => continue,
            }
            values.finish()?;
        }
        let missing = TimestampError::Malformed(WHAT);
        let (Some(content_type), Some(message_digest)) = (content_type, message_digest) else {
            return Err(missing);
        };
        Ok(Self { content_type, message_digest, certificates })
    }

    /// `ESSCertID`, `ESSCertIDv2` or both name this certificate (RFC 5035, RFC 5816).
    fn check_bound_to(&self, certificate: &Certificate) -> Result<(), TimestampError> {
        if self.certificates.is_empty() {
            return Err(TimestampError::NotBound);
        }
        for (kind, id) in &self.certificates {
            let mut elements = Elements::new(id, "signing certificate")?;
            let hash = match (*kind, elements.next_is(Tag::Sequence)) {
                (SIGNING_CERTIFICATE, _) => Hash::Sha1,
                (_, true) => Hash::of(&Algorithm::read(&mut elements)?)?,
                (_, false) => Hash::Sha256,
            };
            let digest = elements.take(Tag::OctetString)?;
            let place = if elements.is_empty() { None } else { Some(elements.raw()?) };
            elements.finish()?;
            let place_fits = place.is_none_or(|place| *place == *issuer_and_serial(certificate));
            if *digest != *hash.digest(certificate.der()) || !place_fits {
                return Err(TimestampError::NotBound);
            }
        }
        Ok(())
    }
}

/// `IssuerSerial`: the issuer as the only one of its `GeneralNames`, and the serial number.
fn issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
    let directory_name = tlv(0xa4, &[&certificate.issuer]);
    let names = tlv(SEQUENCE, &[&directory_name]);
    tlv(SEQUENCE, &[&names, &tlv(super::asn1::INTEGER, &[certificate.serial()])])
}

/// `TSTInfo` (RFC 3161, section 2.4.2).
struct Info<'a> {
    policy: ObjectIdentifier,
    imprint: (Hash, &'a [u8]),
    serial: &'a [u8],
    time: Timestamp,
    accuracy: Option<Duration>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    fn read(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut info = Elements::of(content, Tag::Sequence, "content")?;
        let version: u8 = info.decode()?;
        let policy = info.decode()?;
        let mut imprint = info.inside(Tag::Sequence)?;
        let hash = Hash::of(&Algorithm::read(&mut imprint)?).map_err(|_| TimestampError::OtherImprint)?;
        let digest = imprint.take(Tag::OctetString)?;
        imprint.finish()?;
        let serial = info.take(Tag::Integer)?;
        let time = parse_time(info.take(Tag::GeneralizedTime)?).ok_or(info.malformed())?;
        let accuracy = match info.optional(Tag::Sequence)? {
            Some(accuracy) => Some(parse_accuracy(Elements::new(accuracy, "accuracy")?)?),
            None => None,
        };
        // Whether the authority's times are in order; and, after the nonce, what it calls itself, which is a hint.
        info.optional(Tag::Boolean)?;
        let nonce = info.optional(Tag::Integer)?;
        info.optional(constructed(0))?;
        if let Some(extensions) = info.optional(constructed(1))? {
            refuse_critical(Elements::new(extensions, "extensions")?)?;
        }
        if version != 1 {
            return Err(info.malformed());
        }
        info.finish()?;
        Ok(Self { policy, imprint: (hash, digest), serial, time, accuracy, nonce })
    }
}

/// `YYYYMMDDhhmmss`, a fraction if it is not zero, and `Z` (RFC 3161, section 2.4.2).
fn parse_time(text: &[u8]) -> Option<Timestamp> {
    let text = core::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((_, fraction)) if fraction.is_empty() || fraction.ends_with('0') => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = |range| whole.get(range).and_then(|part: &str| part.parse::<u8>().ok());
    let year = whole.get(..4)?.parse().ok()?;
    let time =
        DateTime::new(year, part(4..6)?, part(6..8)?, part(8..10)?, part(10..12)?, part(12..14)?).ok()?;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = i64::try_from(time.unix_duration().as_secs()).ok()?;
    Timestamp::from_millis(seconds.checked_mul(1000)?.checked_add(millis)?).ok()
}

/// Seconds, and milliseconds and microseconds from 1 to 999, each of them optional.
fn parse_accuracy(mut elements: Elements<'_>) -> Result<Duration, TimestampError> {
    let mut micros = 0;
    for (tag, unit, most) in
        [(Tag::Integer, 1_000_000, u32::MAX), (primitive(0), 1000, 999), (primitive(1), 1, 999)]
    {
        let Some(bytes) = elements.optional(tag)? else { continue };
        let positive = (1..=5).contains(&bytes.len()) && bytes[0] & 0x80 == 0;
        let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if !positive || number > u64::from(most) {
            return Err(elements.malformed());
        }
        micros += number * unit;
    }
    elements.finish()?;
    Ok(Duration::from_micros(micros))
}

/// No extension of a token is known to us.
fn refuse_critical(mut extensions: Elements<'_>) -> Result<(), TimestampError> {
    while !extensions.is_empty() {
        let mut extension = extensions.inside(Tag::Sequence)?;
        extension.decode::<ObjectIdentifier>()?;
        if extension.optional(Tag::Boolean)?.is_some() {
            return Err(TimestampError::UnknownCritical);
        }
        extension.take(Tag::OctetString)?;
        extension.finish()?;
    }
    Ok(())
}
