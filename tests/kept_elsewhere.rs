//! Mirrors that servers keep: an S3-compatible store and a WebDAV server, both rclone's, over folders of this machine.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{
    restore::{storage, tree},
    support::Place,
};

const BUCKET: &str = "photos";

/// A server of rclone's, with its files in `kept` below the folder to play in.
struct Server {
    kind: &'static str,
    port: u16,
    folder: PathBuf,
    running: Option<Child>,
    is_read_only: bool,
}

/// A small disk in memory, as long as it is needed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where none can be mounted, which fails in CI as root.
    fn mount(folder: PathBuf) -> Option<Self> {
        fs::create_dir_all(&folder).expect("a folder");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=300k,mode=777", "charon-test"])
            .arg(&folder)
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(folder));
        }
        let words = "no small disk can be mounted here: what a full server does to a mirror was not tried";
        let is_root = std::env::var("USER").is_ok_and(|user| user == "root");
        assert!(!is_root || std::env::var("CI").is_err(), "{words}");
        eprintln!("{words}");
        None
    }

    fn grow(&self) {
        let grown =
            std::process::Command::new("mount").args(["-o", "remount,size=50m"]).arg(&self.0).status();
        assert!(grown.expect("mount runs").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may not have let go of it yet.
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// The program: where `.ci/run` puts it, or in the path. Without it there is nothing to try, which fails in CI.
fn rclone() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/rclone/bin/rclone");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(ours)
        .chain(std::env::split_paths(&paths).map(|path| path.join("rclone")))
        .find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var("CI").is_err(), "rclone is not installed (see .ci/run)");
        eprintln!("rclone is not installed: nothing was tried");
    }
    found
}

impl Server {
    async fn start(kind: &'static str, place: &Place) -> Option<Self> {
        rclone()?;
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let folder = place.path("kept");
        fs::create_dir_all(folder.join(BUCKET)).expect("a folder");
        let mut server = Self { kind, port, folder, running: None, is_read_only: false };
        server.begin().await;
        Some(server)
    }

