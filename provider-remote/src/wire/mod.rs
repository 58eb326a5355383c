//! One attempt at a request: with its permit, with time-outs, without a retry and without following a redirect.
//!
//! `https` goes through the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`); `http`, which is for this machine
//! and a network that is trusted, goes through none.

mod client;
mod outgoing;
mod trouble;

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use charon_provider::{Class, Cost, Error, Host};
use futures::{Stream, stream};
use reqwest::{Client, Method, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub(crate) use outgoing::{Outgoing, Payload};

/// What a request is counted as. No meter has this name: these servers have no daily limit that is known here.
const REQUEST: Cost = Cost("request");
/// How long nothing may come of what only asks.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a change may stand still, its answer included: a server puts the parts of a large file together first.
const STANDSTILL: Duration = Duration::from_mins(5);
/// The longest answer that is read as a whole, in bytes: a folder of some hundred thousand files.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// So much is read of an answer that tells what went wrong, in bytes.
const LONGEST_FAULT: usize = 64 * 1024;
/// So much of it is repeated, in characters.
const LONGEST_WORDS: usize = 300;

/// The way to one server.
pub(crate) struct Wire {
    client: Client,
    pub(crate) host: Arc<dyn Host>,
    /// What must never be repeated, though a server says it.
    secrets: Vec<SecretString>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// An answer that is a refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) method: Method,
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: String,
}

impl Wire {
    /// The way to this server. `secrets` are not repeated when the server says them.
    ///
    /// # Errors
    /// Why no such way can be made.
    pub(crate) fn to(server: &Url, host: Arc<dyn Host>, secrets: Vec<SecretString>) -> Result<Self, String> {
        Ok(Self { client: client::to(server)?, host, secrets })
    }

    /// Sends a request; gives the answer, whatever it says, when its head is there.
    pub(crate) async fn send(&self, doing: &str, request: Outgoing) -> Result<Response, Error> {
        self.host.permit(REQUEST).await?;
        let asks = matches!(request.method.as_str(), "GET" | "HEAD" | "PROPFIND" | "OPTIONS");
        let patience = if asks { SILENCE } else { STANDSTILL };
        let (request, progress) = request.into_request();
        let answer = self.client.execute(request);
        tokio::select! {
            answer = answer => answer.map_err(|error| trouble::of(doing, error)),
            () = progress.standstill(patience, &*self.host) => Err(trouble::silence(doing, patience)),
        }
    }

    /// Reads the whole of an answer.
    pub(crate) async fn whole(&self, doing: &str, mut response: Response) -> Result<Bytes, Error> {
        let mut body = BytesMut::new();
        while let Some(chunk) = next_chunk(doing, &mut response, &*self.host).await? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                let cause = format!("the answer is longer than {LONGEST_ANSWER} bytes");
                return Err(Error::new(Class::Destination, doing, cause));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Reads no more of a refusal than it takes to see what went wrong; if that does not come, the head has to be enough.
    pub(crate) async fn refusal(&self, method: Method, mut response: Response) -> Refusal {
        let mut body = Vec::new();
        while body.len() < LONGEST_FAULT
            && let Ok(Some(chunk)) = next_chunk("read an answer", &mut response, &*self.host).await
        {
            body.extend_from_slice(&chunk);
        }
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Refusal {
            method,
            status: response.status(),
            retry_after: retry_after.and_then(|text| charon_http::retry_after(text, self.host.now())),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// What a server says, without secrets and without end.
    pub(crate) fn quoted(&self, words: &str) -> String {
        let mut words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in self.secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty())
        {
            words = words.replace(secret, "[secret]");
        }
        words.chars().take(LONGEST_WORDS).collect()
    }
}

async fn next_chunk(doing: &str, response: &mut Response, host: &dyn Host) -> Result<Option<Bytes>, Error> {
    tokio::select! {
        chunk = response.chunk() => chunk.map_err(|error| trouble::of(doing, error)),
        () = host.sleep(SILENCE) => Err(trouble::silence(doing, SILENCE)),
    }
}

/// The bytes of an answer as they come in, with an error when nothing comes for too long.
pub(crate) fn arriving(
    doing: String,
    response: Response,
    host: Arc<dyn Host>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    stream::try_unfold((doing, response, host), |(doing, mut response, host)| async move {
        let chunk = next_chunk(&doing, &mut response, &*host).await?;
        Ok(chunk.map(|chunk| (chunk, (doing, response, host))))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{sync::Arc, time::Duration};

    use async_trait::async_trait;
    use charon_provider::{Conflict, Cost, Error, Host, Revision, Secrets};
    use jiff::Timestamp;

    use super::Wire;

    /// A wire that leads nowhere; its secret is hunter2.
    pub(crate) fn wire() -> Wire {
        let nowhere = "http://127.0.0.1:9".parse().expect("a URL");
        Wire::to(&nowhere, Arc::new(Nobody), vec!["hunter2".into()]).expect("plain http")
    }

    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl Host for Nobody {
        async fn permit(&self, _cost: Cost) -> Result<(), Error> {
            Ok(())
        }

        async fn save_secrets(
            &self,
            seen: Revision,
            _new: Secrets,
        ) -> Result<Result<Revision, Conflict>, Error> {
            Ok(Ok(seen))
        }

        async fn account(&self, _id: &str) -> Result<(), Error> {
            Ok(())
        }

        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        async fn sleep(&self, how_long: Duration) {
            tokio::time::sleep(how_long).await;
        }

        fn random(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }
}
