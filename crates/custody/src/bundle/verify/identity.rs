//! Who made the bundle: record 0, the trust given from outside, the signatures over everything, the checkpoint.

use ed25519_dalek::{Signature, VerifyingKey};

use super::{Notes, Trust, log_keys};
use crate::act::{Act, PublicKey};
use crate::bundle::findings::Code;
use crate::bundle::layout::{BUNDLE, CHECKPOINT, MANIFEST, RECORDS, TAG_MANIFEST, TAG_MANIFEST_SIG};
use crate::bundle::lines::{EnvelopeMember, MAX_RECORD_LINE_BYTES, RecordLine};
use crate::bundle::manifest::{BundleManifest, CheckpointHead};
use crate::bundle::read::{Files, Line, ReadError};
use crate::bundle::verify::bag::Bag;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::Digest;
use crate::envelope::{Envelope, PayloadType};
use crate::log_keys::{LogKeys, VaultKey};
use crate::note::{MAX_NOTE_LEN, SignedNote, VerifierKey};
use crate::record::{Record, record_hash};
use crate::statement::Statement;

const MAX_TAG_MANIFEST_BYTES: usize = 16 << 20;

/// The vault as record 0 introduces it, and what it signed about this bundle.
#[derive(Debug)]
pub(super) struct Identity {
    /// Hash of record 0.
    pub(super) vault: Digest,
    /// The key that signs for the vault.
    pub(super) vault_key: PublicKey,
    /// The keys that the log had up to the checkpoint, as the records claim; their names are its origins.
    pub(super) logs: LogKeys,
    /// The signed description of the bundle.
    pub(super) manifest: BundleManifest,
    /// The checkpoint, signed by the log.
    pub(super) checkpoint: Checkpoint,
    /// The earliest time, in seconds since 1970, at which a trusted witness saw this checkpoint.
    pub(super) witnessed: Option<u64>,
}

struct Founded {
    vault: Digest,
    vault_key: PublicKey,
    log: VerifierKey,
}

impl Identity {
    pub(super) fn establish(
        files: &mut dyn Files,
        bag: &Bag,
        trust: &Trust,
        notes: &mut Notes,
    ) -> Result<Option<Self>, ReadError> {
        let founded = match read_record_zero(files, bag)? {
            Ok(founded) => founded,
            Err(problem) => {
                notes.find(Code::Changed, RECORDS, Some(0), problem);
                return Ok(None);
            }
        };
        notes.facts.vault = Some(founded.vault);
        notes.facts.vault_key = Some(founded.vault_key);
        notes.facts.log_key = Some(founded.log.to_string());
        pin(&founded, trust, notes);
        let Ok(key) = VerifyingKey::from_bytes(founded.vault_key.as_bytes()) else {
            notes.find(Code::BadSignature, RECORDS, Some(0), "the vault's key is not a public key");
            return Ok(None);
        };
        check_tag_signature(files, bag, &key, notes)?;
        let manifest = read_manifest(files, bag, &key, &founded.vault, notes)?;
        let checkpoint = read_checkpoint(files, bag, &founded.log, trust, notes)?;
        let (Some(manifest), Some((logs, checkpoint, witnessed))) = (manifest, checkpoint) else {
            return Ok(None);
        };
        let Founded { vault, vault_key, .. } = founded;
        let identity = Self { vault, vault_key, logs, manifest, checkpoint, witnessed };
        identity.check_agreement(notes);
        Ok(Some(identity))
    }

    /// The key that signed the checkpoint.
    pub(super) fn log(&self) -> &VerifierKey {
        self.logs.of_size(self.checkpoint.size())
    }

    /// The vault as its own record 0 makes it known.
    pub(super) fn known(&self) -> Option<VaultKey> {
        let key = VerifyingKey::from_bytes(self.vault_key.as_bytes()).ok()?;
        Some(VaultKey { vault: self.vault, key })
    }

    /// The manifest's claims about the checkpoint.
    fn check_agreement(&self, notes: &mut Notes) {
        let found = CheckpointHead { root: *self.checkpoint.root(), size: self.checkpoint.size() };
        notes.facts.checkpoint = Some(found);
        notes.facts.cut = Some(self.manifest.cut);
        notes.facts.case = Some(self.manifest.scope.case);
        if found != self.manifest.checkpoint {
            notes.find(Code::Changed, CHECKPOINT, None, "it is not the checkpoint that bundle.json names");
        }
        if found.size < self.manifest.cut {
            notes.find(Code::Changed, CHECKPOINT, None, "it ends before the bundle does");
        }
    }
}

