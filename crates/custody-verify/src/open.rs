//! Opening what a bundle carries sealed to a court.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use custody::aead::Portable;
use custody::age::Identity;
use custody::bundle::report::Produced;
use custody::bundle::{Files, Report, open_produced};
use custody::digest::Digest;
use ed25519_dalek::VerifyingKey;

use super::{Args, Failure, given, open, read_file};

/// Longest file with an identity, as `age-keygen` writes it.
const MAX_IDENTITY_BYTES: u64 = 4 << 10;

/// An exhibit that was opened, or was not.
#[derive(Debug)]
pub struct Opened {
    /// The exhibit.
    pub exhibit: String,
    /// The file that was written and the SHA-256 of what is in it, as on record; or why there is none.
    pub result: Result<(PathBuf, Digest), Failure>,
}

/// Opens every exhibit that the bundle carries sealed to the identity of `--open-with`, into the folder of `--into`. Nothing
/// is opened of a bundle that does not verify, and nothing overwritten. A file gets its name when its content was compared
/// with its record.
pub fn open_sealed(args: &Args, report: &Report) -> Result<Vec<Opened>, Failure> {
    let (Some(identity), Some(folder)) = (&args.open_with, &args.into) else { return Ok(Vec::new()) };
    let what = "a bundle with content sealed to this key";
    let refuse = |why: &str| Failure::Given { path: args.bundle.clone(), what, why: why.to_owned() };
    if report.exit_code == 3 {
        return Err(refuse("it does not verify, and nothing of it is opened"));
    }
    let identity = read_identity(identity)?;
    let recipient = identity.recipient().to_string();
    let sealed: Vec<_> =
        report.facts.produced.iter().filter(|produced| produced.recipient == recipient).collect();
    if sealed.is_empty() {
        return Err(refuse(&format!("nothing in it is sealed to {recipient}")));
    }
    let key = report.facts.vault_key.and_then(|key| VerifyingKey::from_bytes(key.as_bytes()).ok());
    let key = key.ok_or_else(|| refuse("it names no key of the vault"))?;
    let mut files = open(&args.bundle)?;
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Open { path, source }
    };
    std::fs::create_dir_all(folder).map_err(write(folder))?;
    let mut opened: Vec<Opened> = Vec::new();
    for produced in sealed {
        // What was produced more than once is opened once; another attempt may be the right one.
        let known = opened.iter().position(|earlier| earlier.exhibit == produced.exhibit);
        if known.is_some_and(|at| opened[at].result.is_ok()) {
            continue;
        }
        let result = open_one(&mut *files, produced, (&identity, &key), folder);
        match known {
            Some(at) => opened[at].result = result,
            None => opened.push(Opened { exhibit: produced.exhibit.clone(), result }),
        }
    }
    Ok(opened)
}

fn open_one(
    files: &mut dyn Files,
    produced: &Produced,
    keys: (&Identity, &VerifyingKey),
    folder: &Path,
) -> Result<(PathBuf, Digest), Failure> {
    let name = produced.path.rsplit('/').next().unwrap_or_default();
    let name = folder.join(format!("{}-{name}", produced.exhibit));
    let part = folder.join(format!("{}.part", produced.exhibit));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::Open { path, source }
    };
    if name.exists() {
        return Err(failed(&name)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part).map_err(failed(&part))?;
    let opened = open_produced::<Portable>(files, produced, keys, |bytes| {
        file.write_all(bytes).map_err(|error| error.to_string())
    });
    let opened = opened.map_err(|error| given(&part, "what this key opens", &error));
    let kept = opened.and_then(|digest| {
        file.sync_all().and_then(|()| named(&part, &name)).map_err(failed(&name))?;
        Ok(digest)
    });
    // Whatever was written under this name is not wanted any more: it has another one, or did not open.
    let _ = std::fs::remove_file(&part);
    Ok((name, kept?))
}

/// Gives a file its name, without taking another's place. Where there are no links, as on many sticks, nobody else may write
/// into the folder at the same moment.
fn named(part: &Path, name: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(part, name) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists && !name.exists() => {
            std::fs::rename(part, name)
        }
        linked => linked,
    }
}

/// The identity in a file as `age-keygen` writes it: one line of it, and comments.
fn read_identity(path: &Path) -> Result<Identity, Failure> {
    let what = "a file with one identity (AGE-SECRET-KEY-1…)";
    let bytes = zeroize::Zeroizing::new(read_file(path, what, MAX_IDENTITY_BYTES)?);
    let wrong = |why: &str| Failure::Given { path: path.to_owned(), what, why: why.to_owned() };
    let text = core::str::from_utf8(&bytes).map_err(|_| wrong("it is no text"))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.parse().map_err(|error| given(path, what, &error)),
        _ => Err(wrong("it has no line, or more than one")),
    }
}
