//! Hashes and signatures of certificates and tokens. Only public keys are handled, so nothing has to take constant time.

use der::Tag;
use der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{BoxedUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::TimestampError;
use super::asn1::{Algorithm, Elements};

/// The hashes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// Only where RFC 3161 prescribes it to name a certificate, never under a signature.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How a signature is made; the hash of Ed25519 is its own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Rsa(Hash),
    Ecdsa(Hash),
    Ed25519,
}

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

impl Hash {
    /// The hash that an algorithm names, SHA-1 never.
    pub(super) fn of(algorithm: &Algorithm<'_>) -> Result<Self, TimestampError> {
        let hash = match algorithm.oid {
            SHA256 => Self::Sha256,
            SHA384 => Self::Sha384,
            SHA512 => Self::Sha512,
            _ => return Err(TimestampError::Algorithm("digest")),
        };
        if algorithm.has_none() { Ok(hash) } else { Err(TimestampError::Algorithm("digest")) }
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// What stands before the digest in a signature of PKCS #1 (RFC 8017, section 9.2, note 1).
    const fn digest_info(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"",
            Self::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
            Self::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
            Self::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        }
    }
}

impl Scheme {
    /// The scheme that an algorithm names. In a token RSA may leave the hash to the signer's digest algorithm.
    pub(super) fn of(algorithm: &Algorithm<'_>, digest: Option<Hash>) -> Result<Self, TimestampError> {
        const UNKNOWN: TimestampError = TimestampError::Algorithm("signature");
        let scheme = match (algorithm.oid, digest) {
            (RSA, Some(hash)) => Self::Rsa(hash),
            (RSA_SHA256, _) => Self::Rsa(Hash::Sha256),
            (RSA_SHA384, _) => Self::Rsa(Hash::Sha384),
            (RSA_SHA512, _) => Self::Rsa(Hash::Sha512),
            (ECDSA_SHA256, _) => Self::Ecdsa(Hash::Sha256),
            (ECDSA_SHA384, _) => Self::Ecdsa(Hash::Sha384),
            (ECDSA_SHA512, _) => Self::Ecdsa(Hash::Sha512),
            (ED25519, _) => Self::Ed25519,
            _ => return Err(UNKNOWN),
        };
        let agrees = match scheme {
            Self::Rsa(hash) | Self::Ecdsa(hash) => digest.is_none_or(|digest| digest == hash),
            Self::Ed25519 => true,
        };
        if agrees && algorithm.has_none() { Ok(scheme) } else { Err(UNKNOWN) }
    }

    /// Verifies `signature` over `message` with the public key in `key`, a `SubjectPublicKeyInfo`.
    pub(super) fn verify(self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), TimestampError> {
        let mut elements = Elements::of(key, Tag::Sequence, "public key")?;
        let algorithm = Algorithm::read(&mut elements)?;
        let bits: BitStringRef<'_> = elements.decode()?;
        elements.finish()?;
        let key = bits.as_bytes().ok_or(TimestampError::Malformed("public key"))?;
        let holds = match (self, algorithm.oid, algorithm.curve()) {
            (Self::Rsa(hash), RSA, _) => verify_rsa(hash, key, message, signature)?,
            (Self::Ecdsa(hash), EC, Some(P256)) => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key);
                let signature = p256::ecdsa::Signature::from_der(signature);
                verifies(key.ok(), &hash.digest(message), signature.ok())
            }
            (Self::Ecdsa(hash), EC, Some(P384)) => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key);
                let signature = p384::ecdsa::Signature::from_der(signature);
                verifies(key.ok(), &hash.digest(message), signature.ok())
            }
            (Self::Ed25519, ED25519, None) => verify_ed25519(key, message, signature),
            _ => return Err(TimestampError::Algorithm("public key")),
        };
        if holds { Ok(()) } else { Err(TimestampError::BadSignature) }
    }
}

fn verifies<S, K: PrehashVerifier<S>>(key: Option<K>, digest: &[u8], signature: Option<S>) -> bool {
    key.zip(signature).is_some_and(|(key, signature)| key.verify_prehash(digest, &signature).is_ok())
}

fn verify_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = key.try_into().ok().and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(key).ok());
    let signature = ed25519_dalek::Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(message, &signature).is_ok())
}

/// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.2).
fn verify_rsa(hash: Hash, key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, TimestampError> {
    let mut elements = Elements::of(key, Tag::Sequence, "public key")?;
    let (modulus, exponent): (UintRef<'_>, UintRef<'_>) = (elements.decode()?, elements.decode()?);
    elements.finish()?;
    // A key may be long where a certificate may be: cut down before any arithmetic.
    if modulus.as_bytes().len() > 512 || exponent.as_bytes().len() > 8 {
        return Err(TimestampError::Algorithm("public key"));
    }
    let number = |number: UintRef<'_>| BoxedUint::from_be_slice_vartime(number.as_bytes());
    let modulus = number(modulus);
    if modulus.bits_vartime() < 2048 {
        return Err(TimestampError::Algorithm("public key"));
    }
    let key = RsaPublicKey::new_with_max_size(modulus, number(exponent), 4096)
        .map_err(|_| TimestampError::Algorithm("public key"))?;
    let digest = hash.digest(message);
    let padding = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: hash.digest_info().into() };
    Ok(key.verify(padding, &digest, signature).is_ok())
}
