//! What is refused again and again is not written down each time: the first ones of an hour are, then the 32nd, the 64th, the 128th,
//! and so on, each with how many there were since the one before. Who is alike is told by who asks and by the status, not by where
//! and what: those can be invented without an end.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// So many are written down one by one.
const ONE_BY_ONE: u64 = 20;
/// Then it begins anew.
const LASTS: SignedDuration = SignedDuration::from_hours(1);
/// Beyond so many, those whose hour is over are forgotten.
const MANY: usize = 1024;

/// Counts what is refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<(String, u16), Count>>);

#[derive(Debug)]
struct Count {
    since: Timestamp,
    seen: u64,
    /// Since the last one that was written down.
    untold: u64,
}

impl Refusals {
    /// Counts one. If it is to be written down, for how many it stands.
    pub(super) fn count(&self, who: &str, status: u16, now: Timestamp) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |count: &Count| now.duration_since(count.since).abs() >= LASTS;
        if counts.len() >= MANY {
            counts.retain(|_, count| !is_over(count));
        }
        let fresh = || Count { since: now, seen: 0, untold: 0 };
        let count = counts.entry((who.to_owned(), status)).or_insert_with(fresh);
        if is_over(count) {
            (count.since, count.seen) = (now, 0);
        }
        count.seen += 1;
        count.untold += 1;
        let is_told = count.seen <= ONE_BY_ONE || count.seen.is_power_of_two();
        is_told.then(|| std::mem::take(&mut count.untold))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Refusals;

    #[test]
    fn a_hundred_thousand_refusals_are_a_few_entries_and_each_is_counted() {
        let refusals = Refusals::default();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let told: Vec<u64> =
            (0..100_000).filter_map(|_| refusals.count("token reader", 403, at(0))).collect();
        assert_eq!(told.len(), 20 + 12);
        assert_eq!((told[..20].iter().sum::<u64>(), &told[20..23]), (20, &[12, 32, 64][..]));
        // Others are told all the same, and so is the same one when the hour is over, with those that were not told.
        assert_eq!(refusals.count("token reader", 404, at(0)), Some(1));
        assert_eq!(refusals.count("admin", 403, at(0)), Some(1));
        assert_eq!(refusals.count("token reader", 403, at(3599)), None);
        let later = refusals.count("token reader", 403, at(3600)).expect("it is told");
        assert_eq!(told.iter().sum::<u64>() + later, 100_002);
        assert_eq!(refusals.count("token reader", 403, at(3600)), Some(1));
    }
}
