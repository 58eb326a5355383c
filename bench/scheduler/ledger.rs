//! A database that has grown: how large it is, and how long any page of any list takes.

use std::path::Path;

use charon_engine::{Engine, ItemFilter, Outcome, Registry, RunFilter, RunId, RunState, Settings};
use charon_provider_gphotos::GPhotos;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::Instant;

use crate::told;

const ITEMS: u32 = 500_000;
const RUNS: u32 = 100_000;
const PLANS: u32 = 100;
const PAGE: u32 = 50;
/// So many pages of each list are asked for.
const ASKED: u32 = 500;

pub(crate) async fn measure(part: u32) {
    let (items, runs) = (ITEMS / part, RUNS / part);
    println!("\n{items} items and {runs} runs in one database");
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    make(folder.path(), part).await;
    let path = folder.path().join("data/charon.db");
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    let size = std::fs::metadata(&path).expect("the database").len() / 1_000_000;
    told("its size", &format!("{size} MB"), size < 400, "under 400 MB");

    let began = Instant::now();
    let engine = open(folder.path()).await;
    println!("opened in {:.2} s", began.elapsed().as_secs_f64());
    lists(&engine, items, runs).await;
    engine.close().await;
}

/// Makes such a database, or so many times smaller; gives how many items it has.
pub(crate) async fn make(folder: &Path, part: u32) -> u32 {
    open(folder).await.close().await;
    fill(&folder.join("data/charon.db"), ITEMS / part, RUNS / part).await;
    ITEMS / part
}

async fn lists(engine: &Engine, items: u32, runs: u32) {
    println!("| a page of {PAGE} | median | 99th percentile |\n|---|---:|---:|");
    let mut worst = 0.0_f64;
    let any_run = |number: u32| run_id((number * 7_919) % runs);
    let mut row = |what: &str, mut took: Vec<f64>| {
        took.sort_by(f64::total_cmp);
        let at = |hundredths: usize| took[(took.len() - 1) * hundredths / 100];
        worst = worst.max(at(99));
        println!("| {what} | {:.2} ms | {:.2} ms |", at(50), at(99));
    };
    row(
        "runs",
        pages(async |number| {
            let filter = RunFilter { before: Some(any_run(number)), ..RunFilter::default() };
            engine.runs_of(&filter, PAGE).await.expect("runs").len()
        })
        .await,
    );
    let plans = engine.plans().await.expect("plans");
    row(
        "runs of a plan",
        pages(async |number| {
            let plan = Some(plans[number as usize % plans.len()].id);
            let filter = RunFilter { plan, before: Some(any_run(number)), ..RunFilter::default() };
            engine.runs_of(&filter, PAGE).await.expect("runs").len()
        })
        .await,
    );
    for state in [RunState::Failed, RunState::Partial, RunState::Parked] {
        row(
            &format!("runs that are {state}"),
            pages(async |number| {
                let filter =
                    RunFilter { state: Some(state), before: Some(any_run(number)), ..RunFilter::default() };
                engine.runs_of(&filter, PAGE).await.expect("runs").len()
            })
            .await,
        );
    }
    row(
        "runs of a plan that failed",
        pages(async |number| {
            let plan = Some(plans[number as usize % plans.len()].id);
            let filter = RunFilter { plan, state: Some(RunState::Failed), before: Some(any_run(number)) };
            engine.runs_of(&filter, PAGE).await.expect("runs").len()
        })
        .await,
    );
    let after = |number: u32| Some(media_id((number * 7_919) % items));
    row(
        "items of a run",
        pages(async |number| {
            let filter = ItemFilter { outcome: None, after: after(number) };
            engine.run_items(run_id(0), &filter, PAGE).await.expect("items").len()
        })
        .await,
    );
    for outcome in [Outcome::Done, Outcome::Failed] {
        row(
            &format!("items of a run that are {outcome}"),
            pages(async |number| {
                let filter = ItemFilter { outcome: Some(outcome), after: after(number) };
                engine.run_items(run_id(0), &filter, PAGE).await.expect("items").len()
            })
            .await,
        );
    }
    row(
        "events",
        pages(async |number| {
            let after = i64::from((number * 7_919) % runs);
            engine.events(None, after, PAGE).await.expect("events").len()
        })
        .await,
    );
    row(
        "events of a run",
        pages(async |number| engine.events(Some(any_run(number)), 0, PAGE).await.expect("events").len())
            .await,
    );
    row(
        "occurrences of a plan",
        pages(async |number| {
            let plan = &plans[number as usize % plans.len()].name;
            engine.occurrences(plan, Timestamp::UNIX_EPOCH, PAGE).await.expect("occurrences").len()
        })
        .await,
    );
    row("plans (all 100)", pages(async |_| engine.plans().await.expect("plans").len()).await);
    told("any page", &format!("{worst:.1} ms at the 99th percentile"), worst < 20.0, "under 20 ms");
}

