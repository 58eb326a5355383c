//! One who listens: first what the database has from after a number on, then what happens, in order, none twice and none left out.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use charon_engine::RunId;
use futures::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast},
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    Hub, READ_AT_ONCE, Wanted,
    batch::{Batch, Frame, joined},
};
use crate::{access, api::problem::Problem, app::App};

/// How often something is sent where nothing happens, so that both sides know that the other is there.
const BEATS: Duration = Duration::from_secs(15);
/// How often it is looked whether the one who listens still may.
const CHECKED_EVERY: Duration = Duration::from_secs(15);
const BEAT: Bytes = Bytes::from_static(b": still here\n\n");
/// How long a browser waits before it comes again.
const BEGINNING: Bytes = Bytes::from_static(b"retry: 3000\n\n");

/// One who listens.
pub(crate) struct Listener {
    hub: Hub,
    app: App,
    /// By what it is known who listens.
    asked: HeaderMap,
    checked_at: Instant,
    wanted: Wanted,
    /// The last event that was told.
    after: i64,
    batches: broadcast::Receiver<Arc<Batch>>,
    beats: Interval,
    next: Next,
    _place: OwnedSemaphorePermit,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Beginning,
    /// What the database has.
    Rows,
    /// What happens.
    Batches,
    Nothing,
}

impl Listener {
    /// An answer that tells what happens after an event, for as long as somebody listens, may listen, and there is something to tell:
    /// that of a run ends with the run. A run that has ended, and of which all was told, has no content any more: so a browser
    /// does not come again.
    pub(crate) async fn answer(
        app: &App,
        asked: HeaderMap,
        wanted: Wanted,
        after: Option<i64>,
    ) -> Result<Response, Problem> {
        let hub = app.hub().clone();
        let full = || {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen already; come again later")
                .after(10)
        };
        let place = hub.place().ok_or_else(full)?;
        let batches = hub.listen().await?;
        let after = match after {
            Some(after) => after,
            None => app.engine().newest_event().await?,
        };
        if let Some(run) = wanted.run
            && has_ended(app, run).await?
            && app.engine().events(Some(run), after, 1).await?.is_empty()
        {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let mut beats = interval_at(Instant::now() + BEATS, BEATS);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let listener = Self {
            hub,
            app: app.clone(),
            asked,
            checked_at: Instant::now(),
            wanted,
            after,
            batches,
            beats,
            next: Next::Beginning,
            _place: place,
        };
        let told = stream::unfold(listener, async |mut listener| {
            let bytes = listener.next().await?;
            Some((Ok::<Bytes, Infallible>(bytes), listener))
        });
        let mut response = Body::from_stream(told).into_response();
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // A proxy in between is to hand on what comes at once.
        fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.checked_at.elapsed() >= CHECKED_EVERY {
                access::is_still_known(&self.app, &self.asked).await.ok().filter(|is_known| *is_known)?;
                self.checked_at = Instant::now();
            }
            match self.next {
                Next::Beginning => {
                    self.next = Next::Rows;
                    return Some(BEGINNING);
                }
                Next::Rows => {
                    if let Some(bytes) = self.rows().await? {
                        return Some(bytes);
                    }
                }
                Next::Batches => {
                    let bytes = self.batch().await?;
                    if !bytes.is_empty() {
                        return Some(bytes);
                    }
                }
                Next::Nothing => return None,
            }
        }
    }

    /// What the database has; the inner `None` once that is all.
    async fn rows(&mut self) -> Option<Option<Bytes>> {
        let engine = self.app.engine();
        let events = match engine.events(self.wanted.run, self.after, READ_AT_ONCE).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "somebody who listens could not be told what had happened");
                return None;
            }
        };
        let Some(last) = events.last() else {
            self.next = match self.wanted.run {
                // Its last event was told, or is forgotten by now.
                Some(run) if has_ended(&self.app, run).await.unwrap_or(true) => Next::Nothing,
                _ => Next::Batches,
            };
            return Some(self.progress());
        };
        self.after = last.seq;
        let frames: Vec<Frame> =
            events.iter().map(Frame::of_event).filter(|frame| frame.is_for(self.wanted)).collect();
        let bytes = joined(frames.iter());
        Some(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// How far the runs at work are, for one who has just come.
    fn progress(&self) -> Option<Bytes> {
        let frames: Vec<Frame> = self
            .app
            .engine()
            .at_work()
            .into_iter()
            .map(|(run, progress)| Frame::of_progress(run, &progress))
            .filter(|frame| frame.is_for(self.wanted))
            .collect();
        Some(joined(frames.iter())).filter(|bytes| !bytes.is_empty())
    }

    /// What happens next.
    async fn batch(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.app.shutdown().cancelled() => None,
            batch = self.batches.recv() => match batch {
                Ok(batch) => {
                    let bytes = batch.bytes_for(self.wanted, self.after);
                    self.after = self.after.max(batch.last().unwrap_or_default());
                    if self.wanted.run.is_some_and(|run| batch.ends(run)) {
                        self.next = Next::Nothing;
                    }
                    Some(bytes)
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    // To go on with the oldest that is still here would be to fall behind again at once.
                    self.batches = self.batches.resubscribe();
                    self.next = Next::Rows;
                    Some(Bytes::new())
                }
                Err(broadcast::error::RecvError::Closed) => None,
            },
            _ = self.beats.tick() => self.beat().await,
        }
    }

    /// Nothing has happened: is the one who listens still there?
    async fn beat(&mut self) -> Option<Bytes> {
        // One who begins anew after an error of the hub's is heard again too.
        if !self.hub.0.listens.load(std::sync::atomic::Ordering::Acquire) {
            self.batches = self.hub.listen().await.ok()?;
            self.next = Next::Rows;
        }
        Some(BEAT)
    }
}

async fn has_ended(app: &App, run: RunId) -> Result<bool, Problem> {
    Ok(!app.engine().run_record(run).await?.state.is_live())
}
