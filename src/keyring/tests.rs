use std::os::unix::fs::PermissionsExt;

use custody::blob::VaultId;
use custody::id::CaseId;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::engine::OsEntropy;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn created() -> (TempDir, PathBuf) {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("keys");
    Keyring::create(&dir, &FileProvider, &mut OsEntropy).unwrap();
    (parent, dir)
}

fn passphrase(text: &str) -> PassphraseProvider {
    let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    PassphraseProvider::with_cost(Zeroizing::new(text.to_owned()), cost)
}

fn open(dir: &Path) -> Result<Keyring, KeyringError> {
    Keyring::open(dir, &FileProvider)
}

fn a_case() -> KeyContext {
    KeyContext::Case(VaultId::of(&Digest::of(b"vault")), CaseId::new(uuid::Uuid::nil()))
}

/// Rewrites a key file as an editor would.
fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn what_was_created_opens_again_with_both_providers() {
    for provider in [&FileProvider as &dyn KeyProvider, &passphrase("correct horse")] {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("keys");
        let created = Keyring::create(&dir, provider, &mut OsEntropy).unwrap();
        let opened = Keyring::open(&dir, provider).unwrap();
        assert_eq!(created.log_keys()[&1].verifying_key(), opened.log_keys()[&1].verifying_key());
        assert_eq!(created.vault_key().verifying_key(), opened.vault_key().verifying_key());
        assert_ne!(opened.log_keys()[&1].verifying_key(), opened.vault_key().verifying_key());
        assert_eq!(created.canaries(), opened.canaries());
        let wrapped = created.wrap(&a_case(), &Key32::new([3; 32]), &mut OsEntropy);
        assert_eq!(opened.unwrap(&a_case(), &wrapped).unwrap().expose(), &[3; 32]);
    }
}

#[test]
fn files_and_directory_are_for_their_owner_only() {
    let (_parent, dir) = created();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    for name in ["kek-1.key", "log.key", "vault.key"] {
        assert_eq!(fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    chmod(&dir.join("log.key"), 0o640);
    let error = open(&dir).unwrap_err();
    assert!(matches!(error, KeyringError::Permissions { mode: 0o640, .. }));
    assert_eq!(error.remedy(), format!("chmod 0600 {}", dir.join("log.key").display()));
    chmod(&dir.join("log.key"), 0o600);
    chmod(&dir, 0o755);
    assert_eq!(open(&dir).unwrap_err().remedy(), format!("chmod 0700 {}", dir.display()));
}

#[test]
fn a_missing_key_is_named_and_never_made_anew() {
    for name in ["kek-1.key", "log.key", "vault.key"] {
        let (_parent, dir) = created();
        fs::remove_file(dir.join(name)).unwrap();
        for _ in 0..2 {
            assert!(matches!(open(&dir).unwrap_err(), KeyringError::Missing(path) if path == dir.join(name)));
        }
        assert!(!dir.join(name).exists());
    }
    let nowhere = Path::new("/nowhere/keys");
    assert!(matches!(open(nowhere).unwrap_err(), KeyringError::NoDirectory(path) if path == nowhere));
}

#[test]
fn keys_are_not_created_over_anything() {
    let (_parent, dir) = created();
    let before = fs::read(dir.join("kek-1.key")).unwrap();
    let error = Keyring::create(&dir, &FileProvider, &mut OsEntropy).unwrap_err();
    assert!(matches!(error, KeyringError::NotEmpty(_)));
    assert_eq!(fs::read(dir.join("kek-1.key")).unwrap(), before);
    let empty = TempDir::new().unwrap();
    assert!(Keyring::create(empty.path(), &FileProvider, &mut OsEntropy).is_ok());
}

#[test]
fn a_wrong_passphrase_and_a_wrong_provider_are_told_apart() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("keys");
    Keyring::create(&dir, &passphrase("correct"), &mut OsEntropy).unwrap();
    let error = Keyring::open(&dir, &passphrase("wrong")).unwrap_err();
    assert!(matches!(error, KeyringError::WrongPassphrase(_)));
    let error = open(&dir).unwrap_err();
    assert!(matches!(&error, KeyringError::OtherProvider { found, .. } if found == "passphrase"));
    assert!(error.remedy().contains("`passphrase`"));
}

#[test]
fn swapped_or_altered_files_are_found() {
    let (_parent, dir) = created();
    fs::copy(dir.join("log.key"), dir.join("vault.key")).unwrap();
    assert!(matches!(open(&dir).unwrap_err(), KeyringError::Malformed { .. }));
    edit(&dir.join("vault.key"), "name: log", "name: vault");
    assert!(open(&dir).is_ok(), "a renamed signing key is still the key its check value names");

    let (_parent, dir) = created();
    let (_other_parent, other) = created();
    let key_line = |dir: &Path| {
        let text = fs::read_to_string(dir.join("kek-1.key")).unwrap();
        text.lines().find(|line| line.starts_with("key: ")).unwrap().to_owned()
    };
    edit(&dir.join("kek-1.key"), &key_line(&dir), &key_line(&other));
    assert!(matches!(open(&dir).unwrap_err(), KeyringError::Canary(_)));
}

#[test]
fn damaged_files_are_refused_with_a_reason() {
    for (from, to) in [
        ("custos-key v1", "custos-key v2"),
        ("name: log", "name log"),
        ("name: log\n", ""),
        ("check: ", "check: 0"),
        ("key: ", "key: !"),
        ("key: ", "other: "),
        ("provider: file", "provider: file\nprovider: file"),
    ] {
        let (_parent, dir) = created();
        edit(&dir.join("log.key"), from, to);
        assert!(matches!(open(&dir).unwrap_err(), KeyringError::Malformed { .. }), "{from} -> {to}");
    }
}

#[test]
fn another_key_under_the_same_name_fails_against_the_vaults_canary() {
    let (_parent, dir) = created();
    let (_other_parent, other) = created();
    let noted = open(&dir).unwrap().canaries();
    assert!(open(&dir).unwrap().check_canaries(&noted).is_ok());
    assert!(matches!(open(&other).unwrap().check_canaries(&noted), Err(KeyringError::Canary(_))));
    let further = noted.into_iter().chain([(2, Digest::ZERO)]).collect();
    assert!(matches!(open(&dir).unwrap().check_canaries(&further), Err(KeyringError::Missing(_))));
}

#[test]
fn an_added_version_wraps_and_the_older_ones_still_unwrap() {
    let (_parent, dir) = created();
    let mut keyring = open(&dir).unwrap();
    let old = keyring.wrap(&a_case(), &Key32::new([1; 32]), &mut OsEntropy);
    assert_eq!(keyring.add_kek(&FileProvider, &mut OsEntropy).unwrap(), 2);
    let new = keyring.wrap(&a_case(), &Key32::new([2; 32]), &mut OsEntropy);
    assert_eq!((old.kek().as_str(), new.kek().as_str()), ("kek/1", "kek/2"));
    let reopened = open(&dir).unwrap();
    assert_eq!(reopened.current_kek().0, 2);
    assert_eq!(reopened.unwrap(&a_case(), &old).unwrap().expose(), &[1; 32]);
    assert_eq!(reopened.unwrap(&a_case(), &new).unwrap().expose(), &[2; 32]);
}

#[test]
fn costs_beyond_the_limits_are_refused_before_memory_is_taken() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("keys");
    Keyring::create(&dir, &passphrase("x"), &mut OsEntropy).unwrap();
    edit(&dir.join("kek-1.key"), "m=64", "m=4000000000");
    assert!(matches!(Keyring::open(&dir, &passphrase("x")).unwrap_err(), KeyringError::Malformed { .. }));
}

