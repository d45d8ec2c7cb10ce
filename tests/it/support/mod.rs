//! What the tests stand on.

pub(crate) mod app;
pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod bundle;
pub(crate) mod child;
pub(crate) mod client;
pub(crate) mod postgres;
pub(crate) mod published;
pub(crate) mod raw;
pub(crate) mod witness;
pub(crate) mod world;
