//! Reading a policy, line by line.

use super::{
    Group, LineError, Log, MAX_ENTRIES, MAX_POLICY_LEN, Member, Policy, PolicyError, Quorum, Witness,
};
use crate::note::{SignatureType, VerifierKey};

impl Policy {
    /// Reads a policy file. Names are opaque bytes; lines may be indented, empty, or comments that begin with `#`.
    pub fn parse(file: &[u8]) -> Result<Self, PolicyError> {
        if file.len() > MAX_POLICY_LEN {
            return Err(PolicyError::TooLong);
        }
        let mut reading = Reading::default();
        let lines = match file.split_last() {
            None => return Err(PolicyError::NoQuorum),
            Some((b'\n', lines)) => lines,
            Some(_) => return Err(PolicyError::NoFinalNewline),
        };
        for (at, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            reading.line(line).map_err(|rule| PolicyError::Line { line: at + 1, rule })?;
        }
        reading.finish()
    }
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// Members of any group, so that no witness counts twice.
    members: Vec<Member>,
    quorum: Option<Quorum>,
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> Result<(), LineError> {
        if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
            return Err(LineError::ControlCharacter);
        }
        let words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        let words: Vec<&[u8]> = words.collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] => self.log(key, None),
            [b"log", key, url] => self.log(key, Some(url)),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(url)),
            [b"group", name, threshold, ref members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] => self.quorum(name),
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err(LineError::WrongWords),
            _ => Err(LineError::UnknownKeyword),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&[u8]>) -> Result<(), LineError> {
        let key = self.new_key(key, SignatureType::Ed25519)?;
        push(&mut self.logs, Log { key, url: read_url(url)? })
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&[u8]>) -> Result<(), LineError> {
        let name = self.new_name(name)?;
        let key = self.new_key(key, SignatureType::Cosignature)?;
        push(&mut self.witnesses, Witness { name, key, url: read_url(url)? })
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), LineError> {
        let name = self.new_name(name)?;
        let threshold = match threshold {
            b"all" => members.len(),
            b"any" => 1,
            number => {
                read_threshold(number).filter(|k| *k <= members.len()).ok_or(LineError::BadThreshold)?
            }
        };
        let members = members.iter().map(|member| self.new_member(member)).collect::<Result<_, _>>()?;
        push(&mut self.groups, Group { name, threshold, members })
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), LineError> {
        if self.quorum.is_some() {
            return Err(LineError::SecondQuorum);
        }
        let quorum = match name {
            b"none" => Quorum::None,
            _ => Quorum::Of(self.find(name).ok_or(LineError::UnknownName)?),
        };
        self.quorum = Some(quorum);
        Ok(())
    }

    fn finish(self) -> Result<Policy, PolicyError> {
        let quorum = self.quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(Policy { logs: self.logs, witnesses: self.witnesses, groups: self.groups, quorum })
    }

    fn find(&self, name: &[u8]) -> Option<Member> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name).map(Member::Witness);
        witness.or_else(|| self.groups.iter().position(|group| group.name == name).map(Member::Group))
    }

    fn new_name(&self, name: &[u8]) -> Result<Vec<u8>, LineError> {
        if name == b"none" || self.find(name).is_some() {
            Err(LineError::NameTaken)
        } else {
            Ok(name.to_vec())
        }
    }

    fn new_member(&mut self, name: &[u8]) -> Result<Member, LineError> {
        let member = self.find(name).ok_or(LineError::UnknownName)?;
        if self.members.contains(&member) {
            return Err(LineError::MemberTwice);
        }
        self.members.push(member);
        Ok(member)
    }

    /// A key that cannot be confused with any before it.
    fn new_key(&self, key: &[u8], signature_type: SignatureType) -> Result<VerifierKey, LineError> {
        let key = core::str::from_utf8(key).unwrap_or_default();
        let key: VerifierKey = key.parse().map_err(LineError::BadKey)?;
        if key.signature_type() != signature_type {
            return Err(LineError::WrongKeyType);
        }
        for other in
            self.logs.iter().map(|log| &log.key).chain(self.witnesses.iter().map(|witness| &witness.key))
        {
            if other.public_key() == key.public_key() {
                return Err(LineError::DuplicateKey);
            }
            if (other.name(), other.id()) == (key.name(), key.id()) {
                return Err(LineError::AmbiguousKey);
            }
        }
        Ok(key)
    }
}

fn push<T>(list: &mut Vec<T>, entry: T) -> Result<(), LineError> {
    if list.len() == MAX_ENTRIES {
        return Err(LineError::TooMany);
    }
    list.push(entry);
    Ok(())
}

/// Decimal from 1, without sign or leading zeros.
fn read_threshold(text: &[u8]) -> Option<usize> {
    let digits = text.len() <= 3 && text.iter().all(u8::is_ascii_digit) && !text.starts_with(b"0");
    if digits { core::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

fn read_url(url: Option<&[u8]>) -> Result<Option<String>, LineError> {
    let url = url.map(|url| String::from_utf8(url.to_vec())).transpose();
    url.map_err(|_| LineError::BadUrl)
}
