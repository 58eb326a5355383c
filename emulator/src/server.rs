//! From a connection to an answer: routing, counting, and the faults that come before anything takes effect.
//!
//! What breaks afterwards is in `breaking`.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, Response, StatusCode, header},
};
use bytes::Bytes;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{
    account::Owner,
    admin, albums,
    breaking::{Cut, after},
    call::{Call, Origin},
    discovery,
    error::{ApiError, answer, json_response},
    fault::Action,
    listing, media, media_items, moved, oauth,
    operation::{Family, Operation},
    settings::Settings,
    state::State,
    uploads,
    world::World,
};

/// Largest body of a structured call; far above anything that 50 items could need.
const MOST_JSON: usize = 8 * 1024 * 1024;

/// The emulator: a world and a server in front of it. Dropping it stops the server.
#[derive(Debug)]
pub struct Emulator {
    world: World,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Emulator {
    /// Listens where the settings say (a free port of 127.0.0.1 by default) and serves until dropped.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or is not a loopback address and the settings do not allow that.
    pub async fn start(settings: Settings) -> io::Result<Emulator> {
        let listen = settings.listen;
        if !listen.ip().is_loopback() && !settings.allow_non_loopback {
            let text =
                format!("{listen} can be reached by other machines, and nothing here is safe for them");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let world = World::new(settings);
        world.set_url(format!("http://{address}"));
        let origin = Origin::direct(world.url());
        let serving = world.clone();
        let respond = move |request| handle(serving.clone(), origin.clone(), request);
        let task = tokio::spawn(accept(listener, true, respond));
        Ok(Emulator { world, address, task })
    }

    /// `http://127.0.0.1:PORT`: the API is at `{url}/v1`, the token endpoint at `{url}/token`, the consent page at
    /// `{url}/o/oauth2/auth`.
    pub fn url(&self) -> String {
        self.world.url().to_owned()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The truth: items, albums, statistics, faults, settings, time.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// rclone's token JSON with a living refresh token, as if the user had consented. No scopes: append, read, edit.
    pub fn token_blob(&self, client_id: &str, scopes: &[&str]) -> String {
        self.world.token_blob(client_id, scopes)
    }

    /// Stops serving, cuts the connections and waits until the port is free.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task was told to stop: that it was is no news.
        drop((&mut self.task).await);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves every connection of a listener. `half_close` still answers a client that has closed its side.
pub(crate) async fn accept<F, R>(listener: TcpListener, half_close: bool, respond: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    // Owns the connections: they end with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_tcp(stream, half_close, respond.clone()));
                }
                // Too many open files, mostly: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_tcp<F, R>(stream: TcpStream, half_close: bool, respond: F)
where
    F: Fn(Request<Incoming>) -> R,
    R: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    // Small answers must not wait for more. A socket that refuses still works.
    drop(stream.set_nodelay(true));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(half_close)
        .serve_connection(TokioIo::new(stream), service_fn(respond));
    let cut = match (&mut connection).await {
        Ok(()) => false,
        Err(error) => error.is_user(),
    };
    if cut {
        // Without lingering, closing sends RST, as a broken middlebox does.
        let stream = connection.into_parts().io.into_inner();
        drop(stream.set_zero_linger());
    }
}

/// Answers one request, or cuts the connection.
pub(crate) async fn handle<B>(
    world: World,
    origin: Origin,
    request: Request<B>,
) -> Result<Response<Body>, Cut>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let body = Body::new(body);
    let operation = Operation::of(&parts.method, parts.uri.path());
    let query =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()).into_owned().collect();
    let mut call =
        Call { world: world.clone(), operation, query, headers: parts.headers, origin, faults: Vec::new() };
    if let Operation::Admin(path) = &call.operation {
        if !call.origin.admin {
            return Ok(answer(StatusCode::NOT_FOUND, "text/plain", "Not Found"));
        }
        let body = to_bytes(body, MOST_JSON).await.unwrap_or_default();
        return Ok(admin::answer(&call, &parts.method, path, &body));
    }

    let name = call.operation.name(call.header("x-goog-upload-command"));
    let (latency, under_way) = begin(&mut call, name);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let standstill = call.faults.iter().find_map(|fault| match fault {
        Action::Standstill { reads_body } => Some(*reads_body),
        _ => None,
    });
    if let Some(reads_body) = standstill {
        // It is not under way: the client that gives up and asks again is not two.
        drop(under_way);
        *world.lock().stats.responses.entry(0).or_default() += 1;
        let unread = if reads_body {
            drain(body).await;
            None
        } else {
            Some(body)
        };
        std::future::pending::<()>().await;
        drop(unread);
        return Err(Cut);
    }
    let outcome = respond(&call, &parts.method, body).await;
    drop(under_way);
    let outcome = outcome.and_then(|response| after(&call, response));
    let outcome = outcome.map(|response| moved::watch(&world, response));
    let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    *world.lock().stats.responses.entry(status).or_default() += 1;
    tracing::debug!(method = name, status, "answered");
    outcome
}

/// Takes a request off the counts of what is under way when it ends, however it ends.
struct UnderWay {
    world: World,
    upload: bool,
    media: bool,
    write: Option<Owner>,
    album: Option<String>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.world.lock();
        if self.upload {
            state.quota.uploads_under_way -= 1;
        }
        if self.media {
            state.quota.media_under_way -= 1;
        }
        if let Some(count) = self.write.as_ref().and_then(|client| state.quota.under_way.get_mut(client)) {
            *count -= 1;
        }
        if let Some(count) = self.album.as_ref().and_then(|album| state.quota.albums.get_mut(album)) {
            *count -= 1;
        }
    }
}

