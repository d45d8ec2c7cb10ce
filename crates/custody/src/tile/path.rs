//! Where a tile stands, and which tiles a tree has.

use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use super::{FULL_WIDTH, TileError};
use crate::merkle::{MAX_SIZE, Node};

/// How many levels of the tree one tile spans.
const TILE_LEVELS: u8 = 8;

/// The levels of tiles in the largest tree; those above, up to [`MAX_LEVEL`], have paths and are always empty.
const LEVELS: u8 = 8;

/// The highest level that a path may name.
const MAX_LEVEL: u8 = 63;

/// No path is longer, in bytes: `tile/entries/`, six groups of digits, and the width.
const MAX_PATH_LEN: usize = "tile/entries/".len() + 5 * "x000/".len() + "000.p/255".len();

/// What a file below `tile/` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of complete subtrees of 256^level leaves: leaf hashes at level 0, roots of full tiles above.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// The place and width of a tile or of a bundle of entries, written `tile/1/x001/x234/067.p/8`.
///
/// Level up to 63, index below 2^55 (no tree of at most 2^63 - 1 leaves reaches further), width 1 to 256; only a
/// partial tile, less than 256 wide, has its width in the path. Each path has one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TilePath {
    /// Checks level, index and width.
    pub const fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TileError> {
        if matches!(kind, TileKind::Hashes(level) if level > MAX_LEVEL) {
            return Err(TileError::BadLevel);
        }
        if index > MAX_SIZE >> TILE_LEVELS {
            return Err(TileError::BadIndex);
        }
        if width == 0 || width > FULL_WIDTH {
            return Err(TileError::BadWidth);
        }
        Ok(Self { kind, index, width })
    }

    /// The tile or bundle at this place as a tree of `size` leaves has it: full, or as wide as the tree reaches.
    /// Nothing where such a tree has none.
    pub fn in_tree(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let reached = count(kind, size).checked_sub(index.checked_mul(u64::from(FULL_WIDTH))?)?;
        Self::new(kind, index, u16::try_from(reached).unwrap_or(FULL_WIDTH).min(FULL_WIDTH)).ok()
    }

    /// The tile of hashes, as a tree of `size` leaves has it, from which `node` can be computed; nothing if the node is
    /// not complete in that tree.
    pub fn holding(node: Node, size: u64) -> Option<Self> {
        let (level, range) = node.stored();
        let tile =
            Self::in_tree(TileKind::Hashes(level / TILE_LEVELS), range.start / u64::from(FULL_WIDTH), size)?;
        (node.leaves().end <= size).then_some(tile)
    }

    /// The tiles of hashes that a tree of `new` leaves has and a tree of `old` leaves had not, the partial ones at the
    /// right edge included; lowest level first. All tiles of a tree are those changed since size 0.
    pub fn changed(old: u64, new: u64) -> impl Iterator<Item = Self> {
        Self::completed(old, new).chain(Self::partial(new).filter(move |path| {
            // A partial tile is new unless the older tree had it, exactly as wide.
            Self::in_tree(path.kind, path.index, old) != Some(*path)
        }))
    }

    /// The tiles of hashes that are full in a tree of `new` leaves and were not in one of `old` leaves, lowest level
    /// first: what is written once, for ever, when a log has grown.
    pub fn completed(old: u64, new: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).flat_map(move |level| {
            let kind = TileKind::Hashes(level);
            let full = |size| count(kind, size) / u64::from(FULL_WIDTH);
            (full(old)..full(new)).map(move |index| Self { kind, index, width: FULL_WIDTH })
        })
    }

    /// The partial tiles of hashes of a tree of `size` leaves, at most one a level, lowest level first. Their hashes
    /// are the whole tree: its root follows from them alone.
    pub fn partial(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).filter_map(move |level| {
            let kind = TileKind::Hashes(level);
            let tile = Self::in_tree(kind, count(kind, size) / u64::from(FULL_WIDTH), size)?;
            (!tile.is_full()).then_some(tile)
        })
    }

    /// What it holds.
    pub const fn kind(self) -> TileKind {
        self.kind
    }

    /// The position among tiles of the same kind, from 0.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has: 1 to 256.
    pub const fn width(self) -> u16 {
        self.width
    }

    /// Whether it is 256 wide and thus final.
    pub const fn is_full(self) -> bool {
        self.width == FULL_WIDTH
    }

    /// Whether a tree of `size` leaves has everything in it. A partial tile of an earlier size is still `within` a
    /// later tree, where it is the beginning of a wider one.
    pub fn is_within(self, size: u64) -> bool {
        Self::in_tree(self.kind, self.index, size).is_some_and(|tile| tile.width >= self.width)
    }

    /// The level of the tree and the indices on it of the nodes whose hashes make up the tile, or of the entries in
    /// the bundle (then the level is 0), as [`Node::stored`] has them. Nothing at levels that no tree reaches.
    pub fn nodes(self) -> Option<(u8, Range<u64>)> {
        let level = match self.kind {
            TileKind::Entries => 0,
            TileKind::Hashes(level) if level < LEVELS => level * TILE_LEVELS,
            TileKind::Hashes(_) => return None,
        };
        let start = self.index * u64::from(FULL_WIDTH);
        let end = start + u64::from(self.width);
        (end <= MAX_SIZE >> level).then_some((level, start..end))
    }

    /// The bundle that holds the entries below a tile of level 0, equally wide; nothing for other tiles.
    pub const fn bundle(self) -> Option<Self> {
        match self.kind {
            TileKind::Hashes(0) => {
                Some(Self { kind: TileKind::Entries, index: self.index, width: self.width })
            }
            _ => None,
        }
    }

    /// The tile one level up that holds the root of this one once it is full, as a tree of `size` leaves has it.
    pub(super) fn parent(self, size: u64) -> Option<Self> {
        let TileKind::Hashes(level) = self.kind else { return None };
        Self::in_tree(TileKind::Hashes(level + 1), self.index / u64::from(FULL_WIDTH), size)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let groups = self.index.checked_ilog(1000).unwrap_or(0);
        for group in (1..=groups).rev() {
            write!(f, "x{:03}/", self.index / 1000_u64.pow(group) % 1000)?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(text: &str) -> Result<Self, TileError> {
        if text.len() > MAX_PATH_LEN {
            return Err(TileError::BadPath);
        }
        let rest = text.strip_prefix("tile/").and_then(|rest| rest.split_once('/'));
        let (kind, rest) = rest.ok_or(TileError::BadPath)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(number(level)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, number(width)?),
            None => (rest, FULL_WIDTH),
        };
        let index: String = index.split('/').map(|group| group.strip_prefix('x').unwrap_or(group)).collect();
        let path = Self::new(kind, number(&index)?, width)?;
        // Groups, their x, zeros in front and a full tile's width have one spelling: the one that we write.
        if path.to_string() == text { Ok(path) } else { Err(TileError::BadPath) }
    }
}

