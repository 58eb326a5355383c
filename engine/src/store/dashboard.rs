//! What the dashboard asks: how the runs of a plan ended last, what the runs of each day came to, what is home. Nothing here reads
//! more of a table that grows than it shows, but for what is home, which is counted once and kept.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, maybe_time, micros, moment, no, parsed};
use crate::{
    error::Error,
    ids::{PlanId, RunId},
    run::{Counts, RunState, Stop},
};

/// So many of a plan's newest runs are looked at for how they ended.
const LOOKED_AT: u32 = 1_000;

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndedRun {
    pub(crate) run: RunId,
    pub(crate) state: RunState,
    pub(crate) ended_at: Timestamp,
    pub(crate) items: Counts,
    /// The run whose failed items it was for, and those alone.
    pub(crate) failed_of: Option<RunId>,
    pub(crate) stop: Option<Stop>,
}

/// What the runs in one state of a plan came to that were asked for on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DayOfRuns {
    /// Which of the days that were asked about.
    pub(crate) day: usize,
    pub(crate) plan: PlanId,
    pub(crate) state: RunState,
    pub(crate) runs: u64,
    /// The newest of them.
    pub(crate) newest: RunId,
    /// When the last of them ended.
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) bytes: u64,
}

/// Moments at which a plan was due and had no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotRun {
    pub(crate) plan: PlanId,
    pub(crate) scheduled_for: Timestamp,
    /// The first of those that were missed with it.
    pub(crate) missed_since: Option<Timestamp>,
    /// Whether a run that had not ended kept it from its turn; else nobody was there.
    pub(crate) is_overlap: bool,
    /// Whether there was a run for it in the end.
    pub(crate) is_made_up_for: bool,
}

/// What a plan has at home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

/// The beginning of the ids of runs that were asked for at this moment or later.
fn ids_from(moment: Timestamp) -> String {
    let millis = u64::try_from(moment.as_millisecond()).unwrap_or_default();
    format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff)
}

