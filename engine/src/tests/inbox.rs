//! Files that are handed over one by one, under a scheduler whose clock a test moves.

use std::{fs, path::PathBuf, time::Duration};

use bytes::Bytes;
use charon_provider::{Class, Fidelity};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{fake::Answers, map, scheduling::Stage};
use crate::{
    clock::Clock,
    dashboard::Cure,
    error::Error,
    ids::{ReceiptId, StorageId},
    inbox::{Handing, Mode, NotTaken, Receipt, ReceiptState},
    run::RunState,
};

/// Whether a refusal is of the right kind.
type IsSo = fn(&NotTaken) -> bool;

fn picture(what: &str) -> Vec<u8> {
    [&[0xff, 0xd8, 0xff, 0xe0], what.as_bytes()].concat()
}

fn named(name: &str) -> Handing {
    Handing { name: name.into(), ..Handing::default() }
}

impl Stage {
    async fn storage(&self) -> StorageId {
        self.engine.storage("family").await.expect("a storage").id
    }

    /// From now on, batches that are not full wait for what may still join them.
    async fn let_batches_wait(&self) {
        let config = map(json!({"client": "ours", "token": "first", "idle_seconds": 3_600}));
        self.engine.update_storage("family", config).await.expect("a storage");
    }

    async fn hand(&self, handing: Handing, bytes: &[u8], mode: Mode) -> Result<Receipt, NotTaken> {
        let mut receiving = self.engine.receive(self.storage().await, handing).await?;
        for piece in bytes.chunks(100_000) {
            receiving.write(Bytes::copy_from_slice(piece)).await?;
        }
        receiving.finish(mode).await
    }

    /// Takes turns until the receipt is as it is wanted.
    async fn receipt_until(&mut self, id: ReceiptId, is_so: impl Fn(&Receipt) -> bool) -> Receipt {
        let get_there = async {
            loop {
                self.scheduler.tick().await.expect("a turn");
                let receipt = self.engine.receipt(id).await.expect("a receipt");
                if is_so(&receipt) {
                    return receipt;
                }
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
            }
        };
        let there = tokio::time::timeout(Duration::from_mins(1), get_there).await;
        let Ok(receipt) = there else {
            panic!("it is not as wanted: {:?}", self.engine.receipt(id).await);
        };
        receipt
    }

    async fn sent(&mut self, id: ReceiptId) -> Receipt {
        self.receipt_until(id, |receipt| receipt.state == ReceiptState::Sent).await
    }

    /// Takes turns until no run is at work.
    async fn until_nothing_is_at_work(&mut self) {
        while !self.engine.at_work.runs().is_empty() {
            self.scheduler.tick().await.expect("a turn");
            tokio::task::yield_now().await;
        }
    }

    /// What is in the spool.
    fn spooled(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.engine.spool_folder()).into_iter().flatten();
        let folders = entries.map(|entry| entry.expect("an entry").path());
        folders
            .flat_map(|folder| fs::read_dir(folder).expect("a folder"))
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }
}

#[tokio::test]
async fn what_is_handed_over_is_sent_once_and_recorded_as_the_original() {
    // I1, I2
    let mut stage = Stage::new().await;
    let one = stage.hand(named("a.jpg"), &picture("one"), Mode::Sync).await.expect("a receipt");
    assert_eq!((one.state, one.size, one.media_id), (ReceiptState::Waiting, 7, None));
    assert_eq!(stage.spooled().len(), 1);
    let sent = stage.sent(one.id).await;
    assert_eq!((sent.media_id.as_deref(), sent.was_there), (Some("a.jpg"), Some(false)));
    // The file goes once the receipt says that it was sent.
    stage.until_nothing_is_at_work().await;
    assert_eq!(stage.spooled(), [""; 0].map(PathBuf::from), "nothing is left in the spool");
    assert_eq!(stage.world.requests(), ["send", "commit"]);
    let run = stage.engine.run_record(sent.run.expect("its run")).await.expect("a run");
    assert_eq!((run.state, run.items.done, run.bytes), (RunState::Succeeded, 1, 7), "{run:?}");
    assert_eq!(run.plan, "inbox of family");
    let storage = stage.storage().await;
    let fidelity = stage.engine.store.fidelity_of_remote(storage, "a.jpg").await;
    assert_eq!(fidelity, Some(Fidelity::Original));

    // The same bytes by another name are there already.
    let again = stage.hand(named("b.jpg"), &picture("one"), Mode::Sync).await.expect("a receipt");
    let again = stage.sent(again.id).await;
    assert_eq!((again.media_id.as_deref(), again.was_there), (Some("a.jpg"), Some(true)));
    assert_eq!(stage.world.requests(), [""; 0]);
    assert!(stage.engine.plans().await.expect("plans").is_empty(), "nobody has made a plan");
    let events = stage.engine.events(None, 0, 100).await.expect("events");
    let of_inbox = events.iter().map(|event| event.kind.as_str()).filter(|kind| kind.starts_with("inbox"));
    assert_eq!(
        of_inbox.collect::<Vec<_>>(),
        ["inbox.received", "inbox.sent", "inbox.received", "inbox.sent"]
    );
}

