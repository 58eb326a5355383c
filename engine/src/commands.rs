//! What a plan runs before and after a run: programs of its owner, for instance to mount a disk or to tell another program.
//!
//! A text is given to the shell (`sh -c`, on Windows `cmd /C`), a list is a program and its arguments. The command runs in
//! the folder in which Charon was started, with nothing on its standard input. It is told what it is about by variables
//! (`CHARON_PLAN`, `CHARON_STATE`, …), and sees nothing of the variables by which Charon itself is told its secrets. The end
//! of what it prints is kept for the log. At its time limit, or when the run is stopped, it is asked to end (`SIGTERM`), and
//! five seconds later ended (`SIGKILL`), with all that it has started; on Windows it is ended at once, and it alone.
//! What it leaves running when it ends by itself is left alone.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use charon_schema::Mistake;
use futures::future::join_all;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    clock::Clock,
    run::{Counts, RunState},
};

/// How much of the end of what a command prints is kept, in bytes.
const KEPT: usize = 4096;
/// How long a command that was asked to end has for it.
const GRACE: Duration = Duration::from_secs(5);
/// How long it is waited for the rest of the output of a command that has ended: what it left running may hold it open.
const REST: Duration = Duration::from_secs(1);

/// The commands of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct CommandsConfig {
    /// What is run before a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Before",
        description = "What is run before a run: a text for the shell, or a list of a program and its arguments. If it fails, \
                       the run fails before it has moved anything.",
        extend("x-group" = "Commands", "x-order" = 1, "x-advanced" = true, "examples" = ["mount /mnt/photos"])
    )]
    pub before: Option<CommandLine>,
    /// What is run after a run, whatever came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "After",
        description = "What is run after a run, whatever came of it; its environment says what. If it fails, that is logged, and \
                       the run stays what it is.",
        extend("x-group" = "Commands", "x-order" = 2, "x-advanced" = true, "examples" = ["umount /mnt/photos"])
    )]
    pub after: Option<CommandLine>,
    /// How long each of them may take.
    #[serde(default = "ten_minutes")]
    #[schemars(
        title = "Time limit",
        description = "How long each of them may take before it is ended, with all that it has started.",
        range(min = 1, max = 86_400),
        extend("x-group" = "Commands", "x-order" = 3, "x-advanced" = true, "x-unit" = "seconds")
    )]
    pub time_limit_seconds: u32,
}

/// Nothing before, nothing after.
impl Default for CommandsConfig {
    fn default() -> Self {
        Self { before: None, after: None, time_limit_seconds: ten_minutes() }
    }
}

