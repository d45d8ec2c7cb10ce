//! Signing in by cookie: the cookie, whose request may use it, and the routes of sessions.

pub(crate) mod certificate;
pub(crate) mod cookie;
pub(crate) mod passkey;
pub(crate) mod password;
pub(crate) mod provider;
pub(crate) mod session;
