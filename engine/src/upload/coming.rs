//! Whether anything more may join a batch: a count of everything that may still bring something, and of those who would if there
//! were room. When both fall to zero, a batch that is not full need not wait.

use tokio::sync::watch;

/// Counts what may still come.
#[derive(Clone, Debug)]
pub(super) struct Coming {
    counts: watch::Sender<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    coming: usize,
    waiting: usize,
}

/// One thing that may still come; it no longer may when this is dropped.
#[derive(Debug)]
pub(super) struct One {
    counts: watch::Sender<Counts>,
}

/// One who waits for room, until this is dropped.
#[derive(Debug)]
pub(super) struct Waits {
    counts: watch::Sender<Counts>,
}

impl Coming {
    pub(super) fn new() -> Self {
        Self { counts: watch::Sender::new(Counts::default()) }
    }

    /// One thing more that may come.
    pub(super) fn one(&self) -> One {
        self.counts.send_modify(|counts| counts.coming += 1);
        One { counts: self.counts.clone() }
    }

    /// One more who waits for room.
    pub(super) fn waits(&self) -> Waits {
        self.counts.send_modify(|counts| counts.waiting += 1);
        Waits { counts: self.counts.clone() }
    }

    /// Waits until nothing may come. Those who wait for room come as soon as there is some, unless `is_full` says that there will be
    /// none.
    pub(super) async fn nothing(&self, is_full: bool) {
        let mut counts = self.counts.subscribe();
        // It cannot be closed: `self` holds a sender.
        drop(counts.wait_for(|counts| counts.coming == 0 && (is_full || counts.waiting == 0)).await);
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.counts.send_modify(|counts| counts.coming -= 1);
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.counts.send_modify(|counts| counts.waiting -= 1);
    }
}
