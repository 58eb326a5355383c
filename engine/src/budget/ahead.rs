//! Requests that are taken ahead: they are counted already, and whoever holds them can be sure of them for the rest of the day.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use jiff::civil::Date;

use super::{Counter, Purpose};

tokio::task_local! {
    /// What the work of this task is paid from, before anything else.
    static PAYS: Arc<Purse>;
}

/// Some requests of one meter and one day. Those that are not used go back when this is dropped.
#[derive(Debug)]
pub(crate) struct Ahead {
    counter: Arc<Counter>,
    day: Date,
    left: u32,
}

impl Ahead {
    pub(super) fn new(counter: Arc<Counter>, day: Date, left: u32) -> Self {
        Self { counter, day, left }
    }

    /// Some that are used as soon as they are taken: they do not go back.
    pub(super) fn used(counter: Arc<Counter>, day: Date) -> Self {
        Self { counter, day, left: 0 }
    }

    pub(crate) fn meter(&self) -> &'static str {
        self.counter.meter().id
    }

    pub(super) fn day(&self) -> Date {
        self.day
    }

    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Uses all of them; gives how many they were.
    pub(super) fn spend_all(&mut self) -> u32 {
        mem::take(&mut self.left)
    }

    /// Some of them, apart: as many as wanted, if there are so many.
    pub(crate) fn split(&mut self, wanted: u32) -> Self {
        let some = wanted.min(self.left);
        self.left -= some;
        Self { counter: Arc::clone(&self.counter), day: self.day, left: some }
    }

    /// Adds those of the same day.
    pub(super) fn join(&mut self, mut other: Self) {
        if other.day == self.day {
            self.left += other.spend_all();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.counter.put_back(self.day, mem::take(&mut self.left));
    }
}

/// Requests that are kept for one purpose.
#[derive(Debug)]
pub(crate) struct Purse {
    held: Mutex<Vec<Ahead>>,
    /// Who goes on asking when it is empty.
    purpose: Purpose,
}

impl Purse {
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self { held: Mutex::default(), purpose }
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(crate) fn put(&self, more: impl IntoIterator<Item = Ahead>) {
        self.held().extend(more);
    }

    /// How many of a meter it holds that are worth something on this day.
    pub(crate) fn holds(&self, meter: &str, day: Date) -> u32 {
        self.held().iter().filter(|ahead| is(ahead, meter, day)).map(Ahead::left).sum()
    }

    /// Takes so many out of it, or as many as there are.
    pub(crate) fn take(&self, meter: &str, day: Date, wanted: u32) -> Vec<Ahead> {
        let mut missing = wanted;
        let mut taken = Vec::new();
        let mut held = self.held();
        for ahead in held.iter_mut().filter(|ahead| is(ahead, meter, day)) {
            let some = ahead.split(missing);
            missing -= some.left();
            taken.push(some);
        }
        // What is empty, or of another day, is worth nothing.
        let worthless =
            held.extract_if(.., |ahead| ahead.left() == 0 || ahead.day() != day).collect::<Vec<_>>();
        drop(held);
        drop(worthless);
        taken
    }

    /// Uses one of them, if there is one.
    pub(super) fn spend(&self, meter: &str, day: Date) -> bool {
        self.take(meter, day, 1).iter_mut().map(Ahead::spend_all).sum::<u32>() > 0
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<Ahead>> {
        self.held.lock().expect("nothing panics while it holds a purse")
    }
}

fn is(ahead: &Ahead, meter: &str, day: Date) -> bool {
    ahead.meter() == meter && ahead.day() == day
}

/// Does it, paid from this purse first.
pub(crate) async fn paying<T>(purse: Arc<Purse>, work: impl Future<Output = T>) -> T {
    PAYS.scope(purse, work).await
}

/// What the work of this task is paid from, if that was said.
pub(super) fn purse() -> Option<Arc<Purse>> {
    PAYS.try_with(Arc::clone).ok()
}
