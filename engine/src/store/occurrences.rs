//! Occurrences: what was decided about the moments at which plans were due. A decision and the run that follows from it are one
//! transaction, and there is one decision for each (plan, scheduled time), for ever (I3).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    Doing, Store,
    events::write_event,
    micros, moment, no, parsed,
    queue::{NewRun, ask_in, insert_run},
};
use crate::{
    error::Error,
    events::{EventKind, NewEvent},
    ids::{PlanId, RunId},
    run::{Wish, named},
};

named! {
    /// What became of a moment at which a plan was due.
    Decision {
        /// There is a run for it.
        Run = "run",
        /// It was missed, and there is a run that makes up for it and all that were missed before it.
        CatchUp = "catch_up",
        /// It was missed, and nothing makes up for it.
        Missed = "missed",
        /// It was left out: a run of the plan had not ended.
        Overlap = "overlap",
    }
}

/// A moment at which a plan was due, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Occurrence {
    /// When the plan was due.
    pub scheduled_for: Timestamp,
    /// What became of it.
    pub decision: Decision,
    /// The run for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// How many before it, since the last decision, were missed with it.
    pub missed: u32,
    /// The first of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_since: Option<Timestamp>,
    /// When that was decided.
    pub decided_at: Timestamp,
}

/// A decision that has yet to be written.
#[derive(Debug)]
pub(crate) struct NewDecision<'a> {
    pub(crate) plan: PlanId,
    pub(crate) plan_name: &'a str,
    /// The plan as it was when this was decided; a plan that has changed since decides anew.
    pub(crate) revision: i64,
    pub(crate) occurrence: Occurrence,
    /// The run that follows from it.
    pub(crate) run: Option<NewRun>,
    /// The runs that are to give way to it.
    pub(crate) cancel: Vec<RunId>,
}

/// What became of a decision that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It is written, and what follows from it.
    Now,
    /// The occurrence was decided before (the clock was set back), and that stays.
    Before,
    /// Nothing is written: the plan has changed meanwhile.
    Not,
}

impl Store {
    /// Writes a decision, and the run that follows from it.
    pub(crate) async fn decide(&self, new: &NewDecision<'_>) -> Result<Decided, Error> {
        const DOING: &str = "decide about an occurrence";
        let (occurrence, now) = (&new.occurrence, new.occurrence.decided_at);
        let mut tx = self.begin().await.doing(DOING)?;
        let is_same = sqlx::query("UPDATE plans SET decided_until = ?3 WHERE id = ?1 AND revision = ?2")
            .bind(new.plan.to_string())
            .bind(new.revision)
            .bind(occurrence.scheduled_for.to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        if is_same.rows_affected() == 0 {
            return Ok(Decided::Not);
        }
        let is_new = sqlx::query(concat!(
            "INSERT INTO occurrences (plan, scheduled_for, decision, missed, missed_since, decided_at)
             VALUES (",
            no!(plan "?1"),
            ", ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        ))
        .bind(new.plan.to_string())
        .bind(micros(occurrence.scheduled_for))
        .bind(occurrence.decision.as_str())
        .bind(occurrence.missed)
        .bind(occurrence.missed_since.map(micros))
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        let is_new = is_new.rows_affected() == 1;
        if is_new {
            let missed = u64::from(occurrence.missed) + u64::from(occurrence.decision == Decision::Missed);
            if missed > 0 {
                let data = json!({
                    "name": new.plan_name, "missed": missed, "since": occurrence.missed_since,
                    "until": occurrence.scheduled_for, "made_up_for": occurrence.run,
                });
                let event =
                    NewEvent { kind: EventKind::Missed, plan: Some(new.plan), run: occurrence.run, data };
                write_event(&mut tx, now, &event).await.doing(DOING)?;
            }
            if occurrence.decision == Decision::Overlap {
                let data = json!({ "name": new.plan_name, "scheduled_for": occurrence.scheduled_for });
                let event = NewEvent { kind: EventKind::Overlapped, plan: Some(new.plan), run: None, data };
                write_event(&mut tx, now, &event).await.doing(DOING)?;
            }
            for previous in &new.cancel {
                ask_in(&mut tx, *previous, Wish::Cancel, now).await.doing(DOING)?;
            }
            if let Some(run) = &new.run {
                let no = insert_run(&mut tx, run, now).await.doing(DOING)?;
                sqlx::query(concat!(
                    "UPDATE occurrences SET run = ?3 WHERE plan = ",
                    no!(plan "?1"),
                    " AND scheduled_for = ?2",
                ))
                .bind(new.plan.to_string())
                .bind(micros(occurrence.scheduled_for))
                .bind(no)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
            }
        }
        tx.commit().await.doing(DOING)?;
        Ok(if is_new { Decided::Now } else { Decided::Before })
    }

    /// Forgets what was decided about moments before this.
    pub(crate) async fn forget_occurrences(&self, before: Timestamp) -> Result<(), Error> {
        sqlx::query("DELETE FROM occurrences WHERE plan IN (SELECT no FROM plans) AND scheduled_for < ?")
            .bind(micros(before))
            .execute(&self.writer)
            .await
            .doing("forget old occurrences")
            .map(drop)
    }

    /// What became of a plan's occurrences from a moment on and before another one, if it is given; the newest first.
    pub(crate) async fn occurrences(
        &self,
        plan: PlanId,
        (since, before): (Timestamp, Option<Timestamp>),
        most: u32,
    ) -> Result<Vec<Occurrence>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT occurrences.*, (SELECT id FROM runs WHERE no = occurrences.run) AS run_id FROM occurrences
             WHERE plan = ",
            no!(plan "?1"),
            " AND scheduled_for >= ?2 AND scheduled_for < ?4 ORDER BY scheduled_for DESC LIMIT ?3",
        ))
        .bind(plan.to_string())
        .bind(micros(since))
        .bind(most)
        .bind(before.map_or(i64::MAX, micros))
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list occurrences")
    }
}

fn read(row: &SqliteRow) -> Result<Occurrence, sqlx::Error> {
    let run: Option<&str> = row.try_get("run_id")?;
    Ok(Occurrence {
        scheduled_for: moment(row, "scheduled_for")?,
        decision: parsed(row, "decision")?,
        run: run.map(|run| run.parse().map_err(super::decode_error)).transpose()?,
        missed: row.try_get("missed")?,
        missed_since: row
            .try_get::<Option<i64>, _>("missed_since")?
            .map(|micros| Timestamp::from_microsecond(micros).map_err(super::decode_error))
            .transpose()?,
        decided_at: moment(row, "decided_at")?,
    })
}
