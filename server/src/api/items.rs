//! `/storages/{id}/items` and `/receipts`: single files that programs hand over to be sent.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State, multipart::MultipartError},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::from_fn,
    response::{AppendHeaders, IntoResponse, Response},
};
use charon_engine::{
    Engine, Error, Handing, Mode, NotTaken, Receipt, ReceiptId, ReceiptState, Receiving, StorageId,
};
use futures::{Stream, StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BASE,
    endpoint::Endpoint,
    extract::{Id, Query},
    paging::{self, Page, PageQuery},
    problem::Problem,
};
use crate::{access::Scope, app::App, bodies::takes_files};

/// How long one who waits for the item waits, unless the one who asks says otherwise.
const WAITS: u32 = 120;
/// A field of a form that is no file has so many bytes at most.
const LONGEST_FIELD: usize = 4096;
/// So many bytes of a form have come before it is taken apart.
const BEGINNING: usize = 128;
/// By which the one who sends a file knows it again (draft-ietf-httpapi-idempotency-key-header).
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut send = Endpoint::post("/storages/{id}/items", "send_item", "Takes in one file and sends it to the storage", send)
        .scope(Scope::Run)
        .notes(
            "The file comes as `multipart/form-data` with the fields `file` and, if it goes into an album, `album`; or as the \
             whole body, with its name and album in the query. It may be as large as the storage takes. With `mode=sync`, the \
             answer comes when the file is an item of the storage, and tells its media id; if it cannot be sent for now, it is kept \
             and sent later, and the answer is a receipt that says why. With `mode=async`, the receipt comes as soon as the file is \
             safely here.",
        )
        .query::<SendQuery>()
        .header("Idempotency-Key", "1 to 200 letters, digits and signs; a file that comes again with the same key is not sent again", false)
        .body_of::<Form>("multipart/form-data")
        .body_of::<Bytes_>("application/octet-stream")
        .body_of::<Bytes_>("image/jpeg")
        .answer::<Receipt>(200, "The storage had these bytes already; they were not sent again")
        .answer::<Receipt>(201, "It is an item of the storage")
        .answer::<Receipt>(202, "It is safely here, and will be sent")
        .with_header("Location", "the receipt, which tells what becomes of it")
        .problems(&[409, 507]);
    send.handler =
        send.handler.layer::<_, Infallible>(from_fn(takes_files)).layer(DefaultBodyLimit::disable());
    vec![
        send,
        Endpoint::get(
            "/storages/{id}/receipts",
            "list_receipts",
            "What was handed over to be sent, the newest first",
            list,
        )
        .query::<PageQuery>()
        .answer::<Page<Receipt>>(200, "A page of receipts"),
        Endpoint::get("/receipts/{id}", "get_receipt", "What became of a file that was handed over", show)
            .notes("Receipts are kept for 30 days after the file was sent or has failed.")
            .answer::<Receipt>(200, "The receipt"),
    ]
}

/// How a file is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendQuery {
    /// Whether to wait for the item (`sync`) or for the receipt alone (`async`).
    #[serde(default)]
    pub(crate) mode: HowLong,
    /// The name of the file, where the body is the file itself.
    pub(crate) name: Option<String>,
    /// The title of the album, where the body is the file itself.
    pub(crate) album: Option<String>,
    /// How many seconds one who waits for the item waits at most.
    #[schemars(range(min = 1, max = 600))]
    pub(crate) wait: Option<u32>,
}

/// Whether somebody waits for the item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum HowLong {
    #[default]
    Sync,
    Async,
}

/// The fields of a form that brings a file.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is read as it comes, and only described here")]
struct Form {
    /// The file, with its name.
    #[schemars(extend("contentMediaType" = "application/octet-stream"))]
    file: String,
    /// The title of the album that it goes into; made if it is not there.
    album: Option<String>,
}

/// Bytes.
#[derive(JsonSchema)]
#[schemars(inline, extend("contentMediaType" = "application/octet-stream"))]
#[expect(dead_code, reason = "they are read as they come, and only described here")]
struct Bytes_(String);

