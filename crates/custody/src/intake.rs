//! What to ask for when an item comes in, by the jurisdiction of its case: what intake does not ask for cannot be certified
//! later.
//!
//! The facts are fields, like all others: personal values, as commitments with encrypted openings. Nothing here is a rule: an
//! item without them is taken in, and says what is missing. Each row is for review by local counsel.

use crate::id::Code;

/// Who must look at a form before anybody relies on it.
pub const REVIEW: &str = "for review by local counsel";

/// A fact that a form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The field in which it stands.
    pub field: &'static str,
    /// What the form asks.
    pub label: &'static str,
    /// Whether a certificate under the law of the form cannot be made without it.
    pub needed: bool,
}

/// What is asked for in a jurisdiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The form's name.
    pub name: &'static str,
    /// Jurisdictions of cases to which it applies, or of which the parts do (`us-ca`).
    pub jurisdictions: &'static [&'static str],
    /// The law that asks.
    pub law: &'static str,
    /// What it asks for, in the order of the form, after what every form asks for.
    pub facts: &'static [Fact],
}

const fn needed(field: &'static str, label: &'static str) -> Fact {
    Fact { field, label, needed: true }
}

const fn asked(field: &'static str, label: &'static str) -> Fact {
    Fact { field, label, needed: false }
}

/// What every form asks for.
pub const ALWAYS: &[Fact] = &[
    needed("taken-at", "When it was made or seized, with time zone"),
    needed("place", "Where it was made or seized"),
    needed("collected-by", "Who collected it: name, office"),
    needed(
        "source-type",
        "What it came from: phone, computer, camera or DVR, flash drive, disc, server, cloud, paper",
    ),
    asked("authority", "On whose authority: warrant, order, consent"),
    asked("device", "Make and model of the device"),
    asked("device-serial", "Serial number of the device"),
    asked("acquisition", "How it was copied: tool, version, method"),
    asked("condition", "State of what was seized: seals, power, lock, damage"),
    asked("notes", "Anything else"),
];

/// The forms; the first is for cases of any other jurisdiction.
pub const FORMS: &[Form] = &[
    Form {
        name: "general",
        jurisdictions: &[],
        law: "UNCITRAL Model Law on Electronic Commerce, art. 9(2)",
        facts: &[
            asked("originator", "Who made it, and how that is known"),
            asked("storage", "How it was kept and sent until now"),
        ],
    },
    Form {
        name: "india",
        jurisdictions: &["in"],
        law: "Bharatiya Sakshya Adhiniyam 2023, s. 63(4)(c) and Schedule, Parts A and B",
        facts: &[
            needed("device", "Make and model of the device"),
            needed("device-serial", "Serial number of the device"),
            needed("device-colour", "Colour of the device"),
            needed("device-ids", "IMEI, UIN, UID, MAC or cloud id"),
            needed("controlled-by", "Who had lawful control of the device and used it regularly"),
            needed("ordinary-course", "Whether it was fed in the ordinary course of activities"),
            needed("working", "Whether the device worked properly, or why a fault did not matter"),
            needed("device-held-as", "Whether they owned, maintained, managed or operated it"),
            asked("certifier", "Who will sign Part A: name, parent or spouse, address or employer"),
            asked("certifier-expert", "Who will sign Part B: name, designation"),
            asked("device-notes", "Other information on the device"),
        ],
    },
    Form {
        name: "kenya",
        jurisdictions: &["ke"],
        law: "Evidence Act (Cap. 80), ss. 78A(3) and 106B(2), (4)",
        facts: &[
            needed("device", "Make and model of each device that produced it"),
            needed("produced-how", "How the record was produced"),
            needed("controlled-by", "Who had lawful control of the device and used it regularly"),
            needed("ordinary-course", "Whether information of that kind was regularly fed in"),
            needed("working", "Whether the device worked properly, or why a fault did not matter"),
            needed("originator", "Who made it, and how that is known"),
            needed("storage", "How it was kept and sent until now"),
            asked("certifier", "Who will sign: name, responsible position"),
        ],
    },
    Form {
        name: "philippines",
        jurisdictions: &["ph"],
        law: "Rules on Electronic Evidence, A.M. No. 01-7-01-SC; Rule on Cybercrime Warrants, A.M. No. 17-11-03-SC",
        facts: &[
            needed("device", "Make of each item"),
            needed("device-serial", "Serial number of each item"),
            needed("acquisition", "The manner in which it was obtained"),
            needed("authority", "The warrant"),
            needed("access-until-deposit", "Everyone who had access from seizure to deposit"),
            needed("copies", "That no copies exist, or that all are in the sealed package"),
            asked("certifier", "Whose affidavit: name, and how they know"),
        ],
    },
    Form {
        name: "uganda",
        jurisdictions: &["ug"],
        law: "Electronic Transactions Act 2011, ss. 7 and 8; S.I. 42/2013, regs 3 and 7",
        facts: &[
            needed("produced-how", "How the data was created and acquired"),
            needed("storage", "How it was maintained and preserved until now"),
            needed("working", "Whether the computer was reliable"),
            asked("device", "Make and model of the device"),
            asked("system-access", "Who could reach database and program, and how changes were logged"),
        ],
    },
    Form {
        name: "united-states",
        jurisdictions: &["us"],
        law: "Federal Rules of Evidence 902(11), (13), (14), 803(6); 28 USC 1746",
        facts: &[
            needed("acquisition", "How it was copied: tool, version, method"),
            needed("produced-how", "The process or system that produced it, and why its result is accurate"),
            needed("certifier", "Who will certify: name, and what qualifies them"),
            asked(
                "ordinary-course",
                "For business records: made at the time, kept in the course of the activity, as a regular practice",
            ),
        ],
    },
    Form {
        name: "england-and-wales",
        jurisdictions: &["gb", "gb-eng", "gb-wls"],
        law: "Criminal Justice Act 1967, s. 9; ACPO principles 1 to 4",
        facts: &[
            needed(
                "acquisition",
                "How it was copied, so that an independent third party can repeat it: tool, version, method",
            ),
            needed("officer-in-charge", "The officer who is responsible"),
            asked(
                "original-accessed",
                "Whether the original was opened, by whom, and why they were competent to",
            ),
        ],
    },
];

