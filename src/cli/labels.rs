//! Labels for exhibits: what a scanner and an eye need to find one again, and nothing that tells a finder about it.

use std::fmt::Write as _;

use custody::id::ItemId;

use super::failure::Failure;
use super::item::case_of;
use crate::api;
use crate::client::ClientError;
use crate::qr;

/// Labels on a sheet: three a row, eight rows of 70 × 37 mm on A4.
pub(super) const A_SHEET: usize = 24;

/// What is left for text beside the code, in tenths of a millimetre.
const ROOM: usize = 345;

/// One label of 70 × 37 mm as an SVG document. The QR code says the item's id and nothing else, so that a scanner which
/// types what it reads can be used wherever a command or a form asks for an item. Titles and names stay off: labels lie
/// about.
pub(super) fn svg(item: &api::Item) -> Result<String, Failure> {
    // What the server says is an id is looked at before it is put on paper.
    let id: ItemId = item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
    let (id, case) = (id.to_string(), case_of(item)?.to_string());
    let code = qr::svg(&id, "the item's id as a QR code");
    let code = code.ok_or_else(|| Failure::new("the id is too long for a QR code"))?;
    let mut label = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"label\" width=\"70mm\" height=\"37mm\" viewBox=\"0 0 700 370\">\
         <path fill=\"#fff\" d=\"M0 0h700v370H0z\"/>\n<svg x=\"20\" y=\"30\" width=\"310\" height=\"310\">{}</svg>\n",
        code.as_str()
    );
    let mut line = |y: usize, font: &str, text: &str| {
        let _ = writeln!(label, "<text x=\"345\" y=\"{y}\" fill=\"#000\" {font}>{text}</text>");
    };
    let title = format!("Exhibit {}", item.exhibit);
    // As large as its letters, some 0.63 of their height wide, have room for.
    let largest = (ROOM * 100 / (63 * title.len())).min(58);
    line(100, &format!("font-family=\"sans-serif\" font-weight=\"bold\" font-size=\"{largest}\""), &title);
    let small = "font-family=\"sans-serif\" font-size=\"24\"";
    let mono = "font-family=\"monospace\" font-size=\"26\"";
    for (y, name, value) in [(155, "item", &id), (255, "case", &case)] {
        line(y, small, name);
        let (first, second) = value.split_at(18);
        line(y + 30, mono, first);
        line(y + 60, mono, second);
    }
    label.push_str("</svg>\n");
    Ok(label)
}

/// A page to print: sheets of [`A_SHEET`] labels, the first `skip` places of the first one left empty, for those that
/// were used before.
pub(super) fn page(items: &[api::Item], skip: usize) -> Result<String, Failure> {
    let mut page = HEAD.to_owned();
    let mut places = std::iter::repeat_n(None, skip).chain(items.iter().map(Some)).peekable();
    while places.peek().is_some() {
        page.push_str("<div class=\"sheet\">\n");
        for place in places.by_ref().take(A_SHEET) {
            page.push_str(&place.map_or_else(|| Ok("<i></i>\n".to_owned()), svg)?);
        }
        page.push_str("</div>\n");
    }
    page.push_str("</body>\n</html>\n");
    Ok(page)
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Exhibit labels</title>
<style>
@page { size: A4; margin: 0 }
body { margin: 0; background: #fff }
.sheet { display: grid; grid-template-columns: repeat(3, 70mm); grid-auto-rows: 37mm; padding-top: .5mm; width: 210mm; height: 296mm; break-after: page; overflow: hidden }
.sheet:last-child { break-after: auto }
.label { display: block }
@media screen { body { padding: 8mm; background: #ddd } .sheet { background: #fff; margin-bottom: 8mm } }
</style>
</head>
<body>
"#;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::qr::scanned;

    fn item(exhibit: u32) -> api::Item {
        api::Item {
            id: format!("0192f3ab-7c11-7e0d-a1b2-{exhibit:012x}"),
            case: "0192f3aa-0000-7000-8000-00000000c0de".to_owned(),
            exhibit,
            class: "confidential".to_owned(),
            custodian: String::new(),
            claimed: None,
            stored: None,
            head: String::new(),
            offer: None,
            seal: None,
            sealing: None,
            sealed_by: None,
            cannot_open: Vec::new(),
            reseal: None,
            derived: None,
            linked: None,
            fields: BTreeMap::from([("title".to_owned(), "MARKER of a title".to_owned())]),
        }
    }

    #[test]
    fn the_qr_code_is_the_items_id_as_every_command_takes_it() {
        let label = svg(&item(7)).unwrap();
        assert_eq!(scanned(&label), "0192f3ab-7c11-7e0d-a1b2-000000000007");
        for said in [
            "Exhibit 7",
            "0192f3ab-7c11-7e0d",
            "-a1b2-000000000007",
            "0192f3aa-0000-7000",
            "-8000-00000000c0de",
        ] {
            assert!(label.contains(&format!(">{said}<")), "{said}");
        }
    }

    #[test]
    fn a_label_tells_a_finder_nothing_about_the_exhibit() {
        assert!(!page(&[item(1)], 0).unwrap().contains("MARKER"));
    }

    #[test]
    fn every_label_has_its_place_and_used_ones_are_left_out() {
        let items: Vec<_> = (1..=30).map(item).collect();
        for (skip, sheets) in [(0, 2), (18, 2), (19, 3)] {
            let page = page(&items, skip).unwrap();
            assert_eq!(page.matches("class=\"sheet\"").count(), sheets, "{skip}");
            assert_eq!(page.matches("class=\"label\"").count(), 30);
            assert_eq!(page.matches("<i></i>").count(), skip);
        }
        assert!(!page(&items, 0).unwrap().contains("<script"));
    }

    #[test]
    fn what_is_no_id_goes_on_no_label() {
        for wrong in ["", "0192f3ab-7c11-7e0d-a1b2-00000000000", "<script>alert(1)</script>0123456789ab"] {
            let wrong = api::Item { id: wrong.to_owned(), ..item(1) };
            assert!(svg(&wrong).is_err(), "{wrong:?}");
        }
    }
}
