//! The dashboard: what is said of the plans at a glance, what calls for somebody, how the last days went. Everything in it is
//! concluded from facts by functions that look at nothing else (`sentence`, `attention`, `strip`), and the facts are cheap,
//! however many runs and items there are (`facts`, `remembered`).

mod attention;
mod facts;
mod remembered;
mod sentence;
mod strip;
mod words;

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use attention::NotTakenLately;
pub use attention::{Attention, Cure};
pub(crate) use remembered::Remembered;
pub use sentence::{Sentence, Tone};
pub use strip::{DayOfPlan, DayVerdict};

use crate::{
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId, StorageId},
    plan::PlanConfig,
    plans::{config_of, next_at},
    run::{Progress, RunState},
    scheduler::{self, Waiting},
    store::{DayOfRuns, LiveRun, NotRun, PlanRow},
    telling::{DeliveryState, overdue_since},
};
use attention::DeafChannel;
use facts::{Live, PlanFacts, safe};
use remembered::Past;
use strip::{Day, Known, last_days};

/// Days of a strip.
const STRIP: usize = 30;
/// Days that are told in numbers.
const HISTORY: u16 = 90;
/// The newest days, which are looked up every time.
const FRESH: usize = 2;

/// So long it is told that a storage did not take what was handed over.
const NOT_TAKEN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Everything at a glance.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Dashboard {
    /// When this was so.
    pub at: Timestamp,
    /// What is said of all plans together.
    pub sentence: Sentence,
    /// The plans, by name.
    pub plans: Vec<PlanStatus>,
    /// What calls for somebody, the urgent first.
    pub attention: Vec<Attention>,
    /// The runs that have not come to their end, the oldest first.
    pub live: Vec<LiveStatus>,
    /// What the runs of the last days came to, the oldest day first.
    pub days: Vec<DayOfItems>,
}

/// A plan at a glance.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanStatus {
    /// Its id.
    pub plan: PlanId,
    /// Its name.
    pub name: String,
    /// `backup` or `upload`.
    pub kind: &'static str,
    /// The name of its storage.
    pub storage: String,
    /// What people call the storage's provider.
    pub provider: String,
    /// What is said of it.
    pub sentence: Sentence,
    /// Items that its last whole look showed; `None` before the first one.
    pub shown: Option<u64>,
    /// How many of those are where they should be.
    pub safe: Option<u64>,
    /// How many of those failed, and did so again wherever they were tried again.
    pub failed: Option<u64>,
    /// How many of those are left out, each for a reason.
    pub left_out: Option<u64>,
    /// Items in its mirror, once they have been counted; an upload plan has none.
    pub items_home: Option<u64>,
    /// Bytes in its mirror, once they have been counted.
    pub bytes_home: Option<u64>,
    /// When the last good run ended.
    pub last_good_at: Option<Timestamp>,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
    /// Whether its schedule is paused.
    pub is_paused: bool,
    /// Since when there has been no good run, if that is longer than the plan allows.
    pub overdue_since: Option<Timestamp>,
    /// The run that has not come to its end.
    pub live: Option<RunId>,
    /// The last thirty days, the oldest first.
    pub strip: Vec<DayOfPlan>,
}

/// A run that has not come to its end.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LiveStatus {
    /// The run.
    pub run: RunId,
    /// Its plan.
    pub plan: PlanId,
    /// The plan's name.
    pub name: String,
    /// Where it stands.
    pub state: RunState,
    /// What it waits for, if it waits.
    pub waiting: Option<String>,
    /// What is done so far.
    pub progress: Progress,
}

/// What the runs came to that were asked for on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DayOfItems {
    /// The day, in the time zone that was asked for.
    pub date: Date,
    /// How many runs.
    pub runs: u64,
    /// Items that are done.
    pub items: u64,
    /// Items that failed.
    pub failed: u64,
    /// Bytes of the items that are done.
    pub bytes: u64,
}

