//! Uploads that are taken up again where they broke off.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, future, pin_mut, stream};
use tokio::sync::Notify;

use super::{
    Sample,
    case::{Case, Ends, Opened, Stop},
    staging,
};
use crate::{Content, Error, KeepSession, Reason, Session};

/// Keeps the last session that was given.
#[derive(Default)]
struct Kept(Mutex<Option<Session>>);

impl Kept {
    fn session(&self) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl KeepSession for Kept {
    async fn keep(&self, session: &Session) -> Result<(), Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        Ok(())
    }
}

/// What is seen of a file while it is read.
#[derive(Default)]
struct Reading {
    bytes: AtomicU64,
    /// Whether a byte was read before a session was kept.
    too_soon: AtomicBool,
    halfway: Notify,
}

/// A file that is read as far as `most`, and then hangs for ever.
fn watched(sample: &Sample, most: usize, kept: &Arc<Kept>, reading: &Arc<Reading>) -> Content {
    let (bytes, kept, reading) = (sample.bytes.clone(), Arc::clone(kept), Arc::clone(reading));
    staging::content_of(sample, sample.bytes.len(), move |offset| {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let (bytes, kept, reading) = (bytes.clone(), Arc::clone(&kept), Arc::clone(&reading));
        stream::unfold(offset, move |at| {
            let (bytes, kept, reading) = (bytes.clone(), Arc::clone(&kept), Arc::clone(&reading));
            async move {
                if at >= bytes.len() {
                    return None;
                }
                if at >= most {
                    reading.halfway.notify_one();
                    future::pending::<()>().await;
                }
                if kept.session().is_none() {
                    reading.too_soon.store(true, Ordering::Relaxed);
                }
                let end = bytes.len().min(at + 64 * 1024);
                let chunk: Bytes = bytes.slice(at..end);
                reading.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                Some((Ok(chunk), end))
            }
        })
        .boxed()
    })
}

/// Begins to send a large file and is killed in the middle of it: what is left is the session.
async fn broken_off(case: &Case<'_>, opened: &Opened) -> Result<(Sample, Session), Stop> {
    let sink = opened.sink()?;
    let sample = opened.world.large()?;
    let (kept, reading) = (Arc::new(Kept::default()), Arc::new(Reading::default()));
    let content = watched(&sample, sample.bytes.len() / 2, &kept, &reading);
    {
        let sending = sink.send(&content, None, &*kept);
        let halfway = reading.halfway.notified();
        pin_mut!(sending, halfway);
        if let future::Either::Left((sent, _)) = future::select(sending, halfway).await {
            case.fine("send half of a file", sent)?;
            return Err(Stop::Failed("half of a file was taken for the whole".into()));
        }
    }
    let session = kept.session();
    let session = session.ok_or_else(|| Stop::Failed("a large file is sent in no session".into()))?;
    case.printed("a session", &session);
    case.expect(!reading.too_soon.load(Ordering::Relaxed), || {
        "the file was read before its session was kept".into()
    });
    Ok((sample, session))
}

pub(super) async fn a_session_is_kept_before_the_first_byte(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    broken_off(case, &opened).await.map(drop)
}

// I2
pub(super) async fn a_session_is_taken_up_by_another_opening(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (sample, session) = broken_off(case, &opened).await?;
    let again = case.open_again(&opened)?;
    drop(opened);
    let sink = again.sink()?;
    let (kept, reading) = (Arc::new(Kept::default()), Arc::new(Reading::default()));
    let content = watched(&sample, usize::MAX, &kept, &reading);
    let token = case.fine("take up a session", sink.send(&content, Some(&session), &*kept).await)?;
    let length = sample.bytes.len() as u64;
    let read = reading.bytes.load(Ordering::Relaxed);
    case.expect(read < length, || format!("all {length} bytes were sent again"));
    let committed = sink.commit(None, &[staging::staged(&sample, token)]).await;
    let result = case.fine("commit", committed)?.pop();
    let result = result.ok_or_else(|| Stop::Failed("no result for an item".into()))?;
    let item = case.fine("commit what was sent in two halves", result)?;
    let held = again.world.bytes_of(&item.id).await?;
    case.expect(held == sample.bytes, || "the two halves are not the whole".into());
    Ok(())
}

pub(super) async fn a_lost_session_is_told(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (sample, session) = broken_off(case, &opened).await?;
    opened.world.lose_sessions().await?;
    let sink = opened.sink()?;
    let content = staging::content(&sample);
    let sent = sink.send(&content, Some(&session), &Kept::default()).await;
    let error = case.fails("take up a session that is lost", sent)?;
    case.expect(error.reason == Reason::SessionLost, || format!("it is told as {:?}: {error}", error.reason));
    case.fine("send the file anew", sink.send(&content, None, &Kept::default()).await)?;
    Ok(())
}