impl Store {
    /// The newest run of each plan that did what the plan is for.
    pub(crate) async fn newest_runs(&self) -> Result<HashMap<PlanId, RunId>, Error> {
        let rows = sqlx::query(
            "SELECT plans.id, (SELECT runs.id FROM runs WHERE runs.plan_id = plans.id AND runs.options ->> 'job' IS NULL
                 ORDER BY runs.id DESC LIMIT 1) AS newest
             FROM plans",
        )
        .fetch_all(&self.reader)
        .await;
        let read = |row: &SqliteRow| {
            let newest: Option<&str> = row.try_get("newest")?;
            let newest = newest.map(|run| run.parse().map_err(decode_error)).transpose()?;
            Ok::<_, sqlx::Error>(newest.map(|newest| (parsed(row, "id"), newest)))
        };
        rows.and_then(|rows| {
            let newest = rows.iter().filter_map(|row| read(row).transpose());
            newest.map(|pair| pair.and_then(|(plan, newest)| Ok((plan?, newest)))).collect()
        })
        .doing("look up the newest runs")
    }

    /// The newest run of a plan that has ended, however it ended.
    pub(crate) async fn last_end(&self, plan: PlanId) -> Result<Option<EndedRun>, Error> {
        let ended = self.ended_runs(plan, "'succeeded', 'partial', 'failed', 'cancelled'", 1).await?;
        Ok(ended.into_iter().next())
    }

    /// The newest runs of a plan that came to the end of their work, the newest first, down to one that was for all items.
    pub(crate) async fn whole_runs(&self, plan: PlanId) -> Result<Vec<EndedRun>, Error> {
        let mut ended = self.ended_runs(plan, "'succeeded', 'partial'", 50).await?;
        match ended.iter().position(|run| run.failed_of.is_none()) {
            Some(place) => ended.truncate(place + 1),
            // So many have failed since.
            None => ended.extend(self.last_good_run(plan).await?),
        }
        Ok(ended)
    }

    async fn ended_runs(&self, plan: PlanId, states: &str, most: u32) -> Result<Vec<EndedRun>, Error> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM (SELECT id, state, ended_at, done, unchanged, skipped, failed, options ->> 'failed_of' AS failed_of, stop
                            FROM runs WHERE plan_id = ?1 AND options ->> 'job' IS NULL ORDER BY id DESC LIMIT {LOOKED_AT}) AS newest
             WHERE state IN ({states}) AND ended_at IS NOT NULL ORDER BY id DESC LIMIT ?2"
        )))
        .bind(plan.to_string())
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read_ended).collect()).doing("look up how runs ended")
    }

    async fn last_good_run(&self, plan: PlanId) -> Result<Option<EndedRun>, Error> {
        let row = sqlx::query(
            "SELECT id, state, ended_at, done, unchanged, skipped, failed, options ->> 'failed_of' AS failed_of, stop FROM runs
             WHERE plan_id = ? AND state = 'succeeded' AND ended_at IS NOT NULL AND options ->> 'failed_of' IS NULL
                 AND options ->> 'job' IS NULL ORDER BY id DESC LIMIT 1",
        )
        .bind(plan.to_string())
        .fetch_optional(&self.reader)
        .await;
        row.and_then(|row| row.as_ref().map(read_ended).transpose()).doing("look up the last good run")
    }

    /// What the runs came to that were asked for on each of these days, each from its first moment to before the next one's.
    pub(crate) async fn runs_by_day(&self, days: &[(Timestamp, Timestamp)]) -> Result<Vec<DayOfRuns>, Error> {
        let bounds: Vec<_> = days.iter().map(|(from, to)| (ids_from(*from), ids_from(*to))).collect();
        let rows = sqlx::query(
            "SELECT wanted.key AS day, plan_id, state, COUNT(*) AS runs, MAX(runs.id) AS newest, MAX(ended_at) AS ended_at,
                 SUM(COALESCE(progress ->> '$.items.done', done)) AS done,
                 SUM(COALESCE(progress ->> '$.items.failed', failed)) AS failed,
                 SUM(COALESCE(progress ->> '$.bytes', bytes)) AS bytes
             FROM json_each(?1) AS wanted CROSS JOIN runs
                 ON runs.id >= wanted.value ->> 0 AND runs.id < wanted.value ->> 1
             GROUP BY wanted.key, plan_id, state",
        )
        .bind(json!(bounds).to_string())
        .fetch_all(&self.reader)
        .await;
        let read = |row: &SqliteRow| {
            Ok::<_, sqlx::Error>(DayOfRuns {
                day: row.try_get::<i64, _>("day")?.try_into().map_err(decode_error)?,
                plan: parsed(row, "plan_id")?,
                state: parsed(row, "state")?,
                runs: count(row, "runs")?,
                newest: parsed(row, "newest")?,
                ended_at: maybe_time(row, "ended_at")?,
                done: count(row, "done")?,
                failed: count(row, "failed")?,
                bytes: count(row, "bytes")?,
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("count the runs of some days")
    }

    /// The occurrences between two moments that have no run of their own, or that stand for others which have none.
    pub(crate) async fn not_run(&self, from: Timestamp, to: Timestamp) -> Result<Vec<NotRun>, Error> {
        let rows = sqlx::query(
            "SELECT plans.id AS plan_id, scheduled_for, decision, missed_since FROM plans CROSS JOIN occurrences
                 ON occurrences.plan = plans.no AND scheduled_for >= ?1 AND scheduled_for < ?2
             WHERE decision IN ('missed', 'overlap', 'catch_up') OR missed > 0",
        )
        .bind(micros(from))
        .bind(micros(to))
        .fetch_all(&self.reader)
        .await;
        let read = |row: &SqliteRow| {
            let decision: &str = row.try_get("decision")?;
            let missed_since: Option<i64> = row.try_get("missed_since")?;
            Ok::<_, sqlx::Error>(NotRun {
                plan: parsed(row, "plan_id")?,
                scheduled_for: moment(row, "scheduled_for")?,
                missed_since: missed_since
                    .map(|micros| Timestamp::from_microsecond(micros).map_err(decode_error))
                    .transpose()?,
                is_overlap: decision == "overlap",
                is_made_up_for: matches!(decision, "run" | "catch_up"),
            })
        };
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("look up what was missed")
    }

    /// When the last good run of a plan ended that was asked for before a moment.
    pub(crate) async fn last_good_end_before(
        &self,
        plan: PlanId,
        before: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(
            "SELECT ended_at FROM runs WHERE plan_id = ?1 AND state = 'succeeded' AND ended_at IS NOT NULL AND id < ?2
                 AND options ->> 'job' IS NULL ORDER BY id DESC LIMIT 1",
        )
        .bind(plan.to_string())
        .bind(ids_from(before))
        .fetch_optional(&self.reader)
        .await;
        row.and_then(|row| row.as_ref().map_or(Ok(None), |row| maybe_time(row, "ended_at")))
            .doing("look up a good run")
    }

    /// What a plan has at home: all of its part of the ledger is read for it.
    pub(crate) async fn home(&self, plan: PlanId) -> Result<Home, Error> {
        let row = sqlx::query(concat!(
            "SELECT COALESCE(SUM(part = 0), 0) AS items, COALESCE(SUM(size), 0) AS bytes FROM copies WHERE plan = ",
            no!(plan "?"),
            " AND sha256 IS NOT NULL",
        ))
        .bind(plan.to_string())
        .fetch_one(&self.reader)
        .await;
        row.and_then(|row| Ok(Home { items: count(&row, "items")?, bytes: count(&row, "bytes")? }))
            .doing("count what is home")
    }
}

fn read_ended(row: &SqliteRow) -> Result<EndedRun, sqlx::Error> {
    let (failed_of, stop): (Option<&str>, Option<&str>) = (row.try_get("failed_of")?, row.try_get("stop")?);
    Ok(EndedRun {
        run: parsed(row, "id")?,
        state: parsed(row, "state")?,
        ended_at: parsed(row, "ended_at")?,
        items: Counts {
            done: count(row, "done")?,
            unchanged: count(row, "unchanged")?,
            skipped: count(row, "skipped")?,
            failed: count(row, "failed")?,
        },
        failed_of: failed_of.map(|run| run.parse().map_err(decode_error)).transpose()?,
        stop: stop.map(|text| serde_json::from_str(text).map_err(decode_error)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::ids_from;
    use crate::{
        clock::{ManualClock, SystemEntropy},
        ids::RunId,
    };

    #[test]
    fn the_ids_of_a_day_are_found_by_its_first_moment() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
        let id = |text: &str| RunId::new(&ManualClock::at(at(text)), &SystemEntropy).to_string();
        let midnight = ids_from(at("2026-11-28T00:00:00Z"));
        assert!(id("2026-11-27T23:59:59.999Z") < midnight);
        assert!(id("2026-11-28T00:00:00Z") > midnight);
        assert!(id("2026-11-28T12:00:00Z") < ids_from(at("2026-11-29T00:00:00Z")));
    }
}
