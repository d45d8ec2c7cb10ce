use custody::blob::{BlobError, SEGMENT_LEN, SEGMENT_ROOM, SegmentsPerPart, VaultId};
use custody::digest::Digest;
use custody::floe::FloeError;
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};
use futures_util::future::join_all;
use tempfile::TempDir;
use uuid::Uuid;

use futures_util::StreamExt as _;

use super::*;

const ROOM: usize = SEGMENT_ROOM;

/// The same suite for every store.
macro_rules! every_store {
    ($($name:ident,)*) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(super::Blobs::open("memory:///").unwrap()).await; })*
        }
        mod local {
            $(#[tokio::test] async fn $name() {
                let folder = super::TempDir::new().unwrap();
                let url = format!("file://{}", folder.path().display());
                super::$name(super::Blobs::open(&url).unwrap()).await;
                assert!(super::staged_files(folder.path()).is_empty(), "nothing half-written is left");
            })*
        }
    };
}

every_store! {
    content_of_every_awkward_size_comes_back,
    ranges_are_slices,
    an_upload_is_invisible_until_it_is_committed,
    an_aborted_or_dropped_upload_leaves_nothing,
    content_beyond_the_limit_is_refused_and_leaves_nothing,
    uploads_side_by_side_do_not_mix,
    damage_is_found_with_and_without_the_key,
    a_deleted_object_is_gone,
    another_item_or_key_opens_nothing,
}

fn key() -> DataKey {
    DataKey::new(Key32::new([1; 32]))
}

fn new_blob(segments_per_part: u32) -> NewBlob {
    NewBlob {
        vault: VaultId::of(&Digest::of(b"vault")),
        item: ItemId::new(Uuid::from_bytes([7; 16])),
        version: 1,
        segments_per_part: SegmentsPerPart::new(segments_per_part).unwrap(),
        max_bytes: None,
    }
}

