//! Servers on loopback, each with a folder of its own, each ended by its id.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
};

use charon_provider::{Config, Destination, Provider, Revision, Secrets, Storage};
use charon_provider_remote::{S3, WebDav};
use nix::{sys::signal::Signal, unistd::Pid};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::host::Engine;

/// Starts a program, says its id, and ends it when nobody can tell it more: so nothing stays behind when the tests panic or are
/// killed.
const WATCHMAN: &str = "\"$@\" < /dev/null 2>&1 & program=$!
echo \"id $program\"
read -r never
kill \"$program\" 2> /dev/null
wait \"$program\"";

pub(crate) const BUCKET: &str = "photos";
const KEY_ID: &str = "AKIDTEST";
/// What must not be printed.
pub(crate) const SECRET: &str = "hunter2-of-the-store";
const USER: &str = "pat";

/// What kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RcloneS3,
    RcloneWebDav,
    Apache,
}

impl Kind {
    pub(crate) fn provider(self) -> Arc<dyn Provider> {
        match self {
            Self::RcloneS3 => Arc::new(S3::new()),
            Self::RcloneWebDav | Self::Apache => Arc::new(WebDav::new()),
        }
    }
}

pub(crate) const ALL: [Kind; 3] = [Kind::RcloneS3, Kind::RcloneWebDav, Kind::Apache];

/// A server that listens.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    port: u16,
    /// Where its files are.
    pub(crate) folder: PathBuf,
    state: TempDir,
    running: Option<Running>,
    pub(crate) is_read_only: bool,
    /// What it wants to be told.
    pub(crate) secret: String,
}

struct Running {
    id: i32,
    watchman: Child,
    /// Dropped, it ends the program.
    told: Option<ChildStdin>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.told = None;
        drop(self.watchman.wait());
    }
}

/// Whether tests that cannot do anything here have to fail.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// Says that something is not tried here.
///
/// # Panics
/// Under `CI=true`: there the tests must not pass by doing nothing.
pub(crate) fn skip(words: &str) {
    assert!(!is_ci(), "{words}");
    eprintln!("{words}");
}

/// The program of this name: where `.ci/run` puts it, or in the path.
fn program(kind: Kind) -> Option<PathBuf> {
    let name = match kind {
        Kind::RcloneS3 | Kind::RcloneWebDav => "rclone",
        Kind::Apache => "apache2",
    };
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/rclone/bin").join(name);
    let paths = env::var_os("PATH").unwrap_or_default();
    let mut places = std::iter::once(ours).chain(env::split_paths(&paths).map(|path| path.join(name)));
    let found = places.find(|path| path.is_file());
    found.or_else(|| Some(Path::new("/usr/sbin").join(name)).filter(|path| path.is_file()))
}

