//! Tiles: how a log is read by strangers (C2SP tlog-tiles).
//!
//! The tree is cut into tiles of up to 256 hashes and the entries into bundles of up to 256, each a file that never
//! changes and has a path of its own ([`TilePath`]). A tile is bytes from hashes ([`Tile`]); a bundle is bytes from
//! entries ([`emit_entries`], [`parse_entries`]). A reader who holds a verified checkpoint believes no tile and no
//! bundle before it is tied to the checkpoint's root ([`TileReader`]).
//!
//! Fetching is the caller's: the paths are relative to the log's address, here `/log/`.
//!
//! ```
//! use custody::merkle::{Batch, Frontier, leaf_hash, verify_inclusion};
//! use custody::tile::{Tile, TilePath, TileReader};
//!
//! let leaves: Vec<_> = (0..300_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
//! let batch = Batch::new(&Frontier::new(), &leaves);
//!
//! // The log's side: what a tree of 300 leaves has.
//! let paths: Vec<_> = TilePath::changed(0, 300).map(|path| path.to_string()).collect();
//! assert_eq!(paths, ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]);
//!
//! // The stranger's: any proof, from tiles that are checked against the root.
//! let upper: Vec<_> = batch.finished_subtrees().map(|(_, hash)| hash).collect();
//! let fetch = |path: TilePath| {
//!     let (level, range) = path.nodes().ok_or("no such tile")?;
//!     let hashes = if level == 0 { &leaves } else { &upper };
//!     let hashes = hashes[range.start as usize..range.end as usize].to_vec();
//!     Ok::<_, &str>(Tile::new(path, hashes).map_err(|_| "wrong width")?.to_bytes())
//! };
//! let mut reader = TileReader::new(300, batch.root(), fetch).unwrap();
//! let proof = reader.inclusion_proof(7).unwrap();
//! assert!(verify_inclusion(&leaves[7], 7, 300, &proof, &batch.root()).is_ok());
//! ```

mod content;
mod path;
mod reader;

pub use content::{MAX_BUNDLE_LEN, MAX_ENTRY_LEN, MAX_TILE_LEN, Tile, emit_entries, parse_entries};
pub use path::{TileKind, TilePath};
pub use reader::{ReadError, TileReader};

/// How many hashes a full tile and how many entries a full bundle has.
pub const FULL_WIDTH: u16 = 256;

/// Why a text is not the path of a tile, or bytes are not a tile or a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// The text is not `tile/`, a level or `entries`, an index in groups of three digits, and `.p/` with a width if
    /// the tile is partial; or it spells that in another way than the one.
    #[error(
        "a tile's path is tile/LEVEL/INDEX or tile/LEVEL/INDEX.p/WIDTH, the index in groups of three digits"
    )]
    BadPath,
    /// The level exceeds 63.
    #[error("a tile's level is at most 63")]
    BadLevel,
    /// The index lies beyond every tree of 2^63 - 1 leaves.
    #[error("a tile's index is below 2^55")]
    BadIndex,
    /// The width is not from 1 to 256.
    #[error("a tile is 1 to 256 wide")]
    BadWidth,
    /// The bytes or hashes are not as many as the tile is wide.
    #[error("the tile must have {expected} hashes of 32 bytes")]
    WrongLength {
        /// The width of the tile.
        expected: u16,
    },
    /// A tile of hashes was used as a bundle of entries, or the other way round.
    #[error("hashes are in tiles and entries in bundles")]
    WrongKind,
    /// The bundle has not as many entries as its path says, or its last entry is cut off.
    #[error("the bundle must have {expected} entries, each behind its length in two bytes")]
    WrongEntries {
        /// The width of the bundle.
        expected: u16,
    },
    /// An entry has more than [`MAX_ENTRY_LEN`] bytes.
    #[error("an entry in a bundle has at most 65,535 bytes")]
    EntryTooLong,
}