#[tokio::test]
async fn what_comes_together_and_nobody_waits_for_goes_in_one_batch() {
    let mut stage = Stage::new().await;
    stage.let_batches_wait().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let name = format!("{number}.jpg");
        let receipt = stage.hand(named(&name), &picture(&name), Mode::Async).await.expect("a receipt");
        stage.scheduler.tick().await.expect("a turn");
        ids.push(receipt.id);
        stage.clock.advance(Duration::from_millis(300));
    }
    assert_eq!(stage.world.requests(), [""; 0], "it waits for others");
    stage.clock.advance(Duration::from_secs(1));
    for id in ids {
        stage.sent(id).await;
    }
    let requests = stage.world.requests();
    assert_eq!(requests.iter().filter(|what| **what == "commit").count(), 1, "{requests:?}");
    assert_eq!(requests.len(), 6);
}

#[tokio::test]
async fn one_who_waits_takes_along_what_was_there_before() {
    let mut stage = Stage::new().await;
    stage.let_batches_wait().await;
    let early = stage.hand(named("a.jpg"), &picture("a"), Mode::Async).await.expect("a receipt");
    let now = stage.hand(named("b.jpg"), &picture("b"), Mode::Sync).await.expect("a receipt");
    stage.sent(now.id).await;
    stage.sent(early.id).await;
    assert_eq!(stage.world.requests().iter().filter(|what| **what == "commit").count(), 1);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_a_reason_and_leaves_nothing() {
    // I9
    let stage = Stage::new().await;
    let large = [picture("large"), vec![7; 1_000_000]].concat();
    let jpeg = picture("small");
    let with = |change: fn(&mut Handing)| {
        let mut handing = named("a.jpg");
        change(&mut handing);
        handing
    };
    let cases: Vec<(Handing, &[u8], IsSo, &str)> = vec![
        (named("a.txt"), &jpeg, |e| matches!(e, NotTaken::NotMedia(_)), "does not end like"),
        (named("photo"), &jpeg, |e| matches!(e, NotTaken::NotMedia(_)), "does not end like"),
        (named(".."), &jpeg, |e| matches!(e, NotTaken::Name(_)), "is no name"),
        (named("a.jpg"), b"dear aunt", |e| matches!(e, NotTaken::NotMedia(_)), "is text"),
        (named("a.jpg"), b"", |e| matches!(e, NotTaken::Empty(_)), "zero bytes"),
        (named("a.jpg"), &large, |e| matches!(e, NotTaken::TooLarge(_)), "1000000 are the most"),
        (with(|h| h.length = Some(1_000_001)), &jpeg, |e| matches!(e, NotTaken::TooLarge(_)), "1000000"),
        (with(|h| h.album = Some(" ".into())), &jpeg, |e| matches!(e, NotTaken::Album(_)), "blank"),
        (with(|h| h.album = Some("x".into())), &jpeg, |e| matches!(e, NotTaken::Unable(_)), "no albums"),
        (with(|h| h.key = Some("a b".into())), &jpeg, |e| matches!(e, NotTaken::Key(_)), "a key has"),
    ];
    for (handing, bytes, is_so, words) in cases {
        let refused = stage.hand(handing.clone(), bytes, Mode::Sync).await.expect_err(words);
        assert!(is_so(&refused) && refused.to_string().contains(words), "{handing:?}: {refused}");
    }
    stage.engine.limit_inboxes(10);
    for length in [None, Some(11)] {
        let handing = Handing { length, ..named("a.jpg") };
        let refused = stage.hand(handing, &picture("eleven."), Mode::Sync).await.expect_err("it is full");
        assert!(matches!(refused, NotTaken::Full(_)), "{refused}");
    }
    assert_eq!(stage.spooled(), [""; 0].map(PathBuf::from));
    // What was refused takes no room.
    stage.hand(named("a.jpg"), &picture("ten..."), Mode::Sync).await.expect("it fits");
    let read_only = map(json!({"client": "ours", "token": "first", "read_only": true}));
    stage.engine.update_storage("family", read_only).await.expect("a storage");
    let refused =
        stage.engine.receive(stage.storage().await, named("a.jpg")).await.expect_err("it is read-only");
    assert!(matches!(refused, NotTaken::Unable(_)), "{refused}");
    stage
        .engine
        .receive(StorageId(uuid::Uuid::nil()), named("a.jpg"))
        .await
        .expect_err("there is no such storage");
}

#[tokio::test]
async fn one_who_is_not_sure_whether_it_came_sends_it_again_with_its_key() {
    // I2
    let mut stage = Stage::new().await;
    let with_key = |name| Handing { key: Some("k-1".into()), ..named(name) };
    let first = stage.hand(with_key("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let same = stage.hand(with_key("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    assert_eq!(same.id, first.id);
    assert_eq!(stage.spooled().len(), 1);
    let sent = stage.sent(first.id).await;
    let known = stage.hand(with_key("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    assert_eq!((known.id, known.media_id), (first.id, sent.media_id));
    assert_eq!(stage.spooled(), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn another_file_is_not_taken_for_the_one_that_had_its_key_before() {
    // I9
    let stage = Stage::new().await;
    let with_key = |name| Handing { key: Some("k-1".into()), ..named(name) };
    stage.hand(with_key("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let refused =
        stage.hand(with_key("a.jpg"), &picture("b"), Mode::Sync).await.expect_err("it is another one");
    assert!(matches!(refused, NotTaken::KeyTaken(_)), "{refused}");
    assert_eq!(stage.spooled().len(), 1);
}

#[tokio::test]
async fn nobody_takes_hold_of_the_plan_of_an_inbox() {
    // I1
    let mut stage = Stage::new().await;
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let run = stage.engine.runs(None, 1).await.expect("runs").remove(0);
    assert!(run.is_inbox);
    let unknown = |error: Error| assert!(matches!(error, Error::Unknown { .. }), "{error}");
    unknown(stage.engine.plan_by_id(run.plan_id).await.expect_err("it is Charon's own"));
    unknown(stage.engine.remove_plan_by_id(run.plan_id, None).await.expect_err("it is Charon's own"));
    unknown(stage.engine.remove_plan(&run.plan).await.expect_err("it is Charon's own"));
    unknown(stage.engine.estimate(&run.plan).await.expect_err("it is Charon's own"));
    assert_eq!(stage.engine.runs(Some(&run.plan), 1).await.expect("its runs are shown").len(), 1);
    stage.sent(receipt.id).await;
}

#[tokio::test]
async fn what_a_stopped_run_left_is_sent_when_somebody_tries_it_again() {
    let mut stage = Stage::new().await;
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let run = stage.engine.runs(None, 1).await.expect("runs").remove(0).run;
    stage.engine.cancel_run(run).await.expect("it is stopped");
    stage.until_nothing_is_at_work().await;
    let told = stage.engine.receipt(receipt.id).await.expect("a receipt");
    assert_eq!((told.state, told.run), (ReceiptState::Waiting, Some(run)));
    assert!(told.waiting.expect("it waits").contains("try that run again"));
    let again = stage.engine.retry_failed(run).await.expect("it goes on");
    assert_ne!(again, run);
    assert_eq!(stage.sent(receipt.id).await.run, Some(again));
    stage.until_nothing_is_at_work().await;
    let refused = stage.engine.retry_failed(run).await.expect_err("nothing waits");
    assert!(refused.to_string().contains("nothing waits in the inbox of family"), "{refused}");
}

/// What cures what the dashboard says calls for somebody.
async fn cures(stage: &Stage) -> Vec<Cure> {
    let dashboard = stage.engine.dashboard(&TimeZone::UTC).await.expect("a dashboard");
    dashboard.attention.into_iter().map(|one| one.cure).collect()
}

#[tokio::test]
async fn what_is_stuck_in_an_inbox_or_was_not_taken_calls_for_somebody() {
    // I10
    let mut stage = Stage::new().await;
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let run = stage.engine.runs(None, 1).await.expect("runs").remove(0).run;
    stage.engine.pause_run(run).await.expect("it is paused");
    stage.until_nothing_is_at_work().await;
    assert!(cures(&stage).await.contains(&Cure::ResumeRun { run }));
    stage.engine.resume_run(run).await.expect("it goes on");
    stage.sent(receipt.id).await;
    stage.until_nothing_is_at_work().await;
    assert!(!cures(&stage).await.contains(&Cure::ResumeRun { run }));
}

#[tokio::test]
async fn what_was_taken_in_outlives_the_process_and_what_was_not_goes_away() {
    // I1, I2
    let stage = Stage::new().await;
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let mut half = stage.engine.receive(stage.storage().await, named("b.jpg")).await.expect("it begins");
    half.write(Bytes::from(picture(&"b".repeat(300_000)))).await.expect("it comes");
    let place = stage.spooled();
    assert_eq!(place.len(), 2);
    // As a kill would leave it.
    let kept =
        fs::read(place.iter().find(|path| path.ends_with("a.jpg")).expect("its file")).expect("its bytes");
    assert_eq!(kept, picture("a"));
    let folder = stage.engine.spool_folder().to_owned();
    let half_way = fs::read_dir(folder.join(".incoming")).expect("a folder").count();
    assert_eq!(half_way, 1);
    drop(half);
    fs::write(folder.join(".incoming/left"), "half").expect("a file");
    let stray = folder.join("019abcde-0000-7000-8000-000000000000");
    fs::create_dir(&stray).expect("a folder");
    let mut stage = stage.restart().await;
    assert!(!stray.exists() && !folder.join(".incoming").exists(), "what nobody waits for is gone");
    let sent = stage.sent(receipt.id).await;
    assert_eq!(sent.media_id.as_deref(), Some("a.jpg"));
}

#[tokio::test]
async fn a_dead_consent_keeps_what_was_taken_in_until_a_person_acts() {
    // I7
    let mut stage = Stage::new().await;
    stage.world.answer("first", Answers::With(Class::Auth));
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let parked = stage.receipt_until(receipt.id, |receipt| receipt.class == Some(Class::Auth)).await;
    assert_eq!(parked.state, ReceiptState::Waiting);
    assert!(parked.waiting.as_deref().is_some_and(|why| why.starts_with("you: ")), "{parked:?}");
    // Whoever waits for it is told at once.
    let told = stage.engine.receipt_in_the_end(receipt.id, Duration::from_mins(10)).await.expect("a receipt");
    assert_eq!((told.state, told.class), (ReceiptState::Waiting, Some(Class::Auth)));
    stage.until_nothing_is_at_work().await;
    stage.world.requests();
    // Another file is no person: nothing is asked again for its sake.
    let other = stage.hand(named("b.jpg"), &picture("b"), Mode::Sync).await.expect("a receipt");
    for _ in 0..5 {
        stage.scheduler.tick().await.expect("a turn");
    }
    assert_eq!(stage.world.requests(), [""; 0]);
    stage.world.answer("first", Answers::Well);
    stage.update_storage("first").await;
    for id in [receipt.id, other.id] {
        assert_eq!(stage.sent(id).await.class, None);
    }
}

#[tokio::test]
async fn what_the_day_has_no_requests_for_is_sent_on_the_next() {
    // I7
    let mut stage = Stage::new().await;
    let config = map(json!({"client": "ours", "token": "first", "limit": 2}));
    stage.engine.update_storage("family", config).await.expect("a storage");
    let first = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    stage.sent(first.id).await;
    stage.until_nothing_is_at_work().await;
    stage.world.requests();
    let receipt = stage.hand(named("b.jpg"), &picture("b"), Mode::Sync).await.expect("a receipt");
    let parked = stage.receipt_until(receipt.id, |receipt| receipt.class == Some(Class::Quota)).await;
    assert_eq!(parked.state, ReceiptState::Waiting);
    let midnight: Timestamp = "2026-01-11T00:00:00Z".parse().expect("a time");
    assert_eq!(parked.again_at, Some(midnight));
    assert!(parked.waiting.as_deref().is_some_and(|why| why.starts_with("budget until")), "{parked:?}");
    stage.until_nothing_is_at_work().await;
    assert_eq!(stage.world.requests(), [""; 0]);
    stage.wait_until(midnight);
    stage.sent(receipt.id).await;
}

#[tokio::test]
async fn what_a_storage_refuses_for_what_it_is_has_failed_and_is_not_kept() {
    // I9
    let mut stage = Stage::new().await;
    stage.world.answer("first", Answers::With(Class::Item));
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let failed = stage.receipt_until(receipt.id, |receipt| receipt.state == ReceiptState::Failed).await;
    let storage = stage.storage().await;
    assert!(cures(&stage).await.contains(&Cure::LookAtInbox { storage }));
    assert_eq!((failed.class, failed.media_id.as_deref()), (Some(Class::Item), None));
    assert!(
        failed.reason.as_deref().is_some_and(|why| why.contains("the world will not have it")),
        "{failed:?}"
    );
    assert_eq!(stage.spooled(), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn a_fault_that_may_pass_is_no_end() {
    // I2
    let mut stage = Stage::new().await;
    stage.world.answer("first", Answers::With(Class::Transient));
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    let is_put_off = |receipt: &Receipt| receipt.again_at.is_some();
    let put_off = loop {
        // The pauses between the attempts go by.
        stage.scheduler.tick().await.expect("a turn");
        let receipt = stage.engine.receipt(receipt.id).await.expect("a receipt");
        if is_put_off(&receipt) {
            break receipt;
        }
        stage.clock.advance_to_next();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!((put_off.state, put_off.class), (ReceiptState::Waiting, Some(Class::Transient)));
    let told = stage.engine.receipt_in_the_end(receipt.id, Duration::from_mins(10)).await.expect("a receipt");
    assert_eq!(told.state, ReceiptState::Waiting);
    stage.until_nothing_is_at_work().await;
    stage.world.answer("first", Answers::Well);
    stage.wait_until(put_off.again_at.expect("a time"));
    stage.sent(receipt.id).await;
}

#[tokio::test]
async fn receipts_and_the_runs_of_inboxes_are_forgotten_after_a_month() {
    let mut stage = Stage::new().await;
    let receipt = stage.hand(named("a.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    stage.sent(receipt.id).await;
    stage.until_nothing_is_at_work().await;
    let runs = async |stage: &Stage| stage.engine.runs(None, 10).await.expect("runs").len();
    stage.clock.advance(Duration::from_hours(24 * 29));
    stage.scheduler.tick().await.expect("a turn");
    assert!(stage.engine.receipt(receipt.id).await.is_ok());
    assert_eq!(runs(&stage).await, 1);
    stage.clock.advance(Duration::from_hours(25));
    stage.scheduler.tick().await.expect("a turn");
    stage.engine.receipt(receipt.id).await.expect_err("it is forgotten");
    assert_eq!(runs(&stage).await, 0);
    // What the ledger knows is not.
    let again = stage.hand(named("b.jpg"), &picture("a"), Mode::Sync).await.expect("a receipt");
    assert_eq!(stage.sent(again.id).await.was_there, Some(true));
    stage.until_nothing_is_at_work().await;
    assert!(stage.clock.now() > receipt.received_at);
    stage.engine.remove_storage("family").await.expect("nothing waits in its inbox");
}
