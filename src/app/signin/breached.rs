//! Passwords that everybody tries first: the commonest, and those of a list that the operator has.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use super::password::Password;
use crate::app::AppError;

/// What most stolen passwords are made of. With any digits and signs around, and however often, it is still that.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw",
    "passwrd",
    "qwerty",
    "qwertyuiop",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "asdfghjkl",
    "asdf",
    "zxcvbnm",
    "qazwsx",
    "qazwsxedc",
    "qazwsxedcrfv",
    "qwe",
    "qweasd",
    "qweasdzxc",
    "qwer",
    "azertyuiop",
    "azerty",
    "abc",
    "abcd",
    "abcdef",
    "abcdefg",
    "abcdefgh",
    "abcdefghijkl",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    "aqwzsx",
    "letmein",
    "welcome",
    "iloveyou",
    "iloveu",
    "admin",
    "administrator",
    "root",
    "user",
    "guest",
    "test",
    "testing",
    "testtest",
    "changeme",
    "change",
    "default",
    "secret",
    "master",
    "login",
    "access",
    "hello",
    "helloworld",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "basketball",
    "superman",
    "batman",
    "spiderman",
    "pokemon",
    "princess",
    "sunshine",
    "shadow",
    "michael",
    "jennifer",
    "jessica",
    "charlie",
    "starwars",
    "whatever",
    "trustno",
    "freedom",
    "computer",
    "internet",
    "samsung",
    "google",
    "facebook",
    "liverpool",
    "chelsea",
    "arsenal",
    "barcelona",
    "manchester",
    "manchesterunited",
    "realmadrid",
    "cricket",
    "india",
    "pakistan",
    "bangladesh",
    "nepal",
    "kenya",
    "police",
    "evidence",
    "custos",
    "vault",
    "court",
    "correcthorsebatterystaple",
    "thisisapassword",
    "mypassword",
    "newpassword",
    "nopassword",
    "lookingforward",
    "summer",
    "winter",
    "spring",
    "autumn",
    "january",
    "december",
    "monday",
    "friday",
    "company",
    "temporary",
    "temp",
];
/// SHA-1 in hexadecimal.
const HEX: usize = 40;

/// What is looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct Breached {
    file: Option<PathBuf>,
}

/// Why the operator's list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BreachedError {
    /// It cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It does not begin with a hash.
    #[error("{} is no list of SHA-1 in capital hexadecimal, a line each, in order", .0.display())]
    Form(PathBuf),
}

impl Breached {
    /// With a list: SHA-1 in capital hexadecimal, a line each and in order, whatever follows it on the line.
    pub(super) fn with(file: Option<&Path>) -> Result<Self, BreachedError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let read = |error| BreachedError::Read(path.to_owned(), error);
        let mut lines = BufReader::new(File::open(path).map_err(read)?);
        let first = line(&mut lines).map_err(read)?.unwrap_or_default();
        let capital = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
        if first.len() < HEX || !first[..HEX].iter().all(capital) {
            return Err(BreachedError::Form(path.to_owned()));
        }
        Ok(Self { file: Some(path.to_owned()) })
    }

    /// Whether a password is one of them. Reads a file: not where requests are answered.
    pub(super) fn contains(&self, password: &Password) -> Result<bool, AppError> {
        if is_common(password.as_str()) {
            return Ok(true);
        }
        let Some(path) = &self.file else { return Ok(false) };
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_str().as_bytes());
        let hash = hex::encode_upper(hash);
        find(path, hash.as_bytes()).map_err(AppError::internal("reading the list of stolen passwords"))
    }
}

fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let letters: String = lower.chars().filter(|letter| letter.is_alphabetic()).collect();
    let once = |word: &&str| !letters.is_empty() && letters.replace(*word, "").is_empty();
    is_run(&lower) || COMMON.iter().any(once)
}

