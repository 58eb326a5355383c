//! The queue: the row of a run is its place in it. Every change of a run's state is made here, in one transaction with the event
//! that tells of it, and only from the states that it may be made from.

use std::collections::BTreeMap;

use charon_provider::Class;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    Doing, Store, count, decode_error, events::write_event, maybe_time, no, parsed, spoken_to, stored,
};
use crate::{
    error::Error,
    events::{EventKind, NewEvent},
    ids::{PlanId, RunId, StorageId},
    run::{Attempt, Counts, Progress, RunOptions, RunState, Stop, Trigger, Wish},
    store::RunRecord,
};

/// A run that is to be put into the queue.
#[derive(Clone, Debug)]
pub(crate) struct NewRun {
    pub(crate) run: RunId,
    pub(crate) plan: PlanId,
    pub(crate) trigger: Trigger,
    /// The occurrence that it is for.
    pub(crate) scheduled_for: Option<Timestamp>,
    /// Not sooner than this.
    pub(crate) start_after: Option<Timestamp>,
    pub(crate) options: RunOptions,
}

/// A run that has not come to its end.
#[derive(Clone, Debug)]
pub(crate) struct LiveRun {
    pub(crate) run: RunId,
    pub(crate) plan: PlanId,
    pub(crate) plan_name: String,
    pub(crate) storage: StorageId,
    pub(crate) storage_name: String,
    /// Whether it sends what the inbox of the storage holds.
    pub(crate) is_inbox: bool,
    /// The lane that it needs: that of the account, or of the storage where no account is known; one of its own, if it does not
    /// speak to the storage.
    pub(crate) lane: String,
    pub(crate) trigger: Trigger,
    pub(crate) state: RunState,
    pub(crate) start_after: Option<Timestamp>,
    /// Until when it is parked or paused, if it goes on by itself.
    pub(crate) until: Option<Timestamp>,
    pub(crate) attempt: u32,
    pub(crate) failures: u32,
    pub(crate) priority: i64,
    pub(crate) options: RunOptions,
    pub(crate) owner: Option<String>,
    pub(crate) stop: Option<Stop>,
    pub(crate) active_ms: u64,
}

/// What a run has come to before an attempt at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// Items that are done, and their bytes.
    pub(crate) done: u64,
    pub(crate) bytes: u64,
}

/// What a run has come to, while an attempt is at work.
#[derive(Debug)]
pub(crate) struct SoFar<'a> {
    /// How long it has been at work, in all attempts.
    pub(crate) worked: SignedDuration,
    pub(crate) progress: &'a Progress,
    /// The requests of all attempts, by meter.
    pub(crate) requests: &'a BTreeMap<String, u64>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) record: RunRecord,
    pub(crate) attempt: Attempt,
    /// Whether the attempt came to the end of its work, so that what earlier ones could not do and it did not meet is gone.
    pub(crate) is_whole: bool,
    /// How many attempts have failed and are made up for.
    pub(crate) failures: u32,
    pub(crate) active_ms: u64,
    /// The version of its storage that it was at work with, if it came to be.
    pub(crate) storage_seen: Option<i64>,
}

/// A run whose process ended so often in the middle of it, without anything done since the time before, has failed.
const MOST_IN_VAIN: u32 = 20;

const LIVE: &str = concat!(
    "
    SELECT runs.*, plans.name AS plan_name, plans.is_inbox, storages.id AS storage_id, storages.name AS storage_name,
        COALESCE(storages.account, storages.id) AS lane
    FROM runs JOIN plans ON plans.id = runs.plan_id JOIN storages ON storages.id = ",
    spoken_to!(),
    " WHERE runs.state IN ('queued', 'running', 'pausing', 'paused', 'parked')"
);