fn ten_minutes() -> u32 {
    600
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum CommandLine {
    /// A text for the shell.
    Shell(String),
    /// A program and its arguments, as they are.
    Program(Vec<String>),
}

impl CommandsConfig {
    /// What no schema can say. `pointer` is where the commands are in the configuration, for instance `/commands`.
    ///
    /// # Errors
    /// The first mistake.
    pub fn judge(&self, pointer: &str) -> Result<(), Mistake> {
        for (field, command) in [("before", &self.before), ("after", &self.after)] {
            let is_blank = match command {
                Some(CommandLine::Shell(text)) => text.trim().is_empty(),
                Some(CommandLine::Program(words)) => words.first().is_none_or(|word| word.trim().is_empty()),
                None => false,
            };
            if is_blank {
                let reason = "names no program; leave it out to run nothing".to_owned();
                return Err(Mistake { pointer: format!("{pointer}/{field}"), reason });
            }
        }
        Ok(())
    }

    /// How long each command may take.
    pub fn time_limit(&self) -> Duration {
        Duration::from_secs(self.time_limit_seconds.into())
    }
}

/// What a command is told, as variables of its environment. What is `None` is not set.
#[derive(Clone, Debug, Default)]
pub struct CommandVariables {
    /// `CHARON_PLAN`: the plan's name.
    pub plan: String,
    /// `CHARON_RUN`: the run's id.
    pub run: String,
    /// `CHARON_TRIGGER`: what the run was begun by.
    pub trigger: String,
    /// `CHARON_STATE`: where the run stands; `running` before it.
    pub state: Option<RunState>,
    /// `CHARON_STARTED_AT`, in RFC 3339.
    pub started_at: Option<Timestamp>,
    /// `CHARON_ENDED_AT`, in RFC 3339.
    pub ended_at: Option<Timestamp>,
    /// `CHARON_ITEMS_DONE`, `CHARON_ITEMS_UNCHANGED`, `CHARON_ITEMS_SKIPPED`, `CHARON_ITEMS_FAILED`.
    pub items: Counts,
    /// `CHARON_BYTES`.
    pub bytes: u64,
    /// `CHARON_MESSAGE`: why the run ended before its end.
    pub message: Option<String>,
}

impl CommandVariables {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("CHARON_PLAN", self.plan.clone()),
            ("CHARON_RUN", self.run.clone()),
            ("CHARON_TRIGGER", self.trigger.clone()),
            ("CHARON_ITEMS_DONE", self.items.done.to_string()),
            ("CHARON_ITEMS_UNCHANGED", self.items.unchanged.to_string()),
            ("CHARON_ITEMS_SKIPPED", self.items.skipped.to_string()),
            ("CHARON_ITEMS_FAILED", self.items.failed.to_string()),
            ("CHARON_BYTES", self.bytes.to_string()),
        ];
        pairs.extend(self.state.map(|state| ("CHARON_STATE", state.as_str().to_owned())));
        pairs.extend(self.started_at.map(|time| ("CHARON_STARTED_AT", time.to_string())));
        pairs.extend(self.ended_at.map(|time| ("CHARON_ENDED_AT", time.to_string())));
        // No variable can hold a zero.
        pairs.extend(self.message.as_ref().map(|message| ("CHARON_MESSAGE", message.replace('\0', " "))));
        pairs
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// How.
    pub exit: CommandExit,
    /// The end of what it printed, on both its outputs.
    pub output: String,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandExit {
    /// By itself, with exit code 0.
    Succeeded,
    /// By itself, with this exit code.
    Failed(i32),
    /// Somebody else ended it.
    Killed,
    /// It was ended at its time limit.
    TimedOut,
    /// It was ended since the run was stopped.
    Cancelled,
}

impl CommandExit {
    /// How it ended, as a fragment that reads well after "the command".
    pub fn in_words(self) -> String {
        match self {
            Self::Succeeded => "succeeded".to_owned(),
            Self::Failed(code) => format!("failed with exit code {code}"),
            Self::Killed => "was ended by a signal".to_owned(),
            Self::TimedOut => "was ended, since it took longer than its time limit".to_owned(),
            Self::Cancelled => "was ended, since the run was stopped".to_owned(),
        }
    }
}

/// A command that could not be run.
#[derive(Debug, thiserror::Error)]
#[error(
    "the command {program} could not be started: {source}; check that it is there, and that Charon may run it"
)]
pub struct CommandError {
    program: String,
    source: io::Error,
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started. A command that fails is no error: it is told how it ended.
pub async fn run(
    command: &CommandLine,
    variables: &CommandVariables,
    limit: Duration,
    clock: &dyn Clock,
    cancel: &CancellationToken,
) -> Result<CommandEnd, CommandError> {
    let (program, mut command) = prepared(command);
    command
        .env_clear()
        .envs(kept(std::env::vars_os()))
        .envs(variables.pairs())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|source| CommandError { program, source })?;
    let mut group = Group::of(&child);
    let tail = Arc::<Mutex<Tail>>::default();
    let mut readers = Vec::new();
    readers.extend(child.stdout.take().map(|output| reading(output, &tail)));
    readers.extend(child.stderr.take().map(|output| reading(output, &tail)));

    let exit = tokio::select! {
        biased;
        status = child.wait() => ended(status),
        () = cancel.cancelled() => stopped(&mut child, &mut group, clock, CommandExit::Cancelled).await,
        () = clock.sleep(limit) => stopped(&mut child, &mut group, clock, CommandExit::TimedOut).await,
    };
    group.let_go();
    tokio::select! {
        biased;
        _ = join_all(&mut readers) => {}
        () = clock.sleep(REST) => {}
    }
    let output = tail.lock().expect("nothing panics while it holds the output").text();
    Ok(CommandEnd { exit, output })
}

