//! `POST /v1/uploads`, raw and resumable: bytes in, an upload token out, nothing looked at (facts §3).
//!
//! Errors here are a bare status. Bytes are hashed while they arrive and kept only as the settings say.

use std::collections::HashMap;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use sha2::Digest;

use crate::{
    account::Owner,
    call::Call,
    error::{ApiError, Code, answer},
    fault::{Action, SessionAnswer},
    moved::{Attempt, Parcel, Receipt},
    operation::Operation,
    received::{Received, place},
    sniff::{Sniffed, sniff},
    state::{Hash, State},
};

/// Upload tokens and resumable sessions.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    pub(crate) tokens: HashMap<String, Upload>,
    sessions: HashMap<String, Session>,
    pub(crate) kept_bytes: u64,
}

/// What an upload token stands for.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) owner: Owner,
    pub(crate) hash: Hash,
    pub(crate) size: u64,
    pub(crate) name: String,
    pub(crate) sniffed: Option<Sniffed>,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) created_at: Timestamp,
    pub(crate) spent: bool,
}

#[derive(Debug)]
struct Session {
    owner: Owner,
    name: String,
    received: Received,
    status: Status,
    raw_size: Option<u64>,
    created_at: Timestamp,
}

impl Session {
    fn parcel(&self) -> Parcel {
        Parcel { owner: self.owner.clone(), name: self.name.clone(), size: self.raw_size }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Active,
    Final,
    Cancelled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Final => "final",
            Status::Cancelled => "cancelled",
        }
    }
}

impl Received {
    /// Makes an upload token of what arrived; gives the hash too.
    fn finish(self, state: &mut State, owner: Owner, name: String, now: Timestamp) -> (String, Hash) {
        let sniffed = sniff(&self.bytes);
        let room = state.settings.upload_memory_bytes.saturating_sub(state.uploads.kept_bytes);
        let keep = self.size <= self.room.min(room);
        if keep {
            state.uploads.kept_bytes += self.size;
        }
        let token = state.random.text("CAIS", 280);
        let hash = self.hasher.finalize().into();
        let upload = Upload {
            owner,
            hash,
            size: self.size,
            name,
            sniffed,
            bytes: keep.then(|| self.bytes.into()),
            created_at: now,
            spent: false,
        };
        state.uploads.tokens.insert(token.clone(), upload);
        (token, hash)
    }
}

/// Answers a request of the upload endpoint.
pub(crate) async fn upload(call: &Call, body: Body) -> Response<Body> {
    let command: Vec<String> = call
        .header("x-goog-upload-command")
        .map(|text| text.split(',').map(|word| word.trim().to_ascii_lowercase()).collect())
        .unwrap_or_default();
    let has = |word: &str| command.iter().any(|command| command == word);
    let outcome = match &call.operation {
        Operation::UploadSession(id) if has("query") => query(call, id),
        Operation::UploadSession(id) if has("cancel") => cancel(call, id),
        Operation::UploadSession(id) if has("upload") || has("finalize") => {
            chunk(call, id, body, has("upload"), has("finalize")).await
        }
        Operation::UploadSession(_) => Err(ApiError::invalid("Invalid upload command.")),
        _ if has("start") => start(call),
        _ => raw(call, body).await,
    };
    outcome.unwrap_or_else(|error| error.bare())
}

fn file_name(call: &Call) -> String {
    // A header is Latin-1 on the wire, but clients put UTF-8 there.
    let bytes = call.headers.get("x-goog-upload-file-name").map(HeaderValue::as_bytes).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// A chunk that is coming in. Dropped before it has ended, its connection broke: what had arrived counts as the
/// settings say.
struct Arriving<'a> {
    call: &'a Call,
    id: &'a str,
    ended: bool,
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        let mut state = self.call.world.lock();
        if !self.ended
            && state.settings.round_broken_chunks
            && let Some(session) = state.uploads.sessions.get_mut(self.id)
        {
            session.received.round();
        }
    }
}

