//! Verifications: which files are to be read, what was found, how far they are.

use std::collections::{HashMap, HashSet};

use charon_provider::{Part, RemoteId};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    Doing, ItemRecord, Store, count,
    ledger::number,
    micros, no,
    runs::{record_items, storage_of},
    sha256_of, stored,
};
use crate::{
    error::Error,
    ids::{PlanId, RunId, Sha256, StorageId},
    naming,
    run::{Attempt, Outcome},
    verify::{Damage, Findings},
};

/// A file of a mirror, as the ledger has it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) asset_id: i64,
    pub(crate) part: Part,
    /// Below the destination, with forward slashes.
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    /// How the plan's storage names it, if it is there.
    pub(crate) remote: Option<RemoteId>,
    /// What people call it.
    pub(crate) name: String,
}

/// What was found of a file.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) asset_id: i64,
    pub(crate) part: Part,
    /// The bytes that it was compared with.
    pub(crate) sha256: Sha256,
    /// What is wrong with it.
    pub(crate) damage: Option<Damage>,
}

/// An item that the share which a backup has read found damaged.
#[derive(Clone, Debug)]
pub(crate) struct FoundDamage {
    /// How the storage names it, or where it is if the storage does not have it.
    pub(crate) item: String,
    /// What people call it, if the storage has it.
    pub(crate) name: Option<String>,
    /// Where its file is below the destination.
    pub(crate) path: String,
    pub(crate) damage: Damage,
    /// What became of it in that run after that, if the run came to it, and why.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: Option<String>,
}

/// How far a verification is.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Only so many hundredths of the files.
    pub(crate) percent: Option<u8>,
    /// It began behind this item.
    pub(crate) first: i64,
    /// It has come to this item.
    pub(crate) position: i64,
    /// Whether all files have been read.
    pub(crate) is_over: bool,
    pub(crate) findings: Findings,
}

/// The stored files of the plan ?1 behind the item ?3, each with how the storage ?2 names it; copies are found in this way.
macro_rules! kept {
    ($copies:literal) => {
        concat!(
            "SELECT copies.asset_id, copies.part, copies.path, copies.sha256, copies.size, remotes.remote_id,
                 remotes.file_name FROM copies ",
            $copies,
            " LEFT JOIN remotes ON remotes.asset_id = copies.asset_id AND remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.remote_id = (SELECT MIN(remote_id) FROM remotes AS first WHERE first.asset_id = copies.asset_id
                 AND first.storage = ",
            no!(storage "?2"),
            ")
             WHERE copies.plan = ",
            no!(plan "?1"),
            " AND copies.asset_id > ?3 AND copies.sha256 IS NOT NULL"
        )
    };
}

impl Store {
    /// The stored files of a plan behind an item, in the order of the items: so many, or fewer. Those of one item come together.
    pub(crate) async fn kept(
        &self,
        plan: PlanId,
        storage: StorageId,
        after: i64,
        most: u32,
    ) -> Result<Vec<Kept>, Error> {
        const DOING: &str = "list the files of a mirror";
        // An item has two files at most.
        let most = most.max(2);
        let rows = sqlx::query(concat!(kept!(""), " ORDER BY copies.asset_id, copies.part LIMIT ?4",))
            .bind(plan.to_string())
            .bind(storage.to_string())
            .bind(after)
            .bind(most)
            .fetch_all(&self.reader)
            .await;
        let mut kept: Vec<Kept> =
            rows.and_then(|rows| rows.iter().map(read).collect::<Result<_, _>>()).doing(DOING)?;
        if kept.len() == most as usize {
            // The other file of the last one may be behind it, unless both are here.
            let last = kept.last().map(|last| last.asset_id);
            if kept.first().map(|first| first.asset_id) != last {
                kept.retain(|one| Some(one.asset_id) != last);
            }
        }
        Ok(kept)
    }

