//! The files of a bundle that follow from the others: all made here, by the exporter to write them and by the
//! verifier to compare them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use super::layout::{
    BAG_INFO, BAGIT, BAGIT_TEXT, BUNDLE, LOG_PEM, MANIFEST, TAG_MANIFEST, TAG_MANIFEST_SIG, Tally, VAULT_PEM,
    VERIFY_SH, VERIFY_TXT, exhibit_label,
};
use super::manifest::{BundleManifest, Payload, Scope};
use crate::act::PublicKey;
use crate::digest::Digest;
use crate::envelope::{self, PayloadType};
use crate::log_keys::LogKeys;
use crate::time::Timestamp;

/// What the derived files say about a bundle.
#[derive(Debug, Clone)]
pub struct About {
    /// The vault: hash of record 0.
    pub vault: Digest,
    /// The vault's public key.
    pub vault_key: PublicKey,
    /// The keys that the log had up to the checkpoint; the last one signed it.
    pub log: LogKeys,
    /// What is in scope.
    pub scope: Scope,
    /// Hash of the record of `bundle.exported`.
    pub exported: Digest,
    /// When that record was received.
    pub exported_at: Timestamp,
    /// Whether the bundle has time stamps: how to check them is then said too.
    pub timestamps: bool,
}

/// One exhibit's line in `hash-report.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashLine {
    /// Exhibit number.
    pub exhibit: u32,
    /// SHA-256 of its content, if any content was ever named.
    pub digest: Option<Digest>,
    /// Bytes of its content.
    pub size: u64,
    /// Its path in the bundle; none where its content is not here.
    pub path: Option<String>,
    /// Whether the digest is its sender's word: they sealed it.
    pub unseen: bool,
}

/// The files that follow from the vault and its keys alone; the exporter writes them before [`close`].
pub fn fixed(about: &About) -> Vec<(&'static str, String)> {
    let vault_key = about.vault_key.as_bytes();
    vec![
        (BAGIT, BAGIT_TEXT.to_owned()),
        (VERIFY_TXT, verify_txt(about)),
        (VERIFY_SH, verify_sh(about)),
        (VAULT_PEM, public_key_pem(vault_key)),
        (LOG_PEM, public_key_pem(about.log.present().public_key().as_bytes())),
    ]
}

/// The last files, which commit to all others: `bag-info.txt`, `manifest-sha256.txt`, `bundle.json`,
/// `tagmanifest-sha256.txt` and its signature. `tally` holds every other file; `manifest` comes with its `manifest`
/// and `payload` members not yet filled in.
pub fn close(
    mut tally: Tally,
    about: &About,
    mut manifest: BundleManifest,
    key: &SigningKey,
) -> Vec<(&'static str, Vec<u8>)> {
    let listed = tally.manifest().into_bytes();
    manifest.manifest = Digest::of(&listed);
    manifest.payload = tally.payload();
    let mut files = vec![
        (BAG_INFO, bag_info(about, tally.payload()).into_bytes()),
        (MANIFEST, listed),
        (BUNDLE, envelope::sign(PayloadType::Bundle, &manifest.to_bytes(), &[key])),
    ];
    for (path, bytes) in &files {
        tally.add(path, bytes.len() as u64, Digest::of(bytes));
    }
    let tags = tally.tag_manifest().into_bytes();
    let signature = key.sign(&tags).to_bytes().to_vec();
    files.extend([(TAG_MANIFEST, tags), (TAG_MANIFEST_SIG, signature)]);
    files
}

/// `bag-info.txt` (RFC 8493, section 2.2.2).
pub fn bag_info(about: &About, payload: Payload) -> String {
    let day = about.exported_at.to_string();
    format!(
        "Bagging-Date: {}\nCustos-Case: {}\nCustos-Export: {}\nCustos-Vault: {}\nPayload-Oxum: {}.{}\n",
        day.split('T').next().unwrap_or_default(),
        about.scope.case,
        about.exported,
        about.vault,
        payload.bytes,
        payload.files,
    )
}

/// `hash-report.txt`: every exhibit of the case by number, those without content here included.
pub fn hash_report(exhibits: &[HashLine]) -> String {
    let mut text = String::from("Exhibit  SHA-256  Bytes  File\n");
    for line in exhibits {
        let digest = line.digest.map_or_else(|| "no content".to_owned(), Digest::to_hex);
        let path = line.path.as_deref().unwrap_or("not in this bundle");
        let path = if line.unseen { format!("{path}; SHA-256 as its sender says") } else { path.to_owned() };
        let _ = writeln!(text, "{}  {digest}  {}  {path}", exhibit_label(line.exhibit), line.size);
    }
    text
}

