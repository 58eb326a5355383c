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

/// `home: 31,204 items, 31,100 of them new (about 240 GB), 31,829 requests, about 4 days`.
fn tell(plan: &str, estimate: &Estimate) -> String {
    let Estimate { items, skipped, unfit, held_back, new, bytes: size, requests, days, by } = estimate;
    let size = size.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
    let total: u64 = requests.values().sum();
    let time = match (days, by) {
        (0 | 1, _) => "today".to_owned(),
        (days, Some(meter)) => format!("about {days} days, by the daily limit of {meter}"),
        (days, None) => format!("about {days} days"),
    };
    let mut text = format!(
        "{plan}: {} items, {} to be moved{size}, about {} requests, {time}",
        with_commas(*items),
        with_commas(*new),
        with_commas(total)
    );
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
        text += &format!("\n  {meter}: {}", with_commas(*count));
    }
    text + "\nThis is an estimate: what is tried again, and the chunks of large files, are not in it. Nothing was moved."
}
