//! The inbox: single files that programs hand over to be sent to a storage, one at a time and at any time.
//!
//! A file is spooled while it comes ([`receiving`], [`spool`]); once it is complete and flushed, a row in the database is its receipt
//! ([`receipt`]), and from then on it is Charon's affair (I1). What is spooled is sent by runs of a plan that the engine makes for
//! each inbox: they wait, park, are tried again and survive a kill as all runs do. Within such a run the stages of an upload do the
//! work ([`work`]), and what became of each file is read from the ledger ([`settling`]).

mod error;
mod receipt;
mod receiving;
mod settling;
mod spool;
mod work;

use std::{collections::HashSet, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub use error::NotTaken;
pub use receipt::{Receipt, ReceiptState};
pub use receiving::{Handing, Mode, Receiving};
pub(crate) use spool::Spool;
pub(crate) use work::{Inbox, run};

use crate::{
    engine::Engine,
    error::Error,
    ids::{PlanId, ReceiptId, RunId, StorageId},
    run::{RunOptions, RunState, Stop, Trigger},
    store::{NewRun, PlanRow, RunRecord, StorageRow},
};

/// What is handed over without anybody who waits for it is sent a little later, so that what comes together goes in one batch.
const LINGERS: Duration = Duration::from_secs(2);
/// What could not be sent waits so many minutes, after one failure, two, and so on.
const MINUTES: [i64; 6] = [1, 5, 30, 120, 360, 1_440];

/// When a file that could not be sent is tried again, after so many failures before this one.
fn again_at(now: Timestamp, failures: u32) -> Timestamp {
    let at = usize::try_from(failures).unwrap_or(usize::MAX).min(MINUTES.len() - 1);
    now.checked_add(SignedDuration::from_mins(MINUTES[at])).unwrap_or(Timestamp::MAX)
}

impl Engine {
    /// The inboxes may hold so many bytes, all together.
    pub fn limit_inboxes(&self, bytes: u64) {
        self.spool.set_limit(bytes);
    }

    /// At the start: what the spool holds and no receipt waits for goes away, and what waits is sent.
    pub(crate) async fn open_inboxes(&self) -> Result<(), Error> {
        let mut waiting = HashSet::new();
        for storage in self.store.storages().await? {
            let all = self.store.due_receipts(storage.id, Timestamp::MAX, u32::MAX).await?;
            if !all.is_empty() {
                waiting.extend(all.into_iter().map(|receipt| receipt.id));
                let plan = self.inbox_plan(&storage).await?;
                self.see_to_inbox(&plan).await?;
            }
        }
        let spool = self.spool.clone();
        let swept = tokio::task::spawn_blocking(move || spool.sweep(&waiting)).await;
        swept.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(|source| Error::DataFile {
            doing: "tidy up",
            path: self.spool.folder().to_owned(),
            source,
        })
    }

    /// After an attempt: what the inbox holds by now is sent by another run, where this one has ended.
    pub(crate) async fn after_inbox_run(
        &self,
        plan: &PlanRow,
        state: RunState,
        stop: Option<&Stop>,
    ) -> Result<(), Error> {
        if state == RunState::Failed {
            let (class, reason) = stop.map_or((None, ""), |stop| (stop.class, stop.message.as_str()));
            let failures = self.store.inbox_failures(plan.storage_id).await?;
            let until = again_at(self.clock.now(), failures);
            self.store.postpone_inbox(plan.storage_id, (class, reason), until).await?;
        }
        // Who stops it wants it to stop: what waits goes on with the next file, the next start, or when somebody tries it again.
        if !state.is_live() && state != RunState::Cancelled {
            self.see_to_inbox(plan).await?;
        }
        self.spool.changed();
        Ok(())
    }

    async fn see_to_inbox(&self, plan: &PlanRow) -> Result<(), Error> {
        let (now, run) = (self.clock.now(), self.run_of_inbox(plan.id, None));
        if self.store.see_to_inbox(plan.storage_id, &run, now).await? {
            self.wake();
        }
        Ok(())
    }

    /// Sends now what waits in the inbox that a run was of. Gives the run that does.
    pub(crate) async fn retry_inbox(&self, ended: &RunRecord) -> Result<RunId, Error> {
        let run = self.run_of_inbox(ended.plan_id, None);
        let Some(at_work) = self.store.retry_inbox(&run, self.clock.now()).await? else {
            return Err(Error::Refused(format!(
                "nothing waits in the {}; a file that the storage does not take is not kept: hand over another one",
                ended.plan
            )));
        };
        self.wake();
        Ok(at_work)
    }

    fn run_of_inbox(&self, plan: PlanId, start_after: Option<Timestamp>) -> NewRun {
        NewRun {
            run: RunId::new(&*self.clock, &*self.entropy),
            plan,
            trigger: Trigger::Api,
            scheduled_for: None,
            start_after,
            options: RunOptions::default(),
        }
    }

    /// The plan whose runs send what the inbox of a storage holds; made if it is not there.
    async fn inbox_plan(&self, storage: &StorageRow) -> Result<PlanRow, Error> {
        for name in [format!("inbox of {}", storage.name), format!("inbox of {}", storage.id)] {
            if let Some(plan) = self.store.inbox_plan(storage.id).await? {
                return Ok(plan);
            }
            let config = json!({
                "kind": "upload", "storage": storage.name, "sources": [self.spool.folder()], "descriptions": false,
                "policy": { "retries": 20 },
            });
            let now = self.clock.now();
            let row = PlanRow {
                id: PlanId::new(&*self.clock, &*self.entropy),
                name,
                storage_id: storage.id,
                config: config.as_object().cloned().unwrap_or_default(),
                mirror_ready: false,
                created_at: now,
                revision: 0,
                decided_until: Some(now),
                paused_at: None,
                paused_until: None,
                is_inbox: true,
            };
            // It may be somebody else's name, or another request has made it meanwhile.
            if self.store.add_plan(&row).await? {
                return Ok(row);
            }
        }
        let plan = self.store.inbox_plan(storage.id).await?;
        plan.ok_or_else(|| Error::Refused(format!("the inbox of {} could not be made", storage.name)))
    }

    /// Where what waits of a receipt is, for tests.
    #[doc(hidden)]
    pub fn spool_folder(&self) -> &Path {
        self.spool.folder()
    }

    /// What the receipts of a storage say, the newest first; the last one's id is where the next page begins.
    pub async fn receipts(
        &self,
        storage: StorageId,
        before: Option<ReceiptId>,
        most: u32,
    ) -> Result<Vec<Receipt>, Error> {
        let rows = self.store.receipts(storage, before, most).await?;
        let mut receipts = Vec::with_capacity(rows.len());
        for row in rows {
            receipts.push(self.view_of_receipt(row).await?);
        }
        Ok(receipts)
    }

    /// One receipt.
    ///
    /// # Errors
    /// When there is no such receipt, or no longer.
    pub async fn receipt(&self, id: ReceiptId) -> Result<Receipt, Error> {
        let row = self.store.receipt(id).await?.ok_or_else(|| Error::Unknown {
            what: "receipt",
            name: id.to_string(),
            known: "receipts are kept for 30 days".into(),
        })?;
        self.view_of_receipt(row).await
    }

    /// Waits until a file that was handed over has been sent or has failed, until it is clear that it cannot be sent for now, or
    /// for so long. Gives the receipt as it is then.
    pub async fn receipt_in_the_end(&self, id: ReceiptId, patience: Duration) -> Result<Receipt, Error> {
        let mut changes = self.spool.changes();
        let begun = self.clock.now();
        loop {
            changes.borrow_and_update();
            let receipt = self.receipt(id).await?;
            let waited = self.clock.now().duration_since(begun).unsigned_abs();
            if receipt.state != ReceiptState::Waiting || receipt.cannot_go_on() || waited >= patience {
                return Ok(receipt);
            }
            // Whatever else may hold it up (the queue, a pause) is looked at now and then.
            tokio::select! {
                _ = changes.changed() => {}
                () = self.clock.sleep(Duration::from_secs(1).min(patience.saturating_sub(waited))) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::again_at;

    #[test]
    fn what_could_not_be_sent_is_tried_again_ever_more_rarely() {
        // I7
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let waits =
            [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|failures| again_at(now, failures).duration_since(now));
        assert_eq!(waits.map(|wait| wait.as_mins()), [1, 5, 30, 120, 360, 1_440, 1_440, 1_440]);
    }
}
