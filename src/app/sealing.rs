//! Restricted items: content whose key the machine does not have, opened by two persons on their own devices.
//!
//! The data key is the sum of two halves. The vault's is wrapped as other keys are; the persons' is sealed to pairs, an
//! age file in an age file, and the whole key is forgotten. To open it both of a pair record that they read, each naming the
//! other; one opens the outer file and contributes what is in it, still sealed to the other; only then is the vault's half
//! handed out, to the one who can open the inner file, together with the ciphertext.

use std::collections::BTreeSet;

use bytes::Bytes;
use custody::act::{ItemClassified, ObjectId, Sealing};
use custody::age::{self, Recipient};
use custody::blob::BlobContext;
use custody::digest::Digest;
use custody::halves::{self, Pair, Party, SealedHalf};
use custody::id::{CaseId, ItemId, PersonId};
use custody::keys::{DataKey, Key32, KeyContext, WrappedKey};
use custody::rules::{
    Footprint, Grant, Item, Refusal, Reseal, Right, State, Stored, counts, may_open, sealing_fits,
    still_waits,
};
use custody::statement::Statement;
use futures_util::Stream;

use super::refuse::Place;
use super::{App, AppError, parse, parse_opt};
use crate::api;
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{Change, Contribution, HalvesChange, ObjectRow};

/// Of which opening something is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// The grant.
    pub access: Option<&'a str>,
    /// The record of `item.resealed`, where it goes through halves that wait to be confirmed.
    pub reseal: Option<&'a str>,
    /// Whether the vault's half is not asked for: whoever seals anew needs the persons' alone.
    pub without_half: bool,
}

/// What is kept of a data key.
pub(super) struct Halved {
    /// The vault's half, wrapped.
    pub(super) wrapped: Vec<u8>,
    /// The persons' half, sealed.
    pub(super) halves: Vec<Change>,
    /// The digest of that, where its sender sealed it.
    pub(super) digest: Option<Digest>,
}

/// A reading of a restricted item that somebody has recorded and that is not over.
pub(super) struct Together {
    item: Item,
    access: Digest,
    grant: Grant,
    other: PersonId,
    pub(super) stored: Stored,
    /// The halves that it goes through, where they wait to be confirmed.
    reseal: Option<Reseal>,
    /// Both persons, in the case.
    state: State,
}

impl Together {
    /// Whether both may open it now, through these halves; either may have left since they said that they open it.
    fn may(&self, at: custody::time::Timestamp) -> bool {
        let sealing = self.reseal.as_ref().map(|reseal| &reseal.sealing).or(self.item.sealing.as_ref());
        let pair = (self.grant.person, self.other);
        sealing.is_some_and(|sealing| may_open(&self.state, at, (self.item.case, sealing), pair))
    }
}

impl App {
    /// Splits a data key: one half for the vault, one for the pairs. The caller forgets the key.
    pub(super) async fn halve(
        &self,
        case: CaseId,
        context: BlobContext,
        key: &DataKey,
        sealing: &Sealing,
    ) -> Result<Halved, AppError> {
        let persons = Key32::make(&mut OsEntropy);
        let vaults = key.as_key().xor(&persons);
        let wrapped = self.keyring.wrap(&KeyContext::VaultHalf(context), &vaults, &mut OsEntropy).to_bytes();
        let sealed = halves::seal(&persons, context.item, &self.pairs(case, sealing).await?)
            .map_err(AppError::internal("sealing half of a key"))?;
        let seal = |half| Change::Halves(HalvesChange::Seal(context.object, half));
        Ok(Halved { wrapped, halves: sealed.into_iter().map(seal).collect(), digest: None })
    }

    /// The pairs with what is sealed to: every key of each person that counts, so that any of their devices opens it. Whether
    /// they fit is asked again: hours may have passed since the item was registered.
    pub(super) async fn pairs(&self, case: CaseId, sealing: &Sealing) -> Result<Vec<Pair>, AppError> {
        let persons: BTreeSet<_> = sealing.persons().collect();
        let members = Footprint::of_members(case, persons.iter().copied());
        let footprint = Footprint { persons, vouchers: true, ..members };
        let state = self.store.read().await?.state(&footprint).await?;
        sealing_fits(&state, self.clock.now(), case, sealing)?;
        let recipients = |person: PersonId| {
            let own = sealed_to(&state, person);
            if own.len() > age::MAX_RECIPIENTS {
                return Err(Refusal::SealingUnfit(
                    "somebody of a pair has too many keys: let them revoke old ones",
                ));
            }
            Ok(own)
        };
        let mut pairs = Vec::with_capacity(sealing.pairs.len() + 1);
        for [one, other] in &sealing.pairs {
            let parties = [Party::Person(*one), Party::Person(*other)];
            pairs.push(Pair { parties, recipients: [recipients(*one)?, recipients(*other)?] });
        }
        if let Some([one, other]) = sealing.recovery {
            let recipients = [vec![one], vec![other]];
            pairs.push(Pair { parties: [Party::Paper(1), Party::Paper(2)], recipients });
        }
        Ok(pairs)
    }

