//! `/plans/{id}/mirror` and `/sums`: what the mirror of a backup plan comes to, in numbers and as checksums.

use std::io;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use charon_engine::{Checksums, Engine, Error, Job, MirrorStanding, PlanId};
use futures::stream;

use super::{
    asked::{Asked, ask},
    endpoint::Endpoint,
    extract::Id,
    problem::Problem,
};
use crate::access::Scope;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/plans/{id}/mirror", "get_mirror", "The mirror of a backup plan in numbers", show)
            .notes(
                "How much is home, how true it is to the originals, how much of it was verified and when, what the last \
                 verification found, and what lies in the trash.",
            )
            .answer::<MirrorStanding>(200, "The numbers")
            .problems(&[409]),
        Endpoint::post("/plans/{id}:originals", "find_originals", "Puts originals in the place of copies of lesser fidelity", originals)
            .scope(Scope::Run)
            .notes(
                "A run like any other. They come from the folders of this machine that they were uploaded from, and from the \
                 full-resolution source of the storage, if it has one.",
            )
            .answer::<Asked>(202, "There is such a run")
            .with_header("Location", "where the run is")
            .problems(&[409]),
        Endpoint::get("/plans/{id}/sums", "get_sums", "The checksums of a mirror, for `sha256sum -c` in its folder", sums)
            .notes("From the ledger: nothing of the mirror is read for it.")
            .answer_of(200, "Line by line: the SHA-256 of a file, and where it is below the destination", "text/plain")
            .problems(&[409]),
    ]
}

async fn show(State(engine): State<Engine>, Id(plan): Id<PlanId>) -> Result<Json<MirrorStanding>, Problem> {
    Ok(Json(engine.mirror_standing(plan).await?))
}

async fn originals(State(engine): State<Engine>, Id(plan): Id<PlanId>) -> Result<Response, Problem> {
    ask(&engine, plan, Job::Originals).await
}

async fn sums(State(engine): State<Engine>, Id(plan): Id<PlanId>) -> Result<Response, Problem> {
    let first = engine.checksums_by_id(plan, None).await?;
    let pages = stream::unfold(Some(Ok(first)), move |page: Option<Result<Checksums, Error>>| {
        let engine = engine.clone();
        async move {
            match page? {
                Ok(page) => {
                    let next = match page.next {
                        Some(from) => Some(engine.checksums_by_id(plan, Some(from)).await),
                        None => None,
                    };
                    let lines: String = page.lines.into_iter().map(|line| line + "\n").collect();
                    Some((Ok(Bytes::from(lines)), next))
                }
                // The connection breaks, so that nobody takes it for all of them.
                Err(error) => {
                    tracing::warn!(%error, %plan, "the checksums of a mirror could not be read to their end");
                    Some((Err(io::Error::other("the checksums could not be read to their end")), None))
                }
            }
        }
    });
    let mut response = Body::from_stream(pages).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields
        .insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"SHA256SUMS\""));
    Ok(response)
}
