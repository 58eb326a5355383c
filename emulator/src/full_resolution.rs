//! A proxy like rclone's gphotosdl: the original of an item, by its id, from a browser that is signed in (facts §8).
//!
//! It knows no accounts and asks for no token: a client that sends one gives it away, and [`FullResolutionProxy`] tells.
//! One request is served at a time. It promises original bytes, a ZIP for a live photo, and the ways in which the real
//! one fails.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    breaking::{Cut, truncated},
    content::Content,
    error::answer,
    ranges::{File, Manners, Source},
    server::{Emulator, accept},
    sniff::sniff,
    state::Item,
    world::World,
    zip,
};

/// What goes wrong at the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FullResolutionFault {
    /// Never answers, and lets nobody else in, until the client goes or the fault is changed.
    Hang,
    /// 500.
    ServerError,
    /// 404, whatever is asked for.
    NotFound,
    /// 200 with an HTML page.
    Html,
    /// The connection breaks in the middle of the body.
    Cut,
    /// Answers after this many milliseconds.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
}

/// What was asked of the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FullResolutionStats {
    /// Requests for an item.
    pub requests: u64,
    /// Answers per HTTP status; 0 is a connection that was cut, or that the client left.
    pub responses: BTreeMap<u16, u64>,
    /// Requests that carried an `Authorization` header or a cookie.
    pub with_authorization: u64,
    /// The most requests that were there at once, waiting ones included.
    pub peak_concurrent: u64,
    /// The ids that were asked for, in order.
    pub ids: Vec<String>,
}

#[derive(Debug, Default)]
struct Inner {
    stats: FullResolutionStats,
    fault: Option<FullResolutionFault>,
    /// How often the fault still happens; `None` for ever.
    left: Option<u64>,
    present: u64,
}

#[derive(Debug)]
struct Shared {
    world: World,
    inner: Mutex<Inner>,
    turn: tokio::sync::Mutex<()>,
    /// Changes with the fault: who hangs is let go.
    changed: watch::Sender<u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A running proxy for originals. Dropping it stops it.
#[derive(Debug)]
pub struct FullResolutionProxy {
    shared: Arc<Shared>,
    url: String,
    task: JoinHandle<()>,
}

impl Emulator {
    /// Listens as a proxy for originals: `GET /id/{mediaItemId}`. Port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or is not a loopback address and the settings do not allow that.
    pub async fn full_resolution_proxy(&self, listen: SocketAddr) -> io::Result<FullResolutionProxy> {
        if !listen.ip().is_loopback() && !self.world().settings().allow_non_loopback {
            let text = format!("{listen} can be reached by other machines, and everything is open to them");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let listener = TcpListener::bind(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            world: self.world().clone(),
            inner: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
        });
        let answering = shared.clone();
        // A browser's tab does not care, but here who leaves lets the next one in.
        let task = tokio::spawn(accept(listener, false, move |request| serve(answering.clone(), request)));
        Ok(FullResolutionProxy { shared, url, task })
    }
}

impl FullResolutionProxy {
    /// `http://127.0.0.1:PORT`, to which `/id/{mediaItemId}` is added.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was asked so far.
    pub fn stats(&self) -> FullResolutionStats {
        self.shared.lock().stats.clone()
    }

    /// Whether any request carried an `Authorization` header or a cookie.
    pub fn saw_authorization(&self) -> bool {
        self.shared.lock().stats.with_authorization > 0
    }

    /// Misbehaves like this from now on; `None` behaves again. Requests that hang are cut.
    pub fn set_fault(&self, fault: Option<FullResolutionFault>) {
        self.change(fault, None);
    }

    /// Misbehaves for so many requests, then behaves again.
    pub fn set_fault_times(&self, fault: FullResolutionFault, times: u64) {
        self.change(Some(fault), Some(times));
    }