    /// What commits together with an item's becoming restricted: the vault's half in place of the whole key.
    pub(super) async fn seal_stored(
        &self,
        statement: &Statement,
        (case, id, classified): (CaseId, ItemId, &ItemClassified),
        attach: &mut Attachments,
    ) -> Result<(), AppError> {
        let (Some(sealing), Some(person)) = (&classified.sealing, statement.actor.person()) else {
            return Ok(());
        };
        let item = {
            let mut tx = self.store.read().await?;
            let state = tx.state(&Footprint::of_members(case, [person])).await?;
            // Who may not, is refused by the rules, and learns nothing before.
            if state.in_case(case, person, Right::Classify, self.clock.now()).is_err() {
                return Ok(());
            }
            tx.items(&[id]).await?.pop()
        };
        // So is what is not there, of another case, or restricted already.
        let Some((_, Item { stored: Some(stored), sealing: None, disposed: false, case: of, .. })) = item
        else {
            return Ok(());
        };
        if of != case {
            return Ok(());
        }
        let (context, row) = self.stored_object(id, &stored).await?;
        let key = DataKey::new(self.unwrapped(&KeyContext::Data(context), &row.wrapped)?);
        let Halved { wrapped, halves, .. } = self.halve(case, context, &key, sealing).await?;
        let kek = self.keyring.current_kek().0;
        attach.changes.push(Change::Halves(HalvesChange::Halve { object: stored.object, wrapped, kek }));
        attach.changes.extend(halves);
        Ok(())
    }

    /// What somebody needs to open a restricted item together with the other whom their grant names.
    pub async fn halves(
        &self,
        person: PersonId,
        id: ItemId,
        opening: Opening<'_>,
    ) -> Result<api::Halves, AppError> {
        let together = self.together(person, id, opening).await?;
        let now = self.clock.now();
        let object = together.stored.object;
        // In one snapshot: a confirmation replaces all of it.
        let (manifest, wrapped, sealed, of, contributed) = {
            let mut tx = self.store.read().await?;
            let ObjectRow { manifest, wrapped, .. } =
                tx.objects(&[object]).await?.pop().ok_or(AppError::NotFound("object"))?;
            let (wrapped, sealed) = match &together.reseal {
                None => (wrapped, tx.sealed_halves(object).await?),
                Some(reseal) => match tx.resealing(object).await? {
                    Some((vaults, sealed)) if vaults.halves == reseal.halves => (vaults.wrapped, sealed),
                    _ => return Err(Refusal::NoSuchReseal.into()),
                },
            };
            let of = halves::digest(&sealed);
            let contributed = tx.contribution(id, (together.other, person), of, now).await?;
            (manifest, wrapped, sealed, of, contributed.filter(|_| together.may(now)))
        };
        let for_these = |half: &SealedHalf| match (half.first, half.second) {
            (Party::Person(first), Party::Person(second)) => (first, second) == (person, together.other),
            _ => true,
        };
        let context = KeyContext::VaultHalf(self.context(id, &together.stored));
        let asked = contributed.is_some() && !opening.without_half;
        let half = asked.then(|| self.unwrapped(&context, &wrapped)).transpose()?;
        let with_access = contributed.as_ref().map(|(_, access)| access.to_hex());
        let (sealed, others): (Vec<_>, Vec<_>) = sealed.into_iter().partition(for_these);
        let others = if together.item.by_sender { others } else { Vec::new() };
        Ok(api::Halves {
            sealed: sealed.into_iter().map(Into::into).collect(),
            others: others.into_iter().map(Into::into).collect(),
            halves: of.to_hex(),
            contributed: contributed.map(|(inner, _)| api::Bytes64(inner)),
            with_access,
            half: half.map(|half| api::Bytes64(half.expose().to_vec())),
            manifest: api::Bytes64(manifest),
        })
    }

