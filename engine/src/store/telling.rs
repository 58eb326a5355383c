//! Whom people are told through, and what is to be told. Secrets are encrypted before they come here.
//!
//! Times that are compared are kept in whole seconds, so that their texts sort as they do.

use std::num::NonZeroU32;

use charon_notify::{Event, Notice};
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{Changed, Doing, Store, count, decode_error, maybe_time, parsed};
use crate::{
    error::Error,
    ids::{ChannelId, NoticeId, PlanId, RunId},
    run::{Counts, RunState, Stop},
    telling::DeliveryState,
};

/// A plan has another name: channels that are told of it name it so from now on.
pub(super) async fn rename_plan(
    tx: &mut Transaction<'_, Sqlite>,
    old: &str,
    new: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE channels SET plans =
             (SELECT json_group_array(CASE value WHEN ?1 THEN ?2 ELSE value END) FROM json_each(channels.plans))
         WHERE EXISTS (SELECT 1 FROM json_each(channels.plans) WHERE value = ?1)",
    )
    .bind(old)
    .bind(new)
    .execute(&mut **tx)
    .await
    .map(drop)
}

#[derive(Clone, Debug)]
pub(crate) struct ChannelRow {
    pub(crate) id: ChannelId,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) config: Map<String, Value>,
    pub(crate) secrets: Vec<u8>,
    pub(crate) events: Vec<Event>,
    /// The names of the plans that it is told of; `None` for all.
    pub(crate) plans: Option<Vec<String>>,
    pub(crate) in_a_row: NonZeroU32,
    pub(crate) created_at: Timestamp,
}

impl ChannelRow {
    /// Another one whenever anything of it has changed.
    pub(crate) fn version(&self) -> String {
        use sha2::Digest;
        // The secrets are other bytes each time that they are sealed, and the configuration never changes without them.
        let hash = sha2::Sha256::new()
            .chain_update(&self.secrets)
            .chain_update(json!([self.name, self.events, self.plans, self.in_a_row]).to_string());
        format!("{:x}", hash.finalize())
    }
}

/// A notice that is to be told through a channel.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: NoticeId,
    pub(crate) channel: ChannelId,
    /// What it is about: the same channel is told of the same event about the same once.
    pub(crate) about: String,
    pub(crate) notice: Notice,
}

/// A notice whose time has come, taken by this process.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) id: NoticeId,
    pub(crate) channel: ChannelId,
    pub(crate) notice: Notice,
    /// This attempt included.
    pub(crate) attempts: u32,
    pub(crate) enqueued_at: Timestamp,
}

/// A notice and what became of it, as it can be shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliveryRecord {
    /// Its id, which the receiver is told too.
    pub id: NoticeId,
    /// The name of the channel.
    pub channel: String,
    /// What happened.
    pub event: Event,
    /// What is told.
    pub notice: Notice,
    /// Whether it has got through.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it came to be told.
    pub enqueued_at: Timestamp,
    /// When it is tried next; `None` if it is not any more.
    pub next_at: Option<Timestamp>,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// What is told of a run.
#[derive(Clone, Debug)]
pub(crate) struct ToldRun {
    pub(crate) run: RunId,
    pub(crate) plan_id: PlanId,
    pub(crate) plan: String,
    pub(crate) state: RunState,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) items: Counts,
    pub(crate) bytes: u64,
    pub(crate) stop: Option<Stop>,
}

impl Store {
    /// Gives false if a channel has the name already.
    pub(crate) async fn add_channel(&self, channel: &ChannelRow) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO channels (id, name, kind, config, secrets, events, plans, in_a_row, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(channel.id.to_string())
        .bind(&channel.name)
        .bind(&channel.kind)
        .bind(Value::Object(channel.config.clone()).to_string())
        .bind(&channel.secrets)
        .bind(json!(channel.events).to_string())
        .bind(channel.plans.as_ref().map(|plans| json!(plans).to_string()))
        .bind(channel.in_a_row.get())
        .bind(channel.created_at.to_string())
        .execute(&self.writer)
        .await
        .doing("add a channel")?;
        Ok(done.rows_affected() == 1)
    }

