//! What an item was made from: the link between a derived item and its original, by the digests of both.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{ItemRegistered, data, shape};
use crate::digest::Digest;
use crate::id::ItemId;
use crate::json::{self, Object};
use crate::statement::{Actor, Assurance, Statement, StatementError};

/// Most boxes of one redaction.
pub const MAX_BOXES: usize = 100;
/// The `route` of what the vault made itself: nobody says it by a key of their own.
pub const ROUTE_VAULT: &str = "vault";

data! {
    /// Data of `item.derived`.
    ItemDerived {
        /// What it is of the original.
        #[serde(rename = "as")]
        how: Derivation,
        /// What the vault made black, 1 to [`MAX_BOXES`]; of redactions that the vault made, and of no others.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        boxes: Option<Vec<PixelBox>>,
        /// SHA-256 of the derived item's content.
        digest: Digest,
        /// Hash of the record of `access.granted` under which the vault read the original; with `boxes`.
        #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
        grant: Option<Digest>,
        /// The original.
        of: ItemId,
        /// SHA-256 of the original's content.
        original: Digest,
    }
}

/// What an item is of its original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Derivation {
    /// Something to work on, so that the original is left alone.
    WorkingCopy,
    /// A part of it.
    Clip,
    /// The same with something made unrecognisable.
    Redaction,
    /// What is said or written in it.
    Transcript,
    /// The same in another language.
    Translation,
}

impl Derivation {
    /// Every one.
    pub const ALL: &[Self] =
        &[Self::WorkingCopy, Self::Clip, Self::Redaction, Self::Transcript, Self::Translation];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkingCopy => "working-copy",
            Self::Clip => "clip",
            Self::Redaction => "redaction",
            Self::Transcript => "transcript",
            Self::Translation => "translation",
        }
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::WorkingCopy { "working copy" } else { self.name() })
    }
}

/// A name that is no derivation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a derived item is a working-copy, clip, redaction, transcript or translation")]
pub struct DerivationError;

impl core::str::FromStr for Derivation {
    type Err = DerivationError;
    fn from_str(text: &str) -> Result<Self, DerivationError> {
        Self::ALL.iter().copied().find(|how| how.name() == text).ok_or(DerivationError)
    }
}

/// A rectangle of pixels of an image as it is shown: upright, counted from 0 at the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelBox {
    /// Height, from 1.
    pub h: u32,
    /// Width, from 1.
    pub w: u32,
    /// Leftmost column.
    pub x: u32,
    /// Topmost row.
    pub y: u32,
}

impl PixelBox {
    /// Whether it has pixels, all of them within an image of this size.
    pub fn is_within(&self, width: u32, height: u32) -> bool {
        let fits = |from: u32, length: u32, end: u32| {
            length > 0 && from.checked_add(length).is_some_and(|to| to <= end)
        };
        fits(self.x, self.w, width) && fits(self.y, self.h, height)
    }
}

/// The data of `item.derived`: boxes are what the vault made black, and it says nothing else of the kind.
pub(super) fn parse(s: &Statement) -> Result<ItemDerived, StatementError> {
    let d: ItemDerived = data(s)?;
    let by_vault = s.actor == Actor::System;
    if by_vault != d.boxes.is_some() || by_vault != d.grant.is_some() {
        return Err(shape(s, "names `boxes` and `grant` if the vault made it, and only then"));
    }
    if by_vault && d.how != Derivation::Redaction {
        return Err(shape(s, "is a redaction if the vault made it"));
    }
    let fits = |boxes: &Vec<PixelBox>| {
        (1..=MAX_BOXES).contains(&boxes.len()) && boxes.iter().all(|b| b.is_within(u32::MAX, u32::MAX))
    };
    if d.boxes.as_ref().is_none_or(fits) {
        Ok(d)
    } else {
        Err(shape(s, "names 1 to 100 boxes that have pixels"))
    }
}

/// What the vault makes it registers itself, on somebody's behalf.
pub(super) fn route(s: &Statement, d: &ItemRegistered) -> Result<(), StatementError> {
    if d.route.as_str() == ROUTE_VAULT && s.assurance != Assurance::Session {
        return Err(shape(s, "came by the route `vault` only if the vault made it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derivation_is_parsed_from_the_name_that_it_is_written_as() {
        for how in Derivation::ALL {
            assert_eq!(how.name().parse(), Ok(*how));
            assert_eq!(serde_json::to_value(how).unwrap(), how.name());
            assert!(DerivationError.to_string().contains(how.name()));
        }
        assert_eq!("copy".parse::<Derivation>(), Err(DerivationError));
    }

    #[test]
    fn a_box_is_within_an_image_if_all_its_pixels_are() {
        let within = |x, y, w, h| PixelBox { h, w, x, y }.is_within(10, 5);
        assert!(within(0, 0, 10, 5) && within(9, 4, 1, 1));
        for (x, y, w, h) in
            [(0, 0, 11, 1), (0, 0, 1, 6), (10, 0, 1, 1), (0, 5, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0)]
        {
            assert!(!within(x, y, w, h), "{x} {y} {w} {h}");
        }
        assert!(!within(u32::MAX, 0, 2, 1), "no overflow");
    }
}
