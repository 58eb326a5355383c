//! `charon verify PLAN`, `charon originals PLAN` and `charon sums PLAN`.

use std::{io::Write, path::Path};

use charon_engine::{Engine, Job, RunOptions, VerifyJob};

use super::run;
use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub(crate) async fn verify(
    engine: &Engine,
    plan: &str,
    job: VerifyJob,
    output: Output,
) -> Result<Exit, Failure> {
    run::run_with(engine, plan, RunOptions { job: Job::Verify(job), ..RunOptions::default() }, output).await
}

pub(crate) async fn originals(engine: &Engine, plan: &str, output: Output) -> Result<Exit, Failure> {
    run::run_with(engine, plan, RunOptions { job: Job::Originals, ..RunOptions::default() }, output).await
}

/// Writes the checksums of a mirror as `sha256sum -c` reads them.
pub(crate) async fn sums(engine: &Engine, plan: &str, to: Option<&Path>) -> Result<Exit, Failure> {
    let written =
        |error: std::io::Error| Failure::new(format!("the checksums could not be written: {error}"));
    // First: a plan that there is not leaves the file as it is.
    let mut page = engine.checksums(plan, None).await?;
    let mut text = Vec::new();
    let mut file = match to {
        Some(path) => Some(std::fs::File::create(path).map_err(written)?),
        None => None,
    };
    loop {
        text.clear();
        for line in &page.lines {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        match &mut file {
            Some(file) => file.write_all(&text).map_err(written)?,
            None => std::io::stdout().write_all(&text).map_err(written)?,
        }
        if page.next.is_none() {
            return Ok(Exit::Done);
        }
        page = engine.checksums(plan, page.next).await?;
    }
}
