//! One attempt at a request.
//!
//! No client follows redirects: an API that redirects is not the one that was configured, and whoever fetches bytes
//! follows them by hand, so that every hop is asked a permit for. `https` goes through the proxy that the environment
//! names; `http`, which is spoken to this machine alone, goes through none.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use charon_http::innermost;
use charon_provider::Host;
use futures::{Stream, stream};
use reqwest::{
    Client, ClientBuilder, RequestBuilder, Response, StatusCode,
    header::{self, HeaderMap},
};
use url::Url;

use crate::endpoint;

/// How long nothing may come in.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a connection to the proxy for originals may take to be made; it is near.
const CONNECT_TO_PROXY: Duration = Duration::from_secs(5);
/// How long an upload may stand still, its answer included. The wait for its bytes, which may be kept to a slow pace, is not
/// part of it.
const STANDSTILL: Duration = Duration::from_mins(5);

/// The longest answer that is read as a whole, in bytes.
pub(crate) const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// What a request goes through.
#[derive(Debug)]
pub(crate) struct Clients {
    plain: Client,
    secure: OnceLock<Result<Client, String>>,
    proxy: OnceLock<Result<Client, String>>,
}

impl Clients {
    pub(crate) fn new() -> Result<Self, String> {
        let plain = built(charon_http::plain().no_proxy())?;
        Ok(Self { plain, secure: OnceLock::new(), proxy: OnceLock::new() })
    }

    /// Whether `https` can be spoken.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn can_be_private(&self) -> Result<(), &str> {
        self.secure().map(|_| ())
    }

    /// The client for a URL.
    pub(crate) fn of(&self, url: &Url) -> Result<&Client, Trouble> {
        if !endpoint::is_private(url) {
            return Err(Trouble::unsent("the address is neither https nor on this machine"));
        }
        match url.scheme() {
            "http" => Ok(&self.plain),
            _ => self.secure().map_err(Trouble::unsent),
        }
    }

    /// The client for a proxy for originals, at this URL and no other. It speaks plain http with any host, for it is never told
    /// a secret, and goes through no other proxy. Its patience is for whoever asks.
    pub(crate) fn of_proxy(&self, url: &Url) -> Result<&Client, Trouble> {
        let build = || {
            let base = if url.scheme() == "https" { charon_http::secure() } else { charon_http::plain() };
            built(base.no_proxy().connect_timeout(CONNECT_TO_PROXY))
        };
        self.proxy.get_or_init(build).as_ref().map_err(|words| Trouble::unsent(words.as_str()))
    }

    fn secure(&self) -> Result<&Client, &str> {
        self.secure.get_or_init(|| built(charon_http::secure())).as_ref().map_err(String::as_str)
    }
}

fn built(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| innermost(&error))
}

/// An attempt that got no whole answer.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Whether the request may have reached the server.
    pub(crate) sent: bool,
    /// What happened. Contains no URL (its host at most) and no header.
    pub(crate) words: String,
}

impl Trouble {
    fn unsent(words: impl Into<String>) -> Self {
        Self { sent: false, words: words.into() }
    }

    fn lost(words: impl Into<String>) -> Self {
        Self { sent: true, words: words.into() }
    }
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        let sent = !(error.is_connect() || error.is_builder());
        let server =
            error.url().and_then(Url::host_str).map_or_else(|| "the server".to_owned(), str::to_owned);
        let what = if error.is_timeout() {
            format!("{server} did not answer in time")
        } else if !sent {
            format!("no connection to {server} could be made")
        } else {
            format!("the connection to {server} broke")
        };
        let cause = innermost(&error.without_url());
        Self { sent, words: format!("{what}: {cause}") }
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads what is left of a response, up to `most` bytes; more is trouble, and so is silence.
    pub(crate) async fn read(response: Response, most: usize, host: &dyn Host) -> Result<Self, Trouble> {
        let mut answer = Self::head(&response);
        answer.body = bounded(response, most, Excess::IsTrouble, host).await?;
        Ok(answer)
    }

    /// Reads no more of a response than it takes to see what went wrong; if that does not come, the head has to be enough.
    pub(crate) async fn read_fault(response: Response, host: &dyn Host) -> Self {
        let mut answer = Self::head(&response);
        answer.body = bounded(response, 64 * 1024, Excess::IsLeft, host).await.unwrap_or_default();
        answer
    }

