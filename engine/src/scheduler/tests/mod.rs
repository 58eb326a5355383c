//! What is decided and chosen, by tables and at random.

mod choosing;
mod due;
mod plans;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    ids::{PlanId, RunId, StorageId},
    run::{RunOptions, RunState, Trigger},
    store::LiveRun,
};

fn instant(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn plan_id(number: u128) -> PlanId {
    PlanId(Uuid::from_u128(number))
}

fn run_id(number: u128) -> RunId {
    RunId(Uuid::from_u128(number))
}

/// A run by its schedule of the plan with this number, in a lane of its own.
fn live_run(number: u128, plan: u128, state: RunState) -> LiveRun {
    LiveRun {
        run: run_id(number),
        plan: plan_id(plan),
        plan_name: format!("plan {plan}"),
        storage: StorageId(Uuid::from_u128(plan)),
        storage_name: format!("storage {plan}"),
        is_inbox: false,
        lane: format!("lane {plan}"),
        trigger: Trigger::Schedule,
        state,
        start_after: None,
        until: None,
        attempt: u32::from(state != RunState::Queued),
        failures: 0,
        priority: 0,
        options: RunOptions::default(),
        owner: None,
        stop: None,
        active_ms: 0,
    }
}
