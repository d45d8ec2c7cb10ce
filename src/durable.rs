//! Files that are on disk, whole, when they are said to be.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// A new file with these permissions, never one that is there.
pub(crate) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// A new file with these bytes; nothing is left of one that could not be written. Its name lasts once its folder is
/// synced: [`sync_dir`].
pub(crate) fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path, mode)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // What failed is said; what is left is another matter.
        let _ = fs::remove_file(path);
    }
    written
}

/// How names of files begin that were not given their own yet; whatever breaks off leaves one.
pub(crate) const UNNAMED: &str = ".new-";

/// A file with these bytes beside `path`, to be given that name: it appears there whole or not at all.
pub(crate) fn beside(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<NamedTempFile> {
    unnamed(parent(path), UNNAMED, mode, bytes)
}

/// The same in `folder`, under a name that begins with `prefix` until it gets its own.
pub(crate) fn unnamed(folder: &Path, prefix: &str, mode: u32, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let permissions = Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new().prefix(prefix).permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Replaces a file as a whole, its name included.
pub(crate) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    beside(path, mode, bytes)?.persist(path)?;
    sync_dir(parent(path))
}

/// A name is on disk only once its folder is.
pub(crate) fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that a path's name is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_new(&path, 0o600, b"first").unwrap();
        assert_eq!(write_new(&path, 0o600, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        replace(&path, 0o644, b"third").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        drop(beside(&path, 0o600, b"never named").unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_alone_is_in_this_folder() {
        assert_eq!(parent(Path::new("file")), Path::new("."));
        assert_eq!(parent(Path::new("folder/file")), Path::new("folder"));
    }
}
