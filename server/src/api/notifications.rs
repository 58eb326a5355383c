//! `/notifications`: who is told what becomes of runs, and how.

use std::num::NonZeroU32;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, Response},
};
use charon_engine::{
    ChannelChange, ChannelChoice, ChannelId, ChannelView, DeliveryRecord, DeliveryState, Engine, NoticeEvent,
    NoticeId, channel_schemas,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    BASE,
    endpoint::Endpoint,
    etag::{ETag, IfMatch},
    extract::{Id, Json, Query},
    paging::{self, Page},
    problem::Problem,
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/notifications", "list_notifications", "All channels, by name", list)
            .answer::<Page<ChannelView>>(200, "All of them, their secrets hidden"),
        Endpoint::post("/notifications", "add_notification", "Adds a channel; sends nothing", add)
            .body::<NewChannel>()
            .answer::<ChannelView>(201, "The channel, its secrets hidden")
            .with_header("Location", "where it is")
            .with_etag(),
        Endpoint::get("/notifications/schemas", "get_notification_schemas", "The JSON Schemas of all kinds of channels", schemas)
            .answer::<Map<String, Value>>(200, "By the id of the kind"),
        Endpoint::get("/notifications/deliveries", "list_deliveries", "What was told and is to be told, the newest first", deliveries)
            .query::<DeliveriesQuery>()
            .answer::<Page<DeliveryRecord>>(200, "A page of deliveries")
            .problems(&[404]),
        Endpoint::post("/notifications:test", "test_new_notification", "Tells somebody through a channel that is not saved", test_new)
            .notes("Sends a notice that says that it is a test, and waits for the answer. Nothing is saved.")
            .body::<Tried>()
            .answer::<Told>(200, "It got through")
            .problems(&[502]),
        Endpoint::get("/notifications/{id}", "get_notification", "A channel", show)
            .answer::<ChannelView>(200, "The channel, its secrets hidden")
            .with_etag(),
        Endpoint::put("/notifications/{id}", "change_notification", "Replaces the name and the configuration of a channel and what it is told of", change)
            .notes(
                "Secrets that are left out, or given as the dots that GET shows, are kept; unless a field with `x-binds-secrets` \
                 changes: then they are asked for again. Those that are null are forgotten.",
            )
            .body::<ChangedChannel>()
            .answer::<ChannelView>(200, "The channel as it is now")
            .with_etag()
            .problems(&[409]),
        Endpoint::delete("/notifications/{id}", "remove_notification", "Removes a channel, and what was still to be told through it", remove)
            .header("If-Match", "the ETag of the version that is to be removed", false)
            .answer_empty(204, "It is gone")
            .problems(&[412]),
        Endpoint::post("/notifications/{id}:test", "test_notification", "Tells somebody through a channel", test)
            .notes(
                "With a configuration, as the channel would be with it: secrets that it leaves out are those that are stored. Without \
                 one, as it is.",
            )
            .body::<TriedChange>()
            .optional_body()
            .answer::<Told>(200, "It got through")
            .problems(&[409, 502]),
    ]
}

/// A channel that is to be added.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewChannel {
    /// What it is to be called.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// The id of its kind: `webhook`, `ntfy`, `email` or `ping`.
    kind: String,
    /// Its configuration, as the schema of the kind describes it.
    config: Map<String, Value>,
    /// What it is told of; by default what calls for somebody.
    events: Option<Vec<NoticeEvent>>,
    /// The names of the plans that it is told of; empty, or left out, for all.
    plans: Option<Vec<String>>,
    /// After how many failures in a row that is told.
    in_a_row: Option<NonZeroU32>,
}

/// A channel as it is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangedChannel {
    /// What it is called; left out, it stays.
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    /// Its whole configuration. Secrets may be left out.
    config: Map<String, Value>,
    /// What it is told of; left out, it stays.
    events: Option<Vec<NoticeEvent>>,
    /// The names of the plans that it is told of; empty for all; left out, they stay.
    plans: Option<Vec<String>>,
    /// After how many failures in a row that is told; left out, it stays.
    in_a_row: Option<NonZeroU32>,
}

/// A channel that is tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tried {
    /// The id of its kind.
    kind: String,
    /// Its configuration.
    config: Map<String, Value>,
}

/// A channel that is tried as it is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TriedChange {
    /// Its configuration. Secrets may be left out.
    config: Map<String, Value>,
}

/// What came of a try.
#[derive(Debug, Serialize, JsonSchema)]
struct Told {
    /// Always `true`: what does not get through is a problem.
    delivered: bool,
}

