//! `/audit`: who changed what, and from where.

use axum::{Json, extract::State};
use charon_engine::{AuditEntry, Engine, Scope};

use super::{
    endpoint::Endpoint,
    extract::Query,
    paging::{self, Page, PageQuery},
    problem::Problem,
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/audit", "list_audit", "Who changed what, and from where, the newest first", list)
            .scope(Scope::Admin)
            .query::<PageQuery>()
            .answer::<Page<AuditEntry>>(200, "A page of the audit log"),
    ]
}

async fn list(
    State(engine): State<Engine>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let before = paging::place(query.cursor.as_deref())?;
    let entries = engine.audit_entries(before, limit + 1).await?;
    Ok(Json(Page::of(entries, limit, |entry| entry.seq)))
}
