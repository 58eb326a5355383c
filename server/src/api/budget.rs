//! `/budget`: what the daily quotas leave, and what has been used of them.

use axum::{Json, extract::State};
use charon_engine::{BudgetView, DayOfRequests, Engine};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{endpoint::Endpoint, extract::Query, paging::Page, problem::Problem};

/// So many days are told, unless the one who asks says otherwise.
const USUAL_DAYS: u32 = 30;
/// The most days that are told: so long they are kept.
const MOST_DAYS: u32 = 400;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/budget", "get_budget", "What today's quotas leave, by project and meter", list)
            .answer::<Page<BudgetView>>(200, "All meters that any storage has"),
        Endpoint::get("/budget/days", "list_budget_days", "The requests of each day, the newest first", days)
            .query::<DaysQuery>()
            .answer::<Page<DayOfRequests>>(
                200,
                "The days, each with every project and meter that had requests",
            ),
    ]
}

/// Which days are told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DaysQuery {
    /// How many days back.
    #[schemars(range(min = 1, max = 400))]
    days: Option<u32>,
}

async fn list(State(engine): State<Engine>) -> Result<Json<Page<BudgetView>>, Problem> {
    Ok(Json(Page::whole(engine.budget().await?)))
}

async fn days(
    State(engine): State<Engine>,
    Query(query): Query<DaysQuery>,
) -> Result<Json<Page<DayOfRequests>>, Problem> {
    let days @ 1..=MOST_DAYS = query.days.unwrap_or(USUAL_DAYS) else {
        return Err(Problem::bad_request(format!("days is to be 1 to {MOST_DAYS}")));
    };
    Ok(Json(Page::whole(engine.requests_by_day(days).await?)))
}
