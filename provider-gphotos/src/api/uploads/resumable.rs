//! An upload that can be taken up again: in chunks, each at the offset that the server has.

use std::sync::Arc;

use charon_provider::{Class, Content, Error, KeepSession, Reason, Session};
use reqwest::{Body, header};
use secrecy::SecretString;

use super::{
    super::{Api, Call},
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
        UploadSession::begun(&self.call(&call).await?, &self.base, content.length)
    }

    /// Sends what the server does not have yet. `at` is how much that is, if it is known without asking.
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
                None => self.ask(session, file.content.length).await,
            };
            let error = match offset {
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
                        Ok(Taken::UpTo(_)) => unreadable("the server takes no more of the bytes"),
                        Err(error) => error,
                    }
                }
                // The server was asked, and there is nothing else to ask it.
                Err(error) if error.reason == Reason::SessionLost => return Err(error),
                Err(error) => error,
            };
            let may_pass = error.class == Class::Transient && error.retry_after.is_none();
            if !may_pass || breaks == MOST_BREAKS {
                return Err(error);
            }
            breaks += 1;
            tracing::debug!(%error, "an upload broke off; asking how far it is");
        }
    }

    /// Asks how many bytes of the file the server has.
    async fn ask(&self, session: &UploadSession, length: u64) -> Result<u64, Error> {
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
        match (session::status(&answer), session::received(&answer)) {
            (Status::Active | Status::Unsaid, Some(received)) if received <= length => Ok(received),
            (Status::Final, _) => {
                Err(session::lost("all bytes had arrived, and the answer with the upload token was lost"))
            }
            (Status::Cancelled, _) => Err(session::lost("Google has cancelled the upload session")),
            _ => Err(session::lost("Google does not say how far the upload session is")),
        }
    }

    /// Sends one chunk; the last one, which may be empty, ends the session.
    async fn send_chunk(
        &self,
        file: &Outgoing<'_>,
        session: &UploadSession,
        offset: u64,
    ) -> Result<Taken, Error> {
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
            return Err(trouble);
        }
        let answer = answer?;
        match session::status(&answer) {
            Status::Cancelled => Err(session::lost("Google has cancelled the upload session")),
            Status::Final | Status::Unsaid if is_last => token_in(&answer).map(Taken::All),
            Status::Active | Status::Unsaid if !is_last => {
                let received = session::received(&answer).filter(|received| *received <= end);
                Ok(Taken::UpTo(received.unwrap_or(end)))
            }
            _ => Err(unreadable("the answer does not say how far the upload is")),
        }
    }
}

fn unreadable(words: &str) -> Error {
    error::unreadable(DOING, Subject::UploadSession, words)
}
