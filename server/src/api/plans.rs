//! `/plans`: what is to be done, and when. Whoever comes in over HTTP names folders below the roots alone, and no commands.

use axum::{
    Extension, Json as Answer,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use charon_engine::{
    Engine, Estimate, Occurrence, PlanConfig, PlanId, PlanView, RunId, RunOptions, StorageId, Trigger,
    Upcoming,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    asked::{Asked, accepted},
    endpoint::Endpoint,
    etag::{ETag, IfMatch},
    extract::{Id, Json, Query},
    paging::{Page, PageQuery, limit, place},
    problem::Problem,
    schedules::count,
};
use crate::{
    access::{Asker, Scope},
    app::App,
    planning,
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/plans", "list_plans", "All plans, by name", list)
            .query::<PageQuery>()
            .answer::<Page<Plan>>(200, "A page of plans"),
        Endpoint::post("/plans", "create_plan", "Adds a plan", create)
            .notes(
                "The destination of a backup plan becomes a mirror: it gets its marker. Folders lie below the roots that Charon \
                 was started with. Commands cannot be set over HTTP.",
            )
            .body::<NewPlan>()
            .answer::<Plan>(201, "It is added")
            .with_etag()
            .with_header("Location", "where it is from now on")
            .problems(&[409]),
        Endpoint::get("/plans/schemas", "get_plan_schemas", "The JSON Schemas of both kinds of plans", schemas)
            .notes("They say of each field what a form shows: its title, group, order, unit, and whether it is advanced.")
            .answer::<Schemas>(200, "The schemas"),
        Endpoint::post("/plans:preview", "preview_new_plan", "Estimates the first run of a plan that is not saved", preview_new)
            .notes(
                "A backup is listed for it, which takes requests; the folders of an upload are scanned and hashed. Nothing is \
                 moved, and nothing is saved.",
            )
            .body::<PlanChange>()
            .answer::<Preview>(200, "An estimate")
            .problems(&[409, 502]),
        Endpoint::get("/plans/{id}", "get_plan", "A plan", get)
            .answer::<Plan>(200, "The plan")
            .with_etag(),
        Endpoint::put("/plans/{id}", "replace_plan", "Replaces the name of a plan and what it does", replace)
            .notes(
                "Its kind, its storage and its mirror stay. A new schedule takes effect at once, and drops what was due under the \
                 old one. Commands are kept as they are.",
            )
            .body::<ReplacedPlan>()
            .answer::<Plan>(200, "It is replaced")
            .with_etag()
            .problems(&[409]),
        Endpoint::delete("/plans/{id}", "remove_plan", "Removes a plan with its runs; all files stay where they are", remove)
            .header("If-Match", "the ETag of the version that was seen", false)
            .answer_empty(204, "It is removed")
            .problems(&[412]),
        Endpoint::post("/plans/{id}:preview", "preview_plan", "Estimates what a run of a plan would do now", preview)
            .notes("With a configuration, as if that were saved. Nothing is moved, and nothing is saved.")
            .body::<MaybeChange>()
            .optional_body()
            .answer::<Preview>(200, "An estimate")
            .problems(&[409, 502]),
        Endpoint::get("/plans/{id}/occurrences", "list_occurrences", "What became of the moments at which a plan was due", occurrences)
            .query::<PageQuery>()
            .answer::<Page<Occurrence>>(200, "A page of them, the newest first"),
        Endpoint::get("/plans/{id}/next", "get_next_times", "When a plan is due next", next)
            .query::<Count>()
            .answer::<Upcoming>(200, "The next times, or why there are none"),
        Endpoint::post("/plans/{id}:run", "run_plan", "Asks for a run of a plan, now", run)
            .scope(Scope::Run)
            .notes("If the plan has a run that has not ended, that one goes on.")
            .body::<RunRequest>()
            .optional_body()
            .answer::<Asked>(202, "There is such a run")
            .with_header("Location", "where the run is")
            .problems(&[409]),
        Endpoint::post("/plans/{id}:pause", "pause_plan", "Pauses the schedule of a plan; a run that is at work goes on", pause)
            .body::<Pause>()
            .optional_body()
            .answer::<Plan>(200, "It is paused")
            .with_etag(),
        Endpoint::post("/plans/{id}:resume", "resume_plan", "Resumes the schedule of a plan", resume)
            .notes("What was due while it was paused is not made up for.")
            .answer::<Plan>(200, "It is not paused any more")
            .with_etag(),
    ]
}

