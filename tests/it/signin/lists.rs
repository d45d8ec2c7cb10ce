//! Lists of what was revoked, as they come: several of one authority, broken ones, others' files beside them.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use custos::api;
use custos::config::{Config, ConfigError, Flags};
use serde_json::Value;

use super::certificates::{Showing, World};
use crate::support::authority::Wanted;
use crate::support::world::Engine;

crate::on_both_engines! {
    of_several_lists_of_an_authority_the_newest_counts
    a_file_that_cannot_be_used_holds_up_no_other_and_is_an_alarm
    a_list_counts_though_size_and_time_of_its_file_are_those_of_the_one_before
    nothing_is_looked_up_where_the_operator_says_so_and_nowhere_else
}

/// A machine whose certificate is bound.
async fn bound(world: &World) -> Showing {
    let asha = world.app.enrol("Asha", &[]).await;
    let machine = world.showing(&world.authority.issue(Wanted::default()));
    machine.bind(&asha).await.made::<api::CertificateInfo>();
    machine.me().await.ok::<api::Me>();
    machine
}

async fn of_several_lists_of_an_authority_the_newest_counts(engine: Engine) {
    let world = World::new(engine, false).await;
    let (machine, authority) = (bound(&world).await, &world.authority);
    // By its number, and before that by its day.
    for (old, new) in [
        (authority.list(&[], 2021, 1, 2099), authority.list(&[7], 2021, 2, 2099)),
        (authority.list(&[], 2021, 255, 2099), authority.list(&[7], 2021, 256, 2099)),
        (authority.list(&[], 2021, 5, 2099), authority.list(&[7], 2022, 1, 2099)),
    ] {
        let (first, second) = (format!("{old}{new}"), format!("{new}{old}"));
        let arrangements = [[&old, &new], [&new, &old], [&first, &old], [&old, &second]];
        for (number, [a, b]) in arrangements.into_iter().enumerate() {
            world.files.put("a.crl", a);
            world.files.put("b.crl", b);
            let answer = machine.me().await;
            assert_eq!(answer.status, 401, "{number}");
            for name in ["a.crl", "b.crl"] {
                fs::remove_file(world.files.lists.join(name)).unwrap();
            }
            machine.me().await.ok::<api::Me>();
        }
    }
}

/// What the vault tells an operator about lists.
async fn alarms(world: &World) -> Vec<String> {
    let lines = world.app.admin.get("/readyz").await.text();
    lines.lines().filter(|line| line.contains("of revoked certificates")).map(str::to_owned).collect()
}

async fn a_file_that_cannot_be_used_holds_up_no_other_and_is_an_alarm(engine: Engine) {
    let mut world = World::new(engine, false).await;
    let machine = bound(&world).await;
    assert!(alarms(&world).await.is_empty());
    world.files.put("README", "These are lists.");
    world.files.put("authority.crl", &world.authority.revokes(&[7], 2099));
    machine.me().await.problem("unauthenticated");
    assert_eq!(alarms(&world).await, ["alarm: files of revoked certificates: 1 cannot be used"]);
    world.files.put("authority.crl", &world.authority.revokes(&[], 2099));
    machine.me().await.ok::<api::Me>();
    // One that breaks holds what it held; another one goes on beside it.
    world.files.put("authority.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    machine.me().await.ok::<api::Me>();
    assert_eq!(alarms(&world).await, ["alarm: files of revoked certificates: 2 cannot be used"]);
    world.files.put("later.crl", &world.authority.revokes(&[7], 2099));
    machine.me().await.problem("unauthenticated");
    // It keeps no vault from starting either, where there is another one.
    world.app.restart_with(&world.files.paths()).await;
    assert_eq!(alarms(&world).await, ["alarm: files of revoked certificates: 2 cannot be used"]);
    fs::remove_file(world.files.lists.join("README")).unwrap();
    world.files.put("authority.crl", &world.authority.list(&[], 2022, 9, 2023));
    assert_eq!(alarms(&world).await, ["alarm: lists of revoked certificates: 1 have run out"]);
    world.files.put("authority.crl", &world.authority.list(&[], 2022, 9, 2099));
    assert!(alarms(&world).await.is_empty());
    // Where none is left, nothing would be looked up: those from before count.
    world.files.put("authority.crl", &world.authority.list(&[7], 2022, 10, 2099));
    machine.is_refused().await;
    for name in ["authority.crl", "later.crl"] {
        fs::remove_file(world.files.lists.join(name)).unwrap();
    }
    machine.is_refused().await;
    let none = "alarm: lists of revoked certificates: none is left; those from before count";
    assert_eq!(alarms(&world).await, [none]);
}

async fn a_list_counts_though_size_and_time_of_its_file_are_those_of_the_one_before(engine: Engine) {
    let world = World::new(engine, false).await;
    let machine = bound(&world).await;
    let before = world.authority.revokes(&[8], 2099);
    world.files.put("authority.crl", &before);
    machine.me().await.ok::<api::Me>();
    let path = world.files.lists.join("authority.crl");
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    // Signatures are of two or three lengths.
    let mut after = std::iter::repeat_with(|| world.authority.revokes(&[7], 2099));
    world.files.put("authority.crl", &after.find(|list| list.len() == before.len()).unwrap());
    File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    machine.me().await.problem("unauthenticated");
}

async fn nothing_is_looked_up_where_the_operator_says_so_and_nowhere_else(engine: Engine) {
    let mut world = World::new(engine, false).await;
    let machine = bound(&world).await;
    let ca = world.files.paths()[0].1.to_owned();
    let of = |lists: Option<&'static str>| {
        move |name: &str| match name {
            "CUSTOS_CLIENT_CA" => Some("ca.pem".to_owned()),
            "CUSTOS_CLIENT_CRLS" => lists.map(str::to_owned),
            _ => None,
        }
    };
    let error = Config::load(&Flags::default(), &of(None)).unwrap_err();
    assert!(matches!(error, ConfigError::Value { key: "client_crls", .. }), "{error}");
    assert_eq!(Config::load(&Flags::default(), &of(Some("none"))).unwrap().client_crls(), None);
    world.files.put("authority.crl", &world.authority.revokes(&[7], 2099));
    machine.me().await.problem("unauthenticated");
    let none = Path::new("none");
    world.app.restart_with(&[("CUSTOS_CLIENT_CA", &ca), ("CUSTOS_CLIENT_CRLS", none)]).await;
    machine.me().await.ok::<api::Me>();
    world.app.stop().await;
    assert!(found(&world, &ca, none)["detail"].as_str().unwrap().contains("client_crls is none"));
    let lists = found(&world, &ca, &world.files.lists);
    assert_eq!(lists["ok"], true, "{lists}");
    world.files.put("README", "These are lists.");
    let lists = found(&world, &ca, &world.files.lists);
    assert_eq!(lists["ok"], false, "{lists}");
}

/// What the doctor says about certificates.
fn found(world: &World, ca: &Path, lists: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custos"));
    command.args(["--json", "doctor", "--data-dir"]).arg(world.app.config.data_dir());
    command.env_clear().env("CUSTOS_HOME", world.app.root()).current_dir(world.app.root());
    command.env("CUSTOS_DATABASE_URL", world.app.config.database_url());
    command.env("CUSTOS_CLIENT_CA", ca).env("CUSTOS_CLIENT_CRLS", lists);
    let output = command.output().unwrap();
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    found.into_iter().find(|found| found["check"] == "client certificates").unwrap()
}