/// Which deliveries are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    /// Only those of the channel with this id.
    channel: Option<ChannelId>,
    /// Only those that have got through, are still to be told, or were given up.
    state: Option<DeliveryState>,
    /// How many items a page has at most.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before it.
    cursor: Option<String>,
}

async fn list(State(engine): State<Engine>) -> Result<axum::Json<Page<ChannelView>>, Problem> {
    Ok(axum::Json(Page::whole(engine.channels().await?)))
}

async fn add(State(engine): State<Engine>, Json(new): Json<NewChannel>) -> Result<Response, Problem> {
    let choice = ChannelChoice { events: new.events, plans: new.plans, in_a_row: new.in_a_row };
    let added = engine.add_channel(&new.name, &new.kind, new.config, choice).await;
    let view = added.map_err(|error| of_channel(error, &new.kind))?;
    let location = (header::LOCATION, format!("{BASE}/notifications/{}", view.id));
    Ok(told(StatusCode::CREATED, view, Some(location)))
}

async fn schemas() -> axum::Json<Value> {
    axum::Json(channel_schemas())
}

async fn deliveries(
    State(engine): State<Engine>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<axum::Json<Page<DeliveryRecord>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let after: Option<(String, NoticeId)> = paging::place(query.cursor.as_deref())?;
    let found = engine.deliveries_after(query.channel, query.state, after.as_ref(), limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |last| (last.enqueued_at.to_string(), last.id))))
}

async fn show(State(engine): State<Engine>, Id(id): Id<ChannelId>) -> Result<Response, Problem> {
    Ok(told(StatusCode::OK, engine.channel_by_id(id).await?, None))
}

async fn change(
    State(engine): State<Engine>,
    Id(id): Id<ChannelId>,
    seen: IfMatch,
    Json(changed): Json<ChangedChannel>,
) -> Result<Response, Problem> {
    let now = engine.channel_by_id(id).await?;
    seen.must_be(&tag(&now))?;
    let choice = ChannelChoice { events: changed.events, plans: changed.plans, in_a_row: changed.in_a_row };
    let seen = Some(now.version.clone());
    let change = ChannelChange { name: changed.name, config: changed.config, choice, seen };
    let view = engine.change_channel(id, change).await.map_err(|error| of_channel(error, &now.kind))?;
    Ok(told(StatusCode::OK, view, None))
}

async fn remove(
    State(engine): State<Engine>,
    Id(id): Id<ChannelId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    let now = engine.channel_by_id(id).await?;
    seen.may_be(&tag(&now))?;
    let seen = (seen != IfMatch::Absent).then_some(now.version.as_str());
    engine.remove_channel_by_id(id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test_new(
    State(engine): State<Engine>,
    Json(tried): Json<Tried>,
) -> Result<axum::Json<Told>, Problem> {
    let told = engine.test_unsaved_channel(&tried.kind, tried.config).await;
    told.map_err(|error| of_channel(error, &tried.kind))?;
    Ok(axum::Json(Told { delivered: true }))
}

async fn test(
    State(engine): State<Engine>,
    Id(id): Id<ChannelId>,
    tried: Option<Json<TriedChange>>,
) -> Result<axum::Json<Told>, Problem> {
    let kind = engine.channel_by_id(id).await?.kind;
    let config = tried.map(|Json(tried)| tried.config);
    engine.test_channel_by_id(id, config).await.map_err(|error| of_channel(error, &kind))?;
    Ok(axum::Json(Told { delivered: true }))
}

/// The version that a channel is.
pub(crate) fn tag(view: &ChannelView) -> ETag {
    ETag::of(&view.version)
}

fn told(status: StatusCode, view: ChannelView, location: Option<(header::HeaderName, String)>) -> Response {
    let tag = tag(&view);
    tag.on((status, AppendHeaders(location), axum::Json(view)))
}

/// What the engine did not do with a channel. What is wrong with what it is told of stands beside the configuration.
fn of_channel(error: charon_engine::Error, kind: &str) -> Problem {
    let charon_engine::Error::Config { mut mistakes, .. } = error else { return error.into() };
    let is_known = channel_schemas().get(kind).is_some();
    for mistake in &mut mistakes.0 {
        let is_beside = ["/events", "/plans", "/in_a_row"].contains(&mistake.pointer.as_str());
        if !is_known {
            "/kind".clone_into(&mut mistake.pointer);
        } else if !is_beside {
            mistake.pointer = format!("/config{}", mistake.pointer);
        }
    }
    Problem::mistakes("", &mistakes)
}