/// A plan.
#[derive(Debug, Serialize, JsonSchema)]
struct Plan {
    /// Its id; the mirror's marker carries it.
    id: PlanId,
    /// Its name.
    name: String,
    /// The storage that it is of.
    storage_id: StorageId,
    /// What it does.
    config: PlanConfig,
    /// When it was added.
    created_at: Timestamp,
    /// Since when its schedule is paused, if it is.
    paused_at: Option<Timestamp>,
    /// Until when it is paused, if the pause ends by itself.
    paused_until: Option<Timestamp>,
    /// When it is due next, if it runs by itself and is not paused.
    next_at: Option<Timestamp>,
}

impl From<PlanView> for Plan {
    fn from(view: PlanView) -> Self {
        let PlanView { id, name, storage_id, config, created_at, paused_at, paused_until, next_at, .. } =
            view;
        Self { id, name, storage_id, config, created_at, paused_at, paused_until, next_at }
    }
}

/// A plan that is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPlan {
    /// Its name, which no other plan has: 1 to 100 characters.
    name: String,
    /// What it does.
    #[schemars(with = "PlanConfig")]
    config: Map<String, Value>,
}

/// What a plan is to do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanChange {
    /// What it does.
    #[schemars(with = "PlanConfig")]
    config: Map<String, Value>,
}

/// A plan as it is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReplacedPlan {
    /// Its name; left out, it stays.
    name: Option<String>,
    /// What it does.
    #[schemars(with = "PlanConfig")]
    config: Map<String, Value>,
}

/// What a plan might do.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct MaybeChange {
    /// What it would do; what it does, if this is left out.
    #[schemars(with = "Option<PlanConfig>")]
    config: Option<Map<String, Value>>,
}

/// What a run would do.
#[derive(Debug, Serialize, JsonSchema)]
struct Preview {
    /// In one line.
    sentence: String,
    /// In numbers. They are an estimate: what nobody knows beforehand is not in it.
    estimate: Estimate,
}

/// The schemas of both kinds.
#[derive(Debug, Serialize, JsonSchema)]
struct Schemas {
    /// Of a plan that brings photos home.
    backup: Map<String, Value>,
    /// Of a plan that sends folders out.
    upload: Map<String, Value>,
}

/// How many are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    /// How many times are told: five, unless it says otherwise.
    #[schemars(range(min = 1, max = 100))]
    count: Option<usize>,
}

/// How a run is to go about it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RunRequest {
    /// Whether the listing has to go to its end, whatever is known already.
    full_listing: bool,
    /// Only the items that failed in this run of the plan, which has ended.
    failed_of: Option<RunId>,
}

/// A pause.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Pause {
    /// Until when, in the future; until somebody resumes it, if this is left out.
    until: Option<Timestamp>,
}

/// The version of a plan that somebody has seen.
fn etag(view: &PlanView) -> ETag {
    ETag::of(&format!("plan {} {}", view.id, view.revision))
}

fn told(view: PlanView) -> Response {
    etag(&view).on(Answer(Plan::from(view)))
}

async fn list(
    State(engine): State<Engine>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<Plan>>, Problem> {
    let limit = limit(query.limit)?;
    let after: Option<String> = place(query.cursor.as_deref())?;
    let plans = engine.plans().await?.into_iter();
    let behind = plans.filter(|plan| after.as_ref().is_none_or(|after| plan.name > *after)).map(Plan::from);
    let some = behind.take(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1)).collect();
    Ok(Answer(Page::of(some, limit, |plan| plan.name.clone())))
}

async fn create(State(app): State<App>, Json(new): Json<NewPlan>) -> Result<Response, Problem> {
    let config = planning::from_afar(&app, new.config, None).await;
    let config = config.map_err(|wrong| Problem::mistakes("/config", &wrong))?;
    let added = app.engine().add_plan(&new.name, config).await;
    let view = added.map_err(|error| Problem::of_engine(error, "/config"))?;
    let location = format!("{}/plans/{}", super::BASE, view.id);
    Ok((StatusCode::CREATED, AppendHeaders([(header::LOCATION, location)]), told(view)).into_response())
}

async fn schemas() -> Answer<Schemas> {
    let of = |kind| {
        let schema = PlanConfig::schema(kind).map(charon_schema::ConfigSchema::as_json);
        schema.and_then(Value::as_object).cloned().unwrap_or_default()
    };
    Answer(Schemas { backup: of("backup"), upload: of("upload") })
}

async fn get(State(engine): State<Engine>, Id(id): Id<PlanId>) -> Result<Response, Problem> {
    Ok(told(engine.plan_by_id(id).await?))
}

