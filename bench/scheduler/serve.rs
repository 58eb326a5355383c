//! `charon serve` with a thousand plans: the real binary, a real database, the clock on the wall.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use charon_engine::{
    Engine, Registry, Settings,
    clock::{Clock, SystemClock},
};
use charon_provider_gphotos::GPhotos;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::told;

const PLANS: usize = 1_000;

pub(crate) async fn measure(idle_seconds: u64) {
    println!("{PLANS} plans in one database");
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path()).await;
    fill(&engine, folder.path()).await;
    engine.close().await;

    let began = Instant::now();
    let serve = serve(folder.path());
    let start = began.elapsed().as_secs_f64();
    let engine = open(folder.path()).await;
    told("start-up", &format!("{start:.2} s"), start < 2.0, "under 2 s");

    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = cpu_seconds(&serve);
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(idle_seconds)).await;
    let share = (cpu_seconds(&serve) - before) / began.elapsed().as_secs_f64() * 100.0;
    told("idle", &format!("{share:.2} % of a core over {idle_seconds} s"), share < 1.0, "under 1 %");
    println!("memory: {} MB", resident_kib(&serve) / 1_024);

    // A plan that is due every two seconds, added while it serves.
    engine.add_plan("often", plan(folder.path(), "@every 2s")).await.expect("a plan");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let runs = engine.runs(Some("often"), 100).await.expect("its runs");
    let lateness = |run: &charon_engine::RunRecord| {
        let (due, started) = (run.scheduled_for?, run.started_at?);
        Some(started.duration_since(due).as_secs_f64())
    };
    let late: Vec<f64> = runs.iter().filter_map(lateness).collect();
    let latest = late.iter().copied().fold(0.0, f64::max);
    let figure = format!("{latest:.2} s late at most, of {} occurrences", late.len());
    told("a run begins", &figure, !late.is_empty() && latest < 1.0, "within 1 s");
    engine.close().await;
    stop(serve);
}

async fn open(folder: &Path) -> Engine {
    let registry = Registry::default().with(GPhotos::new());
    Engine::open(Settings::new(folder.join("data"), registry)).await.expect("an engine")
}

/// Plans of a folder that holds nothing, so that no run asks for anything; due at different times, and not soon.
async fn fill(engine: &Engine, folder: &Path) {
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let config = json!({
        "client_id": "100000000001-bench.apps.googleusercontent.com", "client_secret": "none",
        "token": r#"{"access_token":"a","refresh_token":"b","token_type":"Bearer","expiry":"2020-01-01T00:00:00Z"}"#,
        "api_url": "http://127.0.0.1:9", "token_url": "http://127.0.0.1:9/token", "auth_url": "http://127.0.0.1:9/auth",
    });
    engine.add_storage("family", "gphotos", object(config)).await.expect("a storage");
    let month = SystemClock.now().strftime("%m").to_string().parse::<usize>().expect("a month");
    for number in 0..PLANS {
        let schedule =
            format!("{} {} {} {} *", number % 60, number % 24, 1 + number % 28, 1 + (month + 5) % 12);
        engine.add_plan(&format!("plan {number:04}"), plan(folder, &schedule)).await.expect("a plan");
    }
}

fn plan(folder: &Path, cron: &str) -> Map<String, Value> {
    let schedule = json!({"cron": cron, "timezone": "Europe/Berlin"});
    object(
        json!({"kind": "upload", "storage": "family", "sources": [folder.join("pictures")], "schedule": schedule}),
    )
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn serve(folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_charon"));
    // It says where it listens once it runs plans and answers.
    command
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut serve = command.spawn().expect("it starts");
    let mut said = BufReader::new(serve.stderr.take().expect("its standard error")).lines();
    let listens = said.find(|line| line.as_ref().is_ok_and(|line| line.contains("http://")));
    assert!(listens.is_some(), "it ended before it listened");
    // Read on, so that it can say more.
    std::thread::spawn(move || said.for_each(drop));
    serve
}

fn stop(mut serve: Child) {
    let id = serve.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().expect("a signal");
    serve.wait().expect("its end");
}

/// What the process has used of the processor so far (proc(5): utime and stime, in hundredths of a second on Linux).
fn cpu_seconds(process: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("its numbers");
    let after_name = stat.rsplit_once(')').expect("its name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_kib(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("its numbers");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("its peak");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}