fn read_record_zero(files: &mut dyn Files, bag: &Bag) -> Result<Result<Founded, String>, ReadError> {
    let Some(mut lines) = bag.lines(RECORDS, MAX_RECORD_LINE_BYTES) else {
        return Ok(Err("there are no records".to_owned()));
    };
    let founded = match lines.next(files) {
        Ok(Line::Text(line)) => found(line),
        Ok(_) => Err("the first line cannot be read".to_owned()),
        Err(ReadError::Damaged(why)) => Err(why),
        Err(failed) => return Err(failed),
    };
    Ok(founded)
}

/// What the first line says about vault and log. That it is sound is checked with all other records.
fn found(line: &[u8]) -> Result<Founded, String> {
    let line = RecordLine::parse(line).map_err(|error| error.to_string())?;
    Record::parse(&line.record).map_err(|error| error.to_string())?;
    let EnvelopeMember::Here(envelope) = &line.envelope else { return Err("it has no envelope".to_owned()) };
    let envelope = Envelope::parse(envelope, PayloadType::Statement).map_err(|error| error.to_string())?;
    let statement = Statement::parse(envelope.body()).map_err(|error| error.to_string())?;
    let Ok(Act::VaultCreated(created)) = Act::parse(&statement) else {
        return Err("the first record is not the vault's creation".to_owned());
    };
    let log: VerifierKey = created.log_vkey.parse().map_err(|_| "the log's key is malformed".to_owned())?;
    if log.name().as_str() != created.origin {
        return Err("the log's key has another name than the log".to_owned());
    }
    Ok(Founded { vault: record_hash(&line.record), vault_key: created.vault_key, log })
}

/// Whether the trust file lists any key that the log has had: each has signed for the next one.
fn pin_log(keys: &LogKeys, trust: &Trust, notes: &mut Notes) {
    if let Some(policy) = &trust.policy
        && !policy.logs().iter().any(|log| keys.each().any(|key| key == log.key()))
    {
        notes.find(Code::UnknownSigner, CHECKPOINT, None, "the trust file does not list this log's key");
    }
}

/// Compares record 0 with what the reader brought along.
fn pin(founded: &Founded, trust: &Trust, notes: &mut Notes) {
    if let Some(fingerprint) = trust.fingerprint
        && fingerprint != founded.vault
    {
        let detail = format!("the vault's fingerprint is {}, trusted is {fingerprint}", founded.vault);
        notes.find(Code::UnknownSigner, RECORDS, Some(0), detail);
    }
    if trust.fingerprint.is_none() && trust.policy.is_none() {
        notes.find(Code::NotPinned, RECORDS, Some(0), "neither fingerprint nor trust file was given");
    }
}

fn check_tag_signature(
    files: &mut dyn Files,
    bag: &Bag,
    key: &VerifyingKey,
    notes: &mut Notes,
) -> Result<(), ReadError> {
    let tags = bag.whole(files, TAG_MANIFEST, MAX_TAG_MANIFEST_BYTES, notes)?;
    let signature = bag.whole(files, TAG_MANIFEST_SIG, 64, notes)?;
    if let (Some(tags), Some(signature)) = (tags, signature) {
        let signature = Signature::from_slice(&signature);
        if !signature.is_ok_and(|signature| key.verify_strict(&tags, &signature).is_ok()) {
            notes.find(Code::BadSignature, TAG_MANIFEST_SIG, None, "it is not the vault's signature");
        }
    }
    Ok(())
}