impl Engine {
    /// Everything at a glance; days are those of this time zone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn dashboard(&self, zone: &TimeZone) -> Result<Dashboard, Error> {
        let now = self.clock.now();
        let live = self.live().await?;
        let rows = self.store.plans().await?;
        let (days, past, fresh) = self.last_days(zone, now).await?;
        let runs: Vec<DayOfRuns> = past.runs.iter().chain(&fresh.runs).cloned().collect();
        let not_run: Vec<NotRun> = past.not_run.iter().chain(&fresh.not_run).cloned().collect();
        let mut successes = self.store.last_successes().await?;
        let newest = self.store.newest_runs().await?;
        let providers = self.providers_of_storages().await?;
        let (mut all, mut strips) = (Vec::new(), Vec::new());
        for row in &rows {
            // One that another version has written does not hide the others.
            let Ok(config) = config_of(row) else { continue };
            let last_good = successes.remove(&row.id);
            let around = (&live[..], newest.get(&row.id).copied(), providers.get(&row.storage_id).copied());
            let facts = self.facts_of((row, &config), last_good, around, now).await?;
            strips.push(self.strip_of((row, &config), &days, (&runs, &not_run), now).await?);
            all.push(facts);
        }
        let said: Vec<Sentence> = all.iter().map(|facts| sentence::of_plan(facts, now)).collect();
        let pairs: Vec<(&PlanFacts, &Sentence)> = all.iter().zip(&said).collect();
        let sentence = sentence::of_all(&pairs, now);
        let unwell = self.health().await.err().map(|unwell| unwell.to_string());
        let inboxes = self.inboxes(&live).await?;
        let not_taken = self.store.not_taken_since(now - NOT_TAKEN).await?;
        let channels = self.deaf_channels().await?;
        let attention = attention::of(&all, (&inboxes, &not_taken), &channels, unwell.as_deref(), now);
        let plans = all.into_iter().zip(said).zip(strips);
        let plans = plans.map(|((facts, said), strip)| status(facts, said, strip)).collect();
        let live = live.into_iter().map(|(status, _)| status).collect();
        Ok(Dashboard { at: now, sentence, plans, attention, live, days: of_items(&days, &runs) })
    }

    async fn facts_of(
        &self,
        (row, config): (&PlanRow, &PlanConfig),
        last_good_at: Option<Timestamp>,
        (live, newest, provider): (&[(LiveStatus, LiveRun)], Option<RunId>, Option<&'static str>),
        now: Timestamp,
    ) -> Result<PlanFacts, Error> {
        let not_ended = live.iter().filter(|(status, _)| status.plan == row.id).map(|(status, _)| status.run);
        let last = (newest, not_ended.collect());
        let (whole, last_end) = if let Some(known) = self.remembered.whole(row.id, &last) {
            known
        } else {
            let found = self.whole_of(row.id).await?;
            self.remembered.remember_whole(row.id, last, found.clone());
            found
        };
        let days = config.policy().overdue_days.and_then(NonZeroU32::new);
        let live =
            live.iter().find(|(status, _)| status.plan == row.id).map(|(status, run)| of_live(status, run));
        let (home, damaged, asked_about) = match config {
            PlanConfig::Backup(_) => {
                let newest = last_end.as_ref().map(|end| end.run).or(whole.as_ref().map(|whole| whole.run));
                let home = self.home_of(row.id, newest, live.is_some()).await;
                (home, self.store.count_damaged(row.id).await?, self.store.asked_about(row.id).await?)
            }
            PlanConfig::Upload(_) => (None, 0, 0),
        };
        Ok(PlanFacts {
            plan: row.id,
            name: row.name.clone(),
            kind: config.kind(),
            storage: config.storage().to_owned(),
            storage_id: row.storage_id,
            provider: provider.unwrap_or("The storage").to_owned(),
            has_schedule: config.schedule().is_some(),
            next_at: next_at(row, config.schedule(), now),
            is_paused: row.paused_at.is_some() && row.paused_until.is_none_or(|until| until > now),
            paused_until: row.paused_until.filter(|until| *until > now),
            last_good_at,
            overdue_since: days.and_then(|days| overdue_since(last_good_at, row.created_at, days, now)),
            whole,
            last_end,
            live,
            home,
            damaged,
            asked_about,
        })
    }

    /// The plans that send what inboxes hold, as far as they are at work.
    async fn inboxes(&self, live: &[(LiveStatus, LiveRun)]) -> Result<Vec<PlanFacts>, Error> {
        let of = |row: PlanRow| {
            let config = config_of(&row).ok()?;
            let (status, run) = live.iter().find(|(status, _)| status.plan == row.id)?;
            Some(PlanFacts {
                plan: row.id,
                kind: config.kind(),
                storage: config.storage().to_owned(),
                storage_id: row.storage_id,
                provider: String::new(),
                has_schedule: false,
                next_at: None,
                is_paused: false,
                paused_until: None,
                last_good_at: None,
                overdue_since: None,
                whole: None,
                last_end: None,
                live: Some(of_live(status, run)),
                home: None,
                damaged: 0,
                asked_about: 0,
                name: row.name,
            })
        };
        Ok(self.store.inbox_plans().await?.into_iter().filter_map(of).collect())
    }

    /// What people call the providers of the storages.
    async fn providers_of_storages(&self) -> Result<HashMap<StorageId, &'static str>, Error> {
        let name = |provider: &str| self.registry.provider(provider).ok().map(|found| found.describe().name);
        let storages = self.store.storages().await?;
        Ok(storages.iter().filter_map(|row| Some((row.id, name(&row.provider)?))).collect())
    }

    /// The runs that have not ended, with what they wait for and how far they are.
    async fn live(&self) -> Result<Vec<(LiveStatus, LiveRun)>, Error> {
        let runs = self.store.live_runs().await?;
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let waiting = scheduler::waiting(self).await?;
        let mut live = Vec::new();
        for run in runs {
            let mut progress = self.run_progress(run.run).await?.unwrap_or_default();
            if matches!(run.state, RunState::Paused | RunState::Parked | RunState::Queued)
                && let Some(record) = self.store.run(run.run).await?
            {
                (progress.items, progress.bytes) = (record.items, record.bytes);
            }
            let why = waiting.get(&run.run).map(Waiting::to_string).or_else(|| progress.waiting.clone());
            let status = LiveStatus {
                run: run.run,
                plan: run.plan,
                name: run.plan_name.clone(),
                state: run.state,
                waiting: why,
                progress,
            };
            live.push((status, run));
        }
        Ok(live)
    }

    /// The last days, what the older of them came to, and what the newest did.
    async fn last_days(&self, zone: &TimeZone, now: Timestamp) -> Result<(Vec<Day>, Arc<Past>, Past), Error> {
        let days = last_days(HISTORY, zone, now);
        let older = days.len().saturating_sub(FRESH);
        let Some(first) = days.first() else { return Ok((days, Arc::default(), Past::default())) };
        let key = (first.date, zone.iana_name().unwrap_or_default().to_owned());
        let past = if let Some(past) = self.remembered.past(&key, now) {
            past
        } else {
            let past = self.days(&days, 0..older).await?;
            // A run that goes on may end at any moment, and its day is told anew then.
            let is_over = !past.runs.iter().any(|runs| runs.state.is_live());
            if is_over { self.remembered.remember_past(key, past, now) } else { Arc::new(past) }
        };
        let fresh = self.days(&days, older..days.len()).await?;
        Ok((days, past, fresh))
    }

    async fn days(&self, days: &[Day], which: std::ops::Range<usize>) -> Result<Past, Error> {
        let wanted = &days[which.clone()];
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(Past::default()) };
        let bounds: Vec<(Timestamp, Timestamp)> = wanted.iter().map(|day| (day.from, day.to)).collect();
        let mut runs = self.store.runs_by_day(&bounds).await?;
        for of_day in &mut runs {
            of_day.day += which.start;
        }
        // Only strips tell what was missed.
        let from = first.from.max(days[days.len().saturating_sub(STRIP)].from);
        Ok(Past { runs, not_run: self.store.not_run(from, last.to).await? })
    }

    async fn strip_of(
        &self,
        (row, config): (&PlanRow, &PlanConfig),
        days: &[Day],
        (runs, not_run): (&[DayOfRuns], &[NotRun]),
        now: Timestamp,
    ) -> Result<Vec<DayOfPlan>, Error> {
        let first_day = days.len().saturating_sub(STRIP);
        let days = &days[first_day..];
        let overdue_days = config.policy().overdue_days;
        let good_before = match (overdue_days, days.first()) {
            (Some(_), Some(first)) => self.store.last_good_end_before(row.id, first.from).await?,
            _ => None,
        };
        let schedule =
            config.schedule().and_then(|schedule| schedule.read().ok()).map(|(schedule, _)| schedule);
        let known = Known {
            plan: row.id,
            made_at: row.created_at,
            schedule: schedule.as_ref(),
            overdue_days,
            good_before,
            runs,
            first_day,
            not_run,
        };
        Ok(strip::of(&known, days, now))
    }

    /// The channels whose last notice did not get through.
    async fn deaf_channels(&self) -> Result<Vec<DeafChannel>, Error> {
        let mut deaf = Vec::new();
        for row in self.store.channels().await? {
            let last = self.store.deliveries(Some(row.id), None, None, 1).await?.into_iter().next();
            let Some(last) = last.filter(|last| last.state != DeliveryState::Delivered) else { continue };
            let Some(error) = last.last_error else { continue };
            let is_tried_again = last.state == DeliveryState::Pending;
            deaf.push(DeafChannel { id: row.id, name: row.name, error, is_tried_again });
        }
        Ok(deaf)
    }
}

