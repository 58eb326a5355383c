//! The numbers that Charon promises, measured: `cargo bench -p charon --bench numbers` (add `-- --quick` for a tenth of the
//! items in the memory part and of the mirror, and a tenth of the large files; `-- --mirror` for the mirror alone).
//!
//! The real binary runs against the emulator over loopback. Requests are the emulator's count; seconds are the whole
//! command's; memory is the peak resident size that Linux tells of the process (`VmHWM`).

mod mirror;
mod place;
mod waiting;

use gphotos_emulator::Seed;
use serde_json::json;

use place::{Place, Promise};

const LATENCY_MS: u64 = 30;
const PHOTOS: u32 = 1_000;
const PHOTO_BYTES: usize = 100_000;
const CONNECTIONS: u32 = 32;
const MANY: u32 = 20_000;
const SMALL_BYTES: usize = 5_000;
/// What it takes to learn of albums and favourites, where there are none.
const BESIDE: u64 = 2;
const LARGE_BYTES: u64 = 2_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(at) = arguments.iter().position(|argument| argument == waiting::AS_YARDSTICK) {
        return runtime.block_on(waiting::run(&arguments[at + 1..]));
    }
    let part = if arguments.iter().any(|argument| argument == "--quick") { 10 } else { 1 };
    runtime.block_on(async {
        if arguments.iter().any(|argument| argument == "--mirror") {
            return mirror::mirror(u32::try_from(part).expect("one or ten")).await;
        }
        requests().await;
        speed().await;
        large(LARGE_BYTES / part).await;
        memory(MANY / u32::try_from(part).expect("one or ten")).await;
        mirror::mirror(u32::try_from(part).expect("one or ten")).await;
    });
}

/// What is asked of Google.
async fn requests() {
    println!("{PHOTOS} photos of {PHOTO_BYTES} bytes, {LATENCY_MS} ms of latency per request, as it comes");
    place::head();
    let place = Place::new(LATENCY_MS, &json!({})).await;
    place.draw(PHOTOS, PHOTO_BYTES);
    place.upload("upload", &Promise { requests: 1_020 + 3, media: 0 }).await;
    place.upload("upload again", &Promise { requests: 0, media: 0 }).await;
    let place = Place::new(LATENCY_MS, &json!({})).await;
    place.emulator.world().seed(&Seed::plain(PHOTOS, PHOTO_BYTES));
    place.backup("backup", &Promise { requests: 10 + BESIDE, media: 1_000 }).await;
    place.backup("backup again", &Promise { requests: 1, media: 0 }).await;
}

/// How fast it goes over many connections.
async fn speed() {
    println!("\nthe same over {CONNECTIONS} connections");
    place::head();
    let promise = Promise { requests: 1_020 + 3, media: 0 };
    let in_mode = |mode: &str| json!({"connections": CONNECTIONS, "batch_mode": mode});
    let mut seconds = Vec::new();
    for (what, mode) in [("upload, sync", "sync"), ("upload, async", "async")] {
        let place = Place::new(LATENCY_MS, &in_mode(mode)).await;
        place.draw(PHOTOS, PHOTO_BYTES);
        seconds.push(place.upload(what, &promise).await);
    }
    let place = Place::new(LATENCY_MS, &in_mode("sync")).await;
    place.draw(PHOTOS, PHOTO_BYTES);
    let waiting = place.upload_waiting("upload, batch by batch", &promise).await;
    let (sync, in_async) = (seconds[0], seconds[1]);
    ratio("sync, against batch by batch", waiting / sync, |times| times >= 1.6, "at least 1.6 times as fast");
    ratio("async, against sync", sync / in_async, |times| times >= 0.95, "no slower");

    let place = Place::new(LATENCY_MS, &in_mode("sync")).await;
    place.fill(PHOTOS, PHOTO_BYTES);
    let backup = place.backup("backup", &Promise { requests: 10 + BESIDE, media: 1_000 }).await;
    let ideal =
        1_010.0 * f64::from(u32::try_from(LATENCY_MS).expect("a few")) / 1_000.0 / f64::from(CONNECTIONS);
    ratio(
        "the backup, against requests x latency / connections",
        backup / ideal,
        |times| times <= 1.5,
        "at most 1.5",
    );
}

/// Prints how two times compare. Seconds depend on the machine and on what else it does, so a ratio that falls short is told
/// and is no failure.
fn ratio(what: &str, times: f64, is_kept: impl Fn(f64) -> bool, promise: &str) {
    let verdict = if is_kept(times) { "kept" } else { "NOT KEPT in this run" };
    println!("{what}: {times:.2} ({promise}: {verdict})");
}

/// One large file each way.
async fn large(bytes: u64) {
    println!("\none file of {bytes} bytes, no latency");
    place::head();
    let place = Place::new(0, &json!({})).await;
    place.large_file(bytes);
    place.upload("upload, resumable", &Promise { requests: 70 + 3, media: 0 }).await;
    let place = Place::new(0, &json!({})).await;
    place.emulator.world().add_large_video(place::CLIENT_ID, "large.mp4", bytes, 1);
    place.backup("backup", &Promise { requests: 1 + BESIDE, media: 1 }).await;
}

/// Whether memory grows with the library.
async fn memory(many: u32) {
    println!("\n{SMALL_BYTES} bytes a photo, no latency");
    place::head();
    for items in [PHOTOS, many] {
        let place = Place::new(0, &json!({})).await;
        place.draw(items, SMALL_BYTES);
        let commits = u64::from(items.div_ceil(50));
        let listings = u64::from(items.div_ceil(100));
        let promise = Promise { requests: u64::from(items) + commits + 3, media: 0 };
        place.upload(&format!("upload {items}"), &promise).await;
        let place = Place::new(0, &json!({})).await;
        place.emulator.world().seed(&Seed::plain(items, SMALL_BYTES));
        let promise = Promise { requests: listings + BESIDE, media: u64::from(items) };
        place.backup(&format!("backup {items}"), &promise).await;
        place.backup(&format!("backup {items} again"), &Promise { requests: 1, media: 0 }).await;
    }
}
