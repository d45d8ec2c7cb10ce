//! For how long closed cases are kept.

use std::fmt;

use custody::act::CaseType;
use custody::id::Code;
use serde::Deserialize;

use super::layers::Layers;
use super::{ConfigError, Setting, Source};

/// A year in days, never less than one of the calendar's.
const YEAR: u32 = 366;
/// Longest time that can be said: a thousand years.
const MAX_DAYS: u32 = 1_000 * YEAR;

/// For how long cases of a type are kept after they were closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    case_type: CaseType,
    jurisdiction: Option<Code>,
    days: u32,
}

/// The same, as the file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRetention {
    case_type: String,
    jurisdiction: Option<String>,
    years: Option<u32>,
    days: Option<u32>,
}

impl Retention {
    /// For how many days cases of this type in this jurisdiction are kept: by the rule for both, else by the one for the type;
    /// without end where there is none.
    pub fn days(rules: &[Self], case_type: CaseType, jurisdiction: &Code) -> Option<u32> {
        let of_type = || rules.iter().filter(|rule| rule.case_type == case_type);
        let exact = of_type().find(|rule| rule.jurisdiction.as_ref() == Some(jurisdiction));
        exact.or_else(|| of_type().find(|rule| rule.jurisdiction.is_none())).map(|rule| rule.days)
    }

    /// Rules as people read them.
    pub(super) fn shown(rules: &[Self]) -> String {
        rules.iter().map(Self::to_string).collect::<Vec<_>>().join("; ")
    }

    /// The rules of the file.
    pub(super) fn setting(
        file: Option<Vec<FileRetention>>,
        layers: &Layers<'_>,
    ) -> Result<Setting<Vec<Self>>, ConfigError> {
        let source = if file.is_some() { layers.file() } else { Source::Default };
        let path = || layers.path.clone().unwrap_or_default();
        let value = Self::of(file.unwrap_or_default())
            .map_err(|problem| ConfigError::Malformed { path: path(), problem })?;
        Ok(Setting { value, source })
    }

    /// The rules of a file, or what is wrong with them.
    fn of(file: Vec<FileRetention>) -> Result<Vec<Self>, String> {
        let mut rules: Vec<Self> = Vec::with_capacity(file.len());
        for rule in file {
            let rule = Self::read(rule)?;
            let known =
                |other: &Self| (other.case_type, &other.jurisdiction) == (rule.case_type, &rule.jurisdiction);
            if rules.iter().any(known) {
                return Err(format!("`retention`: two rules for {}: keep one of them", rule.named()));
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    fn read(rule: FileRetention) -> Result<Self, String> {
        let FileRetention { case_type, jurisdiction, years, days } = rule;
        let days = match (years, days) {
            (Some(years), None) => years.checked_mul(YEAR),
            (None, Some(days)) => Some(days),
            _ => return Err("`retention`: a rule has either `years` or `days`".to_owned()),
        };
        let days = days.filter(|days| (1..=MAX_DAYS).contains(days));
        let jurisdiction = jurisdiction.map(|code| code.parse::<Code>()).transpose();
        Ok(Self {
            case_type: case_type.parse().map_err(|error| format!("`retention`: {error}"))?,
            jurisdiction: jurisdiction.map_err(|error| format!("`retention`: jurisdiction: {error}"))?,
            days: days.ok_or_else(|| {
                format!("`retention`: a case is kept from 1 day to {MAX_DAYS} days (1,000 years)")
            })?,
        })
    }

    fn named(&self) -> String {
        let within = self.jurisdiction.as_ref().map(|code| format!(" in {code}")).unwrap_or_default();
        format!("{}{within}", self.case_type)
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} days", self.named(), self.days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Vec<Retention>, String> {
        #[derive(Deserialize)]
        struct Table {
            retention: Vec<FileRetention>,
        }
        Retention::of(toml::from_str::<Table>(text).map_err(|error| error.to_string())?.retention)
    }

    #[test]
    fn the_rule_for_a_jurisdiction_goes_before_the_one_for_everywhere() {
        let rules = rules(
            "[[retention]]\ncase_type = 'trafficking'\nyears = 10\n[[retention]]\ncase_type = 'trafficking'\n\
             jurisdiction = 'ke'\ndays = 30\n",
        )
        .unwrap();
        let days = |case_type, code: &str| Retention::days(&rules, case_type, &code.parse().unwrap());
        assert_eq!(days(CaseType::Trafficking, "ke"), Some(30));
        assert_eq!(days(CaseType::Trafficking, "gh"), Some(3_660));
        assert_eq!(days(CaseType::Other, "ke"), None, "kept without end");
        assert_eq!(rules[1].to_string(), "trafficking in ke: 30 days");
    }

    #[test]
    fn a_rule_that_says_nothing_or_two_things_is_refused() {
        for wrong in [
            "case_type = 'other'",
            "case_type = 'other'\nyears = 1\ndays = 1",
            "case_type = 'other'\ndays = 0",
            "case_type = 'other'\nyears = 100000000",
            "case_type = 'none'\ndays = 1",
            "case_type = 'other'\njurisdiction = 'K E'\ndays = 1",
            "case_type = 'other'\nday = 1",
            "case_type = 'other'\ndays = 1\n[[retention]]\ncase_type = 'other'\nyears = 1",
        ] {
            assert!(rules(&format!("[[retention]]\n{wrong}\n")).is_err(), "{wrong}");
        }
    }
}
