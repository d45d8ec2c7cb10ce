use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("custos.toml");
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let (_dir, path) = file("listen = '0.0.0.0:1'\norigin = 'https://file.example'\ndata_dir = '/file'");
    let env = |name: &str| match name {
        "CUSTOS_LISTEN" => Some("0.0.0.0:2".to_owned()),
        "CUSTOS_ORIGIN" => Some("https://env.example".to_owned()),
        _ => None,
    };
    let flags = Flags { config: Some(path.clone()), listen: Some("0.0.0.0:3".into()), ..Flags::default() };
    let config = Config::load(&flags, &env).unwrap();
    let shown: Vec<_> = config.entries().map(|(key, value, source)| format!("{key} {value} {source}")).into();
    assert_eq!(shown[0], "listen 0.0.0.0:3 flag");
    assert_eq!(shown[1], format!("data_dir /file file {}", path.display()));
    assert_eq!(shown[2], "database_url sqlite:///file/custos.db default");
    assert_eq!(shown[3], "blobs_url file:///file/blobs default");
    assert_eq!(shown[4], "origin https://env.example environment CUSTOS_ORIGIN");
    assert_eq!(shown[5], "tls self-signed default");
    assert_eq!(shown[6], "witnesses none default");
}

#[test]
fn a_key_nobody_knows_and_a_value_that_cannot_be_are_named() {
    let (_dir, path) = file("lisen = '0.0.0.0:1'");
    let error = Config::load(&Flags { config: Some(path), ..Flags::default() }, &nothing).unwrap_err();
    assert!(error.to_string().contains("lisen"), "{error}");
    for (flags, key) in [
        (Flags { listen: Some("8443".into()), ..Flags::default() }, "listen"),
        (Flags { origin: Some("http://plain.example".into()), ..Flags::default() }, "origin"),
        (Flags { blobs_url: Some("ftp://x".into()), ..Flags::default() }, "blobs_url"),
        (Flags { tls_cert: Some("cert.pem".into()), ..Flags::default() }, "tls"),
    ] {
        let error = Config::load(&flags, &nothing).unwrap_err();
        assert!(matches!(&error, ConfigError::Value { key: found, .. } if *found == key), "{error}");
    }
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    let of = |text: &str| {
        let flags = Flags { origin: Some(text.to_owned()), ..Flags::default() };
        Config::load(&flags, &nothing).map(|config| config.origin().to_owned()).ok()
    };
    for (text, origin) in [
        ("https://Vault.Example.ORG:443", "https://vault.example.org"),
        ("HTTPS://vault.example.org:8443", "https://vault.example.org:8443"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ] {
        assert_eq!(of(text).as_deref(), Some(origin));
    }
    for wrong in
        ["https://", "https://a.example/", "https://a.example\\b", "https://u@a.example", "https://a:x", "ß"]
    {
        assert_eq!(of(wrong), None, "{wrong}");
    }
}

#[test]
fn a_password_is_never_shown() {
    assert_eq!(without_password("postgres://u:p@ss:w@h:5432/db"), "postgres://u:***@h:5432/db");
    assert_eq!(
        without_password("postgres://h/db?user=u&password=x&a=b"),
        "postgres://h/db?user=u&password=***&a=b"
    );
    assert_eq!(without_password("sqlite:///a/b.db"), "sqlite:///a/b.db");
}
