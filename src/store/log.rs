//! The log: its head, its entries, and proofs read from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use custody::digest::Digest;
use custody::merkle::{Batch, Frontier, Node, Plan, ProofError, leaf_hash, subtree_root};
use custody::note::SignedNote;
use custody::record::ENTRY_BYTES;
use custody::tile::{Tile, TileKind, TilePath, emit_entries};
use custody::time::Timestamp;

use super::db::Tx;
use super::error::StoreError;
use super::insert::Rows;
use super::row::{Row, Value};
use super::sql;

/// The state of the log at its end.
#[derive(Debug, Clone)]
pub struct LogHead {
    /// Size and the roots of complete subtrees: all that appending needs.
    pub frontier: Frontier,
    /// The checkpoint of this size, signed by the log.
    pub checkpoint: SignedNote,
    /// When the last record was received.
    pub last_received: Timestamp,
}

impl LogHead {
    /// How many entries the log has.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Takes the place of the head before.
    pub(crate) fn row(&self) -> Rows<'static> {
        let mut rows = Rows::new(sql::UPSERT_HEAD);
        rows.push([
            Value::Int(Some(1)),
            Value::uint(self.size()),
            Value::blob(self.frontier.to_bytes()),
            Value::text(&self.checkpoint),
            Value::time(self.last_received),
        ]);
        rows
    }
}

/// Hashes of one tile: 256 neighbours on a level that is a multiple of 8.
const TILE: u64 = 256;
/// Tiles kept by [`Tiles`] before it starts anew: 8 KiB each.
const MAX_TILES: usize = 2_048;

/// The complete subtrees that a batch finished.
pub(crate) fn finished_subtrees(batch: &Batch) -> Rows<'static> {
    let mut rows = Rows::new(sql::INSERT_NODES);
    for (node, hash) in batch.finished_subtrees() {
        rows.push([Value::uint(node.level().into()), Value::uint(node.index()), Value::digest(&hash)]);
    }
    rows
}

/// Complete subtrees read so far, for proofs that share them.
#[derive(Debug, Default)]
pub struct Tiles {
    tiles: HashMap<(u8, u64), BTreeMap<u64, Digest>>,
}

impl Tx {
    /// The end of the log, or nothing before the vault is created.
    pub async fn log_head(&mut self) -> Result<Option<LogHead>, StoreError> {
        self.one(sql::HEAD, Vec::new()).await?.as_ref().map(head).transpose()
    }

    /// As [`Tx::log_head`], and keeps everybody else from appending until this transaction ends.
    pub(crate) async fn lock_log(&mut self) -> Result<Option<LogHead>, StoreError> {
        let statement = match self {
            Self::Sqlite(_) => sql::LOCK_HEAD_SQLITE,
            Self::Postgres(_) => sql::LOCK_HEAD_POSTGRES,
        };
        self.one(statement, Vec::new()).await?.as_ref().map(head).transpose()
    }

    /// The entries with these indices, in order; as many of them as there are.
    pub async fn entries(&mut self, range: Range<u64>) -> Result<Vec<[u8; ENTRY_BYTES]>, StoreError> {
        let rows = self.all(sql::ENTRIES, vec![Value::uint(range.start), Value::uint(range.end)]).await?;
        rows.iter().map(|row| row.bytes(1)).collect()
    }

