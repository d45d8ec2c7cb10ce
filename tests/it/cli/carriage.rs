//! A sealed exhibit on its way, as it is typed.

use super::flow::{Vault, text};

#[test]
fn a_sealed_exhibit_goes_by_an_officer_and_a_courier_to_whom_it_is_for() {
    let vault = Vault::serve();
    vault.person("ida", &["investigator"]);
    let (carl, dina) = (vault.person("carl", &["custodian"]), vault.person("dina", &[]));
    let open = ["case", "open", "--title", "A case", "--type", "other", "--jurisdiction", "xx"];
    let case = text(&vault.ok("ida", &open)["case"]).to_owned();
    for person in [&carl, &dina] {
        vault.ok("ida", &["case", "add-member", &case, person, "custodian"]);
    }
    let added = vault.ok("ida", &["item", "add", &case, "--title", "phone"]);
    let item = text(&added["item"]);
    let stated = ["--field", "condition=as sealed", "--field", "seal=S-1"];
    let courier = ["--field", "carrier=Night Parcels", "--field", "waybill=NP-77"];
    let offer = ["transfer", "offer", &case, item, "--to", &carl, "--purpose", "analysis"];
    let by = ["--carrier", &dina, "--carrier", "outside"];
    let offered = [&offer[..], &by, &stated].concat();
    let refused = vault.run("ida", &offered);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("[not-sealed]"), "{refused:?}");
    vault.ok("ida", &["item", "seal", item, "--number", "S-1"]);
    vault.ok("ida", &offered);
    assert_eq!(vault.code("carl", &[&["transfer", "accept", item][..], &stated].concat()), 1, "not yet");
    assert_eq!(vault.ok("carl", &["transfer", "accept", "--all"])["items"], 0);
    assert_eq!(vault.ok("dina", &[&["transfer", "take", "--all"][..], &stated].concat())["items"], 1);
    let shown = |who: &str| {
        let shown = vault.ok(who, &["item", "show", item]);
        (text(&shown["custodian"]).to_owned(), shown["offer"]["carrier"].as_str().map(str::to_owned))
    };
    assert_eq!(shown("carl"), (dina.clone(), Some(dina.clone())));
    assert_eq!(vault.code("ida", &["transfer", "recall", &case, item]), 5, "it is not theirs any more");
    let on = [&["transfer", "hand-on", item][..], &stated].concat();
    assert_eq!(vault.code("dina", &on), 1, "to whom");
    vault.ok("dina", &[&on[..], &courier].concat());
    assert_eq!(shown("carl"), (dina, Some("outside".to_owned())));
    assert_eq!(vault.ok("carl", &[&["transfer", "accept", "--all"][..], &stated].concat())["items"], 1);
    assert_eq!(shown("ida"), (carl, None));
}