impl Store {
    /// The runs that have not come to their end, the oldest first.
    pub(crate) async fn live_runs(&self) -> Result<Vec<LiveRun>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{LIVE} ORDER BY runs.id")))
            .fetch_all(&self.reader)
            .await;
        rows.and_then(|rows| rows.iter().map(read_live).collect()).doing("look at the queue")
    }

    /// One run that has not come to its end.
    pub(crate) async fn live_run(&self, run: RunId) -> Result<Option<LiveRun>, Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{LIVE} AND runs.id = ?")))
            .bind(run.to_string())
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read_live).transpose()).doing("look at the queue")
    }

    /// Somebody asks for a run of a plan, now: the one that the plan has begun and not ended goes on, or one that waits goes
    /// first; else there is a new one. Only runs that do the same are meant. Gives the run, and whether it is the new one.
    pub(crate) async fn ask_for_run(&self, new: &NewRun, now: Timestamp) -> Result<(RunId, bool), Error> {
        const DOING: &str = "ask for a run";
        let mut tx = self.begin().await.doing(DOING)?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{LIVE} AND runs.plan_id = ? ORDER BY runs.id")))
            .bind(new.plan.to_string())
            .fetch_all(&mut *tx)
            .await
            .doing(DOING)?;
        let live: Vec<LiveRun> = rows.iter().map(read_live).collect::<Result<_, _>>().doing(DOING)?;
        let live: Vec<LiveRun> =
            live.into_iter().filter(|run| run.options.job.is_like(&new.options.job)).collect();
        let at_work = |run: &&LiveRun| matches!(run.state, RunState::Running | RunState::Pausing);
        let has_begun = |run: &&LiveRun| run.attempt > 0;
        let Some(there) = live.iter().find(at_work).or(live.iter().find(has_begun)).or(live.first()) else {
            insert_run(&mut tx, new, now).await.doing(DOING)?;
            tx.commit().await.doing(DOING)?;
            return Ok((new.run, true));
        };
        if !at_work(&there) {
            let options = there.options.and(&new.options);
            sqlx::query(
                "UPDATE runs SET state = 'queued', priority = MAX(priority, ?2), start_after = NULL, parked_until = NULL,
                     options = ?3, wish = NULL WHERE id = ?1",
            )
            .bind(there.run.to_string())
            .bind(new.trigger.priority())
            .bind(json!(options).to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
            let data = json!({ "plan": there.plan_name, "was": there.state, "why": "somebody asked for it" });
            let event = event(EventKind::Requeued, there.plan, there.run, data);
            write_event(&mut tx, now, &event).await.doing(DOING)?;
        }
        let run = there.run;
        tx.commit().await.doing(DOING)?;
        Ok((run, false))
    }

    /// Begins an attempt at a run that is in the queue. `None` if it is not, or no longer.
    pub(crate) async fn begin_attempt(
        &self,
        run: RunId,
        owner: &str,
        lease_until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<(Attempt, Before)>, Error> {
        const DOING: &str = "begin an attempt at a run";
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query(
            "UPDATE runs SET state = 'running', attempt = attempt + 1, lease_owner = ?2, lease_until = ?3,
                 started_at = COALESCE(started_at, ?4), ended_at = NULL, parked_until = NULL, stop = NULL, wish = NULL,
                 progress = NULL
             WHERE id = ?1 AND state = 'queued' RETURNING attempt, plan_id, trigger",
        )
        .bind(run.to_string())
        .bind(owner)
        .bind(lease_until.to_string())
        .bind(now.to_string())
        .fetch_optional(&mut *tx)
        .await
        .doing(DOING)?;
        let Some(row) = row else { return Ok(None) };
        let number: u32 = row.try_get("attempt").doing(DOING)?;
        let plan: PlanId = parsed(&row, "plan_id").doing(DOING)?;
        let trigger: Trigger = parsed(&row, "trigger").doing(DOING)?;
        sqlx::query("INSERT INTO attempts (run_id, number, owner, started_at) VALUES (?, ?, ?, ?)")
            .bind(run.to_string())
            .bind(number)
            .bind(owner)
            .bind(now.to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        let before = if number == 1 { Before::default() } else { before(&mut tx, run).await.doing(DOING)? };
        let data = json!({ "attempt": number, "trigger": trigger });
        write_event(&mut tx, now, &event(EventKind::Started, plan, run, data)).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Some((Attempt { run, number }, before)))
    }

    /// Renews the lease of an attempt, and lets others see how far it is. Gives false if there is a later attempt.
    pub(crate) async fn renew_lease(
        &self,
        attempt: Attempt,
        lease_until: Timestamp,
        so_far: &SoFar<'_>,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE runs SET lease_until = ?3, progress = ?4, active_ms = ?5, requests = ?6
             WHERE id = ?1 AND attempt = ?2 AND state IN ('running', 'pausing')",
        )
        .bind(attempt.run.to_string())
        .bind(attempt.number)
        .bind(lease_until.to_string())
        .bind(json!(so_far.progress).to_string())
        .bind(i64::try_from(so_far.worked.as_millis()).unwrap_or(i64::MAX))
        .bind(json!(so_far.requests).to_string())
        .execute(&self.writer)
        .await
        .doing("renew the lease of a run")?;
        Ok(done.rows_affected() == 1)
    }

    /// What somebody asks of the one who is at a run.
    ///
    /// # Errors
    /// [`Error::Superseded`] when the attempt is not at work any more: there is a later one, or the plan was removed.
    pub(crate) async fn wish(&self, attempt: Attempt) -> Result<Option<Wish>, Error> {
        const DOING: &str = "look whether a run is to pause";
        let row = sqlx::query(
            "SELECT wish FROM runs WHERE id = ? AND attempt = ? AND state IN ('running', 'pausing')",
        )
        .bind(attempt.run.to_string())
        .bind(attempt.number)
        .fetch_optional(&self.reader)
        .await
        .doing(DOING)?;
        row.map_or(Err(Error::Superseded), |row| maybe_parsed(&row, "wish").doing(DOING))
    }

    /// How far a run is that another process is at.
    pub(crate) async fn progress(&self, run: RunId) -> Result<Option<Progress>, Error> {
        const DOING: &str = "look how far a run is";
        let row = sqlx::query("SELECT progress FROM runs WHERE id = ?")
            .bind(run.to_string())
            .fetch_optional(&self.reader)
            .await
            .doing(DOING)?;
        let text: Option<String> = row.map_or(Ok(None), |row| row.try_get(0)).doing(DOING)?;
        // One that another version wrote is none.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Ends an attempt, and leaves the run in the state of the record; or, if it were to go on later, in the one that somebody
    /// has asked for meanwhile. One that would wait for a person goes back to the queue if the person has acted already: its storage
    /// is another than the one that it was at work with. Gives what became of all its items; `None` if there is a later attempt, or no such run any more.
    pub(crate) async fn end_attempt(&self, ended: &Ended) -> Result<Option<Counts>, Error> {
        const DOING: &str = "end a run";
        let Ended { record, attempt, .. } = ended;
        let now = record.ended_at.unwrap_or(record.queued_at);
        let mut tx = self.begin().await.doing(DOING)?;
        let row = sqlx::query("SELECT wish FROM runs WHERE id = ? AND attempt = ?")
            .bind(attempt.run.to_string())
            .bind(attempt.number)
            .fetch_optional(&mut *tx)
            .await
            .doing(DOING)?;
        let wish: Option<Wish> = row.map_or(Ok(None), |row| maybe_parsed(&row, "wish")).doing(DOING)?;
        // What was asked last may not be why it stopped.
        let (state, stop, until) = match wish.filter(|_| record.state.is_live()) {
            Some(Wish::Cancel) => (RunState::Cancelled, Some(Stop::cancelled()), None),
            Some(Wish::Pause) => (RunState::Paused, Some(Stop::paused()), None),
            None if waits_for_a_person(record)
                && storage_was_changed(&mut tx, attempt.run, ended.storage_seen).await.doing(DOING)? =>
            {
                (RunState::Queued, Some(Stop::acted_upon()), None)
            }
            None => (record.state, record.stop.clone(), record.parked_until),
        };
        let row = sqlx::query(
            "UPDATE runs SET state = ?3, ended_at = ?4, parked_until = ?5, unchanged = ?6, requests = ?7, stop = ?8,
                 failures = ?9, active_ms = ?10, wish = NULL, progress = NULL, lease_owner = NULL, lease_until = NULL
             WHERE id = ?1 AND attempt = ?2 AND state IN ('running', 'pausing') RETURNING plan_id",
        )
        .bind(attempt.run.to_string())
        .bind(attempt.number)
        .bind(state.as_str())
        .bind(record.ended_at.map(|time| time.to_string()))
        .bind(until.map(|time| time.to_string()))
        .bind(stored(record.items.unchanged))
        .bind(json!(record.requests_by_meter).to_string())
        .bind(stop.as_ref().map(|stop| json!(stop).to_string()))
        .bind(ended.failures)
        .bind(stored(ended.active_ms))
        .fetch_optional(&mut *tx)
        .await
        .doing(DOING)?;
        let Some(row) = row else { return Ok(None) };
        let plan: PlanId = parsed(&row, "plan_id").doing(DOING)?;
        if ended.is_whole && attempt.number > 1 {
            let sql = concat!(
                "DELETE FROM run_items WHERE run = ",
                no!(run "?1"),
                " AND attempt < ?2 AND outcome <> 'done'"
            );
            sqlx::query(sql)
                .bind(attempt.run.to_string())
                .bind(attempt.number)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        // What a quick listing left out without a row of its own.
        let counted = count_items(&mut tx, attempt.run, record.items.skipped).await.doing(DOING)?;
        let message = stop.as_ref().map(|stop| stop.message.clone());
        end_attempts(&mut tx, attempt.run, now, state, message.as_deref()).await.doing(DOING)?;
        let kind = match state {
            RunState::Parked => EventKind::Parked,
            RunState::Paused => EventKind::Paused,
            RunState::Queued => EventKind::Requeued,
            _ => EventKind::Ended,
        };
        let data = json!({
            "plan": record.plan, "state": state, "attempt": attempt.number, "items": counted, "bytes": record.bytes,
            "until": until, "class": stop.as_ref().and_then(|stop| stop.class), "message": message,
        });
        write_event(&mut tx, now, &event(kind, plan, attempt.run, data)).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Some(counted))
    }

    /// Puts runs back into the queue that waited until a moment which has come. One that waits for something else by now stays.
    pub(crate) async fn requeue_rested(
        &self,
        runs: &[(PlanId, RunId, Timestamp)],
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "put a run back into the queue";
        if runs.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await.doing(DOING)?;
        for (plan, run, until) in runs {
            let back = Back { until: Some(*until), priority: 0, why: "its waiting is over" };
            requeue_in(&mut tx, (*plan, *run), &back, now).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// Puts a run that is parked or paused back into the queue, since somebody resumes it: it goes on now, as one that was asked for.
    pub(crate) async fn resume(&self, plan: PlanId, run: RunId, now: Timestamp) -> Result<(), Error> {
        const DOING: &str = "resume a run";
        let mut tx = self.begin().await.doing(DOING)?;
        let priority = Trigger::Manual.priority();
        let back = Back { until: None, priority, why: "somebody resumed it" };
        requeue_in(&mut tx, (plan, run), &back, now).await.doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// Runs of a storage that wait for a person go on: the person has acted.
    pub(crate) async fn requeue_those_of(
        &self,
        storage: StorageId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "put a run back into the queue";
        let mut tx = self.begin().await.doing(DOING)?;
        let rows = sqlx::query(concat!(
            "SELECT runs.id, runs.plan_id FROM runs JOIN plans ON plans.id = runs.plan_id
             WHERE ",
            spoken_to!(),
            " = ? AND runs.state = 'parked' AND runs.parked_until IS NULL",
        ))
        .bind(storage.to_string())
        .fetch_all(&mut *tx)
        .await
        .doing(DOING)?;
        for row in rows {
            let (plan, run) = (parsed(&row, "plan_id").doing(DOING)?, parsed(&row, "id").doing(DOING)?);
            let back = Back { until: None, priority: 0, why };
            requeue_in(&mut tx, (plan, run), &back, now).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// Asks the one who is at a run to pause or to stop; does it at once where nobody is at it. Gives the state that the run is in
    /// then, or `None` if there is no such run.
    pub(crate) async fn ask(
        &self,
        run: RunId,
        wish: Wish,
        now: Timestamp,
    ) -> Result<Option<RunState>, Error> {
        const DOING: &str = "ask a run to stop";
        let mut tx = self.begin().await.doing(DOING)?;
        let state = ask_in(&mut tx, run, wish, now).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(state)
    }

    /// Takes up what processes that are no more have left in the middle: it goes on under a new attempt, or ends as somebody had
    /// asked. To be called by the one process that holds the data directory; `is_ours` tells the runs that it is at itself. It is
    /// asked while nobody else writes: who is at a run is on the list before the run begins, and until its end is written.
    pub(crate) async fn recover(
        &self,
        is_ours: impl Fn(RunId) -> bool + Send,
        now: Timestamp,
    ) -> Result<u64, Error> {
        const DOING: &str = "take up interrupted runs";
        let mut tx = self.begin().await.doing(DOING)?;
        let rows = sqlx::query(
            "SELECT id, plan_id, wish, failures, done FROM runs WHERE state IN ('running', 'pausing')",
        )
        .fetch_all(&mut *tx)
        .await
        .doing(DOING)?;
        let mut taken_up = 0;
        for row in rows {
            let (run, plan): (RunId, PlanId) =
                (parsed(&row, "id").doing(DOING)?, parsed(&row, "plan_id").doing(DOING)?);
            if is_ours(run) {
                continue;
            }
            let wish: Option<Wish> = maybe_parsed(&row, "wish").doing(DOING)?;
            // One that got on has shown that it can; one that never does is not taken up for ever.
            let before = count(&row, "done").doing(DOING)?;
            let got_on = count_items(&mut tx, run, 0).await.doing(DOING)?.done > before;
            let failures: u32 = row.try_get("failures").doing(DOING)?;
            let failures = if got_on { 0 } else { failures + 1 };
            let (state, kind, stop) = match wish {
                Some(Wish::Cancel) => (RunState::Cancelled, EventKind::Ended, Stop::cancelled()),
                Some(Wish::Pause) => (RunState::Paused, EventKind::Paused, Stop::paused()),
                None if failures >= MOST_IN_VAIN => {
                    (RunState::Failed, EventKind::Ended, Stop::in_vain(failures))
                }
                None => (RunState::Queued, EventKind::Requeued, Stop::interrupted()),
            };
            sqlx::query(
                "UPDATE runs SET state = ?2, stop = ?3, wish = NULL, lease_owner = NULL, lease_until = NULL, progress = NULL,
                     ended_at = CASE WHEN ?4 THEN ?5 END, failures = ?6 WHERE id = ?1",
            )
            .bind(run.to_string())
            .bind(state.as_str())
            .bind(json!(stop).to_string())
            .bind(matches!(state, RunState::Cancelled | RunState::Failed))
            .bind(now.to_string())
            .bind(failures)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
            end_attempts(&mut tx, run, now, RunState::Failed, Some(&Stop::interrupted().message))
                .await
                .doing(DOING)?;
            let data = json!({ "state": state, "why": stop.message });
            write_event(&mut tx, now, &event(kind, plan, run, data)).await.doing(DOING)?;
            taken_up += 1;
        }
        if taken_up > 0 {
            tx.commit().await.doing(DOING)?;
        }
        Ok(taken_up)
    }
}

fn waits_for_a_person(record: &RunRecord) -> bool {
    record.state == RunState::Parked && record.parked_until.is_none()
}

/// Whether the storage of a run is not any more the one that was seen.
async fn storage_was_changed(
    tx: &mut Transaction<'_, Sqlite>,
    run: RunId,
    seen: Option<i64>,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT storages.revision FROM runs JOIN plans ON plans.id = runs.plan_id JOIN storages ON storages.id = ",
        spoken_to!(),
        " WHERE runs.id = ?",
    ))
    .bind(run.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let now: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(seen.is_some() && now != seen)
}

/// How a run that is parked or paused comes back into the queue.
struct Back<'a> {
    /// Only if it waits until then.
    until: Option<Timestamp>,
    /// Its priority from now on, unless it is larger.
    priority: i64,
    why: &'a str,
}

async fn requeue_in(
    tx: &mut Transaction<'_, Sqlite>,
    (plan, run): (PlanId, RunId),
    back: &Back<'_>,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query(
        "UPDATE runs SET state = 'queued', parked_until = NULL, start_after = NULL, priority = MAX(priority, ?3)
         WHERE id = ?1 AND state IN ('parked', 'paused') AND (?2 IS NULL OR parked_until = ?2)",
    )
    .bind(run.to_string())
    .bind(back.until.map(|until| until.to_string()))
    .bind(back.priority)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 {
        write_event(tx, now, &event(EventKind::Requeued, plan, run, json!({ "why": back.why }))).await?;
    }
    Ok(())
}

/// Puts a run into the queue; gives its number.
pub(super) async fn insert_run(
    tx: &mut Transaction<'_, Sqlite>,
    run: &NewRun,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    let data =
        json!({ "trigger": run.trigger, "scheduled_for": run.scheduled_for, "start_after": run.start_after });
    let no = write_event(tx, now, &event(EventKind::Queued, run.plan, run.run, data)).await?;
    sqlx::query(
        "INSERT INTO runs (no, id, plan_id, trigger, scheduled_for, state, queued_at, priority, options, start_after)
         VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)",
    )
    .bind(no)
    .bind(run.run.to_string())
    .bind(run.plan.to_string())
    .bind(run.trigger.as_str())
    .bind(run.scheduled_for.map(|time| time.to_string()))
    .bind(now.to_string())
    .bind(run.trigger.priority())
    .bind(json!(run.options).to_string())
    .bind(run.start_after.map(|time| time.to_string()))
    .execute(&mut **tx)
    .await?;
    Ok(no)
}

pub(super) async fn ask_in(
    tx: &mut Transaction<'_, Sqlite>,
    run: RunId,
    wish: Wish,
    now: Timestamp,
) -> Result<Option<RunState>, sqlx::Error> {
    let row = sqlx::query("SELECT state, plan_id FROM runs WHERE id = ?")
        .bind(run.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let state: RunState = parsed(&row, "state")?;
    let plan: PlanId = parsed(&row, "plan_id")?;
    let (next, kind, stop) = match (state, wish) {
        (RunState::Running, Wish::Pause) => (RunState::Pausing, EventKind::Asked, None),
        (RunState::Running | RunState::Pausing, Wish::Cancel) => (state, EventKind::Asked, None),
        // A pause that is asked for again has no end of its own any more.
        (RunState::Queued | RunState::Parked | RunState::Paused, Wish::Pause) => {
            (RunState::Paused, EventKind::Paused, Some(Stop::paused()))
        }
        (RunState::Queued | RunState::Parked | RunState::Paused, Wish::Cancel) => {
            (RunState::Cancelled, EventKind::Ended, Some(Stop::cancelled()))
        }
        _ => return Ok(Some(state)),
    };
    let at_work = matches!(next, RunState::Running | RunState::Pausing);
    sqlx::query(
        "UPDATE runs SET state = ?2, wish = ?3, stop = COALESCE(?4, stop),
             parked_until = CASE WHEN ?4 IS NULL THEN parked_until END, ended_at = CASE WHEN ?5 THEN ?6 ELSE ended_at END
         WHERE id = ?1",
    )
    .bind(run.to_string())
    .bind(next.as_str())
    .bind(at_work.then_some(wish.as_str()))
    .bind(stop.map(|stop| json!(stop).to_string()))
    .bind(next == RunState::Cancelled)
    .bind(now.to_string())
    .execute(&mut **tx)
    .await?;
    write_event(tx, now, &event(kind, plan, run, json!({ "wish": wish, "state": next }))).await?;
    Ok(Some(next))
}

/// Checks that an attempt is the latest, and still at work.
pub(super) async fn is_at_work(
    tx: &mut Transaction<'_, Sqlite>,
    attempt: Attempt,
) -> Result<Option<PlanId>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT plan_id FROM runs WHERE id = ? AND attempt = ? AND state IN ('running', 'pausing')",
    )
    .bind(attempt.run.to_string())
    .bind(attempt.number)
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| parsed(&row, "plan_id")).transpose()
}

