//! The store and the sequencer: one suite, two engines.

mod access;
mod appending;
mod batches;
mod credentials;
mod objects;
mod proofs;
mod publication;
mod schema;
mod tiles;
mod transfers;
