//! An authenticator in software: what a browser and a key make of what the vault asks (`WebAuthn` level 3), written apart
//! from the code under test.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::app::custos_random;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 4;
const HAS_KEY: u8 = 64;

/// A key with its counter, and how it behaves.
pub(super) struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    user: String,
    pub(super) counter: u32,
    /// The page that asks.
    pub(super) origin: String,
    /// The host that the page says it is of.
    pub(super) host: String,
    /// Whether it makes sure who holds it.
    pub(super) verifies: bool,
    /// Whether it says that it keeps the passkey, if it says so.
    pub(super) keeps: Option<bool>,
}

impl Authenticator {
    pub(super) fn new(origin: &str) -> Self {
        let host = origin.trim_start_matches("https://").split(':').next().unwrap().to_owned();
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: custos_random().to_vec(),
            user: String::new(),
            counter: 1,
            origin: origin.to_owned(),
            host,
            verifies: true,
            keeps: Some(true),
        }
    }

    /// Somebody has taken a copy of the key, with the counter of now.
    pub(super) fn copy(&self) -> Self {
        let key = self.key.private_key().as_be_bytes().unwrap();
        let public = self.key.public_key().as_ref();
        let signing = &ECDSA_P256_SHA256_ASN1_SIGNING;
        Self {
            key: EcdsaKeyPair::from_private_key_and_public_key(signing, key.as_ref(), public).unwrap(),
            id: self.id.clone(),
            user: self.user.clone(),
            origin: self.origin.clone(),
            host: self.host.clone(),
            ..*self
        }
    }

    /// `navigator.credentials.create(options)`, as JSON.
    pub(super) fn create(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        assert_eq!(asked["rp"]["id"], self.host.as_str());
        assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
        asked["user"]["id"].as_str().unwrap().clone_into(&mut self.user);
        let mut data = self.data(HAS_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // COSE_Key: EC2, ES256, P-256, x, y.
        let point = self.key.public_key().as_ref();
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&point[33..65]);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(&data);
        let client = self.client("webauthn.create", &asked["challenge"]);
        let response = json!({ "clientDataJSON": url(&client), "attestationObject": url(&object) });
        let mut answer = self.answer(&response);
        if let Some(keeps) = self.keeps {
            assert_eq!(asked["extensions"]["credProps"], true);
            answer["clientExtensionResults"]["credProps"] = json!({ "rk": keeps });
        }
        answer
    }

    /// `navigator.credentials.get(options)`, as JSON.
    pub(super) fn get(&mut self, options: &Value) -> Value {
        let asked = &options["publicKey"];
        assert_eq!(asked["userVerification"], "required");
        assert_eq!(asked["allowCredentials"].as_array().map_or(0, Vec::len), 0, "nobody says who asks");
        self.counter += 1;
        let (data, client) = (self.data(0), self.client("webauthn.get", &asked["challenge"]));
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "clientDataJSON": url(&client), "authenticatorData": url(&data), "signature": url(signature.as_ref()),
            "userHandle": self.user,
        });
        self.answer(&response)
    }

    fn answer(&self, response: &Value) -> Value {
        json!({
            "id": url(&self.id), "rawId": url(&self.id), "type": "public-key", "response": response,
            "clientExtensionResults": {},
        })
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { USER_VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.host.as_bytes()).as_ref().to_vec();
        data.push(flags | USER_PRESENT | verified);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client(&self, of: &str, challenge: &Value) -> Vec<u8> {
        let client =
            json!({ "type": of, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        client.to_string().into_bytes()
    }
}

fn url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
