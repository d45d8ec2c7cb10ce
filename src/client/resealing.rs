//! Sealing a restricted item anew on one's own device, and confirming what somebody else sealed.

use std::collections::BTreeMap;

use custody::act::{Act, ItemResealed, KeyCheck, PublicKey, ResealConfirmed, ResealWithdrawn, Sealing};
use custody::age::{Identity, Recipient};
use custody::digest::Digest;
use custody::envelope::{Envelope, PayloadType};
use custody::halves::{self, Pair, Party, SealedHalf};
use custody::id::{CaseId, Code, ItemId, KeyHash, PersonId};
use custody::keys::Key32;
use custody::kind::Kind;
use custody::statement::{Actor, Assurance, Statement};
use custody::time::Timestamp;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;

use super::opening::persons_half;
use super::receipts::Of;
use super::{Ask, Client, ClientError, Kept, new_op_id, write};
use crate::api;
use crate::engine::OsEntropy;

/// To what something is sealed for a person, as their own key says.
#[derive(Debug, Clone, Serialize)]
pub struct SealedTo {
    /// Who.
    pub person: PersonId,
    /// The key, by its hash.
    pub key: KeyHash,
    /// What goes with it.
    pub recipient: Recipient,
    /// Who vouched for the key.
    pub vouched_by: String,
    /// By which key of theirs.
    pub voucher: KeyHash,
    /// How they made sure.
    pub checked: KeyCheck,
}

/// With whom an item is opened, under which grants.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    /// The item.
    pub item: &'a api::Item,
    /// The other.
    pub with: PersonId,
    /// One's own grant.
    pub access: Digest,
    /// What the vault gave for it.
    pub halves: &'a api::Halves,
    /// What opens what the other has opened.
    pub identity: &'a Identity,
}

/// What stands for a list of keys and papers that somebody has compared with their owners.
pub fn compared(to: &[SealedTo], recovery: Option<&[Recipient; 2]>) -> Digest {
    let mut lines: Vec<_> =
        to.iter().map(|to| format!("{} {} {}", to.person, to.key, to.recipient)).collect();
    lines.extend(recovery.into_iter().flatten().map(|paper| format!("paper {paper}")));
    lines.sort_unstable();
    Digest::of(lines.join("\n").as_bytes())
}

impl Client {
    /// `POST /api/v1/cases/{id}/recipients`: to what to seal for these pairs. Each recipient is named under the person's own key;
    /// whose key that is, is what the vault and whoever vouched say, so that it is shown.
    pub async fn recipients(
        &self,
        case: CaseId,
        sealing: &Sealing,
    ) -> Result<(Vec<Pair>, Vec<SealedTo>), ClientError> {
        let asked = api::Sealing {
            pairs: sealing.pairs.iter().map(|pair| pair.map(|person| person.to_string())).collect(),
            recovery: sealing.recovery.map(|recovery| recovery.map(|recipient| recipient.to_string())),
        };
        let call = super::http::Call::ask(format!("/api/v1/cases/{case}/recipients")).json(&asked)?;
        let found: api::Recipients = self.http.fetch(call).await?;
        let (mut of, mut shown) = (BTreeMap::<PersonId, Vec<Recipient>>::new(), Vec::new());
        for api::RecipientsOf { person, keys } in &found.persons {
            let person = person.parse().map_err(|_| ClientError::Protocol("a person's id is a UUID"))?;
            for key in keys {
                let to = self.checked(person, key)?;
                of.entry(person).or_default().push(to.recipient);
                shown.push(to);
            }
        }
        // What is sealed for oneself must be sealed to this device at least.
        let own = self.identity().map(|identity| identity.recipient());
        if let (Some(mine), Some(own)) = (of.get(&self.person()), own)
            && !mine.contains(&own)
        {
            return Err(ClientError::Protocol(
                "your own recipient is not among those that the vault names for you",
            ));
        }
        let recipients = |person: PersonId| {
            let mut own = of.get(&person).cloned().unwrap_or_default();
            own.sort_unstable();
            own
        };
        let mut pairs: Vec<_> = sealing
            .pairs
            .iter()
            .map(|pair| Pair { parties: pair.map(Party::Person), recipients: pair.map(recipients) })
            .collect();
        pairs.extend(sealing.recovery.map(|recovery| Pair {
            parties: [Party::Paper(1), Party::Paper(2)],
            recipients: recovery.map(|recipient| vec![recipient]),
        }));
        Ok((pairs, shown))
    }

