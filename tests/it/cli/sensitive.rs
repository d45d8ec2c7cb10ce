//! What nobody reads alone, and what somebody reads in an emergency, with the commands.

use std::path::Path;
use std::process::Command;

use super::flow::{Vault, json, text};

/// Lead, custodian, prosecutor and defence of a case.
fn four(vault: &Vault) -> ([String; 4], String) {
    let people = [("lead", "investigator"), ("ben", ""), ("pia", ""), ("dan", "")]
        .map(|(name, role)| vault.person(name, &[role][..usize::from(!role.is_empty())]));
    let open = ["case", "open", "--title", "The quarry", "--type", "other", "--jurisdiction", "ke"];
    let case = text(&vault.ok("lead", &open)["case"]).to_owned();
    for (who, role) in people[1..].iter().zip(["custodian", "prosecutor", "defence"]) {
        vault.ok("lead", &["case", "add-member", &case, who, role]);
    }
    (people, case)
}

/// Two open a restricted item with the commands that they are told; what is sealed to one of them opens with stock `age`.
#[test]
fn two_persons_open_a_restricted_item_with_the_commands() {
    let vault = Vault::serve();
    let ([lead, ben, pia, dan], case) = four(&vault);
    let recipients = ["lead", "ben", "pia", "dan"].map(|who| {
        let named = vault.ok(who, &["key", "recipient"]);
        assert_eq!(vault.ok(who, &["key", "recipient"]), named, "once a key");
        text(&named["recipient"]).to_owned()
    });
    let content = b"seen by two ".repeat(40_000);
    std::fs::write(vault.path().join("video.mp4"), &content).unwrap();
    let (one, other) = (format!("{lead},{ben}"), format!("{dan},{pia}"));
    let put = ["put", &case, "video.mp4", "--class", "restricted", "--pair", &one];
    assert_eq!(vault.code("lead", &put), 1, "one pair is not enough");
    let taken = vault.lines("lead", &[&put[..], &["--pair", &other]].concat());
    let item = text(&taken[0]["result"]["item"]).to_owned();
    assert_eq!(vault.code("lead", &["get", &item, "--purpose", "review"]), 1, "nobody reads it alone");

    let reads = ["open", &item, "--with", &lead, "--purpose", "review", "--out", "mine.mp4"];
    let waits = vault.run("ben", &reads);
    assert_eq!(waits.status.code(), Some(4), "{waits:?}");
    let access = text(&json(&waits)["access"]).to_owned();
    assert_eq!(vault.code("lead", &["open", &item, "--with", &pia, "--purpose", "review"]), 6, "no pair");
    assert_eq!(
        vault.ok("lead", &["open", &item, "--with", &ben, "--purpose", "review"])["contributed"],
        true
    );
    let read = vault.ok("ben", &[&reads[..], &["--access", &access]].concat());
    assert_eq!(read["bytes"], content.len());
    assert_eq!(std::fs::read(vault.path().join("mine.mp4")).unwrap(), content);
    assert!(!vault.path().join("mine.mp4.part").exists());

    // What the vault keeps for the lead and Ben, opened without us.
    for who in ["lead", "ben"] {
        let written = vault.ok(who, &["key", "identity", "--out", &format!("{who}.age")]);
        assert!(recipients.contains(&text(&written["recipient"]).to_owned()));
    }
    let sealed = sealed_halves(&vault.path().join("vault/custos.db"), &lead, &ben);
    std::fs::write(vault.path().join("outer.age"), sealed).unwrap();
    for (identity, from, to) in [("lead.age", "outer.age", "inner.age"), ("ben.age", "inner.age", "half")] {
        let opened = Command::new("age")
            .args(["-d", "-i", identity, "-o", to, from])
            .current_dir(vault.path())
            .output();
        let opened = opened.expect("age is installed by tests/setup.sh");
        assert!(opened.status.success(), "{opened:?}");
    }
    assert_eq!(std::fs::read(vault.path().join("half")).unwrap().len(), 32);

    // Two papers instead of a second pair.
    let papers = vault.ok("lead", &["key", "paper", "--out", "papers"]);
    let recovery = [text(&papers["recipients"][0]), text(&papers["recipients"][1])].join(",");
    std::fs::write(vault.path().join("second.mp4"), b"second").unwrap();
    let put = ["put", &case, "second.mp4", "--class", "restricted", "--pair", &one, "--recovery", &recovery];
    let second = text(&vault.lines("lead", &put)[0]["result"]["item"]).to_owned();
    let helps = ["open", &second, "--with", &pia, "--purpose", "court", "--paper", "papers/paper-1.txt"];
    vault.ok("dan", &helps);
    let reads = [
        "open",
        &second,
        "--with",
        &dan,
        "--purpose",
        "court",
        "--paper",
        "papers/paper-2.txt",
        "--out",
        "2.mp4",
    ];
    vault.ok("pia", &reads);
    assert_eq!(std::fs::read(vault.path().join("2.mp4")).unwrap(), b"second");
}