    /// Starts it, on the port that it had before.
    async fn begin(&mut self) {
        let address = format!("127.0.0.1:{}", self.port);
        let secrets: &[&str] = match self.kind {
            "s3" => &["--auth-key", "AKIDTEST,a-secret-of-the-store"],
            _ => &["--user", "pat", "--pass", "a-secret-of-the-store"],
        };
        let mut command = Command::new(rclone().expect("it was there"));
        command
            .args(["serve", self.kind, "--addr", &address, "--dir-cache-time", "1s"])
            .args(secrets)
            .args(self.is_read_only.then_some("--read-only"))
            .arg(&self.folder);
        command
            .env("RCLONE_CONFIG", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(command.kill_on_drop(true).spawn().expect("it starts"));
        let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
        for _ in 0..1_000 {
            look.tick().await;
            let running = self.running.as_mut().expect("it runs");
            assert!(
                running.try_wait().expect("a look").is_none(),
                "rclone serve {} ended at once",
                self.kind
            );
            if TcpStream::connect(&address).is_ok() {
                return;
            }
        }
        panic!("rclone serve {} does not listen", self.kind);
    }

    /// Kills it in the middle of what it does.
    async fn kill(&mut self) {
        self.running.take().expect("it runs").kill().await.expect("it ends");
    }

    async fn add_storage(&self, place: &Place) {
        let port = self.port;
        let config = match self.kind {
            "s3" => json!({
                "endpoint": format!("http://127.0.0.1:{port}"), "bucket": BUCKET, "access_key_id": "AKIDTEST",
                "secret_access_key": "a-secret-of-the-store", "allow_http": true,
            }),
            _ => json!({
                "endpoint": format!("http://127.0.0.1:{port}"), "root": BUCKET, "user": "pat",
                "password": "a-secret-of-the-store", "allow_http": true,
            }),
        };
        let ended = place
            .charon_with(&["storage", "add", "nas", "--provider", self.kind, "--config", "-"], &config)
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

#[tokio::test]
async fn a_storage_that_keeps_mirrors_has_a_name_that_plans_can_say() {
    let place = Place::new().await;
    let config = json!({"endpoint": "http://127.0.0.1:9", "user": "anna", "password": "a-password"});
    let ended = place
        .charon_with(&["storage", "add", "my:nas", "--provider", "webdav", "--config", "-"], &config)
        .await;
    assert!(ended.code != Some(0) && ended.stderr.contains("no slash or colon"), "{ended:?}");
}

/// A backup plan whose mirror the server keeps.
async fn set_up(kind: &'static str, items: u32) -> Option<(Place, Server)> {
    let place = Place::new().await;
    let server = Server::start(kind, &place).await?;
    place.seed(items);
    place.add_storage().await;
    server.add_storage(&place).await;
    place
        .add_plan("home", &json!({"kind": "backup", "storage": "family", "destination": "nas:family"}))
        .await;
    Some((place, server))
}

/// Checks that the server keeps the bytes of every item of the account once, and that `verify` calls the mirror good.
async fn assert_good(place: &Place, server: &Server) {
    fn collect(folder: &Path, found: &mut Vec<Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_none_or(|ending| ending != "json" && ending != "xmp") {
                found.push(fs::read(&path).expect("a file"));
            }
        }
    }
    let mut found = Vec::new();
    collect(&server.folder.join(BUCKET).join("family/photos"), &mut found);
    let world = place.world();
    let mut expected: Vec<Vec<u8>> =
        world.items().iter().map(|item| world.original(&item.id).expect("its bytes").to_vec()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "the bytes are those of the account");
    let ended = place.charon(&["verify", "home", "--json"]).await;
    let summary = ended.json();
    let verified: &Value = &summary["verification"];
    assert_eq!((ended.code, &verified["good"]), (Some(0), &json!(expected.len())), "{summary:#}");
    assert_eq!(verified["strange"], 0, "{summary:#}");
}

/// Checks that what the server keeps comes back to a folder of this machine, and to another account.
async fn assert_comes_back(place: &Place, server: &Server, items: usize) {
    let ended = place.charon(&["restore", "home", "--to-folder", "back", "--json"]).await;
    assert_eq!((ended.code, &ended.json()["items"]["done"]), (Some(0), &json!(items)), "{ended:?}");
    let kept = server.folder.join(BUCKET).join("family/photos");
    assert!(tree(&place.path("back/photos")) == tree(&kept), "the bytes are those that the server keeps");
    storage::add_other(place, &json!({})).await;
    let (code, summary) = storage::restore(place, "new", &[]).await;
    assert_eq!((code, &summary["items"]["done"]), (Some(0), &json!(items)), "{summary:#}");
    assert_eq!(storage::photos_of(place, storage::OTHER).len(), items);
}

async fn a_mirror_is_kept_proven_and_mended(kind: &'static str) {
    let Some((place, mut server)) = set_up(kind, 40).await else { return };
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(40)), "{summary:#}");
    assert_good(&place, &server).await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(40)), "{summary:#}");
    assert_eq!(place.count("media.bytes"), 40, "nothing is fetched twice");

    // Somebody loses one, and another rots.
    let mut files = Vec::new();
    for year in fs::read_dir(server.folder.join(BUCKET).join("family/photos")).expect("a folder") {
        for month in fs::read_dir(year.expect("an entry").path()).expect("a folder") {
            files.extend(
                fs::read_dir(month.expect("an entry").path())
                    .expect("a folder")
                    .map(|file| file.expect("a file").path()),
            );
        }
    }
    files.sort();
    fs::remove_file(&files[0]).expect("removed");
    let mut bytes = fs::read(&files[9]).expect("a file");
    bytes[1_000] ^= 1;
    fs::write(&files[9], bytes).expect("written");
    // It remembers folders for a while.
    server.kill().await;
    server.begin().await;
    let ended = place.charon(&["verify", "home", "--repair", "--json"]).await;
    let summary = ended.json();
    let verified = &summary["verification"];
    assert_eq!((&verified["missing"], &verified["changed"]), (&json!(1), &json!(1)), "{summary:#}");
    assert_eq!((ended.code, &summary["items"]["done"]), (Some(0), &json!(2)), "{summary:#}");
    assert_good(&place, &server).await;
    assert_comes_back(&place, &server, 40).await;

    // The storage is in use, and follows another name.
    let ended = place.charon(&["storage", "remove", "nas"]).await;
    assert!(ended.code != Some(0) && ended.stderr.contains("is used by home"), "{ended:?}");
    // Without the marker nothing is done.
    let marker = server.folder.join(BUCKET).join("family/.charon/mirror.json");
    fs::rename(&marker, marker.with_extension("away")).expect("moved");
    server.kill().await;
    server.begin().await;
    let (code, summary) = place.run("home").await;
    let told = summary["errors"][0]["message"].as_str().expect("why");
    assert!(code == 1 && told.contains("does not carry this plan's marker"), "{told}");
}

