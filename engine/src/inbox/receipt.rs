//! The receipt of a file that was handed over: where it stands.

use charon_provider::Class;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    engine::Engine,
    error::Error,
    ids::{ReceiptId, RunId, StorageId},
    run::{RunState, named},
    scheduler::{self, Waiting},
    store::{LiveRun, ReceiptRow, RunFilter},
};

named! {
    /// Where a file stands that was handed over.
    ReceiptState {
        /// It is in the spool, and will be sent.
        Waiting = "waiting",
        /// It is an item of the storage.
        Sent = "sent",
        /// It cannot be sent for what it is, and is not tried again.
        Failed = "failed",
    }
}

/// What is known of a file that was handed over.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Receipt {
    /// Its id.
    pub id: ReceiptId,
    /// The storage that it goes to.
    pub storage: StorageId,
    /// Where it stands.
    pub state: ReceiptState,
    /// The name that the item gets.
    pub file_name: String,
    /// The title of the album that it goes into.
    pub album: Option<String>,
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// When it was complete here.
    pub received_at: Timestamp,
    /// The id of the item, once it is there.
    pub media_id: Option<String>,
    /// Whether the storage had the bytes before, so that they were not sent again.
    pub was_there: Option<bool>,
    /// When it was sent, or failed.
    pub ended_at: Option<Timestamp>,
    /// The class of what went wrong the last time, if anything did.
    pub class: Option<Class>,
    /// What went wrong the last time.
    pub reason: Option<String>,
    /// When it is tried again, if it waits for that.
    pub again_at: Option<Timestamp>,
    /// What it waits for, if it waits.
    pub waiting: Option<String>,
    /// The run that sends it, has sent it, or was stopped before it did.
    pub run: Option<RunId>,
    /// Whether nothing is done about it at this moment.
    #[serde(skip)]
    rests: bool,
}

impl Receipt {
    /// Whether it waits for something that does not come by itself within a moment.
    pub(super) fn cannot_go_on(&self) -> bool {
        self.state == ReceiptState::Waiting && self.rests
    }
}

impl Engine {
    pub(super) async fn view_of_receipt(&self, row: ReceiptRow) -> Result<Receipt, Error> {
        let is_waiting = row.state == ReceiptState::Waiting;
        let live = if is_waiting { self.live_run_of_inbox(row.storage).await? } else { None };
        let is_later = is_waiting && row.failures > 0 && row.again_at > self.clock.now();
        let mut receipt = Receipt {
            id: row.id,
            storage: row.storage,
            state: row.state,
            file_name: row.file_name,
            album: row.album,
            size: row.size,
            sha256: row.sha256.to_string(),
            received_at: row.received_at,
            media_id: row.media_id,
            was_there: row.was_there,
            ended_at: row.ended_at,
            class: row.class,
            reason: row.reason,
            again_at: is_later.then_some(row.again_at),
            waiting: None,
            run: row.run,
            rests: is_later,
        };
        if !is_waiting {
            return Ok(receipt);
        }
        receipt.run = live.as_ref().map(|(run, _)| run.run);
        receipt.waiting = Some(match &live {
            _ if is_later => format!("its next attempt, at {}", row.again_at.strftime("%Y-%m-%d %H:%M UTC")),
            Some((run, why)) if matches!(run.state, RunState::Parked | RunState::Paused) => {
                receipt.rests = true;
                if let Some(stop) = &run.stop {
                    receipt.class = stop.class;
                    receipt.reason = Some(stop.message.clone());
                }
                receipt.again_at = run.until;
                why.clone()
            }
            Some((run, why)) if run.state == RunState::Queued => why.clone(),
            Some(_) => "it is being sent".into(),
            None => {
                receipt.rests = true;
                receipt.run = self.newest_run_of_inbox(row.storage).await?;
                "somebody, since the run that was to send it was stopped: try that run again, or hand over another file".into()
            }
        });
        Ok(receipt)
    }

    async fn newest_run_of_inbox(&self, storage: StorageId) -> Result<Option<RunId>, Error> {
        let Some(plan) = self.store.inbox_plan(storage).await? else { return Ok(None) };
        let filter = RunFilter { plan: Some(plan.id), ..RunFilter::default() };
        Ok(self.store.runs(&filter, 1).await?.first().map(|run| run.run))
    }

    /// The run that sends what the inbox of a storage holds, and what it waits for.
    async fn live_run_of_inbox(&self, storage: StorageId) -> Result<Option<(LiveRun, String)>, Error> {
        let Some(plan) = self.store.inbox_plan(storage).await? else { return Ok(None) };
        let live = self.store.live_runs().await?.into_iter().find(|run| run.plan == plan.id);
        let Some(live) = live else { return Ok(None) };
        let waiting = scheduler::waiting(self).await?;
        let why = waiting.get(&live.run).map_or_else(|| Waiting::Turn.to_string(), Waiting::to_string);
        Ok(Some((live, why)))
    }
}
