//! Reading and writing DER, as far as timestamps need it. The reader keeps to the bytes it was given: what is hashed
//! or verified later is never a re-encoding.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Header, Reader as _, SliceReader, Tag, TagNumber};

use super::TimestampError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A context-specific tag whose content is made of elements.
pub(super) const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// A context-specific tag whose content is bytes.
pub(super) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// The elements of a SEQUENCE, a SET or an explicit tag, one after another. Errors name `what` is being read.
pub(super) struct Elements<'a> {
    reader: SliceReader<'a>,
    what: &'static str,
}

impl<'a> Elements<'a> {
    /// Of bytes that are the elements themselves.
    pub(super) fn new(content: &'a [u8], what: &'static str) -> Result<Self, TimestampError> {
        Ok(Self { reader: SliceReader::new(content).map_err(|_| TimestampError::Malformed(what))?, what })
    }

    /// Of bytes that are exactly one element with this tag.
    pub(super) fn of(bytes: &'a [u8], tag: Tag, what: &'static str) -> Result<Self, TimestampError> {
        let mut outer = Self::new(bytes, what)?;
        let content = outer.take(tag)?;
        outer.finish()?;
        Self::new(content, what)
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn take(&mut self, tag: Tag) -> Result<&'a [u8], TimestampError> {
        match self.optional(tag)? {
            Some(content) => Ok(content),
            None => Err(self.malformed()),
        }
    }

    /// The content of the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, TimestampError> {
        if self.is_empty() || self.peek()?.tag() != tag {
            return Ok(None);
        }
        let any = AnyRef::decode(&mut self.reader).map_err(|_| self.malformed())?;
        Ok(Some(any.value()))
    }

    /// The elements of the next element, which must have this tag.
    pub(super) fn inside(&mut self, tag: Tag) -> Result<Self, TimestampError> {
        Self::new(self.take(tag)?, self.what)
    }

    /// The next element with its tag and length, whatever it is.
    pub(super) fn raw(&mut self) -> Result<&'a [u8], TimestampError> {
        self.peek()?;
        self.reader.tlv_bytes().map_err(|_| self.malformed())
    }

    /// An element of a type that the `der` crate knows.
    pub(super) fn decode<T: Decode<'a>>(&mut self) -> Result<T, TimestampError> {
        T::decode(&mut self.reader).map_err(|_| self.malformed())
    }

    /// Whether the next element has this tag.
    pub(super) fn next_is(&self, tag: Tag) -> bool {
        self.peek().is_ok_and(|header| header.tag() == tag)
    }

    /// Whether there are no more elements.
    pub(super) fn is_empty(&self) -> bool {
        self.reader.is_finished()
    }

    /// There must be no more elements.
    pub(super) fn finish(self) -> Result<(), TimestampError> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) const fn malformed(&self) -> TimestampError {
        TimestampError::Malformed(self.what)
    }

    fn peek(&self) -> Result<Header, TimestampError> {
        Header::peek(&self.reader).map_err(|_| self.malformed())
    }
}

/// Object identifier and parameters of an algorithm.
pub(super) struct Algorithm<'a> {
    pub(super) oid: ObjectIdentifier,
    parameters: Option<&'a [u8]>,
}

impl<'a> Algorithm<'a> {
    pub(super) fn read(from: &mut Elements<'a>) -> Result<Self, TimestampError> {
        let mut elements = from.inside(Tag::Sequence)?;
        let oid = elements.decode()?;
        let parameters = if elements.is_empty() { None } else { Some(elements.raw()?) };
        elements.finish()?;
        Ok(Self { oid, parameters })
    }

    /// No parameters, or NULL: both are in use for hashes and RSA.
    pub(super) fn has_none(&self) -> bool {
        self.parameters.is_none_or(|parameters| parameters == [0x05, 0x00])
    }

    /// The parameters as an object identifier: the curve of a key.
    pub(super) fn curve(&self) -> Option<ObjectIdentifier> {
        self.parameters.and_then(|parameters| ObjectIdentifier::from_der(parameters).ok())
    }
}

/// One element.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    if let Ok(len @ 0..=0x7f) = u8::try_from(content.len()) {
        element.push(len);
    } else {
        let len = content.len().to_be_bytes();
        let len = &len[len.iter().position(|byte| *byte != 0).unwrap_or(len.len())..];
        element.extend(u8::try_from(len.len()).map(|count| 0x80 | count));
        element.extend_from_slice(len);
    }
    element.extend_from_slice(&content);
    element
}

/// An INTEGER.
pub(super) fn unsigned(number: u64) -> Vec<u8> {
    let bytes = [&[0], &number.to_be_bytes()[..]].concat();
    // As short as it gets while the first bit, the sign, is 0.
    let start = (0..8).find(|at| bytes[*at] != 0 || bytes[*at + 1] & 0x80 != 0).unwrap_or(8);
    tlv(INTEGER, &[&bytes[start..]])
}

/// The `AlgorithmIdentifier` of SHA-256, with NULL, as every authority reads it.
pub(super) fn sha256_identifier() -> Vec<u8> {
    tlv(SEQUENCE, &[&[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01], &[0x05, 0x00]])
}