async fn pages(page: impl AsyncFn(u32) -> usize) -> Vec<f64> {
    let mut took = Vec::new();
    for number in 0..ASKED {
        let began = Instant::now();
        page(number).await;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    took
}

async fn open(folder: &Path) -> Engine {
    let registry = Registry::default().with(GPhotos::new());
    Engine::open(Settings::new(folder.join("data"), registry)).await.expect("an engine")
}

fn run_id(number: u32) -> RunId {
    let at = 1_700_000_000_000_u64 + u64::from(number) * 60_000;
    format!("{:08x}-{:04x}-7000-8000-0000{number:08x}", at >> 16, at & 0xffff).parse().expect("an id")
}

/// As long as those of the emulator, and in no order, as those of Google are.
fn media_id(number: u32) -> String {
    let one = spread(u64::from(number));
    // 98 characters.
    let parts = [one, spread(one), spread(one + 1), spread(one + 2), spread(one + 3)];
    parts.iter().fold(format!("AByIYS{number:012x}"), |id, part| id + &format!("{part:016x}"))
}

/// Numbers in a row, far apart.
fn spread(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// What years of backups leave behind: one run has brought everything home, and the others found nothing or little to do.
async fn fill(path: &Path, items: u32, runs: u32) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut database = SqliteConnection::connect_with(&options).await.expect("the database");
    let start: Timestamp = "2023-11-14T22:13:20Z".parse().expect("a time");
    let config = r#"{"kind":"backup","storage":"family","destination":"/mirror","schedule":{"cron":"30 2 * * *","timezone":"UTC"}}"#;
    database.execute("PRAGMA foreign_keys = OFF").await.expect("faster");
    database.execute("BEGIN").await.expect("begun");
    let storage = "018b0000-0000-7000-8000-000000000001";
    sqlx::query("INSERT INTO storages (no, id, name, provider, config, secrets, secrets_revision, created_at) VALUES (1, ?, 'family', 'gphotos', '{}', x'', 1, ?)")
        .bind(storage).bind(start.to_string()).execute(&mut database).await.expect("a storage");
    let plan = |number: u32| format!("018c0000-0000-7000-8000-{:012x}", number % PLANS);
    for number in 0..PLANS {
        sqlx::query("INSERT INTO plans (no, id, name, storage_id, config, mirror_ready, created_at) VALUES (?, ?, ?, ?, ?, 1, ?)")
            .bind(number + 2).bind(plan(number)).bind(format!("plan {number:03}")).bind(storage).bind(config).bind(start.to_string())
            .execute(&mut database).await.expect("a plan");
    }
    for number in 0..runs {
        let at = start + SignedDuration::from_mins(i64::from(number));
        let state = match number % 50 {
            7 => "failed",
            13 => "partial",
            17 => "cancelled",
            _ => "succeeded",
        };
        let state = if number + 3 >= runs { "parked" } else { state };
        sqlx::query("INSERT INTO runs (no, id, plan_id, trigger, scheduled_for, state, queued_at, started_at, ended_at, unchanged, requests, attempt)
                     VALUES (?5, ?1, ?2, 'schedule', ?3, ?4, ?3, ?3, ?3, 5000, '{\"api\":1}', 1)")
            .bind(run_id(number).to_string()).bind(plan(number)).bind(at.to_string()).bind(state).bind(number + 1_000)
            .execute(&mut database).await.expect("a run");
        sqlx::query("INSERT INTO occurrences (plan, scheduled_for, decision, run, missed, decided_at) VALUES (?1, ?2, 'run', ?3, 0, ?2)")
            .bind(number % PLANS + 2)
            .bind(at.as_microsecond())
            .bind(number + 1_000)
            .execute(&mut database).await.expect("an occurrence");
        // Events are kept for a month.
        if number + 43_200 >= runs {
            for kind in ["run.queued", "run.started", "run.ended"] {
                sqlx::query("INSERT INTO events (at, kind, plan_id, run_id, data) VALUES (?, ?, ?, ?, '{\"state\":\"succeeded\"}')")
                    .bind(at.to_string()).bind(kind).bind(plan(number)).bind(run_id(number).to_string())
                    .execute(&mut database).await.expect("an event");
            }
        }
    }
    for number in 0..items {
        let (asset, id) = (i64::from(number) + 1, media_id(number));
        let sha256: Vec<u8> =
            (0..4).flat_map(|part| spread(u64::from(number) * 4 + part).to_be_bytes()).collect();
        let (name, at) =
            (format!("IMG_{number:06}.jpg"), start.as_microsecond() + i64::from(number) * 1_000_003);
        // Over 25 years, in no order.
        let path = format!("photos/{}/{:02}/{name}", 2_000 + number % 25, 1 + number % 12);
        let taken = 946_684_800 + i64::from(number) * 7_919 % (25 * 31_557_600);
        sqlx::query("INSERT INTO assets (id) VALUES (?)")
            .bind(asset)
            .execute(&mut database)
            .await
            .expect("an asset");
        sqlx::query("INSERT INTO remotes (storage, remote_id, asset_id, file_name, mime_type, taken_at, first_seen_at, listed_by) VALUES (1, ?, ?, ?, 'image/jpeg', ?, ?, 1000)")
            .bind(&id).bind(asset).bind(&name).bind(taken * 1_000_000).bind(at).execute(&mut database).await.expect("a remote");
        sqlx::query("INSERT INTO contents (asset_id, part, sha256, size, fidelity) VALUES (?, 0, ?, 3000000, 'api-copy')")
            .bind(asset).bind(&sha256).execute(&mut database).await.expect("a content");
        sqlx::query("INSERT INTO copies (plan, asset_id, part, path, sha256, size, stored_at, taken, class) VALUES (2, ?, 0, ?, ?, 3000000, ?, ?, 0)")
            .bind(asset).bind(&path).bind(&sha256).bind(at).bind(taken).execute(&mut database).await.expect("a copy");
        let outcome = if number % 1_000 == 999 { "failed" } else { "done" };
        sqlx::query("INSERT INTO run_items (run, item, outcome, bytes, at, attempt) VALUES (1000, ?, ?, 3000000, ?, 1)")
            .bind(asset)
            .bind(outcome)
            .bind(at)
            .execute(&mut database).await.expect("an outcome");
    }
    database.execute("COMMIT").await.expect("filled");
    database.close().await.expect("closed");
}
