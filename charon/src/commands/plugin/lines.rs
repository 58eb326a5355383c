//! Standard output, an event a line. A host that reads slowly holds up nobody but itself: only progress is left out for it.

use std::io::{self, Write};

use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Lines that may wait for a host that is not reading.
const ROOM: usize = 64;

/// Where the events go.
#[derive(Debug)]
pub(super) struct Lines {
    queue: mpsc::Sender<String>,
    gone: CancellationToken,
    writer: JoinHandle<()>,
}

impl Lines {
    pub(super) fn to_stdout() -> Self {
        let (queue, mut lines) = mpsc::channel::<String>(ROOM);
        let gone = CancellationToken::new();
        let nobody_reads = gone.clone();
        // A pipe that is full blocks its writer, which therefore is a thread of its own.
        let writer = tokio::task::spawn_blocking(move || {
            while let Some(line) = lines.blocking_recv() {
                let mut stdout = io::stdout().lock();
                if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
                    nobody_reads.cancel();
                    return;
                }
            }
        });
        Self { queue, gone, writer }
    }

    /// Cancelled as soon as it turns out that nobody reads any more.
    pub(super) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Prints an event. Waits while too many are waiting already.
    pub(super) async fn send(&self, event: &impl Serialize) {
        // It fails when nobody reads any more, and then there is nobody to be told.
        self.queue.send(line(event)).await.ok();
    }

    /// Prints an event, unless too many are waiting already.
    pub(super) fn offer(&self, event: &impl Serialize) {
        // What is left out is told again, and better, by the next one.
        self.queue.try_send(line(event)).ok();
    }

    /// Waits until everything is printed.
    pub(super) async fn finish(self) {
        drop(self.queue);
        // It ends by itself; if it panicked there is nothing left to be done about it.
        self.writer.await.ok();
    }
}

fn line(event: &impl Serialize) -> String {
    serde_json::to_string(event).expect("an event has string keys and finite numbers")
}
