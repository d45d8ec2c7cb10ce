//! What each row about the keys of the log does.

use custody::act::{LogAnchor, LogKeyRotated};
use custody::bundle::Report;
use custody::bundle::layout::{self, TimestampFile, timestamp_path};
use custody::bundle::manifest::CheckpointHead;
use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use custody::kind::Kind;
use ed25519_dalek::SigningKey;

use crate::rows::{Row, view_by_lead};
use crate::support::bundle::{Exported, Options};
use crate::support::{By, ORIGIN, Story, draft, story, vkey};
use crate::{exported, pinned};

const SUCCESSOR: &str = "vault.example.org/custos/2";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The story, and something that the vault admits whatever the rules say.
fn after(lie: impl FnOnce(&mut Story)) -> (Story, Exported) {
    let mut story = story(1);
    story.vault.lawless = true;
    lie(&mut story);
    view_by_lead(&mut story);
    let bundle = exported(&mut story, &Options::default());
    (story, bundle)
}

fn audited((story, bundle): (Story, Exported)) -> Report {
    bundle.audit(&story.vault)
}

/// A rotation that these keys sign.
fn rotated_by(signers: impl Fn(&Story, &SigningKey, &SigningKey) -> Vec<SigningKey>) -> Report {
    audited(after(|story| {
        let (old, new) = (story.vault.log_key.clone(), key(201));
        let (log_vkey, previous) = (vkey(ORIGIN, &new).to_string(), story.vault.log_vkey().to_string());
        let data = LogKeyRotated { log_vkey, previous };
        let signers = signers(story, &old, &new);
        story.vault.log_key = new;
        let signers: Vec<_> = signers.iter().collect();
        story.vault.say(By::Keys(&signers), draft(Kind::LogKeyRotated, data.to_data()));
    }))
}

/// The bundle's checkpoint, signed once more by another key and under another name.
fn signed_again(bundle: &mut Exported, origin: &str, by: &SigningKey) {
    let head = bundle.manifest.checkpoint;
    let checkpoint = Checkpoint::new(Origin::new(origin).unwrap(), head.size, head.root).unwrap();
    let note = checkpoint.sign(by).unwrap().to_string().into_bytes();
    bundle.files.insert(layout::CHECKPOINT.to_owned(), note);
    bundle.reseal();
}

fn old_signer() -> Report {
    let mut old = None;
    let (story, mut bundle) = after(|story| {
        old = Some(story.vault.log_key.clone());
        story.vault.rotate(&key(201));
    });
    signed_again(&mut bundle, ORIGIN, &old.unwrap());
    bundle.audit(&story.vault)
}

/// A bundle whose checkpoint reaches beyond its cut, and behind the record that replaced the key that signed it.
fn old_signer_behind_the_cut(told: bool) -> Report {
    let mut story = story(1);
    let mut bundle = exported(&mut story, &Options::default());
    let (old, at) = (story.vault.log_key.clone(), story.vault.size());
    story.vault.rotate(&key(201));
    view_by_lead(&mut story);
    let batch = story.vault.batch();
    bundle.manifest.checkpoint = CheckpointHead { root: batch.root(), size: batch.size() };
    bundle.reproof(&story.vault);
    signed_again(&mut bundle, ORIGIN, &old);
    let keys = [story.vault.receipt(at)];
    let keys = if told { &keys[..] } else { &[] };
    bundle.verify_by_mirror(&pinned(&bundle), Some(&story.vault.entries()), keys, &[])
}

/// A time stamp, by an authority that the reader does not know, over a checkpoint that the old key signed too late.
fn old_stamp() -> Report {
    let mut old = None;
    let (story, mut bundle) = after(|story| {
        old = Some(story.vault.log_key.clone());
        story.vault.rotate(&key(201));
    });
    let head = bundle.manifest.checkpoint;
    let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), head.size, head.root).unwrap();
    let note = checkpoint.sign(&old.unwrap()).unwrap().to_string().into_bytes();
    let token = crate::authority::known().token(&note, story.vault.now);
    bundle.files.insert(timestamp_path(head.size, TimestampFile::Note), note);
    bundle.files.insert(timestamp_path(head.size, TimestampFile::Token(1)), token);
    bundle.about.timestamps = true;
    let fixed = custody::bundle::documents::fixed(&bundle.about);
    bundle.files.extend(fixed.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())));
    bundle.reseal();
    bundle.audit(&story.vault)
}

