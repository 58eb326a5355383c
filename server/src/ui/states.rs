//! Where runs stand, in words and colours, and what can be done about them.

use charon_engine::{Class, Progress, RunId, RunRecord, RunState, Tone, Trigger};
use jiff::SignedDuration;
use maud::{Markup, html};

use super::{layout::PageOf, words};

/// Where a run stands.
pub(crate) fn state(state: RunState) -> Markup {
    let class = match state {
        RunState::Succeeded => "state good",
        RunState::Partial | RunState::Paused | RunState::Pausing | RunState::Parked => "state warn",
        RunState::Failed => "state bad",
        RunState::Running | RunState::Queued | RunState::Cancelled => "state",
    };
    html! { span class=(class) { (in_words(state)) } }
}

/// The same, without colour.
pub(crate) fn in_words(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "queued",
        RunState::Running => "running",
        RunState::Pausing => "pausing",
        RunState::Paused => "paused",
        RunState::Parked => "waiting",
        RunState::Succeeded => "succeeded",
        RunState::Partial => "some failed",
        RunState::Failed => "failed",
        RunState::Cancelled => "stopped",
    }
}

/// All states, in the order in which a run comes to them.
pub(crate) const ALL: [RunState; 9] = [
    RunState::Queued,
    RunState::Running,
    RunState::Pausing,
    RunState::Paused,
    RunState::Parked,
    RunState::Succeeded,
    RunState::Partial,
    RunState::Failed,
    RunState::Cancelled,
];

/// Why there is a run.
pub(crate) fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Schedule => "by schedule",
        Trigger::CatchUp => "made up for what was missed",
        Trigger::Manual => "asked for",
        Trigger::Retry => "what had failed, again",
        Trigger::Api => "asked for by a program",
    }
}

/// The class that goes with how good something is.
pub(crate) fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Working => "busy",
        Tone::Attention => "warn",
        Tone::Bad => "bad",
    }
}

/// Whether a run waits until its account lets Charon in again.
pub(crate) fn waits_for_consent(run: &RunRecord) -> bool {
    let is_about_the_account = run.stop.as_ref().is_some_and(|stop| stop.class == Some(Class::Auth));
    is_about_the_account && run.state == RunState::Parked && run.parked_until.is_none()
}

/// The buttons for what can be done about a run.
pub(crate) fn actions(page: &PageOf, run: &RunRecord) -> Markup {
    let (pause, resume, cancel) = match run.state {
        RunState::Queued | RunState::Running => (true, false, true),
        RunState::Pausing => (false, false, true),
        RunState::Paused | RunState::Parked => (false, true, true),
        _ => (false, false, false),
    };
    let retry = if run.is_inbox {
        run.state == RunState::Cancelled
    } else {
        !run.state.is_live() && run.items.failed > 0
    };
    let again = if run.is_inbox { "Send what still waits" } else { "Try the failed items again" };
    html! {
        // Nothing goes on by that alone while the account does not let anybody in.
        @let class = if waits_for_consent(run) { "second" } else { "" };
        @if resume { (action(page, run.run, "resume", "Resume", class)) }
        @if retry { (action(page, run.run, "retry-failed", again, "")) }
        @if pause { (action(page, run.run, "pause", "Pause", "second")) }
        @if cancel { a.button.danger href={ "/runs/" (run.run) "/cancel" } { "Stop" } }
    }
}

/// One button.
pub(crate) fn action(page: &PageOf, run: RunId, verb: &str, words: &str, class: &str) -> Markup {
    html! {
        form method="post" action={ "/runs/" (run) "/" (verb) } {
            (page.csrf())
            button class=[Some(class).filter(|class| !class.is_empty())] type="submit" { (words) }
        }
    }
}

/// How far a run is: as a bar, and in words. Only what is done counts; what is left is an estimate and says so (I10).
pub(crate) fn progress(progress: &Progress) -> Markup {
    let (done, found) = (progress.items.total(), progress.found);
    html! {
        @if progress.found_all && found > 0 {
            progress data-fact="bar" max=(found) value=(done.min(found)) aria-label="Items that have come to an end" {}
        } @else {
            progress data-fact="bar" aria-label="Items that have come to an end; how many there are is not known yet" {}
        }
        p { span data-fact="summary" { (summary(progress)) } }
    }
}

/// How far a run is, in one line.
pub(crate) fn summary(progress: &Progress) -> String {
    let mut parts = vec![format!(
        "{} of {}{}",
        charon_engine::with_commas(progress.items.total()),
        words::counted(progress.found, "item", "items"),
        if progress.found_all { "" } else { " found so far" }
    )];
    parts.push(words::bytes(progress.bytes));
    if let Some(rate) = progress.bytes_per_second {
        parts.push(format!("{}/s", words::bytes(rate)));
    }
    if let Some(seconds) = progress.seconds_left {
        let left = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        parts.push(format!("about {} left (an estimate)", words::duration(left)));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use charon_engine::{Counts, Progress};

    use super::{progress, summary};

    #[test]
    fn what_is_left_is_told_as_an_estimate_and_only_where_there_is_one() {
        // I10
        let counts = Counts { done: 1_200, unchanged: 4, ..Counts::default() };
        let far = Progress { items: counts, bytes: 4_200_000, found: 12_408, ..Progress::default() };
        assert_eq!(summary(&far), "1,204 of 12,408 items found so far · 4.2 MB");
        assert!(!progress(&far).into_string().contains("value="));
        let far =
            Progress { found_all: true, bytes_per_second: Some(1_000_000), seconds_left: Some(200), ..far };
        assert_eq!(
            summary(&far),
            "1,204 of 12,408 items · 4.2 MB · 1.0 MB/s · about 3 min 20 s left (an estimate)"
        );
        assert!(progress(&far).into_string().contains("max=\"12408\" value=\"1204\""));
    }
}
