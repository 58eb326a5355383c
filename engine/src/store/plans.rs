//! Plans.

use std::collections::HashMap;

use charon_provider::RemoteId;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    Changed, Doing, Store, decode_error,
    events::{of_plan, write_event},
    maybe_time, no, parsed, queue,
};
use crate::{
    error::Error,
    events::{EventKind, NewEvent},
    ids::{PlanId, StorageId},
    run::{RunState, Stop},
    timing::Pause,
};

/// The revision that a plan gets when it changes: none comes twice, though the plan that had the latest one may be removed. Every
/// change of a plan is told by an event, and the numbers of those only grow.
macro_rules! next_revision {
    () => {
        "(SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), COALESCE(MAX(revision), 0)) + 1
          FROM plans)"
    };
}

#[derive(Clone, Debug)]
pub(crate) struct PlanRow {
    pub(crate) id: PlanId,
    pub(crate) name: String,
    pub(crate) storage_id: StorageId,
    pub(crate) config: Map<String, Value>,
    pub(crate) mirror_ready: bool,
    pub(crate) created_at: Timestamp,
    /// Grows with every change of any plan.
    pub(crate) revision: i64,
    /// All occurrences up to this moment are decided.
    pub(crate) decided_until: Option<Timestamp>,
    /// Since when its schedule is paused, if it is.
    pub(crate) paused_at: Option<Timestamp>,
    /// Until when, if the pause ends by itself.
    pub(crate) paused_until: Option<Timestamp>,
    /// Whether its runs send what the inbox of its storage holds.
    pub(crate) is_inbox: bool,
}

impl Store {
    /// Gives false if a plan has the name already.
    pub(crate) async fn add_plan(&self, plan: &PlanRow) -> Result<bool, Error> {
        const DOING: &str = "add a plan";
        let mut tx = self.begin().await.doing(DOING)?;
        let event = of_plan(EventKind::PlanAdded, plan.id, &plan.name);
        let no = write_event(&mut tx, plan.created_at, &event).await.doing(DOING)?;
        let done = sqlx::query(concat!(
            "INSERT INTO plans (id, name, storage_id, config, mirror_ready, created_at, decided_until, no, is_inbox, revision)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ",
            next_revision!(),
            ") ON CONFLICT DO NOTHING"
        ))
        .bind(plan.id.to_string())
        .bind(&plan.name)
        .bind(plan.storage_id.to_string())
        .bind(Value::Object(plan.config.clone()).to_string())
        .bind(plan.mirror_ready)
        .bind(plan.created_at.to_string())
        .bind(plan.decided_until.map(|time| time.to_string()))
        .bind(no)
        .bind(plan.is_inbox)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }

