//! Progress bars, where there is somebody to look at them.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Out;

/// A bar over bytes; invisible unless stderr is a terminal.
pub(crate) fn bytes(out: Out, total: u64, what: &str) -> ProgressBar {
    let target = if out.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// A bar over things that are counted; invisible unless stderr is a terminal.
pub(crate) fn count(out: Out) -> ProgressBar {
    let target = if out.bars() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// Moves a bar on.
pub(crate) fn at(bar: &ProgressBar, what: &'static str, done: u64, total: u64) {
    bar.set_message(what);
    bar.set_length(total);
    bar.set_position(done);
}
