//! `charon run PLAN`.

use std::time::Duration;

use charon_engine::{
    Canceller, Engine, Run, RunOptions, RunState, Summary,
    clock::{Clock, SystemClock},
};

use super::adopt;
use crate::{
    exit::{Exit, Failure},
    output::{Output, bytes, say_aside},
    progress,
    signals::interrupted,
};

/// How long a command that has run a plan goes on telling people.
const TELLING: Duration = Duration::from_secs(15);

pub(crate) async fn run(engine: &Engine, plan: &str, full: bool, output: Output) -> Result<Exit, Failure> {
    run_with(engine, plan, RunOptions { full_listing: full, ..RunOptions::default() }, output).await
}

/// Has a run of a plan done in another way than usual, and shows it.
pub(crate) async fn run_with(
    engine: &Engine,
    plan: &str,
    options: RunOptions,
    output: Output,
) -> Result<Exit, Failure> {
    let summary = run_to_end(engine, plan, options, output).await?;
    output.print(&summary, || tell(&summary))?;
    Ok(Exit::of(summary.state))
}

/// Has a run of a plan done, and gives what it came to.
pub(crate) async fn run_to_end(
    engine: &Engine,
    plan: &str,
    options: RunOptions,
    output: Output,
) -> Result<Summary, Failure> {
    let asked = interrupted();
    let full = options.full_listing;
    let run = engine.start_with(plan, options).await?;
    if !run.is_here() && !output.quiet {
        let whose =
            if run.is_new() { "the run waits for, or is done by," } else { "the plan has a run, done by" };
        say_aside(&format!("charon: {whose} the charon that runs plans on this data directory; watching it"));
    }
    if full && !run.is_new() {
        say_aside(
            "charon: the plan had a run that has not ended, and this one goes on with it; if it is at work already, its \
             listing is as it was begun, and --full takes another run after it",
        );
    }
    let is_here = run.is_here();
    let summary = watch_until(asked, plan, run, output).await?;
    if is_here {
        tell_people(engine).await;
    }
    Ok(summary)
}

/// Tells people what became of the run, for a while; what does not get through is told by the next run, or by `charon serve`.
async fn tell_people(engine: &Engine) {
    let told = tokio::time::timeout(TELLING, engine.deliver_due(SystemClock.now())).await;
    match told {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => say_aside(&format!("charon: people could not be told: {error}")),
        Err(_) => say_aside("charon: people could not be told in time; the next run tries again"),
    }
}

/// Shows a run's progress until it ends. Ctrl-C (or SIGTERM) stops it cleanly; a second one, at once.
pub(crate) async fn watch(name: &str, run: Run, output: Output) -> Result<Summary, Failure> {
    watch_until(interrupted(), name, run, output).await
}

async fn watch_until(
    asked: impl Future<Output = ()> + Send + 'static,
    name: &str,
    run: Run,
    output: Output,
) -> Result<Summary, Failure> {
    let is_own = run.is_here() || run.is_new();
    let stop = tokio::spawn(stop_on_signal(run.canceller(), is_own, asked));
    let shown = progress::show(name, run.progress(), output.quiet);
    let summary = tokio::select! {
        summary = run.finished() => summary,
        never = shown => match never {},
    };
    stop.abort();
    Ok(summary?)
}

async fn stop_on_signal(run: Canceller, is_own: bool, asked: impl Future<Output = ()>) {
    asked.await;
    if !is_own {
        // Somebody else asked for it: it is watched no longer, and goes on.
        say_aside("charon: the run goes on without being watched; stop it with: charon runs cancel");
        std::process::exit(Exit::Interrupted.code().into());
    }
    let again = interrupted();
    say_aside("charon: stopping; press Ctrl-C again to stop at once");
    run.cancel();
    again.await;
    // What is half done is cleared by the next run.
    std::process::exit(Exit::Interrupted.code().into());
}

/// A run's end, for people.
pub(crate) fn tell(summary: &Summary) -> String {
    let items = &summary.items;
    let seconds = summary.ended_at.duration_since(summary.started_at).as_secs_f64();
    let mut text = format!(
        "{}: {}\n  {} done ({}), {} unchanged, {} skipped, {} failed\n  {} requests, {seconds:.1} s",
        summary.plan,
        summary.state,
        items.done,
        bytes(summary.bytes),
        items.unchanged,
        items.skipped,
        items.failed,
        summary.requests,
    );
    for (reason, count) in &summary.skipped {
        text += &format!("\n  skipped: {count} × {reason}");
    }
    for hint in &summary.hints {
        text += &format!("\n  hint: {hint}");
    }
    for (fidelity, count) in &summary.fidelity {
        text += &format!("\n  fidelity: {count} × {fidelity}");
    }
    if let Some(adopted) = &summary.adopted {
        text += &adopt::tell(adopted);
        text += &format!("\n  each of them: charon runs show {}", summary.run);
    }
    if let Some(found) = summary.verification.as_ref().filter(|found| found.files > 0) {
        text += &format!(
            "\n  verified: {} of {} files good ({} read)",
            found.good,
            found.files,
            bytes(found.bytes)
        );
        let bad = [(found.missing, "missing"), (found.changed, "changed"), (found.unreadable, "unreadable")];
        for (count, what) in bad.into_iter().filter(|(count, _)| *count > 0) {
            text += &format!("\n  {what}: {count}");
        }
    }
    match (summary.listing, summary.listing_complete) {
        (Some("quick"), Some(true)) => {
            text += "\n  a quick listing: what is new alone (--full lists everything)";
        }
        (Some(_), Some(false)) => text += "\n  the listing did not come to its end",
        (Some("full"), _) => text += "\n  a full listing: everything that the storage shows",
        _ => {}
    }
    for error in &summary.errors {
        match error.path.as_ref().or(error.item.as_ref()) {
            Some(item) => text += &format!("\n  failed: {item}: {}", error.message),
            None => text += &format!("\n  {}", error.message),
        }
    }
    if summary.items.failed > summary.errors.iter().filter(|error| error.item.is_some()).count() as u64 {
        text += "\n  … and more";
    }
    match (summary.state, summary.parked_until) {
        (RunState::Parked, Some(until)) => text += &format!("\n  run it again after {until}"),
        (RunState::Cancelled, _) if summary.job.is_some() => text += "\n  stopped; what is done stays done",
        (RunState::Cancelled, _) => text += "\n  stopped; the next run goes on from here",
        _ => {}
    }
    text
}
