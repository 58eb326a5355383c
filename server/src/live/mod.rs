//! What happens, told as it happens: one listener at the engine and one serialisation for all who listen, however many these are.
//! Four times a second, what has happened since the last time goes out as one batch, with the progress of the runs at work. Who is too
//! slow reads again from the database.

mod batch;
mod stream;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use charon_engine::{Engine, Error, Progress, RunId, Subscription, Told};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

pub(crate) use batch::Wanted;
use batch::{Batch, Frame};
pub(crate) use stream::Listener;

/// How often what has happened goes out.
const GOES_OUT: Duration = Duration::from_millis(250);
/// Batches that a listener may be behind before it reads again from the database.
const BEHIND: usize = 64;
/// Events that are read from the database at once.
const READ_AT_ONCE: u32 = 500;
/// Listeners at a time. Each has a connection of its own, and some are left for pages (see `connections`).
pub(crate) const MOST_LISTENERS: usize = 512;

/// Where those who listen are told what happens. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    shutdown: CancellationToken,
    told: broadcast::Sender<Arc<Batch>>,
    room: Arc<Semaphore>,
    /// Whether somebody listens at the engine for all others.
    is_listening: tokio::sync::Mutex<()>,
    listens: AtomicBool,
}

impl Hub {
    pub(crate) fn new(engine: Engine, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            engine,
            shutdown,
            told: broadcast::Sender::new(BEHIND),
            room: Arc::new(Semaphore::new(MOST_LISTENERS)),
            is_listening: tokio::sync::Mutex::new(()),
            listens: AtomicBool::new(false),
        }))
    }

    /// A place among those who listen; `None` if there is none left.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.room).try_acquire_owned().ok()
    }

    /// What happens from now on. Whatever happened before is in the database by now.
    async fn listen(&self) -> Result<broadcast::Receiver<Arc<Batch>>, Error> {
        let receiver = self.0.told.subscribe();
        let _turn = self.0.is_listening.lock().await;
        if !self.0.listens.load(Ordering::Acquire) {
            let events = self.0.engine.subscribe(None).await?;
            self.0.listens.store(true, Ordering::Release);
            let hub = self.clone();
            tokio::spawn(async move { hub.hand_on(events).await });
        }
        Ok(receiver)
    }

    /// Hands on what happens, until nobody listens any more.
    async fn hand_on(self, mut events: Subscription) {
        let engine = &self.0.engine;
        let mut ticks = interval_at(Instant::now() + GOES_OUT, GOES_OUT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut frames, mut seen) = (Vec::new(), 0);
        let mut told: HashMap<RunId, Progress> = HashMap::new();
        loop {
            tokio::select! {
                biased;
                () = self.0.shutdown.cancelled() => break,
                _ = ticks.tick() => {
                    let at_work = engine.at_work();
                    told.retain(|run, _| at_work.iter().any(|(other, _)| other == run));
                    for (run, progress) in at_work {
                        if told.get(&run) != Some(&progress) {
                            frames.push(Frame::of_progress(run, &progress));
                            told.insert(run, progress);
                        }
                    }
                    if !frames.is_empty() {
                        // Fails only when the last listener has left meanwhile.
                        self.0.told.send(Batch::new(std::mem::take(&mut frames))).ok();
                    }
                    if self.is_alone().await {
                        return;
                    }
                }
                happened = events.next() => match happened {
                    Some(Told::Event(event)) if event.seq > seen => {
                        seen = event.seq;
                        frames.push(Frame::of_event(&event));
                    }
                    Some(Told::Event(_)) => {}
                    Some(Told::ReadAgain { after }) => {
                        if let Err(error) = read_again(engine, after, &mut seen, &mut frames).await {
                            tracing::warn!(%error, "what happened could not be read again");
                            break;
                        }
                    }
                    None => break,
                },
            }
        }
        self.0.listens.store(false, Ordering::Release);
    }

    /// Whether nobody listens any more. Then whoever comes next begins anew.
    async fn is_alone(&self) -> bool {
        let _turn = self.0.is_listening.lock().await;
        let is_alone = self.0.told.receiver_count() == 0;
        if is_alone {
            self.0.listens.store(false, Ordering::Release);
        }
        is_alone
    }
}

async fn read_again(
    engine: &Engine,
    after: i64,
    seen: &mut i64,
    frames: &mut Vec<Frame>,
) -> Result<(), Error> {
    *seen = (*seen).max(after);
    loop {
        let events = engine.events(None, *seen, READ_AT_ONCE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        *seen = last.seq;
        frames.extend(events.iter().map(Frame::of_event));
    }
}