/// The files in `keys.example/`, put where an operator in a hurry would put them.
fn samples() -> (TempDir, PathBuf) {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("keys");
    fs::create_dir(&dir).unwrap();
    chmod(&dir, 0o700);
    for name in ["kek-1.key", "log.key", "vault.key"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys.example").join(name);
        fs::copy(source, dir.join(name)).unwrap();
        chmod(&dir.join(name), 0o600);
    }
    (parent, dir)
}

#[test]
fn sample_keys_are_refused_with_and_without_their_marker() {
    let (_parent, dir) = samples();
    assert!(matches!(open(&dir).unwrap_err(), KeyringError::Sample(_)));
    for name in ["kek-1.key", "log.key", "vault.key"] {
        let (_parent, dir) = samples();
        let (_own_parent, own) = created();
        edit(&dir.join(name), "sample: yes\n", "");
        fs::copy(dir.join(name), own.join(name)).unwrap();
        assert!(matches!(open(&own).unwrap_err(), KeyringError::Sample(path) if path == own.join(name)));
    }
}

#[test]
fn a_key_that_is_being_destroyed_is_no_key_any_more_and_is_gone_on_with() {
    let (_parent, dir) = created();
    let mut keyring = open(&dir).unwrap();
    keyring.add_kek(&FileProvider, &mut OsEntropy).unwrap();
    // As a kill leaves it: with another name, whole or overwritten in part.
    let (old, dying) = (dir.join("kek-1.key"), dir.join("kek-1.key.destroyed"));
    fs::rename(&old, &dying).unwrap();
    let mut again = open(&dir).unwrap();
    assert!(again.kek(1).is_none() && again.kek(2).is_some());
    again.destroy_kek(1).unwrap();
    assert!(!dying.exists(), "by name");
    fs::write(&dying, b"custos-k").unwrap();
    open(&dir).unwrap().finish_destroying().unwrap();
    assert_eq!(fs::read_dir(&dir).unwrap().filter(|e| e.as_ref().unwrap().path() == dying).count(), 0);
}
