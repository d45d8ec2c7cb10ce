//! What the tests stand on.

pub(crate) mod audit;
pub(crate) mod postgres;
pub(crate) mod world;
