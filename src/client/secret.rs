//! Secrets in files that only their owner may read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::ClientError;
use crate::durable;

/// Far above any token, code or passphrase; keeps a wrong path from being read into memory.
const MAX_SECRET_BYTES: u64 = 8_192;

/// The first line of a file that only its owner may read.
pub fn read(path: &Path) -> Result<Zeroizing<String>, ClientError> {
    let metadata = fs::metadata(path).map_err(file(path))?;
    if is_exposed(path, &metadata) {
        let mode = metadata.permissions().mode() & 0o7777;
        return Err(ClientError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_SECRET_BYTES {
        return Err(ClientError::Input(format!("{} is too large to hold a secret", path.display())));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file(path))?);
    let line = Zeroizing::new(text.lines().next().unwrap_or_default().trim().to_owned());
    if line.is_empty() {
        return Err(ClientError::Input(format!("{} is empty", path.display())));
    }
    Ok(line)
}

/// Whether others than its owner may read a file, or write it.
pub(crate) fn is_exposed(path: &Path, metadata: &fs::Metadata) -> bool {
    let others = if handed_over(path) { 0o037 } else { 0o077 };
    metadata.is_file() && metadata.permissions().mode() & others != 0
}

/// Whether systemd handed the file to this service (`LoadCredential=`), in a folder that nobody else enters. Since version
/// 254 an access control list lets the service's user in, whose mask stands where the group's bits are: mode 0440.
fn handed_over(path: &Path) -> bool {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    folder.is_some_and(|folder| path.parent() == Some(Path::new(&folder)))
}

/// Writes a new file (never over an old one) that only its owner may read, durably.
pub fn write(path: &Path, secret: &str) -> Result<(), ClientError> {
    let line = Zeroizing::new(format!("{secret}\n"));
    durable::write_new(path, 0o600, line.as_bytes()).map_err(file(path))
}

/// Names the file in an input or output error.
pub(crate) fn file(path: &Path) -> impl Fn(std::io::Error) -> ClientError {
    move |source| ClientError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_once_for_its_owner_only_and_an_exposed_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        write(&path, "cus_secret").unwrap();
        assert_eq!(*read(&path).unwrap(), "cus_secret");
        assert!(matches!(write(&path, "other"), Err(ClientError::File { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read(&path), Err(ClientError::Exposed { mode: 0o644, .. })));
    }
}
