//! `/v1/uploads`: the bytes of a file, in one request.

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use charon_provider::{Class, Content, Error};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use reqwest::{Body, header};
use secrecy::SecretString;

use super::{Api, Call};
use crate::{
    error::{self, Subject},
    http::Progress,
};

const DOING: &str = "send the bytes of a file";
/// Longer texts are no upload token.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Why the body of an upload could not be given as it was announced.
type Fault = Arc<Mutex<Option<String>>>;

impl Api {
    /// `POST /v1/uploads` with protocol `raw`: gives an upload token.
    pub(crate) async fn upload(&self, content: &Content) -> Result<SecretString, Error> {
        let progress = Arc::new(Progress::default());
        let fault = Fault::default();
        let call = Call {
            doing: DOING,
            subject: Subject::Bytes,
            url: self.url(&["uploads"]),
            build: &|client, url| {
                let body = announced(content, Arc::clone(&progress), Arc::clone(&fault));
                let request = client
                    .post(url)
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .header(header::CONTENT_LENGTH, content.length)
                    .header("X-Goog-Upload-Protocol", "raw")
                    .header("X-Goog-Upload-File-Name", header_safe(&content.file_name))
                    .body(Body::wrap_stream(body));
                match content.mime_type {
                    Some(mime_type) => request.header("X-Goog-Upload-Content-Type", mime_type),
                    None => request,
                }
            },
            progress: Some(&progress),
        };
        let answer = self.call(&call).await;
        // The file's own trouble explains whatever the connection made of it.
        if let Some(words) = fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(Error::new(Class::Item, DOING, words));
        }
        let answer = answer?;
        let token = str::from_utf8(&answer.body).map(str::trim).unwrap_or_default();
        let is_token =
            !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
        if !is_token || token.starts_with('<') {
            return Err(error::unreadable(DOING, Subject::Bytes, "the answer is not an upload token"));
        }
        Ok(token.into())
    }
}

/// The bytes of a file, no more and no fewer of them than were announced.
fn announced(
    content: &Content,
    progress: Arc<Progress>,
    fault: Fault,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let announced = content.length;
    // The second attempt of the same upload begins anew.
    let mut taken: u64 = 0;
    let end = stream::once(std::future::ready(Ok(Bytes::new()))).map_ok(|_| None);
    (content.open)(0)
        .map_ok(Some)
        .chain(end)
        .map(move |chunk| match chunk {
            Ok(Some(bytes)) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                progress.advance(length);
                taken = taken.saturating_add(length);
                if taken > announced {
                    Err(io::Error::other("the file grew while it was sent"))
                } else {
                    Ok(bytes)
                }
            }
            Ok(None) if taken < announced => Err(io::Error::other("the file shrank while it was sent")),
            Ok(None) => Ok(Bytes::new()),
            Err(error) => Err(error),
        })
        .inspect_err(move |error| {
            *fault.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(format!("the file cannot be read: {error}"));
        })
        .try_filter(|bytes| std::future::ready(!bytes.is_empty()))
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
    use super::header_safe;

    #[test]
    fn a_name_is_made_fit_for_a_header() {
        assert_eq!(header_safe("IMG 1 (50%).jpg"), "IMG 1 (50%).jpg");
        assert_eq!(header_safe("Grüße 50%.jpg"), "Gr%C3%BC%C3%9Fe 50%25.jpg");
        assert_eq!(header_safe("a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        assert_eq!(header_safe("📷"), "%F0%9F%93%B7");
    }
}
