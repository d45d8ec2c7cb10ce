//! One byte of an exhibit in a copy of the bundle.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::cli::failure::Failure;

/// What is changed where no exhibit holds a byte.
const RECORDS: &str = "custody/records.jsonl";

/// Copies `bundle` to `copy` and inverts the middle byte of its first exhibit that has one; that exhibit's path.
pub(super) fn one_byte(bundle: &Path, copy: &Path) -> Result<String, Failure> {
    let cannot = |error: &io::Error| Failure::new(format!("cannot change {}", copy.display())).because(error);
    std::fs::copy(bundle, copy).map_err(|error| cannot(&error))?;
    let (name, at) = place(copy)?;
    let mut file = OpenOptions::new().read(true).write(true).open(copy).map_err(|error| cannot(&error))?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(&mut byte))
        .and_then(|()| file.seek(SeekFrom::Start(at)))
        .and_then(|_| file.write_all(&[!byte[0]]))
        .and_then(|()| file.sync_all())
        .map_err(|error| cannot(&error))?;
    Ok(name)
}

/// An exhibit's name in the ZIP file, and where its middle byte lies; entries are stored as they are.
fn place(zip: &Path) -> Result<(String, u64), Failure> {
    let cannot = |error: &dyn std::error::Error| Failure::new("cannot read the bundle").because(error);
    let file = File::open(zip).map_err(|error| cannot(&error))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|error| cannot(&error))?;
    let mut fallback = None;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| cannot(&error))?;
        let Some(start) = entry.data_start() else { continue };
        let name = entry.name().map_err(|error| cannot(&error))?.into_owned();
        let at = start + entry.size() / 2;
        if entry.size() > 0 && name.starts_with("data/exhibits/") {
            return Ok((name, at));
        }
        if name == RECORDS {
            fallback = Some((name, at));
        }
    }
    fallback.ok_or_else(|| Failure::new("the bundle holds neither exhibits nor records"))
}
