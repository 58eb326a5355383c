//! Listening to events: in order, without gaps, from where the listener asks to begin, and what a slow one is told.

use serde_json::json;

use super::scheduling::Stage;
use crate::{
    events::{Event, EventKind, Told},
    run::RunState,
};

/// All that is there to be heard.
async fn heard(subscription: &mut crate::events::Subscription, until: i64) -> Vec<i64> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| *last < until) {
        match subscription.next().await.expect("the engine is there") {
            Told::Event(event) => heard.push(event.seq),
            Told::ReadAgain { after } => panic!("it was quick enough, and is to read again after {after}"),
        }
    }
    heard
}

#[tokio::test]
async fn a_listener_is_told_all_that_happens_in_order_and_from_where_it_asks_to_begin() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({})).await;
    let before = stage.engine.newest_event().await.expect("a number");
    let mut from_now = stage.engine.subscribe(None).await.expect("a subscription");
    let mut from_first = stage.engine.subscribe(Some(0)).await.expect("a subscription");
    let run = stage.ask("home").await;
    stage.until(run, RunState::Succeeded).await;
    let late = stage.engine.subscribe(Some(before)).await;
    stage.scheduler.tick().await.expect("a turn");
    let newest = stage.engine.newest_event().await.expect("a number");
    let all = |from: i64| (from + 1..=newest).collect::<Vec<_>>();
    assert_eq!(heard(&mut from_now, newest).await, all(before));
    assert_eq!(heard(&mut from_first, newest).await, all(0));
    assert_eq!(heard(&mut late.expect("a subscription"), newest).await, all(before));
    let events = stage.engine.events(Some(run), 0, 100).await.expect("events");
    let kinds: Vec<EventKind> = events.iter().map(|event: &Event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Queued, EventKind::Started, EventKind::Ended]);
}

#[tokio::test]
async fn a_listener_who_is_too_slow_is_told_to_read_again_and_then_misses_nothing() {
    let mut stage = Stage::new().await;
    stage.add_plan("home", json!({"schedule": {"cron": "0 0 * * *", "timezone": "UTC"}})).await;
    let before = stage.engine.newest_event().await.expect("a number");
    let mut slow = stage.engine.subscribe(None).await.expect("a subscription");
    for _ in 0..520 {
        stage.engine.pause_plan("home", None).await.expect("paused");
        stage.engine.resume_plan("home").await.expect("resumed");
    }
    stage.scheduler.tick().await.expect("a turn");
    let Some(Told::ReadAgain { after }) = slow.next().await else { panic!("it is far behind") };
    assert_eq!(after, before);
    let read = stage.engine.events(None, after, 10_000).await.expect("events");
    assert_eq!(read.len(), 1_040);
    // Who begins so far back is told so at once.
    let mut far_back = stage.engine.subscribe(Some(before)).await.expect("a subscription");
    assert_eq!(far_back.next().await, Some(Told::ReadAgain { after: before }));
    // What comes after that comes.
    stage.engine.pause_plan("home", None).await.expect("paused");
    stage.scheduler.tick().await.expect("a turn");
    let newest = stage.engine.newest_event().await.expect("a number");
    assert_eq!(heard(&mut far_back, newest).await, [newest]);
    assert_eq!(heard(&mut slow, newest).await, [newest]);
}
