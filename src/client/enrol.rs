//! Becoming known to a vault: proving which vault it is, redeeming an invitation, enrolling keys.

use custody::act::{Act, KeyEnrolled, PublicKey};
use custody::digest::Digest;
use custody::envelope::{PayloadType, key_hash, sign_detached};
use custody::id::PersonId;
use custody::kind::Kind;
use custody::log_keys::MAX_CHANGES_BYTES;
use custody::statement::{Actor, Assurance, Statement};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::ask::{check_time, parse, same};
use super::certificate::OwnCertificate;
use super::http::{Call, Http, Shows};
use super::log::parse_keys;
use super::receipts::Of;
use super::{Client, ClientError, Kept, VaultTrust, new_op_id, now, segment, write};
use crate::api;

/// Somebody whom the vault does not know yet: no token.
#[derive(Debug)]
pub struct Stranger {
    http: Http,
    trust: VaultTrust,
    certificate: Option<OwnCertificate>,
}

/// What redeeming an invitation gave.
pub struct Redeemed {
    /// The person.
    pub person: PersonId,
    /// The API token, seen on this device only.
    pub token: Zeroizing<String>,
    /// The enrolment that waits for the voucher.
    pub enrolment: String,
}

impl Stranger {
    /// Connects to the server with the certificate `tls` and proves that it is the vault with `fingerprint`.
    pub async fn meet(url: &str, tls: Digest, fingerprint: Digest) -> Result<Self, ClientError> {
        Self::meet_showing(url, tls, fingerprint, None).await
    }

    /// The same over connections that show a certificate.
    pub async fn meet_showing(
        url: &str,
        tls: Digest,
        fingerprint: Digest,
        certificate: Option<OwnCertificate>,
    ) -> Result<Self, ClientError> {
        let shows = Shows { certificate: certificate.as_ref(), ..Shows::default() };
        let http = Http::new(url, tls, shows)?;
        let info: api::VaultInfo = http.fetch(Call::get("/api/v1/vault")).await?;
        let trust = VaultTrust::prove(fingerprint, &info)?;
        let text = http.bytes_at_most(Call::get("/log/keys"), MAX_CHANGES_BYTES).await?;
        let logs = trust.logs().follow(&parse_keys(&text)?, Some(&trust.known()));
        let logs = logs.map_err(|_| ClientError::OtherVault("its log's keys do not follow from record 0"))?;
        let trust = trust.with_logs(logs);
        Ok(Self { http, trust, certificate })
    }

    /// The vault, proven.
    pub const fn trust(&self) -> &VaultTrust {
        &self.trust
    }

    /// The address, as it goes into a profile.
    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// Redeems an invitation with a key made on this device: proves possession, and gets the token.
    pub async fn redeem(&self, code: &str, key: &SigningKey, label: &str) -> Result<Redeemed, ClientError> {
        let public = PublicKey::new(key.verifying_key().to_bytes());
        let body = api::RedeemPrepare { code: code.to_owned(), key: public.to_string() };
        let prepared: api::Prepared =
            self.http.fetch(Call::ask("/api/v1/invitations/prepare").json(&body)?).await?;
        let statement = parse(&prepared)?;
        let person = check_enrolment(&statement, &self.trust, public, Vouching::ByKey)?;
        check_time(&statement, now()).map_err(ClientError::NotAsked)?;
        let signature = sign_detached(PayloadType::Statement, &prepared.statement.0, key).signature;
        let body = api::Redeem {
            code: code.to_owned(),
            statement: prepared.statement,
            signature: api::Bytes64(signature.to_vec()),
            label: label.to_owned(),
        };
        let redeemed: api::Redeemed =
            self.http.fetch(Call::once("/api/v1/invitations/redeem").json(&body)?).await?;
        if redeemed.person != person.to_string() {
            return Err(ClientError::Protocol("the token is another person's than the enrolment"));
        }
        Ok(Redeemed { person, token: Zeroizing::new(redeemed.token), enrolment: redeemed.enrolment })
    }

    /// The certificate that its connections show.
    pub const fn certificate(&self) -> Option<&OwnCertificate> {
        self.certificate.as_ref()
    }

    /// Whose token it is; without one, whose the certificate is.
    pub async fn person(
        &self,
        tls: Digest,
        token: Option<&Zeroizing<String>>,
    ) -> Result<api::Me, ClientError> {
        let shows = Shows { token, certificate: self.certificate.as_ref(), signs_in: true };
        Http::new(self.http.url(), tls, shows)?.fetch(Call::get("/api/v1/me")).await
    }
}