/// `1234567890123`, `9876543210`, `abcdefghijklm`: each character follows the one before, or begins again.
fn is_run(lower: &str) -> bool {
    let codes: Vec<u32> = lower.chars().map(u32::from).collect();
    let steps = |by: fn(u32) -> u32| {
        let broken = codes.windows(2).filter(|pair| pair[1] != by(pair[0])).count();
        broken * 6 <= codes.len()
    };
    steps(|code| code + 1) || steps(|code| code.saturating_sub(1))
}

/// Looks a line up by halving: such lists have a billion lines.
fn find(path: &Path, hash: &[u8]) -> io::Result<bool> {
    let file = File::open(path)?;
    let (mut low, mut high) = (0, file.metadata()?.len());
    let mut lines = BufReader::with_capacity(256, file);
    // Whatever is sought begins at `low` or later, and before `high`.
    while low < high {
        let middle = low + (high - low) / 2;
        lines.seek(SeekFrom::Start(middle))?;
        // Lines have a beginning at 0 and after each line feed.
        let mut begin = middle;
        if middle > 0 {
            lines.seek(SeekFrom::Start(middle - 1))?;
            begin = middle - 1 + lines.skip_until(b'\n')? as u64;
        }
        if begin >= high {
            high = middle;
            continue;
        }
        let Some(found) = line(&mut lines)? else {
            high = middle;
            continue;
        };
        match found[..found.len().min(HEX)].cmp(hash) {
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = lines.stream_position()?,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(false)
}

/// The next line, without its end; what is longer than any such line is cut.
fn line(lines: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut found = Vec::new();
    let read = io::Read::take(&mut *lines, 256).read_until(b'\n', &mut found)?;
    while found.last().is_some_and(u8::is_ascii_whitespace) {
        found.pop();
    }
    Ok((read > 0).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    #[test]
    fn the_commonest_are_known_with_whatever_is_around_them() {
        for common in [
            "password1234",
            "Qwerty!2026!!!",
            "123456789012",
            "abcdefghijklm",
            "welcomewelcome1",
            "qwertyuiop12",
        ] {
            assert!(is_common(common), "{common}");
        }
        for rare in ["the court meets on Monday", "wonderful password box", "78 red bicycles", "....,,,,;;;;"]
        {
            assert!(!is_common(rare), "{rare}");
        }
    }

    fn list(of: &std::collections::BTreeSet<String>, counts: bool) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for hash in of {
            let end = if counts { format!(":{}\r\n", hash.len()) } else { "\n".to_owned() };
            file.write_all(format!("{hash}{end}").as_bytes()).unwrap();
        }
        file
    }

    proptest! {
        #[test]
        fn exactly_what_is_in_the_list_is_found(
            listed in proptest::collection::btree_set("[0-9A-F]{40}", 1..40),
            others in proptest::collection::vec("[0-9A-F]{40}", 10),
            counts in any::<bool>(),
        ) {
            let file = list(&listed, counts);
            for hash in &listed {
                prop_assert!(find(file.path(), hash.as_bytes()).unwrap(), "{hash}");
            }
            for hash in others {
                prop_assert_eq!(find(file.path(), hash.as_bytes()).unwrap(), listed.contains(&hash));
            }
        }
    }

    #[test]
    fn a_password_is_looked_up_by_its_sha_1() {
        let hash =
            hex::encode_upper(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, b"the battery of a horse"));
        let file = list(&[hash, "0".repeat(40)].into(), true);
        let breached = Breached::with(Some(file.path())).unwrap();
        assert!(breached.contains(&Password::typed("the battery of a horse").unwrap()).unwrap());
        assert!(!breached.contains(&Password::typed("the battery of a house").unwrap()).unwrap());
        let mut wrong = tempfile::NamedTempFile::new().unwrap();
        wrong.write_all(b"password\n").unwrap();
        assert!(matches!(Breached::with(Some(wrong.path())), Err(BreachedError::Form(_))));
        assert!(matches!(Breached::with(Some(Path::new("/nowhere"))), Err(BreachedError::Read(..))));
    }
}
