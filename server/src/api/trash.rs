//! `/plans/{id}/trash`: what backups have moved aside because it is gone from the account, and what they ask about.

use axum::{Json as Answer, extract::State, response::Response};
use charon_engine::{AskedItem, Engine, ItemId, Job, PlanId, TrashJob, TrashStanding, TrashedItem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    asked::{Asked, ask},
    endpoint::Endpoint,
    extract::{Id, Json, Query},
    paging::{Page, PageQuery, cursor, limit, place},
    problem::Problem,
};
use crate::access::Scope;

/// The most items that one request names.
const NAMED: usize = 10_000;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/plans/{id}/trash", "list_trash", "What is in the trash of a mirror", list)
            .notes("Files of items that are gone from the account. Both files of a motion photo come together, whatever the limit is.")
            .query::<PageQuery>()
            .answer::<Page<TrashedItem>>(200, "A page of files, in the order in which their items became known")
            .problems(&[409]),
        Endpoint::get("/plans/{id}/trash/asked", "list_asked", "The items that are gone from the account, and that a run asks about", asked)
            .notes("They are still in their places.")
            .query::<PageQuery>()
            .answer::<Page<AskedItem>>(200, "A page of items")
            .problems(&[409]),
        Endpoint::post("/plans/{id}/trash:restore", "restore_trash", "Puts files of the trash back to where they were", restore)
            .scope(Scope::Run)
            .notes("A run like any other. What is restored stays, whatever the account says.")
            .body::<Restoring>()
            .answer::<Asked>(202, "There is such a run")
            .with_header("Location", "where the run is")
            .problems(&[409]),
        Endpoint::post("/plans/{id}/trash:empty", "empty_trash", "Removes for good what has been in the trash for long enough", empty)
            .scope(Scope::Admin)
            .notes("A run like any other.")
            .body::<Emptying>()
            .optional_body()
            .answer::<Asked>(202, "There is such a run")
            .with_header("Location", "where the run is")
            .problems(&[409]),
        Endpoint::post("/plans/{id}/trash:agree", "agree_to_deletion", "Agrees that items that are gone from the account go to the trash", agree)
            .scope(Scope::Admin)
            .notes(
                "Where more is gone than the plan moves without a question, a run asks: `asked_about` in `GET …/mirror` says how many \
                 items. The next complete listing looks each of them up once more, and moves it. Refused (409) if the plan asks about \
                 more items by now than were seen.",
            )
            .body::<Agreeing>()
            .answer::<Answered>(200, "They may go")
            .problems(&[409]),
        Endpoint::post("/plans/{id}/trash:keep", "keep_from_deletion", "Keeps items that are gone from the account, for good", keep)
            .scope(Scope::Run)
            .answer::<Answered>(200, "They stay where they are")
            .problems(&[409]),
    ]
}

/// What is to be put back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Restoring {
    /// The items, by their numbers.
    #[serde(default)]
    items: Vec<ItemId>,
    /// All of them, instead.
    #[serde(default)]
    all: bool,
}

/// What is to be removed for good.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Emptying {
    /// All of it, and not only what has been there for long enough.
    everything: bool,
}

/// What somebody agrees to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Agreeing {
    /// How many items the question was about when it was seen.
    #[schemars(range(min = 1))]
    items: u64,
}

/// What was answered.
#[derive(Debug, Serialize, JsonSchema)]
struct Answered {
    /// How many items it was about.
    items: u64,
    /// Whether they may go to the trash.
    may_go: bool,
    /// How the trash stands now.
    standing: TrashStanding,
}

async fn list(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<TrashedItem>>, Problem> {
    let limit = limit(query.limit)?;
    let after: Option<i64> = place(query.cursor.as_deref())?;
    let page = engine.trash(plan, after.map(ItemId), limit).await?;
    Ok(Answer(Page { items: page.files, next: page.next.map(|next| cursor(&next.0)) }))
}

async fn asked(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<AskedItem>>, Problem> {
    let limit = limit(query.limit)?;
    let after: Option<i64> = place(query.cursor.as_deref())?;
    let items = engine.asked_about(plan, after.map(ItemId), limit + 1).await?;
    Ok(Answer(Page::of(items, limit, |last| last.item.0)))
}

async fn restore(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Json(Restoring { items, all }): Json<Restoring>,
) -> Result<Response, Problem> {
    // No items at all would be all of them to the run.
    if items.is_empty() != all {
        return Err(Problem::wrong_field(
            "/items",
            "name the items that are wanted, or say that all of them are",
        ));
    }
    if items.len() > NAMED {
        return Err(Problem::wrong_field(
            "/items",
            format!("are more than {NAMED}; say that all are wanted, or ask several times"),
        ));
    }
    let items = items.into_iter().map(|item| item.0).collect();
    ask(&engine, plan, Job::Trash(TrashJob::Restore { items })).await
}

async fn empty(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    request: Option<Json<Emptying>>,
) -> Result<Response, Problem> {
    let Emptying { everything } = request.map(|request| request.0).unwrap_or_default();
    ask(&engine, plan, Job::Trash(TrashJob::Empty { everything })).await
}

async fn agree(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Json(seen): Json<Agreeing>,
) -> Result<Answer<Answered>, Problem> {
    let items = engine.agree_to_deletion(plan, seen.items).await?;
    answered(&engine, plan, items, true).await
}

async fn keep(State(engine): State<Engine>, Id(plan): Id<PlanId>) -> Result<Answer<Answered>, Problem> {
    let items = engine.refuse_deletion(plan).await?;
    answered(&engine, plan, items, false).await
}

async fn answered(
    engine: &Engine,
    plan: PlanId,
    items: u64,
    may_go: bool,
) -> Result<Answer<Answered>, Problem> {
    Ok(Answer(Answered { items, may_go, standing: engine.trash_standing(plan).await? }))
}
