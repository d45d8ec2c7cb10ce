//! Plain tables for people.

use std::fmt::Write as _;

/// Columns padded to their widest cell, two spaces apart, without trailing spaces.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let head = head.map(str::to_owned);
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{}{:pad$}  ", printable(cell), "", pad = width - cell.chars().count());
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.pop();
    out
}

/// What others wrote, made harmless for a terminal: control characters become `?`.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// `1234567` as `1.2 MB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = tenths.div_ceil(1_000);
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_reach_no_terminal() {
        let rows = [["1".to_owned(), "ñ\u{1b}[31m".to_owned()], ["22".to_owned(), "b".to_owned()]];
        assert_eq!(table(["n", "name"], &rows), "n   name\n1   ñ?[31m\n22  b");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(size), ["0 B", "999 B", "1.0 kB", "1.3 MB"]);
    }
}
