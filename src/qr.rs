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