fn of_live(status: &LiveStatus, run: &LiveRun) -> Live {
    let rests = matches!(run.state, RunState::Parked | RunState::Paused);
    Live {
        run: run.run,
        state: run.state,
        safe: safe(&status.progress.items),
        waiting: status.waiting.clone(),
        until: run.until,
        needs_person: rests && run.until.is_none(),
        class: run.class(),
    }
}

fn status(facts: PlanFacts, sentence: Sentence, strip: Vec<DayOfPlan>) -> PlanStatus {
    let whole = facts.whole.as_ref();
    PlanStatus {
        plan: facts.plan,
        kind: facts.kind,
        shown: whole.map(|whole| whole.shown),
        safe: whole.map(|whole| whole.safe),
        failed: whole.map(|whole| whole.failed),
        left_out: whole.map(|whole| whole.left_out),
        items_home: facts.home.map(|home| home.items),
        bytes_home: facts.home.map(|home| home.bytes),
        last_good_at: facts.last_good_at,
        next_at: facts.next_at,
        is_paused: facts.is_paused,
        overdue_since: facts.overdue_since,
        live: facts.live.as_ref().map(|live| live.run),
        name: facts.name,
        storage: facts.storage,
        provider: facts.provider,
        sentence,
        strip,
    }
}

/// What the runs of each day came to, of all plans together.
fn of_items(days: &[Day], runs: &[DayOfRuns]) -> Vec<DayOfItems> {
    let mut sums: HashMap<usize, DayOfItems> = HashMap::new();
    for of_day in runs {
        let Some(day) = days.get(of_day.day) else { continue };
        let sum = sums.entry(of_day.day).or_insert_with(|| none_on(day.date));
        sum.runs += of_day.runs;
        sum.items += of_day.done;
        sum.failed += of_day.failed;
        sum.bytes += of_day.bytes;
    }
    let place = |(place, day): (usize, &Day)| sums.remove(&place).unwrap_or_else(|| none_on(day.date));
    days.iter().enumerate().map(place).collect()
}

fn none_on(date: Date) -> DayOfItems {
    DayOfItems { date, runs: 0, items: 0, failed: 0, bytes: 0 }
}
