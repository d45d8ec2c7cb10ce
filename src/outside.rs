//! Asking outsiders over HTTP: witnesses and timestamp authorities. What they answer is signed, and capped before it is
//! read.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{ClientBuilder, Response};

/// A client that goes where it was sent and nowhere else, and waits no longer than `patience` for a whole answer.
pub(crate) fn client(patience: Duration) -> ClientBuilder {
    // The process's default; set already where a server runs.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(patience)
        .user_agent(concat!("custos/", env!("CARGO_PKG_VERSION")))
}

/// The body of an answer; nothing if it has more than `most` bytes.
pub(crate) async fn body(response: Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}
