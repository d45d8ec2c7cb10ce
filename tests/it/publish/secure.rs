//! Witnesses on other machines: over HTTPS, by an authority or by their own certificate.

use std::path::{Path, PathBuf};

use custos::publish::witnesses::{Witnesses, WitnessesError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{Office, patient};
use crate::support::world::Engine;
use crate::witness::service::Service;

/// Certificate and key of a witness, as files.
struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// An authority, and who it says is at these names.
fn authority(folder: &Path, name: &str, names: &[&str]) -> (PathBuf, Identity) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let cert = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    let identity = Identity {
        cert: write(folder, &format!("{name}.crt"), &cert.pem()),
        key: write(folder, &format!("{name}.key"), &key.serialize_pem()),
    };
    (write(folder, &format!("{name}.ca"), &ca.pem()), identity)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_is_reached_over_https_by_whoever_trusts_its_certificate() {
    let office = Office::new(Engine::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let (ca, by_ca) = authority(folder.path(), "north", &["127.0.0.1", "localhost"]);
    let (other_ca, elsewhere) = authority(folder.path(), "south", &["south.example"]);
    let log = &office.world.log;
    let serve = |name: &str, identity: Option<&Identity>| {
        let tls = identity.map(|identity| (identity.cert.as_path(), identity.key.as_path()));
        Service::with_tls(&folder.path().join(name), &format!("witness.example/{name}"), &[log], tls)
    };
    let [north, south] = [("north.w", Some(&by_ca)), ("south.w", Some(&elsewhere))].map(|(n, i)| serve(n, i));
    let own = serve("own.w", None);
    let own_certificate = folder.path().join("own.w/tls/server.crt");
    for witness in [&north, &south, &own] {
        assert!(witness.base.starts_with("https://"));
    }
    let asked = async |witness: &Service, roots: Option<&Path>| {
        let text = format!("witness w {} {}\nquorum w\n", witness.vkey, witness.base);
        let policy = write(folder.path(), "policy", &text);
        let size = office.grow(1).await;
        let mut running = office.publish(Some(patient(&policy, roots))).await;
        let answered = running.until(|status| {
            status.published.as_ref().is_some_and(|p| p.witnessed && p.size == size) || status.quorum_missed
        });
        let status = answered.await;
        running.crash().await;
        status.witnesses[0].trouble.clone()
    };
    // By an authority, under the name that it vouches for.
    assert_eq!(asked(&north, Some(&ca)).await, None);
    // By their own certificate, whatever name it says: one that the witness made, and one that an authority gave it.
    assert_eq!(asked(&own, Some(&own_certificate)).await, None);
    assert_eq!(asked(&south, Some(&elsewhere.cert)).await, None);
    let all = [&ca, &own_certificate].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    let all = write(folder.path(), "all", &all);
    for witness in [&north, &own] {
        assert_eq!(asked(witness, Some(&all)).await, None);
    }
    // By nothing else: another authority, another name, another certificate, what the system trusts.
    for (witness, roots) in [
        (&north, Some(other_ca.as_path())),
        (&south, Some(&other_ca)),
        (&north, Some(&own_certificate)),
        (&own, Some(&ca)),
        (&own, None),
    ] {
        let trouble = asked(witness, roots).await.expect("it is not believed");
        assert!(trouble.starts_with("it does not answer"), "{trouble}");
    }
    assert_eq!(asked(&north, Some(&ca)).await, None, "and on it goes");
}

#[tokio::test]
async fn a_file_without_certificates_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let policy = write(folder.path(), "policy", "quorum none\n");
    for text in ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let roots = write(folder.path(), "roots", text);
        let refused = Witnesses::load(&policy, Some(&roots));
        assert!(matches!(refused, Err(WitnessesError::Roots { .. })), "{text}: {refused:?}");
    }
    let broken = write(folder.path(), "roots", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    assert!(matches!(Witnesses::load(&policy, Some(&broken)), Err(WitnessesError::Pem { .. })));
}
