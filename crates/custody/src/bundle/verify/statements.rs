//! Every statement against its signatures, its record and the rules.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Notes;
use super::erased::Absent;
use super::exhibits::Exhibits;
use super::log_keys::Continuation;
use super::next::next_line;
use super::sealed::Sealed;
use crate::act::{Act, BundleExported, DisposalStep};
use crate::bundle::checks::Check;
use crate::bundle::closure;
use crate::bundle::findings::Code;
use crate::bundle::layout::{OPENINGS, RECORDS};
use crate::bundle::lines::OpeningLine;
use crate::bundle::read::{Files, Lines, ReadError};
use crate::bundle::timeline::Row;
use crate::commitment::{FieldOpening, MAX_VALUE_BYTES};
use crate::digest::{Digest, Domain};
use crate::envelope::{Envelope, PayloadType};
use crate::id::{CaseId, Code as Name, KeyHash, PersonId};
use crate::kind::Kind;
use crate::record::{Record, Sequence};
use crate::rules::{self, Admitted, Footprint, Refusal, State};
use crate::statement::{Actor, Assurance, Seen, Statement};

/// The name of the field of `bundle.exported` that names the recipient.
const FIELD_RECIPIENT: &str = "recipient";

/// A record that was read.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) record: Record,
    pub(super) hash: Digest,
}

/// All records of one statement.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) stmt: Digest,
    /// Nothing: withheld.
    pub(super) envelope: Option<Vec<u8>>,
    pub(super) members: Vec<Member>,
}

/// What became of a statement.
#[derive(Debug)]
pub(super) struct Settled {
    /// Whether what follows can no longer be judged by the rules.
    pub(super) breaks: bool,
    /// Its signatures, which are still to be checked.
    pub(super) check: Option<Check>,
}

/// What `bundle.exported` said.
#[derive(Debug)]
pub(super) struct Exported {
    pub(super) case: CaseId,
    pub(super) exporter: Actor,
    pub(super) recipient: Option<Digest>,
    pub(super) data: BundleExported,
}

/// The rules as replayed so far.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) openings: Option<Lines>,
    pub(super) state: State,
    /// What may be named as seen, 16 bytes each: H(what || sequence).
    seen: HashSet<[u8; 16]>,
    /// Acts so far, 16 bytes each: H(actor || `op_id`).
    acts: HashSet<[u8; 16]>,
    pending: Option<OpeningLine>,
    needed: BTreeSet<PersonId>,
    pub(super) signers: BTreeMap<KeyHash, Used>,
    absent: Absent,
    pub(super) sealed: Sealed,
    /// Log index of the last thing that each person said.
    last_said: BTreeMap<PersonId, u64>,
    exported: Option<Exported>,
    /// What the last statement noted of an outsider's word.
    anchor: Option<Digest>,
    /// Whenever the log went on under another name.
    pub(super) continuations: Vec<Continuation>,
}

#[derive(Debug)]
pub(super) struct Used {
    pub(super) statements: u64,
    last: u64,
}

impl Rules {
    /// Before the first record. A bundle has the streams of the persons concerned, and of nobody else.
    pub(super) fn of_bundle() -> Self {
        Self { state: State { partial: true, ..State::default() }, ..Self::default() }
    }

    pub(super) fn exported(&self) -> Option<&Exported> {
        self.exported.as_ref()
    }

    /// The digest of the time stamp or cosignature that the last statement noted, once.
    pub(super) const fn take_anchor(&mut self) -> Option<Digest> {
        self.anchor.take()
    }