/// Counts the request, finds what shall go wrong with it, and how long it waits first.
fn begin(call: &mut Call, name: &'static str) -> (Duration, UnderWay) {
    let world = call.world.clone();
    let mut state = world.lock();
    let state = &mut *state;
    *state.stats.requests.entry(name.to_owned()).or_default() += 1;
    match call.operation.family() {
        Family::Api => state.stats.api_requests += 1,
        Family::Media => state.stats.media_requests += 1,
        Family::OAuth => state.stats.oauth_requests += 1,
        Family::Admin | Family::Other => {}
    }
    call.faults = state.faults.iter_mut().filter_map(|fault| fault.meet(name)).collect();
    state.stats.faults += call.faults.len() as u64;
    let mut latency = state.settings.latency_ms;
    for fault in &call.faults {
        match fault {
            Action::Latency { ms } => latency += ms,
            Action::ExpiredPageTokens => state.page_token_generation += 1,
            _ => {}
        }
    }
    let mut under_way = UnderWay {
        world: call.world.clone(),
        upload: call.operation.is_upload(),
        media: call.operation.family() == Family::Media,
        write: None,
        album: None,
    };
    if under_way.upload {
        state.quota.uploads_under_way += 1;
        let now = state.quota.uploads_under_way;
        state.stats.peak_concurrent_uploads = state.stats.peak_concurrent_uploads.max(now);
    }
    if under_way.media {
        state.quota.media_under_way += 1;
        let now = state.quota.media_under_way;
        state.stats.peak_concurrent_media = state.stats.peak_concurrent_media.max(now);
    }
    if call.operation.is_write() {
        let user = call.owner(state).unwrap_or_default();
        let count = state.quota.under_way.entry(user.clone()).or_default();
        *count += 1;
        state.stats.peak_concurrent_writes = state.stats.peak_concurrent_writes.max(*count);
        under_way.write = Some(user);
        if let Some(album) = call.operation.album() {
            *state.quota.albums.entry(album.to_owned()).or_default() += 1;
            under_way.album = Some(album.to_owned());
        }
    }
    (Duration::from_millis(latency), under_way)
}

async fn respond(call: &Call, method: &Method, body: Body) -> Result<Response<Body>, Cut> {
    if call.faults.contains(&Action::ConnectionReset) {
        return Err(Cut);
    }
    if call.faults.contains(&Action::Html) {
        let page = "<!DOCTYPE html><html><title>Sign in</title><p>This is not what you asked for.</html>";
        drain(body).await;
        return Ok(answer(StatusCode::OK, "text/html; charset=utf-8", page));
    }
    let refusal = {
        let state = call.world.lock();
        call.refusal(&call.project(&state))
    };
    if let Some(refusal) = refusal {
        drain(body).await;
        return Ok(if call.operation.is_upload() {
            refusal.bare()
        } else {
            refusal.structured(call.alt_json())
        });
    }
    match (&call.operation, call.operation.family()) {
        (Operation::Upload | Operation::UploadSession(_), _) => {
            let response = uploads::upload(call, body).await;
            let broken = call.faults.iter().any(|fault| matches!(fault, Action::BrokenChunk { .. }));
            if broken { Err(Cut) } else { Ok(response) }
        }
        (Operation::Media { token, parameter, .. }, _) => {
            let response = media::serve(call, token, parameter).await;
            count_bytes(call, &response);
            Ok(response)
        }
        (Operation::Discovery, _) => Ok(discovery::answer(call)),
        (_, Family::OAuth) => {
            let body = to_bytes(body, MOST_JSON).await.unwrap_or_default();
            Ok(oauth::answer(call, &body))
        }
        (_, Family::Api) => {
            let body = to_bytes(body, MOST_JSON).await.map_err(|_| Cut)?;
            call.world.lock().stats.bytes_received += body.len() as u64;
            Ok(library(call, &body))
        }
        _ => Ok(unknown(method)),
    }
}