/// An Ed25519 public key as `SubjectPublicKeyInfo` in PEM (RFC 8410), as openssl reads it.
pub fn public_key_pem(key: &[u8; 32]) -> String {
    const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let der = STANDARD.encode([&PREFIX[..], key].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
}

/// `VERIFY.txt`.
pub fn verify_txt(about: &About) -> String {
    format!(
        "HOW TO CHECK THIS BUNDLE

This folder holds the exhibits of a case and the record of everything that was
done with them. You need not trust whoever gave it to you.

WITH THE VERIFIER (checks everything)

    custody-verify --fingerprint FINGERPRINT THIS-FOLDER-OR-ZIP

FINGERPRINT is the vault's fingerprint. Take it from paper or from a public
register, not from this folder. This folder claims to come from the vault

    {vault}

WITH COMMON TOOLS (checks that nothing was changed since the vault signed)

Run these commands in this folder, on Linux or macOS, with OpenSSL 3 or newer.
verify.sh runs all of them.

1. The files are the ones listed, and the lists are complete:

    sha256sum -c --quiet tagmanifest-sha256.txt
    sha256sum -c --quiet manifest-sha256.txt
    bagit.py --validate .            (optional: pip install bagit)

2. The vault signed the list:

    openssl pkeyutl -verify -rawin -pubin -inkey trust/keys/vault.pem \\
        -in tagmanifest-sha256.txt -sigfile tagmanifest-sha256.txt.sig

3. The log signed the checkpoint:

    head -n 3 custody/checkpoint > /tmp/checkpoint.text
    sed -n 5p custody/checkpoint | cut -d ' ' -f 3 | base64 -d | tail -c 64 \\
        > /tmp/checkpoint.sig
    openssl pkeyutl -verify -rawin -pubin -inkey trust/keys/log.pem \\
        -in /tmp/checkpoint.text -sigfile /tmp/checkpoint.sig

4. Record 0 is the vault that you trust. This prints the fingerprint; compare
   it with the one on paper, every digit:

    {{ printf 'custos/record/v1\\0'; head -n 1 custody/records.jsonl |
        sed 's/.*\"record\":\"\\([^\"]*\\)\".*/\\1/' | base64 -d; }} | sha256sum

5. Record 0 names the two keys used in steps 2 and 3. The first command prints
   what record 0 says, with vault_key and log_vkey; the second prints the key of
   step 2, which must be vault_key; the third prints the key of step 3, which must
   be the end of log_vkey:

    head -n 1 custody/records.jsonl | sed 's/.*\"envelope\":\"\\([^\"]*\\)\".*/\\1/' |
        base64 -d | sed 's/.*\"payload\":\"\\([^\"]*\\)\".*/\\1/' | base64 -d
    openssl pkey -pubin -in trust/keys/vault.pem -outform DER | tail -c 32 |
        od -An -v -tx1 | tr -d ' \\n'
    {{ printf '\\001'; openssl pkey -pubin -in trust/keys/log.pem -outform DER |
        tail -c 32; }} | base64

   and the second word of this one must be the same as the \"stmt\" in the
   record that step 4 hashed (print it by leaving out the last command there):

    head -n 1 custody/records.jsonl | sed 's/.*\"envelope\":\"\\([^\"]*\\)\".*/\\1/' |
        base64 -d | sha256sum

{replaced}{timestamps}WHAT THE COMMON TOOLS DO NOT CHECK: the signatures of persons, the order and
completeness of the records, the rules of custody. The verifier does.

THE LOG of this vault is {origin}, its key
{log}
",
        vault = about.vault,
        timestamps = if about.timestamps { TIMESTAMPS_TXT } else { "" },
        replaced = replaced_txt(&about.log),
        origin = about.log.present().name(),
        log = about.log.present(),
    )
}

/// What `VERIFY.txt` says of a log whose key was replaced: step 5 leads to the first key, step 3 takes the last one.
fn replaced_txt(log: &LogKeys) -> String {
    if log.former().is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "   The log's key was replaced since, so that the end of log_vkey is another. The
   lines of custody/records.jsonl with these indices say so; in each, payload
   (printed as above) names the key before as previous, and the next as log_vkey:

",
    );
    let _ = writeln!(text, "    record 0 {}", log.first());
    for (former, next) in log.former().iter().zip(log.each().skip(1)) {
        let _ = writeln!(text, "    record {} {next}", former.until);
    }
    text + "
   That each was allowed, and by whom it is signed, only the verifier checks.

"
}

