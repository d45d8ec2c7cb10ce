//! What is in a tile and in a bundle of entries.

use super::{FULL_WIDTH, TileError, TileKind, TilePath};
use crate::digest::Digest;
use crate::merkle::{Node, subtree_root};

/// A full tile's length in bytes.
pub const MAX_TILE_LEN: usize = 32 * FULL_WIDTH as usize;

/// No entry in a bundle is longer, in bytes: its length stands before it in two. Ours have 97.
pub const MAX_ENTRY_LEN: usize = u16::MAX as usize;

/// No bundle is longer, in bytes.
pub const MAX_BUNDLE_LEN: usize = (2 + MAX_ENTRY_LEN) * FULL_WIDTH as usize;

/// The hashes of one tile. That they belong to a log is for [`TileReader`](super::TileReader) to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    path: TilePath,
    hashes: Vec<Digest>,
}

impl Tile {
    /// A tile with the hashes of the nodes that [`TilePath::nodes`] names.
    pub fn new(path: TilePath, hashes: Vec<Digest>) -> Result<Self, TileError> {
        if path.kind() == TileKind::Entries {
            return Err(TileError::WrongKind);
        }
        if hashes.len() != usize::from(path.width()) {
            return Err(TileError::WrongLength { expected: path.width() });
        }
        Ok(Self { path, hashes })
    }

    /// Reads what [`Tile::to_bytes`] wrote. Where the path is that of a partial tile, the bytes may be those of the
    /// full one: a log may drop the partial tile once it has the full one.
    pub fn parse(path: TilePath, bytes: &[u8]) -> Result<Self, TileError> {
        let width = usize::from(path.width());
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || (hashes.len() != width && bytes.len() != MAX_TILE_LEN) {
            return Err(TileError::WrongLength { expected: path.width() });
        }
        Self::new(path, hashes.iter().take(width).copied().map(Digest::new).collect())
    }

    /// The hashes one after another, 32 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Where it stands.
    pub const fn path(&self) -> TilePath {
        self.path
    }

    /// Its hashes, from left to right.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// The hash of a node in or between the levels of this tile; nothing if it cannot be computed from this tile.
    pub fn hash(&self, node: Node) -> Option<Digest> {
        let (level, needed) = node.stored();
        let (own, held) = self.path.nodes()?;
        if level != own || needed.start < held.start || needed.end > held.end {
            return None;
        }
        let position = |index: u64| usize::try_from(index - held.start).ok();
        let hashes = self.hashes.get(position(needed.start)?..position(needed.end)?)?;
        Some(subtree_root(hashes))
    }

    /// The hash that stands for a full tile in the level above; nothing for a partial tile.
    pub fn root(&self) -> Option<Digest> {
        self.path.is_full().then(|| subtree_root(&self.hashes))
    }
}