fn prepared(command: &CommandLine) -> (String, Command) {
    match command {
        CommandLine::Shell(text) => {
            #[cfg(windows)]
            let (program, command) = ("cmd", {
                let mut command = Command::new("cmd");
                command.arg("/C").raw_arg(text);
                command
            });
            #[cfg(not(windows))]
            let (program, command) = ("sh", {
                let mut command = Command::new("sh");
                command.arg("-c").arg(text);
                command
            });
            (program.to_owned(), command)
        }
        CommandLine::Program(words) => {
            let (program, arguments) =
                words.split_first().map_or(("", &[][..]), |(program, rest)| (program, rest));
            let mut command = Command::new(program);
            command.args(arguments);
            (program.to_owned(), command)
        }
    }
}

/// The variables that a command keeps: all but Charon's own, some of which are secrets or say where secrets are. Where the
/// data is stays, so that the command can call Charon.
fn kept(variables: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (OsString, OsString)> {
    variables.filter(|(name, _)| {
        let name = name.to_string_lossy().to_ascii_uppercase();
        !name.starts_with("CHARON_") || name == "CHARON_DATA_DIR"
    })
}

fn ended(status: io::Result<ExitStatus>) -> CommandExit {
    match status.ok().and_then(|status| status.code()) {
        Some(0) => CommandExit::Succeeded,
        Some(code) => CommandExit::Failed(code),
        None => CommandExit::Killed,
    }
}

/// Ends a command: politely, then not.
async fn stopped(child: &mut Child, group: &mut Group, clock: &dyn Clock, exit: CommandExit) -> CommandExit {
    group.ask_to_end();
    tokio::select! {
        biased;
        // How it ended does not matter any more.
        _ = child.wait() => {}
        () = clock.sleep(GRACE) => {}
    }
    group.end();
    // One that has ended already cannot be ended, and needs not be.
    child.start_kill().ok();
    child.wait().await.ok();
    exit
}

/// A command and all that it has started. Ended when dropped, unless it was let go.
#[derive(Debug)]
struct Group {
    #[cfg(unix)]
    leader: Option<nix::unistd::Pid>,
}

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).map(nix::unistd::Pid::from_raw);
        Self { leader }
    }

    fn ask_to_end(&self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
    }

    fn end(&self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
    }

    fn let_go(&mut self) {
        self.leader = None;
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        if let Some(leader) = self.leader {
            // Where nobody is left, nobody is to be ended.
            nix::sys::signal::killpg(leader, signal).ok();
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(not(unix))]
impl Group {
    fn of(_: &Child) -> Self {
        Self {}
    }

    fn ask_to_end(&self) {}

    fn end(&self) {}

    fn let_go(&mut self) {}
}

/// The end of what a command has printed.
#[derive(Debug, Default)]
struct Tail {
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(KEPT);
        self.is_cut |= excess > 0;
        self.bytes.drain(..excess);
    }

    /// As text that is fit for a terminal.
    fn text(&mut self) -> String {
        let bytes: &[u8] = self.bytes.make_contiguous();
        let text = String::from_utf8_lossy(bytes);
        let shown = text.chars().filter(|char| matches!(char, '\n' | '\t') || !char.is_control());
        let cut = if self.is_cut { "…" } else { "" };
        format!("{cut}{}", shown.collect::<String>().trim_end())
    }
}

fn reading(
    mut output: impl AsyncRead + Unpin + Send + 'static,
    tail: &Arc<Mutex<Tail>>,
) -> AbortOnDropHandle<()> {
    let tail = Arc::clone(tail);
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut buffer = [0; 1024];
        // What cannot be read has ended.
        while let Ok(read @ 1..) = output.read(&mut buffer).await {
            tail.lock().expect("nothing panics while it holds the output").push(&buffer[..read]);
        }
    }))
}

#[cfg(all(test, unix))]
mod tests;
