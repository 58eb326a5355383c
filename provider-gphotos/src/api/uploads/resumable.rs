//! An upload that can be taken up again: in chunks, each at the offset that the server has.

use std::sync::Arc;

use charon_provider::{Class, Content, Error, KeepSession, Reason, Session};
use reqwest::{Body, header};
use secrecy::SecretString;

use super::{
    super::{Api, Call, Failure},
    DOING, header_safe,
    outgoing::Outgoing,
    session::{self, Status, UploadSession},
    token_in,
};
use crate::{
    error::{self, Subject},
    http::Progress,
};

/// So often in a row may an upload break without a byte gained before it is given up for this time.
const MOST_BREAKS: u32 = 3;

/// What became of a chunk.
enum Taken {
    /// The server has this many bytes now.
    UpTo(u64),
    /// It has them all, and gave the upload token.
    All(SecretString),
}

impl Api {
    /// Begins a session, gives it to `keep`, and sends the bytes.
    pub(super) async fn send_anew(
        &self,
        file: &Outgoing<'_>,
        keep: &dyn KeepSession,
    ) -> Result<SecretString, Error> {
        let session = self.begin(file.content).await?;
        keep.keep(&session.to_keep()).await?;
        self.send_rest(file, &session, Some(0)).await
    }

    /// Goes on with a session from where the server has it.
    pub(super) async fn send_on(&self, file: &Outgoing<'_>, kept: &Session) -> Result<SecretString, Error> {
        let session = UploadSession::kept(kept, &self.base, file.content.length)
            .ok_or_else(|| session::lost("the upload session is of another server, or of another file"))?;
        self.send_rest(file, &session, None).await
    }

    async fn begin(&self, content: &Content) -> Result<UploadSession, Error> {
        let call = Call {
            doing: DOING,
            subject: Subject::Bytes,
            cost: self.send_cost,
            url: self.url(&["uploads"]),
            build: &|client, url| {
                let request = client
                    .post(url)
                    .header(header::CONTENT_LENGTH, 0)
                    .header("X-Goog-Upload-Command", "start")
                    .header("X-Goog-Upload-Protocol", "resumable")
                    .header("X-Goog-Upload-Raw-Size", content.length)
                    .header("X-Goog-Upload-File-Name", header_safe(&content.file_name));
                match content.mime_type {
                    Some(mime_type) => request.header("X-Goog-Upload-Content-Type", mime_type),
                    None => request,
                }
            },
            progress: None,
        };
        let answer = self.call(&call).await?;
        UploadSession::begun(&answer, &self.base, content.length)
    }

    /// Sends what the server does not have yet. `at` is how much that is, if it is known without asking.
    ///
    /// A connection that broke is no reason to wait: the server is asked how far it is, and the upload goes on. What the server
    /// refused is for the engine to try again, later and in the same session.
    async fn send_rest(
        &self,
        file: &Outgoing<'_>,
        session: &UploadSession,
        mut at: Option<u64>,
    ) -> Result<SecretString, Error> {
        let (mut breaks, mut furthest) = (0, 0);
        loop {
            let offset = match at.take() {
                Some(offset) => Ok(offset),
                None => match self.ask(session, file.content.length).await {
                    Ok(Taken::UpTo(offset)) => Ok(offset),
                    Ok(Taken::All(token)) => return Ok(token),
                    Err(failure) => Err(failure),
                },
            };
            let (failure, most_breaks) = match offset {
                Ok(offset) => {
                    if offset > furthest {
                        (breaks, furthest) = (0, offset);
                    }
                    match self.send_chunk(file, session, offset).await {
                        Ok(Taken::All(token)) => return Ok(token),
                        Ok(Taken::UpTo(now)) if now > offset => {
                            at = Some(now);
                            continue;
                        }
                        Ok(Taken::UpTo(_)) => {
                            return Err(unreadable("the server takes no more of the bytes"));
                        }
                        // Whether the session is lost indeed, or the chunk was not where it should be, one question tells.
                        Err(failure) if failure.error.reason == Reason::SessionLost => (failure, 1),
                        Err(failure) => (failure, MOST_BREAKS),
                    }
                }
                // The server was asked, and there is nothing else to ask it.
                Err(failure) if failure.error.reason == Reason::SessionLost => return Err(failure.error),
                Err(failure) => (failure, MOST_BREAKS),
            };
            let is_for_now = failure.is_unanswered || failure.error.reason == Reason::SessionLost;
            if !is_for_now || failure.error.class != Class::Transient || breaks >= most_breaks {
                return Err(failure.error);
            }
            breaks += 1;
            tracing::debug!(error = %failure.error, "an upload broke off; asking how far it is");
        }
    }

    /// Asks how many bytes of the file the server has.
    async fn ask(&self, session: &UploadSession, length: u64) -> Result<Taken, Failure> {
        let call = Call {
            doing: DOING,
            subject: Subject::UploadSession,
            cost: self.send_cost,
            url: session.url.clone(),
            build: &|client, url| {
                client.post(url).header(header::CONTENT_LENGTH, 0).header("X-Goog-Upload-Command", "query")
            },
            progress: None,
        };
        let answer = self.call(&call).await?;
        let lost = |words| Err(session::lost(words).into());
        match (session::status(&answer), session::received(&answer)) {
            (Status::Active | Status::Unsaid, Some(received)) if received <= length => {
                Ok(Taken::UpTo(received))
            }
            (Status::Final, _) => match token_in(&answer) {
                Ok(token) => Ok(Taken::All(token)),
                Err(_) => lost("all bytes had arrived, and the answer with the upload token was lost"),
            },
            (Status::Cancelled, _) => lost("Google has cancelled the upload session"),
            _ => lost("Google does not say how far the upload session is"),
        }
    }

    /// Sends one chunk; the last one, which may be empty, ends the session.
    async fn send_chunk(
        &self,
        file: &Outgoing<'_>,
        session: &UploadSession,
        offset: u64,
    ) -> Result<Taken, Failure> {
        let length = session.next_length(offset);
        let end = offset.saturating_add(length);
        let is_last = end == file.content.length;
        let progress = Arc::new(Progress::default());
        let call = Call {
            doing: DOING,
            subject: Subject::UploadSession,
            cost: self.send_cost,
            url: session.url.clone(),
            build: &|client, url| {
                let body = if length == 0 {
                    Body::default()
                } else {
                    Body::wrap_stream(file.slice(offset, length, Arc::clone(&progress)))
                };
                client
                    .post(url)
                    .header(header::CONTENT_LENGTH, length)
                    .header("X-Goog-Upload-Command", if is_last { "upload, finalize" } else { "upload" })
                    .header("X-Goog-Upload-Offset", offset)
                    .body(body)
            },
            progress: Some(&progress),
        };
        let answer = self.call(&call).await;
        if let Some(trouble) = file.trouble() {
            return Err(trouble.into());
        }
        let answer = answer?;
        match session::status(&answer) {
            Status::Cancelled => Err(session::lost("Google has cancelled the upload session").into()),
            Status::Final | Status::Unsaid if is_last => Ok(token_in(&answer).map(Taken::All)?),
            Status::Active | Status::Unsaid if !is_last => {
                let received = session::received(&answer).filter(|received| *received <= end);
                Ok(Taken::UpTo(received.unwrap_or(end)))
            }
            _ => Err(unreadable("the answer does not say how far the upload is").into()),
        }
    }
}

fn unreadable(words: &str) -> Error {
    error::unreadable(DOING, Subject::UploadSession, words)
}
