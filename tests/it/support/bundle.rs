//! A downloaded bundle, read by another ZIP reader and judged by the court's verifier.

use std::collections::BTreeMap;
use std::io::Read as _;

use custody::bundle::findings::{Code, Gravity};
use custody::bundle::{Entries, FileEntry, Files, Listing, PublicEntries, ReadError, Report, Trust, verify};
use custody::log_keys::parse_changes;
use custody::receipt::Receipt;
use custody::record::ENTRY_BYTES;

use super::client::Caller;

/// Files of an archive by name.
pub(crate) struct Unzipped(Vec<(String, Vec<u8>)>);

impl Unzipped {
    pub(crate) fn new(archive: &[u8]) -> Self {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        let mut files = Vec::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            files.push((file.name().unwrap().into_owned(), bytes));
        }
        Self(files)
    }

    pub(crate) fn by_name(&self) -> BTreeMap<&str, &[u8]> {
        self.0.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
    }

    /// Bytes of the exhibit with this number and its path.
    pub(crate) fn exhibit(&self, number: u32) -> (&str, &[u8]) {
        let folder = format!("data/exhibits/E-{number:04}/");
        let found = self.0.iter().find(|(name, _)| name.starts_with(&folder)).unwrap();
        (&found.0, &found.1)
    }
}

impl Files for Unzipped {
    fn list(&mut self) -> Result<Listing, ReadError> {
        let entry =
            |(name, bytes): &(String, Vec<u8>)| FileEntry { name: name.clone(), size: bytes.len() as u64 };
        Ok(Listing { files: self.0.iter().map(entry).collect(), problems: Vec::new() })
    }

    fn read_at(&mut self, file: usize, offset: u64, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let bytes = &self.0[file].1;
        let rest = &bytes[usize::try_from(offset).unwrap().min(bytes.len())..];
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

struct Public<I>(I);

impl<I: Iterator<Item = [u8; ENTRY_BYTES]>> Entries for Public<I> {
    fn next_entry(&mut self) -> Result<Option<[u8; ENTRY_BYTES]>, ReadError> {
        Ok(self.0.next())
    }
}

/// The verdict of somebody who has the fingerprint on paper and the public entries from the vault's own log.
pub(crate) async fn judged(caller: &Caller, archive: &[u8]) -> Report {
    judged_with(caller, archive, &[]).await
}

/// The same, with receipts.
pub(crate) async fn judged_with(caller: &Caller, archive: &[u8], receipts: &[Receipt]) -> Report {
    let bytes = caller.entries(0, 65_536).await;
    let checkpoint = caller.checkpoint().await;
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    assert!(rest.is_empty());
    let mut entries = Public(entries.iter().copied());
    let keys = parse_changes(&caller.get("/log/keys").await.body).unwrap();
    let public =
        PublicEntries { entries: &mut entries, checkpoint: Some(checkpoint.as_bytes()), keys: &keys };
    let trust = Trust { fingerprint: Some(caller.shared.vault), ..Trust::default() };
    verify(&mut Unzipped::new(archive), &trust, Some(public), receipts).unwrap()
}

/// Everything holds; only witnesses and time stamps are not there yet.
#[track_caller]
pub(crate) fn assert_as_good_as_it_gets(report: &Report) {
    let lacking = report.findings.iter().map(|finding| finding.code);
    let lacking: Vec<_> = lacking.filter(|code| code.gravity() != Gravity::Notice).collect();
    assert_eq!(report.exit_code, 4, "{:#?}", report.findings);
    assert_eq!(lacking, [Code::NotWitnessed, Code::NotTimestamped], "{:#?}", report.findings);
}