    fn change(&self, fault: Option<FullResolutionFault>, left: Option<u64>) {
        let mut inner = self.shared.lock();
        (inner.fault, inner.left) = (fault, left);
        drop(inner);
        self.shared.changed.send_modify(|change| *change += 1);
    }
}

impl Drop for FullResolutionProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts a request out when it ends, however it ends.
struct Present {
    shared: Arc<Shared>,
    status: u16,
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.present -= 1;
        *inner.stats.responses.entry(self.status).or_default() += 1;
    }
}

async fn serve<B>(shared: Arc<Shared>, request: Request<B>) -> Result<Response<Body>, Cut> {
    let Some(id) = request.uri().path().strip_prefix("/id/").map(str::to_owned) else {
        let page = "<!DOCTYPE html><title>Originals</title><p>GET /id/{mediaItemId}</html>";
        let status = if request.uri().path() == "/" { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return Ok(answer(status, "text/html; charset=utf-8", page));
    };
    {
        let mut inner = shared.lock();
        let inner = &mut *inner;
        let given_away = [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];
        inner.stats.requests += 1;
        inner.stats.ids.push(id.clone());
        inner.stats.with_authorization +=
            u64::from(given_away.iter().any(|name| request.headers().contains_key(name)));
        inner.present += 1;
        inner.stats.peak_concurrent = inner.stats.peak_concurrent.max(inner.present);
    }
    let mut present = Present { shared: shared.clone(), status: 0 };
    let turn = shared.turn.lock().await;
    let outcome = one(&shared, &request, &id).await;
    drop(turn);
    present.status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
    outcome
}

/// Answers the one request whose turn it is.
async fn one<B>(shared: &Shared, request: &Request<B>, id: &str) -> Result<Response<Body>, Cut> {
    let mut changed = shared.changed.subscribe();
    let fault = {
        let mut inner = shared.lock();
        let happens = inner.left.is_none_or(|left| left > 0);
        inner.left = inner.left.map(|left| left.saturating_sub(1));
        inner.fault.filter(|_| happens)
    };
    match fault {
        Some(FullResolutionFault::Hang) => {
            // The sender lives as long as this request: only a change ends the wait.
            drop(changed.changed().await);
            return Err(Cut);
        }
        Some(FullResolutionFault::ServerError) => {
            return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "download failed\n"));
        }
        Some(FullResolutionFault::NotFound) => return Ok(not_found()),
        Some(FullResolutionFault::Html) => {
            let page = "<!DOCTYPE html><html><title>Sign in - Google Accounts</title></html>";
            return Ok(answer(StatusCode::OK, "text/html; charset=utf-8", page));
        }
        Some(FullResolutionFault::Slow { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
        Some(FullResolutionFault::Cut) | None => {}
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "Method Not Allowed\n"));
    }
    let Some(item) = shared.world.read(id, Item::clone) else { return Ok(not_found()) };
    let Ok(Some(file)) = tokio::task::spawn_blocking(move || file(&item)).await else {
        return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "the original was not kept\n"));
    };
    let response = file.answer(request.method(), request.headers(), Manners::Right);
    Ok(if fault == Some(FullResolutionFault::Cut) { truncated(response, None) } else { response })
}

fn not_found() -> Response<Body> {
    answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n")
}

/// What the browser downloads. `None` if the bytes were not kept.
fn file(item: &Item) -> Option<File> {
    let name = item.filename.clone();
    let mime_type = item.mime_type.clone();
    if let Content::Large(large) = &item.content {
        return Some(File { source: Source::Large(large.clone()), mime_type, name, etag: None });
    }
    let still = item.content.original()?;
    let Some(clip) = item.clip.as_ref().filter(|clip| clip.live) else {
        return Some(File { source: Source::Held(still), mime_type, name, etag: None });
    };
    let clip = clip.content.original()?;
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
    let film = sniff(&clip).is_some_and(|clip| clip.mime_type == "video/quicktime");
    let film = format!("{stem}.{}", if film { "MOV" } else { "MP4" });
    let archive = zip::stored(&[(name, &still), (film, &clip)]);
    Some(File {
        source: Source::Held(archive.into()),
        mime_type: "image/jpeg".to_owned(),
        name: format!("{stem}.jpg"),
        etag: None,
    })
}
