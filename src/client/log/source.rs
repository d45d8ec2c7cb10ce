//! Where a log is read from.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use custody::digest::Digest;
use custody::log_keys::MAX_CHANGES_BYTES;
use custody::note::MAX_NOTE_LEN;
use custody::record::ENTRY_BYTES;
use custody::tile::{FULL_WIDTH, MAX_TILE_LEN, TileKind, TilePath};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::keys::KEYS;
use super::{Call, ClientError, Http};
use crate::client::http::Shows;
use crate::client::secret::file;

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// A bundle of our entries, each behind its length.
const MAX_BUNDLE_LEN: usize = (2 + ENTRY_BYTES) * FULL_WIDTH as usize;
/// Where a vault serves its log.
const VAULT_LOG: &str = "/log";

/// A log laid out as C2SP tlog-tiles says: at an address, or in a folder. Nothing read from it is believed yet.
#[derive(Debug)]
pub struct Source(Place);

#[derive(Debug)]
enum Place {
    Address { http: Http, path: String },
    Folder(PathBuf),
}

impl Source {
    /// Whether a place is an address; else it is a folder.
    pub fn is_address(place: &str) -> bool {
        place.starts_with("https://")
    }

    /// An address (`https://host:port` of a vault, or with a path, of any copy) whose server shows the certificate with
    /// SHA-256 `tls`.
    pub fn address(url: &str, tls: Digest) -> Result<Self, ClientError> {
        let url = url.trim_end_matches('/');
        let host = url.strip_prefix("https://").unwrap_or_default();
        let (base, path) = match host.find('/') {
            Some(at) => url.split_at("https://".len() + at),
            None => (url, VAULT_LOG),
        };
        if path.contains(['?', '#', ' ']) {
            return Err(ClientError::Input("a log's address has neither ? nor #".into()));
        }
        Ok(Self(Place::Address { http: Http::new(base, tls, Shows::default())?, path: path.to_owned() }))
    }

    /// A folder, such as a mirror's.
    pub fn folder(folder: &Path) -> Self {
        Self(Place::Folder(folder.to_owned()))
    }

    /// The newest checkpoint, as it stands there.
    pub async fn checkpoint(&self) -> Result<Vec<u8>, ClientError> {
        self.read("checkpoint", MAX_NOTE_LEN).await
    }

    /// What it says about the keys that the log has had; empty if it says nothing.
    pub(super) async fn keys(&self) -> Result<Vec<u8>, ClientError> {
        match self.read(KEYS, MAX_CHANGES_BYTES).await {
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            other => other,
        }
    }

    /// A tile or bundle, no wider than asked for. Where the partial one is gone, it is cut out of the full one.
    pub(super) async fn tile(&self, path: TilePath) -> Result<Vec<u8>, ClientError> {
        let (each, limit) = match path.kind() {
            TileKind::Entries => (2 + ENTRY_BYTES, MAX_BUNDLE_LEN),
            TileKind::Hashes(_) => (32, MAX_TILE_LEN),
        };
        let mut bytes = match self.read(&path.to_string(), limit).await {
            Err(error) if !path.is_full() && is_absent(&error) => {
                let full = TilePath::new(path.kind(), path.index(), FULL_WIDTH);
                let full = full.map_err(|_| ClientError::Protocol("no log has such a tile"))?;
                self.read(&full.to_string(), limit).await?
            }
            other => other?,
        };
        bytes.truncate(each * usize::from(path.width()));
        Ok(bytes)
    }

    /// Several at once.
    pub(super) async fn tiles(
        &self,
        paths: Vec<TilePath>,
    ) -> Result<HashMap<TilePath, Vec<u8>>, ClientError> {
        let fetched = paths.into_iter().map(|path| async move { Ok((path, self.tile(path).await?)) });
        futures_util::stream::iter(fetched).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, ClientError> {
        match &self.0 {
            Place::Address { http, path } => {
                http.bytes_at_most(Call::get(format!("{path}/{name}")), limit).await
            }
            Place::Folder(folder) => read_at_most(&folder.join(name), limit),
        }
    }
}

/// A file of at most `limit` bytes.
pub(super) fn read_at_most(path: &Path, limit: usize) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes));
    match read.map_err(file(path))? {
        length if length > limit => {
            Err(ClientError::Input(format!("{} is longer than it can be", path.display())))
        }
        _ => Ok(bytes),
    }
}

/// Whether nothing is there.
pub(super) fn is_absent(error: &ClientError) -> bool {
    match error {
        ClientError::Http { status } => *status == 404,
        ClientError::Refused(problem) => problem.status == 404,
        ClientError::File { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
