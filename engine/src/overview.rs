//! The engine at a glance, for those who watch it: how many runs wait and are at work, how the plans stand, what was counted since
//! the process began. Cheap, however many runs and items there are.

use jiff::Timestamp;

use crate::{
    engine::Engine,
    error::Error,
    plans::{config_of, next_at},
    run::RunState,
    tallies::Tally,
};

/// The engine at a moment.
#[derive(Clone, Debug)]
pub struct Overview {
    /// When the scheduler looked last whether there is something to do; `None` where none is at work.
    pub looked_at: Option<Timestamp>,
    /// How many of the runs that have not ended are in each state; all such states are there.
    pub live: Vec<(RunState, u64)>,
    /// The plans, by name.
    pub plans: Vec<PlanStanding>,
    /// What was counted since the process began.
    pub tally: Tally,
    /// How many events there were since the database was made.
    pub events: u64,
    /// When the nightly backup of the database was made last.
    pub backed_up_at: Option<Timestamp>,
    /// How large the database is.
    pub database_bytes: u64,
}

/// How a plan stands.
#[derive(Clone, Debug)]
pub struct PlanStanding {
    /// Its name.
    pub name: String,
    /// `backup` or `upload`.
    pub kind: &'static str,
    /// Whether its schedule is paused.
    pub is_paused: bool,
    /// When it is due next; `None` without a schedule, and while it is paused for good.
    pub next_at: Option<Timestamp>,
    /// When the last of its runs ended in which every item was done, unchanged or skipped for a reason.
    pub last_success_at: Option<Timestamp>,
}

impl Engine {
    /// The engine at a glance.
    pub async fn overview(&self) -> Result<Overview, Error> {
        let now = self.clock.now();
        let mut successes = self.store.last_successes().await?;
        let mut plans = Vec::new();
        for row in self.store.plans().await? {
            // One that another version has written does not hide the others.
            let Ok(config) = config_of(&row) else { continue };
            plans.push(PlanStanding {
                kind: config.kind(),
                is_paused: row.paused_at.is_some(),
                next_at: next_at(&row, config.schedule(), now),
                last_success_at: successes.remove(&row.id),
                name: row.name,
            });
        }
        Ok(Overview {
            looked_at: self.pulse.looked_at(),
            live: self.store.live_by_state().await?,
            plans,
            tally: self.tallies.so_far(),
            events: u64::try_from(self.store.newest_event().await?).unwrap_or_default(),
            backed_up_at: self.store.backed_up_at().await?,
            database_bytes: self.store.size().await?,
        })
    }
}