    /// A key of a person with its recipient, if both statements are signed by it, in this vault, and about this person, and the
    /// first one also by the key of whoever vouched. Whose key that is, and that all this is in the log, is the vault's word.
    fn checked(&self, person: PersonId, given: &api::RecipientKey) -> Result<SealedTo, ClientError> {
        let wrong = || ClientError::Protocol("a recipient is named under its person's own, enrolled key");
        let public_key = |hex: &str| -> Result<(PublicKey, VerifyingKey), ClientError> {
            let public: PublicKey = hex.parse().map_err(|_| wrong())?;
            Ok((public, VerifyingKey::from_bytes(public.as_bytes()).map_err(|_| wrong())?))
        };
        let ((public, key), (vouching, voucher)) = (public_key(&given.key)?, public_key(&given.voucher)?);
        let said = |envelope: &api::Bytes64, by: &[&VerifyingKey]| -> Result<(Statement, Act), ClientError> {
            let envelope = Envelope::parse(&envelope.0, PayloadType::Statement).map_err(|_| wrong())?;
            for (at, key) in by.iter().enumerate() {
                envelope.verify(at, key).map_err(|_| wrong())?;
            }
            let statement = Statement::parse(envelope.body()).map_err(|_| wrong())?;
            if statement.vault != Some(self.trust().fingerprint()) {
                return Err(wrong());
            }
            let act = Act::parse(&statement).map_err(|_| wrong())?;
            Ok((statement, act))
        };
        let (enrolment, Act::KeyEnrolled(of, enrolled)) = said(&given.enrolled, &[&voucher, &key])? else {
            return Err(wrong());
        };
        let (naming, Act::RecipientNamed(by, named)) = said(&given.named, &[&key])? else {
            return Err(wrong());
        };
        let own = (naming.actor, naming.actor_key, naming.assurance)
            == (Actor::Person(person), public.hash(), Assurance::UserKey);
        if !own || (of, by, enrolled.key) != (person, person, public) {
            return Err(wrong());
        }
        // The vault vouches by its own key, which is known here; whoever else does, by another.
        let by_vault = vouching.as_bytes() == self.trust().key().as_bytes();
        if vouching.hash() != enrolment.actor_key || by_vault != (enrolment.actor == Actor::System) {
            return Err(wrong());
        }
        let vouched_by = match enrolment.actor {
            Actor::System => "the vault".to_owned(),
            Actor::Person(voucher) if voucher == person => "an earlier key of theirs".to_owned(),
            Actor::Person(voucher) => voucher.to_string(),
        };
        let (key, recipient, checked) = (public.hash(), named.recipient, enrolled.checked);
        Ok(SealedTo { person, key, recipient, vouched_by, voucher: vouching.hash(), checked })
    }

    /// Seals an item to other pairs: a random number is added to the persons' half here, and by the vault to its own. It
    /// counts once somebody else has confirmed it.
    pub async fn reseal(
        &self,
        Opened { item, with, access, halves, identity }: Opened<'_>,
        (sealing, seen): (&Sealing, Digest),
        (purpose, expires): (Code, Timestamp),
    ) -> Result<(Kept, Vec<SealedTo>), ClientError> {
        let (case, id) = place(item)?;
        let half = persons_half(id, halves, identity)?;
        let (pairs, shown) = self.recipients(case, sealing).await?;
        as_compared(&shown, sealing, seen)?;
        let mask = Key32::make(&mut OsEntropy);
        let sealed = seal(&half.xor(&mask), id, &pairs)?;
        let data = ItemResealed {
            expires,
            grant: access,
            halves: halves::digest(&sealed),
            sealing: sealing.clone(),
            with,
            with_grant: with_grant(halves)?,
        };
        let ask = Ask::new(Kind::ItemResealed, new_op_id());
        let ask = ask.case(case).item(id).purpose(purpose).data(data.to_data());
        let (envelope, signed) = self.signed(&ask).await?;
        let mask = api::Bytes64(mask.expose().to_vec());
        let new = api::NewResealing { signed, mask, halves: sealed.into_iter().map(Into::into).collect() };
        let call = write(format!("/api/v1/items/{id}/resealing"), ask.op_id()).json(&new)?;
        let recorded: api::Recorded = self.http.fetch(call).await?;
        let kept = self.keep(&recorded.receipts, Of::Envelope(&envelope)).await?;
        Ok((kept.into_iter().next().ok_or(ClientError::NoReceipt)?, shown))
    }

