//! `/dashboard`: everything at a glance.

use axum::{Json, extract::State};
use charon_engine::Dashboard;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{endpoint::Endpoint, extract::Query, problem::Problem};
use crate::app::App;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/dashboard",
            "get_dashboard",
            "Whether the photos are safe, and what calls for somebody",
            show,
        )
        .query::<DashboardQuery>()
        .answer::<Dashboard>(200, "Everything at a glance"),
    ]
}

/// How days are told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DashboardQuery {
    /// The IANA time zone whose days are meant; without it, that of the settings.
    timezone: Option<String>,
}

async fn show(
    State(app): State<App>,
    Query(query): Query<DashboardQuery>,
) -> Result<Json<Dashboard>, Problem> {
    let unknown = |_| {
        Problem::bad_request(
            "there is no such time zone; write one of the IANA database, such as Europe/Berlin",
        )
    };
    let zone = match query.timezone {
        Some(name) => TimeZone::get(&name).map_err(unknown)?,
        None => app.time_zone().await,
    };
    Ok(Json(app.engine().dashboard(&zone).await?))
}
