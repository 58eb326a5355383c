//! The numbers that Charon promises, measured: `cargo bench -p charon --bench numbers` (add `-- --quick` for a tenth of the
//! items in the memory part).
//!
//! The real binary runs against the emulator over loopback. Requests are the emulator's count; seconds are the whole
//! command's; memory is the peak resident size that Linux tells of the process (`VmHWM`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use gphotos_emulator::{Emulator, Seed, Settings, picture::Picture};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

const CLIENT_ID: &str = "123456789-bench.apps.googleusercontent.com";
const LATENCY_MS: u64 = 30;
const PHOTOS: u32 = 1_000;
const PHOTO_BYTES: usize = 100_000;
const MANY: u32 = 20_000;
const SMALL_BYTES: usize = 5_000;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let many = if quick { MANY / 10 } else { MANY };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");

    println!("{PHOTOS} photos of {PHOTO_BYTES} bytes, {LATENCY_MS} ms of latency per request");
    println!("{:22} {:>8} {:>9} {:>9} {:>9} {:>9}", "", "seconds", "requests", "listing", "bytes", "memory");
    runtime.block_on(async {
        let place = Place::new(LATENCY_MS).await;
        place.draw(PHOTOS, PHOTO_BYTES);
        place.upload("upload", &Promise { requests: 1_020 + 3, media: 0 }).await;
        place.upload("upload again", &Promise { requests: 0, media: 0 }).await;
        let place = Place::new(LATENCY_MS).await;
        place.emulator.world().seed(&Seed::plain(PHOTOS, PHOTO_BYTES));
        place.backup("backup", &Promise { requests: 10, media: 1_000 }).await;
        place.backup("backup again", &Promise { requests: 10, media: 0 }).await;

        println!("\nmemory, {SMALL_BYTES} bytes a photo, no latency");
        for items in [PHOTOS, many] {
            let place = Place::new(0).await;
            place.draw(items, SMALL_BYTES);
            let commits = u64::from(items.div_ceil(50));
            let listings = u64::from(items.div_ceil(100));
            let promise = Promise { requests: u64::from(items) + commits + 3, media: 0 };
            place.upload(&format!("upload {items}"), &promise).await;
            let place = Place::new(0).await;
            place.emulator.world().seed(&Seed::plain(items, SMALL_BYTES));
            let promise = Promise { requests: listings, media: u64::from(items) };
            place.backup(&format!("backup {items}"), &promise).await;
            place.backup(&format!("backup {items} again"), &Promise { requests: listings, media: 0 }).await;
        }
    });
}

/// The most requests that may be made.
struct Promise {
    requests: u64,
    media: u64,
}

struct Place {
    emulator: Emulator,
    folder: TempDir,
}

impl Place {
    async fn new(latency_ms: u64) -> Self {
        let settings = Settings {
            default_client_id: CLIENT_ID.into(),
            latency_ms,
            keep_bytes: true,
            keep_uploads: false,
            requests_per_day: None,
            media_requests_per_day: None,
            ..Settings::default()
        };
        let emulator = Emulator::start(settings).await.expect("the emulator starts");
        let place = Self { emulator, folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(place.path("pictures")).expect("a folder");
        let url = place.emulator.url();
        place.add(
            "storage",
            "family",
            &json!({
                "client_id": CLIENT_ID,
                "client_secret": "secret",
                "token": place.emulator.token_blob(CLIENT_ID, &[]),
                "token_url": format!("{url}/token"),
                "api_url": url,
            }),
        );
        place.add(
            "plan",
            "home",
            &json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")}),
        );
        let upload = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album"});
        place.add("plan", "out", &upload);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_charon"));
        command.arg("--quiet").arg("--data-dir").arg(self.path("data")).stdin(Stdio::null());
        command
    }

    fn add(&self, noun: &str, name: &str, config: &Value) {
        let file = self.path("config.json");
        fs::write(&file, config.to_string()).expect("a file");
        let output = self
            .command()
            .args([noun, "add", name, "--config"])
            .arg(&file)
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn draw(&self, count: u32, bytes: usize) {
        for number in 0..count {
            let picture = Picture {
                width: 64,
                height: 48,
                padded_to: Some(bytes),
                number: Some(number),
                ..Picture::new(u64::from(number))
            };
            let folder = self.path("pictures").join((number / 1000).to_string());
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(format!("IMG_{number:05}.jpg")), picture.jpeg()).expect("a picture");
        }
    }

    async fn upload(&self, what: &str, promise: &Promise) {
        self.measure(what, "out", promise).await;
    }

    async fn backup(&self, what: &str, promise: &Promise) {
        self.measure(what, "home", promise).await;
    }

    async fn measure(&self, what: &str, plan: &str, promise: &Promise) {
        self.emulator.world().reset_stats();
        let begun = Instant::now();
        let child =
            self.command().args(["run", plan, "--json"]).stdout(Stdio::piped()).spawn().expect("it starts");
        let proc_file = PathBuf::from(format!("/proc/{}/status", child.id()));
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
        let mut peak_kib = 0;
        let mut poll = tokio::time::interval(Duration::from_millis(5));
        while !ended.is_finished() {
            peak_kib = peak_kib.max(peak_resident_kib(&proc_file));
            poll.tick().await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let output = ended.await.expect("no panic").expect("it ends");
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(summary["state"], "succeeded", "{summary:#}");
        let stats = self.emulator.world().stats();
        let listing = stats.count("mediaItems.list") + stats.count("mediaItems.search");
        assert!(stats.api_requests <= promise.requests, "{what}: {} API requests", stats.api_requests);
        assert!(stats.media_requests <= promise.media, "{what}: {} byte requests", stats.media_requests);
        println!(
            "{what:22} {seconds:>8.2} {:>9} {listing:>9} {:>9} {:>5.1} MB   {}",
            stats.api_requests + stats.oauth_requests,
            stats.media_requests,
            f64::from(peak_kib) / 1024.0,
            summary["items"],
        );
    }
}

/// The most memory that a process has had, in KiB; 0 where that is not told.
fn peak_resident_kib(status: &Path) -> u32 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