impl Client {
    /// Enrols a further key of one's own, vouched with the present one; or, for the first registrar, the first key,
    /// for which the vault vouches once. `checked` says how somebody made sure whose key it is, as [`Client::invite`].
    pub async fn enrol_key(&self, new: &SigningKey, checked: &str) -> Result<Vec<Kept>, ClientError> {
        let public = PublicKey::new(new.verifying_key().to_bytes());
        let body = api::KeyPrepare { key: public.to_string(), checked: Some(checked.to_owned()) };
        let prepared: api::Prepared = self.http.fetch(Call::ask("/api/v1/keys/prepare").json(&body)?).await?;
        let statement = parse(&prepared)?;
        let vouching = self.key.as_ref().map_or(Vouching::ByVault, |_| Vouching::ByKey);
        let person = check_enrolment(&statement, &self.trust(), public, vouching)?;
        let asked = custody::json::Value::from(checked);
        same("data.checked", &Some(&asked), &statement.data.get("checked")).map_err(ClientError::NotAsked)?;
        same("person", &self.person, &person).map_err(ClientError::NotAsked)?;
        check_time(&statement, now()).map_err(ClientError::NotAsked)?;
        if let Some(key) = &self.key {
            let own = (Actor::Person(self.person), key_hash(&key.verifying_key()));
            same("actor", &own, &(statement.actor, statement.actor_key)).map_err(ClientError::NotAsked)?;
        }
        let sign = |key| {
            api::Bytes64(sign_detached(PayloadType::Statement, &prepared.statement.0, key).signature.to_vec())
        };
        let body = api::NewKey {
            voucher_signature: self.key.as_ref().map(sign),
            signature: sign(new),
            statement: prepared.statement.clone(),
        };
        let recorded: api::Recorded =
            self.http.fetch(write("/api/v1/keys", statement.op_id).json(&body)?).await?;
        self.keep(&recorded.receipts, Of::Composed(&|said: &Statement| *said == statement)).await
    }

    /// Enrolments that wait for this person to vouch.
    pub async fn enrolments(&self) -> Result<Vec<api::Enrolment>, ClientError> {
        let found: api::Enrolments = self.http.fetch(Call::get("/api/v1/enrolments")).await?;
        Ok(found.enrolments)
    }

    /// Vouches: signs that `enrolment.key` is that person's, with the person's own key.
    pub async fn approve(&self, enrolment: &api::Enrolment) -> Result<Vec<Kept>, ClientError> {
        let Some(key) = &self.key else {
            return Err(ClientError::Key("vouching needs a key of your own on this device".into()));
        };
        let bytes = &enrolment.statement;
        let prepared = api::Prepared { statement: bytes.clone(), openings: Vec::new() };
        let statement = parse(&prepared)?;
        let public = enrolment.key.parse().map_err(|_| ClientError::Protocol("a key is 32 bytes in hex"))?;
        let person = check_enrolment(&statement, &self.trust(), public, Vouching::ByKey)?;
        same("person", &enrolment.person, &person.to_string()).map_err(ClientError::NotAsked)?;
        let own = (Actor::Person(self.person), key_hash(&key.verifying_key()));
        same("actor", &own, &(statement.actor, statement.actor_key)).map_err(ClientError::NotAsked)?;
        let signature = sign_detached(PayloadType::Statement, &bytes.0, key).signature;
        let body = api::Approve { signature: api::Bytes64(signature.to_vec()) };
        let path = format!("/api/v1/enrolments/{}/approve", segment(&enrolment.id)?);
        let recorded: api::Recorded = self.http.fetch(write(path, new_op_id()).json(&body)?).await?;
        self.keep(&recorded.receipts, Of::Composed(&|said: &Statement| *said == statement)).await
    }
}

impl std::fmt::Debug for Redeemed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redeemed").field("person", &self.person).finish_non_exhaustive()
    }
}

/// Who vouches for a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vouching {
    /// A person, with a key.
    ByKey,
    /// The vault, for the first registrar.
    ByVault,
}

/// A statement that enrols exactly this key and does nothing else; whose it becomes.
fn check_enrolment(
    statement: &Statement,
    trust: &VaultTrust,
    public: PublicKey,
    vouching: Vouching,
) -> Result<PersonId, ClientError> {
    let not_asked = ClientError::NotAsked;
    same("kind", &Kind::KeyEnrolled, &statement.kind).map_err(not_asked)?;
    same("vault", &Some(trust.fingerprint()), &statement.vault).map_err(not_asked)?;
    same("fields", &0, &statement.fields.len()).map_err(not_asked)?;
    let assurance = match vouching {
        Vouching::ByKey => Assurance::UserKey,
        Vouching::ByVault => Assurance::System,
    };
    same("assurance", &assurance, &statement.assurance).map_err(not_asked)?;
    if vouching == Vouching::ByVault {
        same("actor_key", &trust.key_hash(), &statement.actor_key).map_err(not_asked)?;
    }
    let act = Act::parse(statement).map_err(ClientError::NotStatement)?;
    let Act::KeyEnrolled(person, KeyEnrolled { key, .. }) = act else {
        return Err(ClientError::Protocol("a key enrolment of another shape"));
    };
    same("data.key", &public, &key).map_err(not_asked)?;
    Ok(person)
}
