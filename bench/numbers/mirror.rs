//! What the mirror promises: how fast it is proven good, what a backup costs beside the network, what nothing new costs.

use std::process::{Command, Stdio};

use gphotos_emulator::Seed;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    place::{self, Place, Promise},
    ratio,
};

const CONNECTIONS: u32 = 16;
const LATENCY_MS: u32 = 30;
const SMALL_BYTES: usize = 5_000;
/// Files of a size as photos have it.
const PHOTO_BYTES: usize = 3_000_000;

/// All of it; `part` is 10 for a tenth of the items.
pub(crate) async fn mirror(part: u32) {
    proof(1_000 / part).await;
    beside_the_network(20_000 / part).await;
    nothing_new(100_000 / part).await;
}

/// `charon verify` against `sha256sum`, over the same files, which the machine has in memory for both of them.
async fn proof(files: u32) {
    println!("\n{files} photos of {PHOTO_BYTES} bytes, read again");
    place::head();
    let place = Place::new(0, &json!({})).await;
    place.emulator.world().seed(&Seed::plain(files, PHOTO_BYTES));
    place.full("backup", &Promise::of_anything()).await;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut by_charon = f64::MAX;
    let mut by_sha256sum = f64::MAX;
    for _ in 0..3 {
        by_charon = by_charon.min(place.verify("charon verify").await);
        let begun = Instant::now();
        let script =
            format!("find photos -type f -name '*.jpg' -print0 | xargs -0 -n 16 -P {cores} sha256sum");
        let ended = Command::new("sh")
            .args(["-c", &script])
            .current_dir(place.mirror())
            .stdout(Stdio::null())
            .status()
            .expect("a shell");
        assert!(ended.success());
        let seconds = begun.elapsed().as_secs_f64();
        println!("{:22} {seconds:>8.2}", format!("sha256sum, {cores} at once"));
        by_sha256sum = by_sha256sum.min(seconds);
    }
    ratio(
        "verify, against sha256sum (the best of three)",
        by_sha256sum / by_charon,
        |times| times >= 0.8,
        "at least 0.8 times as fast",
    );
}

/// A first backup with all that lies beside the photos: how much longer it takes than its requests do.
async fn beside_the_network(items: u32) {
    println!(
        "\n{items} photos of {SMALL_BYTES} bytes, {LATENCY_MS} ms of latency per request, {CONNECTIONS} connections"
    );
    place::head();
    for (what, more) in
        [("photos alone", json!({"albums": "none", "sidecars": "none"})), ("with sidecars", json!({}))]
    {
        let place = Place::with(LATENCY_MS.into(), &json!({"connections": CONNECTIONS}), &more).await;
        place.fill(items, SMALL_BYTES);
        let seconds = place.backup(what, &Promise::of_anything()).await;
        let waiting = f64::from(items) * f64::from(LATENCY_MS) / 1_000.0 / f64::from(CONNECTIONS);
        ratio(
            "time outside of network waits",
            (seconds - waiting) / seconds,
            |share| share < 0.25,
            "under 0.25 of all",
        );
    }
}

/// A run that lists everything, and finds nothing new.
async fn nothing_new(items: u32) {
    println!("\n{items} photos, no latency, nothing new");
    place::head();
    let place = Place::new(0, &json!({})).await;
    place.emulator.world().seed(&Seed::plain(items, SMALL_BYTES));
    place.backup("backup", &Promise::of_anything()).await;
    place.backup("again, quick listing", &Promise { requests: 1, media: 0 }).await;
    let listings = u64::from(items.div_ceil(100));
    let (seconds, memory) =
        place.full("again, full listing", &Promise { requests: listings + 2, media: 0 }).await;
    println!(
        "a run without news: {seconds:.1} s in {memory:.0} MB (under 30 s and 150 MB: {})",
        if seconds < 30.0 && memory < 150.0 { "kept" } else { "NOT KEPT in this run" }
    );
}
