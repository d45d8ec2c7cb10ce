//! `custody-verify`: reads a bundle, prints a report, exits. It needs no network and installs nothing.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser;
use custody_verify::{Args, FAILURE, open_sealed, print, print_opened, run};

/// Checks a bundle of evidence and its chain of custody, without trusting whoever made it.
///
/// Exit codes: 0 verified · 4 verified, but incomplete · 3 NOT VERIFIED · 1 could not read · 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "custody-verify", version)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    let Command { args } = Command::parse();
    let mut out = io::stdout();
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let result = run(&args).and_then(|report| {
        print(&report, args.json, colour, &mut out)?;
        let opened = open_sealed(&args, &report)?;
        let all = print_opened(&opened, &mut io::stderr())?;
        Ok(if all { report.exit_code } else { FAILURE })
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Nothing can be done where even standard error is closed.
            let _ = writeln!(io::stderr(), "error: {failure}\nhint: {}", failure.hint());
            ExitCode::from(failure.exit_code())
        }
    }
}
