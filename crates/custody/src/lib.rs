//! Custody: the pure core of Custos, a self-hosted vault for evidence and its chain of custody.
//!
//! Everything is a statement. What somebody says is signed ([`statement`], [`envelope`]); the rules decide whether it may
//! follow what was said before ([`rules`]); if so it becomes a record in hash chains ([`record`]) and a leaf of a
//! Merkle log ([`merkle`]) under a signed checkpoint ([`checkpoint`]). Who said it gets a [`receipt`], a court gets a
//! [`bundle`], and both can be checked without trusting whoever runs the vault. Formats: `docs/FORMAT.md`.
//!
//! What this crate is not: it opens no file and no socket, and knows no clock and no randomness. Time and random bytes
//! are arguments, streams are pushed in and read out by the caller, so that the server, the command line and the
//! court's verifier run the same code.
//!
//! # From an event to a verified bundle
//!
//! A vault is created, a case is opened, a bundle of it is exported and verified.
//!
//! ```
//! use std::collections::{BTreeMap, HashMap};
//!
//! use custody::act::*;
//! use custody::bundle::documents::{self, About};
//! use custody::bundle::lines::{EnvelopeMember, ProofLine, RecordLine};
//! use custody::bundle::manifest::{BundleManifest, CheckpointHead, Payload, Scope, Stream};
//! use custody::bundle::timeline::{self, Row, Timeline};
//! use custody::bundle::{Trust, layout, verify};
//! use custody::checkpoint::{Checkpoint, Origin};
//! use custody::digest::Digest;
//! use custody::envelope::{PayloadType, key_hash, sign};
//! use custody::kind::Kind;
//! use custody::merkle::{Batch, Frontier, ProofError, leaf_hash, shared_paths, subtree_root};
//! use custody::note::{SignatureType, VerifierKey};
//! use custody::record::*;
//! use custody::rules::{self, Admitted, State};
//! use custody::statement::*;
//! use custody::time::Timestamp;
//! # use custody::bundle::{FileEntry, Files, Listing, ReadError};
//! # use custody::id::*;
//! # use custody::json::Object;
//! # use ed25519_dalek::SigningKey;
//! # fn id(n: u8) -> uuid::Uuid { uuid::Uuid::from_bytes([n; 16]) }
//!
//! /// What a vault keeps: the consequences of all records, the last record of each sequence, the records.
//! struct Vault {
//!     key: SigningKey,
//!     origin: Origin,
//!     state: State,
//!     heads: BTreeMap<Sequence, Head>,
//!     said: Vec<(Statement, Act, Vec<u8>, Built)>,
//! }
//!
//! impl Vault {
//!     /// An act: say it, let the rules decide, sign it, put it behind the heads, carry it into the state.
//!     fn say(&mut self, actor: Actor, kind: Kind, data: Object, about: &dyn Fn(&mut Statement)) -> Digest {
//!         let number = u8::try_from(self.said.len()).unwrap();
//!         let vault = self.said.first().map(|(.., built)| built.hash);
//!         let mut statement = Statement {
//!             actor, data, kind, vault,
//!             actor_key: key_hash(&self.key.verifying_key()),
//!             actor_time: Timestamp::from_millis(1_795_000_000_000).unwrap(),
//!             // The vault signs on behalf of a signed-in person; with a key of one's own it is `UserKey`.
//!             assurance: if actor == Actor::System { Assurance::System } else { Assurance::Session },
//!             // In earnest this and all that follows is random.
//!             op_id: OpId::new([number; 16]),
//! #           case: None, content: None, fields: BTreeMap::new(), item: None, items: None, person: None,
//! #           purpose: None, seen: None, v: Version,
//!         };
//!         about(&mut statement);
//!         let act = Act::parse(&statement).unwrap();
//!         rules::decide(&self.state, statement.actor_time, &statement, &act).unwrap();
//!         let envelope = sign(PayloadType::Statement, &statement.to_bytes(), &[&self.key]);
//!
//!         let head = |sequence| self.heads.get(&sequence).copied();
//!         let place = |sequence: Sequence| Place { sequence, head: head(sequence), resumes: None };
//!         let (own, of_case) = rules::places(&statement, &act)[0];
//!         let next = |n: u8| NextOpening { s: Digest::new([n; 32]), t: Digest::new([n + number; 32]) };
//!         let nonces = Nonces { salt: Digest::new([number; 32]), own: next(50), case: next(150) };
//!         let log = LogIdentity { origin: self.origin.to_string(), vault };
//!         let (stmt, now, index) = (Digest::of(&envelope), statement.actor_time, u64::from(number));
//!         let built = build(&log, index, stmt, kind, now, (own.map(place), of_case.map(place)), &nonces);
//!
//!         self.heads.extend(built.heads.iter().copied());
//!         let admitted = Admitted { stmt, log_index: index, records: &[built.hash] };
//!         rules::apply(&mut self.state, &statement, &act, &admitted);
//!         self.said.push((statement, act, envelope, built));
//!         admitted.records[0]
//!     }
//! }
//!
//! let log_key = SigningKey::from_bytes(&[2; 32]);
//! let origin = Origin::new("vault.example.org/custos/1").unwrap();
//! let log = VerifierKey::new(origin.key_name(), SignatureType::Ed25519, log_key.verifying_key()).unwrap();
//! let mut vault = Vault {
//!     key: SigningKey::from_bytes(&[1; 32]),
//!     origin: origin.clone(),
//!     state: State::default(),
//!     heads: BTreeMap::new(),
//!     said: Vec::new(),
//! };
//! let vault_key = PublicKey::new(vault.key.verifying_key().to_bytes());
//! let created = VaultCreated { log_vkey: log.to_string(), origin: origin.to_string(), vault_key };
//! let fingerprint = vault.say(Actor::System, Kind::VaultCreated, created.to_data(), &|_| ());
//! # let (org, admin, kofi, case) = (OrgId::new(id(1)), PersonId::new(id(2)), PersonId::new(id(3)), CaseId::new(id(4)));
//! # let org = OrgRegistered { org }.to_data();
//! # vault.say(Actor::System, Kind::OrgRegistered, org.clone(), &|_| ());
//! # vault.say(Actor::System, Kind::PersonRegistered, org.clone(), &|s| s.person = Some(admin));
//! # let role = RoleChange { role: VaultRole::Administrator }.to_data();
//! # vault.say(Actor::System, Kind::RoleGranted, role, &|s| s.person = Some(admin));
//! # vault.say(Actor::Person(admin), Kind::PersonRegistered, org, &|s| s.person = Some(kofi));
//! # let role = RoleChange { role: VaultRole::Investigator }.to_data();
//! # vault.say(Actor::Person(admin), Kind::RoleGranted, role, &|s| s.person = Some(kofi));
//! // … an organisation, an administrator, an investigator who is called Kofi here. Kofi opens a case:
//! let data = CaseOpened { case_type: "property-grabbing".parse().unwrap(), jurisdiction: "gh".parse().unwrap() };
//! vault.say(Actor::Person(kofi), Kind::CaseOpened, data.to_data(), &|s| s.case = Some(case));
//!
//! // An export commits to the last record of every sequence, and is the last record of its bundle.
//! let heads = heads_digest(vault.heads.iter().map(|(sequence, head)| (sequence, head.seq, &head.record)));
//! let data = BundleExported { heads, productions: None, sequences: vault.heads.len() as u64 };
//! let exported = vault.say(Actor::Person(kofi), Kind::BundleExported, data.to_data(), &|s| {
//!     (s.case, s.purpose) = (Some(case), Some("prosecution".parse().unwrap()));
//! });
//!
//! // The log: a tree over the entries, a signed checkpoint, a proof for each record.
//! let leaves: Vec<_> = vault.said.iter().map(|(.., built)| leaf_hash(&built.entry.to_bytes())).collect();
//! let batch = Batch::new(&Frontier::new(), &leaves);
//! let checkpoint = Checkpoint::new(origin, batch.size(), batch.root()).unwrap().sign(&log_key).unwrap();
//! let indices: Vec<_> = (0..batch.size()).collect();
//! let paths = shared_paths(&indices, batch.size(), &mut |node| {
//!     let range = node.leaves();
//!     Ok::<_, ProofError>(subtree_root(&leaves[range.start as usize..range.end as usize]))
//! });
//!
//! // The files of the bundle.
//! let mut files = BTreeMap::<&str, Vec<u8>>::new();
//! let (mut records, mut proofs) = (Vec::new(), Vec::new());
//! let (timeline, mut table) = (Timeline::default(), timeline::HEADER.to_owned());
//! for ((statement, act, envelope, built), path) in vault.said.iter().zip(paths.unwrap()) {
//!     let (index, record, hash) = (built.record.log_index, &built.record, &built.hash);
//!     let next = built.heads[0].1.next;
//!     records.extend(RecordLine {
//!         index,
//!         record: built.bytes.clone(),
//!         envelope: EnvelopeMember::Here(envelope.clone()),
//!         salt: built.salt,
//!         entry: built.entry,
//!         own: record.own.map(|_| next),
//!         case: record.case.map(|_| next),
//!     }.emit());
//!     proofs.extend(ProofLine { index, path }.emit());
//!     table += &timeline.row(&Row { record, hash, said: Some((statement, act)), exhibit: None });
//! }
//! files.insert(layout::RECORDS, records);
//! files.insert(layout::PROOFS, proofs);
//! files.insert(layout::OPENINGS, Vec::new());
//! files.insert(layout::TIMELINE, table.into_bytes());
//! files.insert(layout::HASH_REPORT, documents::hash_report(&[]).into_bytes());
//! files.insert(layout::CHECKPOINT, checkpoint.to_string().into_bytes());
//! let scope = Scope { case };
//! let exported_at = vault.said[0].3.record.received;
//! let about = About { vault: fingerprint, vault_key, log: log.into(), scope, exported, exported_at, timestamps: false };
//! files.extend(documents::fixed(&about).into_iter().map(|(path, text)| (path, text.into_bytes())));
//! let stream = |(sequence, head): (&Sequence, &Head)| {
//!     Stream { count: head.seq, head: head.record, sequence: *sequence }
//! };
//! let mut streams: Vec<_> = vault.heads.iter().map(stream).collect();
//! streams.sort_by_key(|stream| stream.sequence.to_string());
//! let manifest = BundleManifest {
//!     checkpoint: CheckpointHead { root: batch.root(), size: batch.size() },
//!     cut: batch.size(),
//!     exported,
//!     exporter: Actor::Person(kofi),
//!     scope,
//!     streams,
//!     vault: fingerprint,
//! #   manifest: Digest::ZERO, payload: Payload { bytes: 0, files: 0 }, recipient: None, v: Version,
//! };
//! let mut tally = layout::Tally::default();
//! for (path, bytes) in &files {
//!     tally.add(path, bytes.len() as u64, Digest::of(bytes));
//! }
//! files.extend(documents::close(tally, &about, manifest, &vault.key));
//!
//! // The court knows the fingerprint from paper. `Memory` gives the verifier its files.
//! # struct Memory(Vec<(&'static str, Vec<u8>)>);
//! # impl Files for Memory {
//! #     fn list(&mut self) -> Result<Listing, ReadError> {
//! #         let entry = |(name, bytes): &(&str, Vec<u8>)| FileEntry { name: name.to_string(), size: bytes.len() as u64 };
//! #         Ok(Listing { files: self.0.iter().map(entry).collect(), problems: Vec::new() })
//! #     }
//! #     fn read_at(&mut self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError> {
//! #         let rest = &self.0[file].1[offset as usize..];
//! #         let count = rest.len().min(buffer.len());
//! #         buffer[..count].copy_from_slice(&rest[..count]);
//! #         Ok(count)
//! #     }
//! # }
//! let trust = Trust { fingerprint: Some(fingerprint), ..Trust::default() };
//! let report = verify(&mut Memory(files.into_iter().collect()), &trust, None, &[]).unwrap();
//! assert_eq!(report.verdict, "VERIFIED, INCOMPLETE");
//! let found: Vec<_> = report.findings.iter().map(|finding| finding.code.name()).collect();
//! assert_eq!(found, ["not-audited", "not-witnessed", "not-timestamped", "on-behalf"]);
//! ```

#![forbid(unsafe_code)]

pub mod act;
pub mod aead;
pub mod age;
pub mod blob;
pub mod bundle;
pub mod certificate;
pub mod checkpoint;
pub mod commitment;
pub mod digest;
pub mod entropy;
pub mod envelope;
pub mod floe;
pub mod halves;
pub mod id;
pub mod intake;
pub mod json;
mod kdf;
pub mod keys;
pub mod kind;
pub mod log_keys;
pub mod manifest;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
pub mod receipt;
pub mod record;
pub mod recovery;
pub mod rules;
pub mod statement;
pub mod tile;
pub mod time;
pub mod timestamp;
pub mod witness;