    /// Replaces a channel that is still as it was seen.
    pub(crate) async fn replace_channel(
        &self,
        old: &ChannelRow,
        channel: &ChannelRow,
    ) -> Result<Changed, Error> {
        const DOING: &str = "update a channel";
        let plans = |channel: &ChannelRow| channel.plans.as_ref().map(|plans| json!(plans).to_string());
        // The secrets are other bytes each time that they are sealed.
        let done = sqlx::query(
            "UPDATE OR IGNORE channels SET config = ?, secrets = ?, events = ?, plans = ?, in_a_row = ?, name = ?
             WHERE id = ? AND secrets = ? AND events = ? AND plans IS ? AND in_a_row = ? AND name = ?",
        )
        .bind(Value::Object(channel.config.clone()).to_string())
        .bind(&channel.secrets)
        .bind(json!(channel.events).to_string())
        .bind(plans(channel))
        .bind(channel.in_a_row.get())
        .bind(&channel.name)
        .bind(channel.id.to_string())
        .bind(&old.secrets)
        .bind(json!(old.events).to_string())
        .bind(plans(old))
        .bind(old.in_a_row.get())
        .bind(&old.name)
        .execute(&self.writer)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 1 {
            return Ok(Changed::Done);
        }
        let another = self.channel(&channel.name).await?.filter(|other| other.id != channel.id);
        Ok(if another.is_some() { Changed::NameTaken } else { Changed::Meanwhile })
    }