impl Server {
    /// A server of this kind, with an empty folder; `None` where the program is not installed.
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        Self::start_in(kind, None)
    }

    /// The same, with its files in a folder that is there.
    pub(crate) fn start_in(kind: Kind, folder: Option<&Path>) -> Option<Self> {
        if program(kind).is_none() {
            skip(&format!("{kind:?} is not installed: nothing was tried there (see .ci/run)"));
            return None;
        }
        let state = TempDir::new().expect("a temporary folder");
        let folder = folder.map_or_else(|| state.path().join("files"), Path::to_owned);
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let mut server =
            Self { kind, port, folder, state, running: None, is_read_only: false, secret: SECRET.to_owned() };
        fs::create_dir_all(server.files()).expect("a folder");
        // Apache's workers are somebody else than root.
        for path in [server.state.path(), &server.folder, &server.files()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("rights");
        }
        server.begin();
        Some(server)
    }

    /// Where the files of the destination are.
    pub(crate) fn files(&self) -> PathBuf {
        match self.kind {
            Kind::RcloneS3 => self.folder.join(BUCKET),
            Kind::RcloneWebDav | Kind::Apache => self.folder.clone(),
        }
    }

    /// Starts it, on the port that it had before.
    pub(crate) fn begin(&mut self) {
        let path = program(self.kind).expect("it was there");
        let arguments = match self.kind {
            Kind::RcloneS3 => self.rclone(&["s3", "--auth-key", &format!("{KEY_ID},{}", self.secret)]),
            Kind::RcloneWebDav => self.rclone(&["webdav", "--user", USER, "--pass", &self.secret]),
            Kind::Apache => self.apache(),
        };
        let mut watchman = Command::new("sh")
            .args(["-c", WATCHMAN, "sh"])
            .arg(path)
            .args(arguments)
            .env("RCLONE_CONFIG", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let told = watchman.stdin.take();
        let mut said = BufReader::new(watchman.stdout.take().expect("its standard output"));
        let started = ["Server started on", "Starting s3 server on", "resuming normal operations"];
        // The server may speak before the shell does.
        let (mut id, mut lines) = (None, String::new());
        while id.is_none() || !started.iter().any(|words| lines.contains(words)) {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).expect("text"), 0, "the server did not start: {lines}");
            match line.strip_prefix("id ").and_then(|id| id.trim().parse().ok()) {
                Some(told) if id.is_none() => id = Some(told),
                _ => lines.push_str(&line),
            }
        }
        let id = id.expect("it was told");
        self.running = Some(Running { id, watchman, told });
        // Somebody has to read what else it says.
        thread::spawn(move || io::copy(&mut said, &mut io::sink()));
    }

    /// Kills it in the middle of what it does.
    pub(crate) fn kill(&mut self) {
        let running = self.running.take().expect("it runs");
        let mut ids = vec![running.id];
        // The workers of Apache are its children.
        let children =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", running.id)).unwrap_or_default();
        ids.extend(children.split_whitespace().filter_map(|id| id.parse::<i32>().ok()));
        for id in ids {
            // A worker may have ended by itself.
            let _gone = nix::sys::signal::kill(Pid::from_raw(id), Signal::SIGKILL);
        }
    }

    fn rclone(&self, what: &[&str]) -> Vec<String> {
        let address = format!("127.0.0.1:{}", self.port);
        let read_only = if self.is_read_only { "--read-only" } else { "--read-only=false" };
        let folder = self.folder.to_str().expect("a plain path");
        let mut arguments = vec!["serve"];
        arguments.extend(what);
        arguments.extend([
            "--addr",
            &address,
            "--log-level",
            "INFO",
            read_only,
            "--dir-cache-time",
            "1s",
            folder,
        ]);
        arguments.into_iter().map(str::to_owned).collect()
    }

    fn apache(&self) -> Vec<String> {
        let state = self.state.path().display();
        let modules = [
            ("mpm_event", "mpm_event"),
            ("authn_core", "authn_core"),
            ("authn_file", "authn_file"),
            ("authz_core", "authz_core"),
            ("authz_user", "authz_user"),
            ("auth_basic", "auth_basic"),
            ("dav", "dav"),
            ("dav_fs", "dav_fs"),
            ("dir", "dir"),
        ];
        let modules = modules
            .map(|(name, file)| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{file}.so\n"));
        let modules = modules.concat();
        let rights = if self.is_read_only {
            "<Limit GET OPTIONS PROPFIND>\nRequire valid-user\n</Limit>\n\
             <LimitExcept GET OPTIONS PROPFIND>\nRequire all denied\n</LimitExcept>"
        } else {
            "Require valid-user"
        };
        let config = format!(
            "{modules}ServerRoot {state}\nServerName 127.0.0.1\nListen 127.0.0.1:{}\nPidFile {state}/pid\nErrorLog /dev/stderr\n\
             User www-data\nGroup www-data\nStartServers 1\nDocumentRoot {files}\nDavLockDB {state}/locks\n\
             <Directory {files}>\nDav On\nAuthType Basic\nAuthName photos\nAuthUserFile {state}/users\n\
             {rights}\n</Directory>\n",
            self.port,
            files = self.folder.display(),
        );
        let path = self.state.path().join("httpd.conf");
        fs::write(&path, config).expect("a configuration");
        let hash = Command::new("openssl").args(["passwd", "-apr1", &self.secret]).output().expect("openssl");
        let hash = String::from_utf8(hash.stdout).expect("text");
        fs::write(self.state.path().join("users"), format!("{USER}:{hash}")).expect("users");
        vec!["-D".into(), "FOREGROUND".into(), "-f".into(), path.display().to_string()]
    }

    /// A right configuration.
    pub(crate) fn config(&self) -> Map<String, Value> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let config = match self.kind {
            Kind::RcloneS3 => json!({"endpoint": endpoint, "bucket": BUCKET, "access_key_id": KEY_ID,
                "secret_access_key": SECRET}),
            Kind::RcloneWebDav | Kind::Apache => {
                json!({"endpoint": endpoint, "user": USER, "password": SECRET})
            }
        };
        config.as_object().cloned().expect("an object")
    }

    /// The storage, opened with a right configuration.
    pub(crate) fn open(&self) -> Opened {
        self.open_with(&json!({}))
    }

    /// The storage, opened with a configuration that differs in this.
    pub(crate) fn open_with(&self, extra: &Value) -> Opened {
        let mut whole = self.config();
        whole.extend(extra.as_object().cloned().expect("an object"));
        open(&*self.kind.provider(), whole)
    }
}

/// A storage, and the engine behind it.
pub(crate) struct Opened {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) host: Arc<Engine>,
}

impl Opened {
    pub(crate) fn destination(&self) -> &dyn Destination {
        self.storage.destination().expect("it is a destination")
    }
}

/// Opens a storage.
pub(crate) fn open(provider: &dyn Provider, whole: Map<String, Value>) -> Opened {
    let (fields, secrets) = provider.describe().schema.split(whole);
    let host = Arc::new(Engine::default());
    let config = Config { fields, secrets: Secrets::new(secrets), revision: Revision(1) };
    let storage = provider.open(config, Arc::clone(&host) as _).expect("a right configuration");
    Opened { storage, host }
}

/// A small file system of its own, as long as it is needed.
pub(crate) struct Small {
    pub(crate) folder: TempDir,
}

impl Small {
    /// One of so many mebibytes; `None` where none can be mounted.
    ///
    /// # Panics
    /// Under `CI=true` as root, where that has to be possible.
    pub(crate) fn mount(mebibytes: u32) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let size = format!("size={mebibytes}m,mode=777");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "charon-test"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self { folder });
        }
        let words = "no small file system can be mounted here: what a full server does was not tried";
        assert!(!(is_ci() && nix::unistd::geteuid().is_root()), "{words}");
        eprintln!("{words}");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: the server may not have let go of it yet.
        drop(Command::new("umount").arg("-l").arg(self.folder.path()).status());
    }
}