async fn replace(
    State(app): State<App>,
    Id(id): Id<PlanId>,
    seen: IfMatch,
    Json(change): Json<ReplacedPlan>,
) -> Result<Response, Problem> {
    let before = app.engine().plan_by_id(id).await?;
    seen.must_be(&etag(&before))?;
    let config = planning::from_afar(&app, change.config, Some(&before.config)).await;
    let config = config.map_err(|wrong| Problem::mistakes("/config", &wrong))?;
    let change = charon_engine::PlanChange { name: change.name, config, seen: Some(before.revision) };
    let changed = app.engine().change_plan(id, change).await;
    Ok(told(changed.map_err(|error| Problem::of_engine(error, "/config"))?))
}

async fn remove(
    State(engine): State<Engine>,
    Id(id): Id<PlanId>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    let before = engine.plan_by_id(id).await?;
    seen.may_be(&etag(&before))?;
    let revision = (seen != IfMatch::Absent).then_some(before.revision);
    engine.remove_plan_by_id(id, revision).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn estimated(estimate: Result<Estimate, charon_engine::Error>) -> Result<Answer<Preview>, Problem> {
    let estimate = estimate.map_err(|error| Problem::of_engine(error, "/config"))?;
    Ok(Answer(Preview { sentence: estimate.sentence(), estimate }))
}

async fn preview_new(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Json(plan): Json<PlanChange>,
) -> Result<Answer<Preview>, Problem> {
    let config = planning::from_afar(&app, plan.config, None).await;
    let config = config.map_err(|wrong| Problem::mistakes("/config", &wrong))?;
    estimated(planning::preview(&app, &asker, None, Some(config)).await)
}

async fn preview(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Id(id): Id<PlanId>,
    change: Option<Json<MaybeChange>>,
) -> Result<Answer<Preview>, Problem> {
    let config = match change.and_then(|change| change.0.config) {
        Some(config) => {
            let before = app.engine().plan_by_id(id).await?;
            let config = planning::from_afar(&app, config, Some(&before.config)).await;
            Some(config.map_err(|wrong| Problem::mistakes("/config", &wrong))?)
        }
        None => None,
    };
    estimated(planning::preview(&app, &asker, Some(id), config).await)
}

async fn occurrences(
    State(engine): State<Engine>,
    Id(id): Id<PlanId>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<Occurrence>>, Problem> {
    let limit = limit(query.limit)?;
    let before: Option<Timestamp> = place(query.cursor.as_deref())?;
    let found = engine.occurrences_by_id(id, (Timestamp::MIN, before), limit.saturating_add(1)).await?;
    Ok(Answer(Page::of(found, limit, |last| last.scheduled_for)))
}

async fn next(
    State(engine): State<Engine>,
    Id(id): Id<PlanId>,
    Query(query): Query<Count>,
) -> Result<Answer<Upcoming>, Problem> {
    Ok(Answer(engine.upcoming(id, count(query.count)?).await?))
}

async fn run(
    State(engine): State<Engine>,
    Id(id): Id<PlanId>,
    request: Option<Json<RunRequest>>,
) -> Result<Response, Problem> {
    let RunRequest { full_listing, failed_of } = request.map(|request| request.0).unwrap_or_default();
    let (run, is_new) = if let Some(failed_of) = failed_of {
        let plan = engine.plan_by_id(id).await?;
        let of_plan = match engine.run_record(failed_of).await {
            Ok(record) => record.plan_id == plan.id,
            Err(charon_engine::Error::Unknown { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !of_plan {
            return Err(Problem::wrong_field(
                "/failed_of",
                "is no run of this plan; `GET /api/v1/runs` lists them",
            ));
        }
        (engine.retry_failed(failed_of).await?, true)
    } else {
        let options = RunOptions { full_listing, ..RunOptions::default() };
        engine.ask_for_run_by_id(id, Trigger::Api, options).await?
    };
    Ok(accepted((run, is_new)))
}

async fn pause(
    State(engine): State<Engine>,
    Id(id): Id<PlanId>,
    pause: Option<Json<Pause>>,
) -> Result<Response, Problem> {
    let until = pause.and_then(|pause| pause.0.until);
    let paused = engine.pause_plan_by_id(id, until).await;
    Ok(told(paused.map_err(|error| match error {
        charon_engine::Error::BadName(reason) => Problem::wrong_field("/until", reason),
        other => other.into(),
    })?))
}

async fn resume(State(engine): State<Engine>, Id(id): Id<PlanId>) -> Result<Response, Problem> {
    Ok(told(engine.resume_plan_by_id(id).await?))
}
