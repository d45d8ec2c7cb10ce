//! The recovery secret, and how it is spelt on paper.
//!
//! 256 bits as four rows of three groups of five symbols, in Crockford's base 32 (no I, L, O, U): thirteen symbols of the
//! secret and two that check the row, so that whoever types it learns which row has the mistake.

use core::fmt;

use custody::entropy::Entropy;
use custody::keys::Key32;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Rows on the sheet.
pub const ROWS: usize = 4;
/// Symbols of a row that carry the secret: 52 in all, 260 bits, of which the last four are zero.
const CARRY: usize = 13;
const CHECK: usize = 2;
const GROUP: usize = 5;
/// What a QR code starts with, so that a scanner's user knows what it is.
const PREFIX: &str = "CUSTOS-RECOVERY:";

/// What the sheet carries and the kit's file is sealed under.
pub struct RecoverySecret(Key32);

/// Why a text is not a recovery secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Not four rows of fifteen symbols.
    #[error("the recovery secret has 60 symbols in four rows; {0} are here")]
    Length(usize),
    /// A symbol that is none, or a row whose check does not fit.
    #[error("row {0} of the recovery secret has a mistake")]
    Row(usize),
}

impl RecoverySecret {
    /// A new one.
    pub fn make(entropy: &mut dyn Entropy) -> Self {
        Self(Key32::make(entropy))
    }

    /// The 32 bytes.
    pub(super) const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The rows, as printed: `XXXXX-XXXXX-XXXXX`.
    pub fn rows(&self) -> [Zeroizing<String>; ROWS] {
        core::array::from_fn(|row| {
            let symbols = self.row(row);
            // One allocation: no copy of a secret stays behind.
            let mut text = Zeroizing::new(String::with_capacity(CARRY + CHECK + 2));
            for (at, symbol) in symbols.iter().enumerate() {
                if at > 0 && at % GROUP == 0 {
                    text.push('-');
                }
                text.push(char::from(ALPHABET[usize::from(*symbol)]));
            }
            text
        })
    }

    /// All on one line, as the QR code has it.
    pub fn line(&self) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(PREFIX.len() + ROWS * 20));
        line.push_str(PREFIX);
        for (number, row) in self.rows().iter().enumerate() {
            line.push_str(if number == 0 { "" } else { "-" });
            line.push_str(row);
        }
        line
    }

    /// Reads what was typed or scanned: any case, with or without spaces and hyphens; O is 0, I and L are 1.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let symbols = symbols(text.strip_prefix(PREFIX).unwrap_or(text));
        if symbols.len() != ROWS * (CARRY + CHECK) {
            return Err(SecretError::Length(symbols.len()));
        }
        let mut bits = Zeroizing::new([0_u8; 33]);
        for (row, symbols) in symbols.chunks(CARRY + CHECK).enumerate() {
            let carried = check_row(row, symbols).ok_or(SecretError::Row(row + 1))?;
            for (at, symbol) in carried.iter().enumerate() {
                put(&mut bits, (row * CARRY + at) * 5, *symbol);
            }
        }
        let (secret, rest) = bits.split_at(32);
        if rest != [0] {
            return Err(SecretError::Row(ROWS));
        }
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(secret);
        Ok(Self(Key32::new(*key)))
    }

    /// Whether one row, numbered from 1, was typed without a mistake.
    pub fn row_holds(number: usize, text: &str) -> bool {
        let symbols = symbols(text.trim());
        symbols.len() == CARRY + CHECK && check_row(number.wrapping_sub(1), &symbols).is_some()
    }

    fn row(&self, row: usize) -> Zeroizing<[u8; CARRY + CHECK]> {
        let mut symbols = Zeroizing::new([0; CARRY + CHECK]);
        for (at, symbol) in symbols[..CARRY].iter_mut().enumerate() {
            *symbol = take(self.expose(), (row * CARRY + at) * 5);
        }
        let check = check(row, &symbols[..CARRY]);
        symbols[CARRY..].copy_from_slice(&check);
        symbols
    }
}

impl fmt::Debug for RecoverySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoverySecret(..)")
    }
}

/// The values of all symbols; 255 for what is none.
fn symbols(text: &str) -> Zeroizing<Vec<u8>> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(text.len()));
    for symbol in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let symbol = match symbol.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let value = ALPHABET.iter().position(|known| char::from(*known) == symbol);
        symbols.push(value.and_then(|value| u8::try_from(value).ok()).unwrap_or(u8::MAX));
    }
    symbols
}

