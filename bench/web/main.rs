//! What the web UI costs: `cargo bench -p charon --bench web` (add `-- --quick` for a tenth of the items and runs, and `thumbnails`,
//! `library`, `pages` or `sse` for that part alone).
//!
//! Thumbnails: how long one core takes for one of a picture of twelve megapixels. The library: how long the server takes for any of
//! its pages with half a million items, and how large the first screen is. Pages: the same for the dashboard, the runs and the plans,
//! with ten thousand runs. Listeners: what 200 of them cost a running backup. Figures are printed beside what is promised; machines
//! are noisy, so one that falls short is told and is no failure.

mod client;
#[path = "../scheduler/ledger.rs"]
#[expect(
    dead_code,
    reason = "only the database is filled here; its own lists are measured by the other benchmark"
)]
mod ledger;
mod library;
mod pages;
mod sse;
mod thumbnails;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let part = if quick { 10 } else { 1 };
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    if is_wanted("thumbnails") {
        thumbnails::measure();
    }
    if is_wanted("library") {
        library::measure(part);
    }
    if is_wanted("pages") {
        pages::measure(part);
    }
    if is_wanted("sse") {
        sse::measure(part);
    }
}

/// Prints a figure beside what is promised.
fn told(what: &str, figure: &str, is_kept: bool, promise: &str) {
    let verdict = if is_kept { "kept" } else { "NOT KEPT in this run" };
    println!("{what}: {figure} ({promise}: {verdict})");
}

/// The value at so many hundredths of them.
fn at(took: &mut [f64], hundredths: usize) -> f64 {
    took.sort_by(f64::total_cmp);
    took[(took.len() - 1) * hundredths / 100]
}