/// The file that `first` opens, with one in it that `second` opens.
fn sealed_halves(database: &Path, first: &str, second: &str) -> Vec<u8> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sql = format!("SELECT sealed FROM sealed_halves WHERE first = '{first}' AND second = '{second}'");
    runtime.block_on(crate::support::raw::bytes(&format!("sqlite://{}", database.display()), &sql))
}

#[test]
fn somebody_reads_in_an_emergency_and_another_says_what_they_think_of_it() {
    let vault = Vault::serve();
    vault.person("ida", &["investigator"]);
    let pia = vault.person("pia", &[]);
    let otto = vault.person("otto", &["investigator"]);
    let open = ["case", "open", "--title", "A case", "--type", "other", "--jurisdiction", "xx"];
    let case = text(&vault.ok("ida", &open)["case"]).to_owned();
    vault.ok("ida", &["case", "add-member", &case, &pia, "prosecutor"]);
    std::fs::write(vault.path().join("map.png"), b"where they are").unwrap();
    let item = text(&vault.lines("ida", &["put", &case, "map.png"])[0]["result"]["item"]).to_owned();

    let get = ["get", &item, "--purpose", "life-in-danger", "--out", "found.png"];
    assert_eq!(vault.code("otto", &get), 5, "no member");
    let glass = ["--break-glass", "A child is held there now", "--case", &case];
    assert_eq!(vault.code("pia", &[&get[..], &glass].concat()), 6, "no investigator of the vault");
    assert_eq!(vault.code("ida", &[&get[..], &glass].concat()), 1, "who may read needs no emergency");
    assert!(!vault.path().join("found.png").exists());
    let read = vault.ok("otto", &[&get[..], &glass].concat());
    assert_eq!(read["bytes"], 14);
    assert_eq!(std::fs::read(vault.path().join("found.png")).unwrap(), b"where they are");

    let found = vault.ok("ida", &["case", "emergencies", &case]);
    assert_eq!((&found[0]["person"], &found[0]["review"]), (&otto.into(), &"open".into()));
    let review =
        ["item", "review", &item, text(&found[0]["record"]), "--finding", "Right, and told us at once"];
    assert_eq!(vault.code("otto", &review), 5, "whoever read is no member");
    vault.ok("pia", &review);
    assert_eq!(vault.ok("pia", &["case", "emergencies", &case])[0]["review"], "closed");
    assert_eq!(vault.code("ida", &review), 1, "once");
    let custody = serde_json::json!(vault.lines("ida", &["custody", "item", &item])).to_string();
    assert!(custody.contains("A child is held there now") && custody.contains("told us at once"));
}

#[test]
fn a_process_that_has_keys_in_memory_writes_no_core_dump() {
    let vault = Vault::serve();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", vault.process())).unwrap();
    let core: Vec<_> = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(core[4..6], ["0", "0"], "neither now nor by raising it");
    let unit = include_str!("../../../deploy/custos.service");
    for line in ["LimitCORE=0", "MemorySwapMax=0"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn a_key_takes_the_place_of_another() {
    let vault = Vault::serve();
    let ida = vault.person("ida", &[]);
    let keys = || vault.ok("ida", &["key", "list", "--person", &ida]).as_array().unwrap().clone();
    let first = keys()[0]["hash"].clone();
    let new = vault.ok("ida", &["key", "enroll", "--replace"]);
    let found = keys();
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|key| key["hash"] == first && !key["revoked"].is_null()), "{found:?}");
    assert!(found.iter().any(|key| key["hash"] == new["key"] && key["revoked"].is_null()));
    vault.ok("ida", &["key", "recipient"]);
}

