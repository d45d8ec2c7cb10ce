//! Pages with a secret that are left on the disk: sheets that nobody deleted, and what broke off while a kit was made.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::durable;

/// How the names of a kit's files begin before they have their own. Begins as all such names do.
const UNNAMED: &str = ".new-recovery-";

/// Begins to make a kit in a folder, until what it gives goes away. Whoever is alone in it first removes what others
/// left there who broke off; on a file system without locks nobody knows, and nothing is removed.
pub(super) fn enter(folder: &Path) -> io::Result<File> {
    let makers = File::open(folder)?;
    if makers.try_lock().is_ok() {
        for path in names(folder, |name| name.starts_with(UNNAMED))? {
            fs::remove_file(path)?;
        }
    }
    // Nobody's files are taken for left over while somebody holds this.
    let _ = makers.lock_shared();
    Ok(makers)
}

/// A file of a kit, for its owner only, that has no name of its own yet.
pub(super) fn unnamed(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    durable::unnamed(folder, UNNAMED, 0o600, bytes)
}

/// What is left in a folder and may show a secret: sheets, and files that never got their names.
pub fn left_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let sheet = |name: &str| name.strip_prefix("recovery-")?.strip_suffix(".html").map(drop);
    names(folder, |name| name.starts_with(durable::UNNAMED) || sheet(name).is_some())
}

fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
