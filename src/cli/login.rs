//! `custos login`: the profile that everything else uses.

use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::id::PersonId;
use serde_json::json;
use zeroize::Zeroizing;

use super::failure::{Exit, Failure};
use super::files::{new_passphrase, secret_from};
use super::{Global, Out, session};
use crate::client::{NewProfile, OwnCertificate, Profile, Stranger, key, secret};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The vault's address: `https://host` or `https://host:port`
    url: String,
    /// SHA-256 of the vault's certificate, as its administrator gave it to you
    #[arg(long, value_name = "HEX")]
    fingerprint: Digest,
    /// The vault's own fingerprint (hash of its first record), as on paper
    #[arg(long, value_name = "HEX")]
    vault_fingerprint: Digest,
    #[command(flatten)]
    proof: Proof,
    /// Your signing key, if this device has one already
    #[arg(long, value_name = "FILE", conflicts_with = "invitation")]
    key_file: Option<PathBuf>,
    /// A certificate that every connection shows (PEM, chain), and that signs in once it is yours (custos certificate add)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key (PEM, mode 0600)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Keep the new key under a passphrase, which is asked for
    #[arg(long, requires = "invitation")]
    passphrase: bool,
    /// What the token is called in your list of tokens
    #[arg(long, default_value = "command line")]
    label: String,
}

/// What shows who you are; without, the certificate does.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Proof {
    /// File with your API token (mode 0600), or - for stdin
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with a one-time invitation code (mode 0600), or - for stdin: makes a key and a token on this device
    #[arg(long, value_name = "FILE")]
    invitation: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let path = session::path(global)?;
    if path.exists() {
        return Err(Failure::new(format!("there is a profile at {}", path.display()))
            .hint("name another one with --profile NAME, or move this one away"));
    }
    let own = certificate(args)?;
    let stranger = Stranger::meet_showing(&args.url, args.fingerprint, args.vault_fingerprint, own).await?;
    let (profile, enrolment) = match (&args.proof.token_file, &args.proof.invitation) {
        (Some(token), _) => (signed_in(&stranger, args, &path, Some(token)).await?, None),
        (None, Some(code)) => {
            let passphrase =
                args.passphrase.then(|| new_passphrase("passphrase for the new key: ")).transpose()?;
            let code = secret_from(code, "invitation code")?;
            let (profile, enrolment) =
                redeem(&stranger, args.fingerprint, &path, &code, passphrase, &args.label).await?;
            (profile, Some(enrolment))
        }
        (None, None) if args.client_cert.is_some() => (signed_in(&stranger, args, &path, None).await?, None),
        (None, None) => return Err(Failure::usage("name a token file, an invitation or a certificate")),
    };
    let key = session::own_key(&profile)?.map(|key| custody::envelope::key_hash(&key.verifying_key()));
    let shown = json!({
        "profile": profile.path(), "person": profile.person(), "vault": profile.trust().fingerprint(),
        "key": key, "enrolment": enrolment,
    });
    out.result(&shown, |_| profile.path().display().to_string());
    if let (Some(key), Some(enrolment)) = (key, enrolment) {
        out.say(&format!(
            "read this to whoever invited you, who then runs `custos key approve {enrolment}`; until then the token opens \
             nothing:\nkey {key}"
        ));
    }
    Ok(Exit::Valid)
}

async fn signed_in(
    stranger: &Stranger,
    args: &Args,
    path: &Path,
    token_file: Option<&Path>,
) -> Result<Profile, Failure> {
    let token = token_file.map(|file| secret_from(file, "token")).transpose()?;
    let me = stranger.person(args.fingerprint, token.as_ref()).await?;
    let person = me.person.id.parse().map_err(|_| Failure::new("the vault names no person"))?;
    let places = Places::beside(path)?;
    if let Some(token) = &token {
        secret::write(&places.token, token)?;
    }
    let key = args.key_file.as_deref().map(std::path::absolute).transpose();
    let key = key.map_err(|error| Failure::new("cannot find the key file").because(&error))?;
    places.profile(stranger, args.fingerprint, person, key, token.is_some())
}

/// The certificate that the flags name.
fn certificate(args: &Args) -> Result<Option<OwnCertificate>, Failure> {
    let (Some(chain), Some(key)) = (&args.client_cert, &args.client_key) else { return Ok(None) };
    let found = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Failure::new(format!("cannot find {}", path.display())).because(&error))
    };
    Ok(Some(OwnCertificate { chain: found(chain)?, key: found(key)? }))
}

/// Makes a key and a token on this device; the profile, and the enrolment that waits for the voucher.
pub(crate) async fn redeem(
    stranger: &Stranger,
    tls: Digest,
    path: &Path,
    code: &str,
    passphrase: Option<Zeroizing<String>>,
    label: &str,
) -> Result<(Profile, String), Failure> {
    let places = Places::beside(path)?;
    let new = key::generate()?;
    // The key is on disk before the vault hears of it, the token right after it was seen.
    key::create(&places.key, &new, passphrase)?;
    let redeemed = match stranger.redeem(code, &new, label).await {
        Ok(redeemed) => redeemed,
        Err(error) => {
            let _ = std::fs::remove_file(&places.key);
            return Err(error.into());
        }
    };
    secret::write(&places.token, &redeemed.token)?;
    let key = places.key.clone();
    let profile = places.profile(stranger, tls, redeemed.person, Some(key), true)?;
    Ok((profile, redeemed.enrolment))
}

/// The files of a profile, side by side: `<name>.toml`, `.token`, `.key`, `.receipts`.
pub(crate) struct Places {
    profile: PathBuf,
    token: PathBuf,
    key: PathBuf,
}

impl Places {
    /// Makes the folder, readable to its owner only.
    pub(crate) fn beside(profile: &Path) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = profile.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| Failure::new(format!("cannot make {}", folder.display())).because(&error))?;
        let with = |extension| profile.with_extension(extension);
        Ok(Self { profile: profile.to_owned(), token: with("token"), key: with("key") })
    }

    /// The token's file.
    pub(crate) fn token(&self) -> &Path {
        &self.token
    }

    /// Writes the profile; `key` and token where there are any.
    pub(crate) fn profile(
        self,
        stranger: &Stranger,
        tls: Digest,
        person: PersonId,
        key: Option<PathBuf>,
        has_token: bool,
    ) -> Result<Profile, Failure> {
        let beside = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
        let key = key.map(|key| if key == self.key { beside(&key) } else { key });
        let new = NewProfile {
            url: stranger.url().to_owned(),
            tls,
            trust: stranger.trust().clone(),
            person,
            token: has_token.then(|| beside(&self.token)),
            certificate: stranger.certificate().cloned(),
            key,
            receipts: beside(&self.profile.with_extension("receipts")),
        };
        Ok(Profile::create(&self.profile, new)?)
    }
}
