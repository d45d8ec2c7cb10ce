//! The public log, as anybody can fetch it: its entries, a copy of all of it ([`Mirror`]), and whether it keeps its word
//! ([`Watch`]).

mod evidence;
mod keys;
mod mirror;
mod pass;
mod source;
mod watch;

use custody::checkpoint::Checkpoint;
use custody::merkle::{Frontier, leaf_hash};
use custody::note::SignedNote;
use custody::record::ENTRY_BYTES;

pub use evidence::{Finding, LogError};
pub use keys::KnownLog;
pub use mirror::Mirror;
pub use source::Source;
pub use watch::{Seen, Watch};

pub(crate) use keys::parse as parse_keys;

use super::http::{Call, Http};
use super::{Client, ClientError};

/// Entries of one request.
const ENTRIES_A_REQUEST: u64 = 65_536;

impl Client {
    /// The newest checkpoint: the note as served, and what it says, once its signature was verified with the pinned
    /// key.
    pub async fn checkpoint(&self) -> Result<(Vec<u8>, Checkpoint), ClientError> {
        let bytes = self.http.bytes(Call::get("/log/checkpoint")).await?.to_vec();
        let note =
            SignedNote::parse(&bytes).map_err(|_| ClientError::Protocol("a checkpoint is a signed note"))?;
        self.know_signer(&note).await;
        let checkpoint = self.trust().logs().open(&note);
        let checkpoint = checkpoint
            .map_err(|_| ClientError::Protocol("a checkpoint is signed by the log that the profile pins"))?;
        Ok((bytes, checkpoint))
    }

    /// Every public entry that `checkpoint` covers, handed on in order; at the end their root is compared with the
    /// checkpoint's.
    pub async fn entries(
        &self,
        checkpoint: &Checkpoint,
        mut sink: impl FnMut(&[u8]) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let mut frontier = Frontier::new();
        while frontier.size() < checkpoint.size() {
            let (start, limit) =
                (frontier.size(), ENTRIES_A_REQUEST.min(checkpoint.size() - frontier.size()));
            let bytes =
                self.http.bytes(Call::get(format!("/log/entries?start={start}&limit={limit}"))).await?;
            let count = bytes.len() / ENTRY_BYTES;
            if count == 0 || bytes.len() % ENTRY_BYTES != 0 || count as u64 > limit {
                return Err(ClientError::Protocol("entries are 97 bytes each, as many as asked for at most"));
            }
            for entry in bytes.chunks_exact(ENTRY_BYTES) {
                frontier.push(leaf_hash(entry));
            }
            sink(&bytes)?;
        }
        if frontier.root() == *checkpoint.root() {
            Ok(())
        } else {
            Err(ClientError::Protocol("the public entries do not give the checkpoint's root"))
        }
    }
}