    /// The hashes of complete subtrees at `level` (0: leaves; else a multiple of 8), in order; as many as there are.
    pub async fn subtrees(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Digest>, StoreError> {
        if level == 0 {
            return Ok(self.entries(range).await?.iter().map(|entry| leaf_hash(entry)).collect());
        }
        let params = vec![Value::uint(level.into()), Value::uint(range.start), Value::uint(range.end)];
        self.all(sql::NODES, params).await?.iter().map(|row| row.digest(1)).collect()
    }

    /// The bytes of a tile or of a bundle of entries; nothing if the log does not reach as far as its path says.
    pub async fn tile(&mut self, path: TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((level, range)) = path.nodes() else { return Ok(None) };
        if path.kind() != TileKind::Entries {
            let hashes = self.subtrees(level, range).await?;
            return Ok(Tile::new(path, hashes).ok().map(|tile| tile.to_bytes()));
        }
        let entries = self.entries(range).await?;
        if entries.len() != usize::from(path.width()) {
            return Ok(None);
        }
        let bundle = emit_entries(entries.iter().map(<[u8; ENTRY_BYTES]>::as_slice));
        bundle.map(Some).map_err(|_| StoreError::Inconsistent("an entry is longer than any can be"))
    }

    /// The inclusion proof of entry `index` in the log of `size` entries.
    pub async fn inclusion_proof(&mut self, index: u64, size: u64) -> Result<Vec<Digest>, StoreError> {
        let plan = Plan::inclusion(index, size).map_err(beyond)?;
        self.proof(&plan, &mut Tiles::default()).await
    }

    /// The consistency proof from `old` to `new` entries.
    pub async fn consistency_proof(&mut self, old: u64, new: u64) -> Result<Vec<Digest>, StoreError> {
        let plan = Plan::consistency(old, new).map_err(beyond)?;
        self.proof(&plan, &mut Tiles::default()).await
    }

    /// The paths of [`custody::merkle::SharedPaths`] for `indices`, which ascend strictly. For long lists call it
    /// page by page, with the last index of the page before as `previous` and the same `tiles`.
    pub async fn shared_paths(
        &mut self,
        mut previous: Option<u64>,
        indices: &[u64],
        size: u64,
        tiles: &mut Tiles,
    ) -> Result<Vec<Vec<Digest>>, StoreError> {
        let mut paths = Vec::with_capacity(indices.len());
        for &index in indices {
            let plan = Plan::shared(previous.replace(index), index, size).map_err(beyond)?;
            paths.push(self.proof(&plan, tiles).await?);
        }
        Ok(paths)
    }

    /// Reads a planned proof: what it is made of first, a tile at a time, then the proof.
    pub async fn proof(&mut self, plan: &Plan, tiles: &mut Tiles) -> Result<Vec<Digest>, StoreError> {
        let needed: BTreeSet<_> = plan.nodes().map(tile_of).collect();
        tiles.make_room(needed.len());
        for (level, tile) in needed {
            let start = tile * TILE;
            let complete = tiles.tiles.get(&(level, tile)).is_some_and(|tile| tile.len() as u64 == TILE);
            // A tile at the right edge grows: what an earlier proof read of it may be too little for this one.
            if !complete {
                let hashes = self.subtrees(level, start..start + TILE).await?;
                tiles.tiles.insert((level, tile), (start..).zip(hashes).collect());
            }
        }
        plan.read(&mut |node| tiles.hash(node))
    }
}

impl Tiles {
    fn make_room(&mut self, needed: usize) {
        if self.tiles.len() + needed > MAX_TILES {
            self.tiles.clear();
        }
    }

    fn hash(&self, node: Node) -> Result<Digest, StoreError> {
        let missing = || StoreError::Inconsistent("an entry or a subtree of the log is missing");
        let (_, range) = node.stored();
        let tile = self.tiles.get(&tile_of(node)).ok_or_else(missing)?;
        let hashes: Vec<_> = tile.range(range.clone()).map(|(_, hash)| *hash).collect();
        if hashes.len() as u64 == range.end - range.start {
            Ok(subtree_root(&hashes))
        } else {
            Err(missing())
        }
    }
}

fn tile_of(node: Node) -> (u8, u64) {
    let (level, range) = node.stored();
    (level, range.start / TILE)
}

fn beyond(_: ProofError) -> StoreError {
    StoreError::Inconsistent("a proof was asked for beyond the end of the log")
}

fn head(row: &Row) -> Result<LogHead, StoreError> {
    let frontier = Frontier::from_bytes(&row.blob(2)?).map_err(|error| row.undecodable(2, error))?;
    if row.uint(1)? != frontier.size() {
        return Err(row.undecodable(1, "the size is not that of the frontier"));
    }
    let checkpoint = SignedNote::parse(row.text(3)?.as_bytes()).map_err(|error| row.undecodable(3, error))?;
    Ok(LogHead { frontier, checkpoint, last_received: row.time(4)? })
}