    pub(crate) async fn channels(&self) -> Result<Vec<ChannelRow>, Error> {
        let rows = sqlx::query("SELECT * FROM channels ORDER BY name").fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read_channel).collect()).doing("list the channels")
    }

    pub(crate) async fn channel(&self, name: &str) -> Result<Option<ChannelRow>, Error> {
        let row = sqlx::query("SELECT * FROM channels WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read_channel).transpose()).doing("look up a channel")
    }

    /// Removes a channel, and what was to be told through it.
    pub(crate) async fn remove_channel(&self, id: ChannelId) -> Result<(), Error> {
        sqlx::query("DELETE FROM channels WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("remove a channel")
            .map(drop)
    }

    /// Writes down what is to be told. What has been written down already, told or not, stays as it is.
    pub(crate) async fn enqueue(&self, notices: &[Outgoing], now: Timestamp) -> Result<(), Error> {
        const DOING: &str = "write down what is to be told";
        let mut tx = self.begin().await.doing(DOING)?;
        for outgoing in notices {
            insert(&mut tx, outgoing, now).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// The same for a plan that is overdue since then, for those channels that have not been told of this stretch.
    pub(crate) async fn enqueue_overdue(
        &self,
        plan: PlanId,
        since: Timestamp,
        notices: &[Outgoing],
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "write down that a plan is overdue";
        let mut tx = self.begin().await.doing(DOING)?;
        for outgoing in notices {
            let is_new = sqlx::query(
                "INSERT INTO overdue_told (channel_id, plan_id, since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (channel_id, plan_id) DO UPDATE SET since = excluded.since WHERE since <> excluded.since",
            )
            .bind(outgoing.channel.to_string())
            .bind(plan.to_string())
            .bind(since.to_string())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
            if is_new.rows_affected() > 0 {
                insert(&mut tx, outgoing, now).await.doing(DOING)?;
            }
        }
        tx.commit().await.doing(DOING)
    }

    /// Takes some of what is due, those first that have been tried least. Until `until` nobody else takes them, and from then
    /// on anybody does, if nothing has been recorded of them.
    pub(crate) async fn take_due(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: u32,
    ) -> Result<Vec<Due>, Error> {
        let rows = sqlx::query(
            "UPDATE outbox SET next_at = ?2, attempts = attempts + 1 WHERE id IN (
                 SELECT id FROM outbox WHERE state = 'pending' AND next_at <= ?1 ORDER BY attempts, next_at, id LIMIT ?3)
             RETURNING *",
        )
        .bind(began(now).to_string())
        .bind(over(until).to_string())
        .bind(most)
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| rows.iter().map(read_due).collect()).doing("look up what is to be told")
    }

    pub(crate) async fn delivered(&self, id: NoticeId, now: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE outbox SET state = ?, ended_at = ?, last_error = NULL WHERE id = ?")
            .bind(DeliveryState::Delivered.as_str())
            .bind(began(now).to_string())
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("record what was told")
            .map(drop)
    }

    /// An attempt failed; it is tried again then, or given up.
    pub(crate) async fn undelivered(
        &self,
        id: NoticeId,
        error: &str,
        again_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let state = if again_at.is_some() { DeliveryState::Pending } else { DeliveryState::GivenUp };
        sqlx::query(
            "UPDATE outbox SET state = ?1, last_error = ?2, next_at = COALESCE(?3, next_at), ended_at = ?4 WHERE id = ?5",
        )
        .bind(state.as_str())
        .bind(error)
        .bind(again_at.map(|time| over(time).to_string()))
        .bind(again_at.is_none().then(|| began(now).to_string()))
        .bind(id.to_string())
        .execute(&self.writer)
        .await
        .doing("record what could not be told")
        .map(drop)
    }

    /// When something is to be told next.
    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query("SELECT MIN(next_at) AS next_at FROM outbox WHERE state = 'pending'")
            .fetch_one(&self.reader)
            .await;
        row.and_then(|row| maybe_time(&row, "next_at")).doing("look up when something is to be told")
    }

    /// Forgets what was delivered, or given up, before then.
    pub(crate) async fn forget_told(&self, state: DeliveryState, before: Timestamp) -> Result<(), Error> {
        sqlx::query("DELETE FROM outbox WHERE state = ? AND ended_at < ?")
            .bind(state.as_str())
            .bind(began(before).to_string())
            .execute(&self.writer)
            .await
            .doing("forget what was told long ago")
            .map(drop)
    }

    /// What is to be told and what has been, the newest first.
    pub(crate) async fn deliveries(
        &self,
        channel: Option<ChannelId>,
        state: Option<DeliveryState>,
        after: Option<&(String, NoticeId)>,
        most: u32,
    ) -> Result<Vec<DeliveryRecord>, Error> {
        // One query for each choice, so that each goes along an index in its order.
        let of_channel = if channel.is_some() { "AND channel_id = ?1" } else { "" };
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT outbox.*, channels.name AS channel FROM outbox CROSS JOIN channels ON channels.id = outbox.channel_id
             WHERE enqueued_at >= '' {of_channel} AND (?2 IS NULL OR +state = ?2)
                 AND (enqueued_at, outbox.id) < (COALESCE(?4, '~'), COALESCE(?5, '~'))
             ORDER BY enqueued_at DESC, outbox.id DESC LIMIT ?3"
        )))
        .bind(channel.map(|id| id.to_string()))
        .bind(state.map(DeliveryState::as_str))
        .bind(most)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id)| id.to_string()))
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(read_delivery).collect()).doing("list what was told")
    }

    /// A run, with what is told of it.
    pub(crate) async fn told_run(&self, run: RunId) -> Result<Option<ToldRun>, Error> {
        let row = sqlx::query(
            "SELECT runs.*, plans.name AS plan_name FROM runs JOIN plans ON plans.id = runs.plan_id WHERE runs.id = ?",
        )
        .bind(run.to_string())
        .fetch_optional(&self.reader)
        .await;
        row.and_then(|row| row.as_ref().map(read_run).transpose()).doing("look up a run")
    }

    /// How the runs of a plan stood that were asked for before this one: state, and why they ended. The newest first.
    pub(crate) async fn ends_before(
        &self,
        plan: PlanId,
        run: RunId,
        most: u32,
    ) -> Result<Vec<(RunState, Option<Stop>)>, Error> {
        let rows = sqlx::query(
            "SELECT state, stop FROM runs
             WHERE plan_id = ?1 AND id < ?2 AND options ->> 'job' IS NULL ORDER BY id DESC LIMIT ?3",
        )
        .bind(plan.to_string())
        .bind(run.to_string())
        .bind(most)
        .fetch_all(&self.reader)
        .await;
        let read = |row: &SqliteRow| Ok::<_, sqlx::Error>((parsed(row, "state")?, maybe_stop(row)?));
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("look up how earlier runs ended")
    }

    /// Whether it is written down that this run waited for a person, whoever is or was to be told.
    pub(crate) async fn has_waited_for_a_person(&self, run: RunId) -> Result<bool, Error> {
        let row =
            sqlx::query("SELECT EXISTS (SELECT 1 FROM outbox WHERE event = ?1 AND about > ?2 || '/' AND about < ?2 || '0')")
                .bind(Event::NeedsAttention.as_str())
                .bind(run.to_string())
                .fetch_one(&self.reader)
                .await;
        row.and_then(|row| row.try_get(0)).doing("look up what was told of a run")
    }

    /// A plan that only its runs are wanted of.
    #[cfg(test)]
    pub(crate) async fn put_plan(&self, plan: PlanId, name: &str, config: &Value, now: Timestamp) {
        sqlx::query(
            "INSERT INTO storages (id, name, provider, config, secrets, secrets_revision, created_at)
             VALUES (?1, ?2, 'none', '{}', x'', 1, ?3)",
        )
        .bind(plan.to_string())
        .bind(name)
        .bind(now.to_string())
        .execute(&self.writer)
        .await
        .expect("a storage");
        sqlx::query(
            "INSERT INTO plans (id, name, storage_id, config, mirror_ready, created_at) VALUES (?1, ?2, ?1, ?3, 1, ?4)",
        )
        .bind(plan.to_string())
        .bind(name)
        .bind(config.to_string())
        .bind(now.to_string())
        .execute(&self.writer)
        .await
        .expect("a plan");
    }

    /// A run that stands so since now; one that is there already stands so from now on.
    #[cfg(test)]
    pub(crate) async fn put_run(
        &self,
        run: RunId,
        plan: PlanId,
        state: RunState,
        stop: Option<&Stop>,
        now: Timestamp,
    ) {
        sqlx::query(
            "INSERT INTO runs (id, plan_id, trigger, state, queued_at, started_at, ended_at, done, unchanged, failed, bytes, stop)
             VALUES (?1, ?2, 'manual', ?3, ?4, ?4, ?4, 5, 1000, 1, 123456, ?5)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at, stop = excluded.stop",
        )
        .bind(run.to_string())
        .bind(plan.to_string())
        .bind(state.as_str())
        .bind(now.to_string())
        .bind(stop.map(|stop| json!(stop).to_string()))
        .execute(&self.writer)
        .await
        .expect("a run");
    }

    /// When the last good run of a plan ended.
    pub(crate) async fn last_good_end(&self, plan: PlanId) -> Result<Option<Timestamp>, Error> {
        let row = sqlx::query(
            "SELECT ended_at FROM runs WHERE plan_id = ? AND state = 'succeeded' AND ended_at IS NOT NULL
                 AND options ->> 'job' IS NULL ORDER BY id DESC LIMIT 1",
        )
        .bind(plan.to_string())
        .fetch_optional(&self.reader)
        .await;
        row.and_then(|row| row.as_ref().map_or(Ok(None), |row| maybe_time(row, "ended_at")))
            .doing("look up the last good run")
    }
}

