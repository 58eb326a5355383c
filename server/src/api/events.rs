//! `/events` and `/runs/{id}/events`: what happens, as it happens (Server-Sent Events).

use axum::{extract::State, http::HeaderMap, response::Response};
use charon_engine::RunId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    endpoint::Endpoint,
    extract::{Id, Query},
    problem::Problem,
    runs::last_event,
};
use crate::{
    app::App,
    live::{Listener, Wanted},
};

const LAST_EVENT_ID: (&str, &str) =
    ("Last-Event-ID", "the id of the last event that one has been told who comes again");
const NOTES: &str = "Each event of the engine comes with its number as `id`, its kind as `event` and the whole of it as JSON in \
                     `data`. Beside them come events named `progress`, without an id, for runs that are at work: how far they are, four \
                     times a second at most. Lines that begin with a colon only say that the server is there.";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let (name, description) = LAST_EVENT_ID;
    vec![
        Endpoint::get("/events", "listen", "What happens, as it happens", all)
            .notes(NOTES)
            .query::<EventsQuery>()
            .header(name, description, false)
            .answer_of(200, "Events, from now on or from after the one that was named", "text/event-stream"),
        Endpoint::get(
            "/runs/{id}/events",
            "listen_to_run",
            "What happens in a run, from its beginning to its end",
            of_run,
        )
        .notes(NOTES)
        .query::<EventsQuery>()
        .header(name, description, false)
        .answer_of(
            200,
            "Events, from the first one or from after the one that was named",
            "text/event-stream",
        )
        .answer_empty(
            204,
            "The run has ended, and all events of it were told: there is no use in coming again",
        ),
    ]
}

/// From where on, and how much.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// After which event to begin, where there is no `Last-Event-ID`.
    #[schemars(range(min = 0))]
    after: Option<i64>,
    /// Whether to tell what became of single items (`run.items`); without it, they are told.
    items: Option<bool>,
}

impl EventsQuery {
    fn begins(&self, headers: &HeaderMap) -> Result<Option<i64>, Problem> {
        if self.after.is_some_and(|after| after < 0) {
            return Err(Problem::bad_request("after is to be the id of an event: a whole number, 0 or more"));
        }
        Ok(last_event(headers)?.or(self.after))
    }
}

async fn all(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let after = query.begins(&headers)?;
    let wanted = Wanted { run: None, items: query.items.unwrap_or(true) };
    Listener::answer(&app, headers, wanted, after).await
}

async fn of_run(
    State(app): State<App>,
    Id(run): Id<RunId>,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let after = query.begins(&headers)?.unwrap_or(0);
    let wanted = Wanted { run: Some(run), items: query.items.unwrap_or(true) };
    app.engine().run_record(run).await?;
    Listener::answer(&app, headers, wanted, Some(after)).await
}