/// Ends those attempts at a run that have not ended.
async fn end_attempts(
    tx: &mut Transaction<'_, Sqlite>,
    run: RunId,
    now: Timestamp,
    state: RunState,
    message: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE attempts SET ended_at = ?, state = ?, message = ? WHERE run_id = ? AND ended_at IS NULL",
    )
    .bind(now.to_string())
    .bind(state.as_str())
    .bind(message)
    .bind(run.to_string())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Counts what became of a run's items by their rows, and writes it down. `skipped` are left out in all, if that is more than
/// there are rows of.
async fn count_items(
    tx: &mut Transaction<'_, Sqlite>,
    run: RunId,
    skipped: u64,
) -> Result<Counts, sqlx::Error> {
    let row = sqlx::query(concat!(
        "UPDATE runs SET done = counted.done, skipped = MAX(counted.skipped, ?2), failed = counted.failed, bytes = counted.bytes
         FROM (SELECT COALESCE(SUM(outcome = 'done'), 0) AS done, COALESCE(SUM(outcome = 'skipped'), 0) AS skipped,
                   COALESCE(SUM(outcome = 'failed'), 0) AS failed,
                   COALESCE(SUM(CASE WHEN outcome = 'done' THEN bytes ELSE 0 END), 0) AS bytes
               FROM run_items WHERE run = ", no!(run "?1"), ") AS counted
         WHERE id = ?1 RETURNING runs.done, runs.skipped, runs.failed, runs.unchanged",
    ))
    .bind(run.to_string())
    .bind(stored(skipped))
    .fetch_one(&mut **tx)
    .await?;
    Ok(Counts {
        done: count(&row, "done")?,
        unchanged: count(&row, "unchanged")?,
        skipped: count(&row, "skipped")?,
        failed: count(&row, "failed")?,
    })
}

