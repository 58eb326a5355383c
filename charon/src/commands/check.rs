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

pub(crate) async fn run(stages: BoxStream<'static, Check>, output: Output) -> Result<Exit, Failure> {
    let stop = interrupted();
    let told = tokio::select! {
        told = timeout(PATIENCE, tell(stages, output)) => told,
        () = stop => return Ok(Exit::Interrupted),
    };
    let checks = told.map_err(|_| {
        let minutes = PATIENCE.as_secs() / 60;
        Failure::new(format!(
            "the test was given up after {minutes} minutes; look at the connection, and test again"
        ))
    })??;
    let failed = checks.iter().any(|check| check.verdict == Verdict::Failed);
    output.print(&json!({ "passed": !failed, "checks": checks }), || {
        if failed { "The connection does not work yet.".into() } else { "The connection works.".into() }
    })?;
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

async fn tell(mut stages: BoxStream<'static, Check>, output: Output) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    while let Some(check) = stages.next().await {
        if !output.json {
            say(&stage(&check))?;
        }
        checks.push(check);
    }
    Ok(checks)
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
