//! Every kind of channel against a server that listens on this machine: what it is sent, and what is made of its answers.

mod email;
mod http;
mod http_server;
mod smtp_server;

use charon_notify::{Channel, Event, ItemCounts, Notice};
use jiff::Timestamp;
use serde_json::Value;

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}

fn channel(kind: &str, config: &Value) -> Channel {
    Channel::read(kind, config.as_object().cloned().expect("an object")).expect("a right configuration")
}

/// A notice that is no easy one.
fn notice(event: Event) -> Notice {
    Notice {
        plan: Some("home".into()),
        run: Some("0199".into()),
        state: Some("failed".into()),
        counts: ItemCounts { done: 7, unchanged: 8, skipped: 0, failed: 1 },
        bytes: 1234,
        started_at: Some(now()),
        ended_at: Some(now()),
        link: Some("https://nas.example/runs/0199".into()),
        ..Notice::new(
            "notice-1".into(),
            event,
            "The plan „home“ failed".into(),
            "\"IMG_1.jpg\": no space left\n.\nFree some.".into(),
        )
    }
}
