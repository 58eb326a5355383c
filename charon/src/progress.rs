//! Progress of a run on standard error: a bar on a terminal, a line now and then elsewhere.

use std::{convert::Infallible, io::IsTerminal, time::Duration};

use charon_engine::Progress;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use tokio::{sync::watch, time::Instant};

use crate::output::{bytes, say_aside};

/// Between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// Between two pictures of the bar.
const BETWEEN_FRAMES: Duration = Duration::from_millis(100);

/// Shows progress until it is dropped.
pub(crate) async fn show(name: &str, progress: watch::Receiver<Progress>, quiet: bool) -> Infallible {
    if !quiet {
        if std::io::stderr().is_terminal() {
            draw(name, progress).await;
        } else {
            write_lines(name, progress).await;
        }
    }
    std::future::pending().await
}

async fn draw(name: &str, mut progress: watch::Receiver<Progress>) {
    // Cleared when it is dropped.
    let bar = ProgressBar::new(0).with_finish(ProgressFinish::AndClear);
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}").expect("the template is right");
    bar.set_style(style.progress_chars("=> "));
    bar.set_prefix(name.to_owned());
    loop {
        let now = progress.borrow_and_update().clone();
        bar.set_length(now.found.max(1));
        bar.set_position(now.items.total());
        bar.set_message(line(&now));
        tokio::time::sleep(BETWEEN_FRAMES).await;
        if progress.changed().await.is_err() {
            break;
        }
    }
}

async fn write_lines(name: &str, mut progress: watch::Receiver<Progress>) {
    let mut next = Instant::now() + BETWEEN_LINES;
    while progress.changed().await.is_ok() {
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + BETWEEN_LINES;
        say_aside(&format!("{name}: {}", line(&progress.borrow_and_update())));
    }
}

/// What is done, of what has been found so far.
fn line(progress: &Progress) -> String {
    let Progress { items, found, found_all, .. } = progress;
    let of = if *found_all { format!("{found}") } else { format!("{found} found so far") };
    let mut line = format!("{} of {of}, {}", items.total(), bytes(progress.bytes));
    if items.unchanged > 0 {
        line += &format!(", {} unchanged", items.unchanged);
    }
    if items.failed > 0 {
        line += &format!(", {} failed", items.failed);
    }
    if let Some(rate) = progress.bytes_per_second.filter(|rate| *rate > 0) {
        line += &format!(", {}/s", bytes(rate));
    }
    if let Some(left) = progress.seconds_left.filter(|left| *left > 0) {
        line += &format!(", about {} left", duration(left));
    }
    if let Some(waiting) = &progress.waiting {
        line += &format!(" ({waiting})");
    }
    line
}

/// A length of time as people say it, no more precisely than an estimate is.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use charon_engine::{Counts, Progress};

    use super::line;

    #[test]
    fn a_line_tells_what_is_done_how_fast_and_how_long_the_rest_takes() {
        let progress = Progress {
            items: Counts { done: 300, unchanged: 100, ..Counts::default() },
            bytes: 900_000_000,
            found: 1_000,
            found_all: true,
            bytes_per_second: Some(2_500_000),
            seconds_left: Some(7_290),
            ..Progress::default()
        };
        assert_eq!(line(&progress), "400 of 1000, 900.00 MB, 100 unchanged, 2.50 MB/s, about 2 h 1 min left");
        let beginning =
            Progress { waiting: Some("lane of Family busy with Nightly".into()), ..Progress::default() };
        assert_eq!(line(&beginning), "0 of 0 found so far, 0 B (lane of Family busy with Nightly)");
    }
}