    /// Begins a verification, or takes one up that was broken off. One of a share goes on behind the one before.
    pub(crate) async fn begin_verification(
        &self,
        plan: PlanId,
        attempt: Attempt,
        percent: Option<u8>,
    ) -> Result<Standing, Error> {
        const DOING: &str = "begin a verification";
        let mut tx = self.begin().await.doing(DOING)?;
        sqlx::query(concat!(
            "INSERT INTO verifications (run, percent, first, position)
             SELECT ",
            no!(run "?1"),
            ", ?2, begin, begin FROM (SELECT CASE WHEN ?2 IS NULL THEN 0 ELSE verified_up_to END AS begin FROM plans
             WHERE id = ?3) WHERE true ON CONFLICT DO NOTHING"
        ))
        .bind(attempt.run.to_string())
        .bind(percent)
        .bind(plan.to_string())
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        self.verification(attempt.run).await?.ok_or(Error::Superseded)
    }

    /// How far a run's verification is, or what it has found.
    pub(crate) async fn verification(&self, run: RunId) -> Result<Option<Standing>, Error> {
        let row = sqlx::query(concat!("SELECT * FROM verifications WHERE run = ", no!(run "?1")))
            .bind(run.to_string())
            .fetch_optional(&self.writer)
            .await;
        let read = |row: SqliteRow| {
            Ok(Standing {
                percent: row.try_get("percent")?,
                first: row.try_get("first")?,
                position: row.try_get("position")?,
                is_over: row.try_get("is_over")?,
                findings: findings_of(&row)?,
            })
        };
        row.and_then(|row| row.map(read).transpose()).doing("look up a verification")
    }

    /// The verifications of a plan that came to the end of their reading, the newest first, before this one: their runs and what
    /// they found.
    pub(crate) async fn verifications(
        &self,
        plan: PlanId,
        before: Option<RunId>,
        most: u32,
    ) -> Result<Vec<(RunId, Option<u8>, Timestamp, Findings)>, Error> {
        const DOING: &str = "list the verifications";
        let rows = sqlx::query(
            "SELECT runs.id, runs.queued_at, runs.ended_at, verifications.* FROM runs CROSS JOIN verifications
                 ON verifications.run = runs.no
             WHERE runs.plan_id = ? AND runs.id < ? AND verifications.is_over = 1 ORDER BY runs.id DESC LIMIT ?",
        )
        .bind(plan.to_string())
        // Behind every id.
        .bind(before.map_or("~".to_owned(), |before| before.to_string()))
        .bind(most)
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        let read = |row: &SqliteRow| {
            let ended = super::maybe_time(row, "ended_at")?;
            let at = ended.map_or_else(|| super::parsed(row, "queued_at"), Ok)?;
            Ok((super::parsed(row, "id")?, row.try_get("percent")?, at, findings_of(row)?))
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }

    /// Records what was found of files, and how far the verification is with them, all of it at once.
    pub(crate) async fn record_verified(
        &self,
        plan: PlanId,
        attempt: Attempt,
        found: &[Verified],
        records: &[ItemRecord],
        standing: &Standing,
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "record what a verification found";
        let mut tx = self.begin_for(attempt, DOING).await?;
        for one in found {
            // Another file may have taken its place since it was read.
            sqlx::query(concat!(
                "UPDATE copies SET damage = ?1, verified_at = CASE WHEN ?1 IS NULL THEN ?2 ELSE verified_at END
                 WHERE plan = ",
                no!(plan "?3"),
                " AND asset_id = ?4 AND part = ?5 AND sha256 = ?6",
            ))
            .bind(one.damage.map(Damage::as_str))
            .bind(micros(now))
            .bind(plan.to_string())
            .bind(one.asset_id)
            .bind(number(one.part))
            .bind(&one.sha256.0[..])
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        let Findings { files, bytes, good, missing, changed, unreadable, strange } = standing.findings;
        sqlx::query(concat!(
            "UPDATE verifications SET position = ?2, is_over = ?3, files = ?4, bytes = ?5, good = ?6, missing = ?7,
                 changed = ?8, unreadable = ?9, strange = ?10 WHERE run = ",
            no!(run "?1"),
        ))
        .bind(attempt.run.to_string())
        .bind(standing.position)
        .bind(standing.is_over)
        .bind(stored(files))
        .bind(stored(bytes))
        .bind(stored(good))
        .bind(stored(missing))
        .bind(stored(changed))
        .bind(stored(unreadable))
        .bind(stored(strange))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        sqlx::query("UPDATE plans SET verified_up_to = ?2 WHERE id = ?1")
            .bind(plan.to_string())
            .bind(standing.position)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        record_items(&mut tx, attempt, records.iter()).await?;
        tx.commit().await.doing(DOING)
    }

    /// Records that stored files turned out to be damaged on their way to somewhere else: they count as not home from then on.
    pub(crate) async fn record_damage(
        &self,
        plan: PlanId,
        attempt: Attempt,
        found: &[Verified],
    ) -> Result<(), Error> {
        const DOING: &str = "record what is damaged";
        if found.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_for(attempt, DOING).await?;
        for one in found {
            sqlx::query(concat!(
                "UPDATE copies SET damage = ?1 WHERE plan = ",
                no!(plan "?2"),
                " AND asset_id = ?3 AND part = ?4 AND sha256 = ?5",
            ))
            .bind(one.damage.map(Damage::as_str))
            .bind(plan.to_string())
            .bind(one.asset_id)
            .bind(number(one.part))
            .bind(&one.sha256.0[..])
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        }
        tx.commit().await.doing(DOING)
    }

    /// Keeps in mind what a share of a mirror has in it that is damaged, so that it can be told apart from what else the run does.
    pub(crate) async fn tell_damage(
        &self,
        attempt: Attempt,
        found: &[Verified],
        now: Timestamp,
    ) -> Result<(), Error> {
        const DOING: &str = "record what a verification found";
        let damaged: Vec<_> = found
            .iter()
            .filter_map(|one| Some(json!([one.asset_id, number(one.part), one.damage?.as_str()])))
            .collect();
        if damaged.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_for(attempt, DOING).await?;
        sqlx::query(concat!(
            "INSERT INTO found_damage (run, asset_id, part, damage, at) SELECT ",
            no!(run "?1"),
            ", value ->> 0, value ->> 1, value ->> 2, ?3 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING"
        ))
        .bind(attempt.run.to_string())
        .bind(json!(damaged).to_string())
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// The items that the share of a mirror which a run has read has damaged, with what became of them since then in that run; behind
    /// this one, so many at most.
    pub(crate) async fn found_damage(
        &self,
        plan: PlanId,
        run: RunId,
        after: Option<&str>,
        most: u32,
    ) -> Result<Vec<FoundDamage>, Error> {
        const DOING: &str = "list what a verification found damaged";
        let rows = sqlx::query(concat!(
            "SELECT COALESCE(remotes.remote_id, copies.path) AS item, remotes.file_name AS name, copies.path, found.damage,
                 run_items.outcome, run_items.reason
             FROM found_damage AS found
             CROSS JOIN copies ON copies.plan = ",
            no!(plan "?2"),
            " AND copies.asset_id = found.asset_id AND copies.part = found.part
             LEFT JOIN remotes ON remotes.asset_id = found.asset_id AND remotes.storage = ",
            storage_of!("?1"),
            "
             LEFT JOIN run_items ON run_items.run = found.run AND run_items.item = COALESCE(remotes.asset_id, copies.path)
                 AND run_items.at >= found.at
             WHERE found.run = ",
            no!(run "?1"),
            " AND found.asset_id > COALESCE((SELECT asset_id FROM remotes WHERE remote_id = ?3 AND storage = ",
            storage_of!("?1"),
            "), (SELECT asset_id FROM copies WHERE COALESCE(path_key, lower(path)) = ?4 AND plan = ",
            no!(plan "?2"),
            "), -1)
             GROUP BY found.asset_id ORDER BY found.asset_id LIMIT ?5"
        ))
        .bind(run.to_string())
        .bind(plan.to_string())
        .bind(after)
        .bind(after.map(naming::path_key))
        .bind(most)
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        let read = |row: &SqliteRow| {
            let damage: &str = row.try_get("damage")?;
            let outcome: Option<&str> = row.try_get("outcome")?;
            Ok(FoundDamage {
                item: row.try_get("item")?,
                name: row.try_get("name")?,
                path: row.try_get("path")?,
                damage: damage.parse().map_err(super::decode_error)?,
                outcome: outcome.map(|outcome| outcome.parse().map_err(super::decode_error)).transpose()?,
                reason: row.try_get("reason")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().doing(DOING)
    }

    /// How many files a verification found that are not Charon's.
    pub(crate) async fn record_strange(&self, attempt: Attempt, found: u64) -> Result<(), Error> {
        let sql = concat!("UPDATE verifications SET strange = ?2 WHERE run = ", no!(run "?1"));
        let done =
            sqlx::query(sql).bind(attempt.run.to_string()).bind(stored(found)).execute(&self.writer).await;
        done.doing("record what a verification found").map(drop)
    }

    /// Those of these paths at which a file of the plan is stored, or stands for an album.
    pub(crate) async fn stored_paths(
        &self,
        plan: PlanId,
        paths: &[String],
    ) -> Result<HashSet<String>, Error> {
        const DOING: &str = "look up the files of a mirror";
        let keys: Vec<String> = paths.iter().map(|path| naming::path_key(path)).collect();
        let rows = sqlx::query(concat!(
            "SELECT copies.path FROM json_each(?2) AS wanted CROSS JOIN copies ON copies.plan = ",
            no!(plan "?1"),
            " AND COALESCE(copies.path_key, lower(copies.path)) = wanted.value
             WHERE copies.sha256 IS NOT NULL
             UNION SELECT album_entries.path FROM json_each(?3) AS wanted CROSS JOIN album_entries ON album_entries.plan = ",
            no!(plan "?1"),
            " AND album_entries.path = wanted.value",
        ))
        .bind(plan.to_string())
        .bind(json!(keys).to_string())
        .bind(json!(paths).to_string())
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().doing(DOING)
    }

    /// Where the files of these items of a run's storage are in the mirror of its plan.
    pub(crate) async fn paths_of(
        &self,
        run: RunId,
        items: impl Iterator<Item = &str>,
    ) -> Result<HashMap<String, String>, Error> {
        let items: Vec<&str> = items.collect();
        let rows = sqlx::query(
            "SELECT remotes.remote_id, copies.path FROM runs CROSS JOIN plans ON plans.id = runs.plan_id
             CROSS JOIN storages ON storages.id = plans.storage_id CROSS JOIN json_each(?2) AS wanted
             CROSS JOIN remotes ON remotes.storage = storages.no AND remotes.remote_id = wanted.value
             CROSS JOIN copies ON copies.plan = plans.no AND copies.asset_id = remotes.asset_id AND copies.part = 0
             WHERE runs.id = ?1",
        )
        .bind(run.to_string())
        .bind(json!(items).to_string())
        .fetch_all(&self.reader)
        .await;
        rows.and_then(|rows| rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect())
            .doing("look up where items are")
    }

    /// How many files of a plan are known to be damaged.
    pub(crate) async fn count_damaged(&self, plan: PlanId) -> Result<u64, Error> {
        const DOING: &str = "count the damaged files of a mirror";
        let row = sqlx::query(concat!(
            "SELECT COUNT(*) AS files FROM copies INDEXED BY copies_damaged WHERE damage IS NOT NULL AND plan = ",
            no!(plan "?1")
        ))
        .bind(plan.to_string())
        .fetch_one(&self.reader)
        .await
        .doing(DOING)?;
        count(&row, "files").doing(DOING)
    }

    /// How many files of a plan are stored, and how many bytes they have.
    pub(crate) async fn kept_in_all(&self, plan: PlanId) -> Result<(u64, u64), Error> {
        const DOING: &str = "count the files of a mirror";
        let row = sqlx::query(concat!(
            "SELECT COUNT(*) AS files, COALESCE(SUM(size), 0) AS bytes FROM copies WHERE sha256 IS NOT NULL AND plan = ",
            no!(plan "?1")
        ))
        .bind(plan.to_string())
        .fetch_one(&self.reader)
        .await
        .doing(DOING)?;
        Ok((count(&row, "files").doing(DOING)?, count(&row, "bytes").doing(DOING)?))
    }

    /// The items of a plan whose files are known to be damaged, behind this one: so many at most, with how the storage names them.
    pub(crate) async fn damaged(
        &self,
        plan: PlanId,
        storage: StorageId,
        after: i64,
        most: u32,
    ) -> Result<Vec<Kept>, Error> {
        let rows = sqlx::query(concat!(
            kept!("INDEXED BY copies_damaged"),
            " AND copies.damage IS NOT NULL ORDER BY copies.asset_id LIMIT ?4",
        ))
        .bind(plan.to_string())
        .bind(storage.to_string())
        .bind(after)
        .bind(most)
        .fetch_all(&self.writer)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).doing("list the damaged files of a mirror")
    }
}

fn findings_of(row: &SqliteRow) -> Result<Findings, sqlx::Error> {
    Ok(Findings {
        files: count(row, "files")?,
        bytes: count(row, "bytes")?,
        good: count(row, "good")?,
        missing: count(row, "missing")?,
        changed: count(row, "changed")?,
        unreadable: count(row, "unreadable")?,
        strange: count(row, "strange")?,
    })
}

fn read(row: &SqliteRow) -> Result<Kept, sqlx::Error> {
    let path: String = row.try_get("path")?;
    let name: Option<String> = row.try_get("file_name")?;
    Ok(Kept {
        asset_id: row.try_get("asset_id")?,
        part: if row.try_get::<i64, _>("part")? == 0 { Part::Whole } else { Part::Clip },
        name: name.unwrap_or_else(|| naming::name_of(&path).to_owned()),
        path,
        sha256: sha256_of(row, "sha256")?,
        size: count(row, "size")?,
        remote: row.try_get::<Option<String>, _>("remote_id")?.map(RemoteId),
    })
}
