//! Opening the database: new, old, newer, none at all.

use std::{fs, path::Path};

use sqlx::{
    Connection, Executor, Row, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};

use jiff::Timestamp;

use super::{NewRun, Store};
use crate::{
    ids::{PlanId, RunId},
    run::{Attempt, RunOptions, Trigger},
};

impl Store {
    /// A run that is at work, as somebody who asked for it sees it.
    pub(crate) async fn start_run(
        &self,
        run: RunId,
        plan: PlanId,
        now: Timestamp,
    ) -> Result<Attempt, crate::Error> {
        let (trigger, options) = (Trigger::Manual, RunOptions::default());
        let new = NewRun { run, plan, trigger, scheduled_for: None, start_after: None, options };
        self.give_up_runs().await;
        self.ask_for_run(&new, now).await?;
        let (attempt, _) = self.begin_attempt(run, "a test", now, now).await?.expect("it was in the queue");
        Ok(attempt)
    }

    /// Puts a run into the queue although the plan has another one, as a plan does whose runs wait for each other.
    pub(crate) async fn insert_another(&self, new: &NewRun, now: Timestamp) {
        let mut tx = self.begin().await.expect("a transaction");
        super::queue::insert_run(&mut tx, new, now).await.expect("inserted");
        tx.commit().await.expect("written");
    }

    /// Leaves no run that has not ended.
    pub(crate) async fn give_up_runs(&self) {
        let live = "UPDATE runs SET state = 'failed' WHERE state NOT IN ('succeeded', 'partial', 'failed', 'cancelled')";
        self.writer.execute(live).await.expect("given up");
    }
}

#[tokio::test]
async fn a_new_database_opens_twice_and_is_sound() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("charon.db");
    for _ in 0..2 {
        let store = Store::open(&path).await.expect("a database");
        store.check_integrity().await.expect("sound");
        store.close().await;
    }
}

#[tokio::test]
async fn a_database_of_a_newer_charon_is_refused_by_its_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("charon.db");
    let store = Store::open(&path).await.expect("a database");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (4711, 'rooms of the future', true, x'00', 0)",
    )
    .execute(&store.writer)
    .await
    .expect("a newer version");
    store.close().await;
    let error = Store::open(&path).await.expect_err("a newer database").to_string();
    assert!(error.contains("written by a newer Charon (version 4711 of the database)"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("charon.db");
    fs::write(&path, "this is a letter to my aunt, and no database at all").expect("a file");
    let error = Store::open(&path).await.expect_err("no database").to_string();
    assert!(error.contains("charon.db"), "{error}");
}

/// What a Charon of the first version has left, with a row or more in every table.
const ROWS: &str = "
    INSERT INTO storages VALUES ('s', 'family', 'gphotos', '{}', x'01', 3, '2026-01-01T00:00:00Z');
    INSERT INTO plans VALUES ('p', 'home', 's', '{}', 1, '2026-01-01T00:00:00Z');
    INSERT INTO runs (id, plan_id, trigger, state, queued_at) VALUES ('r', 'p', 'manual', 'succeeded', '2026-01-01T00:00:00Z');
    INSERT INTO run_items VALUES ('r', 'id-1', 'a.jpg', 'done', NULL, NULL, 5, '2026-01-01T00:00:00Z');
    INSERT INTO assets VALUES (1), (2);
    INSERT INTO remotes VALUES ('s', 'id-1', 1, 'a.jpg', 'image/jpeg', '2020-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 'r'),
                               ('s', 'id-2', 2, 'b.jpg', 'image/jpeg', '2020-01-02T00:00:00Z', '2026-01-01T00:00:00Z', NULL);
    INSERT INTO contents VALUES (1, 'aa', 5, 'original'), (1, 'bb', 4, 'api-copy');
    INSERT INTO copies VALUES ('p', 1, 'id-1', 'photos/2020/01/a.jpg', 'photos/2020/01/a.jpg', 'bb', 4, '2026-01-01T00:00:00Z'),
                              ('p', 2, 'id-2', 'photos/2020/01/b.jpg', 'photos/2020/01/b.jpg', NULL, NULL, NULL);
    INSERT INTO local_files VALUES ('/pictures/a.jpg', 5, 17, 'aa');
    INSERT INTO sources VALUES ('p', '/pictures', 1);
    INSERT INTO staged VALUES ('s', 'cc', x'02', '2026-01-02T00:00:00Z');
    INSERT INTO albums VALUES ('s', 'Sea', 'album-1');
    INSERT INTO album_items VALUES ('s', 'album-1', 'id-1');";

/// The tables that were given another form since, in that of the first version.
const IN_THE_OLD_FORM: [(&str, &str); 5] = [
    (
        "remotes",
        "SELECT storages.id AS storage_id, remote_id, asset_id, file_name, mime_type,
             strftime('%Y-%m-%dT%H:%M:%SZ', taken_at / 1000000, 'unixepoch') AS taken_at,
             strftime('%Y-%m-%dT%H:%M:%SZ', first_seen_at / 1000000, 'unixepoch') AS first_seen_at, runs.id AS listed_by
         FROM main.remotes JOIN storages ON storages.no = storage LEFT JOIN runs ON runs.no = listed_by",
    ),
    ("contents", "SELECT asset_id, lower(hex(sha256)) AS sha256, size, fidelity FROM main.contents"),
    (
        "copies",
        "SELECT plans.id AS plan_id, copies.asset_id, remote_id, path, COALESCE(path_key, lower(path)) AS path_key,
             NULLIF(lower(hex(sha256)), '') AS sha256, size, strftime('%Y-%m-%dT%H:%M:%SZ', stored_at / 1000000, 'unixepoch') AS stored_at
         FROM main.copies JOIN plans ON plans.no = plan JOIN main.remotes ON remotes.asset_id = copies.asset_id",
    ),
    (
        "run_items",
        "SELECT runs.id AS run_id, COALESCE(remotes.remote_id, item) AS item, COALESCE(name, file_name) AS name, outcome, class,
             reason, run_items.bytes,
             strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS at
         FROM main.run_items JOIN runs ON runs.no = run LEFT JOIN main.remotes ON remotes.asset_id = item",
    ),
    ("local_files", "SELECT path, size, modified_ns, lower(hex(sha256)) AS sha256 FROM main.local_files"),
];

/// The rows of each table of the first version, as text, with the columns that it had then.
async fn rows_of(database: &mut SqliteConnection, tables: &[(String, String)]) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, columns) in tables {
        let sql = format!("SELECT '{table}', json_array({columns}) AS text FROM {table} ORDER BY text");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *database).await.expect("its rows");
        assert!(!found.is_empty(), "{table}");
        rows.extend(found.iter().map(|row| format!("{table}: {}", row.get::<String, _>(1))));
    }
    rows
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true);
    SqliteConnection::connect_with(&options).await.expect("a database")
}

