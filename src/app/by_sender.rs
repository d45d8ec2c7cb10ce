//! Content that its sender sealed: ciphertext comes, the vault's half of the key, and the persons' half sealed to the pairs.
//! The vault checks what can be checked without the content, and says of its digest that it only passes it on.

use bytes::{Bytes, BytesMut};
use custody::blob::{BlobContext, BlobError, Stated};
use custody::halves;
use custody::id::{ItemId, PersonId};
use custody::keys::{Key32, KeyContext};
use custody::rules::{Refusal, Right};
use futures_util::Stream;

use super::content::{Arriving, storing};
use super::resealing::read_half;
use super::sealing::Halved;
use super::{App, AppError, parse};
use crate::api;
use crate::blobs::BlobsError;
use crate::engine::OsEntropy;
use crate::store::{Change, HalvesChange};

/// Longest line before the object: 17 pairs in both orders, each to 16 recipients twice, with room.
const MAX_LINE_BYTES: usize = 1 << 20;

impl App {
    /// Takes an item's content as its sender sealed it: one line of JSON ([`api::NewSealedContent`]), then the object. Nothing is
    /// stored unless all of it arrived and fits what was registered.
    pub async fn receive_sealed<E>(
        &self,
        person: PersonId,
        id: ItemId,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<api::Stored, AppError> {
        let item = self.item_for(person, id, Right::RegisterItem).await?;
        let (Some(sealing), Some(claimed), true) = (&item.sealing, item.claimed, item.by_sender) else {
            return Err(Refusal::SealedBySender.into());
        };
        if item.stored.is_some() {
            return Err(Refusal::ContentExists.into());
        }
        let _turn = self.turns.take(person, self.blobs.places()).await?;
        let body = std::pin::pin!(body);
        let mut body = Arriving::new(body);
        let (new, rest) = first_line(&mut body).await?;
        let context = BlobContext {
            object: parse(&new.object, "object")?,
            vault: self.vault_id(),
            item: id,
            version: 1,
        };
        // From here on nobody else has this id: neither what is found under it nor what is written can be another's.
        let held = self.blobs.choose(context.object).ok_or_else(another_id)?;
        self.is_free(&context).await?;
        let sealed = new.halves.into_iter().map(read_half).collect::<Result<Vec<_>, _>>()?;
        self.fit(item.case, sealing, &sealed).await?;
        let digest = Some(halves::digest(&sealed));
        let wrapped = {
            let vaults = half(new.half)?;
            self.keyring.wrap(&KeyContext::VaultHalf(context), &vaults, &mut OsEntropy).to_bytes()
        };
        let stated = Stated { size: claimed.size, sha256: claimed.digest, crc32: new.crc32 };
        let mut taking = self.blobs.take(&held, context, stated).await.map_err(taken)?;
        taking.push(&rest).await.map_err(taken)?;
        while let Some(chunk) = body.next().await? {
            taking.push(&chunk).await.map_err(taken)?;
        }
        let stored = taking.finish().await.map_err(taken)?;
        // Hours may have passed: whoever lost a key meanwhile, or the case, is not given what opens it.
        let fits = self.fit(item.case, sealing, &sealed).await;
        let seal = |half| Change::Halves(HalvesChange::Seal(context.object, half));
        let kept = fits.map(|()| Halved { wrapped, halves: sealed.into_iter().map(seal).collect(), digest });
        let kept = self.keep_sealed(person, &item, stored, kept).await;
        drop(held);
        kept
    }

    /// The sender chose the object's id: what exists under it, or did, is not theirs to touch.
    async fn is_free(&self, context: &BlobContext) -> Result<(), AppError> {
        let mut tx = self.store.read().await?;
        let named = !tx.objects(&[context.object]).await?.is_empty();
        if named || !tx.buried(&[context.object]).await?.is_empty() {
            return Err(another_id());
        }
        Ok(())
    }
}

/// The line before the object, and what came of the object with it.
async fn first_line<S, E>(body: &mut Arriving<'_, S>) -> Result<(api::NewSealedContent, BytesMut), AppError>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let wrong = || {
        AppError::Invalid(format!(
            "the body: one line of JSON of at most {MAX_LINE_BYTES} bytes with crc32, half, halves and object, then the object"
        ))
    };
    let mut line = BytesMut::new();
    loop {
        let chunk = body.next().await?.ok_or_else(wrong)?;
        let from = line.len();
        line.extend_from_slice(&chunk);
        let end = line[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at);
        if end.unwrap_or(line.len()) > MAX_LINE_BYTES {
            return Err(wrong());
        }
        if let Some(end) = end {
            let rest = line.split_off(end + 1);
            let new = serde_json::from_slice(&line).map_err(|_| wrong())?;
            return Ok((new, rest));
        }
    }
}

fn half(bytes: api::Bytes64) -> Result<Key32, AppError> {
    let bytes = zeroize::Zeroizing::new(bytes.0);
    let half: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| AppError::Invalid("half: the vault's half of the key, 32 bytes".to_owned()))?;
    Ok(Key32::new(half))
}

fn another_id() -> AppError {
    AppError::Invalid(
        "object: there is, or was, one of this id; begin again with a new random one".to_owned(),
    )
}

/// What does not fit is the sender's fault, not the store's.
fn taken(error: BlobsError) -> AppError {
    match error {
        BlobsError::Exists(_) => another_id(),
        BlobsError::Blob(BlobError::TooLarge { .. }) => AppError::TooLarge,
        BlobsError::Blob(error) => {
            AppError::Invalid(format!("the object: {error}; seal it anew and send it again"))
        }
        other => storing(other),
    }
}
