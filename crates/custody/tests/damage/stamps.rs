//! What each row about time stamps does.

use custody::bundle::layout::{TimestampFile, timestamp_path};
use custody::bundle::lines::{emit_consistency, parse_consistency};
use custody::bundle::{Report, Trust};
use custody::checkpoint::{Checkpoint, Origin};
use custody::digest::Digest;
use ed25519_dalek::SigningKey;

use crate::rows::{Row, view_by_lead};
use crate::support::bundle::{Exported, Options};
use crate::support::{ORIGIN, Story, Vault, authority, story_in};
use crate::{exported, pinned};

const HOUR_MS: i64 = 3_600_000;

/// A token of the known authority at the vault's time, noted in the log.
fn stamp(vault: &mut Vault) {
    stamp_at(vault, 0);
}

/// The same at another time than the vault's.
fn stamp_at(vault: &mut Vault, after_ms: i64) {
    let now = vault.now + after_ms;
    vault.stamp(|note| authority::known().token(note, now));
}

/// A vault that takes a time stamp when it is new and another after the story.
fn stamped() -> Story {
    let mut vault = Vault::new(1);
    stamp(&mut vault);
    let mut story = story_in(vault, &[("photo.jpg", b"a photograph"), ("a.txt", b"a"), ("b.txt", b"b")]);
    stamp(&mut story.vault);
    story.vault.now += HOUR_MS;
    story
}

/// Its bundle, with a token over the bundle's own checkpoint.
fn export(story: &mut Story) -> Exported {
    let now = story.vault.now + 2_000;
    let last = |note: &[u8]| authority::known().token(note, now);
    exported(story, &Options { stamp: Some(&last), ..Options::default() })
}

/// Something happens in the vault before it is exported.
fn after(act: impl FnOnce(&mut Story)) -> Report {
    let mut story = stamped();
    act(&mut story);
    let bundle = export(&mut story);
    bundle.audit(&story.vault)
}

/// Somebody alters a bundle.
fn naive(change: impl FnOnce(&mut Exported, &Sizes)) -> Report {
    let mut bundle = export(&mut stamped());
    let sizes: Vec<_> = bundle.vault.stamps.keys().copied().collect();
    let [first, second, last] = sizes[..] else { panic!("{sizes:?}") };
    change(&mut bundle, &Sizes { first, second, last });
    bundle.audit(&bundle.vault.clone())
}

/// The vault's operator alters it and makes all lists and signatures again.
fn resealed(change: impl FnOnce(&mut Exported, &Sizes)) -> Report {
    naive(|bundle, sizes| {
        change(bundle, sizes);
        bundle.reseal();
    })
}

/// The checkpoints that have a token.
struct Sizes {
    first: u64,
    second: u64,
    last: u64,
}

fn note(size: u64) -> String {
    timestamp_path(size, TimestampFile::Note)
}

fn token(size: u64) -> String {
    timestamp_path(size, TimestampFile::Token(1))
}

fn proof(size: u64) -> String {
    timestamp_path(size, TimestampFile::Consistency)
}

fn flip(bundle: &mut Exported, path: &str, from_end: usize) {
    let bytes = bundle.files.get_mut(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
}

/// A checkpoint in place of another one, signed by a key, with a token over it.
fn instead(bundle: &mut Exported, size: u64, root: &[u8], key: &SigningKey) {
    let other = Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, Digest::of(root)).unwrap();
    let text = other.sign(key).unwrap().to_string().into_bytes();
    bundle.files.insert(token(size), authority::known().token(&text, bundle.vault.now));
    bundle.files.insert(note(size), text);
}

fn without_roots() -> Report {
    let bundle = export(&mut stamped());
    let trust = Trust { timestamps: None, ..pinned(&bundle) };
    bundle.verify_with(&trust, Some(&bundle.vault.entries()), &[])
}

