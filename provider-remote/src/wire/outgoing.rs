//! A request, and how far the sending of it has come.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use charon_provider::Host;
use futures::{StreamExt, stream::BoxStream};
use reqwest::{
    Body, Method, Request,
    header::{CONTENT_LENGTH, HeaderMap},
};
use url::Url;

/// A request that is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
}

/// What a request carries.
pub(crate) enum Payload {
    /// Nothing.
    Nothing,
    /// A few bytes.
    Bytes(Bytes),
    /// So many bytes as they come.
    Stream(u64, BoxStream<'static, io::Result<Bytes>>),
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream(length, _) => write!(f, "Stream({length})"),
        }
    }
}

impl Outgoing {
    pub(super) fn into_request(self) -> (Request, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let mut request = Request::new(self.method, self.url);
        *request.headers_mut() = self.headers;
        let length = match self.payload {
            Payload::Nothing => None,
            Payload::Bytes(bytes) => {
                let length = bytes.len() as u64;
                *request.body_mut() = Some(bytes.into());
                Some(length)
            }
            Payload::Stream(length, bytes) => {
                let progress = Arc::clone(&progress);
                let counted = bytes.inspect(move |_| progress.has_moved());
                *request.body_mut() = Some(Body::wrap_stream(counted));
                Some(length)
            }
        };
        if let Some(length) = length {
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        (request, progress)
    }
}

/// How far the sending of a request has come.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU64);

impl Progress {
    fn has_moved(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until nothing has moved for so long.
    pub(super) async fn standstill(&self, patience: Duration, host: &dyn Host) {
        loop {
            let before = self.0.load(Ordering::Relaxed);
            host.sleep(patience).await;
            if self.0.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}