async fn before(tx: &mut Transaction<'_, Sqlite>, run: RunId) -> Result<Before, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT COUNT(*) AS done, COALESCE(SUM(bytes), 0) AS bytes
         FROM run_items WHERE run = ",
        no!(run "?1"),
        " AND outcome = 'done'",
    ))
    .bind(run.to_string())
    .fetch_one(&mut **tx)
    .await?;
    Ok(Before { done: count(&row, "done")?, bytes: count(&row, "bytes")? })
}

pub(super) fn event(kind: EventKind, plan: PlanId, run: RunId, data: Value) -> NewEvent {
    NewEvent { kind, plan: Some(plan), run: Some(run), data }
}

fn maybe_parsed<T>(row: &SqliteRow, column: &str) -> Result<Option<T>, sqlx::Error>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.try_get::<Option<&str>, _>(column)?.map(|text| text.parse().map_err(decode_error)).transpose()
}

fn read_live(row: &SqliteRow) -> Result<LiveRun, sqlx::Error> {
    let stop: Option<&str> = row.try_get("stop")?;
    let options: RunOptions = serde_json::from_str(row.try_get("options")?).map_err(decode_error)?;
    let plan: PlanId = parsed(row, "plan_id")?;
    let lane =
        if options.job.needs_storage() { row.try_get("lane")? } else { format!("the mirror of {plan}") };
    Ok(LiveRun {
        run: parsed(row, "id")?,
        plan,
        plan_name: row.try_get("plan_name")?,
        storage: parsed(row, "storage_id")?,
        storage_name: row.try_get("storage_name")?,
        is_inbox: row.try_get("is_inbox")?,
        lane,
        trigger: parsed(row, "trigger")?,
        state: parsed(row, "state")?,
        start_after: maybe_time(row, "start_after")?,
        until: maybe_time(row, "parked_until")?,
        attempt: row.try_get("attempt")?,
        failures: row.try_get("failures")?,
        priority: row.try_get("priority")?,
        options,
        owner: row.try_get("lease_owner")?,
        stop: stop.map(|text| serde_json::from_str(text).map_err(decode_error)).transpose()?,
        active_ms: count(row, "active_ms")?,
    })
}

impl LiveRun {
    /// Whether it keeps to the windows of the plan's schedule, and to its pause: nobody has asked for it, and nobody has made it
    /// go on.
    pub(crate) fn keeps_to_windows(&self) -> bool {
        self.trigger.keeps_to_windows() && self.priority == 0
    }

    /// The class of what it waits for.
    pub(crate) fn class(&self) -> Option<Class> {
        self.stop.as_ref().and_then(|stop| stop.class)
    }
}
