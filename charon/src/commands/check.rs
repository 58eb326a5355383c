//! `charon storage test`: the stages of a connection test, told as they happen.

use std::time::Duration;

use charon_provider::{Check, Verdict};
use futures::{StreamExt, stream::BoxStream};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    exit::{Exit, Failure},
    output::{Output, say},
    signals::interrupted,
};

/// How long all stages may take together; each has a limit of its own.
const PATIENCE: Duration = Duration::from_mins(5);

/// Whose connection is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// That of a storage.
    Storage,
    /// That of a configuration that may be refused.
    Config,
}

pub(crate) async fn run(of: Of, stages: BoxStream<'static, Check>, output: Output) -> Result<Exit, Failure> {
    let stop = interrupted();
    let mut checks = Vec::new();
    let told = tokio::select! {
        told = timeout(PATIENCE, tell(stages, &mut checks, output)) => Some(told),
        () = stop => None,
    };
    let is_over = matches!(told, Some(Ok(Ok(()))));
    let passed = is_over && checks.iter().all(|check| check.verdict != Verdict::Failed);
    if is_over || output.json {
        output.print(&json!({ "passed": passed, "checks": checks }), || {
            if passed { "The connection works.".into() } else { "The connection does not work yet.".into() }
        })?;
    }
    match told {
        None => return Ok(Exit::Interrupted),
        Some(Err(_)) => {
            let minutes = PATIENCE.as_secs() / 60;
            return Err(Failure::new(format!(
                "the test was given up after {minutes} minutes; look at the connection, and test again"
            )));
        }
        Some(Ok(told)) => told?,
    }
    // The first stage is the configuration itself.
    let is_refused = checks.first().is_some_and(|first| first.verdict == Verdict::Failed);
    Ok(match (passed, of) {
        (true, _) => Exit::Done,
        (false, Of::Config) if is_refused => Exit::Usage,
        (false, _) => Exit::Failed,
    })
}

async fn tell(
    mut stages: BoxStream<'static, Check>,
    checks: &mut Vec<Check>,
    output: Output,
) -> Result<(), Failure> {
    while let Some(check) = stages.next().await {
        if !output.json {
            say(&stage(&check))?;
        }
        checks.push(check);
    }
    Ok(())
}

fn stage(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "ok    ",
        Verdict::Warned => "note  ",
        Verdict::Failed => "FAILED",
    };
    let mut text = format!("{verdict}  {} ({} ms): {}", check.stage, check.took.as_millis(), check.found);
    for more in [&check.cure, &check.link].into_iter().flatten() {
        text += &format!("\n        {more}");
    }
    text
}
