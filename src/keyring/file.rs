//! One key, one text file:
//!
//! ```text
//! custos-key v1
//! # lines like this one are for people
//! name: kek/1
//! provider: file
//! check: 64 hexadecimal digits that only this key gives
//! key: base64
//! ```
//!
//! Files are written once, durably, and never overwritten.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use zeroize::Zeroizing;

use super::KeyringError;
use crate::durable;

const FIRST_LINE: &str = "custos-key v1";
/// Far above any key file; keeps a wrong path from being read into memory.
const MAX_BYTES: u64 = 8_192;
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// What a provider stores in a key file. Values may be secret.
#[derive(Default)]
pub struct Fields(BTreeMap<String, Zeroizing<String>>);

impl Fields {
    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Zeroizing<String>> {
        self.0.get(name)
    }
}

impl<const N: usize> From<[(&str, Zeroizing<String>); N]> for Fields {
    fn from(fields: [(&str, Zeroizing<String>); N]) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl core::fmt::Debug for Fields {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// A key file's content.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) check: Digest,
    pub(crate) sample: bool,
    pub(crate) fields: Fields,
}

impl KeyFile {
    /// Reads a file that only its owner may read.
    pub(crate) fn read(path: &Path) -> Result<Self, KeyringError> {
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyringError::Missing(path.to_owned()));
            }
            other => other.map_err(io(path))?,
        };
        check_mode(path, &metadata.permissions(), FILE_MODE)?;
        if metadata.len() > MAX_BYTES {
            return Err(malformed(path)("it is larger than 8 KiB"));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io(path))?);
        Self::parse(&text).map_err(malformed(path))
    }

    /// Writes a new file: complete or not at all, and on disk when this returns.
    pub(crate) fn write(&self, path: &Path) -> Result<(), KeyringError> {
        let file = durable::beside(path, FILE_MODE, self.text().as_bytes()).map_err(io(path))?;
        file.persist_noclobber(path).map_err(|error| io(path)(error.error))?;
        sync_name(path)
    }

    /// Reads a key file's text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err("its first line is not `custos-key v1`");
        }
        let mut fields = BTreeMap::new();
        for line in lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once(": ").ok_or("a line is not `name: value`")?;
            if fields.insert(name.to_owned(), Zeroizing::new(value.trim().to_owned())).is_some() {
                return Err("a field stands twice");
            }
        }
        let mut take = |name| fields.remove(name).map(|value| value.to_string());
        Ok(Self {
            name: take("name").ok_or("it does not say its key's name")?,
            provider: take("provider").ok_or("it does not say its provider")?,
            check: take("check")
                .and_then(|hex| hex.parse().ok())
                .ok_or("its check value is missing or damaged")?,
            sample: take("sample").is_some(),
            fields: Fields(fields),
        })
    }

    fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(1024)); // one allocation: no copy of a secret stays
        let head = [("name", &self.name), ("provider", &self.provider), ("check", &self.check.to_hex())];
        text.push_str(FIRST_LINE);
        text.push_str("\n# A key of a Custos vault. Keep it secret, keep a backup, never edit it.\n");
        let fields = self.fields.0.iter().map(|(name, value)| (name.as_str(), &**value));
        for (name, value) in head.into_iter().chain(fields) {
            for piece in [name, ": ", value, "\n"] {
                text.push_str(piece);
            }
        }
        text
    }
}

/// How names of key files end that are being destroyed: they are no key files any more, whatever breaks off.
pub(crate) const DESTROYED: &str = ".destroyed";

/// Overwrites a key file and removes it, durably; one that is not there is destroyed already. What a medium keeps of
/// overwritten bytes is out of reach here.
pub(super) fn destroy(path: &Path) -> Result<(), KeyringError> {
    let mut dying = path.as_os_str().to_owned();
    dying.push(DESTROYED);
    let dying = Path::new(&dying);
    match fs::rename(path, dying) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        renamed => {
            renamed.map_err(io(path))?;
            sync_name(path)?;
        }
    }
    erase(dying)
}

/// Goes on with destroying what broke off.
pub(super) fn finish_destroying(dir: &Path) -> Result<(), KeyringError> {
    names(dir)?.iter().filter(|name| name.ends_with(DESTROYED)).try_for_each(|name| erase(&dir.join(name)))
}

fn erase(path: &Path) -> Result<(), KeyringError> {
    use std::io::Write as _;
    let opened = fs::OpenOptions::new().write(true).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(io(path))?,
    };
    let length = usize::try_from(file.metadata().map_err(io(path))?.len().min(MAX_BYTES)).unwrap_or(0);
    file.write_all(&vec![0; length]).and_then(|()| file.sync_all()).map_err(io(path))?;
    fs::remove_file(path).map_err(io(path))?;
    sync_name(path)
}

/// Refuses a directory that is not there or lets others in.
pub(super) fn check_dir(dir: &Path) -> Result<(), KeyringError> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => check_mode(dir, &metadata.permissions(), DIR_MODE),
        _ => Err(KeyringError::NoDirectory(dir.to_owned())),
    }
}

/// Makes a directory for keys, or takes an empty one.
pub(crate) fn create_dir(dir: &Path) -> Result<(), KeyringError> {
    if names(dir)?.is_empty() { make_dir(dir) } else { Err(KeyringError::NotEmpty(dir.to_owned())) }
}

/// What is in a directory; nothing if it is not there.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, KeyringError> {
    match fs::read_dir(dir) {
        Ok(entries) => entries
            .map(|entry| Ok(entry.map_err(io(dir))?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io(dir)(error)),
    }
}

/// Makes a directory for its owner alone, or closes one that is there to everybody else; its name is on disk.
pub(super) fn make_dir(dir: &Path) -> Result<(), KeyringError> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(io(dir)(error)),
        _ => {}
    }
    fs::set_permissions(dir, Permissions::from_mode(DIR_MODE)).map_err(io(dir))?;
    sync_name(dir)
}

pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> KeyringError {
    move |source| KeyringError::Io { path: path.to_owned(), source }
}

pub(super) fn malformed(path: &Path) -> impl Fn(&'static str) -> KeyringError {
    move |reason| KeyringError::Malformed { path: path.to_owned(), reason }
}

/// A new name is on disk only once its directory is.
fn sync_name(path: &Path) -> Result<(), KeyringError> {
    let dir = durable::parent(path);
    durable::sync_dir(dir).map_err(io(dir))
}

fn check_mode(path: &Path, permissions: &Permissions, wanted: u32) -> Result<(), KeyringError> {
    let mode = permissions.mode() & 0o777;
    if mode & !DIR_MODE == 0 {
        return Ok(());
    }
    Err(KeyringError::Permissions { path: PathBuf::from(path), mode, wanted })
}