fn replayed() -> Report {
    audited(after(|story| {
        story.vault.rotate(&key(201));
        let said = story.vault.said.last().unwrap().clone();
        view_by_lead(story);
        story.vault.record(said.statement, said.act, said.envelope, Vec::new());
    }))
}

/// The log goes on under another name, from the checkpoint before the last view.
fn continued(lie: impl FnOnce(&mut Story, &Checkpoint) -> Checkpoint) -> (Story, Exported) {
    after(|story| {
        let anchor = Checkpoint::open(&story.vault.checkpoint(), &story.vault.log_vkey()).unwrap();
        view_by_lead(story);
        let anchor = lie(story, &anchor).sign(&story.vault.log_key).unwrap();
        story.vault.continue_log(SUCCESSOR, &key(202), &anchor, LogAnchor::Vault);
    })
}

fn continued_and_old_signer() -> Report {
    let mut old = None;
    let (story, mut bundle) = continued(|story, anchor| {
        old = Some(story.vault.log_key.clone());
        anchor.clone()
    });
    signed_again(&mut bundle, ORIGIN, &old.unwrap());
    bundle.audit(&story.vault)
}

fn another_past(_: &mut Story, anchor: &Checkpoint) -> Checkpoint {
    Checkpoint::new(anchor.origin().clone(), anchor.size(), Digest::of(b"another")).unwrap()
}

/// What the old key signed of entries that were not there yet.
fn beyond(_: &mut Story, anchor: &Checkpoint) -> Checkpoint {
    Checkpoint::new(anchor.origin().clone(), anchor.size() + 100, Digest::of(b"another")).unwrap()
}

fn too_many() -> Report {
    audited(after(|story| {
        for number in 0..32 {
            story.vault.rotate(&key(201 + number));
        }
    }))
}

pub(crate) const LOG_KEYS: &[Row] = &[
    ("log-key-rotated", || {
        audited(after(|story| {
            story.vault.rotate(&key(201));
            view_by_lead(story);
            story.vault.rotate(&key(202));
        }))
    }),
    ("log-key-old-signer", old_signer),
    ("log-key-old-signer-behind-the-cut", || old_signer_behind_the_cut(true)),
    ("log-key-old-signer-untold", || old_signer_behind_the_cut(false)),
    ("log-key-old-stamp", old_stamp),
    ("log-key-by-one", || rotated_by(|story, _, new| vec![story.vault.key.clone(), new.clone()])),
    ("log-key-by-stranger", || {
        rotated_by(|story, _, new| vec![story.vault.key.clone(), key(99), new.clone()])
    }),
    ("log-key-not-held", || rotated_by(|story, old, _| vec![story.vault.key.clone(), old.clone(), key(99)])),
    ("log-key-without-vault", || rotated_by(|_, old, new| vec![old.clone(), old.clone(), new.clone()])),
    ("log-key-replayed", replayed),
    ("log-key-used-again", || {
        audited(after(|story| {
            let first = story.vault.log_key.clone();
            story.vault.rotate(&key(201));
            story.vault.rotate(&first);
        }))
    }),
    ("log-continued", || audited(continued(|_, anchor| anchor.clone()))),
    ("log-continued-old-signer", continued_and_old_signer),
    ("log-continued-other-past", || audited(continued(another_past))),
    ("log-continued-from-beyond", || audited(continued(beyond))),
    ("log-key-too-many", too_many),
    ("log-continued-unaudited", || {
        let (_, bundle) = continued(another_past);
        bundle.verify_with(&pinned(&bundle), None, &[])
    }),
];
