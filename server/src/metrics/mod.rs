//! `GET /metrics`: what monitors read. Gauges tell what is so now, by the database; counters what was counted since the process
//! began. They are put together when they are asked for, so what is gone (a plan, say) is gone from here too. Those of this machine
//! are told without being known.

mod exposition;

use std::time::Duration;

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use charon_engine::{DURATION_BOUNDS, Engine, Overview, Tally};
use exposition::{Exposition, Kind};

use crate::access::{Caller, Who};

/// Whoever asks does not wait for longer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) async fn answer(
    State(engine): State<Engine>,
    Extension(caller): Extension<Caller>,
    who: Option<Extension<Who>>,
) -> Response {
    if !caller.is_local && who.is_none() {
        let words = "metrics are for those of this machine, and for those who bring a token of the scope read \
                     (Authorization: Bearer charon_…)\n";
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"charon\"")];
        return (StatusCode::UNAUTHORIZED, challenge, words).into_response();
    }
    let overview = match tokio::time::timeout(ANSWERED_WITHIN, engine.overview()).await {
        Ok(Ok(overview)) => overview,
        Ok(Err(error)) => return (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        Err(_) => {
            return (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response();
        }
    };
    let is_well = engine.health().await.is_ok();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], render(&overview, is_well)).into_response()
}

fn render(overview: &Overview, is_well: bool) -> String {
    let mut text = Exposition::default();
    text.family("charon_build_info", Kind::Gauge, "Always 1; the label tells the version of Charon.");
    text.sample("charon_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("charon_healthy", Kind::Gauge, "1 while /healthz says ok, else 0.");
    text.sample("charon_healthy", &[], u8::from(is_well));
    let name = "charon_scheduler_last_turn_timestamp_seconds";
    text.family(name, Kind::Gauge, "When the scheduler looked last whether there is something to do.");
    if let Some(at) = overview.looked_at {
        text.sample(name, &[], at.as_second());
    }
    text.family(
        "charon_runs",
        Kind::Gauge,
        "Runs that have not ended, by state; queued ones wait for their turn.",
    );
    for (state, runs) in &overview.live {
        text.sample("charon_runs", &[("state", state.as_str())], runs);
    }
    render_plans(&mut text, overview);
    render_tally(&mut text, &overview.tally);
    text.family("charon_events_total", Kind::Counter, "Events since the database was made.");
    text.sample("charon_events_total", &[], overview.events);
    text.family("charon_database_size_bytes", Kind::Gauge, "How large the database is.");
    text.sample("charon_database_size_bytes", &[], overview.database_bytes);
    let name = "charon_database_backup_timestamp_seconds";
    text.family(name, Kind::Gauge, "When the nightly backup of the database was made last.");
    if let Some(at) = overview.backed_up_at {
        text.sample(name, &[], at.as_second());
    }
    text.into_text()
}

/// How the plans stand.
fn render_plans(text: &mut Exposition, overview: &Overview) {
    let name = "charon_plan_last_success_timestamp_seconds";
    text.family(name, Kind::Gauge, "When the last run of the plan ended in which nothing failed.");
    for plan in &overview.plans {
        if let Some(at) = plan.last_success_at {
            text.sample(name, &[("plan", plan.name.as_str()), ("kind", plan.kind)], at.as_second());
        }
    }
    let name = "charon_plan_next_due_timestamp_seconds";
    text.family(name, Kind::Gauge, "When the plan is due next, if it runs by a schedule.");
    for plan in &overview.plans {
        if let Some(at) = plan.next_at {
            text.sample(name, &[("plan", plan.name.as_str()), ("kind", plan.kind)], at.as_second());
        }
    }
    text.family("charon_plan_paused", Kind::Gauge, "1 while the schedule of the plan is paused, else 0.");
    for plan in &overview.plans {
        let labels = [("plan", plan.name.as_str()), ("kind", plan.kind)];
        text.sample("charon_plan_paused", &labels, u8::from(plan.is_paused));
    }
}

/// What was counted.
fn render_tally(text: &mut Exposition, tally: &Tally) {
    text.family("charon_runs_ended_total", Kind::Counter, "Runs that were at work and ended, by how.");
    for (plan, of_plan) in &tally.plans {
        for (state, runs) in &of_plan.ended {
            text.sample("charon_runs_ended_total", &[("plan", plan.as_str()), ("state", *state)], runs);
        }
    }
    let name = "charon_run_duration_seconds";
    text.family(name, Kind::Histogram, "How long runs that ended were at work.");
    for (kind, durations) in &tally.durations {
        let mut so_far = 0;
        for (bound, more) in DURATION_BOUNDS.iter().zip(&durations.within) {
            so_far += more;
            let bound = bound.to_string();
            let labels = [("kind", *kind), ("le", bound.as_str())];
            text.sample(&format!("{name}_bucket"), &labels, so_far);
        }
        text.sample(&format!("{name}_bucket"), &[("kind", *kind), ("le", "+Inf")], durations.count);
        text.sample(&format!("{name}_sum"), &[("kind", *kind)], durations.sum.as_secs_f64());
        text.sample(&format!("{name}_count"), &[("kind", *kind)], durations.count);
    }
    text.family("charon_items_total", Kind::Counter, "Items that came to an end in runs, by how.");
    for (plan, of_plan) in &tally.plans {
        let items = &of_plan.items;
        let outcomes = [
            ("done", items.done),
            ("unchanged", items.unchanged),
            ("skipped", items.skipped),
            ("failed", items.failed),
        ];
        for (outcome, count) in outcomes {
            text.sample("charon_items_total", &[("plan", plan.as_str()), ("outcome", outcome)], count);
        }
    }
    text.family("charon_moved_bytes_total", Kind::Counter, "Bytes of the items that are done.");
    for (plan, of_plan) in &tally.plans {
        text.sample("charon_moved_bytes_total", &[("plan", plan.as_str())], of_plan.bytes);
    }
    text.family("charon_requests_total", Kind::Counter, "HTTP requests of runs, by meter.");
    for (meter, count) in &tally.requests {
        text.sample("charon_requests_total", &[("meter", meter.as_str())], count);
    }
}
