//! How strictly people are signed in.

use std::fmt;
use std::str::FromStr;

const MINUTE_MS: i64 = 60 * 1_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A set of limits, chosen as a whole: values that were weighed together stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// NIST SP 800-63B-4, section 2.2.3 (AAL2): at most an hour without use and a day in all, of which half is taken.
    #[default]
    Standard,
    /// FBI CJIS Security Policy, AC-11, and NIST SP 800-63B (revision 3), section 4.2.3: at most half an hour without use
    /// and twelve hours in all.
    Cjis,
}

impl Profile {
    /// Milliseconds that a session may lie unused.
    pub const fn idle_ms(self) -> i64 {
        match self {
            Self::Standard => HOUR_MS,
            Self::Cjis => 30 * MINUTE_MS,
        }
    }

    /// Milliseconds that a session lasts at most.
    pub const fn absolute_ms(self) -> i64 {
        12 * HOUR_MS
    }

    /// Characters that a password has at least. NIST SP 800-63B-4, section 3.1.1.2, asks for 8 beside a second factor, and
    /// for 15 without.
    pub const fn password_chars(self) -> usize {
        match self {
            Self::Standard => 12,
            Self::Cjis => 15,
        }
    }

    /// Milliseconds for which a second factor covers sensitive acts.
    pub const fn confirmed_ms(self) -> i64 {
        match self {
            Self::Standard => 10 * MINUTE_MS,
            Self::Cjis => 5 * MINUTE_MS,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standard => "standard",
            Self::Cjis => "cjis",
        })
    }
}

/// Neither `standard` nor `cjis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one of standard, cjis")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        [Self::Standard, Self::Cjis].into_iter().find(|one| one.to_string() == text).ok_or(UnknownProfile)
    }
}
