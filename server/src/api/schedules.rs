//! `/schedules`: what a schedule means, before it is one of a plan.

use axum::{Json as Answer, extract::State};
use charon_engine::{Engine, Upcoming};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Map;

use super::{endpoint::Endpoint, extract::Json, problem::Problem};
use crate::access::Scope;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post(
            "/schedules:explain",
            "explain_schedule",
            "What a schedule means: in plain words, and the next times",
            explain,
        )
        .scope(Scope::Read)
        .changes_nothing()
        .body::<Explain>()
        .answer::<Upcoming>(200, "What it means"),
    ]
}

/// A schedule that is to be explained.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Explain {
    /// When it is due: five fields as crontab(5) has them, six with seconds first, `@daily` and its kin, or `@every 6h`.
    cron: String,
    /// The IANA time zone that it is told in; without it, that of the machine.
    timezone: Option<String>,
    /// A run begins up to so many minutes later.
    #[schemars(range(max = 1440))]
    jitter_minutes: Option<u32>,
    /// The times at which a run may be at work.
    windows: Option<Vec<String>>,
    /// How many times are told: five, unless it says otherwise.
    #[schemars(range(min = 1, max = 100))]
    count: Option<usize>,
}

/// So many times are told, unless somebody says otherwise.
const USUAL_COUNT: usize = 5;

/// How many times are to be told: `count`, within bounds.
pub(super) fn count(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(USUAL_COUNT),
        Some(count) if (1..=charon_engine::MOST_UPCOMING).contains(&count) => Ok(count),
        Some(_) => Err(Problem::bad_request(format!("count is to be 1 to {}", charon_engine::MOST_UPCOMING))),
    }
}

async fn explain(
    State(engine): State<Engine>,
    Json(asked): Json<Explain>,
) -> Result<Answer<Upcoming>, Problem> {
    let Explain { cron, timezone, jitter_minutes, windows, count: most } = asked;
    let most = match most {
        Some(most) if !(1..=charon_engine::MOST_UPCOMING).contains(&most) => {
            return Err(Problem::wrong_field(
                "/count",
                format!("is to be 1 to {}", charon_engine::MOST_UPCOMING),
            ));
        }
        most => most.unwrap_or(USUAL_COUNT),
    };
    let mut schedule = Map::new();
    schedule.insert("cron".into(), cron.into());
    schedule.extend(timezone.map(|zone| ("timezone".into(), zone.into())));
    schedule.extend(jitter_minutes.map(|minutes| ("jitter_minutes".into(), minutes.into())));
    schedule.extend(windows.map(|windows| ("windows".into(), windows.into())));
    let told = engine.explain_schedule(schedule, most);
    told.map(Answer).map_err(|mistakes| Problem::mistakes("", &mistakes))
}
