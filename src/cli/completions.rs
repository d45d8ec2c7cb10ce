//! `custos completions`

use clap::CommandFactory as _;

use super::failure::Exit;
use super::{Cli, Out};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args, out: Out) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "custos", &mut script);
    out.bytes(&script);
    Exit::Valid
}
