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
use custody::entropy::Entropy;
use custody::id::{CaseId, ItemId, PersonId};
use custody::keys::{DataKey, Key32, KeyContext, WrappedKey};
use custody::rules::{Footprint, Grant, Item, Refusal, Right, Stored, may_open, sealing_fits};
use custody::statement::Statement;
use futures_util::Stream;

use super::{App, AppError, parse};
use crate::api;
use crate::engine::OsEntropy;
use crate::sequencer::Attachments;
use crate::store::{Change, Contribution, ObjectRow, Party, SealedHalf};

/// What is kept of a data key.
pub(super) struct Halved {
    /// The vault's half, wrapped.
    pub(super) wrapped: Vec<u8>,
    /// The persons' half, sealed.
    pub(super) halves: Vec<Change>,
}

/// A reading of a restricted item that somebody has recorded and that is not over.
pub(super) struct Together {
    item: Item,
    access: Digest,
    grant: Grant,
    other: PersonId,
    pub(super) stored: Stored,
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
        let mut halves = Vec::new();
        for (parties, recipients) in self.parties(case, sealing).await? {
            for [first, second] in [[0, 1], [1, 0]] {
                let sealed = age::seal_nested(
                    persons.expose(),
                    context.item,
                    &recipients[first],
                    &recipients[second],
                    &mut OsEntropy as &mut dyn Entropy,
                )
                .map_err(AppError::internal("sealing half of a key"))?;
                let (first, second) = (parties[first], parties[second]);
                halves.push(Change::SealHalf(SealedHalf { object: context.object, first, second, sealed }));
            }
        }
        Ok(Halved { wrapped, halves })
    }

    /// The pairs with what is sealed to: every key of each person that counts, so that any of their devices opens it. Whether
    /// they fit is asked again: hours may have passed since the item was registered.
    async fn parties(
        &self,
        case: CaseId,
        sealing: &Sealing,
    ) -> Result<Vec<([Party; 2], [Vec<Recipient>; 2])>, AppError> {
        let persons: BTreeSet<_> = sealing.persons().collect();
        let members = Footprint::of_members(case, persons.iter().copied());
        let footprint = Footprint { persons, vouchers: true, ..members };
        let state = self.store.read().await?.state(&footprint).await?;
        sealing_fits(&state, self.clock.now(), case, sealing)?;
        let recipients = |person: PersonId| {
            let own = state.keys.values().filter(|key| key.owner == person && key.is_sealed_to());
            let mut own: Vec<_> = own.filter_map(|key| key.recipient).collect();
            own.sort_unstable();
            if own.len() > age::MAX_RECIPIENTS {
                return Err(Refusal::SealingUnfit(
                    "somebody of a pair has too many keys: let them revoke old ones",
                ));
            }
            Ok(own)
        };
        let mut parties = Vec::with_capacity(sealing.pairs.len() + 1);
        for [one, other] in &sealing.pairs {
            let both = [Party::Person(*one), Party::Person(*other)];
            parties.push((both, [recipients(*one)?, recipients(*other)?]));
        }
        if let Some([one, other]) = sealing.recovery {
            parties.push(([Party::Paper(1), Party::Paper(2)], [vec![one], vec![other]]));
        }
        Ok(parties)
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
        let key = DataKey::new(self.unwrapped(&KeyContext::Data(context), &row)?);
        let Halved { wrapped, halves } = self.halve(case, context, &key, sealing).await?;
        let kek = self.keyring.current_kek().0;
        attach.changes.push(Change::HalveObject { object: stored.object, wrapped, kek });
        attach.changes.extend(halves);
        Ok(())
    }

    /// What somebody needs to open a restricted item together with the other whom their grant names.
    pub async fn halves(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
    ) -> Result<api::Halves, AppError> {
        let together = self.together(person, id, access).await?;
        let now = self.clock.now();
        let (row, sealed, contributed) = {
            let mut tx = self.store.read().await?;
            let row = tx.objects(&[together.stored.object]).await?.pop();
            let both = (together.other, person);
            let persons = [person, together.other];
            let members = Footprint::of_members(together.item.case, persons);
            let state = tx.state(&Footprint { persons: persons.into(), ..members }).await?;
            let contributed = tx.contribution(id, both, now).await?;
            // Also the other may have left since they said that they open it.
            let contributed = contributed.filter(|_| may_open(&state, now, &together.item, both));
            let sealed = tx.sealed_halves(together.stored.object).await?;
            (row.ok_or(AppError::NotFound("object"))?, sealed, contributed)
        };
        let for_these = |half: &SealedHalf| match (half.first, half.second) {
            (Party::Person(first), Party::Person(second)) => (first, second) == (person, together.other),
            _ => true,
        };
        let sealed = sealed.into_iter().filter(for_these).map(|half| api::SealedHalf {
            first: half.first.to_string(),
            second: half.second.to_string(),
            sealed: api::Bytes64(half.sealed),
        });
        let context = self.context(id, &together.stored);
        let unwrapped = || self.unwrapped(&KeyContext::VaultHalf(context), &row);
        let half = contributed.is_some().then(unwrapped).transpose()?;
        Ok(api::Halves {
            sealed: sealed.collect(),
            contributed: contributed.map(api::Bytes64),
            half: half.map(|half| api::Bytes64(half.expose().to_vec())),
            manifest: api::Bytes64(row.manifest),
        })
    }

    /// Keeps, for the other whom the person's grant names, what was in the outer file.
    pub async fn contribute(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
        sealed: Vec<u8>,
    ) -> Result<(), AppError> {
        let together = self.together(person, id, access).await?;
        if age::item_of(&sealed) != Some(id) {
            return Err(AppError::Invalid("sealed: what was in the outer file of this item".to_owned()));
        }
        let Together { access, grant, .. } = together;
        let contribution = Contribution { access, sealed, expires: grant.expires };
        self.store.apply(&[Change::Contribute(contribution)]).await?;
        Ok(())
    }

    /// The ciphertext of a restricted item, for somebody who is opening it, and its length.
    pub async fn sealed_content(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, AppError>> + Send + use<>), AppError> {
        let together = self.together(person, id, access).await?;
        let (_, row) = self.stored_object(id, &together.stored).await?;
        let readable = self.readable(person, id, together.access, together.stored).await?;
        let stream = self.blobs.ciphertext(together.stored.object).await;
        Ok((row.size, readable.counted(stream.map_err(AppError::internal("opening an object"))?)))
    }

    pub(super) async fn together(
        &self,
        person: PersonId,
        id: ItemId,
        access: Option<&str>,
    ) -> Result<Together, AppError> {
        let item = self.item_for(person, id, Right::ReadContent).await?;
        let access = access.map(|access| parse(access, "access")).transpose()?;
        if item.disposed {
            return Err(Refusal::Disposed.into());
        }
        let (access, grant) = self.open_grant(person, id, &item, access).await?;
        let stored = item.stored.ok_or(Refusal::NoContent)?;
        let (Some(_), Some(other)) = (&item.sealing, grant.with) else {
            return Err(Refusal::NotInPairs.into());
        };
        Ok(Together { item, access, grant, other, stored })
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

    pub(super) fn unwrapped(&self, context: &KeyContext, row: &ObjectRow) -> Result<Key32, AppError> {
        let wrapped = WrappedKey::parse(&row.wrapped).map_err(AppError::internal("reading a wrapped key"))?;
        self.keyring.unwrap(context, &wrapped).map_err(AppError::internal("unwrapping a key"))
    }
}