async fn raw(call: &Call, body: Body) -> Result<Response<Body>, ApiError> {
    let now = call.world.now();
    let (mut received, mut attempt) = {
        let state = call.world.lock();
        let announced = call.header("content-length").and_then(|text| text.parse().ok());
        let owner = call.owner(&state).unwrap_or_default();
        let attempt = Attempt::new(Parcel { owner, name: file_name(call), size: announced }, 0);
        (place(&state.settings, state.uploads.kept_bytes, announced), attempt)
    };
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::invalid("The upload was cut short."))?;
        let mut state = call.world.lock();
        state.stats.bytes_received += chunk.len() as u64;
        attempt.takes(&mut state.moved, chunk.len() as u64);
        drop(state);
        received.push(&chunk);
    }
    let mut state = call.world.lock();
    let caller = call.authorize(&mut state, now)?;
    if received.size == 0 {
        return Err(ApiError::invalid("Payload must not be empty"));
    }
    let (token, hash) = received.finish(&mut state, caller.owner, file_name(call), now);
    Ok(telling(answer(StatusCode::OK, "text/plain; charset=utf-8", token), attempt.finished(hash)))
}

fn start(call: &Call) -> Result<Response<Body>, ApiError> {
    let now = call.world.now();
    let mut state = call.world.lock();
    let caller = call.authorize(&mut state, now)?;
    let raw_size = call.header("x-goog-upload-raw-size").and_then(|text| text.parse().ok());
    let id = state.random.text("", 64);
    let session = Session {
        owner: caller.owner,
        name: file_name(call),
        received: place(&state.settings, state.uploads.kept_bytes, raw_size),
        status: Status::Active,
        raw_size,
        created_at: now,
    };
    let granularity = state.settings.upload_granularity;
    state.uploads.sessions.insert(id.clone(), session);
    drop(state);
    let url = format!("{}/v1/uploads/{id}?upload_id={id}&upload_protocol=resumable", call.origin.api);
    let mut response = with_status(Response::new(Body::empty()), Status::Active);
    set(&mut response, "x-goog-upload-url", &url);
    set(&mut response, "x-goog-upload-control-url", &url);
    set(&mut response, "x-goog-upload-chunk-granularity", &granularity.to_string());
    Ok(response)
}

fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("our own ids, numbers and addresses are printable");
    response.headers_mut().insert(HeaderName::from_static(name), value);
}

fn telling(mut response: Response<Body>, receipt: Receipt) -> Response<Body> {
    response.extensions_mut().insert(receipt);
    response
}

fn with_status(mut response: Response<Body>, status: Status) -> Response<Body> {
    set(&mut response, "x-goog-upload-status", status.name());
    response
}

/// The session, if it lives and the caller may use it. Where no token is asked for, its owner pays for the request.
fn open<'a>(
    call: &Call,
    state: &'a mut State,
    id: &str,
    now: Timestamp,
) -> Result<&'a mut Session, ApiError> {
    let caller = if state.settings.session_needs_auth { Some(call.authorize(state, now)?) } else { None };
    let life = i64::try_from(state.settings.upload_session_seconds).unwrap_or(i64::MAX);
    let session = state.uploads.sessions.get_mut(id);
    let session = session
        .filter(|session| caller.as_ref().is_none_or(|caller| caller.owner == session.owner))
        .filter(|session| now.duration_since(session.created_at).as_secs() < life)
        .ok_or_else(ApiError::not_found)?;
    if caller.is_none() {
        state.quota.spend(&state.settings, now, &session.owner, &call.operation)?;
    }
    Ok(session)
}

/// Loses the session, if that is what shall happen.
fn lose(call: &Call, state: &mut State, id: &str) -> Result<(), ApiError> {
    for fault in &call.faults {
        let Action::LostSession { answer } = fault else { continue };
        let status = match answer {
            SessionAnswer::Final => Status::Final,
            SessionAnswer::Cancelled => Status::Cancelled,
            SessionAnswer::Gone | SessionAnswer::NotFound => {
                state.uploads.sessions.remove(id);
                let http = (*answer == SessionAnswer::Gone).then_some(StatusCode::GONE);
                return Err(ApiError { http, ..ApiError::not_found() });
            }
        };
        if let Some(session) = state.uploads.sessions.get_mut(id) {
            session.status = status;
            session.received = Received::new(0, 0);
        }
    }
    Ok(())
}

