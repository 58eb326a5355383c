//! What is told, in words.

use charon_notify::{Event, ItemCounts, Notice};
use jiff::Timestamp;

use crate::{
    numbers::with_commas,
    store::{ItemRecord, ToldRun},
};

/// The notice of an event of a run. `failed` are some of the items that failed.
pub(crate) fn of_run(
    id: String,
    event: Event,
    run: &ToldRun,
    failed: &[ItemRecord],
    in_a_row: u32,
) -> Notice {
    let plan = &run.plan;
    let title = match event {
        Event::Started => format!("{plan}: a run has begun"),
        Event::Success => format!("{plan}: everything is done"),
        Event::Partial if run.items.failed == 1 => format!("{plan}: 1 item failed"),
        Event::Partial => format!("{plan}: {} items failed", with_commas(run.items.failed)),
        Event::NeedsAttention => format!("{plan}: it waits for you"),
        Event::Recovered => format!("{plan}: all is well again"),
        Event::FailuresInARow => format!("{plan}: {in_a_row} runs in a row have failed"),
        Event::Failure | Event::Overdue | Event::Test => format!("{plan}: the run failed"),
    };
    Notice {
        plan: Some(plan.clone()),
        run: Some(run.run.to_string()),
        state: Some(run.state.as_str().to_owned()),
        counts: ItemCounts {
            done: run.items.done,
            unchanged: run.items.unchanged,
            skipped: run.items.skipped,
            failed: run.items.failed,
        },
        bytes: run.bytes,
        started_at: run.started_at,
        ended_at: run.ended_at,
        in_a_row: (event == Event::FailuresInARow).then_some(in_a_row),
        ..Notice::new(id, event, title, text_of_run(event, run, failed))
    }
}

fn text_of_run(event: Event, run: &ToldRun, failed: &[ItemRecord]) -> String {
    if event == Event::Started {
        return format!("A run of the plan {} has begun.", run.plan);
    }
    let mut lines = Vec::new();
    lines.extend(run.stop.as_ref().map(|stop| stop.message.clone()));
    let items = run.items;
    lines.push(format!(
        "{} done, {} unchanged, {} skipped, {} failed; {} bytes moved",
        with_commas(items.done),
        with_commas(items.unchanged),
        with_commas(items.skipped),
        with_commas(items.failed),
        with_commas(run.bytes),
    ));
    for item in failed {
        lines.push(format!("{}: {}", item.name, item.reason.as_deref().unwrap_or("it failed")));
    }
    let untold = items.failed.saturating_sub(failed.len() as u64);
    if untold > 0 && !failed.is_empty() {
        lines.push(format!("and {} more", with_commas(untold)));
    }
    lines.join("\n")
}

/// The notice of a plan that has had no good run since then, so many days ago.
pub(crate) fn overdue(
    id: String,
    plan: &str,
    last_good: Option<Timestamp>,
    since: Timestamp,
    days: u32,
) -> Notice {
    let for_so_long = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
    let title = format!("{plan}: no good run for {for_so_long}");
    let text = match last_good {
        Some(last_good) => format!(
            "The last run of the plan {plan} in which everything was done ended at {last_good}. `charon runs {plan}` shows what \
             came of the runs since."
        ),
        None => format!(
            "The plan {plan} was made at {since}, and there has been no run yet in which everything was done. `charon runs \
             {plan}` shows what came of its runs."
        ),
    };
    Notice {
        plan: Some(plan.to_owned()),
        last_good_at: last_good,
        ..Notice::new(id, Event::Overdue, title, text)
    }
}
