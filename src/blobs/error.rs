//! Why an object cannot be stored or read.

use std::error::Error;
use std::io;

use custody::blob::{BlobError, ObjectId};
use custody::tile::TilePath;

/// Why an object cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobsError {
    /// The store's address is of no known kind.
    #[error("an object store is file:///folder or memory:///, not {0}")]
    Url(String),
    /// The folder is not there. It is not made anew: a disk that is not mounted looks the same.
    #[error("the folder {0} is not there")]
    NoFolder(String),
    /// The disk, or the quota on it, is full.
    #[error("the object store is full")]
    Full(#[source] object_store::Error),
    /// There is no such object.
    #[error("there is no object {0}")]
    NotFound(ObjectId),
    /// An object stands where a new one was to be written: a fault where the id is random, a mistake where a sender chose it.
    #[error("there is an object {0} already")]
    Exists(ObjectId),
    /// As many uploads are under way as this machine can serve, and none ended in time.
    #[error("too many uploads are under way")]
    Busy,
    /// More content than the caller allows.
    #[error("the content is larger than {0} bytes")]
    TooLarge(u64),
    /// The stored object has another length than what was written.
    #[error("object {object} has {found} bytes instead of {wanted}")]
    Length {
        /// The object.
        object: ObjectId,
        /// Bytes in the store.
        found: u64,
        /// Bytes that were written.
        wanted: u64,
    },
    /// The bytes break a rule of the format, or are not what was sealed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A tile or a bundle of entries was published with other bytes than the log has there now.
    #[error("{0} was published with other bytes")]
    OtherBytes(TilePath),
    /// The store failed.
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
    /// A thread could not be started or ended early.
    #[error("the sealing thread failed")]
    Thread(#[source] io::Error),
}

impl BlobsError {
    /// Sorts a store's error about `object` by what a caller can do about it.
    pub(super) fn of(object: ObjectId, error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound(object),
            object_store::Error::AlreadyExists { .. } => Self::Exists(object),
            error => Self::store(error),
        }
    }

    /// Sorts a store's error by whether there was no room.
    pub(super) fn store(error: object_store::Error) -> Self {
        if is_full(&error) { Self::Full(error) } else { Self::Store(error) }
    }
}

/// Whether the system said somewhere down the chain that there is no room.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = |error: &(dyn Error + 'static)| {
        error.downcast_ref::<io::Error>().is_some_and(|io| matches!(io.kind(), StorageFull | QuotaExceeded))
    };
    std::iter::successors(Some(error), |&error| error.source()).any(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_told_apart_however_deep_it_lies() {
        let object = ObjectId::new([0; 16]);
        let failed = |kind: io::ErrorKind| object_store::Error::Generic {
            store: "test",
            source: Box::new(object_store::Error::Generic {
                store: "inner",
                source: io::Error::from(kind).into(),
            }),
        };
        assert!(matches!(BlobsError::of(object, failed(io::ErrorKind::StorageFull)), BlobsError::Full(_)));
        assert!(matches!(BlobsError::of(object, failed(io::ErrorKind::QuotaExceeded)), BlobsError::Full(_)));
        assert!(matches!(BlobsError::of(object, failed(io::ErrorKind::TimedOut)), BlobsError::Store(_)));
    }
}
