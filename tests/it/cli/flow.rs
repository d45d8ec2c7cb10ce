//! The commands against a served vault.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use custody::policy::Policy;
use custody::receipt::Receipt;
use serde_json::Value;

/// A vault that serves, and the home of the people who use it.
pub(super) struct Vault {
    home: tempfile::TempDir,
    server: Serving,
    url: String,
    fingerprint: String,
    tls: String,
}

/// A process that ends with the test.
pub(super) struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts something that serves; it, and what it says once it does.
fn served(home: &Path, args: &[&str]) -> (Serving, Value) {
    let mut command = command(home);
    command.arg("--json").args(args).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Serving(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, serde_json::from_str(&line).unwrap())
}

impl Vault {
    pub(super) fn serve() -> Self {
        Self::serve_in(tempfile::tempdir().unwrap(), &[], |_| ())
    }

    /// The same in a folder that has something in it; `founded` is told the new vault's log key.
    fn serve_in(home: tempfile::TempDir, more: &[&str], founded: impl FnOnce(&str)) -> Self {
        let data = home.path().join("vault");
        let data = data.to_str().unwrap();
        let init =
            ["--json", "init", "--org", "Org", "--admin", "Admin", "--samples-only", "--data-dir", data];
        let init = run(home.path(), &[&init[..], more].concat());
        assert_eq!(init.status.code(), Some(0), "{init:?}");
        let init = json(&init);
        founded(init["log_vkey"].as_str().unwrap());
        let (server, bound) = served(home.path(), &["serve", "--data-dir", data, "--listen", "127.0.0.1:0"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let vault = Self {
            url: format!("https://{}", text(&bound["addr"])),
            fingerprint: text(&init["fingerprint"]),
            tls: text(&init["tls_fingerprint"]),
            home,
            server,
        };
        vault.login("admin", &["--token-file", "vault/admin.token"]);
        vault.ok("admin", &["key", "enroll", "--checked", "in-person"]);
        vault
    }

    /// The server's process id.
    pub(super) fn process(&self) -> u32 {
        self.server.0.id()
    }

    pub(super) fn path(&self) -> &Path {
        self.home.path()
    }

    fn login(&self, profile: &str, proof: &[&str]) -> Value {
        let pins = ["login", &self.url, "--fingerprint", &self.tls, "--vault-fingerprint", &self.fingerprint];
        self.ok(profile, &[&pins[..], proof].concat())
    }

    /// Registers, invites, redeems, approves; the person's id.
    pub(super) fn person(&self, name: &str, roles: &[&str]) -> String {
        let org = self.ok("admin", &["org", "add", "Office"])["org"].as_str().unwrap().to_owned();
        let flags: Vec<_> = roles.iter().flat_map(|role| ["--role", role]).collect();
        let added = self.ok("admin", &[&["person", "add", name, "--org", &org][..], &flags].concat());
        let id = added["person"].as_str().unwrap().to_owned();
        let code = format!("{name}.code");
        self.ok("admin", &["invite", &id, "--checked", "in-person", "--out", &code]);
        let login = self.login(name, &["--invitation", &code]);
        let approved = self.ok("admin", &["key", "approve", login["enrolment"].as_str().unwrap()]);
        assert_eq!(approved["key"], login["key"]);
        id
    }

    pub(super) fn run(&self, profile: &str, args: &[&str]) -> Output {
        run(self.path(), &[&["--json", "--quiet", "--profile", profile][..], args].concat())
    }

    pub(super) fn ok(&self, profile: &str, args: &[&str]) -> Value {
        let output = self.run(profile, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        json(&output)
    }

    pub(super) fn lines(&self, profile: &str, args: &[&str]) -> Vec<Value> {
        let output = self.run(profile, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        BufReader::new(&*output.stdout)
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    }

    /// Ends the service, as nobody should.
    pub(super) fn stop(&mut self) {
        self.server.0.kill().unwrap();
        self.server.0.wait().unwrap();
    }

    /// Serves again where it served before.
    pub(super) fn serve_again(&mut self) {
        let address = self.address().to_owned();
        (self.server, _) = served(self.home.path(), &["serve", "--data-dir", "vault", "--listen", &address]);
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        self.url.trim_start_matches("https://")
    }

    /// Records of which somebody has receipts.
    fn receipts(&self, profile: &str) -> Vec<String> {
        let files = std::fs::read_dir(self.path().join(format!("profiles/{profile}.receipts"))).unwrap();
        let stem = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        files.map(|file| stem(file.unwrap().path())).collect()
    }

    pub(super) fn code(&self, profile: &str, args: &[&str]) -> i32 {
        self.run(profile, args).status.code().unwrap()
    }
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.env_clear().env("CUSTOS_HOME", home).current_dir(home);
    command
}

fn run(home: &Path, args: &[&str]) -> Output {
    command(home).args(args).output().unwrap()
}

pub(super) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn evidence_goes_in_is_read_changes_hands_and_comes_out() {
    let vault = Vault::serve();
    vault.person("ida", &["investigator"]);
    let carl = vault.person("carl", &["custodian"]);
    let case =
        vault.ok("ida", &["case", "open", "--title", "A case", "--type", "other", "--jurisdiction", "xx"]);
    let case = text(&case["case"]);
    vault.ok("ida", &["case", "add-member", case, &carl, "custodian"]);
    let files = vault.path().join("files");
    std::fs::create_dir_all(files.join("sub")).unwrap();
    std::fs::write(files.join("one.txt"), "first exhibit").unwrap();
    std::fs::write(files.join("sub/two.txt"), "").unwrap();

    let put = vault.lines("ida", &["put", case, "files"]);
    assert_eq!(put.len(), 3);
    assert!(put[..2].iter().all(|line| line["result"]["on_arrival"] == line["result"]["digest"]));
    assert_eq!((&put[2]["summary"]["files"], &put[2]["summary"]["stored"]), (&2.into(), &2.into()));
    let again = vault.lines("ida", &["put", case, "files"]);
    assert_eq!(again[2]["summary"]["already_there"], 2, "a repeated intake registers nothing twice");
    assert!(
        again[..2].iter().all(|line| line["result"]["on_arrival"] == line["result"]["digest"]),
        "by receipts"
    );
    std::fs::write(files.join("three.txt"), "stays here").unwrap();
    let third = vault.lines("ida", &["put", case, "files/three.txt", "--hash-only"]);
    assert_eq!(third[0]["result"]["outcome"], "hash-only");

    let items = vault.ok("carl", &["item", "list", case]);
    assert_eq!(items.as_array().unwrap().len(), 3);
    let of = |path: &str| items.as_array().unwrap().iter().find(|i| i["fields"]["path"] == path).unwrap();
    let (one, third) = (text(&of("files/one.txt")["id"]), text(&of("three.txt")["id"]));
    let got = vault.ok("carl", &["get", one, "--purpose", "case-review", "--out", "got"]);
    assert_eq!(got["checked"], true);
    assert_eq!(std::fs::read(vault.path().join("got")).unwrap(), b"first exhibit");
    assert_eq!(vault.code("carl", &["get", one, "--purpose", "case-review", "--out", "got"]), 1);
    vault.ok("carl", &["get", one, "--purpose", "case-review", "--out", "part", "--range", "6-12"]);
    assert_eq!(std::fs::read(vault.path().join("part")).unwrap(), b"exhibit");
    assert_eq!(vault.code("carl", &["get", third, "--purpose", "case-review", "--out", "none"]), 5);
    assert_eq!(vault.code("admin", &["get", one, "--purpose", "case-review", "--out", "none"]), 5);
    assert!(!vault.path().join("none").exists() && !vault.path().join("none.part").exists());

    assert_eq!(
        vault.ok("ida", &["transfer", "offer", case, "--to", &carl, "--purpose", "storage", "--all"])["items"],
        3
    );
    assert_eq!(vault.ok("ida", &["transfer", "recall", case, one])["items"], 1);
    assert_eq!(vault.code("carl", &["transfer", "accept", one]), 5, "what was taken back waits no more");
    let again = ["transfer", "offer", case, one, "--to", &carl, "--purpose", "storage", "--days", "3"];
    assert_eq!(vault.ok("ida", &again)["items"], 1);
    assert_eq!(vault.ok("carl", &["transfer", "decline", third])["items"], 1);
    assert_eq!(vault.ok("carl", &["transfer", "accept", "--all"])["items"], 2);
    assert_eq!(vault.ok("carl", &["item", "show", one])["custodian"], carl);
    vault.ok("carl", &["item", "classify", one, "open"]);
    let phone = vault.ok("carl", &["item", "add", case, "--title", "phone", "--field", "device-serial=1"]);
    let phone = text(&phone["item"]).to_owned();
    vault.ok("carl", &["item", "seal", &phone, "--number", "S-1"]);
    assert_eq!(vault.code("carl", &["item", "seal", &phone, "--number", "S-2"]), 1);
    assert_eq!(
        vault.ok("carl", &["item", "label", "--case", case, "--skip", "5", "--out", "labels.html"])["labels"],
        4
    );
    vault.ok("carl", &["item", "label", &phone, "--out", "phone.svg"]);
    assert!(std::fs::read_to_string(vault.path().join("phone.svg")).unwrap().contains(phone.split_at(18).0));
    assert_eq!(
        vault.code("carl", &["item", "label", &phone, "--out", "phone.svg"]),
        1,
        "nothing is overwritten"
    );
    assert_eq!(vault.code("carl", &["item", "label", &phone, one, "--out", "both.svg"]), 2);
    vault.ok("carl", &["item", "move", &phone, one, "--place", "Locker 4", "--purpose", "storage"]);
    assert_eq!(vault.code("ida", &["item", "unseal", &phone, "--purpose", "analysis"]), 6);
    vault.ok("carl", &["item", "unseal", &phone, "--purpose", "analysis", "--field", "condition=whole"]);
    assert_eq!(vault.code("carl", &["item", "unseal", &phone, "--purpose", "analysis"]), 1);
    let kinds: Vec<_> =
        vault.lines("carl", &["custody", "item", one]).iter().map(|r| text(&r["kind"]).to_owned()).collect();
    for kind in
        ["item.registered", "content.received", "access.granted", "transfer.accepted", "item.classified"]
    {
        assert!(kinds.contains(&kind.to_owned()), "{kind} is missing: {kinds:?}");
    }

    let export = vault.ok("carl", &["export", case, "--purpose", "court", "--folder", "bundle"]);
    assert_eq!(export["verdict"], "VERIFIED, INCOMPLETE");
    assert_eq!(vault.code("carl", &["export", case, "--purpose", "court", "--folder", "bundle"]), 1);
    assert_eq!(vault.code("carl", &["verify", "bundle", "--fingerprint", &vault.fingerprint]), 4);
    assert_eq!(vault.code("carl", &["verify", "bundle", "--fingerprint", &vault.tls]), 3);
    vault.ok("carl", &["log", "entries", "--out", "entries", "--checkpoint", "checkpoint"]);
    let receipts = vault.receipts("ida");
    assert!(receipts.len() >= 8, "{receipts:?}");

    // A copy of the log: fetched for one verification, or kept; and a proof of one act that holds without the vault.
    vault.ok("carl", &["log", "mirror", &vault.url, "mirror"]);
    for entries in [&vault.url, "mirror"] {
        let verified = ["verify", "bundle", "--fingerprint", &vault.fingerprint, "--entries", entries];
        let verified = vault.run("carl", &verified);
        assert_eq!(verified.status.code(), Some(4), "{verified:?}");
        assert!(!String::from_utf8(verified.stdout).unwrap().contains("not-audited"), "{entries}");
    }
    let others = vault.receipts("carl");
    let record = receipts.iter().find(|record| !others.contains(record)).unwrap();
    let proven = vault.ok("ida", &["log", "prove", record]);
    let proof = custody::proof::TlogProof::parse(text(&proven["proof"]).as_bytes()).unwrap();
    assert_eq!(proven["index"], proof.index());
    assert_eq!(vault.code("carl", &["log", "prove", record]), 5, "carl has no receipt of it");
    assert_eq!(vault.code("carl", &["log", "prove", &proof.index().to_string()]), 0);
    assert_eq!(vault.code("carl", &["log", "audit", &vault.url]), 0);
}

#[test]
fn only_members_and_only_own_keys() {
    let vault = Vault::serve();
    let ida = vault.person("ida", &["investigator"]);
    let eve = vault.person("eve", &[]);
    let open = ["case", "open", "--title", "A case", "--type", "other", "--jurisdiction", "xx"];
    let case = vault.ok("ida", &open);
    let case = text(&case["case"]);
    assert_eq!(vault.code("eve", &["case", "show", case]), 5, "a foreign case looks like none");
    assert_eq!(vault.code("eve", &["put", case, "vault/admin.token"]), 5);
    assert_eq!(vault.code("eve", &open), 6);
    assert_eq!(vault.code("eve", &["person", "add", "x", "--org", &ida]), 6);
    // A profile without a key: the vault speaks on the person's behalf, but never for a transfer.
    let token = vault.ok("ida", &["token", "new", "--label", "second", "--out", "ida.second"]);
    vault.login("ida-without-key", &["--token-file", "ida.second"]);
    std::fs::write(vault.path().join("file"), "content").unwrap();
    vault.lines("ida-without-key", &["put", case, "file"]);
    assert_eq!(vault.code("ida-without-key", &["transfer", "accept", "--all"]), 1);
    let custody = vault.lines("ida", &["custody", "case", case]);
    assert!(custody.iter().any(|r| r["kind"] == "item.registered" && r["assurance"] == "session"));
    vault.ok("ida", &["token", "revoke", text(&token["id"])]);
    assert_eq!(vault.code("ida-without-key", &["case", "list"]), 6);
    // A further key of one's own, vouched with the first; then the first is revoked.
    let first = text(&vault.ok("ida", &["key", "list"])[0]["hash"]).to_owned();
    vault.ok("ida", &["key", "enroll"]);
    vault.ok("ida", &["key", "revoke", &first]);
    vault.ok("ida", &["case", "add-member", case, &ida, "custodian"]);
    // One act ends everything at once; who comes back needs another token.
    let suspend = ["person", "suspend", &ida, "--purpose", "loss", "--suspect-from", "3"];
    assert_eq!(vault.code("eve", &suspend), 6, "no colleague");
    vault.ok("admin", &suspend);
    assert_eq!(vault.code("ida", &["case", "list"]), 6);
    vault.ok("admin", &["person", "restore", &ida]);
    assert_eq!(vault.code("ida", &["case", "list"]), 6);
    vault.ok("eve", &["person", "suspend", &eve]);
    assert_eq!(vault.code("eve", &["case", "list"]), 6);
}

#[test]
fn ctrl_c_drains_and_is_exit_0_and_doctor_finds_what_is_wrong() {
    let mut vault = Vault::serve();
    let pid = vault.server.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(vault.server.0.wait().unwrap().code(), Some(0));
    assert!(
        !vault.path().join("vault/custos.db-wal").exists(),
        "the last connection folds the log into the database"
    );
    let doctor = ["doctor", "--data-dir", "vault"];
    let findings = vault.ok("admin", &doctor);
    assert!(findings.as_array().unwrap().iter().all(|f| f["ok"] == true), "{findings}");
    std::fs::remove_file(vault.path().join("vault/keys/vault.key")).unwrap();
    let output = vault.run("admin", &doctor);
    assert_eq!(output.status.code(), Some(1));
    let ill: Vec<_> =
        json(&output).as_array().unwrap().iter().filter(|f| f["ok"] == false).cloned().collect();
    assert_eq!(ill.len(), 1);
    assert!(text(&ill[0]["mend"]).contains("restore"), "{ill:?}");
    let again = ["init", "--org", "x", "--admin", "x", "--data-dir", "vault"];
    assert_eq!(vault.code("admin", &again), 1, "a vault is never made over another");
}

/// Whether receipts of somebody's are under checkpoints that a policy accepts: how many are, of how many.
fn accepted(vault: &Vault, profile: &str, policy: &str) -> (usize, usize) {
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let folder = vault.path().join(format!("profiles/{profile}.receipts"));
    let receipts = vault.receipts(profile);
    let accepted = receipts.iter().filter(|name| {
        let receipt = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let receipt = Receipt::parse(&receipt).unwrap();
        policy.accept(receipt.proof.checkpoint()).is_ok_and(|accepted| accepted.quorum_met)
    });
    (accepted.count(), receipts.len())
}

#[test]
fn whoever_waits_for_witnesses_keeps_receipts_that_they_cosigned() {
    let home = tempfile::tempdir().unwrap();
    run(home.path(), &["witness", "init", "witness", "--name", "witness.example/w1"]);
    let (witness, bound) =
        served(home.path(), &["witness", "serve", "witness", "--listen", "127.0.0.1:0", "--plain-http"]);
    let policy = format!("witness w1 {} http://{}\nquorum w1\n", text(&bound["vkey"]), text(&bound["addr"]));
    std::fs::write(home.path().join("policy"), &policy).unwrap();
    let folder = home.path().to_owned();
    let mut log = String::new();
    let vault = Vault::serve_in(home, &["--witnesses", "policy"], |vkey| {
        log = format!("log {vkey}\n");
        assert_eq!(run(&folder, &["witness", "add", "witness", vkey]).status.code(), Some(0));
    });
    let policy = log + &policy;
    vault.person("ida", &["investigator"]);
    let open = ["case", "open", "--title", "A case", "--type", "other", "--jurisdiction", "xx"];
    let waiting = [&open[..], &["--wait", "witnessed"]].concat();
    let case = vault.ok("ida", &waiting);
    assert!(accepted(&vault, "ida", &policy).0 > 0);
    // Each of the records that an upload becomes.
    let (before, all) = accepted(&vault, "ida", &policy);
    std::fs::write(folder.join("photo.jpg"), b"a photograph").unwrap();
    vault.lines("ida", &["put", text(&case["case"]), "photo.jpg", "--wait", "witnessed"]);
    let (after, all_after) = accepted(&vault, "ida", &policy);
    assert!(all_after - all >= 2 && after - before == all_after - all, "{before} {all} {after} {all_after}");

    // Without the witness it is recorded and kept all the same, and said.
    drop(witness);
    let output = run(folder.as_path(), &[&["--json", "--profile", "ida"][..], &waiting].concat());
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("1 receipts are kept without the cosignatures") && told.contains("hint: "),
        "{told}"
    );
    let found = vault.ok("ida", &["case", "show", text(&json(&output)["case"])]);
    assert_eq!(found["fields"]["title"], "A case");
    assert_eq!(accepted(&vault, "ida", &policy), (after, all_after + 1));
    assert_eq!(vault.code("ida", &[&open[..], &["--wait", "for-ever"]].concat()), 2);
}

#[test]
fn a_case_is_changed_closed_and_reopened_and_people_belong_to_it_for_a_time() {
    let vault = Vault::serve();
    vault.person("ida", &["investigator"]);
    let olga = vault.person("olga", &["auditor"]);
    let open = ["case", "open", "--title", "T", "--type", "trafficking", "--jurisdiction", "in"];
    let case = vault.ok("ida", &[&open[..], &["--reference", "fir=12/2026"]].concat());
    let case = text(&case["case"]);
    assert_eq!(vault.code("ida", &["case", "update", case]), 2, "nothing changes");
    assert_eq!(vault.code("ida", &["case", "update", case, "--reference", "number=1"]), 2);
    let update = [
        "case",
        "update",
        case,
        "--title",
        "Kiln",
        "--reference",
        "cnr=DLHC01",
        "--reference",
        "fir=13/2026",
    ];
    vault.ok("ida", &update);
    let shown = vault.ok("ida", &["case", "show", case]);
    assert_eq!((&shown["fields"]["title"], &shown["references"]["fir"]), (&"Kiln".into(), &"13/2026".into()));
    assert_eq!(shown["references"]["cnr"], "DLHC01");
    vault.ok("ida", &["case", "close", case, "--purpose", "judgment", "--field", "notes=appeal"]);
    assert_eq!(vault.ok("ida", &["case", "list"])[0]["closed"], true);
    assert_eq!(vault.code("ida", &["item", "add", case, "--title", "phone"]), 6);
    vault.ok("ida", &["case", "reopen", case]);

    let member = ["case", "add-member", case, &olga, "observer"];
    assert_eq!(vault.code("ida", &[&member[..], &["--until", "2020-01-01"]].concat()), 1);
    vault.ok("ida", &[&member[..], &["--from", "2199-01-01"]].concat());
    assert_eq!(vault.code("olga", &["case", "show", case]), 5, "not yet");
    let members = vault.ok("ida", &["case", "members", case]);
    let olgas = members.as_array().unwrap().iter().find(|member| member["person"] == *olga).unwrap();
    assert_eq!(olgas["terms"][0]["from"], "2199-01-01T00:00:00.000Z");
    vault.ok("admin", &["person", "grant", &olga, "custodian", "--until", "2199-01-01"]);
    let refusals = vault.lines("olga", &["custody", "refusals"]);
    assert_eq!((refusals.len(), &refusals[0]["kind"]), (1, &"access.denied".into()));
    assert_eq!(vault.lines("olga", &["custody", "vault"])[0]["kind"], "vault.created");
    assert_eq!(vault.lines("olga", &["custody", "person", &olga])[0]["kind"], "person.registered");
    assert_eq!(vault.code("ida", &["custody", "vault"]), 6);
}

/// What is made from an exhibit is linked to it by people and by the vault; intake says what it was not told.
#[test]
fn what_is_made_from_an_exhibit_is_linked_to_it_and_what_intake_was_not_told_is_named() {
    let vault = Vault::serve();
    vault.person("ida", &["investigator"]);
    let opened =
        vault.ok("ida", &["case", "open", "--title", "T", "--type", "other", "--jurisdiction", "ke"]);
    let case = text(&opened["case"]).to_owned();
    let form = vault.ok("ida", &["case", "form", &case]);
    assert_eq!((text(&form["name"]), text(&form["jurisdiction"])), ("kenya", "ke"));
    let needed = form["facts"].as_array().unwrap().iter().filter(|fact| fact["needed"] == true);
    let needed: Vec<_> = needed.map(|fact| text(&fact["field"]).to_owned()).collect();
    assert!(needed.contains(&"working".to_owned()), "{needed:?}");

    let picture = image::GrayImage::from_pixel(8, 8, image::Luma([200]));
    picture.save(vault.path().join("photo.png")).unwrap();
    let put = ["--json", "--profile", "ida", "put", &case, "photo.png", "--field", "working=yes"];
    let put = run(vault.path(), &put);
    let said = String::from_utf8_lossy(&put.stderr).into_owned();
    assert_eq!(put.status.code(), Some(0), "{said}");
    assert!(
        said.contains("not given") && said.contains("collected-by") && !said.contains("working"),
        "{said}"
    );
    let items = vault.ok("ida", &["item", "list", &case]);
    let original = text(&items[0]["id"]).to_owned();

    let redact = ["item", "redact", &original, "--box", "2,3,4,1", "--purpose", "disclosure"];
    let made = vault.ok("ida", &redact);
    let redacted = text(&made["id"]).to_owned();
    vault.ok("ida", &["get", &redacted, "--purpose", "review", "--out", "redacted.png"]);
    let shown = image::open(vault.path().join("redacted.png")).unwrap().to_luma8();
    assert_eq!((shown.get_pixel(2, 3).0, shown.get_pixel(1, 3).0), ([0], [200]));
    let item = vault.ok("ida", &["item", "show", &redacted]);
    assert_eq!(
        (text(&item["derived"]["as"]), text(&item["derived"]["of"])),
        ("redaction", original.as_str())
    );
    assert!(item["derived"]["by"].is_null(), "{item}");
    let item = vault.ok("ida", &["item", "show", &original]);
    assert_eq!(text(&item["linked"][0]["id"]), redacted);

    std::fs::write(vault.path().join("photo.txt"), b"a grey square").unwrap();
    let transcript = ["put", &case, "photo.txt", "--derived-from", &original, "--as", "transcript"];
    let open = ["--class", "open"];
    // Less protected than the original, without a purpose; what was put in stays, and the same command goes on.
    assert_ne!(vault.code("ida", &[&transcript[..], &open].concat()), 0);
    let again = [&transcript[..], &open, &["--purpose", "disclosure"]].concat();
    vault.lines("ida", &again);
    vault.lines("ida", &again);
    let items = vault.ok("ida", &["item", "list", &case]);
    assert_eq!(items.as_array().unwrap().len(), 3);
    assert_eq!(text(&items[2]["derived"]["as"]), "transcript");
    for wrong in ["1,2,3", "1,2,0,4", "a,b,c,d", "-1,0,1,1"] {
        let redact = ["item", "redact", &original, "--box", wrong, "--purpose", "disclosure"];
        assert_eq!(vault.code("ida", &redact), 2, "{wrong}");
    }
}
