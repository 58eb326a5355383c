//! Whether anything more may join a batch: a count of everything that may still bring something. When it falls to zero, a
//! batch that is not full need not wait.

use tokio::sync::watch;

/// Counts what may still come.
#[derive(Clone, Debug)]
pub(super) struct Coming {
    count: watch::Sender<usize>,
}

/// One thing that may still come; it no longer may when this is dropped.
#[derive(Debug)]
pub(super) struct One {
    count: watch::Sender<usize>,
}

impl Coming {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::new(0) }
    }

    /// One thing more that may come.
    pub(super) fn one(&self) -> One {
        self.count.send_modify(|count| *count += 1);
        One { count: self.count.clone() }
    }

    /// Waits until nothing may come.
    pub(super) async fn nothing(&self) {
        let mut count = self.count.subscribe();
        // It cannot be closed: `self` holds a sender.
        drop(count.wait_for(|count| *count == 0).await);
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count -= 1);
    }
}