/// The form for cases of a jurisdiction: its own, that of the country of which it is a part, or the general one.
pub fn form(jurisdiction: &Code) -> &'static Form {
    let code = jurisdiction.as_str();
    let country = code.split_once('-').map_or(code, |(country, _)| country);
    // Scotland and Northern Ireland have laws of their own.
    let whole = if country == "gb" { code } else { country };
    let named = |form: &&Form| form.jurisdictions.contains(&code) || form.jurisdictions.contains(&whole);
    FORMS.iter().find(named).unwrap_or(&FORMS[0])
}

impl Form {
    /// Everything that it asks for: what every form does, then its own. What it needs of the former it needs.
    pub fn all(&self) -> Vec<Fact> {
        let own = |field| self.facts.iter().find(|fact| fact.field == field).copied();
        let common = ALWAYS.iter().map(|fact| own(fact.field).unwrap_or(*fact));
        let further = self.facts.iter().filter(|fact| ALWAYS.iter().all(|known| known.field != fact.field));
        common.chain(further.copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_for(jurisdiction: &str) -> &'static str {
        form(&jurisdiction.parse().unwrap()).name
    }

    #[test]
    fn a_case_has_the_form_of_its_jurisdiction_or_of_the_country_of_which_that_is_a_part() {
        for (jurisdiction, name) in [
            ("in", "india"),
            ("in-tn", "india"),
            ("ke", "kenya"),
            ("ph", "philippines"),
            ("ug", "uganda"),
            ("us-ca", "united-states"),
            ("gb", "england-and-wales"),
            ("gb-wls", "england-and-wales"),
            ("gb-sct", "general"),
            ("gh", "general"),
            ("international", "general"),
        ] {
            assert_eq!(name_for(jurisdiction), name, "{jurisdiction}");
        }
    }

    #[test]
    fn a_form_asks_for_each_fact_once_in_a_field_that_can_be_named() {
        for form in FORMS {
            let facts = form.all();
            for (at, fact) in facts.iter().enumerate() {
                fact.field.parse::<Code>().unwrap();
                assert!(!fact.label.is_empty());
                assert!(facts[..at].iter().all(|other| other.field != fact.field), "{}", fact.field);
            }
            let mut own = form.facts.iter();
            assert!(own.all(|fact| facts.contains(fact)), "{}: what it needs it needs", form.name);
            let mut jurisdictions = form.jurisdictions.iter();
            assert!(jurisdictions.all(|code| name_for(code) == form.name));
        }
    }
}
