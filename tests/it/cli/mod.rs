//! The command line and the client behind it.

mod demo;
mod fake;
mod flow;
mod program;
mod readme;
mod signing;
