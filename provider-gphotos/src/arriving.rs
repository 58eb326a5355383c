//! The bytes of an answer on their way in: their beginning looked at, their end made sure of.

use bytes::{Bytes, BytesMut};
use charon_provider::{Class, Error};
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
use reqwest::{Response, Version, header};

/// Enough to see what bytes are.
const BEGINNING: usize = 64;

pub(crate) type Arriving = BoxStream<'static, Result<Bytes, Error>>;

/// Waits for the first bytes, and gives them together with all bytes, themselves included.
///
/// # Errors
/// What the bytes broke off with before there were any.
pub(crate) async fn beginning(mut bytes: Arriving) -> Result<(Bytes, Arriving), Error> {
    let mut pieces = Vec::new();
    let mut first = BytesMut::new();
    while first.len() < BEGINNING {
        let Some(piece) = bytes.next().await else { break };
        match &piece {
            Ok(piece) => first.extend_from_slice(&piece[..piece.len().min(BEGINNING)]),
            Err(error) if first.is_empty() => return Err(error.clone()),
            // It comes in its place, behind the bytes that did arrive.
            Err(_) => {
                pieces.push(piece);
                break;
            }
        }
        pieces.push(piece);
    }
    Ok((first.freeze(), stream::iter(pieces).chain(bytes).boxed()))
}

/// The same bytes, with an error at the end if there are not as many as there should be.
pub(crate) fn counted(bytes: Arriving, expected: Option<u64>, doing: &'static str) -> Arriving {
    let Some(expected) = expected else { return bytes };
    let wrong = move |count: u64| {
        Error::new(Class::Transient, doing, format!("{count} bytes came, and {expected} were announced"))
    };
    let end = stream::once(std::future::ready(Ok(None)));
    some(bytes)
        .chain(end)
        .scan(0_u64, move |count, piece| {
            std::future::ready(Some(match piece {
                Ok(Some(piece)) => {
                    *count = count.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    if *count > expected { Err(wrong(*count)) } else { Ok(piece) }
                }
                Ok(None) if *count < expected => Err(wrong(*count)),
                Ok(None) => Ok(Bytes::new()),
                Err(error) => Err(error),
            }))
        })
        .try_filter(|piece| std::future::ready(!piece.is_empty()))
        .boxed()
}

fn some(bytes: Arriving) -> impl Stream<Item = Result<Option<Bytes>, Error>> + Send + 'static {
    bytes.map_ok(Some)
}

/// Whether it can be told that an answer has come to its end. Without a length, the end of an old-fashioned answer is
/// nothing but the end of the connection, and that is also what a broken one looks like.
pub(crate) fn end_is_told(response: &Response) -> bool {
    let is_chunked = response
        .headers()
        .get(header::TRANSFER_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    response.content_length().is_some()
        || response.version() >= Version::HTTP_2
        || (response.version() == Version::HTTP_11 && is_chunked)
}
