//! Real programs, on a clock that is moved by hand.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{CommandEnd, CommandExit, CommandLine, CommandVariables, CommandsConfig, kept, run};
use crate::{
    clock::ManualClock,
    run::{Counts, RunState},
};

const LIMIT: Duration = Duration::from_mins(10);

fn clock() -> ManualClock {
    ManualClock::at("2026-01-01T00:00:00Z".parse().expect("a time"))
}

fn shell(text: &str) -> CommandLine {
    CommandLine::Shell(text.to_owned())
}

async fn ended(command: &CommandLine, variables: &CommandVariables) -> CommandEnd {
    let (clock, cancel) = (clock(), CancellationToken::new());
    let running = run(command, variables, LIMIT, &clock, &cancel);
    timeout(Duration::from_secs(20), running).await.expect("it ends").expect("it starts")
}

/// Waits until a command has made this file.
async fn made(path: &Path) {
    let mut look = interval(Duration::from_millis(1));
    let waiting = async {
        while !path.exists() {
            look.tick().await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.expect("the command makes the file");
}

#[tokio::test]
async fn a_text_is_for_the_shell_and_a_list_is_taken_as_it_is() {
    let none = CommandVariables::default();
    let end = ended(&shell("echo one; echo two >&2; exit 7"), &none).await;
    assert_eq!(end.exit, CommandExit::Failed(7));
    assert!(end.output.contains("one") && end.output.contains("two"), "{end:?}");
    let list = CommandLine::Program(["printf", "%s|", "$HOME", "a b", ";"].map(str::to_owned).to_vec());
    let end = ended(&list, &none).await;
    assert_eq!((end.exit, end.output.as_str()), (CommandExit::Succeeded, "$HOME|a b|;|"));
    // It is not waited for input that never comes.
    assert_eq!(ended(&shell("cat"), &none).await.exit, CommandExit::Succeeded);
    assert_eq!(ended(&shell("kill -9 $$"), &none).await.exit, CommandExit::Killed);
}

#[tokio::test]
async fn a_command_knows_what_it_is_about() {
    let variables = CommandVariables {
        plan: "my \"home\"; exit 9".into(),
        run: "0199".into(),
        trigger: "manual".into(),
        state: Some(RunState::Partial),
        started_at: Some("2026-01-01T00:00:00Z".parse().expect("a time")),
        ended_at: Some("2026-01-01T01:00:00Z".parse().expect("a time")),
        items: Counts { done: 1, unchanged: 2, skipped: 3, failed: 4 },
        bytes: 5,
        message: Some("one\ntwo\0".into()),
    };
    let end = ended(&shell("env | grep ^CHARON_ | sort; printf '%s' \"$CHARON_MESSAGE\""), &variables).await;
    for line in [
        "CHARON_PLAN=my \"home\"; exit 9",
        "CHARON_RUN=0199",
        "CHARON_TRIGGER=manual",
        "CHARON_STATE=partial",
        "CHARON_STARTED_AT=2026-01-01T00:00:00Z",
        "CHARON_ENDED_AT=2026-01-01T01:00:00Z",
        "CHARON_ITEMS_DONE=1",
        "CHARON_ITEMS_UNCHANGED=2",
        "CHARON_ITEMS_SKIPPED=3",
        "CHARON_ITEMS_FAILED=4",
        "CHARON_BYTES=5",
        "CHARON_MESSAGE=one",
    ] {
        assert!(end.output.lines().any(|found| found == line), "{line:?} is missing: {}", end.output);
    }
    assert!(end.output.ends_with("one\ntwo"), "{}", end.output);
}

#[test]
fn a_command_is_not_told_charons_secrets() {
    // I6
    let given =
        ["PATH", "HOME", "CHARON_CLIENT_SECRET", "CHARON_KEY_FILE", "charon_token", "CHARON_DATA_DIR"];
    let names: Vec<_> =
        kept(given.map(|name| (name.into(), "x".into())).into_iter()).map(|(name, _)| name).collect();
    assert_eq!(names, ["PATH", "HOME", "CHARON_DATA_DIR"]);
}

#[tokio::test]
async fn only_the_end_of_a_long_output_is_kept() {
    let end = ended(&shell("seq 1 20000; printf '\\033[31mred'"), &CommandVariables::default()).await;
    assert!(end.output.len() <= 4096 + "…".len() && end.output.starts_with('…'), "{}", end.output.len());
    assert!(end.output.ends_with("19999\n20000\n[31mred"), "{end:?}");
}

#[tokio::test]
async fn a_command_is_ended_at_its_time_limit_with_all_that_it_has_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready");
    // As long as the program in the background lives, it holds the output open, and the end would not be told.
    let command = shell(&format!("sleep 1000 & echo started; : > '{}'; wait", ready.display()));
    let clock = Arc::new(clock());
    let (variables, cancel) = (CommandVariables::default(), CancellationToken::new());
    let running = run(&command, &variables, LIMIT, &*clock, &cancel);
    let moving = async {
        made(&ready).await;
        clock.advance(LIMIT);
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = timeout(Duration::from_secs(20), running) => end.expect("it ends").expect("it starts"),
        () = moving => unreachable!("it only moves the clock"),
    };
    assert_eq!((end.exit, end.output.as_str()), (CommandExit::TimedOut, "started"));
}

#[tokio::test]
async fn a_command_that_does_not_want_to_end_is_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ready, asked) = (folder.path().join("ready"), folder.path().join("asked"));
    let command = shell(&format!(
        "trap ': > \"{}\"' TERM; : > '{}'; while :; do sleep 0.01; done",
        asked.display(),
        ready.display()
    ));
    let clock = Arc::new(clock());
    let (variables, cancel) = (CommandVariables::default(), CancellationToken::new());
    let running = run(&command, &variables, LIMIT, &*clock, &cancel);
    let moving = async {
        made(&ready).await;
        cancel.cancel();
        made(&asked).await;
        clock.advance(Duration::from_secs(5));
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = timeout(Duration::from_secs(20), running) => end.expect("it ends").expect("it starts"),
        () = moving => unreachable!("it only moves the clock"),
    };
    assert_eq!(end.exit, CommandExit::Cancelled);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_told_by_its_name() {
    let missing = CommandLine::Program(vec!["/no/such/program".into()]);
    let (clock, cancel) = (clock(), CancellationToken::new());
    let error =
        run(&missing, &CommandVariables::default(), LIMIT, &clock, &cancel).await.expect_err("no program");
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

#[test]
fn commands_are_read_from_a_configuration() {
    let read = |config: Value| serde_json::from_value::<CommandsConfig>(config).expect("commands");
    assert_eq!(read(json!({})), CommandsConfig::default());
    let both = read(json!({"before": "mount /mnt", "after": ["umount", "/mnt"], "time_limit_seconds": 5}));
    assert_eq!(both.before, Some(shell("mount /mnt")));
    assert_eq!(both.time_limit(), Duration::from_secs(5));
    assert_eq!(both.judge("/commands"), Ok(()));
    for blank in [json!({"after": " "}), json!({"after": []}), json!({"after": ["", "x"]})] {
        let mistake = read(blank).judge("/commands").expect_err("blank");
        assert_eq!(mistake.pointer, "/commands/after");
    }
}
