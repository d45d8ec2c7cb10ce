//! Times: RFC 3339 in UTC with exactly milliseconds, `2026-11-21T09:30:00.000Z`.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. A claim when a person makes it, the vault's word when the vault does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a value is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written YYYY-MM-DDThh:mm:ss.mmmZ, in the years 0000 to 9999")]
pub struct TimeError;

/// 9999-12-31T23:59:59.999Z less the day that jiff keeps free for time zones, rounded to a plain limit.
const MAX_MILLIS: i64 = 253_402_207_200_000 - 1;

impl Timestamp {
    /// The largest time, 9999-12-30T21:59:59.999Z.
    pub const MAX: Self = Self(MAX_MILLIS);

    /// From milliseconds since 1970; years 1970 to 9999.
    pub const fn from_millis(millis: i64) -> Result<Self, TimeError> {
        if millis < 0 || millis > MAX_MILLIS { Err(TimeError) } else { Ok(Self(millis)) }
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time plus `millis`, held at the largest time.
    #[must_use]
    pub const fn saturating_add_millis(self, millis: i64) -> Self {
        let sum = self.0.saturating_add(millis);
        Self(if sum < 0 {
            0
        } else if sum > MAX_MILLIS {
            MAX_MILLIS
        } else {
            sum
        })
    }
}

impl core::str::FromStr for Timestamp {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        if text.len() != "2026-11-21T09:30:00.000Z".len() {
            return Err(TimeError);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| TimeError)?;
        let time = Self::from_millis(parsed.as_millisecond())?;
        // Only the one spelling: whatever jiff reads more leniently does not print back the same.
        if time.to_string() == text { Ok(time) } else { Err(TimeError) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::id::text(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_one_spelling() {
        let text = "2026-11-21T09:30:00.007Z";
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(time.to_string(), text);
        for other in [
            "2026-11-21T09:30:00Z",
            "2026-11-21T09:30:00.007+00:00",
            "2026-11-21t09:30:00.007z",
            "2026-02-30T09:30:00.007Z",
            "2026-11-21 09:30:00.007Z",
        ] {
            assert!(other.parse::<Timestamp>().is_err(), "{other} was accepted");
        }
        assert_eq!(
            Timestamp::from_millis(MAX_MILLIS).unwrap().to_string().parse(),
            Timestamp::from_millis(MAX_MILLIS)
        );
    }
}