/// The server's disk is full, and may then not be written to: runs end cleanly, and in the end the mirror is good.
async fn a_full_and_a_read_only_server_do_no_harm(kind: &'static str) {
    let place = Place::new().await;
    let Some(disk) = SmallDisk::mount(place.path("kept")) else { return };
    let Some(mut server) = Server::start(kind, &place).await else { return };
    place.seed(60);
    place.add_storage().await;
    server.add_storage(&place).await;
    place
        .add_plan("home", &json!({"kind": "backup", "storage": "family", "destination": "nas:family"}))
        .await;
    let (code, full) = place.run("home").await;
    assert_eq!((code, &full["state"]), (1, &json!("failed")), "{full:#}");
    let done = full["items"]["done"].as_u64().expect("a count");
    assert!(done < 60, "{full:#}");

    disk.grow();
    server.kill().await;
    server.is_read_only = true;
    server.begin().await;
    let (code, read_only) = place.run("home").await;
    assert_eq!((code, &read_only["state"]), (1, &json!("failed")), "{read_only:#}");
    assert_eq!(read_only["items"]["done"], 0, "{read_only:#}");

    server.kill().await;
    server.is_read_only = false;
    server.begin().await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")), "{summary:#}");
    assert_eq!(summary["items"]["done"].as_u64().map(|more| done + more), Some(60), "{summary:#}");
    assert_good(&place, &server).await;
    drop(server);
}

/// Our side is killed again and again, and then the server is: in the end the mirror is good.
async fn kills_do_no_harm(kind: &'static str) {
    let Some((place, mut server)) = set_up(kind, 60).await else { return };
    place.fault(Fault::always(Action::Latency { ms: 5 }).on(&["media.bytes"]));
    for kill in 1..=3 {
        let mut child = place.spawn(&["run", "home"]);
        let before = place.count("media.bytes");
        place.until("some downloads", |stats| stats.count("media.bytes") >= before + 4 * kill).await;
        child.start_kill().expect("killed");
        child.wait().await.expect("it ended");
    }
    let child = place.spawn(&["run", "home", "--json"]);
    let before = place.count("media.bytes");
    place.until("some downloads", |stats| stats.count("media.bytes") >= before + 6).await;
    server.kill().await;
    // It is back before the run gives up.
    server.begin().await;
    let ended = child.wait_with_output().await.expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert_good(&place, &server).await;
}

#[tokio::test]
async fn an_object_store_keeps_a_mirror() {
    a_mirror_is_kept_proven_and_mended("s3").await;
}

#[tokio::test]
async fn a_webdav_server_keeps_a_mirror() {
    a_mirror_is_kept_proven_and_mended("webdav").await;
}

#[tokio::test]
async fn kills_over_an_object_store_do_no_harm() {
    kills_do_no_harm("s3").await;
}

#[tokio::test]
async fn kills_over_a_webdav_server_do_no_harm() {
    kills_do_no_harm("webdav").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_and_a_read_only_object_store_do_no_harm() {
    a_full_and_a_read_only_server_do_no_harm("s3").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_and_a_read_only_webdav_server_do_no_harm() {
    a_full_and_a_read_only_server_do_no_harm("webdav").await;
}

#[tokio::test]
async fn a_mirror_that_a_server_keeps_is_taken_over_when_its_database_is_lost() {
    let Some((place, server)) = set_up("webdav", 10).await else { return };
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(10)), "{summary:#}");
    fs::remove_dir_all(place.data_dir()).expect("removed");
    place.add_storage().await;
    server.add_storage(&place).await;
    let ended = place.charon(&["adopt", "nas:family", "--plan", "home", "--json"]).await;
    let summary = ended.json();
    assert_eq!((ended.code, &summary["items"]["done"]), (Some(0), &json!(10)), "{summary:#}");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(10)), "{summary:#}");
    assert_eq!(place.count("media.bytes"), 10, "nothing is fetched twice");
    assert_good(&place, &server).await;
}

#[tokio::test]
async fn a_storage_that_keeps_no_files_is_refused_as_a_destination_and_one_that_does_as_a_storage() {
    let place = Place::new().await;
    place.add_storage().await;
    for (destination, told) in
        [("family:photos", "keeps no files"), ("nowhere:photos", "there is no storage named nowhere")]
    {
        let config = json!({"kind": "backup", "storage": "family", "destination": destination});
        let ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &config).await;
        assert!(ended.code != Some(0) && ended.stderr.contains(told), "{ended:?}");
    }
}
