//! Receipts: what was handed over to be sent, and what became of it.

use std::collections::HashMap;

use charon_provider::Class;
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    Doing, Store, count, decode_error,
    events::write_event,
    micros, moment, no, parsed,
    queue::{NewRun, event, insert_run},
    stored,
};
use crate::{
    dashboard::NotTakenLately,
    error::Error,
    events::{EventKind, NewEvent},
    ids::{PlanId, ReceiptId, RunId, Sha256, StorageId},
    inbox::ReceiptState,
    run::{Attempt, Outcome, RunState},
};

/// A file that is complete in the spool.
#[derive(Clone, Debug)]
pub(crate) struct NewReceipt {
    pub(crate) id: ReceiptId,
    pub(crate) storage: StorageId,
    pub(crate) file_name: String,
    pub(crate) album: Option<String>,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    /// By which the one who sent it knows that it is the same.
    pub(crate) key: Option<String>,
    /// It need not be sent before this.
    pub(crate) again_at: Timestamp,
}

/// A file that was handed over.
#[derive(Clone, Debug)]
pub(crate) struct ReceiptRow {
    pub(crate) id: ReceiptId,
    pub(crate) storage: StorageId,
    pub(crate) state: ReceiptState,
    pub(crate) file_name: String,
    pub(crate) album: Option<String>,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    /// How often it could not be sent for something that may pass.
    pub(crate) failures: u32,
    pub(crate) again_at: Timestamp,
    pub(crate) media_id: Option<String>,
    pub(crate) was_there: Option<bool>,
    pub(crate) class: Option<Class>,
    pub(crate) reason: Option<String>,
    pub(crate) received_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// The run that sent it, if it is still known.
    pub(crate) run: Option<RunId>,
}

/// What became of adding a receipt.
#[derive(Debug)]
pub(crate) enum Added {
    New,
    /// There is one of the same key.
    Same(Box<ReceiptRow>),
}

/// What became of a file that was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) id: ReceiptId,
    pub(crate) file_name: String,
    pub(crate) became: SettledAs,
}

/// What a receipt becomes.
#[derive(Clone, Debug)]
pub(crate) enum SettledAs {
    /// It is an item of the storage.
    Sent { media_id: String, was_there: bool },
    /// It is not tried again.
    Failed { class: Class, reason: String },
    /// It is tried again.
    Later { class: Option<Class>, reason: String, again_at: Timestamp },
}

/// How an item of a run ended.
#[derive(Clone, Debug)]
pub(crate) struct ItemEnd {
    pub(crate) outcome: Outcome,
    pub(crate) class: Option<Class>,
    pub(crate) reason: Option<String>,
    pub(crate) bytes: u64,
    /// In which attempt.
    pub(crate) attempt: u32,
}

const RECEIPTS: &str = "
    SELECT receipts.*, storages.id AS storage_id, (SELECT id FROM runs WHERE no = receipts.run) AS run_id
    FROM receipts JOIN storages ON storages.no = receipts.storage";

