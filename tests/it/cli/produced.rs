//! Restricted content produced to a court, with the commands, and opened by the court without us.

use std::path::Path;
use std::process::Command;

use super::flow::{Vault, text};

/// Runs a program in the folder and returns what it says; it must succeed.
fn tool(folder: &Path, program: &str, args: &[&str]) -> String {
    let run =
        Command::new(program).args(args).current_dir(folder).output().expect("installed by tests/setup.sh");
    assert!(run.status.success(), "{program} {args:?}: {run:?}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn what_a_court_ordered_goes_to_it_under_its_own_key_and_to_nobody_else() {
    let vault = Vault::serve();
    let (lead, ben) = (vault.person("lead", &["investigator"]), vault.person("ben", &[]));
    let (pia, dan) = (vault.person("pia", &[]), vault.person("dan", &[]));
    let jude = vault.person("jude", &[]);
    let open = ["case", "open", "--title", "The quarry", "--type", "other", "--jurisdiction", "ke"];
    let case = text(&vault.ok("lead", &open)["case"]).to_owned();
    for (who, role) in [(&ben, "custodian"), (&pia, "prosecutor"), (&dan, "defence"), (&jude, "court")] {
        vault.ok("lead", &["case", "add-member", &case, who, role]);
    }
    for who in ["lead", "ben", "pia", "dan"] {
        vault.ok(who, &["key", "recipient"]);
    }
    // More than one segment, and not a whole number of them.
    let content = b"for the court alone ".repeat(40_000);
    std::fs::write(vault.path().join("video.mp4"), &content).unwrap();
    std::fs::write(vault.path().join("order.pdf"), b"Order 12 of the high court").unwrap();
    std::fs::write(vault.path().join("other.pdf"), b"Order 13").unwrap();
    let (one, other) = (format!("{lead},{ben}"), format!("{dan},{pia}"));
    let put = ["put", &case, "video.mp4", "--class", "restricted", "--pair", &one, "--pair", &other];
    let item = text(&vault.lines("lead", &put)[0]["result"]["item"]).to_owned();

    // The court makes its key with a program that it trusts.
    tool(vault.path(), "age-keygen", &["-o", "court.key"]);
    let court = tool(vault.path(), "age-keygen", &["-y", "court.key"]).trim().to_owned();
    tool(vault.path(), "age-keygen", &["-o", "wrong.key"]);
    let wrong = tool(vault.path(), "age-keygen", &["-y", "wrong.key"]).trim().to_owned();

    let propose = ["produce", "propose", &item, "--order", "order.pdf", "--recipient", &court];
    let proposed = vault.ok("lead", &[&propose[..], &["--authority", "High Court, 12/2026"]].concat());
    let proposal = text(&proposed["proposal"]).to_owned();
    let export = ["export", &case, "--purpose", "court"];
    let carries = ["--produce", proposal.as_str(), "--out", "early.zip"];
    assert_eq!(vault.code("pia", &[&export[..], &carries].concat()), 1, "nobody has agreed");
    let approve = ["produce", "approve", &item, &proposal];
    let with = |order, recipient| [&approve[..], &["--order", order, "--recipient", recipient]].concat();
    assert_eq!(vault.code("pia", &with("other.pdf", court.as_str())), 1, "another order");
    assert_eq!(vault.code("pia", &with("order.pdf", wrong.as_str())), 1, "another court");
    assert_eq!(vault.code("lead", &with("order.pdf", court.as_str())), 6, "one's own proposal");
    for who in ["pia", "jude"] {
        vault.ok(who, &with("order.pdf", court.as_str()));
    }
    let listed = vault.ok("ben", &["produce", "list", &item]);
    assert!(text(&listed[0]["waits"][0]).contains("two of a pair"), "{listed}");

    // The lead seals it, helped by Ben.
    let seal = ["produce", "seal", &item, &proposal, "--with", &ben, "--recipient"];
    assert_eq!(
        vault.code("lead", &[&seal[..], &[wrong.as_str()]].concat()),
        1,
        "not to a key that the vault says"
    );
    let waits = vault.run("lead", &[&seal[..], &[court.as_str()]].concat());
    assert_eq!(waits.status.code(), Some(4), "{waits:?}");
    let access = text(&super::flow::json(&waits)["access"]).to_owned();
    vault.ok("ben", &["open", &item, "--with", &lead, "--purpose", "court-order"]);
    vault.ok("lead", &[&seal[..], &[court.as_str(), "--access", &access]].concat());
    assert_eq!(text(&vault.ok("ben", &["produce", "list", &item])[0]["stage"]), "sealed");

    // Bundles carry it that say so, and no others.
    let made = vault.ok("pia", &[&export[..], &["--produce", &proposal, "--out", "court.zip"]].concat());
    vault.ok("pia", &[&export[..], &["--out", "plain.zip"]].concat());
    let verify = |bundle: &str, more: &[&str]| {
        let fingerprint = text(&made["fingerprint"]).to_owned();
        vault.run("pia", &[&["verify", bundle, "--fingerprint", &fingerprint][..], more].concat())
    };
    let plain = verify("plain.zip", &[]);
    assert!(String::from_utf8_lossy(&plain.stdout).contains("in no bundle"), "{plain:?}");
    let sealed = verify("court.zip", &["--open-with", "court.key", "--into", "opened"]);
    let report = super::flow::json(&sealed);
    assert!(matches!(sealed.status.code(), Some(0 | 4)), "{sealed:?}");
    assert!(!report.to_string().contains("in no bundle"), "{report}");
    let produced = &report["facts"]["produced"][0];
    assert_eq!((text(&produced["exhibit"]), text(&produced["recipient"])), ("E-0001", court.as_str()));
    assert_eq!(produced["approved_by"], serde_json::json!(["pia", "jude"]));
    assert!(report["not_checked"].to_string().contains("--open-with"), "{report}");
    let opened: Vec<_> = std::fs::read_dir(vault.path().join("opened")).unwrap().collect();
    assert_eq!(opened.len(), 1);
    assert_eq!(std::fs::read(vault.path().join("opened/E-0001-video.mp4")).unwrap(), content);
    let again = verify("court.zip", &["--open-with", "court.key", "--into", "opened"]);
    assert!(!matches!(again.status.code(), Some(0 | 4)), "nothing is overwritten: {again:?}");
    for (bundle, key) in [("court.zip", "wrong.key"), ("plain.zip", "court.key")] {
        let refused = verify(bundle, &["--open-with", key, "--into", "nothing"]);
        assert!(!matches!(refused.status.code(), Some(0 | 4)), "{refused:?}");
        assert!(!vault.path().join("nothing").exists());
    }
    // Both halves open with stock age, and neither is enough.
    vault.ok("pia", &[&export[..], &["--produce", &proposal, "--folder", "court"]].concat());
    let halves = vault.path().join("court/data/sealed/E-0001");
    for half in ["persons", "vault"] {
        let file = halves.join(format!("{proposal}.{half}.age"));
        tool(vault.path(), "age", &["-d", "-i", "court.key", "-o", "half", file.to_str().unwrap()]);
        assert_eq!(std::fs::read(vault.path().join("half")).unwrap().len(), 32);
    }
    let stored = std::fs::read(halves.join("content.sealed")).unwrap();
    assert!(!stored.windows(20).any(|bytes| bytes == b"for the court alone "));

    // It ends, and what was made before is in the court's hands.
    vault.ok("jude", &["produce", "decline", &item, &proposal]);
    assert_eq!(vault.code("pia", &[&export[..], &["--produce", &proposal, "--out", "late.zip"]].concat()), 1);
    assert_eq!(vault.code("lead", &[&seal[..], &[court.as_str(), "--access", &access]].concat()), 1);
}
