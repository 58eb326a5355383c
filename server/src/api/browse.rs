//! `/storages/{id}/albums` and `/storages/{id}/items`: what a storage itself shows, fetched from it while somebody waits.

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, RawPathParams, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use charon_engine::{AlbumId, BrowsedItem, Engine, Error, Reason, RemoteAlbum, RemoteId, StorageId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    endpoint::Endpoint,
    extract::{Id, Query},
    paging::{self, Page},
    problem::Problem,
};
use crate::{
    ranged,
    thumbnails::{Size, placeholder},
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    const COSTS: &str = "It asks the storage, and so it costs a request of the day's quota.";
    vec![
        Endpoint::get("/storages/{id}/albums", "browse_albums", "The albums that a storage shows", albums)
            .notes(COSTS)
            .query::<AlbumsQuery>()
            .answer::<Page<RemoteAlbum>>(200, "A page of albums, as large as the storage makes it")
            .problems(&[409, 502]),
        Endpoint::get("/storages/{id}/items", "browse_items", "The items that a storage shows", items)
            .notes(COSTS)
            .query::<ItemsQuery>()
            .answer::<Page<BrowsedItem>>(200, "A page of items, as large as the storage makes it")
            .problems(&[409, 502]),
        Endpoint::get("/storages/{id}/items/{item}", "browse_item", "An item of a storage", item)
            .notes(COSTS)
            .path_is::<RemoteId>("item")
            .answer::<BrowsedItem>(200, "The item")
            .problems(&[409, 502]),
        Endpoint::get(
            "/storages/{id}/items/{item}/preview",
            "get_storage_preview",
            "A small picture of an item of a storage",
            preview,
        )
        .notes("Where the storage has none, a picture that says so, as SVG.")
        .path_is::<RemoteId>("item")
        .query::<PreviewQuery>()
        .answer_of(200, "The picture", "image/*")
        .problems(&[409, 502]),
        Endpoint::get(
            "/storages/{id}/items/{item}/original",
            "get_storage_original",
            "The bytes of an item, as the storage gives them",
            original,
        )
        .path_is::<RemoteId>("item")
        .query::<OriginalQuery>()
        .answer_of(200, "The bytes", "*/*")
        .problems(&[409, 502]),
    ]
}

/// Where a page begins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AlbumsQuery {
    /// `next` of the page before it.
    cursor: Option<String>,
}

/// Which items are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ItemsQuery {
    /// Only those of the album with this id.
    album: Option<AlbumId>,
    /// `next` of the page before it.
    cursor: Option<String>,
}

/// How large the picture is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewQuery {
    /// The most pixels of its longer side.
    #[serde(default)]
    size: Size,
}

/// What is to become of the bytes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OriginalQuery {
    /// Whether they are to be saved, rather than shown in the browser.
    #[serde(default)]
    download: bool,
}

/// A storage and an item, from the path.
#[derive(Clone, Debug)]
pub(crate) struct RemoteItemOf {
    pub(crate) storage: StorageId,
    pub(crate) item: RemoteId,
}

impl<S: Send + Sync> FromRequestParts<S> for RemoteItemOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let parameters = parameters.map_err(|_| Problem::not_found("item"))?;
        let parameter = |name| parameters.iter().find(|(known, _)| *known == name).map(|(_, text)| text);
        let storage = parameter("id").and_then(|id| id.parse().ok());
        let item = parameter("item").map(|id| RemoteId(id.to_owned()));
        storage
            .zip(item)
            .map(|(storage, item)| Self { storage, item })
            .ok_or_else(|| Problem::not_found("item"))
    }
}

/// What the storage did not do.
pub(crate) fn refused(error: Error) -> Problem {
    match error {
        Error::Storage(error) if error.reason == Reason::ListingExpired => {
            Problem::bad_request("the storage does not know this cursor (any more); begin without one")
        }
        Error::Storage(error) if error.reason == Reason::NotFound => {
            Problem::not_found("album or item in the storage")
        }
        error => Problem::of_stored(error),
    }
}

async fn albums(
    State(engine): State<Engine>,
    Id(storage): Id<StorageId>,
    Query(query): Query<AlbumsQuery>,
) -> Result<Json<Page<RemoteAlbum>>, Problem> {
    let from = paging::place::<String>(query.cursor.as_deref())?;
    let page = engine.browse_albums(storage, from.as_deref()).await.map_err(refused)?;
    Ok(Json(Page { items: page.items, next: page.next.map(|next| paging::cursor(&next)) }))
}

async fn items(
    State(engine): State<Engine>,
    Id(storage): Id<StorageId>,
    Query(query): Query<ItemsQuery>,
) -> Result<Json<Page<BrowsedItem>>, Problem> {
    let from = paging::place::<String>(query.cursor.as_deref())?;
    let page = engine.browse_items(storage, query.album.as_ref(), from.as_deref()).await.map_err(refused)?;
    Ok(Json(Page { items: page.items, next: page.next.map(|next| paging::cursor(&next)) }))
}

async fn item(
    State(engine): State<Engine>,
    RemoteItemOf { storage, item }: RemoteItemOf,
) -> Result<Json<BrowsedItem>, Problem> {
    Ok(Json(engine.browse_item(storage, &item).await.map_err(refused)?))
}

async fn preview(
    State(engine): State<Engine>,
    RemoteItemOf { storage, item }: RemoteItemOf,
    Query(query): Query<PreviewQuery>,
) -> Result<Response, Problem> {
    // A browser may keep it as long as the storage's own addresses last, roughly; nobody else may.
    let lasting = (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    let policy = (header::CONTENT_SECURITY_POLICY, ranged::POLICY);
    let kind = |kind: &'static str| (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let instead = |format: &str, why: &str| {
        let svg = placeholder(format, why).into_string();
        ([kind("image/svg+xml"), (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))], svg)
    };
    match engine.browse_preview(storage, &item, query.size.pixels().into()).await {
        Ok(preview) => match picture_type(&preview.bytes) {
            Some(found) => Ok(([kind(found), lasting, policy], preview.bytes).into_response()),
            None => Ok(instead("?", "the storage gave no picture").into_response()),
        },
        Err(Error::Storage(error)) if error.reason == Reason::NoSuchPart => {
            Ok(instead("–", "no small picture of it").into_response())
        }
        Err(error) => Err(refused(error)),
    }
}

/// The media type of a picture that every browser shows, by its first bytes.
fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if begins(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if begins(b"GIF8") {
        Some("image/gif")
    } else if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

async fn original(
    State(engine): State<Engine>,
    RemoteItemOf { storage, item }: RemoteItemOf,
    Query(query): Query<OriginalQuery>,
) -> Result<Response, Problem> {
    let original = engine.browse_original(storage, &item).await.map_err(refused)?;
    let mut headers = HeaderMap::new();
    ranged::describe(&mut headers, &original.name, &original.mime_type, query.download);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Some(length) = original.length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok((headers, Body::from_stream(original.bytes)).into_response())
}