    /// Persons whose streams must be here.
    pub(super) fn needed(&self) -> impl Iterator<Item = PersonId> + '_ {
        self.needed.iter().copied()
    }

    /// Judges one statement with its records, but for whether its signatures hold.
    pub(super) fn settle(
        &mut self,
        files: &mut dyn Files,
        group: &Group,
        broken: bool,
        exhibits: &mut Exhibits,
        notes: &mut Notes,
    ) -> Result<Settled, ReadError> {
        let unsigned = |breaks| Settled { breaks, check: None };
        let Some(first) = group.members.first() else { return Ok(unsigned(false)) };
        notes.facts.statements += 1;
        let at = first.record.log_index;
        let Some(envelope) = &group.envelope else {
            return Ok(unsigned(self.withheld(group, exhibits, notes)));
        };
        let (envelope, statement, act) = match read(envelope, group) {
            Ok(read) => read,
            Err((code, problem)) => {
                notes.find(code, RECORDS, Some(at), problem);
                return Ok(unsigned(true));
            }
        };
        let openings = self.take_openings(files, group, &statement, notes)?;
        let agrees = Self::agree(group, &statement, &act, notes);
        self.repeated(&statement, at, notes);
        self.needed.extend(closure::persons(&statement, &act));
        let signed = statement.assurance == Assurance::UserKey || !broken;
        let check = signed.then(|| self.signatures(envelope, &statement, &act, at, notes)).flatten();
        if !broken && agrees {
            self.judge(&statement, &act, &first.record, notes);
        }
        self.apply(group, &statement, &act);
        self.suspect(&act, notes);
        self.count(&statement, at, notes);
        exhibits.learn(&statement, &act, &openings, &self.state, notes);
        for member in &group.members {
            let exhibit = exhibit_of(&member.record, &self.state);
            let row =
                Row { record: &member.record, hash: &member.hash, said: Some((&statement, &act)), exhibit };
            exhibits.row(&row);
        }
        Ok(Settled { breaks: !agrees, check })
    }

    /// A statement whose envelope is kept back: allowed only where the rules can do without it.
    fn withheld(&mut self, group: &Group, exhibits: &mut Exhibits, notes: &mut Notes) -> bool {
        let mut needed = false;
        for Member { record, hash } in &group.members {
            let at = Some(record.log_index);
            if closure::may_withhold(record.kind) {
                notes.find(
                    Code::NotDisclosed,
                    RECORDS,
                    at,
                    format!("a statement of kind {} is withheld", record.kind),
                );
            } else {
                needed = true;
                let detail = format!("a statement of kind {} is never withheld", record.kind);
                notes.find(Code::Missing, RECORDS, at, detail);
            }
            if let (Kind::AccessGranted, Some(Sequence::Item(item))) =
                (record.kind, record.own.map(|link| link.sequence))
            {
                self.state.kept_back.insert(*hash, item);
            }
            for sequence in record.sequences() {
                self.seen.insert(seen_key(&Seen::Record(*hash), &sequence));
                self.seen.insert(seen_key(&Seen::Statement(group.stmt), &sequence));
            }
            let exhibit = exhibit_of(record, &self.state);
            exhibits.row(&Row { record, hash, said: None, exhibit });
        }
        needed
    }

    /// The record says what the statement says, and stands where it belongs.
    fn agree(group: &Group, statement: &Statement, act: &Act, notes: &mut Notes) -> bool {
        let places = rules::places(statement, act);
        let mut agrees = places.len() == group.members.len();
        if !agrees {
            let at = group.members.first().map(|member| member.record.log_index);
            let detail = format!("a statement on {} items has {} records", places.len(), group.members.len());
            let surplus = places.len() < group.members.len();
            notes.find(if surplus { Code::Repeated } else { Code::Missing }, RECORDS, at, detail);
        }
        for (Member { record, .. }, place) in group.members.iter().zip(&places) {
            let found = (record.own.map(|link| link.sequence), record.case.map(|link| link.sequence));
            if found != *place || record.kind != statement.kind {
                agrees = false;
                let detail =
                    "the record has another kind or stands in another sequence than its statement says";
                notes.find(Code::Changed, RECORDS, Some(record.log_index), detail);
            }
        }
        agrees
    }

    fn repeated(&mut self, statement: &Statement, at: u64, notes: &mut Notes) {
        let actor = statement.actor.to_string();
        let key = short(&[b"act\0", actor.as_bytes(), statement.op_id.as_bytes()]);
        if !self.acts.insert(key) {
            notes.find(Code::Repeated, RECORDS, Some(at), "its actor and op_id have a record already");
        }
    }

    /// The signatures that the statement must carry, by the records before.
    fn signatures(
        &self,
        envelope: Envelope,
        statement: &Statement,
        act: &Act,
        at: u64,
        notes: &mut Notes,
    ) -> Option<Check> {
        let keys = match rules::signers(&self.state, statement, act) {
            Ok(keys) => keys,
            Err(Refusal::KeyNotValid) => {
                let detail = format!("nobody vouched for key {} here", statement.actor_key);
                notes.find(Code::UnknownSigner, RECORDS, Some(at), detail);
                return None;
            }
            Err(refusal) => {
                notes.find(Code::RuleBroken, RECORDS, Some(at), format!("{}: {refusal}", refusal.code()));
                return None;
            }
        };
        if keys.len() != envelope.signatures().len() {
            let refusal = Refusal::Signatures(keys.len());
            notes.find(Code::RuleBroken, RECORDS, Some(at), format!("{}: {refusal}", refusal.code()));
        }
        Some(Check { at, envelope, keys })
    }

    /// The rules, over what the records before have made.
    fn judge(&mut self, statement: &Statement, act: &Act, record: &Record, notes: &mut Notes) {
        if let Act::AccessCompleted(_, _, d) = act
            && self.state.kept_back.contains_key(&d.grant)
        {
            return;
        }
        if closure::persons(statement, act).iter().any(|person| !self.state.persons.contains_key(person))
            && statement.kind != Kind::PersonRegistered
        {
            // The person's stream is absent, which is found at the end and by name.
            return;
        }
        let mut footprint = Footprint::default();
        footprint.add(statement, act);
        for seen in &footprint.seen {
            for sequence in &footprint.sequences {
                if self.seen.contains(&seen_key(seen, sequence)) {
                    self.state.seen.insert((*seen, *sequence));
                }
            }
        }
        let Err(refusal) = rules::decide(&self.state, record.received, statement, act) else { return };
        let code = match &refusal {
            Refusal::KeyNotValid => match self.state.keys.get(&statement.actor_key) {
                None => return,
                Some(key) if key.revoked.is_some() => Code::KeyRevoked,
                Some(_) => Code::RuleBroken,
            },
            _ => Code::RuleBroken,
        };
        notes.find(
            code,
            RECORDS,
            Some(record.log_index),
            format!("{} ({}): {refusal}", statement.kind, refusal.code()),
        );
    }

    fn apply(&mut self, group: &Group, statement: &Statement, act: &Act) {
        if let Act::BundleExported(case, data) = act {
            self.exported = Some(Exported {
                case: *case,
                exporter: statement.actor,
                recipient: FIELD_RECIPIENT
                    .parse::<Name>()
                    .ok()
                    .and_then(|n| statement.fields.get(&n).copied()),
                data: data.clone(),
            });
        }
        if let Act::AnchorNoted(data) = act {
            self.anchor = Some(data.anchor);
        }
        if let Act::Disposal(_, DisposalStep::Executed(d)) = act
            && let Some(disposal) = self.state.disposals.get(&d.proposal)
        {
            self.absent.erased(disposal);
        }
        if let (Act::Reseal(_, item, step), Some(first)) = (act, group.members.first())
            && let Some(exhibit) = self.state.items.get(item).map(|item| item.exhibit)
        {
            let place = (exhibit, first.record.log_index, first.hash);
            self.sealed.learn(step, statement.actor.person(), place);
        }
        let continued = act.next_log_key().and_then(|next| next.continued);
        if let (Some(data), Some(first)) = (continued, group.members.first()) {
            self.continuations.push(Continuation { index: first.record.log_index, data: data.clone() });
        }
        // There is one record 0; a second would replace the vault under everybody's feet.
        if matches!(act, Act::VaultCreated(_)) && self.state.vault.is_some() {
            return;
        }
        let records: Vec<_> = group.members.iter().map(|member| member.hash).collect();
        let log_index = group.members.first().map_or(0, |member| member.record.log_index);
        self.state.seen.clear();
        rules::apply(
            &mut self.state,
            statement,
            act,
            &Admitted { stmt: group.stmt, log_index, records: &records },
        );
        let seen = &mut self.seen;
        seen.extend(self.state.seen.drain().map(|(what, sequence)| seen_key(&what, &sequence)));
        if let Act::AccessCompleted(_, _, d) = act {
            // A completed grant and an unknown one are refused alike: no need to remember it, unless somebody is still to
            // look at why it was taken.
            if self.state.grants.get(&d.grant).is_some_and(|grant| grant.review.is_none()) {
                self.state.grants.remove(&d.grant);
            }
            self.state.kept_back.remove(&d.grant);
        }
    }

    /// What a person said before being suspended, while it was not sure who spoke: by own key or through the vault.
    fn suspect(&self, act: &Act, notes: &mut Notes) {
        let Act::PersonSuspended(person, d) = act else { return };
        if let (Some(from), Some(last)) = (d.suspect_from, self.last_said.get(person))
            && *last >= from
        {
            let detail = format!("person {person} is suspect from record {from} on, and spoke up to here");
            notes.find(Code::KeySuspect, RECORDS, Some(*last), detail);
        }
    }

    fn count(&mut self, statement: &Statement, at: u64, notes: &mut Notes) {
        if let Some(person) = statement.actor.person() {
            self.last_said.insert(person, at);
        }
        let counts = &mut notes.facts.assurance;
        match statement.assurance {
            Assurance::UserKey => counts.user_key += 1,
            Assurance::System => counts.system += 1,
            Assurance::Session => {
                counts.session += 1;
                let detail = format!("{} by {}", statement.kind, statement.actor);
                notes.find(Code::OnBehalf, RECORDS, Some(at), detail);
            }
        }
        let used = self.signers.entry(statement.actor_key).or_insert(Used { statements: 0, last: at });
        used.statements += 1;
        used.last = at;
    }

    /// The openings of this statement's fields, which come next in their file.
    fn take_openings(
        &mut self,
        files: &mut dyn Files,
        group: &Group,
        statement: &Statement,
        notes: &mut Notes,
    ) -> Result<Vec<FieldOpening>, ReadError> {
        let at = group.members.first().map(|member| member.record.log_index);
        let mut found: Vec<FieldOpening> = Vec::new();
        while let Some(line) = self.next_opening(files, notes)? {
            if line.stmt != group.stmt {
                self.pending = Some(line);
                break;
            }
            let opening = line.opening();
            let opens = statement.fields.get(&opening.name) == Some(&opening.commitment(&statement.op_id));
            if !opens || opening.value.len() > MAX_VALUE_BYTES || found.iter().any(|o| o.name == opening.name)
            {
                let detail = format!("the value of field {} is not the one committed to", opening.name);
                notes.find(Code::Changed, OPENINGS, at, detail);
            } else {
                notes.facts.openings += 1;
                found.push(opening);
            }
        }
        if found.len() < statement.fields.len() {
            let values = (statement.fields.len() - found.len(), statement.kind, statement.person);
            self.absent.note(at.unwrap_or(0), group.members.iter().map(|member| member.hash), values);
        }
        Ok(found)
    }

    fn next_opening(
        &mut self,
        files: &mut dyn Files,
        notes: &mut Notes,
    ) -> Result<Option<OpeningLine>, ReadError> {
        if let Some(line) = self.pending.take() {
            return Ok(Some(line));
        }
        let Some(lines) = &mut self.openings else { return Ok(None) };
        while let Some(line) = next_line(files, lines, OPENINGS, notes)? {
            match OpeningLine::parse(&line) {
                Ok(line) => return Ok(Some(line)),
                Err(error) => {
                    notes.find(Code::Changed, OPENINGS, None, format!("line {}: {error}", lines.number()));
                }
            }
        }
        Ok(None)
    }

    /// At the end: openings left over, doubtful keys, who signed.
    pub(super) fn finish(
        &mut self,
        files: &mut dyn Files,
        broken: bool,
        notes: &mut Notes,
    ) -> Result<(), ReadError> {
        // Behind a missing statement its own openings are in the way; that is no finding of its own.
        if let Some(line) = self.next_opening(files, notes)?
            && !broken
        {
            let detail =
                format!("it opens field {} of a statement that is not here, or not in its order", line.name);
            notes.find(Code::Extra, OPENINGS, None, detail);
        }
        self.absent.say(notes);
        for (hash, used) in &self.signers {
            let Some(key) = self.state.keys.get(hash) else { continue };
            if key.suspect_from.is_some_and(|from| used.last >= from) {
                let detail = format!("key {hash} of {} signed up to here", key.owner);
                notes.find(Code::KeySuspect, RECORDS, Some(used.last), detail);
            }
            if key.unproven {
                let detail = format!("key {hash} of {} signed {} statement(s)", key.owner, used.statements);
                notes.find(Code::KeyUnproven, RECORDS, Some(key.enrolled), detail);
            }
        }
        Ok(())
    }
}