impl Store {
    /// Records that a file was taken in, and sees that there is a run to send it: `run`, unless its plan has one that has not
    /// ended. One that would begin later, or waits for its next attempt, begins when this one may be sent.
    pub(crate) async fn add_receipt(
        &self,
        new: &NewReceipt,
        run: &NewRun,
        now: Timestamp,
    ) -> Result<Added, Error> {
        const DOING: &str = "record what was taken in";
        let mut tx = self.begin().await.doing(DOING)?;
        let done = sqlx::query(concat!(
            "INSERT INTO receipts (id, storage, state, file_name, album, sha256, size, key, again_at, received_at)
             VALUES (?1, ",
            no!(storage "?2"),
            ", 'waiting', ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (storage, key) WHERE key IS NOT NULL DO NOTHING",
        ))
        .bind(new.id.to_string())
        .bind(new.storage.to_string())
        .bind(&new.file_name)
        .bind(&new.album)
        .bind(&new.sha256.0[..])
        .bind(stored(new.size))
        .bind(&new.key)
        .bind(micros(new.again_at))
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            tx.rollback().await.doing(DOING)?;
            let key = new.key.as_deref().unwrap_or_default();
            let same = self.receipt_by_key(new.storage, key).await?;
            return same.map(|same| Added::Same(Box::new(same))).ok_or(Error::Superseded);
        }
        let data = json!({ "receipt": new.id, "storage": new.storage, "name": new.file_name, "bytes": new.size,
                           "album": new.album });
        let event = NewEvent { kind: EventKind::InboxReceived, plan: Some(run.plan), run: None, data };
        write_event(&mut tx, now, &event).await.doing(DOING)?;
        see_to_run(&mut tx, run, now).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Added::New)
    }

    /// Sees that there is a run for what the inbox of a storage holds, if it holds anything; it begins when the first of it may be
    /// sent. Gives whether it does.
    pub(crate) async fn see_to_inbox(
        &self,
        storage: StorageId,
        run: &NewRun,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const DOING: &str = "see to an inbox";
        let Some(first) = self.inbox_is_due(storage).await? else { return Ok(false) };
        let mut tx = self.begin().await.doing(DOING)?;
        see_to_run(&mut tx, &NewRun { start_after: Some(first), ..run.clone() }, now).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }

    /// All that waits in the inbox of a run's plan may be sent now, by this run if there is none yet. Gives the run that does; none where
    /// nothing waits.
    pub(crate) async fn retry_inbox(&self, run: &NewRun, now: Timestamp) -> Result<Option<RunId>, Error> {
        const DOING: &str = "see to an inbox";
        let mut tx = self.begin().await.doing(DOING)?;
        let due = sqlx::query(
            "UPDATE receipts SET again_at = MIN(again_at, ?2)
             WHERE storage = (SELECT storages.no FROM plans JOIN storages ON storages.id = plans.storage_id WHERE plans.id = ?1)
                 AND state = 'waiting'",
        )
        .bind(run.plan.to_string())
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if due.rows_affected() == 0 {
            return Ok(None);
        }
        see_to_run(&mut tx, run, now).await.doing(DOING)?;
        let live = sqlx::query(
            "SELECT id FROM runs
             WHERE plan_id = ? AND state IN ('queued', 'running', 'pausing', 'paused', 'parked') LIMIT 1",
        )
        .bind(run.plan.to_string())
        .fetch_one(&mut *tx)
        .await
        .and_then(|row| parsed(&row, "id"))
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Some(live))
    }

    /// What waits in the inbox of a storage and may be sent at this moment, what may be sent first before the rest.
    pub(crate) async fn due_receipts(
        &self,
        storage: StorageId,
        until: Timestamp,
        most: u32,
    ) -> Result<Vec<ReceiptRow>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{RECEIPTS} WHERE receipts.storage = {} AND state = 'waiting' AND again_at <= ?2
             ORDER BY again_at, receipts.id LIMIT ?3",
            no!(storage "?1")
        )))
        .bind(storage.to_string())
        .bind(micros(until))
        .bind(most)
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("look what an inbox holds")
    }

    /// When the first of what waits in the inbox of a storage may be sent.
    pub(crate) async fn inbox_is_due(&self, storage: StorageId) -> Result<Option<Timestamp>, Error> {
        const DOING: &str = "look what an inbox holds";
        let row = sqlx::query(concat!(
            "SELECT MIN(again_at) AS again_at FROM receipts WHERE storage = ",
            no!(storage "?1"),
            " AND state = 'waiting'"
        ))
        .bind(storage.to_string())
        .fetch_one(&self.writer)
        .await
        .doing(DOING)?;
        match row.try_get::<Option<i64>, _>("again_at").doing(DOING)? {
            None => Ok(None),
            Some(_) => moment(&row, "again_at").map(Some).doing(DOING),
        }
    }

    /// All that waits in the inbox of a storage waits for longer, for this reason.
    pub(crate) async fn postpone_inbox(
        &self,
        storage: StorageId,
        (class, reason): (Option<Class>, &str),
        until: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(concat!(
            "UPDATE receipts SET again_at = MAX(again_at, ?2), failures = failures + 1, class = ?3, reason = ?4
             WHERE storage = ",
            no!(storage "?1"),
            " AND state = 'waiting'"
        ))
        .bind(storage.to_string())
        .bind(micros(until))
        .bind(class.map(name_of))
        .bind(reason)
        .execute(&self.writer)
        .await
        .doing("postpone what an inbox holds")
        .map(drop)
    }

    /// How often what waits first in the inbox of a storage could not be sent.
    pub(crate) async fn inbox_failures(&self, storage: StorageId) -> Result<u32, Error> {
        let row = sqlx::query(concat!(
            "SELECT failures FROM receipts WHERE storage = ",
            no!(storage "?1"),
            " AND state = 'waiting' ORDER BY again_at LIMIT 1"
        ))
        .bind(storage.to_string())
        .fetch_optional(&self.writer)
        .await;
        row.and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map(Option::unwrap_or_default)
            .doing("look what an inbox holds")
    }

    /// The receipts of a storage, the newest first, from before one on.
    pub(crate) async fn receipts(
        &self,
        storage: StorageId,
        before: Option<ReceiptId>,
        most: u32,
    ) -> Result<Vec<ReceiptRow>, Error> {
        let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{RECEIPTS} WHERE receipts.storage = {} AND receipts.id < ?2 ORDER BY receipts.id DESC LIMIT ?3",
            no!(storage "?1")
        )))
        .bind(storage.to_string())
        .bind(before)
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list receipts")
    }

    pub(crate) async fn receipt(&self, id: ReceiptId) -> Result<Option<ReceiptRow>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{RECEIPTS} WHERE receipts.id = ?")))
            .bind(id.to_string())
            .fetch_optional(&self.writer)
            .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a receipt")
    }

    pub(crate) async fn receipt_by_key(
        &self,
        storage: StorageId,
        key: &str,
    ) -> Result<Option<ReceiptRow>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{RECEIPTS} WHERE receipts.storage = {} AND key = ?2",
            no!(storage "?1")
        )))
        .bind(storage.to_string())
        .bind(key)
        .fetch_optional(&self.writer)
        .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a receipt")
    }

    /// How these items of a run ended, by their paths; those of which nothing is recorded are left out.
    pub(crate) async fn item_ends(
        &self,
        run: RunId,
        items: &[String],
    ) -> Result<HashMap<String, ItemEnd>, Error> {
        const DOING: &str = "look up what became of items";
        let rows = sqlx::query(concat!(
            "SELECT item, outcome, class, reason, bytes, attempt FROM json_each(?2) AS wanted
             CROSS JOIN run_items ON run = ",
            no!(run "?1"),
            " AND item = wanted.value"
        ))
        .bind(run.to_string())
        .bind(json!(items).to_string())
        .fetch_all(&self.writer)
        .await
        .doing(DOING)?;
        let read = |row: &SqliteRow| {
            let end = ItemEnd {
                outcome: parsed(row, "outcome")?,
                class: class_of(row)?,
                reason: row.try_get("reason")?,
                bytes: count(row, "bytes")?,
                attempt: row.try_get("attempt")?,
            };
            Ok((row.try_get("item")?, end))
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }

    /// Records what became of files that were handed over, with the events that tell of it.
    pub(crate) async fn settle_receipts(
        &self,
        plan: PlanId,
        attempt: Attempt,
        settled: &[Settled],
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "record what became of what was taken in";
        let mut tx = self.begin().await.doing(DOING)?;
        for one in settled {
            settle(&mut tx, (plan, attempt), one, now).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// How true the bytes are that an item is known to have.
    #[cfg(test)]
    pub(crate) async fn fidelity_of_remote(
        &self,
        storage: StorageId,
        remote_id: &str,
    ) -> Option<charon_provider::Fidelity> {
        let row = sqlx::query(concat!(
            "SELECT fidelity FROM remotes JOIN contents USING (asset_id) WHERE remote_id = ?2 AND storage = ",
            no!(storage "?1")
        ))
        .bind(storage.to_string())
        .bind(remote_id)
        .fetch_optional(&self.reader)
        .await
        .expect("a look-up");
        row.map(|row| serde_json::from_value(row.get::<String, _>(0).into()).expect("a fidelity"))
    }

    /// By storage, what has not been taken since then.
    pub(crate) async fn not_taken_since(&self, since: Timestamp) -> Result<Vec<NotTakenLately>, Error> {
        const DOING: &str = "look what was not taken";
        // Where MAX is alone, the other columns are those of its row.
        let rows = sqlx::query(
            "SELECT storages.id, storages.name, COUNT(*) AS files, file_name, reason, MAX(ended_at)
             FROM receipts CROSS JOIN storages ON storages.no = receipts.storage
             WHERE ended_at > ? AND state = 'failed' GROUP BY storages.no",
        )
        .bind(micros(since))
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        let read = |row: &SqliteRow| {
            let reason: Option<String> = row.try_get("reason")?;
            Ok(NotTakenLately {
                storage_id: parsed(row, "id")?,
                storage: row.try_get("name")?,
                files: count(row, "files")?,
                last: row.try_get("file_name")?,
                reason: reason.unwrap_or_default(),
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }

    /// Whether a storage has files in its inbox that wait.
    pub(crate) async fn has_waiting_receipts(&self, storage: StorageId) -> Result<bool, Error> {
        Ok(self.inbox_is_due(storage).await?.is_some())
    }

    /// Forgets receipts that ended before this, a few at a time, and the runs of inboxes too. Gives how many receipts it was.
    pub(crate) async fn forget_receipts(&self, before: Timestamp, most: u32) -> Result<u64, Error> {
        const DOING: &str = "forget old receipts";
        let done = sqlx::query(
            "DELETE FROM receipts WHERE id IN (
                 SELECT id FROM receipts WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
        )
        .bind(micros(before))
        .bind(most)
        .execute(&self.writer)
        .await
        .doing(DOING)?;
        // Ids begin with their time, so the oldest come first.
        sqlx::query(
            "DELETE FROM runs WHERE id IN (
                 SELECT oldest.id FROM plans CROSS JOIN runs AS oldest ON oldest.plan_id = plans.id
                 WHERE plans.is_inbox = 1 AND oldest.id < ?1
                     AND oldest.state IN ('succeeded', 'partial', 'failed', 'cancelled') LIMIT ?2)",
        )
        .bind(first_id_at(before))
        .bind(most)
        .execute(&self.writer)
        .await
        .doing(DOING)?;
        Ok(done.rows_affected())
    }
}

/// An id that sorts before all those that were made at this moment or later.
fn first_id_at(moment: Timestamp) -> String {
    let millis = u64::try_from(moment.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string()
}

/// Puts the run into the queue, unless its plan has one that has not ended; that one begins no later.
async fn see_to_run(
    tx: &mut Transaction<'_, Sqlite>,
    run: &NewRun,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let there = sqlx::query(
        "SELECT id, state, stop ->> 'class' AS class FROM runs
         WHERE plan_id = ? AND state IN ('queued', 'running', 'pausing', 'paused', 'parked') LIMIT 1",
    )
    .bind(run.plan.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(there) = there else {
        return insert_run(tx, run, now).await.map(drop);
    };
    let id: RunId = parsed(&there, "id")?;
    let state: RunState = parsed(&there, "state")?;
    let class: Option<&str> = there.try_get("class")?;
    match (state, class) {
        // A fault may have passed by now. One that waits for a quota, a person, or as long as the server asked, waits on.
        (RunState::Parked, Some("transient")) => {
            sqlx::query(
                "UPDATE runs SET state = 'queued', parked_until = NULL, start_after = NULL WHERE id = ?",
            )
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
            let data = json!({ "why": "something came in" });
            write_event(tx, now, &event(EventKind::Requeued, run.plan, id, data)).await.map(drop)
        }
        (RunState::Queued, _) => sqlx::query(
            "UPDATE runs SET start_after = ?2 WHERE id = ?1 AND julianday(start_after) > julianday(?2)",
        )
        .bind(id.to_string())
        .bind(run.start_after.unwrap_or(now).to_string())
        .execute(&mut **tx)
        .await
        .map(drop),
        _ => Ok(()),
    }
}

async fn settle(
    tx: &mut Transaction<'_, Sqlite>,
    (plan, attempt): (PlanId, Attempt),
    one: &Settled,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let id = one.id.to_string();
    let (kind, data, update) = match &one.became {
        SettledAs::Sent { media_id, was_there } => (
            EventKind::InboxSent,
            json!({ "receipt": one.id, "name": one.file_name, "media_id": media_id, "was_there": was_there }),
            sqlx::query(concat!(
                "UPDATE receipts SET state = 'sent', media_id = ?2, was_there = ?3, ended_at = ?4, class = NULL, reason = NULL,
                     run = ",
                no!(run "?5"),
                " WHERE id = ?1 AND state = 'waiting'"
            ))
            .bind(&id)
            .bind(media_id)
            .bind(was_there)
            .bind(micros(now))
            .bind(attempt.run.to_string()),
        ),
        SettledAs::Failed { class, reason } => (
            EventKind::InboxFailed,
            json!({ "receipt": one.id, "name": one.file_name, "class": class, "reason": reason }),
            sqlx::query(concat!(
                "UPDATE receipts SET state = 'failed', class = ?2, reason = ?3, ended_at = ?4, run = ",
                no!(run "?5"),
                " WHERE id = ?1 AND state = 'waiting'"
            ))
            .bind(&id)
            .bind(name_of(*class))
            .bind(reason)
            .bind(micros(now))
            .bind(attempt.run.to_string()),
        ),
        SettledAs::Later { class, reason, again_at } => {
            let update = "UPDATE receipts SET failures = failures + 1, class = ?2, reason = ?3, again_at = ?4
                          WHERE id = ?1 AND state = 'waiting'";
            let update = sqlx::query(update).bind(&id).bind(class.map(name_of)).bind(reason);
            return update.bind(micros(*again_at)).execute(&mut **tx).await.map(drop);
        }
    };
    if update.execute(&mut **tx).await?.rows_affected() == 1 {
        let event = NewEvent { kind, plan: Some(plan), run: Some(attempt.run), data };
        write_event(tx, now, &event).await?;
    }
    Ok(())
}

/// A class as it is written.
fn name_of(class: Class) -> String {
    json!(class).as_str().unwrap_or_default().to_owned()
}

fn class_of(row: &SqliteRow) -> Result<Option<Class>, sqlx::Error> {
    let class: Option<String> = row.try_get("class")?;
    class.map(|name| serde_json::from_value(name.into()).map_err(decode_error)).transpose()
}

fn read(row: &SqliteRow) -> Result<ReceiptRow, sqlx::Error> {
    let ended_at: Option<i64> = row.try_get("ended_at")?;
    let run: Option<&str> = row.try_get("run_id")?;
    Ok(ReceiptRow {
        id: parsed(row, "id")?,
        storage: parsed(row, "storage_id")?,
        state: parsed(row, "state")?,
        file_name: row.try_get("file_name")?,
        album: row.try_get("album")?,
        sha256: row.try_get::<&[u8], _>("sha256")?.try_into().map(Sha256).map_err(decode_error)?,
        size: count(row, "size")?,
        failures: row.try_get("failures")?,
        again_at: moment(row, "again_at")?,
        media_id: row.try_get("media_id")?,
        was_there: row.try_get("was_there")?,
        class: class_of(row)?,
        reason: row.try_get("reason")?,
        received_at: moment(row, "received_at")?,
        ended_at: ended_at.map(|_| moment(row, "ended_at")).transpose()?,
        run: run.map(|id| id.parse().map_err(decode_error)).transpose()?,
    })
}
