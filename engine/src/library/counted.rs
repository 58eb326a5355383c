//! What is counted over a whole library is kept: as long as nothing is written to the database, and a few seconds longer while
//! something is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;

use super::LibraryAlbum;
use crate::{
    clock::Clock,
    error::Error,
    ids::PlanId,
    store::{MonthOfClasses, OfFidelity, Store},
};

/// How old a count may be while the database changes.
const FRESH: Duration = Duration::from_secs(5);

/// How old a count may be at all.
const LONGEST: Duration = Duration::from_hours(1);

/// What was counted, by plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    months: Kept<MonthOfClasses>,
    albums: Kept<LibraryAlbum>,
    fidelities: Kept<OfFidelity>,
}

type Kept<T> = Arc<Mutex<HashMap<PlanId, Count<T>>>>;

#[derive(Debug)]
struct Count<T> {
    version: i64,
    at: Timestamp,
    found: Arc<[T]>,
}

impl Counted {
    pub(super) async fn months(
        &self,
        store: &Store,
        clock: &dyn Clock,
        plan: PlanId,
    ) -> Result<Arc<[MonthOfClasses]>, Error> {
        kept(&self.months, store, clock, plan, FRESH, async || store.library_months(plan).await).await
    }

    pub(super) async fn albums(
        &self,
        store: &Store,
        clock: &dyn Clock,
        plan: PlanId,
    ) -> Result<Arc<[LibraryAlbum]>, Error> {
        kept(&self.albums, store, clock, plan, FRESH, async || store.library_albums(plan).await).await
    }

    /// These are never older than what was written last: one who has just verified a mirror looks at them.
    pub(super) async fn fidelities(
        &self,
        store: &Store,
        clock: &dyn Clock,
        plan: PlanId,
        since: (Timestamp, Timestamp),
    ) -> Result<Arc<[OfFidelity]>, Error> {
        let count = async || store.count_by_fidelity(plan, since).await;
        kept(&self.fidelities, store, clock, plan, Duration::ZERO, count).await
    }
}

async fn kept<T>(
    kept: &Kept<T>,
    store: &Store,
    clock: &dyn Clock,
    plan: PlanId,
    fresh: Duration,
    count: impl AsyncFnOnce() -> Result<Vec<T>, Error>,
) -> Result<Arc<[T]>, Error> {
    // Asked first: what is written while it counts makes the count an old one.
    let (version, at) = (store.data_version().await?, clock.now());
    let locked = || kept.lock().expect("nothing panics while it holds the counts");
    let is_good = |count: &&Count<T>| {
        // A clock that was set back makes no count fresh.
        let age = Duration::try_from(at.duration_since(count.at));
        // Some counts are of the last days.
        age.is_ok_and(|age| age < fresh || (count.version == version && age < LONGEST))
    };
    if let Some(found) = locked().get(&plan).filter(is_good).map(|count| Arc::clone(&count.found)) {
        return Ok(found);
    }
    let found: Arc<[T]> = count().await?.into();
    locked().insert(plan, Count { version, at, found: Arc::clone(&found) });
    Ok(found)
}