fn content(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

async fn sealed(blobs: &Blobs, content: &[u8]) -> SealedUpload {
    let mut upload = blobs.begin(new_blob(4), &key()).await.unwrap();
    for chunk in content.chunks(100_000) {
        upload.push(chunk).await.unwrap();
    }
    upload.seal().await.unwrap()
}

async fn store(blobs: &Blobs, content: &[u8]) -> BlobSource {
    source(&sealed(blobs, content).await.commit().await.unwrap())
}

fn source(facts: &custody::blob::BlobFacts) -> BlobSource {
    BlobSource { context: *facts.header.context(), header: facts.header, content_size: facts.content_size }
}

async fn read(
    blobs: &Blobs,
    source: &BlobSource,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, BlobsError> {
    let pieces: Vec<bytes::Bytes> = blobs.read(source, &key(), range)?.try_collect().await?;
    Ok(pieces.concat())
}

async fn objects(blobs: &Blobs) -> Vec<(ObjectId, u64)> {
    blobs.list().try_collect().await.unwrap()
}

/// Files that the local store writes to before it renames them.
fn staged_files(folder: &FsPath) -> Vec<String> {
    let names = walkdir::WalkDir::new(folder).into_iter();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains('#')).collect()
}

async fn content_of_every_awkward_size_comes_back(blobs: Blobs) {
    for size in [0, 1, ROOM - 1, ROOM, ROOM + 1, 4 * ROOM, 4 * ROOM + 1, 40 * ROOM + 3] {
        let content = content(size);
        let facts = sealed(&blobs, &content).await.commit().await.unwrap();
        assert_eq!((facts.content_size, facts.sha256), (size as u64, Digest::of(&content)));
        assert_eq!(facts.parts.len(), size.div_ceil(4 * ROOM).max(1));
        let read = read(&blobs, &source(&facts), 0..size as u64).await.unwrap();
        assert!(read == content, "{size}");
        let object = facts.header.context().object;
        assert!(blobs.audit(object, facts.parts).await.unwrap().is_clean(), "{size}");
        assert!(objects(&blobs).await.contains(&(object, facts.object_size)), "{size}");
    }
}

async fn ranges_are_slices(blobs: Blobs) {
    let content = content(20 * ROOM + 9);
    let end = content.len();
    let source = store(&blobs, &content).await;
    let ranges = [
        0..0,
        0..1,
        ROOM - 1..ROOM + 1,
        5..12 * ROOM,
        3 * ROOM..4 * ROOM,
        end - 1..end,
        9 * ROOM..end,
        end..end,
    ];
    for range in ranges {
        let read = read(&blobs, &source, range.start as u64..range.end as u64).await.unwrap();
        assert!(read == content[range.clone()], "{range:?}");
    }
    let beyond = read(&blobs, &source, 0..end as u64 + 1).await.unwrap_err();
    assert!(matches!(beyond, BlobsError::Blob(BlobError::Range { .. })));
    #[expect(clippy::reversed_empty_ranges, reason = "what a careless client may ask for")]
    let reversed = read(&blobs, &source, 2..1).await.unwrap_err();
    assert!(matches!(reversed, BlobsError::Blob(BlobError::Range { .. })));
}

async fn an_upload_is_invisible_until_it_is_committed(blobs: Blobs) {
    let sealed = sealed(&blobs, b"content").await;
    assert_eq!(sealed.facts().sha256, Digest::of(b"content"));
    assert_eq!(objects(&blobs).await, []);
    let facts = sealed.commit().await.unwrap();
    assert_eq!(objects(&blobs).await, [(facts.header.context().object, facts.object_size)]);
}

async fn an_aborted_or_dropped_upload_leaves_nothing(blobs: Blobs) {
    sealed(&blobs, &content(3 * ROOM)).await.abort().await.unwrap();
    drop(sealed(&blobs, &content(3 * ROOM)).await);
    let mut upload = blobs.begin(new_blob(4), &key()).await.unwrap();
    upload.push(&content(9 * ROOM)).await.unwrap();
    drop(upload);
    idle(&blobs).await;
    assert_eq!(objects(&blobs).await, []);
}

async fn content_beyond_the_limit_is_refused_and_leaves_nothing(blobs: Blobs) {
    let new = NewBlob { max_bytes: Some(10), ..new_blob(4) };
    let mut upload = blobs.begin(new, &key()).await.unwrap();
    upload.push(&[0; 10]).await.unwrap();
    assert!(matches!(upload.push(&[0]).await, Err(BlobsError::TooLarge(10))));
    drop(upload);
    idle(&blobs).await;
    assert_eq!(objects(&blobs).await, []);
}

async fn uploads_side_by_side_do_not_mix(blobs: Blobs) {
    let contents: Vec<_> = (0..12).map(|n| content(n * ROOM / 2 + n)).collect();
    let sources = join_all(contents.iter().map(|content| store(&blobs, content))).await;
    for (source, content) in sources.iter().zip(&contents) {
        let read = read(&blobs, source, 0..content.len() as u64).await.unwrap();
        assert!(read == *content);
    }
    assert_eq!(objects(&blobs).await.len(), 12);
}

async fn damage_is_found_with_and_without_the_key(blobs: Blobs) {
    let facts = sealed(&blobs, &content(9 * ROOM)).await.commit().await.unwrap();
    let source = source(&facts);
    let at = path(source.context.object);
    let mut stored = blobs.store.get(&at).await.unwrap().bytes().await.unwrap().to_vec();
    stored[5 * SEGMENT_LEN + 200] ^= 1;
    blobs.store.put(&at, stored.clone().into()).await.unwrap();
    let error = read(&blobs, &source, 0..9 * ROOM as u64).await.unwrap_err();
    assert!(matches!(error, BlobsError::Blob(BlobError::Floe(FloeError::Segment(5)))));
    assert!(read(&blobs, &source, 0..5 * ROOM as u64).await.is_ok(), "what is whole can still be read");
    let audit = async || blobs.audit(source.context.object, facts.parts.clone()).await.unwrap();
    assert_eq!(audit().await.changed, [1]);

    stored.truncate(stored.len() - 1);
    blobs.store.put(&at, stored.into()).await.unwrap();
    assert_eq!(audit().await.missing_bytes, 1);
    let mut stream = Box::pin(blobs.read(&source, &key(), 0..9 * ROOM as u64).unwrap());
    assert!(stream.next().await.unwrap().is_err(), "a cut is found before the first byte");
}

async fn a_deleted_object_is_gone(blobs: Blobs) {
    let source = store(&blobs, b"content").await;
    let object = source.context.object;
    blobs.delete(object).await.unwrap();
    blobs.delete(object).await.unwrap();
    assert_eq!(objects(&blobs).await, []);
    let error = read(&blobs, &source, 0..7).await.unwrap_err();
    assert!(matches!(error, BlobsError::NotFound(missing) if missing == object));
    assert!(matches!(blobs.audit(object, Vec::new()).await, Err(BlobsError::NotFound(_))));
}

async fn another_item_or_key_opens_nothing(blobs: Blobs) {
    let mut source = store(&blobs, b"content").await;
    let other = DataKey::new(Key32::new([2; 32]));
    let error = blobs.read(&source, &other, 0..7).err().unwrap();
    assert!(matches!(error, BlobsError::Blob(BlobError::Floe(FloeError::Header))));
    source.context.item = ItemId::new(Uuid::from_bytes([8; 16]));
    let error = blobs.read(&source, &key(), 0..7).err().unwrap();
    assert!(matches!(error, BlobsError::Blob(BlobError::Context("item"))));
}

/// Waits until every upload has given its place back, which it does after what it left was removed.
async fn idle(blobs: &Blobs) {
    let all = u32::try_from(2 * std::thread::available_parallelism().unwrap().get()).unwrap();
    drop(blobs.threads.acquire_many(all).await.unwrap());
}

#[test]
fn unknown_addresses_and_missing_folders_are_refused() {
    for url in ["", "/var/lib", "http://example.org/", "file://relative", "memory://x"] {
        assert!(matches!(Blobs::open(url), Err(BlobsError::Url(_))), "{url}");
    }
    assert!(matches!(Blobs::open("file:///nowhere/at/all"), Err(BlobsError::NoFolder(_))));
}

/// A full disk is told apart, and what had been written is removed. Needs a file system of a few megabytes:
/// `mount -t tmpfs -o size=4m none /mnt/small; CUSTOS_SMALL_DISK=/mnt/small cargo test -- --ignored full_disk`.
#[tokio::test]
#[ignore = "needs a small file system"]
async fn a_full_disk_is_told_apart_and_recovers() {
    let folder = std::env::var("CUSTOS_SMALL_DISK").unwrap();
    let blobs = Blobs::open(&format!("file://{folder}")).unwrap();
    let mut upload = blobs.begin(new_blob(4), &key()).await.unwrap();
    let piece = content(1 << 20);
    let error = loop {
        if let Err(error) = upload.push(&piece).await {
            break error;
        }
    };
    assert!(matches!(error, BlobsError::Full(_)), "{error:?}");
    assert!(upload.push(&piece).await.is_err(), "a failed upload stays failed");
    drop(upload);
    idle(&blobs).await;
    assert_eq!(objects(&blobs).await, []);
    assert!(staged_files(FsPath::new(&folder)).is_empty());
    store(&blobs, &piece).await;
}

#[tokio::test]
async fn what_another_process_may_be_publishing_is_not_removed() {
    let folder = TempDir::new().unwrap();
    let blobs = Blobs::open(&format!("file://{}", folder.path().display())).unwrap();
    let log = folder.path().join("log");
    std::fs::create_dir(&log).unwrap();
    let left = std::fs::File::create(log.join("checkpoint#1")).unwrap();
    left.set_modified(std::time::SystemTime::now() - 2 * LEFT).unwrap();
    for name in ["tail#1", "tail"] {
        std::fs::write(log.join(name), "entries").unwrap();
    }
    blobs.remove_unfinished().await.unwrap();
    assert_eq!(staged_files(folder.path()), ["tail#1"]);
}

#[tokio::test]
async fn an_upload_that_gets_no_turn_is_turned_away() {
    let blobs = Blobs { patience: Duration::ZERO, ..Blobs::open("memory:///").unwrap() };
    let all = u32::try_from(blobs.threads.available_permits()).unwrap();
    let taken = blobs.threads.acquire_many(all).await.unwrap();
    assert!(matches!(blobs.begin(new_blob(4), &key()).await, Err(BlobsError::Busy)));
    drop(taken);
    assert!(blobs.begin(new_blob(4), &key()).await.is_ok());
}