    /// Keeps, for the other whom the person's grant names, what was in the outer file. It is kept with the halves that it is of, and
    /// opens no others: somebody may confirm new ones while it is on its way.
    pub async fn contribute(
        &self,
        person: PersonId,
        id: ItemId,
        opening: Opening<'_>,
        api::NewContribution { sealed: api::Bytes64(sealed), halves: of }: api::NewContribution,
    ) -> Result<(), AppError> {
        let Together { access, grant, reseal, stored, .. } = self.together(person, id, opening).await?;
        if age::item_of(&sealed) != Some(id) {
            return Err(AppError::Invalid("sealed: what was in the outer file of this item".to_owned()));
        }
        let halves: Digest = parse(&of, "halves")?;
        let present = match reseal {
            Some(reseal) => reseal.halves,
            None => halves::digest(&self.store.read().await?.sealed_halves(stored.object).await?),
        };
        if halves != present {
            return Err(Refusal::OtherHalves.into());
        }
        let contribution = Contribution { access, sealed, expires: grant.expires, halves };
        self.store.apply(&[Change::Halves(HalvesChange::Contribute(contribution))]).await?;
        Ok(())
    }

    /// The ciphertext of a restricted item, for somebody who is opening it, and its length.
    pub async fn sealed_content(
        &self,
        person: PersonId,
        id: ItemId,
        opening: Opening<'_>,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, AppError>> + Send + use<>), AppError> {
        let together = self.together(person, id, opening).await?;
        let (_, row) = self.stored_object(id, &together.stored).await?;
        let readable = self.readable(person, id, together.access, together.stored).await?;
        let stream = self.blobs.ciphertext(together.stored.object).await;
        Ok((row.size, readable.counted(stream.map_err(AppError::internal("opening an object"))?)))
    }

    pub(super) async fn together(
        &self,
        person: PersonId,
        id: ItemId,
        opening: Opening<'_>,
    ) -> Result<Together, AppError> {
        let item = self.item_for(person, id, Right::ReadContent).await?;
        let access = parse_opt(opening.access, "access")?;
        if item.disposed {
            return Err(Refusal::Disposed.into());
        }
        let (access, grant) = self.open_grant(person, id, &item, access).await?;
        let stored = item.stored.ok_or(Refusal::NoContent)?;
        let (Some(_), Some(other)) = (&item.sealing, grant.with) else {
            return Err(Refusal::NotInPairs.into());
        };
        let now = self.clock.now();
        let named: Option<Digest> = parse_opt(opening.reseal, "reseal")?;
        let waits = item.reseal.clone().filter(|waits| Some(waits.record) == named);
        let both = [person, other];
        let keys = grant.key.into_iter().collect();
        let items = [id].into();
        let footprint =
            Footprint { persons: both.into(), keys, items, ..Footprint::of_members(item.case, both) };
        let state = self.store.read().await?.state(&footprint).await?;
        let waits = waits.filter(|waits| still_waits(&state, now, waits));
        if named.is_some() && waits.is_none() {
            return Err(Refusal::NoSuchReseal.into());
        }
        if !counts(&state, now, &grant) {
            // Whoever has the key now is not who said that they open it.
            let place = Place { case: Some(item.case), item: Some(id) };
            return Err(self.refused(person, place, "read", Refusal::KeyNotValid).await?);
        }
        Ok(Together { item, access, grant, other, stored, reseal: waits, state })
    }

    pub(super) async fn stored_object(
        &self,
        id: ItemId,
        stored: &Stored,
    ) -> Result<(BlobContext, ObjectRow), AppError> {
        let row = self.store.read().await?.objects(&[stored.object]).await?.pop();
        Ok((self.context(id, stored), row.ok_or(AppError::NotFound("object"))?))
    }

    pub(super) fn context(&self, item: ItemId, stored: &Stored) -> BlobContext {
        let object: ObjectId = stored.object;
        BlobContext { object, vault: self.vault_id(), item, version: stored.version }
    }

    pub(super) fn unwrapped(&self, context: &KeyContext, wrapped: &[u8]) -> Result<Key32, AppError> {
        let wrapped = WrappedKey::parse(wrapped).map_err(AppError::internal("reading a wrapped key"))?;
        self.keyring.unwrap(context, &wrapped).map_err(AppError::internal("unwrapping a key"))
    }
}

/// Every recipient of a person that anything is sealed to.
pub(super) fn sealed_to(state: &State, person: PersonId) -> Vec<Recipient> {
    let own = state.keys.values().filter(|key| key.owner == person && key.is_sealed_to());
    let mut own: Vec<_> = own.filter_map(|key| key.recipient).collect();
    own.sort_unstable();
    own
}