    /// A header's value as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    fn head(response: &Response) -> Self {
        Self {
            status: response.status(),
            content_type: text_header(response, header::CONTENT_TYPE)
                .unwrap_or_default()
                .to_ascii_lowercase(),
            retry_after: text_header(response, header::RETRY_AFTER),
            headers: response.headers().clone(),
            body: Bytes::new(),
        }
    }
}

/// A header's value as text.
pub(crate) fn text_header(response: &Response, name: header::HeaderName) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Excess {
    IsTrouble,
    IsLeft,
}

async fn bounded(
    mut response: Response,
    most: usize,
    excess: Excess,
    host: &dyn Host,
) -> Result<Bytes, Trouble> {
    let mut body = BytesMut::new();
    while let Some(chunk) = unless_silent(response.chunk(), host).await? {
        if body.len() + chunk.len() > most {
            if excess == Excess::IsTrouble {
                return Err(Trouble::lost(format!("the answer is longer than {most} bytes")));
            }
            body.extend_from_slice(&chunk[..most - body.len()]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Sends a request and reads the whole answer, whatever its status and however long it takes to begin.
pub(crate) async fn exchange_patiently(request: RequestBuilder, host: &dyn Host) -> Result<Answer, Trouble> {
    let response = request.send().await?;
    Answer::read(response, LONGEST_ANSWER, host).await
}

/// The same, and gives up when nothing comes of the answer for too long.
pub(crate) async fn exchange(request: RequestBuilder, host: &dyn Host) -> Result<Answer, Trouble> {
    let response = unless_silent(request.send(), host).await?;
    Answer::read(response, LONGEST_ANSWER, host).await
}

/// Sends a request whose body reports its progress, and gives up when it stands still.
pub(crate) async fn upload(
    request: RequestBuilder,
    progress: &Progress,
    host: &dyn Host,
) -> Result<Answer, Trouble> {
    tokio::select! {
        answer = exchange_patiently(request, host) => answer,
        () = progress.standstill(host) => {
            Err(Trouble::lost(format!("nothing moved for {} seconds", STANDSTILL.as_secs())))
        }
    }
}

/// Waits for something to come in, and not for ever.
pub(crate) async fn unless_silent<T, E: Into<Trouble>>(
    coming: impl Future<Output = Result<T, E>>,
    host: &dyn Host,
) -> Result<T, Trouble> {
    match within(SILENCE, coming, host).await {
        Some(came) => came.map_err(Into::into),
        None => Err(Trouble::lost(silence_of(SILENCE))),
    }
}

/// Waits for something so long and no longer.
pub(crate) async fn within<T>(
    limit: Duration,
    coming: impl Future<Output = T>,
    host: &dyn Host,
) -> Option<T> {
    tokio::select! {
        came = coming => Some(came),
        () = host.sleep(limit) => None,
    }
}

/// That nothing came for so long, in words.
pub(crate) fn silence_of(limit: Duration) -> String {
    format!("nothing came for {} seconds", limit.as_secs())
}

/// The bytes of an answer as they come in, with an error when nothing comes for too long.
pub(crate) fn arriving(
    response: Response,
    host: Arc<dyn Host>,
) -> impl Stream<Item = Result<Bytes, Trouble>> + Send + 'static {
    stream::try_unfold((response, host), |(mut response, host)| async move {
        let piece = unless_silent(response.chunk(), &*host).await?;
        Ok(piece.map(|piece| (piece, (response, host))))
    })
}

/// How far an upload has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes: AtomicU64,
    /// Whether the next bytes are waited for, which may take long: they are read, and kept to the pace.
    is_reading: AtomicBool,
}

impl Progress {
    /// Waits for the next bytes to be sent. Meanwhile it is not the network that stands still.
    pub(crate) async fn read<T>(&self, bytes: impl Future<Output = T>) -> T {
        let _reading = Reading::begin(&self.is_reading);
        bytes.await
    }

    /// So many more bytes were taken to be sent.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    async fn standstill(&self, host: &dyn Host) {
        let mut before = Some(0);
        loop {
            host.sleep(STANDSTILL).await;
            let bytes = self.bytes.load(Ordering::Relaxed);
            let now = (!self.is_reading.load(Ordering::Relaxed)).then_some(bytes);
            if now.is_some() && now == before {
                return;
            }
            before = now;
        }
    }
}

/// Says that bytes are waited for, until it is dropped.
struct Reading<'a>(&'a AtomicBool);

impl<'a> Reading<'a> {
    fn begin(is_reading: &'a AtomicBool) -> Self {
        is_reading.store(true, Ordering::Relaxed);
        Self(is_reading)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