fn unknown(method: &Method) -> Response<Body> {
    let page = format!(
        "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b> The requested URL was not \
         found for {method}.</html>"
    );
    answer(StatusCode::NOT_FOUND, "text/html; charset=UTF-8", page)
}

/// Reads a body that nobody wants, so that the client gets to see the answer.
async fn drain(body: Body) {
    use futures::StreamExt;
    let mut stream = body.into_data_stream();
    while let Some(Ok(_)) = stream.next().await {}
}

fn count_bytes(call: &Call, response: &Response<Body>) {
    let head = matches!(call.operation, Operation::Media { head: true, .. });
    let length = response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if let (false, true, Some(Ok(length))) =
        (head, response.status().is_success(), length.map(str::parse::<u64>))
    {
        call.world.lock().stats.bytes_sent += length;
    }
}

/// The structured calls.
fn library(call: &Call, body: &[u8]) -> Response<Body> {
    let now = call.world.now();
    let mut state = call.world.lock();
    let partial = StatusCode::from_u16(state.settings.partial_success_status).unwrap_or(StatusCode::OK);
    match library_call(call, &mut state, now, body) {
        Ok((mut value, failed)) => {
            drop(state);
            for fault in &call.faults {
                if let Action::OddItem { oddity, positions } = fault {
                    crate::odd::apply(&mut value, *oddity, positions);
                }
            }
            if let Some(mask) = call.query("fields") {
                crate::fields::keep(&mut value, mask);
            }
            json_response(if failed { partial } else { StatusCode::OK }, &value)
        }
        Err(error) => error.structured(call.alt_json()),
    }
}

fn library_call(
    call: &Call,
    state: &mut State,
    now: jiff::Timestamp,
    body: &[u8],
) -> Result<(Value, bool), ApiError> {
    let caller = call.authorize(state, now)?;
    let caller = &caller;
    if state.settings.abort_concurrent_album_writes
        && call.operation.album().is_some_and(|album| state.quota.albums.get(album).is_some_and(|n| *n > 1))
    {
        return Err(ApiError::new(crate::error::Code::Aborted, "The operation was aborted."));
    }
    let value = match &call.operation {
        Operation::MediaItemsBatchCreate => {
            return media_items::batch_create(call, state, now, caller, body);
        }
        Operation::MediaItemsList => listing::list(call, state, now, caller)?,
        Operation::MediaItemsSearch => listing::search(call, state, now, caller, body)?,
        Operation::MediaItemsBatchGet => media_items::batch_get(call, state, now, caller)?,
        Operation::MediaItemsGet(id) => media_items::get(call, state, now, caller, id)?,
        Operation::MediaItemsPatch(id) => media_items::patch(call, state, now, caller, id, body)?,
        Operation::AlbumsList => listing::albums(call, state, now, caller)?,
        Operation::AlbumsCreate => albums::create(call, state, now, caller, body)?,
        Operation::AlbumsGet(id) => albums::get(call, state, now, caller, id)?,
        Operation::AlbumsPatch(id) => albums::patch(call, state, now, caller, id, body)?,
        Operation::AlbumsBatchAdd(id) => albums::batch_add(call, state, now, caller, id, body)?,
        Operation::AlbumsBatchRemove(id) => albums::batch_remove(call, state, now, caller, id, body)?,
        Operation::AlbumsAddEnrichment(id) => albums::add_enrichment(state, now, caller, id, body)?,
        _ => json!({}),
    };
    Ok((value, false))
}