fn read_manifest(
    files: &mut dyn Files,
    bag: &Bag,
    key: &VerifyingKey,
    vault: &Digest,
    notes: &mut Notes,
) -> Result<Option<BundleManifest>, ReadError> {
    let limit = PayloadType::Bundle.max_envelope_bytes();
    let Some(bytes) = bag.whole(files, BUNDLE, limit, notes)? else { return Ok(None) };
    let envelope = match Envelope::parse(&bytes, PayloadType::Bundle) {
        Ok(envelope) => envelope,
        Err(error) => {
            notes.find(Code::Changed, BUNDLE, None, error.to_string());
            return Ok(None);
        }
    };
    if envelope.signatures().len() != 1 || envelope.verify(0, key).is_err() {
        notes.find(Code::BadSignature, BUNDLE, None, "it is not signed by the vault's key");
    }
    let manifest = match BundleManifest::parse(envelope.body()) {
        Ok(manifest) => manifest,
        Err(error) => {
            notes.find(Code::Changed, BUNDLE, None, error.to_string());
            return Ok(None);
        }
    };
    if manifest.vault != *vault {
        notes.find(Code::Changed, BUNDLE, None, "it names another vault than record 0");
    }
    if bag.digest(MANIFEST) != Some(manifest.manifest) {
        notes.find(Code::Changed, MANIFEST, None, "it is not the list that bundle.json names");
    }
    if bag.payload != manifest.payload && bag.is_complete() {
        notes.find(Code::Changed, BUNDLE, None, "it counts other files or bytes than there are");
    }
    (notes.facts.files, notes.facts.bytes) = (bag.payload.files, bag.payload.bytes);
    Ok(Some(manifest))
}

fn read_checkpoint(
    files: &mut dyn Files,
    bag: &Bag,
    first: &VerifierKey,
    trust: &Trust,
    notes: &mut Notes,
) -> Result<Option<(LogKeys, Checkpoint, Option<u64>)>, ReadError> {
    let note = match bag.whole(files, CHECKPOINT, MAX_NOTE_LEN, notes)? {
        None => None,
        Some(bytes) => match SignedNote::parse(&bytes) {
            Ok(note) => Some(note),
            Err(error) => {
                notes.find(Code::Changed, CHECKPOINT, None, error.to_string());
                None
            }
        },
    };
    let Some(note) = note else {
        pin_log(&LogKeys::from(first.clone()), trust, notes);
        return Ok(None);
    };
    let keys = log_keys::claimed(files, bag, first, &note)?;
    pin_log(&keys, trust, notes);
    let opened = keys.open_by(&note);
    let log = opened.as_ref().map_or(keys.present(), |(_, log)| log);
    // The commands of VERIFY.txt take the first signature.
    if !note.signatures().first().is_some_and(|signature| signature.names(log)) {
        notes.find(Code::Changed, CHECKPOINT, None, "the log's own signature does not come first");
    }
    let checkpoint = match opened {
        Ok((checkpoint, _)) => checkpoint,
        Err(error) => {
            notes.find(open_failure(error), CHECKPOINT, None, error.to_string());
            return Ok(None);
        }
    };
    notes.facts.log_key = Some(log.to_string());
    let witnessed = witnessed(&note, log, trust, CHECKPOINT, notes);
    Ok(Some((keys.up_to(checkpoint.size()), checkpoint, witnessed)))
}

/// What it means that a checkpoint does not open.
pub(super) const fn open_failure(error: CheckpointError) -> Code {
    match error {
        CheckpointError::Note(_) => Code::BadSignature,
        CheckpointError::Replaced { .. } => Code::KeyRevoked,
        _ => Code::Changed,
    }
}

/// Looks at cosignatures by the witnesses that the reader trusts.
pub(super) fn witnessed(
    note: &SignedNote,
    log: &VerifierKey,
    trust: &Trust,
    path: &str,
    notes: &mut Notes,
) -> Option<u64> {
    let Some(policy) = &trust.policy else {
        notes.find(Code::NotWitnessed, path, None, "no trust file names witnesses");
        return None;
    };
    match policy.accept_from(note, log) {
        Ok(accepted) => {
            notes.facts.cosignatures = accepted.cosignatures.len() as u64;
            if policy.quorum_is_none() {
                notes.find(Code::NotWitnessed, path, None, "the trust file asks for no witness");
            } else if !accepted.quorum_met {
                notes.find(Code::NotWitnessed, path, None, "too few of the trusted witnesses cosigned");
            }
            accepted.cosignatures.iter().map(|(_, time)| *time).min()
        }
        Err(error) => {
            notes.find(open_failure(error), path, None, error.to_string());
            None
        }
    }
}
