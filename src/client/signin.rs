//! What a person signs in with in a browser, set up from the command line.

use reqwest::Method;

use super::http::Call;
use super::{Client, ClientError, new_op_id};
use crate::api;

impl Client {
    /// `POST /api/v1/codes`
    pub async fn begin_codes(&self) -> Result<api::NewCodes, ClientError> {
        self.http.fetch(Call::once("/api/v1/codes")).await
    }

    /// `PUT /api/v1/password`
    pub async fn set_password(&self, new: &api::NewPassword) -> Result<api::PasswordSet, ClientError> {
        self.http.fetch(Call::write(Method::PUT, "/api/v1/password", new_op_id()).json(new)?).await
    }
}
