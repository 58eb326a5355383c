//! `charon plan preview` and `charon run --dry-run`: what a run would do and cost.

use charon_engine::{Engine, Estimate};

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
    let Estimate { items, skipped, new, bytes: size, requests, days, by } = estimate;
    let size = size.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
    let total: u64 = requests.values().sum();
    let time = match (days, by) {
        (0 | 1, _) => "today".to_owned(),
        (days, Some(meter)) => format!("about {days} days, by the daily limit of {meter}"),
        (days, None) => format!("about {days} days"),
    };
    let mut text = format!(
        "{plan}: {} items, {} to be moved{size}, about {} requests, {time}",
        grouped(*items),
        grouped(*new),
        grouped(total)
    );
    if *skipped > 0 {
        text += &format!("\n  left out: {}", grouped(*skipped));
    }
    for (meter, count) in requests {
        text += &format!("\n  {meter}: {}", grouped(*count));
    }
    text + "\nThis is an estimate: what is tried again, and the chunks of large files, are not in it. Nothing was moved."
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (31_204, "31,204"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