    /// Confirms what somebody else sealed: opens the item through the new halves and compares its digest, makes every
    /// new half again and compares them all, and says so. After this the old ones are gone.
    pub async fn confirm_reseal(
        &self,
        opened: Opened<'_>,
        seen: Digest,
        progress: impl Fn(u64),
    ) -> Result<(Digest, Vec<SealedTo>), ClientError> {
        let Opened { item, with, access, halves, identity } = opened;
        let (case, id) = place(item)?;
        let reseal = item.reseal.as_ref().ok_or(ClientError::Protocol("nothing waits to be confirmed"))?;
        let sealing = sealing(&reseal.sealing)?;
        let (pairs, shown) = self.recipients(case, &sealing).await?;
        as_compared(&shown, &sealing, seen)?;
        let made = halves::digest(&seal(&persons_half(id, halves, identity)?, id, &pairs)?);
        if made.to_hex() != reseal.halves {
            return Err(ClientError::Input(
                "the new halves are not all sealed to the keys that count now, or do not all hold what you opened: do not confirm, \
                 let it be sealed anew"
                    .into(),
            ));
        }
        let found =
            self.open_sealed(item, access, halves, identity, (&mut std::io::sink(), progress)).await?;
        found.verdict?;
        let digest = found.digest;
        let hex = |text: &str| text.parse().map_err(|_| ClientError::Protocol("a digest is 64 hex digits"));
        let data = ResealConfirmed {
            digest,
            grant: access,
            halves: made,
            reseal: hex(&reseal.record)?,
            sealing,
            with,
            with_grant: with_grant(halves)?,
        };
        let ask = Ask::new(Kind::ResealConfirmed, new_op_id()).case(case).item(id).data(data.to_data());
        self.say(&ask).await?;
        Ok((digest, shown))
    }

    /// Gives up what was sealed anew.
    pub async fn withdraw_reseal(&self, item: &api::Item) -> Result<(), ClientError> {
        let (case, id) = place(item)?;
        let reseal = item.reseal.as_ref().ok_or(ClientError::Protocol("nothing waits to be confirmed"))?;
        let reseal =
            reseal.record.parse().map_err(|_| ClientError::Protocol("a record's hash is 64 hex digits"))?;
        let data = ResealWithdrawn { reseal }.to_data();
        self.say(&Ask::new(Kind::ResealWithdrawn, new_op_id()).case(case).item(id).data(data)).await.map(drop)
    }
}

/// Nothing is sealed to, or confirmed for, keys that nobody has looked at: the vault could name one of its own.
fn as_compared(to: &[SealedTo], sealing: &Sealing, seen: Digest) -> Result<(), ClientError> {
    if compared(to, sealing.recovery.as_ref()) == seen {
        return Ok(());
    }
    Err(ClientError::Input("the keys are others than those that were compared: compare them again".into()))
}

fn seal(half: &Key32, item: ItemId, pairs: &[Pair]) -> Result<Vec<SealedHalf>, ClientError> {
    halves::seal(half, item, pairs)
        .map_err(|_| ClientError::Protocol("everybody of a pair has 1 to 16 recipients"))
}

fn place(item: &api::Item) -> Result<(CaseId, ItemId), ClientError> {
    let wrong = |_| ClientError::Protocol("ids of cases and items are UUIDs");
    Ok((item.case.parse().map_err(wrong)?, item.id.parse().map_err(wrong)?))
}

fn with_grant(halves: &api::Halves) -> Result<Digest, ClientError> {
    let grant = halves.with_access.as_ref().and_then(|access| access.parse().ok());
    grant.ok_or(ClientError::Protocol("the other's grant is a record hash"))
}

pub(crate) fn sealing(shown: &api::Sealing) -> Result<Sealing, ClientError> {
    let json = serde_json::to_value(shown).ok();
    let mut json = json.ok_or(ClientError::Protocol("pairs are persons' ids"))?;
    if let Some(members) = json.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(json).map_err(|_| ClientError::Protocol("pairs are persons' ids"))
}