/// What `VERIFY.txt` says of time stamps, where there are some.
const TIMESTAMPS_TXT: &str = r#"6. Outsiders saw the log at certain times. Get the root certificates of their
   authorities yourself, in one file (roots.pem); sh verify.sh roots.pem runs
   this too. Each <size>.note is what the log signed when it had that many
   entries; the one of the checkpoint's size must be the checkpoint:

    for token in custody/timestamps/*.tsr; do
        openssl ts -verify -token_in -in "$token" -CAfile roots.pem             -data "${token%.*.tsr}.note"
        openssl ts -reply -token_in -in "$token" -text | grep '^Time stamp:'
    done
    note=custody/timestamps/$(sed -n 2p custody/checkpoint).note
    [ ! -e "$note" ] || head -n 5 custody/checkpoint | cmp - "$note"

   Tokens of other authorities fail here; leave them out. Once a certificate has
   expired, add -attime with the seconds since 1970 of the time stamp.

"#;

/// `verify.sh`: the steps of `VERIFY.txt` but for step 5.
pub fn verify_sh(about: &About) -> String {
    let timestamps = if about.timestamps { TIMESTAMPS_SH } else { "" };
    [VERIFY_SH_TEXT, timestamps, VERIFY_SH_END].concat()
}

/// What `verify.sh` does with time stamps, where there are some.
const TIMESTAMPS_SH: &str = r#"
# A file of roots is named from where this script was called.
roots=${1:-}
case $roots in "" | /*) ;; *) roots=$OLDPWD/$roots ;; esac
if [ -n "$roots" ]; then
    for token in custody/timestamps/*.tsr; do
        openssl ts -verify -token_in -in "$token" -CAfile "$roots"             -data "${token%.*.tsr}.note" >"$work/out" 2>&1 ||
            { echo "$token: NOT verified with these roots"; exit 1; }
        openssl ts -reply -token_in -in "$token" -text >"$work/out" 2>&1
        echo "$token: $(grep '^Time stamp:' "$work/out")"
    done
    note=custody/timestamps/$(sed -n 2p custody/checkpoint).note
    if [ -e "$note" ]; then
        head -n 5 custody/checkpoint | cmp - "$note"
        echo "checkpoint: time-stamped"
    fi
else
    echo "time stamps: not checked; run sh verify.sh with a file of the authorities' roots"
fi
"#;

/// Steps 1 to 4.
const VERIFY_SH_TEXT: &str = r#"#!/bin/sh
# Checks this bundle with common tools; see VERIFY.txt for what it means and what it leaves out.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sha256sum -c --quiet tagmanifest-sha256.txt
sha256sum -c --quiet manifest-sha256.txt
echo "files: unchanged since they were listed"

openssl pkeyutl -verify -rawin -pubin -inkey trust/keys/vault.pem \
    -in tagmanifest-sha256.txt -sigfile tagmanifest-sha256.txt.sig >"$work/out"
echo "list: signed by the vault's key"

head -n 3 custody/checkpoint >"$work/text"
sed -n 5p custody/checkpoint | cut -d ' ' -f 3 | base64 -d | tail -c 64 >"$work/sig"
openssl pkeyutl -verify -rawin -pubin -inkey trust/keys/log.pem \
    -in "$work/text" -sigfile "$work/sig" >"$work/out"
echo "checkpoint: signed by the log's key"
"#;

/// What comes last.
const VERIFY_SH_END: &str = r#"
fingerprint=$({ printf 'custos/record/v1\0'; head -n 1 custody/records.jsonl |
    sed 's/.*"record":"\([^"]*\)".*/\1/' | base64 -d; } | sha256sum | cut -d ' ' -f 1)
echo "vault: $fingerprint"
echo "Compare this fingerprint with the one on paper. For everything else run custody-verify."
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_pem_is_the_one_of_rfc_8410() {
        // RFC 8410, section 10.1.
        let key =
            crate::digest::hex_array("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")
                .unwrap();
        let pem = public_key_pem(&key);
        assert!(pem.contains("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="));
    }

    #[test]
    fn the_hash_report_lists_what_is_not_here_too() {
        let report = hash_report(&[
            HashLine {
                exhibit: 1,
                digest: Some(Digest::ZERO),
                size: 3,
                path: Some("data/x".to_owned()),
                unseen: false,
            },
            HashLine { exhibit: 2, digest: None, size: 0, path: None, unseen: false },
            HashLine { exhibit: 3, digest: Some(Digest::ZERO), size: 3, path: None, unseen: true },
        ]);
        assert_eq!(report.lines().nth(2), Some("E-0002  no content  0  not in this bundle"));
    }
}
