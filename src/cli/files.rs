//! Files and secrets that a person names: outputs never overwrite, secrets never come from flags.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::env;
use super::failure::Failure;
use crate::client::secret;

/// A new file for output.
pub(crate) fn create_new(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let failure = Failure::new(format!("cannot write {}", path.display())).because(&error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failure.hint("nothing is ever overwritten: name another file, or move this one away")
            }
            io::ErrorKind::NotFound => failure.hint("make its folder first"),
            _ => failure,
        }
    })
}

/// A file that gets its name once it is whole: until then it is beside it as `NAME.part`, and gone if nothing comes of it.
pub(super) struct Part {
    path: PathBuf,
    part: PathBuf,
}

impl Part {
    /// Begins the file that is to have this name; whatever has it already, or what is left of another attempt, stays.
    pub(super) fn begin(path: &Path) -> Result<(Self, File), Failure> {
        if path.exists() {
            return Err(create_new(path).err().unwrap_or_else(|| Failure::new("the file came up meanwhile")));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = create_new(&part)?;
        Ok((Self { path: path.to_owned(), part }, file))
    }

    /// Gives it its name.
    pub(super) fn finish(self) -> Result<(), Failure> {
        // A link fails where the name is taken, a rename would overwrite.
        std::fs::hard_link(&self.part, &self.path)
            .map_err(|error| Failure::new(format!("cannot write {}", self.path.display())).because(&error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.part);
    }
}

/// All bytes into a new file, on disk when this returns.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = create_new(path)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))
}

/// A secret from a file, or from stdin where the file is `-`.
pub(super) fn secret_from(path: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    if path.as_os_str() != "-" {
        return Ok(secret::read(path)?);
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return prompt(&format!("{what}: "));
    }
    let mut line = Zeroizing::new(String::new());
    stdin.lock().read_line(&mut line).map_err(|error| Failure::new("cannot read stdin").because(&error))?;
    let line = Zeroizing::new(line.trim().to_owned());
    if line.is_empty() { Err(Failure::usage(format!("stdin holds no {what}"))) } else { Ok(line) }
}

/// A passphrase from the file that `variable` names, else from a prompt.
pub(super) fn passphrase(variable: &str, question: &str) -> Result<Zeroizing<String>, Failure> {
    match env(variable) {
        Some(path) => Ok(secret::read(Path::new(&path))?),
        None if io::stdin().is_terminal() => prompt(question),
        None => Err(Failure::usage("a passphrase is needed and there is no terminal to ask on")
            .hint(format!("put it into a file with mode 0600 and set {variable}=FILE"))),
    }
}

/// A new passphrase, asked for twice.
pub(super) fn new_passphrase(question: &str) -> Result<Zeroizing<String>, Failure> {
    let first = prompt(question)?;
    if *first == *prompt("the same again: ")? { Ok(first) } else { Err(Failure::usage("the two differ")) }
}

pub(super) fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    let answer = rpassword::prompt_password(question);
    let answer = answer.map_err(|error| Failure::new("cannot ask on this terminal").because(&error))?;
    if answer.is_empty() { Err(Failure::usage("nothing was entered")) } else { Ok(Zeroizing::new(answer)) }
}
