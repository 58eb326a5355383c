//! How many transfers go on at a time. It adapts: halved when the account asks to slow down, one more after a series of
//! transfers that worked (additive increase, multiplicative decrease, as TCP does it).

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many transfers in a row that worked earn one slot more.
const FOR_ONE_MORE: usize = 50;

#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The most that there may ever be.
    ceiling: usize,
    /// How many there are now; never 0.
    limit: usize,
    /// How many of those that are taken will not come back.
    surplus: usize,
    /// How many transfers have worked since the limit changed.
    worked: usize,
}

/// One slot, taken.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Always there until it is dropped.
    permit: Option<OwnedSemaphorePermit>,
    free: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

impl Slots {
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { ceiling, limit: ceiling, surplus: 0, worked: 0 };
        Self { free: Arc::new(Semaphore::new(ceiling)), state: Arc::new(Mutex::new(state)) }
    }

    /// Another ceiling; a limit that stood at the old one goes with it.
    pub(super) fn set_ceiling(&self, ceiling: usize) {
        let ceiling = ceiling.clamp(1, Semaphore::MAX_PERMITS);
        let mut state = locked(&self.state);
        let was_at_it = state.limit == state.ceiling;
        state.ceiling = ceiling;
        let limit = if was_at_it { ceiling } else { state.limit.min(ceiling) };
        state.set_limit(limit, &self.free);
    }

    pub(super) async fn take(&self) -> Transfer {
        let permit = Arc::clone(&self.free).acquire_owned().await.expect("it is never closed");
        Transfer { permit: Some(permit), free: Arc::clone(&self.free), state: Arc::clone(&self.state) }
    }

    pub(super) fn halve(&self) {
        let mut state = locked(&self.state);
        let half = (state.limit / 2).max(1);
        state.worked = 0;
        state.set_limit(half, &self.free);
    }

    #[cfg(test)]
    pub(super) fn limit(&self) -> usize {
        locked(&self.state).limit
    }
}

impl State {
    fn set_limit(&mut self, limit: usize, free: &Semaphore) {
        if limit < self.limit {
            let fewer = self.limit - limit;
            // Those that are taken go when they come back.
            self.surplus += fewer - free.forget_permits(fewer);
        } else {
            let more = limit - self.limit;
            let stay = more.min(self.surplus);
            self.surplus -= stay;
            free.add_permits(more - stay);
        }
        self.limit = limit;
    }
}

impl Transfer {
    /// Gives the slot back after a transfer that worked.
    pub(crate) fn worked(self) {
        let mut state = locked(&self.state);
        state.worked += 1;
        if state.worked >= FOR_ONE_MORE {
            state.worked = 0;
            let limit = (state.limit + 1).min(state.ceiling);
            state.set_limit(limit, &self.free);
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let mut state = locked(&self.state);
        if state.surplus > 0 {
            state.surplus -= 1;
            permit.forget();
        }
    }
}

fn locked(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().expect("nothing panics while it holds the slots")
}
