//! HKDF-Expand (RFC 5869, section 2.3) from a pseudorandom key of any length.
//!
//! The `hkdf` crate refuses keys shorter than its hash; FLOE and wrapped keys expand from 32 bytes, which
//! HMAC allows and both specifications demand.

use hkdf::hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha384, Sha512};
use zeroize::Zeroizing;

/// `HKDF-Expand-SHA-384(key, info[0] || info[1] || …, N)`.
pub(crate) fn expand_sha384<const N: usize>(key: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    expand::<Hmac<Sha384>, N>(key, info)
}

/// `HKDF-Expand-SHA-512(key, info[0] || info[1] || …, N)`.
pub(crate) fn expand_sha512<const N: usize>(key: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    expand::<Hmac<Sha512>, N>(key, info)
}

fn expand<M: Mac + KeyInit, const N: usize>(key: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut output = Zeroizing::new([0; N]);
    let mut block = Zeroizing::new(Vec::new());
    for (counter, chunk) in (1..=u8::MAX).zip(output.chunks_mut(M::output_size())) {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 2)")]
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
        mac.update(&block);
        for part in info {
            mac.update(part);
        }
        mac.update(&[counter]);
        *block = mac.finalize().into_bytes().to_vec();
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_expand_as_the_hkdf_crate_does() {
        let key = [9; 64];
        let mut expected = [0; 100];
        hkdf::Hkdf::<Sha384>::from_prk(&key).unwrap().expand(b"some info", &mut expected).unwrap();
        assert_eq!(*expand_sha384::<100>(&key, &[b"some", b" ", b"info"]), expected);
        hkdf::Hkdf::<Sha512>::from_prk(&key).unwrap().expand(b"some info", &mut expected).unwrap();
        assert_eq!(*expand_sha512::<100>(&key, &[b"some info"]), expected);
    }

    #[test]
    fn a_short_key_is_the_same_key_padded_with_zeros() {
        // HMAC pads keys below its block length with zeros, so both spellings give the same output.
        let mut padded = [0; 64];
        padded[..32].fill(5);
        assert_eq!(*expand_sha512::<76>(&[5; 32], &[b"x"]), *expand_sha512::<76>(&padded, &[b"x"]));
    }
}
