//! What several cases do: walk a listing, drain a body, send and commit files.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Sample,
    case::{Case, Opened, Stop},
};
use crate::{
    Body, Content, Error, Existence, KeepSession, Page, RemoteId, RemoteItem, Selection, Session, Sink,
    Source, Staged, UploadToken,
};

/// A listing that has more pages than this does not end.
const MOST_PAGES: usize = 1_000;

/// Sessions that nobody keeps.
pub(super) struct NotKept;

#[async_trait]
impl KeepSession for NotKept {
    async fn keep(&self, _: &Session) -> Result<(), Error> {
        Ok(())
    }
}

/// Every page of a listing.
pub(super) async fn walk(
    case: &Case<'_>,
    source: &dyn Source,
    wanted: &Selection,
) -> Result<Vec<Page>, Stop> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let from = pages.last().and_then(|page| page.next.clone());
        let page = case.fine("list a page", source.list(wanted, from.as_ref()).await)?;
        let (is_last, stands_still) = (page.next.is_none(), page.next.is_some() && page.next == from);
        pages.push(page);
        if is_last {
            return Ok(pages);
        }
        if stands_still || pages.len() > MOST_PAGES {
            return Err(Stop::Failed("the listing does not end: a page leads to itself".into()));
        }
    }
}

/// Everything that is listed.
pub(super) async fn everything(case: &Case<'_>, source: &dyn Source) -> Result<Vec<RemoteItem>, Stop> {
    let pages = walk(case, source, &Selection::default()).await?;
    Ok(pages.into_iter().flat_map(|page| page.items).collect())
}

/// One item, looked up.
pub(super) async fn look_up(case: &Case<'_>, source: &dyn Source, id: &RemoteId) -> Result<RemoteItem, Stop> {
    let mut answers = case.fine("look up an item", source.confirm(std::slice::from_ref(id)).await)?;
    match answers.pop() {
        Some(Existence::Found(item)) if answers.is_empty() => Ok(*item),
        other => Err(Stop::Failed(format!("an item that is there is answered as {other:?}"))),
    }
}

/// All the bytes of a body.
pub(super) async fn drain(case: &Case<'_>, body: Body) -> Result<Bytes, Stop> {
    let bytes: Result<BytesMut, Error> = body
        .bytes
        .try_fold(BytesMut::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await;
    Ok(case.fine("read the bytes of an item", bytes)?.freeze())
}

/// A file, ready to be sent.
pub(super) fn content(sample: &Sample) -> Content {
    let bytes = sample.bytes.clone();
    content_of(sample, sample.bytes.len(), move |offset| {
        let rest = bytes.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..);
        let chunks: Vec<_> = (0..rest.len())
            .step_by(64 * 1024)
            .map(|at| Ok(rest.slice(at..rest.len().min(at + 64 * 1024))))
            .collect();
        stream::iter(chunks).boxed()
    })
}

/// A file that announces `length` bytes and has what `open` gives.
pub(super) fn content_of(
    sample: &Sample,
    length: usize,
    open: impl Fn(u64) -> stream::BoxStream<'static, std::io::Result<Bytes>> + Send + Sync + 'static,
) -> Content {
    Content {
        file_name: sample.file_name.clone(),
        mime_type: Some(sample.mime_type),
        length: length.try_into().unwrap_or(u64::MAX),
        open: Arc::new(open),
    }
}

/// Sends a file.
pub(super) async fn send(case: &Case<'_>, sink: &dyn Sink, sample: &Sample) -> Result<Staged, Stop> {
    let token = case.fine("send a file", sink.send(&content(sample), None, &NotKept).await)?;
    case.printed("what was given for the bytes of a file", &token);
    Ok(staged(sample, token))
}

/// A file that was sent.
pub(super) fn staged(sample: &Sample, token: UploadToken) -> Staged {
    Staged { file_name: sample.file_name.clone(), description: None, token }
}

/// Sends files and commits them, as many at a time as one commit takes. Every one of them has to become an item.
pub(super) async fn upload(
    case: &Case<'_>,
    opened: &Opened,
    samples: &[Sample],
) -> Result<Vec<RemoteItem>, Stop> {
    let sink = opened.sink()?;
    let mut items = Vec::new();
    for some in samples.chunks(opened.storage.facts().batch.size.max(1)) {
        let mut batch = Vec::new();
        for sample in some {
            batch.push(send(case, sink, sample).await?);
        }
        for result in case.fine("commit", sink.commit(None, &batch).await)? {
            items.push(case.fine("make an item of a file", result)?);
        }
    }
    Ok(items)
}

/// An item whose bytes can be known: one that was put, else one that was sent.
pub(super) async fn one_item(case: &Case<'_>, opened: &Opened) -> Result<RemoteItem, Stop> {
    let source = opened.source()?;
    let sample = opened.world.sample(1);
    let id = if let Ok(id) = opened.world.put(&sample).await {
        id
    } else {
        upload(case, opened, &[sample]).await?.remove(0).id
    };
    look_up(case, source, &id).await
}
