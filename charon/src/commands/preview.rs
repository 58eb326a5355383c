//! `charon plan preview` and `charon run --dry-run`: what a run would do and cost.

use charon_engine::{Engine, Estimate, with_commas};

use crate::{
    exit::{Exit, Failure},
    output::{Output, bytes},
    signals::interrupted,
};

pub(crate) async fn run(engine: &Engine, plan: &str, output: Output) -> Result<Exit, Failure> {
    let stop = interrupted();
    let estimate = tokio::select! {
        estimate = engine.estimate(plan) => estimate?,
        () = stop => return Ok(Exit::Interrupted),
    };
    output.print(&estimate, || tell(plan, &estimate))?;
    Ok(Exit::Done)
}

/// `home: 31,204 items, 31,829 requests, about 4 days`, and the rest below it.
fn tell(plan: &str, estimate: &Estimate) -> String {
    let Estimate {
        skipped, unfit, held_back, new, bytes: size, requests, requests_left_today, days, by, ..
    } = estimate;
    let size = size.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
    let mut text = format!("{plan}: {}\n  to be moved: {}{size}", estimate.sentence(), with_commas(*new));
    if *skipped > 0 {
        text += &format!("\n  left out: {}", with_commas(*skipped));
    }
    if *unfit > 0 {
        text += &format!("\n  cannot be sent: {}", with_commas(*unfit));
    }
    if *held_back > 0 {
        text += &format!("\n  refused before, tried again later: {}", with_commas(*held_back));
    }
    for (meter, count) in requests {
        text += &format!("\n  requests of {meter}: {}", with_commas(*count));
        if let Some(left) = requests_left_today.get(meter) {
            text += &format!(", of which {} are left for runs today", with_commas(*left));
        }
    }
    if let (Some(by), 2..) = (by, days) {
        text += &format!(
            "\n  it takes so long by the daily limit of {by}: a run is parked when the day's requests are used up"
        );
    }
    text + "\nThis is an estimate: what is tried again, and the chunks of large files, are not in it. Nothing was moved."
}
