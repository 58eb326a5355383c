//! One emulated account with a data directory, and the program run on it and measured.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use gphotos_emulator::{Emulator, Settings, picture::Picture};
use jiff::{ToSpan, civil};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::waiting;

pub(crate) const CLIENT_ID: &str = "123456789-bench.apps.googleusercontent.com";

/// The head of a table.
pub(crate) fn head() {
    println!("{:22} {:>8} {:>9} {:>9} {:>9} {:>9}", "", "seconds", "requests", "listing", "bytes", "memory");
}

/// The most requests that may be made.
pub(crate) struct Promise {
    pub(crate) requests: u64,
    pub(crate) media: u64,
}

impl Promise {
    /// Where requests are not what is measured.
    pub(crate) fn of_anything() -> Self {
        Self { requests: u64::MAX, media: u64::MAX }
    }
}

pub(crate) struct Place {
    pub(crate) emulator: Emulator,
    folder: TempDir,
}

impl Place {
    pub(crate) async fn new(latency_ms: u64, more: &Value) -> Self {
        Self::with(latency_ms, more, &json!({})).await
    }

    /// With more fields of the storage, and of the backup plan.
    pub(crate) async fn with(latency_ms: u64, more: &Value, of_plan: &Value) -> Self {
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
        let mut storage = json!({
            "client_id": CLIENT_ID,
            "client_secret": "secret",
            "token": place.emulator.token_blob(CLIENT_ID, &[]),
            "token_url": format!("{url}/token"),
            "api_url": url,
            // More than any of these takes.
            "daily_requests": 1_000_000,
            "daily_downloads": 1_000_000,
        });
        let fields = storage.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        place.add("storage", "family", &storage);
        let mut home = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
        let fields = home.as_object_mut().expect("an object");
        fields.extend(of_plan.as_object().expect("an object").clone());
        place.add("plan", "home", &home);
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

    /// Puts photos into the account, drawn beforehand: a server has its files, and does not draw them when it is asked.
    pub(crate) fn fill(&self, count: u32, bytes: usize) {
        for number in 0..count {
            let added = self.emulator.world().add_item(CLIENT_ID, &name(number), picture(number, bytes));
            added.expect("a picture");
        }
    }

    pub(crate) fn draw(&self, count: u32, bytes: usize) {
        for number in 0..count {
            let folder = self.path("pictures").join((number / 1000).to_string());
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(name(number)), picture(number, bytes)).expect("a picture");
        }
    }

    /// Writes a video of so many bytes, which differ from each other, and most of which nobody looks at.
    pub(crate) fn large_file(&self, bytes: u64) {
        let file = fs::File::create(self.path("pictures").join("large.mp4")).expect("a file");
        let mut file = std::io::BufWriter::new(file);
        file.write_all(b"\0\0\0\x18ftypisom\0\0\0\0isommp41").expect("written");
        for block in 0..bytes / 4_096 {
            let mut data = [0; 4_096];
            data[..8].copy_from_slice(&block.to_le_bytes());
            file.write_all(&data).expect("written");
        }
        file.flush().expect("written");
    }

    pub(crate) async fn upload(&self, what: &str, promise: &Promise) -> f64 {
        let mut command = self.command();
        command.args(["run", "out", "--json"]);
        self.measure(what, command, promise).await
    }

    /// The upload by the yardstick.
    pub(crate) async fn upload_waiting(&self, what: &str, promise: &Promise) -> f64 {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(waiting::AS_YARDSTICK).arg(self.path("data")).arg("out").stdin(Stdio::null());
        self.measure(what, command, promise).await
    }

    pub(crate) async fn backup(&self, what: &str, promise: &Promise) -> f64 {
        let mut command = self.command();
        command.args(["run", "home", "--json"]);
        self.measure(what, command, promise).await
    }

    pub(crate) async fn verify(&self, what: &str) -> f64 {
        let mut command = self.command();
        command.args(["verify", "home", "--json"]);
        self.measure(what, command, &Promise { requests: 0, media: 0 }).await
    }

    /// A backup with a full listing: its seconds, and its peak memory in MB.
    pub(crate) async fn full(&self, what: &str, promise: &Promise) -> (f64, f64) {
        let mut command = self.command();
        command.args(["run", "home", "--full", "--json"]);
        self.measured(what, command, promise).await
    }

    pub(crate) fn mirror(&self) -> PathBuf {
        self.path("mirror")
    }

    /// Runs to the end; gives the seconds that it took.
    async fn measure(&self, what: &str, command: Command, promise: &Promise) -> f64 {
        let (seconds, memory) = self.measured(what, command, promise).await;
        assert!(memory < 64.0, "{what}: {memory} MB of memory");
        seconds
    }

    /// Runs to the end; gives the seconds that it took, and the most memory in MB.
    async fn measured(&self, what: &str, mut command: Command, promise: &Promise) -> (f64, f64) {
        self.emulator.world().reset_stats();
        let begun = Instant::now();
        let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
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
        (seconds, f64::from(peak_kib) / 1024.0)
    }
}

fn name(number: u32) -> String {
    format!("IMG_{number:05}.jpg")
}

fn picture(number: u32, bytes: usize) -> Vec<u8> {
    let seed = u64::from(number);
    let days = i32::try_from(number).expect("a few");
    let taken_at =
        civil::date(2020, 1, 1).checked_add(days.days()).expect("a day of this century").at(12, 0, 0, 0);
    Picture {
        width: 64,
        height: 48,
        padded_to: Some(bytes),
        number: Some(number),
        taken_at: Some(taken_at),
        ..Picture::new(seed)
    }
    .jpeg()
}

/// The most memory that a process has had, in KiB; 0 where that is not told.
fn peak_resident_kib(status: &Path) -> u32 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
