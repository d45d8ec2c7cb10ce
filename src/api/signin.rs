//! Signing in, and the sessions that come of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

wire! {
    /// `POST /api/v1/session`.
    NewSession {
        /// What one calls the device; at most 100 characters.
        label: String,
    }
    /// A session; its secret is in the cookie only.
    Session {
        /// Id.
        id: String,
        /// What one called the device.
        label: String,
        /// How it was opened: `token`.
        method: String,
        /// When it was opened.
        created: String,
        /// When it was last used, to the minute.
        seen: String,
        /// When it ends if it is not used.
        idle_until: String,
        /// When it ends however much it is used.
        expires: String,
        /// Until when the last second factor covers sensitive acts.
        #[serde(default)]
        confirmed_until: Option<String>,
        /// Whether it is over.
        ended: bool,
        /// Whether this is asked with it.
        current: bool,
    }
    /// `GET /api/v1/sessions`.
    Sessions {
        /// Oldest first.
        sessions: Vec<Session>,
    }
}
