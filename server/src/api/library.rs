//! `/plans/{id}/items`, `/months` and `/albums`: what the mirror of a backup plan holds, with thumbnails and originals.

use std::str::FromStr;

use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use charon_engine::{
    AlbumId, Engine, Error, Fidelity, ItemDetails, ItemId, Kind, LibraryAlbum, LibraryFilter, LibraryItem,
    MonthOfItems, PlanId, Position, Sha256,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    endpoint::Endpoint,
    etag::ETag,
    extract::{Id, Query},
    paging::{self, Page},
    problem::Problem,
};
use crate::{
    app::App,
    ranged::{self, Served},
    thumbnails::{NoPicture, Size, format_name, placeholder},
};

/// So much of a SHA-256 tells contents apart.
const SHORTEST_VERSION: usize = 8;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/plans/{id}/items", "list_library_items", "What the mirror of a backup plan holds", list)
            .notes(
                "Those that were taken last come first. A search by name goes through the folders instead, the last one first; \
                 a page of it may be short, or empty, and not be the last one.",
            )
            .query::<ItemsQuery>()
            .answer::<Page<LibraryItem>>(200, "A page of items"),
        Endpoint::get("/plans/{id}/months", "list_library_months", "In which months how many items were taken", months)
            .notes("Months are those of UTC. While items are stored, what is counted may be a few seconds old.")
            .query::<MonthsQuery>()
            .answer::<Page<MonthOfItems>>(200, "All months, the last one first"),
        Endpoint::get("/plans/{id}/albums", "list_library_albums", "The albums that are known of the plan's storage", albums)
            .notes(
                "Those that the storage showed when a backup listed its albums last, and those into which Charon has put items; with \
                 how many of their items are in the mirror.",
            )
            .answer::<Page<LibraryAlbum>>(200, "All albums, by title"),
        Endpoint::get("/plans/{id}/items/{item}", "get_library_item", "All that is known of an item", show)
            .path_is::<ItemId>("item")
            .answer::<ItemDetails>(200, "The item"),
        Endpoint::get("/plans/{id}/items/{item}/thumbnail", "get_library_thumbnail", "A small picture of an item", thumbnail)
            .notes("Of a format that Charon cannot draw (HEIC, raw, videos), a picture that says so, as SVG.")
            .path_is::<ItemId>("item")
            .query::<ThumbnailQuery>()
            .header("If-None-Match", "the ETag of the thumbnail that is there already", false)
            .answer_of(200, "The thumbnail", "image/jpeg")
            .answer_of(200, "The thumbnail", "image/svg+xml")
            .answer_empty(304, "The one that is there already is right")
            .problems(&[409]),
        Endpoint::get("/plans/{id}/items/{item}/original", "get_library_original", "The file of an item, or a part of it", original)
            .path_is::<ItemId>("item")
            .query::<OriginalQuery>()
            .header("Range", "the bytes that are wanted, one range of them", false)
            .header("If-Range", "the ETag of the bytes that are there already", false)
            .header("If-None-Match", "the ETag of the file that is there already", false)
            .answer_of(200, "The file", "*/*")
            .with_header("ETag", "the SHA-256 of the file")
            .answer_of(206, "The part of it", "*/*")
            .with_header("Content-Range", "which part it is")
            .answer_empty(304, "The one that is there already is right")
            .problems(&[409, 416]),
    ]
}

/// Which items are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ItemsQuery {
    /// How many items a page has at most.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// Where the page begins: `next` of the page before it, with the same filters.
    cursor: Option<String>,
    /// Only those not taken before this.
    from: Option<Timestamp>,
    /// Only those taken before this.
    before: Option<Timestamp>,
    /// Photos or videos alone.
    kind: Option<Kind>,
    /// Only originals, or only copies as the API gives them.
    fidelity: Option<Fidelity>,
    /// Only those of the album with this id.
    album: Option<AlbumId>,
    /// Only those whose file names begin so, in whatever case.
    name: Option<String>,
}

/// What is counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MonthsQuery {
    /// Photos or videos alone.
    kind: Option<Kind>,
    /// Only originals, or only copies as the API gives them.
    fidelity: Option<Fidelity>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ThumbnailQuery {
    /// The most pixels of its longer side.
    #[serde(default)]
    size: Size,
    /// The beginning of the item's SHA-256, 8 digits of it or more: the address is another one when the bytes are others, and so the
    /// picture may be kept for good.
    #[serde(rename = "v")]
    version: Option<String>,
}

/// Which bytes are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OriginalQuery {
    /// Whether it is to be saved, rather than shown in the browser.
    #[serde(default)]
    download: bool,
}