#[rustfmt::skip]
pub(crate) const STAMPS: &[Row] = &[
    ("stamped", || after(|_| ())),
    ("stamped-without-roots", without_roots),
    ("token-bit", || naive(|b, sizes| flip(b, &token(sizes.second), 1))),
    ("token-bit-resealed", || resealed(|b, sizes| flip(b, &token(sizes.second), 1))),
    ("token-no-token", || resealed(|b, sizes| drop(b.files.insert(token(sizes.second), b"<html>".to_vec())))),
    ("stamped-note-bit", || naive(|b, sizes| flip(b, &note(sizes.second), 5))),
    ("stamped-note-added-to", || resealed(|b, sizes| {
        let text = String::from_utf8(b.files[&note(sizes.second)].clone()).unwrap();
        let line = text.lines().last().unwrap().to_owned();
        b.files.insert(note(sizes.second), format!("{text}{line}\n").into_bytes());
    })),
    ("tokens-swapped", || resealed(|b, sizes| {
        let (one, other) = (b.files[&token(sizes.first)].clone(), b.files[&token(sizes.second)].clone());
        b.files.extend([(token(sizes.first), other), (token(sizes.second), one)]);
    })),
    ("stamps-swapped", || resealed(|b, sizes| {
        for path in [note, token] {
            let (one, other) = (path(sizes.first), path(sizes.second));
            let (first, second) = (b.files[&one].clone(), b.files[&other].clone());
            b.files.extend([(one, second), (other, first)]);
        }
    })),
    ("stamped-note-deleted", || resealed(|b, sizes| drop(b.files.remove(&note(sizes.second))))),
    ("token-deleted", || resealed(|b, sizes| drop(b.files.remove(&token(sizes.second))))),
    ("last-token-deleted", || resealed(|b, sizes| {
        for path in [note, token] { b.files.remove(&path(sizes.last)); }
    })),
    ("consistency-replaced", || resealed(|b, sizes| {
        let path = proof(sizes.second);
        let mut hashes = parse_consistency(&b.files[&path]).unwrap();
        hashes[0] = Digest::ZERO;
        b.files.insert(path, emit_consistency(&hashes));
    })),
    ("consistency-malformed", || resealed(|b, sizes| drop(b.files.insert(proof(sizes.second), b"\n".to_vec())))),
    ("consistency-deleted", || resealed(|b, sizes| drop(b.files.remove(&proof(sizes.second))))),
    ("consistency-added", || resealed(|b, sizes| drop(b.files.insert(proof(sizes.last), b"\n".to_vec())))),
    ("stamp-strange", || resealed(|b, _| drop(b.files.insert("custody/timestamps/readme".to_owned(), b"x".to_vec())))),
    ("stamp-beyond", || resealed(|b, sizes| {
        let key = b.vault.log_key.clone();
        instead(b, sizes.last + 9, b"x", &key);
    })),
    ("stamp-of-another-tree", || resealed(|b, sizes| {
        let key = b.vault.log_key.clone();
        instead(b, sizes.second, b"x", &key);
    })),
    ("stamp-of-another-last-tree", || resealed(|b, sizes| {
        let key = b.vault.log_key.clone();
        instead(b, sizes.last, b"x", &key);
    })),
    ("stamp-by-another-log", || resealed(|b, sizes| instead(b, sizes.second, b"x", &SigningKey::from_bytes(&[66; 32])))),
    ("authority-unknown", || resealed(|b, sizes| {
        for size in [sizes.second, sizes.last] {
            let made = authority::unknown().token(&b.files[&note(size)].clone(), b.vault.now);
            b.files.insert(token(size), made);
        }
    })),
    ("authority-second", || {
        let mut story = stamped();
        let now = story.vault.now;
        story.vault.stamp_unnoted(|note| authority::known().token(note, now));
        story.vault.stamp(|note| authority::unknown().token(note, now));
        let bundle = export(&mut story);
        bundle.audit(&story.vault)
    }),
    ("backdated", || after(|s| {
        s.vault.lawless = true;
        stamp(&mut s.vault);
        s.vault.now -= HOUR_MS;
        s.vault.say(crate::support::By::Vault, crate::support::draft(
            custody::kind::Kind::ClockFault, custody::act::ClockFault { drift_ms: -HOUR_MS }.to_data()));
        view_by_lead(s);
    })),
    ("postdated", || after(|s| { view_by_lead(s); stamp_at(&mut s.vault, -HOUR_MS); })),
    ("wide-bracket", || after(|s| { s.vault.now += 48 * HOUR_MS; view_by_lead(s); s.vault.now += HOUR_MS; })),
    ("not-noted-before", || {
        let mut story = story_in(Vault::new(1), &[("photo.jpg", b"a photograph"), ("a.txt", b"a"), ("b.txt", b"b")]);
        let bundle = export(&mut story);
        bundle.audit(&story.vault)
    }),
];
