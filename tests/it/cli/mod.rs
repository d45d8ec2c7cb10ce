//! The command line and the client behind it.

mod fake;
mod program;
mod signing;
