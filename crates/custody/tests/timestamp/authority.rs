//! Certificates and timestamp authorities made with the `openssl` command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// What `openssl` calls it, and the options for making a key.
pub(crate) type KeyKind = &'static [&'static str];

pub(crate) const RSA_2048: KeyKind = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
pub(crate) const RSA_3072: KeyKind = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"];
pub(crate) const RSA_4096: KeyKind = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"];
pub(crate) const RSA_1024: KeyKind = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
pub(crate) const P_256: KeyKind = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(crate) const P_384: KeyKind = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
pub(crate) const ED25519: KeyKind = &["-algorithm", "ED25519"];

/// Extensions of a root or an issuer, and of a certificate that signs timestamps.
pub(crate) const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
pub(crate) const TSA: &str =
    "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n";

/// A folder of its own, gone when the test ends.
pub(crate) struct Folder(PathBuf);

/// A certificate with its key; both are files in PEM.
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How a certificate is to be.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'w> {
    pub(crate) name: &'w str,
    pub(crate) extensions: &'w str,
    /// From and to, as openssl writes them.
    pub(crate) validity: (&'w str, &'w str),
    pub(crate) hash: &'w str,
}

/// A validity that includes the day of the test.
pub(crate) const NOW: (&str, &str) = ("20200101000000Z", "20990101000000Z");
/// One that ended long ago.
pub(crate) const THEN: (&str, &str) = ("20200101000000Z", "20210101000000Z");
/// One that has not begun.
pub(crate) const LATER: (&str, &str) = ("20980101000000Z", "20990101000000Z");

pub(crate) const ROOT: Wish<'_> = Wish { name: "Test root", extensions: CA, validity: NOW, hash: "sha256" };
pub(crate) const SIGNER: Wish<'_> =
    Wish { name: "Test authority", extensions: TSA, validity: NOW, hash: "sha256" };

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("timestamp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and says where.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A file name that was not used before.
    fn fresh(&self, end: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        self.path(&format!("{}{end}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn key(&self, kind: KeyKind) -> PathBuf {
        let key = self.fresh(".key");
        run(self.openssl("genpkey").args(kind).arg("-out").arg(&key));
        key
    }

    pub(crate) fn root(&self, kind: KeyKind, wish: Wish<'_>) -> Certified {
        let key = self.key(kind);
        let certificate = self.certificate(&key, wish, None);
        Certified { certificate, key }
    }

    pub(crate) fn issue(&self, by: &Certified, kind: KeyKind, wish: Wish<'_>) -> Certified {
        let key = self.key(kind);
        let certificate = self.certificate(&key, wish, Some((by, "1000")));
        Certified { certificate, key }
    }

    /// A certificate for a key that is there already, with a serial number.
    pub(crate) fn certificate(&self, key: &Path, wish: Wish<'_>, by: Option<(&Certified, &str)>) -> PathBuf {
        let (request, certificate) = (self.fresh(".csr"), self.fresh(".pem"));
        run(self.openssl("req").args(["-new", "-subj", &format!("/O=Custos tests/CN={}", wish.name)]).args(
            [
                "-key".as_ref(),
                key.as_os_str(),
                "-out".as_ref(),
                request.as_os_str(),
                "-config".as_ref(),
                self.write("req.cnf", "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=replaced\n")
                    .as_os_str(),
            ],
        ));
        let serial = by.map_or("01", |(_, serial)| serial);
        let serial_file = self.fresh(".serial");
        std::fs::write(&serial_file, format!("{serial}\n")).unwrap();
        let (database, extensions) = (self.fresh(".db"), self.fresh(".ext"));
        std::fs::write(&database, "").unwrap();
        std::fs::write(&extensions, wish.extensions).unwrap();
        let config = format!(
            "[ca]\ndefault_ca=x\n[x]\ndatabase={}\nserial={}\nnew_certs_dir={}\npolicy=any\ndefault_md={}\n[any]\norganizationName=optional\ncommonName=supplied\n",
            database.display(),
            serial_file.display(),
            self.0.display(),
            wish.hash,
        );
        let config = self.write("ca.cnf", config);
        let mut ca = self.openssl("ca");
        ca.args([
            "-batch",
            "-notext",
            "-preserveDN",
            "-startdate",
            wish.validity.0,
            "-enddate",
            wish.validity.1,
        ]);
        ca.arg("-config").arg(config).arg("-extfile").arg(extensions);
        ca.arg("-in").arg(request).arg("-out").arg(&certificate);
        match by {
            Some((issuer, _)) => ca.arg("-cert").arg(&issuer.certificate).arg("-keyfile").arg(&issuer.key),
            None => ca.arg("-selfsign").arg("-keyfile").arg(key),
        };
        run(&mut ca);
        certificate
    }

    /// An authority's response to a request; `chain` are certificates that it adds, `more` lines for its configuration.
    pub(crate) fn reply(
        &self,
        signer: &Certified,
        query: &[u8],
        chain: &[&Certified],
        more: &str,
    ) -> Vec<u8> {
        let serial = self.write("ts.serial", "2A\n");
        let defaults = "default_policy=1.2.3.4.1\ndigests=sha256\ntsa_name=yes\n";
        let given = if more.contains("signer_digest") { "" } else { "signer_digest=sha256\n" };
        let given = if more.contains("ess_cert_id_alg") {
            given.to_owned()
        } else {
            format!("{given}ess_cert_id_alg=sha256\n")
        };
        let config =
            format!("[tsa]\ndefault_tsa=x\n[x]\nserial={}\n{defaults}{given}{more}\n", serial.display());
        let config = self.write("ts.cnf", config);
        let (query, response) = (self.write("query.tsq", query), self.path("response.tsr"));
        let mut ts = self.openssl("ts");
        ts.arg("-reply").arg("-config").arg(config).arg("-queryfile").arg(query).arg("-out").arg(&response);
        ts.arg("-signer").arg(&signer.certificate).arg("-inkey").arg(&signer.key);
        if !chain.is_empty() {
            let chain: Vec<u8> =
                chain.iter().flat_map(|one| std::fs::read(&one.certificate).unwrap()).collect();
            ts.arg("-chain").arg(self.write("chain.pem", chain));
        }
        run(&mut ts);
        std::fs::read(response).unwrap()
    }

    /// The content of a response's token, signed anew by somebody else, with options of `openssl cms -sign`.
    pub(crate) fn sign_again(&self, response: &[u8], signer: &Certified, options: &[&str]) -> Vec<u8> {
        let (response, token) = (self.write("again.tsr", response), self.path("again.token"));
        let (content, result) = (self.path("again.tst"), self.path("again.cms"));
        run(self.openssl("ts").args(["-reply", "-token_out", "-in"]).arg(response).arg("-out").arg(&token));
        let mut verify = self.openssl("cms");
        verify.args(["-verify", "-noverify", "-inform", "DER", "-in"]).arg(token).arg("-out").arg(&content);
        run(&mut verify);
        let mut sign = self.openssl("cms");
        sign.args(["-sign", "-binary", "-nodetach", "-outform", "DER"]);
        sign.args(["-econtent_type", "1.2.840.113549.1.9.16.1.4"]);
        sign.arg("-signer").arg(&signer.certificate).arg("-inkey").arg(&signer.key).args(options);
        sign.arg("-in").arg(content).arg("-out").arg(&result);
        run(&mut sign);
        std::fs::read(result).unwrap()
    }

    pub(crate) fn openssl(&self, command: &str) -> Command {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&self.0).arg(command);
        openssl
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs to success; what it prints is returned.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
