//! How fast objects are sealed and opened on one core, against SHA-256 alone: the ceiling of every upload.

#![expect(clippy::expect_used, reason = "a benchmark stops where its set-up fails")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use custody::aead::Portable;
use custody::blob::{
    BlobContext, BlobReader, BlobWriter, ObjectId, SEGMENT_LEN, SEGMENT_ROOM, SegmentBuf, SegmentsPerPart,
    VaultId,
};
use custody::digest::Digest;
use custody::id::ItemId;
use custody::keys::{DataKey, Key32};

fn counting() -> impl FnMut(&mut [u8]) {
    let mut calls = 0_u8;
    move |bytes| {
        calls = calls.wrapping_add(1);
        bytes.fill(calls);
    }
}

fn seal(criterion: &mut Criterion) {
    let mut random = counting();
    let key = DataKey::new(Key32::new([1; 32]));
    let context = BlobContext {
        object: ObjectId::new([1; 16]),
        vault: VaultId::of(&Digest::ZERO),
        item: ItemId::new(uuid::Uuid::nil()),
        version: 1,
    };
    let parts = SegmentsPerPart::for_content(None);
    let start = |random: &mut dyn custody::entropy::Entropy| {
        BlobWriter::<Portable>::start(context, parts, &key, random).expect("the context is valid")
    };
    let bytes = vec![7; SEGMENT_ROOM];
    let mut group = criterion.benchmark_group("segment");
    group.throughput(Throughput::Bytes(SEGMENT_ROOM as u64));
    group.bench_function("sha256 alone", |bench| bench.iter(|| Digest::of(black_box(&bytes))));
    group.bench_function("seal", |bench| {
        let mut writer = start(&mut random);
        let mut spare = Some(SegmentBuf::new());
        bench.iter(|| {
            let mut buffer = spare.take().expect("it came back");
            buffer.push(black_box(&bytes));
            spare = Some(writer.segment(buffer, &mut random).expect("a full segment").recycle());
        });
    });
    let mut writer = start(&mut random);
    let mut buffer = SegmentBuf::new();
    buffer.push(&bytes);
    let sealed = writer.segment(buffer, &mut random).expect("a full segment");
    let size = 2 * SEGMENT_ROOM as u64;
    let mut reader =
        BlobReader::<Portable>::open(writer.header(), &context, &key, size).expect("its own key");
    group.bench_function("open", |bench| {
        let mut stored = vec![0; SEGMENT_LEN];
        bench.iter(|| {
            stored.copy_from_slice(sealed.as_ref());
            black_box(reader.segment(0, &mut stored).expect("it was sealed here").len())
        });
    });
    group.finish();
}

criterion_group!(benches, seal);
criterion_main!(benches);
