//! From what happened to what is to be told, written into the outbox.

use std::num::NonZeroU32;

use charon_notify::Event;
use jiff::Timestamp;

use super::{
    rules::{self, End},
    words,
};
use crate::{
    engine::Engine,
    error::Error,
    ids::{NoticeId, PlanId, RunId},
    run::{Outcome, RunState},
    store::{ChannelRow, ItemFilter, Outgoing, PlanRow, ToldRun},
};

/// How far back it is looked when failures in a row are counted.
const FARTHEST: u32 = 1000;
/// How many of the items that failed are named.
const NAMED_ITEMS: u32 = 5;

impl Engine {
    /// Writes down what is to be told of a run that has ended, or was parked. May be called again for the same run: nothing
    /// is told twice. Sends nothing; [`deliver_due`](Engine::deliver_due) does.
    ///
    /// # Errors
    /// When the database does not do as it is told.
    pub async fn tell_of_run(&self, run: RunId) -> Result<(), Error> {
        let channels = self.store.channels().await?;
        let Some(told) = self.store.told_run(run).await? else { return Ok(()) };
        if channels.is_empty() || (told.state.is_live() && told.state != RunState::Parked) {
            return Ok(());
        }
        let ended = End::of(told.state, told.stop.as_ref());
        let before = self.store.ends_before(told.plan_id, run, FARTHEST).await?;
        let mut before: Vec<End> =
            before.iter().map(|(state, stop)| End::of(*state, stop.as_ref())).collect();
        // A run that waited for a person goes on under the same id.
        if self.store.has_waited_for_a_person(run).await? {
            before.insert(0, End::NeedsPerson);
        }
        let failed = ItemFilter { outcome: Some(Outcome::Failed), after: None };
        let failed = self.store.run_items(run, &failed, NAMED_ITEMS).await?;
        let in_a_row = rules::failed_in_a_row(ended, &before);
        let is_routine = self.is_routine(told.plan_id).await?;
        let mut notices = Vec::new();
        for channel in &channels {
            for event in rules::events(ended, &before, channel.in_a_row) {
                if event == Event::Success && is_routine {
                    continue;
                }
                if is_told(channel, event, &told.plan) && is_news(channel, &told) {
                    notices.push(self.outgoing(channel, about(event, &told), |id| {
                        words::of_run(id, event, &told, &failed, in_a_row)
                    }));
                }
            }
        }
        self.store.enqueue(&notices, self.clock.now()).await
    }

    /// The same for a run that has begun, for those channels that measure how long runs take.
    ///
    /// # Errors
    /// When the database does not do as it is told.
    pub async fn tell_of_start(&self, run: RunId) -> Result<(), Error> {
        let channels = self.store.channels().await?;
        let Some(told) = self.store.told_run(run).await? else { return Ok(()) };
        if self.is_routine(told.plan_id).await? {
            return Ok(());
        }
        let notices: Vec<Outgoing> = channels
            .iter()
            .filter(|channel| is_told(channel, Event::Started, &told.plan))
            .map(|channel| {
                self.outgoing(channel, run.to_string(), |id| words::of_run(id, Event::Started, &told, &[], 0))
            })
            .collect();
        self.store.enqueue(&notices, self.clock.now()).await
    }

    /// Whether that a run of the plan begins and ends well is no news: one of an inbox does so for every file.
    async fn is_routine(&self, plan: PlanId) -> Result<bool, Error> {
        Ok(self.store.plan_by_id(plan).await?.is_some_and(|plan| plan.is_inbox))
    }

    /// Writes down which plans have had no good run for the days that their `overdue_days` say. Each channel is told once,
    /// and again only after there has been a good run. Plans without `overdue_days` are never overdue.
    ///
    /// # Errors
    /// When the database does not do as it is told.
    pub async fn tell_overdue(&self, now: Timestamp) -> Result<(), Error> {
        let channels = self.store.channels().await?;
        for plan in self.store.plans().await? {
            if let Some(days) = overdue_days(&plan) {
                self.tell_if_overdue(&plan, days, &channels, now).await?;
            }
        }
        Ok(())
    }

    async fn tell_if_overdue(
        &self,
        plan: &PlanRow,
        days: NonZeroU32,
        channels: &[ChannelRow],
        now: Timestamp,
    ) -> Result<(), Error> {
        let last_good = self.store.last_good_end(plan.id).await?;
        let Some(since) = rules::overdue_since(last_good, plan.created_at, days, now) else { return Ok(()) };
        let about = format!("{}/{since}", plan.id);
        let notices: Vec<Outgoing> = channels
            .iter()
            .filter(|channel| is_told(channel, Event::Overdue, &plan.name))
            .map(|channel| {
                self.outgoing(channel, about.clone(), |id| {
                    words::overdue(id, &plan.name, last_good, since, days.get())
                })
            })
            .collect();
        if notices.is_empty() {
            return Ok(());
        }
        self.store.enqueue_overdue(plan.id, since, &notices, now).await
    }

    fn outgoing(
        &self,
        channel: &ChannelRow,
        about: String,
        say: impl FnOnce(String) -> charon_notify::Notice,
    ) -> Outgoing {
        let id = NoticeId::new(&*self.clock, &*self.entropy);
        Outgoing { id, channel: channel.id, about, notice: say(id.to_string()) }
    }
}

/// What an event of a run is about. A run may wait for a person more than once, and each time is told.
fn about(event: Event, run: &ToldRun) -> String {
    match (event, run.ended_at) {
        (Event::NeedsAttention, Some(since)) => format!("{}/{since}", run.run),
        _ => run.run.to_string(),
    }
}

/// Whether the run ended while the channel was there.
fn is_news(channel: &ChannelRow, run: &ToldRun) -> bool {
    run.ended_at.is_none_or(|ended_at| channel.created_at <= ended_at)
}

/// Whether this channel wants to know.
fn is_told(channel: &ChannelRow, event: Event, plan: &str) -> bool {
    let has_a_way = charon_notify::kind(&channel.kind).is_some_and(|kind| kind.speaks(event));
    let of_this_plan = channel.plans.as_ref().is_none_or(|plans| plans.iter().any(|name| name == plan));
    has_a_way && of_this_plan && channel.events.contains(&event)
}

/// After how many days without a good run the plan is overdue, if ever.
fn overdue_days(plan: &PlanRow) -> Option<NonZeroU32> {
    let days = plan.config.get("policy")?.get("overdue_days")?.as_u64()?;
    u32::try_from(days).ok().and_then(NonZeroU32::new)
}