/// What a row carries, if its check fits.
fn check_row(row: usize, symbols: &[u8]) -> Option<&[u8]> {
    let (carried, found) = symbols.split_at_checked(CARRY)?;
    let known = carried.iter().all(|symbol| *symbol < 32);
    (known && check(row, carried) == found).then_some(carried)
}

/// Ten bits of a hash over a row and its number: rows cannot be swapped either.
fn check(row: usize, carried: &[u8]) -> [u8; CHECK] {
    let number = u8::try_from(row).unwrap_or(u8::MAX);
    let hash = Sha256::new().chain_update(b"custos/recovery-row/v1\0").chain_update([number]);
    let hash = hash.chain_update(carried).finalize();
    [hash[0] >> 3, (hash[0] & 7) << 2 | hash[1] >> 6]
}

/// Five bits from a position on; zeros after the end.
fn take(bytes: &[u8; 32], bit: usize) -> u8 {
    let at = |index: usize| u16::from(bytes.get(index).copied().unwrap_or_default());
    let window = at(bit / 8) << 8 | at(bit / 8 + 1);
    u8::try_from(window >> (11 - bit % 8) & 31).unwrap_or_default()
}

/// The reverse of [`take`], into zeros.
fn put(bytes: &mut [u8; 33], bit: usize, symbol: u8) {
    let window = u16::from(symbol) << (11 - bit % 8);
    for (byte, part) in bytes.iter_mut().skip(bit / 8).zip(window.to_be_bytes()) {
        *byte |= part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::OsEntropy;

    fn secret(byte: u8) -> RecoverySecret {
        RecoverySecret(Key32::new([byte; 32]))
    }

    #[test]
    fn what_is_printed_is_read_back_however_it_is_typed() {
        for secret in (0..=255).map(secret).chain((0..100).map(|_| RecoverySecret::make(&mut OsEntropy))) {
            let rows = secret.rows();
            let typed =
                rows.iter().map(|row| row.to_lowercase().replace('-', " ")).collect::<Vec<_>>().join("\n");
            let typed = typed.replace('0', "o").replace('1', "l");
            for text in [&*secret.line(), typed.as_str()] {
                assert_eq!(RecoverySecret::parse(text).unwrap().expose(), secret.expose());
            }
            assert!((1..=ROWS).all(|row| RecoverySecret::row_holds(row, &rows[row - 1])));
        }
        // Of chosen secrets: one row in 1,024 holds in another's place by chance.
        for rows in (0..=255).map(|byte| secret(byte).rows()) {
            assert!(!RecoverySecret::row_holds(1, &rows[1]) || rows[0] == rows[1]);
        }
    }

    #[test]
    fn a_mistake_is_found_in_its_row() {
        let secret = secret(0x5a);
        let line = secret.line()[PREFIX.len()..].replace('-', "");
        let mut missed = 0;
        for at in 0..line.len() {
            for other in ALPHABET.iter().map(|symbol| char::from(*symbol)) {
                let mut typed = line.clone();
                typed.replace_range(at..=at, &other.to_string());
                if typed == line {
                    continue;
                }
                match RecoverySecret::parse(&typed) {
                    Err(SecretError::Row(row)) => assert_eq!(row, at / 15 + 1),
                    Err(other) => panic!("{other}"),
                    Ok(_) => missed += 1,
                }
            }
        }
        // Ten bits a row: about one mistake in a thousand is left to the seal of the file.
        assert!(missed < 10, "{missed}");
        let swapped = [&line[15..30], &line[..15], &line[30..]].concat();
        assert!(matches!(RecoverySecret::parse(&swapped), Err(SecretError::Row(1))));
        for wrong in ["", "00000", &line[1..], &format!("{line}0")] {
            assert!(matches!(RecoverySecret::parse(wrong), Err(SecretError::Length(_))));
        }
        assert!(matches!(RecoverySecret::parse(&line.replacen('B', "U", 1)), Err(SecretError::Row(_))));
    }

    #[test]
    fn a_secret_says_nothing_of_itself() {
        assert_eq!(format!("{:?}", secret(7)), "RecoverySecret(..)");
    }
}
