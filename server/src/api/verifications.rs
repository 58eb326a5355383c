//! `/plans/{id}:verify` and `/plans/{id}/verifications`: proof that a mirror is good, and what was found.

use std::str::FromStr;

use axum::{
    Json as Answer,
    extract::{FromRequestParts, RawPathParams, State},
    http::request::Parts,
    response::Response,
};
use charon_engine::{Engine, Job, PlanId, Report, RunId, VerificationView, VerifyJob};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    asked::{Asked, ask},
    endpoint::Endpoint,
    extract::{Id, Json, Query},
    paging::{Page, PageQuery, limit, place},
    problem::Problem,
};
use crate::access::Scope;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/plans/{id}:verify", "verify_plan", "Reads the files of a mirror again, and compares them", verify)
            .scope(Scope::Run)
            .notes(
                "A run like any other. What is found to be missing, changed or unreadable counts as not home, so that the next run \
                 of the plan fetches it again, or this one, if it is to repair. If the plan has a run that has not ended and that \
                 does the same, that one goes on; another one waits for its turn.",
            )
            .body::<VerifyRequest>()
            .optional_body()
            .answer::<Asked>(202, "There is such a run")
            .with_header("Location", "where the run is")
            .problems(&[409]),
        Endpoint::get("/plans/{id}/verifications", "list_verifications", "What verifications of a mirror have found", list)
            .notes("Those that have read all that they were to read.")
            .query::<PageQuery>()
            .answer::<Page<VerificationView>>(200, "A page of them, the newest first")
            .problems(&[409]),
        Endpoint::get(
            "/plans/{id}/verifications/{run}",
            "get_verification",
            "What a verification has found, with what is wrong",
            show,
        )
        .notes(
            "It names the first ten thousand problems; `GET /api/v1/runs/{run}/items` lists all of them, page by page. Also of one \
             that is at work: so far.",
        )
        .answer::<Report>(200, "The report"),
    ]
}

/// How a mirror is to be verified.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct VerifyRequest {
    /// Whether what is missing or changed is fetched again.
    repair: bool,
    /// Only the next share of the files, in hundredths of all of them: those that follow where the last verification ended. All of
    /// them, and a look for files that are not Charon's, if this is left out.
    #[schemars(range(min = 1, max = 100))]
    percent: Option<u8>,
}

/// A plan and one of its runs, from the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOf {
    pub(crate) plan: PlanId,
    pub(crate) run: RunId,
}

impl<S: Send + Sync> FromRequestParts<S> for RunOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let parameters = parameters.map_err(|_| unknown())?;
        let plan = parameter(&parameters, "id");
        plan.zip(parameter(&parameters, "run")).map(|(plan, run)| Self { plan, run }).ok_or_else(unknown)
    }
}

fn parameter<T: FromStr>(parameters: &RawPathParams, name: &str) -> Option<T> {
    parameters.iter().find(|(known, _)| *known == name).and_then(|(_, text)| text.parse().ok())
}

fn unknown() -> Problem {
    Problem::not_found("verification of this plan")
}

async fn verify(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    request: Option<Json<VerifyRequest>>,
) -> Result<Response, Problem> {
    let VerifyRequest { repair, percent } = request.map(|request| request.0).unwrap_or_default();
    if percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
        return Err(Problem::wrong_field("/percent", "is to be 1 to 100"));
    }
    ask(&engine, plan, Job::Verify(VerifyJob { repair, percent })).await
}

async fn list(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<VerificationView>>, Problem> {
    let limit = limit(query.limit)?;
    let before: Option<RunId> = place(query.cursor.as_deref())?;
    let found = engine.verifications(plan, before, limit + 1).await?;
    Ok(Answer(Page::of(found, limit, |last| last.run)))
}

async fn show(State(engine): State<Engine>, RunOf { plan, run }: RunOf) -> Result<Answer<Report>, Problem> {
    let report = engine.verification_report(run).await?.filter(|report| report.plan == plan);
    report.map(Answer).ok_or_else(unknown)
}
