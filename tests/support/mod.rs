//! What the tests share: an emulated account, a data directory, folders, and the program.

pub(crate) mod dice;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use gphotos_emulator::{Emulator, Fault, Seed, Settings, Stats, World, picture::Picture};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    time::{Duration, MissedTickBehavior, interval, timeout},
};

pub(crate) const CLIENT_ID: &str = "123456789-test.apps.googleusercontent.com";

/// An emulated account, a data directory, and a folder to play in.
pub(crate) struct Place {
    pub(crate) emulator: Emulator,
    folder: TempDir,
}

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Place {
    /// An account that keeps bytes as they are, so that they can be compared.
    pub(crate) async fn new() -> Self {
        Self::with(Settings { keep_bytes: true, ..Settings::default() }).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let settings = Settings { default_client_id: CLIENT_ID.into(), ..settings };
        let emulator = Emulator::start(settings).await.expect("the emulator starts");
        Self { emulator, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Puts generated photos into the account.
    pub(crate) fn seed(&self, items: u32) -> Vec<String> {
        self.emulator.world().seed(&Seed::plain(items, 5_000)).item_ids
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.emulator.world().add_fault(fault);
    }

    /// How often a method of the API was called.
    pub(crate) fn count(&self, method: &str) -> u64 {
        self.emulator.world().stats().count(method)
    }

    pub(crate) fn world(&self) -> &World {
        self.emulator.world()
    }

    /// Waits until the emulator has seen what a test waits for. Fails when that does not come.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(&Stats) -> bool) {
        let mut look = interval(Duration::from_millis(1));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = timeout(Duration::from_secs(20), async {
            while !reached(&self.world().stats()) {
                look.tick().await;
            }
        });
        assert!(seen.await.is_ok(), "this never came: {what}: {:?}", self.world().stats());
    }

    /// Waits until `charon runs` tells what a test waits for; gives what it tells then. Fails when that does not come.
    pub(crate) async fn until_runs(&self, what: &str, reached: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut look = interval(Duration::from_millis(20));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = timeout(Duration::from_mins(1), async {
            loop {
                look.tick().await;
                let runs = self.runs().await;
                if reached(&runs) {
                    return runs;
                }
            }
        });
        if let Ok(runs) = seen.await {
            return runs;
        }
        let (runs, events) = (self.runs().await, self.events().await);
        let mut shown = Vec::new();
        for run in runs.iter().filter(|run| run["ended_at"].is_null()) {
            let id = run["run"].as_str().expect("an id");
            shown.push(self.charon(&["runs", "show", id, "--json"]).await.stdout);
        }
        panic!("this never came: {what}: {runs:#?} {events:#?} {}", shown.join("\n"));
    }

    /// The events from the first one on, as `charon runs events` tells them.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let ended = self.charon(&["runs", "events", "--after", "0", "--no-follow"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Waits until something of this kind has happened.
    pub(crate) async fn until_event(&self, kind: &str) {
        let mut look = interval(Duration::from_millis(20));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = timeout(Duration::from_mins(1), async {
            while !self.events().await.iter().any(|event| event["kind"] == kind) {
                look.tick().await;
            }
        });
        assert!(seen.await.is_ok(), "this never came: {kind}: {:#?}", self.events().await);
    }

    /// A path within the folder to play in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// The configuration of a storage on the emulated account.
    pub(crate) fn config(&self) -> Value {
        let url = self.emulator.url();
        json!({
            "client_id": CLIENT_ID,
            "client_secret": "a-client-secret",
            "token": self.emulator.token_blob(CLIENT_ID, &[]),
            "token_url": format!("{url}/token"),
            "api_url": url,
        })
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let data_dir = self.data_dir();
        self.elsewhere(&["--data-dir", data_dir.to_str().expect("a path")], arguments)
    }

    /// The program with other options than the usual `--data-dir`.
    pub(crate) fn elsewhere(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_charon"));
        command
            .args(options)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env_remove("XDG_DATA_HOME")
            .env_remove("CHARON_DATA_DIR")
            .env_remove("CHARON_KEY_FILE")
            .env_remove("RUST_LOG")
            // Tests run beside each other.
            .env("CHARON_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn charon(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().await.expect("the program runs").into()
    }

    /// Starts the program.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the program starts")
    }

    /// Runs the program with a configuration on its standard input.
    pub(crate) async fn charon_with(&self, arguments: &[&str], config: &Value) -> Ended {
        Self::give(&mut self.command(arguments), config).await
    }

    /// Runs a command with a configuration on its standard input.
    pub(crate) async fn give(command: &mut Command, config: &Value) -> Ended {
        Self::give_text(command, &config.to_string()).await
    }

    /// Runs a command with a text on its standard input.
    pub(crate) async fn give_text(command: &mut Command, text: &str) -> Ended {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("its standard input");
        stdin.write_all(text.as_bytes()).await.expect("it reads");
        drop(stdin);
        child.wait_with_output().await.expect("the program ends").into()
    }

    /// Adds the storage `family`.
    pub(crate) async fn add_storage(&self) {
        self.add_storage_with(&json!({})).await;
    }

    /// Adds the storage `family` with more fields than it needs, or with others.
    pub(crate) async fn add_storage_with(&self, more: &Value) {
        let mut config = self.config();
        let fields: &mut Map<String, Value> = config.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let ended = self.charon_with(&["storage", "add", "family", "--config", "-"], &config).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    pub(crate) async fn add_plan(&self, name: &str, config: &Value) {
        let ended = self.charon_with(&["plan", "add", name, "--config", "-"], config).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Adds the storage `family` and the backup plan `home`, whose mirror is `mirror`.
    pub(crate) async fn add_backup(&self) {
        self.add_backup_with(&json!({})).await;
    }

    /// The same, on a storage with these fields.
    pub(crate) async fn add_backup_with(&self, storage: &Value) {
        self.add_storage_with(storage).await;
        let config = json!({"kind": "backup", "storage": "family", "destination": self.path("mirror")});
        self.add_plan("home", &config).await;
    }

    /// Adds the storage `family` and the upload plan `out`, whose source is `pictures` and whose album is `Album`.
    pub(crate) async fn add_upload(&self) {
        self.add_upload_with(&json!({})).await;
    }

    /// The same, on a storage with these fields.
    pub(crate) async fn add_upload_with(&self, storage: &Value) {
        self.add_storage_with(storage).await;
        fs::create_dir_all(self.path("pictures")).expect("a folder");
        let config = json!({"kind": "upload", "storage": "family", "sources": [self.path("pictures")], "album": "Album"});
        self.add_plan("out", &config).await;
    }

    /// Runs a plan to its end; gives the exit code and the summary.
    pub(crate) async fn run(&self, plan: &str) -> (i32, Value) {
        let ended = self.charon(&["run", plan, "--json"]).await;
        (ended.code.expect("an exit code"), ended.json())
    }

    /// Tests the storage `family`, which must pass: then runs believe that the day's quota is not spent.
    pub(crate) async fn test_passes(&self) {
        self.done(&["storage", "test", "family"]).await;
    }

    /// The runs, the newest first, as `charon runs --json` tells them.
    pub(crate) async fn runs(&self) -> Vec<Value> {
        let ended = self.charon(&["runs", "--json", "-n", "1000"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.json().as_array().expect("a list").clone()
    }

    /// Draws pictures into a folder below the folder to play in.
    pub(crate) fn draw(&self, folder: &str, numbers: std::ops::Range<u32>) {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).expect("a folder");
        for number in numbers {
            fs::write(folder.join(format!("IMG_{number:04}.jpg")), picture(number)).expect("a picture");
        }
    }

    /// Every photo and video of the mirror, without what is beside them: path below it, and content. Sorted.
    pub(crate) fn mirrored(&self) -> Vec<(String, Vec<u8>)> {
        let mirror = self.path("mirror");
        let mut files = Vec::new();
        collect(&mirror, &mirror, &mut files);
        let is_beside = |path: &str| {
            let ending = Path::new(path).extension().unwrap_or_default();
            ending == "json" || ending == "xmp" || path.starts_with("albums/")
        };
        files.retain(|(path, _)| !path.starts_with(".charon") && !is_beside(path));
        files.sort();
        files
    }

    /// Checks that the mirror is complete, and that `charon verify` calls it good.
    pub(crate) async fn assert_mirror_is_good(&self) {
        self.assert_mirror_is_complete();
        let ended = self.charon(&["verify", "home", "--json"]).await;
        let summary = ended.json();
        let found = &summary["verification"];
        assert_eq!((ended.code, &found["good"]), (Some(0), &json!(self.mirrored().len())), "{summary:#}");
        assert_eq!(found["strange"], 0, "{summary:#}");
    }

    /// Checks that the mirror holds the bytes of every item of the account, once, and nothing else; and that nothing half
    /// done is left.
    pub(crate) fn assert_mirror_is_complete(&self) {
        let world = self.emulator.world();
        let mut expected: Vec<Vec<u8>> =
            world.items().iter().map(|item| world.original(&item.id).expect("its bytes").to_vec()).collect();
        let mut found: Vec<Vec<u8>> = self.mirrored().into_iter().map(|(_, bytes)| bytes).collect();
        expected.sort();
        found.sort();
        assert_eq!(found.len(), expected.len(), "files in the mirror");
        assert!(found == expected, "the bytes of the mirror are those of the account");
        let incoming =
            fs::read_dir(self.path("mirror/.charon/incoming")).expect("Charon's own folder").count();
        assert_eq!(incoming, 0, "nothing half done is left");
    }

    /// Checks that the account holds every picture of a folder exactly once, and each in the album.
    pub(crate) fn assert_account_holds(&self, folder: &str, album: &str) {
        let world = self.emulator.world();
        let albums = world.albums();
        let with_title: Vec<_> = albums.iter().filter(|one| one.title == album).collect();
        assert_eq!(with_title.len(), 1, "albums named {album}");
        let items = world.items();
        for entry in fs::read_dir(self.path(folder)).expect("the folder") {
            let bytes = fs::read(entry.expect("an entry").path()).expect("a picture");
            let sha256 = hex_sha256(&bytes);
            let matching: Vec<_> =
                items.iter().filter(|item| item.sha256.as_deref() == Some(sha256.as_str())).collect();
            assert_eq!(matching.len(), 1, "items with the bytes of a picture");
            assert!(with_title[0].item_ids.contains(&matching[0].id), "it is in the album");
        }
    }
}

/// Presses Ctrl-C.
#[cfg(unix)]
pub(crate) async fn interrupt(child: &Child) {
    let id = child.id().expect("it runs");
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().await.expect("a shell");
    assert!(sent.success());
}

/// The next line that a program says on its standard error. What it says later is lost.
pub(crate) async fn told(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stderr.take().expect("its standard error")).lines();
    let line = timeout(Duration::from_secs(30), lines.next_line()).await.expect("it says something in time");
    line.expect("a line").expect("it says something")
}

/// A moment, as JSON tells it.
pub(crate) fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("this is no time: {value}"))
}

/// A small picture of its own.
pub(crate) fn picture(number: u32) -> Vec<u8> {
    Picture { width: 48, height: 32, number: Some(number), ..Picture::new(u64::from(number)) }.jpeg()
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    format!("{:x}", sha2::Sha256::digest(bytes))
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
            files.push((name, fs::read(&path).expect("a file")));
        }
    }
}
