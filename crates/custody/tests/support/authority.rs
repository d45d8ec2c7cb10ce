//! A timestamp authority in memory, for any time: a certificate that is its own root, and tokens, by Ed25519.

use custody::act::{AnchorKind, AnchorNoted};
use custody::digest::Digest;
use custody::kind::Kind;
use custody::time::Timestamp;
use custody::timestamp::Anchors;
use ed25519_dalek::{Signer as _, SigningKey};

use super::{By, Vault, draft};

/// What authorities said about a checkpoint.
#[derive(Clone)]
pub struct Stamp {
    pub note: Vec<u8>,
    pub tokens: Vec<Vec<u8>>,
}

/// Someone who stamps; the seed is the key.
#[derive(Clone)]
pub struct Authority {
    key: SigningKey,
    name: Vec<u8>,
    certificate: Vec<u8>,
}

const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const SHA256: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
const SIGNED_DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TST_INFO: &[u8] = &[0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE_V2: &[u8] =
    &[0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const EXTENDED_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x25];
const TIMESTAMPING: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
const POLICY: &[u8] = &[0x06, 0x03, 0x2a, 0x03, 0x04];
const ONE: &[u8] = &[0x02, 0x01, 0x01];

/// One element of DER.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match len {
        [0, short @ 0..=0x7f] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[oid, &tlv(0x31, &[value])])
}

impl Authority {
    pub fn new(seed: u8, name: &str) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let attribute = sequence(&[COMMON_NAME, &tlv(0x0c, &[name.as_bytes()])]);
        let name = sequence(&[&tlv(0x31, &[&attribute])]);
        let validity = sequence(&[&tlv(0x17, &[b"200101000000Z"]), &tlv(0x18, &[b"20990101000000Z"])]);
        let bits = tlv(0x03, &[&[0], key.verifying_key().as_bytes()]);
        let usage = tlv(0x04, &[&sequence(&[TIMESTAMPING])]);
        let extension = sequence(&[EXTENDED_USAGE, &[0x01, 0x01, 0xff], &usage]);
        let signed = sequence(&[
            &tlv(0xa0, &[&[0x02, 0x01, 0x02]]),
            ONE,
            ED25519,
            &name,
            &validity,
            &name,
            &sequence(&[ED25519, &bits]),
            &tlv(0xa3, &[&sequence(&[&extension])]),
        ]);
        let signature = tlv(0x03, &[&[0], &key.sign(&signed).to_bytes()]);
        let certificate = sequence(&[&signed, ED25519, &signature]);
        Self { key, name, certificate }
    }

    /// Those who trust it trust this.
    pub fn anchors(&self) -> Anchors {
        Anchors::parse(&self.certificate).unwrap()
    }

    /// A token over a document, at a time in milliseconds; fractions of a second are cut off.
    pub fn token(&self, document: &[u8], millis: i64) -> Vec<u8> {
        let time = Timestamp::from_millis(millis).unwrap().to_string();
        let digits: String = time[..19].chars().filter(char::is_ascii_digit).collect();
        let imprint = sequence(&[SHA256, &tlv(0x04, &[Digest::of(document).as_bytes()])]);
        let time = tlv(0x18, &[digits.as_bytes(), b"Z"]);
        let info = sequence(&[ONE, POLICY, &imprint, ONE, &time]);
        let id = sequence(&[&tlv(0x04, &[Digest::of(&self.certificate).as_bytes()])]);
        let attributes = [
            attribute(CONTENT_TYPE, TST_INFO),
            attribute(MESSAGE_DIGEST, &tlv(0x04, &[Digest::of(&info).as_bytes()])),
            attribute(SIGNING_CERTIFICATE_V2, &sequence(&[&sequence(&[&id])])),
        ]
        .concat();
        let signature = self.key.sign(&tlv(0x31, &[&attributes])).to_bytes();
        let signer = sequence(&[
            ONE,
            &sequence(&[&self.name, ONE]),
            SHA256,
            &tlv(0xa0, &[&attributes]),
            ED25519,
            &tlv(0x04, &[&signature]),
        ]);
        let content = sequence(&[TST_INFO, &tlv(0xa0, &[&tlv(0x04, &[&info])])]);
        let data = sequence(&[
            &[0x02, 0x01, 0x03],
            &tlv(0x31, &[SHA256]),
            &content,
            &tlv(0xa0, &[&self.certificate]),
            &tlv(0x31, &[&signer]),
        ]);
        sequence(&[SIGNED_DATA, &tlv(0xa0, &[&data])])
    }
}

/// The authority that every reader of the kit trusts.
pub fn known() -> Authority {
    Authority::new(90, "Time of the kit")
}

/// One that nobody trusts.
pub fn unknown() -> Authority {
    Authority::new(91, "Time of somebody")
}

/// What every reader of the kit trusts.
pub fn trusted() -> Anchors {
    known().anchors()
}

impl Vault {
    /// Takes a token over the log as it is, made by `authority` from what it is to be over, and notes it.
    pub fn stamp(&mut self, authority: impl FnOnce(&[u8]) -> Vec<u8>) -> Digest {
        let size = self.size();
        let anchor = self.stamp_unnoted(authority);
        let data = AnchorNoted { anchor, kind: AnchorKind::Timestamp, size };
        self.say(By::Vault, draft(Kind::AnchorNoted, data.to_data()))
    }

    /// The same without the record; the token's digest.
    pub fn stamp_unnoted(&mut self, authority: impl FnOnce(&[u8]) -> Vec<u8>) -> Digest {
        let note = self.checkpoint().to_string().into_bytes();
        let token = authority(&note);
        let digest = Digest::of(&token);
        let stamp = self.stamps.entry(self.size()).or_insert(Stamp { note, tokens: Vec::new() });
        stamp.tokens.push(token);
        digest
    }
}
