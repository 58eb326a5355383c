//! `/v1/uploads`: the bytes of a file, in one request where it is small, in a session that can be taken up again where it
//! is large.

mod outgoing;
mod resumable;
mod session;

use std::{fmt::Write as _, sync::Arc};

use charon_provider::{Content, Error, KeepSession, Session};
use reqwest::{Body, header};
use secrecy::SecretString;

use self::outgoing::Outgoing;
use super::{Api, Call};
use crate::{
    error::{self, Subject},
    http::{Answer, Progress},
};

const DOING: &str = "send the bytes of a file";
/// Larger files are sent in a session, which costs at least one request more.
const LARGEST_RAW: u64 = 32 * 1024 * 1024;
/// Longer texts are no upload token.
const LONGEST_TOKEN: usize = 16 * 1024;

impl Api {
    /// Sends the bytes of a file, from where `session` broke off if there is one: gives an upload token.
    pub(crate) async fn upload(
        &self,
        content: &Content,
        session: Option<&Session>,
        keep: &dyn KeepSession,
    ) -> Result<SecretString, Error> {
        let file = Outgoing::new(content);
        match session {
            Some(session) => self.send_on(&file, session).await,
            None if content.length <= LARGEST_RAW => self.send_raw(&file).await,
            None => self.send_anew(&file, keep).await,
        }
    }

    /// `POST /v1/uploads` with protocol `raw`.
    async fn send_raw(&self, file: &Outgoing<'_>) -> Result<SecretString, Error> {
        let content = file.content;
        let progress = Arc::new(Progress::default());
        let call = Call {
            doing: DOING,
            subject: Subject::Bytes,
            cost: self.send_cost,
            url: self.url(&["uploads"]),
            build: &|client, url| {
                let request = client
                    .post(url)
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .header(header::CONTENT_LENGTH, content.length)
                    .header("X-Goog-Upload-Protocol", "raw")
                    .header("X-Goog-Upload-File-Name", header_safe(&content.file_name))
                    .body(Body::wrap_stream(file.slice(0, content.length, Arc::clone(&progress))));
                match content.mime_type {
                    Some(mime_type) => request.header("X-Goog-Upload-Content-Type", mime_type),
                    None => request,
                }
            },
            progress: Some(&progress),
        };
        let answer = self.call(&call).await;
        if let Some(trouble) = file.trouble() {
            return Err(trouble);
        }
        token_in(&answer?)
    }
}

/// How many requests send so many bytes, if nothing breaks: one, or in a session one that begins it and one for each chunk.
pub(crate) fn requests_to_send(length: u64) -> u32 {
    if length <= LARGEST_RAW { 1 } else { session::usual_chunks(length).saturating_add(1) }
}

/// The upload token that an answer consists of.
fn token_in(answer: &Answer) -> Result<SecretString, Error> {
    let token = str::from_utf8(&answer.body).map(str::trim).unwrap_or_default();
    let is_token =
        !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
    if !is_token || token.starts_with(['<', '{']) {
        return Err(error::unreadable(DOING, Subject::Bytes, "the answer is not an upload token"));
    }
    Ok(token.into())
}

/// A file name that a header can carry: as it is where all of it is printable ASCII, else percent-encoded UTF-8.
fn header_safe(name: &str) -> String {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if name.bytes().all(printable) {
        return name.to_owned();
    }
    name.bytes().fold(String::new(), |mut safe, byte| {
        if printable(byte) && byte != b'%' {
            safe.push(char::from(byte));
        } else {
            write!(safe, "%{byte:02X}").expect("a string can be written to");
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::{header_safe, requests_to_send};

    #[test]
    fn a_large_file_takes_a_request_for_each_chunk_and_one_more() {
        const MIB: u64 = 1024 * 1024;
        for (length, requests) in [
            (0, 1),
            (32 * MIB, 1),
            (32 * MIB + 1, 2),
            (64 * MIB, 2),
            (64 * MIB + 1, 3),
            (20_000_000_000, 65),
            (u64::MAX, 65),
        ] {
            assert_eq!(requests_to_send(length), requests, "{length}");
        }
    }

    #[test]
    fn a_name_is_made_fit_for_a_header() {
        assert_eq!(header_safe("IMG 1 (50%).jpg"), "IMG 1 (50%).jpg");
        assert_eq!(header_safe("Grüße 50%.jpg"), "Gr%C3%BC%C3%9Fe 50%25.jpg");
        assert_eq!(header_safe("a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        assert_eq!(header_safe("📷"), "%F0%9F%93%B7");
    }
}
