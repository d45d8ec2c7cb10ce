//! The command line and the client behind it.

mod book;
mod carriage;
mod demo;
mod fake;
mod flow;
mod init;
mod lies;
mod life;
mod log;
mod produced;
mod program;
mod readme;
mod resealing;
mod sensitive;
mod signing;