/// A file is sealed where it lies: the vault gets nothing that it could read, and says so; whoever opens it says what it was.
#[test]
fn a_file_is_sealed_on_the_sender_s_device_with_the_commands() {
    let vault = Vault::serve();
    let ([lead, ben, pia, dan], case) = four(&vault);
    for who in ["lead", "ben", "pia", "dan"] {
        vault.ok(who, &["key", "recipient"]);
    }
    let folder = vault.path().join("phone");
    std::fs::create_dir(&folder).unwrap();
    let long = b"QzxUnseenXzq ".repeat(90_000);
    for (name, content) in [("long.mp4", &long[..]), ("empty.txt", b""), ("short.txt", b"QzxUnseenXzq")] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let (one, other) = (format!("{lead},{ben}"), format!("{dan},{pia}"));
    let pairs = ["--pair", &one, "--pair", &other];
    let open_class = [&["put", &case, "phone", "--seal-here"], &pairs[..]].concat();
    assert_eq!(vault.code("lead", &open_class), 2, "only what two persons open");
    let put = [&["put", &case, "phone", "--seal-here", "--class", "restricted"], &pairs[..]].concat();
    // First the keys are shown, to be compared; nothing is sent to keys that nobody has looked at, or to others.
    let shown = vault.run("lead", &put);
    assert_eq!(shown.status.code(), Some(4), "{shown:?}");
    let shown = json(&shown);
    assert_eq!(shown["sealed_to"].as_array().unwrap().len(), 4);
    let keys = text(&shown["keys"]).to_owned();
    let zero = "0".repeat(64);
    let others = [&put[..], &["--keys", &zero]].concat();
    assert_eq!(vault.code("lead", &others), 4, "other keys than were compared");
    assert_eq!(vault.ok("lead", &["item", "list", &case]), serde_json::json!([]));
    let put = [&put[..], &["--keys", &keys]].concat();
    let taken = vault.lines("lead", &put);
    assert_eq!(taken.last().unwrap()["summary"]["sealed_here"], 3);
    let again = vault.lines("lead", &put);
    assert_eq!(again.last().unwrap()["summary"]["already_there"], 3, "as often as one likes");
    let item = |name: &str| {
        let of = taken.iter().find(|line| line["result"]["path"] == format!("phone/{name}"));
        let result = &of.unwrap()["result"];
        assert_eq!(
            (&result["outcome"], &result["on_arrival"]),
            (&"sealed-here".into(), &serde_json::Value::Null)
        );
        text(&result["item"]).to_owned()
    };
    assert_eq!(vault.ok("lead", &["item", "show", &item("long.mp4")])["sealed_by"], "sender");
    for entry in walkdir::WalkDir::new(vault.path().join("vault")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(12).any(|w| w == b"QzxUnseenXzq"), "{}", entry.path().display());
        }
    }

    for (name, content) in [("long.mp4", &long[..]), ("empty.txt", b"")] {
        let item = item(name);
        vault.ok("dan", &["open", &item, "--with", &pia, "--purpose", "review"]);
        let read = vault.ok("pia", &["open", &item, "--with", &dan, "--purpose", "review", "--out", name]);
        assert_eq!(std::fs::read(vault.path().join(name)).unwrap(), content);
        assert_eq!(read["all_halves_hold"], true);
        let custody = vault.lines("pia", &["custody", "item", &item]);
        let found = custody.iter().filter(|record| record["kind"] == "fixity.passed");
        assert_eq!(found.map(|record| text(&record["actor"])).collect::<Vec<_>>(), [&pia]);
    }

    // Somebody was given garbage: it shows to themselves, and to whoever opens it otherwise; both is on record.
    let broken = item("short.txt");
    let cell = format!("object = (SELECT object FROM objects WHERE item = '{broken}') AND first = '{dan}'");
    let url = format!("sqlite://{}", vault.path().join("vault/custos.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(crate::support::raw::flip(&url, "sealed_halves", "sealed", &cell));
    let refused = vault.run("dan", &["open", &broken, "--with", &pia, "--purpose", "review"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("on record"), "{refused:?}");
    vault.ok("ben", &["open", &broken, "--with", &lead, "--purpose", "review"]);
    let reads = ["open", &broken, "--with", &ben, "--purpose", "review", "--out", "short.txt"];
    let read = vault.run("lead", &reads);
    assert_eq!(read.status.code(), Some(1), "{read:?}");
    assert_eq!(
        std::fs::read(vault.path().join("short.txt")).unwrap(),
        b"QzxUnseenXzq",
        "it opened all the same"
    );
    let custody = vault.lines("pia", &["custody", "item", &broken]);
    let found = custody.iter().filter(|record| text(&record["kind"]).starts_with("fixity"));
    let found: Vec<_> = found.map(|record| (text(&record["kind"]), text(&record["actor"]))).collect();
    assert_eq!(found, [("fixity.failed", &*dan), ("fixity.passed", &*lead), ("fixity.failed", &*lead)]);

    // Whoever wants it sealed here is not told that all is well where the vault has had it in the clear, or is to have it.
    let cut = vault.path().join("cut.bin");
    std::fs::write(&cut, b"cut").unwrap();
    let plain = [&["put", &case, "cut.bin", "--class", "restricted"], &pairs[..]].concat();
    vault.lines("lead", &plain);
    let sealed = [&plain[..], &["--seal-here", "--keys", &keys]].concat();
    let refused = vault.run("lead", &sealed);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("in the clear"), "{refused:?}");
    let back = vault.run("lead", &[&["put", &case, "phone", "--class", "restricted"], &pairs[..]].concat());
    assert_eq!(back.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&back.stdout).contains("--seal-here"), "{back:?}");
}