/// The statement out of its envelope, which must be the one that the record names.
fn read(bytes: &[u8], group: &Group) -> Result<(Envelope, Statement, Act), (Code, String)> {
    let parsed = Envelope::parse(bytes, PayloadType::Statement);
    if parsed.as_ref().map_or_else(|_| Digest::of(bytes), Envelope::digest) != group.stmt {
        return Err((Code::Changed, "the envelope is not the one that the record names".to_owned()));
    }
    // From here on the vault itself has recorded these bytes: what is wrong with them, it let in.
    let envelope = parsed.map_err(|error| (Code::RuleBroken, error.to_string()))?;
    let statement =
        Statement::parse(envelope.body()).map_err(|error| (Code::RuleBroken, error.to_string()))?;
    let act = Act::parse(&statement).map_err(|error| (Code::RuleBroken, error.to_string()))?;
    Ok((envelope, statement, act))
}

fn exhibit_of(record: &Record, state: &State) -> Option<u32> {
    match record.own?.sequence {
        Sequence::Item(item) => Some(state.items.get(&item)?.exhibit),
        _ => None,
    }
}

fn seen_key(seen: &Seen, sequence: &Sequence) -> [u8; 16] {
    let (form, digest) = match seen {
        Seen::Record(digest) => (0, digest),
        Seen::Statement(digest) => (1, digest),
    };
    let (kind, id) = sequence.parts();
    short(&[b"seen\0", &[form, kind], digest.as_bytes(), &id])
}

/// 16 bytes of a hash: nobody finds two inputs for one of them.
fn short(parts: &[&[u8]]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&Domain::Leaf.hash(parts).as_bytes()[..16]);
    key
}