/// A plan and an item, from the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemOf {
    pub(crate) plan: PlanId,
    pub(crate) item: ItemId,
}

impl<S: Send + Sync> FromRequestParts<S> for ItemOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let parameters = parameters.map_err(|_| Problem::not_found("item"))?;
        let item = parameter(&parameters, "item").map(ItemId);
        let plan = parameter(&parameters, "id");
        plan.zip(item).map(|(plan, item)| Self { plan, item }).ok_or_else(|| Problem::not_found("item"))
    }
}

fn parameter<T: FromStr>(parameters: &RawPathParams, name: &str) -> Option<T> {
    parameters.iter().find(|(known, _)| *known == name).and_then(|(_, text)| text.parse().ok())
}

async fn list(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Query(query): Query<ItemsQuery>,
) -> Result<Json<Page<LibraryItem>>, Problem> {
    let limit = paging::limit(query.limit)?;
    let from = paging::place::<String>(query.cursor.as_deref())?;
    let from = from.map(|text| text.parse::<Position>()).transpose().map_err(|_| not_ours())?;
    let filter = LibraryFilter {
        from: query.from,
        before: query.before,
        kind: query.kind,
        fidelity: query.fidelity,
        album: query.album,
        name: query.name,
    };
    let page = engine.library(plan, &filter, from.as_ref(), limit).await.map_err(|error| match error {
        Error::BadName(_) => not_ours(),
        error => error.into(),
    })?;
    let next = page.next.map(|next| paging::cursor(&next.to_string()));
    Ok(Json(Page { items: page.items, next }))
}

fn not_ours() -> Problem {
    Problem::bad_request("this cursor is none that a page of this list has given; begin without one")
}

async fn months(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
    Query(query): Query<MonthsQuery>,
) -> Result<Json<Page<MonthOfItems>>, Problem> {
    let filter = LibraryFilter { kind: query.kind, fidelity: query.fidelity, ..LibraryFilter::default() };
    Ok(Json(Page::whole(engine.library_months(plan, &filter).await?)))
}

async fn albums(
    State(engine): State<Engine>,
    Id(plan): Id<PlanId>,
) -> Result<Json<Page<LibraryAlbum>>, Problem> {
    Ok(Json(Page::whole(engine.library_albums(plan).await?)))
}

async fn show(
    State(engine): State<Engine>,
    ItemOf { plan, item }: ItemOf,
) -> Result<Json<ItemDetails>, Problem> {
    Ok(Json(engine.library_item(plan, item).await?))
}

async fn thumbnail(
    State(app): State<App>,
    ItemOf { plan, item }: ItemOf,
    Query(query): Query<ThumbnailQuery>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let engine = app.engine();
    let known = engine.library_brief(plan, item).await?;
    let etag = ETag(format!("{}-{}", known.sha256, query.size.pixels()));
    // Another content has another address, if the address says whose it is.
    let is_of_these = query.version.is_some_and(|version| {
        version.len() >= SHORTEST_VERSION && known.sha256.to_string().starts_with(&version)
    });
    let lasting = if is_of_these { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    let lasting = (header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    if ranged::is_known(&asked, &etag) {
        return Ok(etag.on((StatusCode::NOT_MODIFIED, [lasting])));
    }
    let open = async || Ok(engine.library_file(plan, item).await?.into_file().await?);
    let drawn = if known.kind == Kind::Video {
        Ok(Err(NoPicture::Unknown))
    } else {
        app.thumbnails().get(known.sha256, query.size, open).await
    };
    match drawn? {
        Ok(bytes) => {
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
            Ok(etag.on(([kind, lasting], bytes)))
        }
        Err(why) => {
            let words = match (known.kind, why) {
                (Kind::Video, _) => "a video; open it to play it".to_owned(),
                (Kind::Photo, NoPicture::Unknown) => "cannot be drawn here; download it".to_owned(),
                (Kind::Photo, why) => why.to_string(),
            };
            let svg = placeholder(&format_name(&known.name, &known.mime_type), &words).into_string();
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
            let lasting = (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            Ok(([kind, lasting], svg).into_response())
        }
    }
}

async fn original(
    State(engine): State<Engine>,
    ItemOf { plan, item }: ItemOf,
    Query(query): Query<OriginalQuery>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let stored = engine.library_file(plan, item).await?;
    let served = Served {
        length: stored.item.size,
        etag: tag(stored.item.sha256),
        name: stored.item.name.clone(),
        mime_type: stored.item.mime_type.clone(),
        is_download: query.download,
    };
    Ok(served.answer(&asked, |part| stored.read(part)).await)
}

fn tag(sha256: Sha256) -> ETag {
    ETag(sha256.to_string())
}
