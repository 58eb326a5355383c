//! What the scheduler knows of the plans: their schedules, read once, and when each is due next.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::choosing::Allowed;
use crate::{
    engine::Engine,
    error::Error,
    ids::PlanId,
    plans::config_of,
    schedule::{Schedule, Windows},
    store::PlanRow,
    timing::{Pause, ScheduleConfig},
};

/// What is decided beyond the present moment by more than this was decided by a clock that has been set back since. Less is
/// what was written while a turn went on.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// The plans, as they were when they were last read.
#[derive(Debug, Default)]
pub(super) struct Plans {
    version: Option<(i64, i64)>,
    plans: HashMap<PlanId, Planned>,
}

/// One plan that runs by itself.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) revision: i64,
    pub(super) config: ScheduleConfig,
    pub(super) schedule: Schedule,
    pub(super) windows: Windows,
    /// Where the last decision was.
    pub(super) decided_until: Timestamp,
    pub(super) pause: Option<Pause>,
    /// When it is due next; `None` while it is paused, or when it is never due.
    pub(super) next: Option<Timestamp>,
}

impl Plans {
    /// Reads the plans again if any has changed.
    pub(super) async fn refresh(&mut self, engine: &Engine, now: Timestamp) -> Result<(), Error> {
        let version = engine.store.plans_version().await?;
        if self.version == Some(version) {
            return Ok(());
        }
        let rows = engine.store.plans().await?;
        let mut known = std::mem::take(&mut self.plans);
        for row in rows {
            let same = known.remove(&row.id).filter(|planned| planned.revision == row.revision);
            let planned = match same {
                Some(planned) => Some(planned),
                None => Planned::read(&row, now),
            };
            if let Some(planned) = planned {
                self.plans.insert(row.id, planned);
            }
        }
        self.set_back(engine, now).await?;
        self.version = Some(version);
        Ok(())
    }

    /// Those that are due.
    pub(super) fn due(&self, now: Timestamp) -> Vec<PlanId> {
        let is_due = |planned: &Planned| planned.next.is_some_and(|next| next <= now);
        let mut due: Vec<(Timestamp, PlanId)> = (self.plans.iter())
            .filter(|(_, planned)| is_due(planned))
            .filter_map(|(id, planned)| Some((planned.next?, *id)))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Ends those pauses that are over, from when they said that they end: what was due since then is not lost.
    pub(super) async fn end_pauses(&self, engine: &Engine, now: Timestamp) -> Result<(), Error> {
        for (id, planned) in &self.plans {
            let Some(until) = planned.pause.and_then(|pause| pause.until).filter(|until| *until <= now)
            else {
                continue;
            };
            let plan = (*id, planned.name.as_str(), planned.revision);
            engine.store.pause_plan(plan, None, until.max(planned.decided_until), now).await?;
        }
        Ok(())
    }

    /// The moment at which the first of them is due, or its pause is over.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.plans
            .values()
            .filter_map(|planned| planned.next.or(planned.pause.and_then(|pause| pause.until)))
            .min()
    }

    pub(super) fn get(&self, plan: PlanId) -> Option<&Planned> {
        self.plans.get(&plan)
    }

    /// A decision was made up to this moment.
    pub(super) fn decided(&mut self, plan: PlanId, until: Timestamp) {
        if let Some(planned) = self.plans.get_mut(&plan) {
            planned.decided_until = until;
            planned.next = planned.next_due();
        }
    }

    /// What was decided beyond the present moment, by a clock that was set back, is no reason to wait until then. Decisions are
    /// rows, so none is made twice. It is written down, or the next start would take up from where it finds the clock then.
    pub(super) async fn set_back(&mut self, engine: &Engine, now: Timestamp) -> Result<(), Error> {
        let is_ahead = |planned: &Planned| planned.decided_until.duration_since(now) > AHEAD;
        let ahead: Vec<PlanId> =
            self.plans.iter().filter(|(_, planned)| is_ahead(planned)).map(|(id, _)| *id).collect();
        engine.store.set_back(&ahead, now).await?;
        for plan in ahead {
            self.decided(plan, now);
        }
        Ok(())
    }

    /// When the runs of plans may be at work.
    pub(super) fn allowed(&self) -> HashMap<PlanId, Allowed> {
        let of = |planned: &Planned| Allowed { windows: planned.windows.clone(), pause: planned.pause };
        self.plans.iter().map(|(id, planned)| (*id, of(planned))).collect()
    }
}

impl Planned {
    /// `None` for a plan without a schedule, or with one that this Charon cannot read.
    fn read(row: &PlanRow, now: Timestamp) -> Option<Self> {
        let config =
            config_of(row).inspect_err(|error| tracing::warn!(%error, "a plan is not scheduled")).ok()?;
        let config = config.schedule()?.clone();
        let read =
            config.read().map_err(|error| tracing::warn!(plan = row.name, %error, "a plan is not scheduled"));
        let (schedule, windows) = read.ok()?;
        let pause = row.paused_at.map(|_| Pause { until: row.paused_until });
        let decided_until = row.decided_until.unwrap_or(now);
        let (name, revision) = (row.name.clone(), row.revision);
        let mut planned =
            Self { name, revision, config, schedule, windows, decided_until, pause, next: None };
        planned.next = planned.next_due();
        Some(planned)
    }

    fn next_due(&self) -> Option<Timestamp> {
        if self.pause.is_some() {
            return None;
        }
        self.schedule.after(self.decided_until).next()
    }
}

/// When the runs of plans may be at work, by what the database says now.
pub(super) async fn allowed(
    engine: &Engine,
    plans: &HashSet<PlanId>,
) -> Result<HashMap<PlanId, Allowed>, Error> {
    let mut allowed = HashMap::new();
    for id in plans {
        let Some(row) = engine.store.plan_by_id(*id).await? else { continue };
        let Ok(config) = config_of(&row) else { continue };
        let windows = config.schedule().and_then(|schedule| schedule.read().ok()).map(|(_, windows)| windows);
        let pause = row.paused_at.map(|_| Pause { until: row.paused_until });
        allowed.insert(*id, Allowed { windows: windows.unwrap_or_default(), pause });
    }
    Ok(allowed)
}
