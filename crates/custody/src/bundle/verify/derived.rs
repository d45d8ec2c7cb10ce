//! Which exhibits were made from which others.

use core::iter::successors;

use super::exhibits::Exhibits;
use super::statements::Rules;
use crate::bundle::layout::exhibit_label;
use crate::bundle::report::{MADE_BY_VAULT, Made};
use crate::id::ItemId;
use crate::rules::{Item, made_from};

impl Rules {
    /// Every link that the rules admitted, by the number of the exhibit that was made.
    pub(super) fn derived(&self, exhibits: &Exhibits) -> Vec<Made> {
        let mut linked: Vec<_> = self.state.items.values().filter(|item| item.derived.is_some()).collect();
        linked.sort_by_key(|item| (item.case, item.exhibit));
        let made = |item: &&Item| {
            let derived = item.derived?;
            let by = derived.by.map_or_else(
                || MADE_BY_VAULT.to_owned(),
                |person| {
                    let name = exhibits.name(Some(person));
                    if name.is_empty() { person.to_string() } else { name }
                },
            );
            let original = self.state.items.get(&derived.of)?;
            Some(Made {
                how: derived.how,
                by,
                exhibit: exhibit_label(item.exhibit),
                less_protected_than: self.better_protected(item).map(|of| exhibit_label(of.exhibit)),
                of: exhibit_label(original.exhibit),
                outlives: original.disposed && is_there(item),
            })
        };
        linked.iter().filter_map(made).collect()
    }

    /// What was made from an item, also by way of others, and is still there.
    pub(super) fn left_of(&self, original: ItemId) -> Vec<String> {
        let Some(case) = self.state.items.get(&original).map(|item| item.case) else { return Vec::new() };
        let of_case = self.state.items.iter().filter(|(_, item)| item.case == case);
        let linked = made_from(of_case.map(|(id, item)| (*id, item)), original);
        linked
            .iter()
            .filter(|(_, item)| is_there(item))
            .map(|(_, item)| exhibit_label(item.exhibit))
            .collect()
    }

    /// Of what an item that is still there was made from, also by way of others, the best protected, if it is better
    /// protected than the item.
    fn better_protected(&self, item: &Item) -> Option<&Item> {
        if !is_there(item) {
            return None;
        }
        // Numbers go down from each to its original, or else the link is no true one.
        let original = |of: &Item| {
            let original = self.state.items.get(&of.derived?.of)?;
            (original.exhibit < of.exhibit).then_some(original)
        };
        let originals = successors(original(item), |of| original(of));
        originals.filter(|of| of.class > item.class).max_by_key(|of| of.class)
    }
}

/// Whether the vault holds its content.
const fn is_there(item: &Item) -> bool {
    item.stored.is_some() && !item.disposed
}
