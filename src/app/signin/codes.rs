//! Second factors: codes by time (RFC 6238) and recovery codes. Each counts once.

use custody::digest::Digest;
use custody::entropy::Entropy as _;
use custody::id::PersonId;
use custody::time::Timestamp;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::secrets::{SignInKey, owner};
use crate::app::AppError;
use crate::engine::OsEntropy;

/// Seconds that a code is shown; the one before and the one after count as well, for clocks that are not quite right.
const STEP_SECONDS: u64 = 30;
/// Recovery codes at a time.
pub(super) const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code: 80 bits in base32.
const RECOVERY_CHARS: usize = 16;

/// A new secret for a device: 160 bits, as RFC 4226, section 4, recommends.
pub(super) fn new_secret() -> Zeroizing<[u8; 20]> {
    Zeroizing::new(OsEntropy.array())
}

/// The secret as people type it.
pub(super) fn base32(secret: &[u8; 20]) -> Zeroizing<String> {
    Zeroizing::new(Secret::new_stack(*secret).to_base32())
}

/// The secret as devices scan it.
pub(super) fn uri(secret: &[u8; 20], origin: &str) -> Zeroizing<String> {
    let host = origin.trim_start_matches("https://").replace(':', "%3A");
    let secret = base32(secret);
    Zeroizing::new(format!("otpauth://totp/Custos%20{host}?secret={}&issuer=Custos", secret.as_str()))
}

/// The time step of the code, if it is one of about now.
pub(super) fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    let secret: [u8; 20] = secret.try_into().ok()?;
    let plain = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = u64::try_from(now.millis() / 1_000).ok()?;
    totp(secret).check(code, seconds).filter(|_| plain)
}

fn totp(secret: [u8; 20]) -> Totp {
    Builder::new()
        .with_step_duration(STEP_SECONDS)
        .with_secret(Secret::new_stack(secret))
        .build_noncompliant()
}

/// Recovery codes, each in groups of four.
pub(super) fn new_recovery_codes() -> Vec<String> {
    let code = |_| {
        let random: [u8; 10] = OsEntropy.array();
        let text = Secret::new(Box::new(random)).to_base32().to_lowercase();
        let groups: Vec<_> = text.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect();
        groups.join("-")
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// What is kept of a person's recovery code, however it is typed; nothing for what cannot be one.
pub(super) fn recovery_hash(key: &SignInKey, person: &PersonId, code: &str) -> Option<Digest> {
    let letters = code.chars().filter(|letter| !matches!(letter, '-' | ' '));
    let plain: Zeroizing<String> = Zeroizing::new(letters.take(RECOVERY_CHARS + 1).collect());
    let plain = Zeroizing::new(plain.to_ascii_lowercase());
    (plain.len() == RECOVERY_CHARS).then(|| key.hash(&[b"recovery", owner(person), plain.as_bytes()]))
}

/// Hashes of all of these.
pub(super) fn recovery_hashes(
    key: &SignInKey,
    person: &PersonId,
    codes: &[String],
) -> Result<Vec<Digest>, AppError> {
    let hashes: Option<Vec<_>> = codes.iter().map(|code| recovery_hash(key, person, code)).collect();
    hashes.ok_or_else(|| AppError::internal("making recovery codes")("one has another length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        let secret = b"12345678901234567890";
        // The last six of the eight digits printed there.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step_of(secret, code, at(seconds)), Some(seconds.unsigned_abs() / 30), "{seconds}");
            assert_eq!(step_of(secret, code, at(seconds + 30)), Some(seconds.unsigned_abs() / 30));
            assert_eq!(step_of(secret, code, at(seconds + 90)), None, "{seconds}");
        }
        for wrong in ["", "28708", "2870821", "28708a", " 287082", "287 082", "２８７０８２"] {
            assert_eq!(step_of(secret, wrong, at(59)), None, "{wrong}");
        }
    }

    #[test]
    fn a_device_scans_the_secret_that_people_can_type_too() {
        let uri = uri(b"12345678901234567890", "https://vault.example.org:8443");
        let expected = "otpauth://totp/Custos%20vault.example.org%3A8443?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Custos";
        assert_eq!(uri.as_str(), expected);
    }
}
