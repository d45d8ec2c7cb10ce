//! docs/RIGHTS.md says what the table of rights says: it is made from it.

#![expect(clippy::unwrap_used, reason = "a test says by failing")]

use std::fmt::Write as _;
use std::path::Path;

use custody::act::{CaseRole, VaultRole};
use custody::rules::{Holders, Right, Row};

#[test]
fn the_page_of_rights_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/RIGHTS.md");
    let page = page();
    if std::env::var_os("CUSTOS_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/RIGHTS.md is not what the table says: CUSTOS_WRITE_DOCS=1 cargo test -p custody --test rights_page"
    );
}

fn page() -> String {
    let mut page = String::from(HEAD);
    let rows = |of_case| {
        let rows = Right::ALL.iter().map(|right| right.row());
        rows.filter(move |row: &&Row| matches!(row.holders, Holders::Case(_)) == of_case)
    };
    head(&mut page, "In the vault", VaultRole::ALL.iter().map(|role| role.name()), &[]);
    for row in rows(false) {
        line(&mut page, row, VaultRole::ALL.iter().map(|role| role.permits(row.right)), &[]);
    }
    let columns = ["in a closed case"];
    head(&mut page, "In a case", CaseRole::ALL.iter().map(|role| role.name()), &columns);
    for row in rows(true) {
        let closed = if row.in_closed { "yes" } else { "–" };
        line(&mut page, row, CaseRole::ALL.iter().map(|role| role.permits(row.right)), &[closed]);
    }
    page.push_str("\n## What it takes to say something\n\n| right | without it nobody says | nor of others |\n|---|---|---|\n");
    for row in Right::ALL.iter().map(|right| right.row()) {
        let names = |kinds: &[custody::kind::Kind]| {
            let names: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            if names.is_empty() { "–".to_owned() } else { names.join(", ") }
        };
        writeln!(page, "| `{}` | {} | {} |", row.code, names(row.acts), names(row.acts_on_others)).unwrap();
    }
    page.push_str(TAIL);
    page
}

fn head<'a>(page: &mut String, title: &str, roles: impl Iterator<Item = &'a str>, more: &[&'a str]) {
    let columns: Vec<_> = roles.chain(more.iter().copied()).collect();
    let rule = "---|".repeat(columns.len() + 2);
    writeln!(page, "\n## {title}\n\n| right | what | {} |\n|{rule}", columns.join(" | ")).unwrap();
}

fn line(page: &mut String, row: &Row, has: impl Iterator<Item = bool>, more: &[&str]) {
    let cells: Vec<_> = has.map(|has| if has { "yes" } else { "–" }).chain(more.iter().copied()).collect();
    writeln!(page, "| `{}` | {} | {} |", row.code, row.what.trim_start(), cells.join(" | ")).unwrap();
}

const HEAD: &str = "# Rights

Made from the table that the rules and the service decide by (`crates/custody/src/rules/rights.rs`). Change it there;
a test fails until this page follows.

Whoever is not named may not. A role counts from when it is granted, or from its `from` on, until it is taken away or its
`until` has come; the time at which the vault receives something decides. Who has several roles has the rights of all.
Nobody who is suspended has any.
";

const TAIL: &str = "
## Beside the table

- **Whoever has no role in a case that counts now does not learn that it exists**: a foreign case and one that there is not
  get the same answer.
- An administrator is never a member of a case, nor a member an administrator, whether the role counts now or not.
- Who opens a case leads it. Nobody takes the lead, or the administrator's role, from themselves; from somebody who has it
  without an end, only who has it without an end too. So one is always left. Who has one of the two for a time gives it to
  nobody, themselves included, for longer.
- Everybody may revoke their own keys and suspend themselves, and enrol a further key by one that they have. A colleague of
  the same organisation may suspend somebody who has not `revoke-keys`, without doubting what they said before.
- An item is offered, moved, sealed and unsealed by its custodian, and an offer answered by whom it was made to.
- What is closed is read, exported, corrected, transferred and given other members; nothing is added to it.
";