/// How many hashes or entries of a kind a tree of `size` leaves has.
fn count(kind: TileKind, size: u64) -> u64 {
    match kind {
        TileKind::Entries => size,
        TileKind::Hashes(level) => size.checked_shr(u32::from(level) * u32::from(TILE_LEVELS)).unwrap_or(0),
    }
}

/// Decimal digits only; zeros in front are for the caller to refuse.
fn number<N: FromStr>(text: &str) -> Result<N, TileError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(TileError::BadPath)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(tiles: impl Iterator<Item = TilePath>) -> Vec<String> {
        tiles.map(|tile| tile.to_string()).collect()
    }

    #[test]
    fn the_published_examples_hold() {
        let tile = TilePath::new(TileKind::Hashes(1), 1_234_067, 8).unwrap();
        assert_eq!(tile.to_string(), "tile/1/x001/x234/067.p/8");
        assert_eq!("tile/1/x001/x234/067.p/8".parse(), Ok(tile));

        let full = TilePath::completed(0, 70_000).map(TilePath::kind);
        let (low, high): (Vec<_>, Vec<_>) = full.partition(|kind| *kind == TileKind::Hashes(0));
        assert_eq!((low.len(), high), (273, vec![TileKind::Hashes(1)]));
        let partial = ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"];
        assert_eq!(paths(TilePath::partial(70_000)), partial);
        assert_eq!(paths(TilePath::changed(0, 256)), ["tile/0/000", "tile/1/000.p/1"]);
    }

    #[test]
    fn an_empty_tree_has_no_tiles() {
        assert_eq!(TilePath::changed(0, 0).count(), 0);
        assert_eq!(TilePath::in_tree(TileKind::Entries, 0, 0), None);
        assert_eq!(TilePath::holding(Node::new(0, 0).unwrap(), 0), None);
    }

    #[test]
    fn a_path_has_one_spelling() {
        let bad = [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/x1/000",
            "tile/00/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/x/000",
            "tile/data/000",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0//000",
            "tile/0/000.p/",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/+1",
            "tile/0/000.p",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.P/1",
            "tile/0/X001/000",
            "tile/0/xx01/000",
            "tile/0/ 00",
            "tile/8/0/000",
            "tile/0/٠٠٠",
            "tile/entries",
            "tile/Entries/000",
            "tile/0/x001/x000/.p/1",
        ];
        for text in bad {
            assert_eq!(text.parse::<TilePath>(), Err(TileError::BadPath), "{text:?}");
        }
        assert_eq!("tile/0/000.p/0".parse::<TilePath>(), Err(TileError::BadWidth));
        assert_eq!("tile/64/000".parse::<TilePath>(), Err(TileError::BadLevel));
        assert_eq!("tile/256/000".parse::<TilePath>(), Err(TileError::BadPath));
        let beyond = format!("tile/0/{}", "x036/x028/x797/x018/x963/968");
        assert_eq!(beyond.parse::<TilePath>(), Err(TileError::BadIndex));
        assert!(format!("tile/0/{}", "x036/x028/x797/x018/x963/967").parse::<TilePath>().is_ok());
        assert_eq!("x".repeat(1 << 20).parse::<TilePath>(), Err(TileError::BadPath));
        let longest = TilePath::new(TileKind::Entries, MAX_SIZE >> 8, 255).unwrap().to_string();
        assert_eq!(longest.len(), MAX_PATH_LEN);
        assert!(longest.parse::<TilePath>().is_ok());
    }

    #[test]
    fn levels_that_no_tree_reaches_are_empty() {
        let tile: TilePath = "tile/63/000.p/1".parse().unwrap();
        assert!(!tile.is_within(MAX_SIZE));
        assert_eq!(tile.nodes(), None);
        assert_eq!(
            "tile/7/000.p/128".parse::<TilePath>().unwrap().nodes(),
            None,
            "no 128th node at level 56"
        );
        let partial = ["tile/7/000.p/127"];
        assert_eq!(paths(TilePath::partial(MAX_SIZE).skip(7)), partial);
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_back(text in "tile/([0-9]{1,3}|entries)(/x?[0-9]{3}){1,7}(.p/[0-9]{1,3})?") {
            if let Ok(path) = text.parse::<TilePath>() {
                prop_assert_eq!(path.to_string(), text);
            }
        }

        #[test]
        fn what_is_written_parses(
            kind in prop_oneof![Just(TileKind::Entries), (0..=63_u8).prop_map(TileKind::Hashes)],
            index in prop_oneof![0..5000_u64, 0..=MAX_SIZE >> 8],
            width in 1..=256_u16,
        ) {
            let path = TilePath::new(kind, index, width).unwrap();
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn growing_step_by_step_completes_each_tile_once(
            steps in proptest::collection::vec(0..60_000_u64, 1..6),
        ) {
            let mut size = 0;
            let mut seen = Vec::new();
            for step in steps {
                seen.extend(TilePath::completed(size, size + step));
                size += step;
            }
            seen.sort();
            prop_assert_eq!(seen, TilePath::completed(0, size).collect::<Vec<_>>());
        }

        #[test]
        fn a_node_is_in_the_tile_that_holds_it(
            (size, leaf) in (1..=MAX_SIZE).prop_flat_map(|n| (Just(n), 0..n)),
            level in 0..63_u8,
        ) {
            let Some(node) = Node::new(level, leaf >> level) else { return Ok(()) };
            let Some(tile) = TilePath::holding(node, size) else {
                prop_assert!(node.leaves().end > size);
                return Ok(());
            };
            let ((stored, needed), (at, held)) = (node.stored(), tile.nodes().unwrap());
            prop_assert_eq!(stored, at);
            prop_assert!(held.start <= needed.start && needed.end <= held.end);
            prop_assert!(tile.is_within(size));
        }
    }
}
