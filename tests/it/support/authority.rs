//! An authority of certificates, and what it makes and revokes.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

/// What an authority calls the certificates of those under it.
pub(crate) const UNDER: u64 = 5;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate is to be like.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) serial: u64,
    pub(crate) years: (i32, i32),
    pub(crate) usage: ExtendedKeyUsagePurpose,
    pub(crate) key: Option<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        Self { serial: 7, years: (2020, 2099), usage, key: None }
    }
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    /// As a client shows it.
    pub(crate) fn identity(&self) -> reqwest::Identity {
        reqwest::Identity::from_pem(format!("{}{}", self.chain, self.key).as_bytes()).unwrap()
    }

    /// Chain and key as files that only their owner reads.
    pub(crate) fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (chain, key) = (folder.join("own.crt"), folder.join("own.key"));
        std::fs::write(&chain, &self.chain).unwrap();
        std::fs::write(&key, &self.key).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        (chain, key)
    }
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(of_authority(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// One that this one vouches for.
    pub(crate) fn under(&self, name: &str) -> Self {
        let (key, mut params) = (KeyPair::generate().unwrap(), of_authority(name));
        params.serial_number = Some(SerialNumber::from(UNDER));
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate; the name in it is everybody's, and nobody's.
    pub(crate) fn issue(&self, wanted: Wanted) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Ada Admin");
        params.serial_number = Some(SerialNumber::from(wanted.serial));
        params.not_before = date_time_ymd(wanted.years.0, 1, 1);
        params.not_after = date_time_ymd(wanted.years.1, 1, 1);
        params.extended_key_usages = vec![wanted.usage];
        let key = match wanted.key {
            Some(pem) => KeyPair::from_pem(&pem).unwrap(),
            None => KeyPair::generate().unwrap(),
        };
        let made = params.signed_by(&key, &self.0).unwrap();
        Pair { chain: made.pem(), key: key.serialize_pem() }
    }

    /// The list of what it has revoked, which counts until that year, in PEM.
    pub(crate) fn revokes(&self, serials: &[u64], until: i32) -> String {
        self.list(serials, 2021, serials.len() as u64 + 1, until)
    }

    /// The same, of that year and with that number.
    pub(crate) fn list(&self, serials: &[u64], year: i32, number: u64, until: i32) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(year, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}
