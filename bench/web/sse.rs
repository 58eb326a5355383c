//! What 200 who listen cost a running backup: the real `charon serve`, the emulator and the listeners in this process. Runs with and
//! without listeners take turns, each into a mirror of its own, and are compared with each other.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use charon_engine::{Engine, Registry, RunOptions, RunState, Scope, Settings, Trigger};
use charon_provider_gphotos::GPhotos;
use gphotos_emulator::{Emulator, Settings as EmulatorSettings, picture::Picture};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{client::Client, told};

const CLIENT_ID: &str = "123456789-bench.apps.googleusercontent.com";
const LISTENERS: usize = 200;
/// Each is a run without listeners and one with them.
const PAIRS: usize = 4;

pub(crate) fn measure(part: u32) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(Box::pin(measure_in(2_000 / part)));
}

async fn measure_in(items: u32) {
    println!("\n{LISTENERS} listen to a backup of {items} photos of 100 KB, 30 ms of latency per request");
    let settings = EmulatorSettings {
        default_client_id: CLIENT_ID.into(),
        latency_ms: 30,
        keep_bytes: true,
        requests_per_day: None,
        media_requests_per_day: None,
        ..EmulatorSettings::default()
    };
    let emulator = Emulator::start(settings).await.expect("the emulator starts");
    for number in 0..items {
        let picture = Picture {
            width: 64,
            height: 48,
            padded_to: Some(100_000),
            number: Some(number),
            ..Picture::new(number.into())
        };
        let name = format!("IMG_{number:05}.jpg");
        emulator.world().add_item(CLIENT_ID, &name, picture.jpeg()).expect("a picture");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(folder.path()).await;
    let url = emulator.url();
    let storage = json!({
        "client_id": CLIENT_ID, "client_secret": "secret", "token": emulator.token_blob(CLIENT_ID, &[]),
        "token_url": format!("{url}/token"), "api_url": url, "daily_requests": 1_000_000,
    });
    engine.add_storage("family", "gphotos", object(storage)).await.expect("a storage");
    for number in 0..2 * PAIRS {
        let destination = folder.path().join(format!("mirror-{number}"));
        let plan = json!({"kind": "backup", "storage": "family", "destination": destination});
        engine.add_plan(&format!("home {number}"), object(plan)).await.expect("a plan");
    }
    let token = engine.create_token("bench", Scope::Read, None).await.expect("a token");
    let token = token.secret.expose_secret().to_owned();
    let client = Client::start(&folder.path().join("data"));
    let (mut alone, mut listened_to) = (Vec::new(), Vec::new());
    let heard = Arc::new(AtomicU64::new(0));
    for number in 0..2 * PAIRS {
        // Which of the two comes first takes turns as well.
        let with = (number % 2 == 1) != (number / 2 % 2 == 1);
        let listeners = if with { listen(client.address(), &token, &heard).await } else { Vec::new() };
        let seconds = run(&engine, &format!("home {number}"), u64::from(items)).await;
        for listener in listeners {
            listener.abort();
        }
        if with { listened_to.push(seconds) } else { alone.push(seconds) }
    }
    let heard = heard.load(Ordering::Relaxed) / 1_000_000;
    println!("they heard {heard} MB");
    println!("seconds alone: {alone:.2?}; listened to: {listened_to:.2?}");
    let sum = |all: &[f64]| all.iter().sum::<f64>();
    let cost = (sum(&listened_to) / sum(&alone) - 1.0) * 100.0;
    told("what they cost the run", &format!("{cost:.1} %"), cost < 10.0, "under 10 %");
    drop(client);
    engine.close().await;
    emulator.stop().await;
}

async fn open(folder: &Path) -> Engine {
    let registry = Registry::default().with(GPhotos::new());
    Engine::open(Settings::new(folder.join("data"), registry)).await.expect("an engine")
}

/// Has a plan run by the server; gives how long that took.
async fn run(engine: &Engine, plan: &str, items: u64) -> f64 {
    let options = RunOptions::default();
    let (run, _) = engine.ask_for_run(plan, Trigger::Manual, options).await.expect("a run");
    loop {
        let record = engine.run_record(run).await.expect("a run");
        if !record.state.is_live() {
            assert_eq!((record.state, record.items.done), (RunState::Succeeded, items), "{record:?}");
            let (began, ended) = (record.started_at.expect("it began"), record.ended_at.expect("it ended"));
            return ended.duration_since(began).as_secs_f64();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Those who listen, once all of them do.
async fn listen(address: SocketAddr, token: &str, heard: &Arc<AtomicU64>) -> Vec<JoinHandle<()>> {
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200");
        let heard = Arc::clone(heard);
        listeners.push(tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read) = stream.read(&mut buffer).await {
                if read == 0 {
                    break;
                }
                heard.fetch_add(read as u64, Ordering::Relaxed);
            }
        }));
    }
    listeners
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}
