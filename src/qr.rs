//! QR codes as SVG.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

/// White modules around a QR code (ISO/IEC 18004, section 5.3.8).
const QUIET: usize = 4;

/// A QR code with a quarter of its area to spare for damage, as an SVG element of one path that fills whatever holds it;
/// `name` is what a screen reader says. `None`: too long for a QR code.
///
/// The text may be a secret: what grows here is cleared.
pub(crate) fn svg(text: &str, name: &str) -> Option<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::Q).ok()?;
    let (width, modules) = (code.width(), code.to_colors());
    let size = width + 2 * QUIET;
    let mut svg = Zeroizing::new(String::with_capacity(64 << 10));
    let _ = write!(
        svg,
        "<svg role=\"img\" aria-label=\"{name}\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\""
    );
    for (at, module) in modules.iter().enumerate() {
        if *module == Color::Dark {
            let _ = write!(svg, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
        }
    }
    svg.push_str("\"/></svg>\n");
    Some(svg)
}

/// A QR code for a terminal, two modules a character: light ones are blocks, so that it is read on a dark ground; with
/// `colours` it brings the dark ground along. `None`: too long for a QR code.
///
/// The text may be a secret: what grows here is cleared.
pub(crate) fn terminal(text: &str, colours: bool) -> Option<Zeroizing<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let (width, modules) = (code.width(), code.to_colors());
    let light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < width);
        let module = inside(x).zip(inside(y)).map(|(x, y)| modules[y * width + x]);
        module.is_none_or(|module| module == Color::Light)
    };
    let size = width + 2 * QUIET;
    let mut lines = Zeroizing::new(String::with_capacity(16 << 10));
    for y in (0..size).step_by(2) {
        lines.push_str(if colours { "\x1b[97;40m" } else { "" });
        for x in 0..size {
            lines.push(match (light(x, y), y + 1 < size && light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        lines.push_str(if colours { "\x1b[0m\n" } else { "\n" });
    }
    Some(lines)
}

/// What another program reads from the only QR code of a page, drawn four pixels a module.
#[cfg(test)]
pub(crate) fn scanned(page: &str) -> String {
    let code = page.split("<svg role=\"img\"").nth(1).unwrap();
    let size: usize =
        code.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let path = code.split("fill=\"#000\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let dark: std::collections::HashSet<(usize, usize)> = path
        .split('M')
        .skip(1)
        .map(|module| {
            let (x, y) = module.split_once("h1v1h-1z").unwrap().0.split_once(' ').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        })
        .collect();
    let shade = |x: usize, y: usize| if dark.contains(&(x / 4, y / 4)) { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(size * 4, size * 4, shade);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_shows_is_read_by_another_program() {
        let text =
            "otpauth://totp/Custos%20vault.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Custos";
        let shown = terminal(text, false).unwrap();
        assert_eq!(terminal(text, true).unwrap().replace("\x1b[97;40m", "").replace("\x1b[0m", ""), **shown);
        let rows: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len() && row.len() < 80));
        let shade = |x: usize, y: usize| {
            let (upper, character) = ((y / 4).is_multiple_of(2), rows[y / 8][x / 4]);
            let light = character == '█' || character == if upper { '▀' } else { '▄' };
            if light { 255 } else { 0 }
        };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(rows[0].len() * 4, rows.len() * 8, shade);
        assert_eq!(image.detect_grids()[0].decode().unwrap().1, text);
    }
}
