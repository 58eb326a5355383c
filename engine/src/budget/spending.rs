//! What one opening of a storage spends: which meters count its requests, and who asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use charon_provider::{Class, Cost, Error as StorageError, Meter, Reason};
use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Ahead, Budgets, Counter, Purpose, ahead, counter::Refusal};
use crate::{clock::Clock, error::Error, numbers::with_commas, parking};

/// A server that says so shortly after the beginning of a day that nothing is left has not begun its day yet: clocks differ.
const DAWN: SignedDuration = SignedDuration::from_mins(15);
const DOING: &str = "make a request";

/// The budget, as one opening of a storage sees it.
#[derive(Debug)]
pub(crate) struct Spending {
    budgets: Budgets,
    clock: Arc<dyn Clock>,
    purpose: Purpose,
    /// Known once the storage is open; until then, and where no meter is declared, nothing is counted.
    counters: OnceLock<BTreeMap<&'static str, Arc<Counter>>>,
    /// When the meter starts again that has refused a request.
    refused_until: Mutex<Option<Timestamp>>,
}

impl Spending {
    pub(crate) fn new(budgets: Budgets, purpose: Purpose) -> Self {
        let clock = Arc::clone(&budgets.clock);
        Self { budgets, clock, purpose, counters: OnceLock::new(), refused_until: Mutex::default() }
    }

    /// Takes what the storage declares, once it is open.
    pub(crate) fn declare(&self, meters: &[Meter]) {
        let counters = || meters.iter().map(|meter| (meter.id, self.budgets.counter(meter))).collect();
        self.counters.get_or_init(counters);
    }

    /// Permits one request, and counts it.
    ///
    /// # Errors
    /// [`Reason::OverBudget`] when it does not fit; class `Destination` when it could not be counted.
    pub(crate) async fn permit(&self, cost: Cost) -> Result<(), StorageError> {
        let Some(counter) = self.counter(cost.0) else { return Ok(()) };
        let now = self.clock.now();
        let mut purpose = self.purpose;
        if let Some(purse) = ahead::purse() {
            if purse.spend(cost.0, counter.day(now)) {
                return Ok(());
            }
            purpose = purse.purpose();
        }
        let mut taken = self.take(counter, 1, purpose, now).await?;
        taken.spend_all();
        Ok(())
    }

    /// Takes requests ahead: all of them, or none.
    ///
    /// # Errors
    /// As for [`permit`](Spending::permit). Class `Config` when even a whole day has not so many.
    pub(crate) async fn ahead(
        &self,
        wanted: &BTreeMap<&'static str, u32>,
    ) -> Result<Vec<Ahead>, StorageError> {
        let now = self.clock.now();
        let mut taken = Vec::new();
        for (meter, count) in wanted.iter().filter(|(_, count)| **count > 0) {
            if let Some(counter) = self.counter(meter) {
                taken.push(self.take(counter, *count, self.purpose, now).await?);
            }
        }
        Ok(taken)
    }

    async fn take(
        &self,
        counter: &Arc<Counter>,
        wanted: u32,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Ahead, StorageError> {
        let failed =
            |error: Error| StorageError::new(Class::Destination, "count a request", error.to_string());
        let refusal = match counter.take(wanted, purpose, now).await.map_err(failed)? {
            Ok(taken) => return Ok(taken),
            Err(refusal) => refusal,
        };
        let meter = counter.meter();
        if purpose == Purpose::Run && wanted > counter.for_runs() {
            let cause = format!(
                "one step takes {wanted} requests of {}, and runs have only {} a day",
                meter.id,
                counter.for_runs()
            );
            let error = StorageError::new(Class::Config, DOING, cause);
            return Err(error.cured_by("raise the storage's daily limit, if the quota allows it"));
        }
        *self.refused_until() = refusal.until;
        let error = StorageError::new(Class::Quota, DOING, in_words(meter, &refusal));
        Err(error.because(Reason::OverBudget).at_cost(Cost(meter.id)))
    }

    /// How many requests of a meter runs have on a whole day; `None` for as many as they want.
    pub(crate) fn of_a_day(&self, meter: &str) -> Option<u32> {
        self.counter(meter).map(|counter| counter.for_runs())
    }

    /// The day that it is now, as the meter has it; `None` of one that is not counted.
    pub(crate) fn day(&self, meter: &str) -> Option<Date> {
        self.counter(meter).map(|counter| counter.day(self.clock.now()))
    }

    /// What runs have left today, by meter.
    pub(crate) async fn left_today(&self) -> Result<BTreeMap<&'static str, u64>, Error> {
        let mut left = BTreeMap::new();
        for counter in self.counters() {
            let meter = counter.meter();
            let view = self.budgets.view(meter).await?;
            left.insert(meter.id, view.left_for_runs);
        }
        Ok(left)
    }