async fn insert(
    tx: &mut Transaction<'_, Sqlite>,
    outgoing: &Outgoing,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO outbox (id, channel_id, event, about, notice, state, attempts, enqueued_at, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7) ON CONFLICT (channel_id, event, about) DO NOTHING",
    )
    .bind(outgoing.id.to_string())
    .bind(outgoing.channel.to_string())
    .bind(outgoing.notice.event.as_str())
    .bind(&outgoing.about)
    .bind(json!(outgoing.notice).to_string())
    .bind(DeliveryState::Pending.as_str())
    .bind(began(now).to_string())
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// The second in which this moment is.
fn began(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}

/// The first whole second that is not before this moment.
fn over(moment: Timestamp) -> Timestamp {
    let began = began(moment);
    if began < moment { began.checked_add(1.second()).unwrap_or(began) } else { began }
}

fn maybe_stop(row: &SqliteRow) -> Result<Option<Stop>, sqlx::Error> {
    let stop: Option<&str> = row.try_get("stop")?;
    stop.map(|text| serde_json::from_str(text).map_err(decode_error)).transpose()
}

fn from_json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(decode_error)
}

fn small<T: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    row.try_get::<i64, _>(column)?.try_into().map_err(decode_error)
}

fn read_channel(row: &SqliteRow) -> Result<ChannelRow, sqlx::Error> {
    let plans: Option<&str> = row.try_get("plans")?;
    Ok(ChannelRow {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        config: from_json(row, "config")?,
        secrets: row.try_get("secrets")?,
        events: from_json(row, "events")?,
        plans: plans.map(|text| serde_json::from_str(text).map_err(decode_error)).transpose()?,
        in_a_row: NonZeroU32::new(small(row, "in_a_row")?).unwrap_or(NonZeroU32::MIN),
        created_at: parsed(row, "created_at")?,
    })
}

fn read_due(row: &SqliteRow) -> Result<Due, sqlx::Error> {
    Ok(Due {
        id: parsed(row, "id")?,
        channel: parsed(row, "channel_id")?,
        notice: from_json(row, "notice")?,
        attempts: small(row, "attempts")?,
        enqueued_at: parsed(row, "enqueued_at")?,
    })
}

fn read_delivery(row: &SqliteRow) -> Result<DeliveryRecord, sqlx::Error> {
    let state = parsed(row, "state")?;
    Ok(DeliveryRecord {
        id: parsed(row, "id")?,
        channel: row.try_get("channel")?,
        event: parsed(row, "event")?,
        notice: from_json(row, "notice")?,
        state,
        attempts: small(row, "attempts")?,
        enqueued_at: parsed(row, "enqueued_at")?,
        next_at: maybe_time(row, "next_at")?.filter(|_| state == DeliveryState::Pending),
        ended_at: maybe_time(row, "ended_at")?,
        last_error: row.try_get("last_error")?,
    })
}

fn read_run(row: &SqliteRow) -> Result<ToldRun, sqlx::Error> {
    Ok(ToldRun {
        run: parsed(row, "id")?,
        plan_id: parsed(row, "plan_id")?,
        plan: row.try_get("plan_name")?,
        state: parsed(row, "state")?,
        started_at: maybe_time(row, "started_at")?,
        ended_at: maybe_time(row, "ended_at")?,
        items: Counts {
            done: count(row, "done")?,
            unchanged: count(row, "unchanged")?,
            skipped: count(row, "skipped")?,
            failed: count(row, "failed")?,
        },
        bytes: count(row, "bytes")?,
        stop: maybe_stop(row)?,
    })
}
