//! What to ask for at intake, and what was not given.

use std::collections::BTreeMap;

use custody::id::{CaseId, Code};

use super::Out;
use super::table::table;
use crate::api;
use crate::client::Client;

/// The form as a table.
pub(super) fn show(form: &api::IntakeForm) -> String {
    let row = |fact: &api::IntakeFact| {
        let needed = if fact.needed { "needed" } else { "" };
        [fact.field.clone(), needed.to_owned(), fact.label.clone()]
    };
    let rows: Vec<_> = form.facts.iter().map(row).collect();
    let facts = table(["field", "certificate", "what"], &rows);
    format!("{} ({}); {}\n{facts}", form.law, form.jurisdiction, form.review)
}

/// Says which facts a certificate needs that are not given. Whatever is wrong with the form keeps nothing out.
pub(super) async fn warn(client: &Client, case: CaseId, fields: &BTreeMap<Code, String>, out: Out) {
    let Ok(form) = client.intake_form(case).await else { return };
    let missing = missing(&form, fields);
    if !missing.is_empty() {
        out.say(&format!(
            "not given, so that it cannot be certified later ({}): {}",
            form.law,
            missing.join(", ")
        ));
        out.say(&format!("hint: --field NAME=VALUE; custos case form {case} says what each is"));
    }
}

fn missing<'a>(form: &'a api::IntakeForm, fields: &BTreeMap<Code, String>) -> Vec<&'a str> {
    let given =
        |field: &str| fields.iter().any(|(name, value)| name.as_str() == field && !value.trim().is_empty());
    let needed = form.facts.iter().filter(|fact| fact.needed && !given(&fact.field));
    needed.map(|fact| fact.field.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_certificate_needs_and_nobody_said_is_missing() {
        let fact =
            |field: &str, needed| api::IntakeFact { field: field.into(), label: "What".into(), needed };
        let form = api::IntakeForm {
            name: "kenya".into(),
            jurisdiction: "ke".into(),
            law: "Evidence Act".into(),
            review: "for review".into(),
            facts: vec![
                fact("place", true),
                fact("working", true),
                fact("device", true),
                fact("notes", false),
            ],
        };
        let given = |name: &str, value: &str| (name.parse().unwrap(), value.to_owned());
        let fields = [given("place", " "), given("device", "a phone")].into();
        assert_eq!(missing(&form, &fields), ["place", "working"]);
        assert!(show(&form).starts_with("Evidence Act (ke); for review\n"));
    }
}
