//! What the scheduler and a large database cost: `cargo bench -p charon --bench scheduler` (add `-- --quick` for a tenth of the
//! items and runs, and a shorter look at idleness).
//!
//! A thousand plans in one database: how long `charon serve` takes to begin, what it uses while nothing is due, and how late a run
//! begins. Half a million items and a hundred thousand runs: how large the database is, and how long any page of any list takes.
//! Figures are printed beside what is promised; machines are noisy, so one that falls short is told and is no failure.

mod ledger;
mod serve;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        serve::measure(if quick { 10 } else { 60 }).await;
        ledger::measure(if quick { 10 } else { 1 }).await;
    });
}

/// Prints a figure beside what is promised.
fn told(what: &str, figure: &str, is_kept: bool, promise: &str) {
    let verdict = if is_kept { "kept" } else { "NOT KEPT in this run" };
    println!("{what}: {figure} ({promise}: {verdict})");
}