fn query(call: &Call, id: &str) -> Result<Response<Body>, ApiError> {
    let now = call.world.now();
    let mut state = call.world.lock();
    lose(call, &mut state, id)?;
    let session = open(call, &mut state, id, now)?;
    let mut response = with_status(Response::new(Body::empty()), session.status);
    set(&mut response, "x-goog-upload-size-received", &session.received.size.to_string());
    Ok(telling(response, Attempt::new(session.parcel(), session.received.size).so_far()))
}

fn cancel(call: &Call, id: &str) -> Result<Response<Body>, ApiError> {
    let now = call.world.now();
    let mut state = call.world.lock();
    let session = open(call, &mut state, id, now)?;
    if session.status == Status::Active {
        session.status = Status::Cancelled;
        session.received = Received::new(0, 0);
    }
    Ok(with_status(Response::new(Body::empty()), session.status))
}

async fn chunk(
    call: &Call,
    id: &str,
    body: Body,
    upload: bool,
    finalize: bool,
) -> Result<Response<Body>, ApiError> {
    let now = call.world.now();
    let mut length = 0_u64;
    let (granularity, mut attempt) = {
        let mut state = call.world.lock();
        let granularity = state.settings.upload_granularity;
        lose(call, &mut state, id)?;
        let session = open(call, &mut state, id, now)?;
        if session.status != Status::Active {
            let error = ApiError::invalid("The upload url is either finalized or rejected by the server");
            return Ok(with_status(error.bare(), session.status));
        }
        let offset = call.header("x-goog-upload-offset").and_then(|text| text.parse::<u64>().ok());
        if upload && offset.is_some_and(|offset| offset != session.received.size) {
            return Err(ApiError::invalid(format!(
                "Upload offset does not match the bytes received: {}.",
                session.received.size
            )));
        }
        (granularity, Attempt::new(session.parcel(), session.received.size))
    };
    let announced = call.header("content-length").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let breaks_at = call.faults.iter().find_map(|fault| match fault {
        Action::BrokenChunk { bytes } => Some(bytes.unwrap_or(announced / 2)),
        _ => None,
    });
    let mut arriving = Arriving { call, id, ended: false };
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        // What arrived before a broken connection stays: a query tells how much.
        let mut piece = piece.map_err(|_| ApiError::invalid("The upload was cut short."))?;
        if let Some(most) = breaks_at {
            piece.truncate(usize::try_from(most - length).unwrap_or(usize::MAX));
        }
        let mut state = call.world.lock();
        state.stats.bytes_received += piece.len() as u64;
        attempt.takes(&mut state.moved, piece.len() as u64);
        if let Some(session) = state.uploads.sessions.get_mut(id) {
            session.received.push(&piece);
        }
        drop(state);
        length += piece.len() as u64;
        if breaks_at.is_some_and(|most| length >= most) {
            break;
        }
    }
    if breaks_at.is_some() {
        // The connection is cut where this comes back.
        return Err(ApiError::invalid("The upload was cut short."));
    }
    arriving.ended = true;
    drop(arriving);
    let mut state = call.world.lock();
    let Some(session) = state.uploads.sessions.get_mut(id) else { return Err(ApiError::not_found()) };
    if !finalize {
        if granularity > 0 && !length.is_multiple_of(granularity) {
            session.status = Status::Cancelled;
            return Err(ApiError::invalid(format!(
                "Every chunk but the last must be a multiple of {granularity} bytes."
            )));
        }
        return Ok(telling(with_status(Response::new(Body::empty()), Status::Active), attempt.so_far()));
    }
    let announced = session.raw_size;
    if announced.is_some_and(|announced| announced != session.received.size) {
        return Err(ApiError::new(
            Code::InvalidArgument,
            "The size of the upload is not the one that was announced.",
        ));
    }
    if session.received.size == 0 {
        return Err(ApiError::invalid("Payload must not be empty"));
    }
    session.status = Status::Final;
    let size = session.received.size;
    let received = std::mem::replace(&mut session.received, Received::new(0, 0));
    session.received.size = size;
    let (owner, name) = (session.owner.clone(), session.name.clone());
    let (token, hash) = received.finish(&mut state, owner, name, now);
    let response = with_status(answer(StatusCode::OK, "text/plain; charset=utf-8", token), Status::Final);
    Ok(telling(response, attempt.finished(hash)))
}
