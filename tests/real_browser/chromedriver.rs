//! One chromedriver for all tests of the process, on a free port of this machine; and what ends it, however the process ends.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

/// Starts chromedriver, reads the ids of its browsers, and ends them all when nobody can tell it more: so nothing stays behind
/// when the tests panic or are killed. It looks at what it ends, since an id may have come to be that of something else.
const WATCHMAN: &str = "chromedriver --port=0 < /dev/null & driver=$!
exec > /dev/null
while read -r browser; do browsers=\"$browsers $browser\"; done
kill \"$driver\"
for browser in $browsers; do grep -qs chromium \"/proc/$browser/cmdline\" && kill -KILL \"$browser\"; done";

static DRIVER: OnceLock<Option<Chromedriver>> = OnceLock::new();

/// A chromedriver that listens.
#[derive(Debug)]
pub(super) struct Chromedriver {
    pub(super) port: u16,
    watchman: Mutex<ChildStdin>,
}

impl Chromedriver {
    /// The one of this process; none where no Chromium is installed.
    ///
    /// # Panics
    ///
    /// Under `CI=true`, where none is installed: there the tests must not pass by doing nothing.
    pub(super) fn of_this_process() -> Option<&'static Self> {
        let driver = DRIVER.get_or_init(Self::start).as_ref();
        if driver.is_none() {
            let words = "no Chromium is installed: nothing was tried in a real browser (apt-get install chromium chromium-driver)";
            assert!(!is_ci(), "{words}");
            eprintln!("{words}");
        }
        driver
    }

    fn start() -> Option<Self> {
        for program in ["chromium", "chromedriver"] {
            let found =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            found.ok().filter(std::process::ExitStatus::success)?;
        }
        let mut child = Command::new("sh")
            .args(["-c", WATCHMAN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let watchman = Mutex::new(child.stdin.take().expect("its standard input"));
        let mut said = BufReader::new(child.stdout.take().expect("its standard output"));
        let port = loop {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).expect("text"), 0, "chromedriver did not start");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim().trim_end_matches('.').parse().expect("a port");
            }
        };
        // Somebody has to read what else it says, and to wait for its end.
        thread::spawn(move || io::copy(&mut said, &mut io::sink()).and_then(|_| child.wait()));
        Some(Self { port, watchman })
    }

    /// Tells of a browser, which is to end with the tests.
    pub(super) fn watches(&self, process: u64) {
        let mut watchman = self.watchman.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(watchman, "{process}").expect("it listens");
    }
}

/// Whether tests that cannot do anything here have to fail.
pub(super) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
