//! Signing in, and the sessions that come of it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A text that is shown to nobody but whom it is for.
#[derive(Clone, ToSchema)]
#[schema(value_type = String)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

wire! {
    /// `POST /api/v1/codes`: a device that is to give codes.
    NewCodes {
        /// What it is confirmed with.
        id: String,
        /// The secret in base32, to be typed.
        secret: Hidden,
        /// The same, to be scanned (`otpauth://`).
        uri: Hidden,
        /// Until when it can be confirmed.
        expires: String,
    }
    /// Shows that the device gives codes.
    ConfirmCodes {
        /// From `POST /api/v1/codes`.
        id: String,
        /// What the device shows.
        code: Hidden,
    }
    /// `PUT /api/v1/password`.
    NewPassword {
        /// What one signs in with: 3 to 64 characters; large or small letters are the same.
        name: Hidden,
        /// The password.
        password: Hidden,
        /// A new device; without, the one before stays.
        #[serde(default)]
        codes: Option<ConfirmCodes>,
    }
    /// What came of it.
    PasswordSet {
        /// New recovery codes, shown once; empty where the earlier ones stay.
        recovery_codes: Vec<Hidden>,
    }
    /// `GET /api/v1/credentials`.
    Credentials {
        /// The password, if there is one.
        #[serde(default)]
        password: Option<PasswordInfo>,
        /// Passkeys, oldest first.
        passkeys: Vec<PasskeyInfo>,
        /// Certificates, oldest first.
        #[serde(default)]
        certificates: Vec<CertificateInfo>,
        /// Who one is at providers, oldest first.
        #[serde(default)]
        providers: Vec<ProviderLink>,
    }
    /// `GET /api/v1/sign-in/providers`
    Providers {
        /// Their names in the configuration.
        providers: Vec<String>,
    }
    /// `POST /api/v1/sign-in/provider/prepare`, `POST /api/v1/provider-links/prepare`
    AskProvider {
        /// Its name.
        provider: String,
    }
    /// Where to send the browser.
    ProviderRequest {
        /// What the page keeps, and sends with what the browser comes back with.
        id: Hidden,
        /// The provider's address.
        url: String,
        /// Until when it comes back.
        expires: String,
    }
    /// `POST /api/v1/sign-in/provider`
    ProviderSignIn {
        /// From `POST /api/v1/sign-in/provider/prepare`.
        id: Hidden,
        /// The provider in the address that the browser came back to.
        provider: String,
        /// What the browser came back with.
        code: Hidden,
        /// As well.
        state: Hidden,
        /// As well, where it did (RFC 9207).
        #[serde(default)]
        iss: Option<String>,
        /// What one calls the device; at most 100 characters.
        label: String,
    }
    /// `POST /api/v1/provider-links`
    NewProviderLink {
        /// From `POST /api/v1/provider-links/prepare`.
        id: Hidden,
        /// The provider in the address that the browser came back to.
        provider: String,
        /// What the browser came back with.
        code: Hidden,
        /// As well.
        state: Hidden,
        /// As well, where it did (RFC 9207).
        #[serde(default)]
        iss: Option<String>,
    }
    /// Somebody's name at a provider, which only the provider knows.
    ProviderLink {
        /// Id.
        id: String,
        /// The provider's name in the configuration.
        provider: String,
        /// Since when.
        created: String,
        /// When it was last used.
        #[serde(default)]
        used: Option<String>,
    }
    /// `POST /api/v1/certificates`, over a connection that shows the certificate.
    NewCertificate {
        /// What one calls it; at most 100 characters.
        label: String,
    }
    /// A certificate.
    CertificateInfo {
        /// Id.
        id: String,
        /// What one called it.
        label: String,
        /// SHA-256 of its public key (`SubjectPublicKeyInfo`), in hex.
        key: String,
        /// Since when.
        created: String,
        /// When it was last used, to the minute.
        #[serde(default)]
        used: Option<String>,
    }
    /// A passkey.
    PasskeyInfo {
        /// Id.
        id: String,
        /// What one called it.
        label: String,
        /// Since when.
        created: String,
        /// When it was last used.
        #[serde(default)]
        used: Option<String>,
    }
    /// What a browser is to ask an authenticator for.
    PasskeyRequest {
        /// What the answer is sent with.
        id: String,
        /// `{"publicKey": …}` for `navigator.credentials.create` or `get` (`WebAuthn`, JSON).
        #[schema(value_type = Object)]
        options: serde_json::Value,
        /// Until when it is answered.
        expires: String,
    }
    /// `POST /api/v1/passkeys`.
    NewPasskey {
        /// From `POST /api/v1/passkeys/prepare`.
        id: String,
        /// What one calls it; at most 100 characters.
        label: String,
        /// What the browser answered (`toJSON()`).
        #[schema(value_type = Object)]
        credential: serde_json::Value,
    }
    /// `POST /api/v1/session/confirm/passkey`.
    PasskeyProof {
        /// From `POST /api/v1/session/confirm/passkey/prepare`.
        id: String,
        /// What the browser answered (`toJSON()`).
        #[schema(value_type = Object)]
        credential: serde_json::Value,
    }
    /// `POST /api/v1/sign-in/passkey`.
    PasskeySignIn {
        /// From `POST /api/v1/sign-in/passkey/prepare`.
        id: String,
        /// What the browser answered (`toJSON()`).
        #[schema(value_type = Object)]
        credential: serde_json::Value,
        /// What one calls the device; at most 100 characters.
        label: String,
    }
    /// A password with its device.
    PasswordInfo {
        /// When either was last changed.
        changed: String,
        /// How many recovery codes are left.
        recovery_codes_left: u64,
    }
    /// A second factor: one of the two.
    Factor {
        /// What the device shows.
        #[serde(default)]
        code: Option<Hidden>,
        /// A recovery code.
        #[serde(default)]
        recovery_code: Option<Hidden>,
    }
    /// `POST /api/v1/sign-in/password`.
    PasswordSignIn {
        /// The name that one signs in with.
        name: Hidden,
        /// The password.
        password: Hidden,
        /// The second factor.
        factor: Factor,
        /// What one calls the device; at most 100 characters.
        label: String,
    }
    /// `POST /api/v1/session`.
    NewSession {
        /// What one calls the device; at most 100 characters.
        label: String,
    }
    /// A session; its secret is in the cookie only.
    Session {
        /// Id.
        id: String,
        /// What one called the device.
        label: String,
        /// How it was opened: `token`, `password`, `passkey`, `provider`.
        method: String,
        /// When it was opened.
        created: String,
        /// When it was last used, to the minute.
        seen: String,
        /// When it ends if it is not used.
        idle_until: String,
        /// When it ends however much it is used.
        expires: String,
        /// Until when the last second factor covers sensitive acts.
        #[serde(default)]
        confirmed_until: Option<String>,
        /// Whether it is over.
        ended: bool,
        /// Whether this is asked with it.
        current: bool,
    }
    /// `GET /api/v1/sessions`.
    Sessions {
        /// Oldest first.
        sessions: Vec<Session>,
    }
}
