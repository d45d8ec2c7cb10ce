//! Holds, disposals and the keys that they wait for, as they are typed.

use std::process::Command;

use serde_json::Value;

use super::flow::{Vault, text};

/// A case of Ida's with one exhibit; Carl is its custodian, Pat prosecutes.
fn case(vault: &Vault) -> (String, String) {
    vault.person("ida", &["investigator"]);
    let (carl, pat) = (vault.person("carl", &["custodian"]), vault.person("pat", &[]));
    let open = ["case", "open", "--title", "A case", "--type", "other", "--jurisdiction", "xx"];
    let case = text(&vault.ok("ida", &open)["case"]).to_owned();
    for (person, role) in [(&carl, "custodian"), (&pat, "prosecutor")] {
        vault.ok("ida", &["case", "add-member", &case, person, role]);
    }
    std::fs::write(vault.path().join("one.txt"), "what is destroyed").unwrap();
    let put = vault.lines("ida", &["put", &case, "one.txt"]);
    (case, text(&put[0]["result"]["item"]).to_owned())
}

fn stage(vault: &Vault, proposal: &str) -> String {
    text(&vault.ok("ida", &["dispose", "show", proposal])["stage"]).to_owned()
}

#[test]
fn what_two_agree_to_destroy_is_destroyed_unless_a_hold_is_on_it() {
    let mut vault = Vault::serve();
    let (case, item) = case(&vault);
    let why = ["--purpose", "pending-trial", "--authority", "High Court, order 7"];
    let placed = vault.ok("pat", &[&["hold", "place", &case, "--item", &item][..], &why].concat());
    let hold = text(&placed["hold"]);
    let propose = ["dispose", "propose", "--item", &item, "--ground", "court-order"];
    let refused = vault.run("carl", &propose);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("[held]"), "{refused:?}");
    let holds = vault.ok("ida", &["hold", "list", &case]);
    assert_eq!((text(&holds[0]["record"]), text(&holds[0]["item"])), (hold, &*item));
    let release = [&["hold", "release", &case, hold][..], &why].concat();
    assert_eq!(vault.code("carl", &release), 6, "a custodian releases nothing");
    vault.ok("pat", &release);
    assert_eq!(vault.code("pat", &release), 1, "once");
    assert_eq!(vault.code("pat", &[&["hold", "release", &case, &"0".repeat(64)][..], &why].concat()), 5);

    assert_eq!(vault.code("carl", &["dispose", "propose", "--case", &case, "--ground", "x"]), 2, "of what?");
    let proposed = |who: &str| text(&vault.ok(who, &propose)["proposal"]).to_owned();
    let declined = proposed("carl");
    vault.ok("pat", &["dispose", "decline", &declined]);
    let proposal = proposed("carl");
    let approve = |who: &str, role: &str| {
        vault.run(who, &["dispose", "approve", &proposal, "--as", role, "--no-disclosure-pending"])
    };
    assert_eq!(vault.code("ida", &["dispose", "approve", &proposal, "--as", "lead"]), 2, "it is to be said");
    for (who, role, code) in [("carl", "custodian", 6), ("pat", "lead", 1), ("ida", "lead", 0)] {
        assert_eq!(approve(who, role).status.code(), Some(code), "{who} as {role}");
    }
    assert_eq!(vault.code("ida", &["dispose", "certificate", &proposal, "--out", "early"]), 5);
    assert_eq!(approve("pat", "prosecutor").status.code(), Some(0));
    let shown = vault.ok("pat", &["dispose", "show", &proposal]);
    assert_eq!((text(&shown["stage"]), shown["approvals"].as_array().unwrap().len()), ("proposed", 2));
    let listed = vault.ok("ida", &["dispose", "list", "--case", &case]);
    let stages: Vec<_> = listed.as_array().unwrap().iter().map(|found| text(&found["stage"])).collect();
    assert_eq!(stages, ["declined", "proposed"]);

    // A service that begins carries out what is left.
    vault.stop();
    vault.serve_again();
    while stage(&vault, &proposal) == "proposed" {}
    assert_eq!(stage(&vault, &proposal), "executed");
    assert_eq!(vault.code("ida", &["get", &item, "--purpose", "case-review", "--out", "none"]), 5);
    certified(&vault, &proposal);
    assert_eq!(vault.code("ida", &["dispose", "certificate", &proposal, "--out", "destroyed"]), 1, "once");

    // The key that wrapped it dies with the next.
    let served = ["key", "rotate-kek", "--data-dir", "vault", "--listen", vault.address()];
    let refused = vault.run("admin", &served);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hint: stop the service"), "{refused:?}");
    let address = vault.address().to_owned();
    vault.stop();
    let rotated = vault.ok("admin", &["key", "rotate-kek", "--data-dir", "vault", "--listen", &address]);
    assert_eq!((&rotated["kek"], &rotated["new"]), (&2.into(), &true.into()));
    assert_eq!(rotated["destroyed"], serde_json::json!([1]));
    let doctor = vault.ok("admin", &["doctor", "--data-dir", "vault"]);
    let age = doctor.as_array().unwrap().iter().find(|found| found["check"] == "key encryption key");
    assert!(age.is_some_and(|age| age["ok"] == true && age["mend"] == Value::Null), "{doctor}");
    vault.serve_again();
    let waits = vault.ok("ida", &["dispose", "show", &proposal])["waits"].to_string();
    assert!(waits.contains("backup_days") && !waits.contains("kek"), "{waits}");
}

/// What the folder holds is what the certificate's own words have one type.
fn certified(vault: &Vault, proposal: &str) {
    vault.ok("ida", &["dispose", "certificate", proposal, "--out", "destroyed"]);
    let folder = vault.path().join("destroyed");
    let text = std::fs::read_to_string(folder.join("certificate.txt")).unwrap();
    assert!(text.contains("PROVISIONAL") && text.contains(proposal), "{text}");
    let command = text.lines().find_map(|line| line.strip_prefix("To check it: ")).unwrap();
    assert!(command.starts_with("openssl "), "{command}");
    let mut openssl = Command::new("sh");
    let openssl = openssl.args(["-c", command]).current_dir(&folder).output().unwrap();
    assert!(openssl.status.success(), "{command}: {openssl:?}");
}
