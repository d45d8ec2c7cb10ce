//! The public log over HTTPS, as C2SP tlog-tiles says.

use custody::checkpoint::Checkpoint;
use custody::note::SignedNote;
use custody::record::ENTRY_BYTES;
use custody::tile::{TilePath, TileReader};

use crate::on_both_engines;
use crate::support::app::TestApp;
use crate::support::world::Engine;

on_both_engines! {
    whoever_has_not_signed_in_reads_the_log_through_its_tiles
}

async fn whoever_has_not_signed_in_reads_the_log_through_its_tiles(engine: Engine) {
    let app = TestApp::new(engine).await;
    let stranger = app.admin.with_token("");
    let note = stranger.get("/log/checkpoint").await;
    assert_eq!(note.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(note.header("cache-control"), "public, max-age=1");
    let checkpoint = Checkpoint::open(&SignedNote::parse(&note.body).unwrap(), &app.shared.log).unwrap();
    let size = checkpoint.size();

    let mut tiles = std::collections::BTreeMap::new();
    for path in TilePath::changed(0, size).flat_map(|path| [Some(path), path.bundle()]).flatten() {
        let tile = stranger.get(&format!("/log/{path}")).await;
        assert_eq!(tile.status, 200, "{path}");
        assert_eq!(tile.header("content-type"), "application/octet-stream");
        assert_eq!(tile.header("cache-control"), "public, max-age=31536000, immutable");
        tiles.insert(path, tile.body);
    }
    let fetch = |path: TilePath| tiles.get(&path).cloned().ok_or("not fetched");
    let mut reader = TileReader::new(size, *checkpoint.root(), fetch).unwrap();
    let entries = reader.entries(0).unwrap().unwrap().concat();
    // What was published last may be behind what was committed last.
    assert!(stranger.entries(0, 65_536).await.starts_with(&entries));
    assert_eq!(entries.len() as u64, size * ENTRY_BYTES as u64);

    for path in [
        "tile/0/000",
        "tile/1/000",
        "tile/entries/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/255",
        "tile/0/0",
        "tile/00/000.p/1",
        "tile/64/000.p/1",
        "tile/0/x000/000.p/1",
        "tile/0/%78001/000.p/1",
        "tile/x/000.p/1",
        "tile/entries",
        "tile/",
    ] {
        stranger.get(&format!("/log/{path}")).await.problem("no-such-address");
    }
    let post = stranger.request(reqwest::Method::POST, "/log/tile/0/000.p/1");
    assert_eq!(stranger.send(post).await.header("allow"), "GET");
}