    /// Replaces the name and the configuration of a plan that is still as it was read. With another schedule, what was due under the
    /// old one and has not begun is dropped, and nothing that the new one says of the past is missed.
    pub(crate) async fn update_plan(
        &self,
        plan: &PlanRow,
        name: &str,
        is_new_schedule: bool,
        now: Timestamp,
    ) -> Result<Changed, Error> {
        const DOING: &str = "update a plan";
        let mut tx = self.begin().await.doing(DOING)?;
        let done = sqlx::query(concat!(
            "UPDATE OR IGNORE plans SET config = ?2, decided_until = CASE WHEN ?3 THEN ?4 ELSE decided_until END, name = ?6,
                 revision = ",
            next_revision!(),
            " WHERE id = ?1 AND revision = ?5"
        ))
        .bind(plan.id.to_string())
        .bind(Value::Object(plan.config.clone()).to_string())
        .bind(is_new_schedule)
        .bind(now.to_string())
        .bind(plan.revision)
        .bind(name)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            drop(tx);
            let another = self.plan(name).await?.filter(|other| other.id != plan.id);
            return Ok(if another.is_some() { Changed::NameTaken } else { Changed::Meanwhile });
        }
        if name != plan.name {
            super::telling::rename_plan(&mut tx, &plan.name, name).await.doing(DOING)?;
        }
        write_event(&mut tx, now, &of_plan(EventKind::PlanChanged, plan.id, name)).await.doing(DOING)?;
        if is_new_schedule {
            let dropped = sqlx::query(
                "UPDATE runs SET state = 'cancelled', ended_at = ?2, stop = ?3
                 WHERE plan_id = ?1 AND state IN ('queued', 'paused') AND attempt = 0 AND priority = 0 RETURNING id",
            )
            .bind(plan.id.to_string())
            .bind(now.to_string())
            .bind(json!(Stop::rescheduled()).to_string())
            .fetch_all(&mut *tx)
            .await
            .doing(DOING)?;
            for row in dropped {
                let run = parsed(&row, "id").doing(DOING)?;
                let data = json!({ "plan": name, "state": RunState::Cancelled, "message": Stop::rescheduled().message });
                write_event(&mut tx, now, &queue::event(EventKind::Ended, plan.id, run, data))
                    .await
                    .doing(DOING)?;
            }
        }
        tx.commit().await.doing(DOING)?;
        Ok(Changed::Done)
    }

    /// Pauses the schedule of a plan, or (`None`) resumes it: what was due until the moment given is not missed. Gives false if
    /// nothing was written: the plan has changed meanwhile.
    pub(crate) async fn pause_plan(
        &self,
        (plan, name, revision): (PlanId, &str, i64),
        pause: Option<Pause>,
        decided_until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const DOING: &str = "pause a plan";
        let mut tx = self.begin().await.doing(DOING)?;
        let done = sqlx::query(concat!(
            "UPDATE plans SET paused_at = ?2, paused_until = ?3, decided_until = ?4, revision = ",
            next_revision!(),
            " WHERE id = ?1 AND revision = ?5"
        ))
        .bind(plan.to_string())
        .bind(pause.map(|_| now.to_string()))
        .bind(pause.and_then(|pause| pause.until).map(|until| until.to_string()))
        .bind(decided_until.to_string())
        .bind(revision)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let data =
            json!({ "name": name, "paused": pause.is_some(), "until": pause.and_then(|pause| pause.until) });
        let event = NewEvent { kind: EventKind::PlanPaused, plan: Some(plan), run: None, data };
        write_event(&mut tx, now, &event).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }

    /// The clock was set back: these plans are decided until now, and no further.
    pub(crate) async fn set_back(&self, plans: &[PlanId], now: Timestamp) -> Result<(), Error> {
        if plans.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = plans.iter().map(PlanId::to_string).collect();
        sqlx::query("UPDATE plans SET decided_until = ?2 WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(json!(ids).to_string())
            .bind(now.to_string())
            .execute(&self.writer)
            .await
            .doing("record that the clock was set back")
            .map(drop)
    }

    /// Changes whenever any plan is added, changed or removed.
    pub(crate) async fn plans_version(&self) -> Result<(i64, i64), Error> {
        let row = sqlx::query("SELECT COALESCE(MAX(revision), 0), COUNT(*) FROM plans")
            .fetch_one(&self.reader)
            .await;
        row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?))).doing("look whether plans have changed")
    }

    /// The plans that people have made.
    pub(crate) async fn plans(&self) -> Result<Vec<PlanRow>, Error> {
        let rows =
            sqlx::query("SELECT * FROM plans WHERE is_inbox = 0 ORDER BY name").fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the plans")
    }

    /// The plans that send what inboxes hold.
    pub(crate) async fn inbox_plans(&self) -> Result<Vec<PlanRow>, Error> {
        let rows = sqlx::query("SELECT * FROM plans WHERE is_inbox = 1").fetch_all(&self.reader).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the inboxes")
    }

    /// The plan that sends what the inbox of a storage holds, if there is one yet.
    pub(crate) async fn inbox_plan(&self, storage: StorageId) -> Result<Option<PlanRow>, Error> {
        let row = sqlx::query("SELECT * FROM plans WHERE storage_id = ? AND is_inbox = 1")
            .bind(storage.to_string())
            .fetch_optional(&self.writer)
            .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up an inbox")
    }

    pub(crate) async fn plan(&self, name: &str) -> Result<Option<PlanRow>, Error> {
        let row =
            sqlx::query("SELECT * FROM plans WHERE name = ?").bind(name).fetch_optional(&self.reader).await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a plan")
    }

    pub(crate) async fn plan_by_id(&self, id: PlanId) -> Result<Option<PlanRow>, Error> {
        let row = sqlx::query("SELECT * FROM plans WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await;
        row.and_then(|row| row.as_ref().map(read).transpose()).doing("look up a plan")
    }

    /// From now on, the plan's destination must carry its marker.
    pub(crate) async fn mirror_is_ready(&self, id: PlanId) -> Result<(), Error> {
        sqlx::query("UPDATE plans SET mirror_ready = 1 WHERE id = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .doing("record that a mirror is ready")
            .map(drop)
    }

    /// Where those of these items are whose bytes the plan has stored.
    pub(crate) async fn copies_of(
        &self,
        plan: PlanId,
        storage: StorageId,
        ids: &[&RemoteId],
    ) -> Result<HashMap<RemoteId, String>, Error> {
        const DOING: &str = "look up copies";
        let rows = sqlx::query(concat!(
            "SELECT remotes.remote_id, copies.path FROM json_each(?1) AS wanted
             CROSS JOIN remotes ON remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.remote_id = wanted.value
             JOIN copies ON copies.plan = ",
            no!(plan "?3"),
            " AND copies.asset_id = remotes.asset_id AND copies.part = 0
                 AND copies.sha256 IS NOT NULL",
        ))
        .bind(json!(ids).to_string())
        .bind(storage.to_string())
        .bind(plan.to_string())
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        rows.iter()
            .map(|row| Ok((RemoteId(row.try_get(0)?), row.try_get(1)?)))
            .collect::<Result<_, _>>()
            .doing(DOING)
    }

    pub(crate) async fn remove_plan(&self, id: PlanId, name: &str, now: Timestamp) -> Result<(), Error> {
        const DOING: &str = "remove a plan";
        let mut tx = self.begin().await.doing(DOING)?;
        remove_row(&mut tx, id).await.doing(DOING)?;
        write_event(&mut tx, now, &of_plan(EventKind::PlanRemoved, id, name)).await.doing(DOING)?;
        tx.commit().await.doing(DOING)
    }
}

/// Removes a plan, its runs and what they tell.
pub(super) async fn remove_row(tx: &mut Transaction<'_, Sqlite>, id: PlanId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM events WHERE run_id IN (SELECT id FROM runs WHERE plan_id = ?)")
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM plans WHERE id = ?").bind(id.to_string()).execute(&mut **tx).await.map(drop)
}

/// A storage has another name: its plans, and those whose mirrors it keeps, name it so from now on.
pub(super) async fn rename_storage(
    tx: &mut Transaction<'_, Sqlite>,
    storage: StorageId,
    (before, name): (&str, &str),
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(concat!(
        "UPDATE plans SET config = json_patch(config, json_object(
             'storage', CASE WHEN storage_id = ?1 THEN ?2 ELSE config ->> '$.storage' END,
             'destination', CASE WHEN kept THEN ?2 || substr(config ->> '$.destination', length(?3) + 1)
                 ELSE config ->> '$.destination' END)), revision = ",
        next_revision!(),
        " FROM (SELECT id AS plan, substr(config ->> '$.destination', 1, length(?3) + 1) IS ?3 || ':' AS kept FROM plans)
         WHERE id = plan AND (storage_id = ?1 OR kept) RETURNING id, name"
    ))
    .bind(storage.to_string())
    .bind(name)
    .bind(before)
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        let event = of_plan(EventKind::PlanChanged, parsed(&row, "id")?, row.try_get("name")?);
        write_event(tx, now, &event).await?;
    }
    Ok(())
}

fn read(row: &SqliteRow) -> Result<PlanRow, sqlx::Error> {
    Ok(PlanRow {
        id: parsed(row, "id")?,
        name: row.try_get("name")?,
        storage_id: parsed(row, "storage_id")?,
        config: serde_json::from_str(row.try_get("config")?).map_err(decode_error)?,
        mirror_ready: row.try_get("mirror_ready")?,
        created_at: parsed(row, "created_at")?,
        revision: row.try_get("revision")?,
        decided_until: maybe_time(row, "decided_until")?,
        paused_at: maybe_time(row, "paused_at")?,
        paused_until: maybe_time(row, "paused_until")?,
        is_inbox: row.try_get("is_inbox")?,
    })
}