async fn send(
    State(app): State<App>,
    Id(storage): Id<StorageId>,
    Query(query): Query<SendQuery>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let patience = match query.wait.unwrap_or(WAITS) {
        seconds @ 1..=600 => Duration::from_secs(seconds.into()),
        _ => return Err(Problem::bad_request("wait is to be 1 to 600 seconds")),
    };
    let key = match headers.get(KEY) {
        Some(key) => Some(
            key.to_str().map_err(|_| Problem::bad_request("Idempotency-Key is no plain text"))?.to_owned(),
        ),
        None => None,
    };
    let receipt = take_in(app.engine(), storage, &query, key, request).await?;
    let receipt = match query.mode {
        HowLong::Sync => in_the_end(&app, receipt, patience).await?,
        HowLong::Async => receipt,
    };
    Ok(told(receipt))
}

/// Waits for what becomes of a file, but not when the server is to end: it is safe, and the next start sends it.
pub(crate) async fn in_the_end(app: &App, receipt: Receipt, patience: Duration) -> Result<Receipt, Problem> {
    let ended = app.engine().receipt_in_the_end(receipt.id, patience);
    match app.shutdown().run_until_cancelled(ended).await {
        Some(ended) => Ok(ended?),
        None => Ok(receipt),
    }
}

async fn take_in(
    engine: &Engine,
    storage: StorageId,
    query: &SendQuery,
    key: Option<String>,
    request: Request,
) -> Result<Receipt, Problem> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("multipart/"));
    let mode = match query.mode {
        HowLong::Sync => Mode::Sync,
        HowLong::Async => Mode::Async,
    };
    if is_form {
        let form = form_of(request).await?;
        let handing = Handing { album: query.album.clone(), key, ..Handing::default() };
        return take_in_form(engine, storage, form, handing, mode).await;
    }
    let Some(name) = query.name.clone() else {
        return Err(Problem::bad_request(
            "a file that is the whole body has its name in the query (?name=photo.jpg); or send it as multipart/form-data, in \
             the field `file`",
        ));
    };
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let handing = Handing { name, album: query.album.clone(), key, length };
    let mut receiving = engine.receive(storage, handing).await.map_err(refused)?;
    write_all(&mut receiving, Body::into_data_stream(request.into_body())).await?;
    receiving.finish(mode).await.map_err(refused)
}

/// The form that a request brings.
pub(crate) async fn form_of(request: Request) -> Result<Multipart, Problem> {
    let (parts, body) = request.into_parts();
    let mut rest = body.into_data_stream();
    // What takes it apart (multer 3.1) looks for its first boundary, waits once, and gives it up if it has come whole meanwhile: so the
    // first boundary, of 70 letters at the most, is there from the beginning.
    let (mut beginning, mut broken) = (Vec::new(), None);
    while beginning.len() < BEGINNING {
        match rest.next().await {
            Some(Ok(chunk)) => beginning.extend_from_slice(&chunk),
            Some(Err(error)) => {
                broken = Some(Err(error));
                break;
            }
            None => break,
        }
    }
    let read = [Ok(Bytes::from(beginning))].into_iter().chain(broken);
    let request = Request::from_parts(parts, Body::from_stream(stream::iter(read).chain(rest)));
    Multipart::from_request(request, &()).await.map_err(|rejection| {
        Problem::bad_request(format!("the form cannot be read: {}", rejection.body_text()))
    })
}