#[tokio::test]
async fn what_an_older_charon_has_left_stays_and_is_copied_aside_first() {
    // I1, I4
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("charon.db");
    let mut old = connect(&path).await;
    let first = sqlx::SqlStr::from_static(include_str!("../../migrations/0001_first_rooms.sql"));
    let first = Migration::new(1, "first rooms".into(), MigrationType::Simple, first, false);
    Migrator::with_migrations(vec![first]).run(&mut old).await.expect("the first version");
    old.execute(ROWS).await.expect("its rows");
    let tables = "SELECT name, (SELECT group_concat(CASE type WHEN 'BLOB' THEN 'hex(' || name || ')' ELSE name END)
                                FROM pragma_table_info(tables.name)) AS columns
                  FROM sqlite_schema AS tables WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name";
    let tables = sqlx::query(tables).fetch_all(&mut old).await.expect("its tables");
    let tables: Vec<(String, String)> = tables.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(tables.len(), 13);
    let before = rows_of(&mut old, &tables).await;
    old.close().await.expect("closed");

    // Neither what an attempt was killed over nor an older copy stands in for the copy.
    let newest = super::migrator().iter().map(|migration| migration.version).max().expect("a version");
    let aside = directory.path().join(format!("charon.before-version-{newest}.db"));
    fs::write(aside.with_extension("partial"), "half a copy").expect("a file");
    fs::write(&aside, "an older copy").expect("a file");
    let store = Store::open(&path).await.expect("it is brought to the present version");
    store.check_integrity().await.expect("sound");
    let dangling = store.writer.fetch_all("PRAGMA foreign_key_check").await.expect("an answer");
    assert_eq!(dangling.len(), 0);
    store.close().await;
    let mut present = connect(&path).await;
    // Those that are kept in another form, in the form that they had.
    for (view, select) in IN_THE_OLD_FORM {
        present
            .execute(sqlx::AssertSqlSafe(format!("CREATE TEMP VIEW {view} AS {select}")))
            .await
            .expect("a view");
    }
    assert_eq!(rows_of(&mut present, &tables).await, before);
    assert_eq!(rows_of(&mut connect(&aside).await, &tables).await, before);
    assert!(!aside.with_extension("partial").exists());
}

#[tokio::test]
async fn titles_from_before_there_were_placeholders_stay_what_they_are() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut database = connect(&directory.path().join("charon.db")).await;
    database.execute("CREATE TABLE plans (config TEXT NOT NULL)").await.expect("a table");
    for config in [r#"{"album": "a {b} }"}"#, r#"{"album": "plain"}"#, r#"{"destination": "{m}"}"#] {
        sqlx::query("INSERT INTO plans VALUES (?)")
            .bind(config)
            .execute(&mut database)
            .await
            .expect("a plan");
    }
    let migration = include_str!("../../migrations/0017_upload_albums.sql");
    let update = &migration[migration.find("UPDATE").expect("the statement")..];
    database.execute(update).await.expect("it is brought to the present version");
    let rows = database.fetch_all("SELECT config FROM plans").await.expect("the plans");
    let configs: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::from_str(row.get(0)).expect("JSON")).collect();
    assert_eq!(configs[0]["album"], "a {{b}} }}");
    assert_eq!((&configs[1]["album"], &configs[2]["destination"]), (&"plain".into(), &"{m}".into()));
}
