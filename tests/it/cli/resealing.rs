//! A restricted item is sealed to other pairs, with the commands.

use super::flow::{Vault, json, text};

/// One of a pair leaves; those who are left seal the item to others, who open it before it counts.
#[test]
fn those_who_are_left_seal_an_item_to_others_with_the_commands() {
    let vault = Vault::serve();
    let lead = vault.person("lead", &["investigator"]);
    let [ben, pia, dan, eve] = ["ben", "pia", "dan", "eve"].map(|who| vault.person(who, &[]));
    let open = ["case", "open", "--title", "The quarry", "--type", "other", "--jurisdiction", "ke"];
    let case = text(&vault.ok("lead", &open)["case"]).to_owned();
    for (who, role) in [(&ben, "custodian"), (&pia, "prosecutor"), (&dan, "defence"), (&eve, "custodian")] {
        vault.ok("lead", &["case", "add-member", &case, who, role]);
    }
    for who in ["lead", "ben", "pia", "dan", "eve"] {
        vault.ok(who, &["key", "recipient"]);
    }
    let content = b"seen by two ".repeat(40_000);
    std::fs::write(vault.path().join("video.mp4"), &content).unwrap();
    let (one, other) = (format!("{lead},{ben}"), format!("{dan},{pia}"));
    let put = ["put", &case, "video.mp4", "--class", "restricted", "--pair", &one, "--pair", &other];
    let item = text(&vault.lines("lead", &put)[0]["result"]["item"]).to_owned();
    assert_eq!(
        vault.code("lead", &["item", "confirm", &item, "--with", &eve, "--reseal", &"0".repeat(64)]),
        1,
        "nothing waits"
    );
    assert_eq!(vault.code("lead", &["item", "withdraw", &item]), 1, "nothing waits");

    vault.ok("lead", &["case", "remove-member", &case, &ben, "custodian"]);
    assert_eq!(vault.ok("lead", &["item", "show", &item])["cannot_open"][0], ben.as_str());
    let next = format!("{lead},{eve}");
    let reseal =
        ["item", "reseal", &item, "--with", &dan, "--purpose", "left", "--pair", &next, "--pair", &other];
    // Nothing is sealed to keys that nobody has compared.
    let looks = vault.run("pia", &reseal);
    assert_eq!(looks.status.code(), Some(4), "{looks:?}");
    assert_eq!(json(&looks)["sealed_to"].as_array().unwrap().len(), 4);
    let keys = text(&json(&looks)["keys"]).to_owned();
    let other_keys = "0".repeat(64);
    assert_eq!(vault.code("pia", &[&reseal[..], &["--keys", &other_keys]].concat()), 4);
    let reseal = [&reseal[..], &["--keys", &keys]].concat();
    let waits = vault.run("pia", &reseal);
    assert_eq!(waits.status.code(), Some(4), "{waits:?}");
    let access = text(&json(&waits)["access"]).to_owned();
    vault.ok("dan", &["open", &item, "--with", &pia, "--purpose", "left"]);
    let sealed = vault.ok("pia", &[&reseal[..], &["--access", &access]].concat());
    assert_eq!(sealed["sealed_to"].as_array().unwrap().len(), 4, "{sealed}");
    assert_eq!(vault.ok("eve", &["item", "show", &item])["reseal"]["by"], pia.as_str());

    // Nobody opens what counts by what waits, and nobody else confirms it.
    assert_eq!(vault.code("lead", &["open", &item, "--with", &eve, "--purpose", "review", "--out", "x"]), 4);
    let record = text(&sealed["reseal"]).to_owned();
    let confirm = ["item", "confirm", &item, "--with", &eve, "--keys", &keys, "--reseal"];
    assert_eq!(vault.code("lead", &[&confirm[..], &[&other_keys]].concat()), 1, "something else");
    let confirm = [&confirm[..], &[&record]].concat();
    let waits = vault.run("lead", &confirm);
    assert_eq!(waits.status.code(), Some(4), "{waits:?}");
    let access = text(&json(&waits)["access"]).to_owned();
    vault.ok("eve", &["open", &item, "--with", &lead, "--purpose", "reseal", "--new"]);
    let confirmed = vault.ok("lead", &[&confirm[..], &["--access", &access]].concat());
    assert_eq!(confirmed["confirmed"], sealed["reseal"]);
    let shown = vault.ok("lead", &["item", "show", &item]);
    assert!(shown["reseal"].is_null() && shown["cannot_open"].as_array().unwrap().is_empty(), "{shown}");
    assert!(shown["sealing"].to_string().contains(&eve) && !shown["sealing"].to_string().contains(&ben));

    vault.ok("eve", &["open", &item, "--with", &lead, "--purpose", "review"]);
    vault.ok("lead", &["open", &item, "--with", &eve, "--purpose", "review", "--out", "mine.mp4"]);
    assert_eq!(std::fs::read(vault.path().join("mine.mp4")).unwrap(), content);
    // What is sealed anew and not wanted is given up.
    vault.ok("eve", &["open", &item, "--with", &lead, "--purpose", "left"]);
    let again = [
        "item",
        "reseal",
        &item,
        "--with",
        &eve,
        "--purpose",
        "left",
        "--pair",
        &next,
        "--pair",
        &other,
        "--keys",
        &keys,
    ];
    vault.ok("lead", &again);
    vault.ok("lead", &["item", "withdraw", &item]);
    assert!(vault.ok("lead", &["item", "show", &item])["reseal"].is_null());
}