    /// Takes an error: if it is the server that says that the day's quota is spent, nobody asks it again before the meter
    /// starts again, except a person.
    pub(crate) async fn learn_from(&self, error: &StorageError) {
        if error.class != Class::Quota || error.reason == Reason::OverBudget {
            return;
        }
        let Some(counter) = error.cost.and_then(|cost| self.counter(cost.0)) else { return };
        if self.is_dawn(counter.meter()) {
            return;
        }
        if let Err(error) = self.budgets.set_spent(counter.meter(), true).await {
            tracing::warn!(%error, "that a quota is spent could not be remembered");
        }
    }

    /// What a person has looked into works again, whatever the server has said before.
    pub(crate) async fn it_works(&self) -> Result<(), Error> {
        for counter in self.counters() {
            let meter = counter.meter();
            if self.budgets.view(meter).await?.spent_by_server {
                self.budgets.set_spent(meter, false).await?;
            }
        }
        Ok(())
    }

    /// Until when it is of no use to go on after an error of the class `Quota`.
    pub(crate) fn until(&self, error: &StorageError, meters: &[Meter]) -> Option<Timestamp> {
        let now = self.clock.now();
        if error.reason == Reason::OverBudget {
            let until = *self.refused_until();
            return until.or_else(|| parking::next_reset(meters, now));
        }
        let spent = meters.iter().find(|meter| error.cost == Some(Cost(meter.id)));
        match spent {
            Some(meter) if self.is_dawn(meter) => now.checked_add(DAWN).ok(),
            Some(meter) => parking::reset_after(&meter.resets, now),
            None => parking::next_reset(meters, now),
        }
    }

    /// Whether the day of a meter is so young that the server's may not have begun.
    fn is_dawn(&self, meter: &Meter) -> bool {
        let now = self.clock.now();
        let before = now.checked_sub(DAWN).unwrap_or(now);
        parking::day_of(&meter.resets, before) != parking::day_of(&meter.resets, now)
    }

    /// Gives back what was taken and not used. To be called when nothing more is asked.
    pub(crate) async fn give_back(&self) {
        for counter in self.counters() {
            if let Err(error) = counter.give_back().await {
                tracing::warn!(%error, "requests that were not made stay counted");
            }
        }
    }

    fn counter(&self, meter: &str) -> Option<&Arc<Counter>> {
        self.counters.get()?.get(meter)
    }

    fn counters(&self) -> impl Iterator<Item = &Arc<Counter>> {
        self.counters.get().into_iter().flat_map(BTreeMap::values)
    }

    fn refused_until(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        self.refused_until.lock().expect("nothing panics while it holds a time")
    }
}

/// Why a request was not permitted, for people.
fn in_words(meter: &Meter, refusal: &Refusal) -> String {
    let limit = with_commas(meter.limit.into());
    let (id, account) = (meter.id, &meter.account);
    let until = refusal.until.map_or_else(String::new, |until| {
        format!("; the count starts again at {}", until.strftime("%H:%M UTC"))
    });
    if refusal.is_by_server {
        return format!(
            "the server has said that nothing is left of the day's {id} requests of project {account}{until} (if it has \
             more to give now, a test of the storage that passes tells that)"
        );
    }
    let kept = match refusal.kept {
        0 => String::new(),
        kept => format!(" but for {} that are kept for your own use", with_commas(kept.into())),
    };
    if refusal.left == 0 {
        return format!("the day's {limit} {id} requests of project {account} are used up{kept}{until}");
    }
    let (left, wanted) = (with_commas(refusal.left.into()), with_commas(refusal.wanted.into()));
    format!(
        "of the day's {limit} {id} requests of project {account}, {left} are left{kept}, and the next step takes {wanted}{until}"
    )
}