/// Takes in the file of a form. Its other fields may come in front of it or behind it.
pub(crate) async fn take_in_form(
    engine: &Engine,
    storage: StorageId,
    mut form: Multipart,
    mut handing: Handing,
    mode: Mode,
) -> Result<Receipt, Problem> {
    let mut receiving: Option<Receiving> = None;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" if receiving.is_some() => {
                return Err(Problem::wrong_field("/file", "is there twice; send one file at a time"));
            }
            "file" => {
                let given = field
                    .file_name()
                    .map(str::to_owned)
                    .or_else(|| (!handing.name.is_empty()).then(|| handing.name.clone()));
                handing.name = given.ok_or_else(|| {
                    Problem::wrong_field("/file", "has no name; send it as a file, with one")
                })?;
                let mut begun = engine.receive(storage, handing.clone()).await.map_err(refused)?;
                write_all(&mut begun, field).await?;
                receiving = Some(begun);
            }
            "album" => {
                let title = text_of(field).await?;
                // A form without JavaScript sends an empty box too.
                if title.is_empty() {
                    continue;
                }
                match &mut receiving {
                    Some(receiving) => receiving.set_album(title).map_err(refused)?,
                    None => handing.album = Some(title),
                }
            }
            _ => {
                text_of(field).await?;
            }
        }
    }
    let receiving = receiving.ok_or_else(|| Problem::wrong_field("/file", "is missing"))?;
    receiving.finish(mode).await.map_err(refused)
}

/// What a short field says.
async fn text_of(mut field: axum::extract::multipart::Field<'_>) -> Result<String, Problem> {
    let pointer = format!("/{}", field.name().unwrap_or_default());
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if text.len() + chunk.len() > LONGEST_FIELD {
            return Err(Problem::wrong_field(
                &pointer,
                format!("is too long: {LONGEST_FIELD} bytes are the most"),
            ));
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).map_err(|_| Problem::wrong_field(&pointer, "is no UTF-8"))
}

fn broken(error: &MultipartError) -> Problem {
    Problem::bad_request(format!("the form breaks off or cannot be read: {}", error.body_text()))
}

async fn write_all<E: std::fmt::Display>(
    receiving: &mut Receiving,
    bytes: impl Stream<Item = Result<Bytes, E>> + Send,
) -> Result<(), Problem> {
    let mut bytes = std::pin::pin!(bytes);
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| Problem::bad_request(format!("the file breaks off: {error}")))?;
        receiving.write(chunk).await.map_err(refused)?;
    }
    Ok(())
}

/// Why a file is not taken in, as a problem.
pub(crate) fn refused(refusal: NotTaken) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        NotTaken::Unable(_) => Problem::conflict(detail),
        NotTaken::Name(_) => Problem::wrong_field("/name", detail),
        NotTaken::Album(_) => Problem::wrong_field("/album", detail),
        NotTaken::Empty(_) => Problem::wrong_field("/file", detail),
        NotTaken::Key(_) => Problem::bad_request(detail),
        NotTaken::KeyTaken(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
        NotTaken::NotMedia(_) => Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
        NotTaken::TooLarge(_) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
        NotTaken::Full(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(60),
        NotTaken::DiskFull(_) => Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail),
        // A storage whose configuration is wrong has nothing to do with what was sent.
        NotTaken::Engine(error @ Error::Config { .. }) => Problem::conflict(error.to_string()),
        NotTaken::Engine(error) => error.into(),
    }
}

/// The answer that a receipt is.
fn told(receipt: Receipt) -> Response {
    let location = (header::LOCATION, format!("{BASE}/receipts/{}", receipt.id));
    let status = match receipt.state {
        ReceiptState::Sent if receipt.was_there == Some(true) => StatusCode::OK,
        ReceiptState::Sent => StatusCode::CREATED,
        ReceiptState::Waiting => StatusCode::ACCEPTED,
        ReceiptState::Failed => {
            let reason = receipt.reason.unwrap_or_else(|| "the storage does not take it".into());
            return (AppendHeaders([location]), Problem::wrong_field("/file", reason)).into_response();
        }
    };
    (status, AppendHeaders([location]), Json(receipt)).into_response()
}

async fn show(State(engine): State<Engine>, Id(id): Id<ReceiptId>) -> Result<Json<Receipt>, Problem> {
    Ok(Json(engine.receipt(id).await?))
}

async fn list(
    State(engine): State<Engine>,
    Id(storage): Id<StorageId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Receipt>>, Problem> {
    let (limit, before) = (paging::limit(query.limit)?, paging::place(query.cursor.as_deref())?);
    engine.storage_by_id(storage).await?;
    let receipts = engine.receipts(storage, before, limit + 1).await?;
    Ok(Json(Page::of(receipts, limit, |receipt| receipt.id)))
}
