//! The text before the payload: who may open it, and what binds that.

use base64::prelude::{BASE64_STANDARD_NO_PAD as BASE64, Engine as _};

use super::{AgeError, FILE_KEY_LEN, MAX_FILE_BYTES, MAX_RECIPIENTS, TAG_LEN};
use crate::id::ItemId;

const VERSION: &str = "age-encryption.org/v1";
const KIND: &str = "X25519";
/// Says of which item a file is.
const ABOUT: &str = "custos-item";
/// Letters of a body's line; the last one is shorter.
const COLUMNS: usize = 64;

/// A file key, wrapped for one recipient.
pub(super) struct Stanza {
    /// The ephemeral key's public half.
    pub(super) share: [u8; 32],
    pub(super) body: [u8; FILE_KEY_LEN + TAG_LEN],
}

/// A file, taken apart and not yet believed.
pub(super) struct File<'a> {
    /// The item that it says it is of.
    pub(super) item: Option<ItemId>,
    /// Those of X25519 recipients.
    pub(super) stanzas: Vec<Stanza>,
    /// What the code is over.
    pub(super) authenticated: &'a [u8],
    pub(super) mac: [u8; 32],
    pub(super) payload: &'a [u8],
}

/// A header up to the point that its code is over.
pub(super) fn header(item: Option<ItemId>, stanzas: &[Stanza]) -> String {
    let mut header = format!("{VERSION}\n");
    if let Some(item) = item {
        // Programs that do not know the kind pass it over; its body is empty.
        header.extend(["-> ", ABOUT, " ", &item.to_string(), "\n\n"]);
    }
    for Stanza { share, body } in stanzas {
        // 32 bytes are 43 letters: one line, shorter than a full one.
        header.extend(["-> ", KIND, " ", &BASE64.encode(share), "\n", &BASE64.encode(body), "\n"]);
    }
    header.push_str("---");
    header
}

pub(super) fn with_mac(mut header: String, mac: &[u8; 32]) -> Vec<u8> {
    header.extend([" ", &BASE64.encode(mac), "\n"]);
    header.into_bytes()
}

impl<'a> File<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, AgeError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(AgeError::TooLong);
        }
        let mut lines = Lines { bytes, at: 0 };
        if lines.next()? != VERSION {
            return Err(AgeError::Shape);
        }
        let (mut item, mut stanzas, mut all) = (None, Vec::new(), 0);
        loop {
            let start = lines.at;
            let line = lines.next()?;
            if let Some(mac) = line.strip_prefix("--- ") {
                let (mac, payload) = (exactly(mac)?, &bytes[lines.at..]);
                return Ok(Self { item, stanzas, authenticated: &bytes[..start + 3], mac, payload });
            }
            all += 1;
            let head =
                line.strip_prefix("-> ").filter(|_| all <= MAX_RECIPIENTS + 1).ok_or(AgeError::Shape)?;
            let arguments: Vec<_> = head.split(' ').collect();
            let body = lines.body()?;
            if arguments.iter().any(|argument| argument.is_empty()) || BASE64.decode(&body).is_err() {
                return Err(AgeError::Shape);
            }
            match arguments[..] {
                [KIND, share] => stanzas.push(Stanza { share: exactly(share)?, body: exactly(&body)? }),
                // A passphrase is the only way into its file.
                [KIND | "scrypt", ..] => return Err(AgeError::Shape),
                [ABOUT, of] if item.is_none() => item = Some(of.parse().map_err(|_| AgeError::Shape)?),
                _ => {}
            }
        }
    }
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, AgeError> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(AgeError::Shape)?;
        self.at += end + 1;
        let line = core::str::from_utf8(&rest[..end]).map_err(|_| AgeError::Shape)?;
        let printable = line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if printable { Ok(line) } else { Err(AgeError::Shape) }
    }

    /// Lines of 64 letters, then a shorter one.
    fn body(&mut self) -> Result<String, AgeError> {
        let mut body = String::new();
        loop {
            let line = self.next()?;
            if line.len() > COLUMNS {
                return Err(AgeError::Shape);
            }
            body.push_str(line);
            if line.len() < COLUMNS {
                return Ok(body);
            }
        }
    }
}

fn exactly<const N: usize>(text: &str) -> Result<[u8; N], AgeError> {
    let bytes = BASE64.decode(text).map_err(|_| AgeError::Shape)?;
    bytes.try_into().map_err(|_| AgeError::Shape)
}
