//! `/budget`: what the daily quotas leave.

use axum::{Json, extract::State};
use charon_engine::{BudgetView, Engine};

use super::{endpoint::Endpoint, paging::Page, problem::Problem};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/budget", "get_budget", "What today's quotas leave, by project and meter", list)
            .answer::<Page<BudgetView>>(200, "All meters that any storage has"),
    ]
}

async fn list(State(engine): State<Engine>) -> Result<Json<Page<BudgetView>>, Problem> {
    Ok(Json(Page::whole(engine.budget().await?)))
}
