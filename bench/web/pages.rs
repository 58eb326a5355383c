//! The dashboard, the runs and the plans, with half a million items at home and ten thousand runs of ten plans in the last ninety days.

use charon_engine::{
    RunId,
    clock::{Clock, SystemClock, SystemEntropy},
};
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{at, client::Client, ledger, told};

const RUNS: u32 = 10_000;
const DAYS: i64 = 90;
/// The plans that stay; the first has everything at home.
const PLANS: u32 = 10;
/// So many pages of each kind are asked for.
const ASKED: usize = 200;

pub(crate) fn measure(part: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (items, runs) = runtime.block_on(async {
        let items = ledger::make(folder.path(), part).await;
        let options = SqliteConnectOptions::new().filename(folder.path().join("data/charon.db"));
        let mut database = SqliteConnection::connect_with(&options).await.expect("the database");
        let runs = newer_runs(&mut database, RUNS / part).await;
        database.close().await.expect("closed");
        (items, runs)
    });
    println!("\nthe pages of {items} items and {} runs", runs.len());
    let client = Client::start(&folder.path().join("data"));
    let (first, body) = client.get("/");
    println!("the first dashboard of a server that has just begun: {first:.1} ms, {} KB", body.len() / 1_000);
    let one = |path: &str| vec![path.to_owned()];
    let of_runs = |what: &str| runs.iter().map(|run| format!("/runs/{run}{what}")).collect::<Vec<_>>();
    let plan = "018c0000-0000-7000-8000-000000000000";
    let with_items = "018bcfe5-6800-7000-8000-000000000000";
    println!("| a page | median | 99th percentile |\n|---|---:|---:|");
    let mut worst = 0.0_f64;
    for (what, paths) in [
        ("the dashboard", one("/")),
        ("the dashboard, as JSON", one("/api/v1/dashboard")),
        ("the runs", one("/runs")),
        ("the runs of a plan that failed", vec![format!("/runs?plan={plan}&state=failed")]),
        ("a run", of_runs("")),
        ("the run that brought everything home", vec![format!("/runs/{with_items}")]),
        ("its items", vec![format!("/runs/{with_items}/items?outcome=done")]),
        ("the plans", one("/plans")),
        ("a plan", vec![format!("/plans/{plan}")]),
        ("a mirror", vec![format!("/plans/{plan}/mirror")]),
    ] {
        let mut took: Vec<f64> =
            (0..ASKED).map(|number| client.get(&paths[number * 7_919 % paths.len()]).0).collect();
        let (median, last) = (at(&mut took, 50), at(&mut took, 99));
        worst = worst.max(last);
        println!("| {what} | {median:.1} ms | {last:.1} ms |");
    }
    told("any page", &format!("{worst:.1} ms at the 99th percentile"), worst < 50.0, "under 50 ms");
}

/// Puts runs of the last days in the place of all but the one that brought everything home; gives them.
async fn newer_runs(database: &mut SqliteConnection, count: u32) -> Vec<RunId> {
    database.execute("PRAGMA foreign_keys = OFF").await.expect("faster");
    database.execute("BEGIN").await.expect("begun");
    for statement in [
        "DELETE FROM runs WHERE no > 1000",
        "DELETE FROM occurrences",
        "DELETE FROM events",
        // Nothing is due: it is the pages that are measured.
        "UPDATE plans SET paused_at = created_at",
    ] {
        database.execute(statement).await.expect(statement);
    }
    sqlx::query("DELETE FROM plans WHERE no > ?")
        .bind(PLANS + 1)
        .execute(&mut *database)
        .await
        .expect("fewer plans");
    let (now, mut runs) = (SystemClock.now(), Vec::new());
    for number in 0..count {
        let ago = SignedDuration::from_mins(DAYS * 24 * 60) * i32::try_from(count - number).expect("small")
            / i32::try_from(count).expect("small");
        let at = now - ago;
        let run = RunId::new(&Then(at), &SystemEntropy);
        let state = match number % 50 {
            7 => "failed",
            13 => "partial",
            17 => "cancelled",
            _ => "succeeded",
        };
        sqlx::query(
            "INSERT INTO runs (no, id, plan_id, trigger, state, queued_at, started_at, ended_at, done, unchanged, failed, bytes, requests, attempt)
             VALUES (?1, ?2, (SELECT id FROM plans WHERE no = ?3), 'schedule', ?4, ?5, ?5, ?5, 12, 500000, ?6, 36000000, '{\"api\":1}', 1)",
        )
        .bind(200_000 + number)
        .bind(run.to_string())
        .bind(number % PLANS + 2)
        .bind(state)
        .bind(at.to_string())
        .bind(if state == "partial" { 3 } else { 0 })
        .execute(&mut *database)
        .await
        .expect("a run");
        runs.push(run);
    }
    database.execute("COMMIT").await.expect("filled");
    runs
}

/// A clock that stands still.
#[derive(Debug)]
struct Then(Timestamp);

#[async_trait::async_trait]
impl Clock for Then {
    fn now(&self) -> Timestamp {
        self.0
    }

    async fn sleep(&self, _: std::time::Duration) {}
}