/// A bundle's bytes: each entry behind its length in two bytes, big-endian. The caller gives as many entries as the
/// bundle is wide.
pub fn emit_entries<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bundle = Vec::new();
    for entry in entries {
        let len = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong)?;
        bundle.extend_from_slice(&len.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Reads the bundle of entries at `path`. As with [`Tile::parse`], the bytes may be those of the full bundle where the
/// path is that of a partial one.
pub fn parse_entries(path: TilePath, bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    if path.kind() != TileKind::Entries {
        return Err(TileError::WrongKind);
    }
    let wrong = TileError::WrongEntries { expected: path.width() };
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((len, tail)) = rest.split_first_chunk() {
        let entry = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)));
        let (entry, tail) = entry.filter(|_| entries.len() < usize::from(FULL_WIDTH)).ok_or(wrong)?;
        entries.push(entry);
        rest = tail;
    }
    let width = usize::from(path.width());
    if !rest.is_empty() || (entries.len() != width && entries.len() != usize::from(FULL_WIDTH)) {
        return Err(wrong);
    }
    entries.truncate(width);
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(width: u16) -> TilePath {
        TilePath::new(TileKind::Entries, 3, width).unwrap()
    }

    fn tile(width: u16) -> Result<Tile, TileError> {
        let hashes = (0..width).map(|n| Digest::of(&n.to_be_bytes())).collect();
        Tile::new(TilePath::new(TileKind::Hashes(1), 2, width).unwrap(), hashes)
    }

    #[test]
    fn a_tile_has_as_many_hashes_as_its_path_says() {
        let tile = tile(44).unwrap();
        assert_eq!(Tile::parse(tile.path(), &tile.to_bytes()), Ok(tile.clone()));
        let wrong = Err(TileError::WrongLength { expected: 44 });
        assert_eq!(Tile::new(tile.path(), Vec::new()), wrong);
        for len in [0, 31, 44 * 32 - 1, 44 * 32 + 1, 45 * 32, MAX_TILE_LEN - 1, MAX_TILE_LEN + 32] {
            assert_eq!(Tile::parse(tile.path(), &vec![0; len]), wrong, "{len}");
        }
        assert_eq!(Tile::parse(entries(1), &[0; 32]), Err(TileError::WrongKind));
    }

    #[test]
    fn the_full_tile_serves_for_a_partial_one() {
        let (full, partial) = (tile(256).unwrap(), tile(44).unwrap());
        assert_eq!(Tile::parse(partial.path(), &full.to_bytes()), Ok(partial));
        let full: Vec<_> = (0..=255_u8).map(|n| [n]).collect();
        let full = emit_entries(full.iter().map(<[u8; 1]>::as_slice)).unwrap();
        assert_eq!(parse_entries(entries(2), &full), Ok(vec![&[0][..], &[1]]));
    }

    #[test]
    fn a_tile_knows_its_own_nodes_only() {
        let tile = tile(44).unwrap();
        let node = |level, index| Node::new(level, index).unwrap();
        assert_eq!(tile.hash(node(8, 512)), Some(tile.hashes()[0]));
        assert_eq!(tile.hash(node(10, 129)), Some(subtree_root(&tile.hashes()[4..8])));
        for other in [node(8, 511), node(8, 556), node(13, 17), node(0, 512), node(16, 2)] {
            assert_eq!(tile.hash(other), None, "{other:?}");
        }
        assert_eq!(tile.root(), None);
    }

    #[test]
    fn a_bundle_has_as_many_whole_entries_as_its_path_says() {
        let bundle = emit_entries([&b"one"[..], b"", b"three"]).unwrap();
        assert_eq!(bundle, b"\0\x03one\0\0\0\x05three");
        assert_eq!(parse_entries(entries(3), &bundle), Ok(vec![&b"one"[..], b"", b"three"]));
        let wrong = |expected| Err(TileError::WrongEntries { expected });
        assert_eq!(parse_entries(entries(2), &bundle), wrong(2));
        assert_eq!(parse_entries(entries(4), &bundle), wrong(4));
        for cut in 0..bundle.len() {
            assert_eq!(parse_entries(entries(3), &bundle[..cut]), wrong(3), "{cut}");
        }
        assert_eq!(parse_entries(entries(256), &[0; 2 * 257]), wrong(256));
        assert_eq!(parse_entries(tile(3).unwrap().path(), &bundle), Err(TileError::WrongKind));
        let long = vec![0; MAX_ENTRY_LEN + 1];
        assert!(emit_entries([&long[1..]]).is_ok());
        assert_eq!(emit_entries([&long[..]]), Err(TileError::EntryTooLong));
    }

    proptest! {
        #[test]
        fn any_bundle_is_read_back(
            list in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 1..=256),
        ) {
            let bundle = emit_entries(list.iter().map(Vec::as_slice)).unwrap();
            let path = entries(u16::try_from(list.len()).unwrap());
            prop_assert_eq!(parse_entries(path, &bundle).unwrap(), list);
        }

        #[test]
        fn no_bytes_make_the_parsers_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            width in 1..=256_u16,
        ) {
            if let Ok(list) = parse_entries(entries(width), &bytes) {
                prop_assert_eq!(list.len(), usize::from(width));
            }
            if let Ok(tile) = Tile::parse(tile(width).unwrap().path(), &bytes) {
                prop_assert!(bytes.starts_with(&tile.to_bytes()));
            }
        }
    }
}
