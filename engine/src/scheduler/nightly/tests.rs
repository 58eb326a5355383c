use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use super::Nightly;
use crate::{
    clock::ManualClock,
    engine::{Engine, Settings},
    events::EventKind,
    registry::Registry,
    store::Store,
};

/// An engine whose time is told, and the one who makes its backups.
struct Nights {
    engine: Engine,
    clock: Arc<ManualClock>,
    nightly: Nightly,
    folder: tempfile::TempDir,
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

impl Nights {
    async fn from(now: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(time(now)));
        let settings = Settings::new(folder.path().join("data"), Registry::default());
        let settings = Settings { clock: clock.clone(), ..settings };
        let engine = Engine::open(settings).await.expect("an engine");
        let mut nights = Self { engine, clock, nightly: Nightly::default(), folder };
        nights.restart();
        nights
    }

    /// Another process.
    fn restart(&mut self) {
        self.nightly =
            Nightly { zone: TimeZone::get("Europe/Berlin").expect("a zone"), ..Nightly::default() };
    }

    /// Lets it become this late, and whatever is due be done. Gives when to come again.
    async fn at(&mut self, now: &str) -> String {
        let now = time(now);
        let by = now.duration_since(self.engine.clock.now());
        self.clock.advance(Duration::try_from(by).expect("time goes on"));
        self.until_idle(now).await
    }

    async fn until_idle(&mut self, now: Timestamp) -> String {
        loop {
            match self.nightly.tick(&self.engine, now).await.expect("it looks") {
                Some(again_at) => return again_at.to_string(),
                None => self.engine.awake.notified().await,
            }
        }
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("data/backups")
    }

    /// The names of the files in the folder for backups.
    fn copies(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.backups()) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort_unstable();
        names
    }

    async fn failures(&self) -> Vec<String> {
        let events = self.engine.events(None, 0, 100).await.expect("events");
        let failures = events.iter().filter(|event| event.kind == EventKind::BackupFailed);
        failures.map(|event| event.data["message"].as_str().expect("a sentence").to_owned()).collect()
    }
}

#[tokio::test]
async fn each_night_after_three_there_is_one_copy_more_and_the_newest_seven_stay() {
    let mut nights = Nights::from("2026-03-20T12:00:00Z").await;
    // Three o'clock in Berlin.
    assert_eq!(nights.at("2026-03-20T12:00:00Z").await, "2026-03-21T02:00:00Z");
    assert_eq!(nights.at("2026-03-21T01:59:59Z").await, "2026-03-21T02:00:00Z");
    assert!(nights.copies().is_empty());
    assert_eq!(nights.at("2026-03-21T02:00:00Z").await, "2026-03-22T02:00:00Z");
    assert_eq!(nights.copies(), ["charon-2026-03-21.db"]);
    nights.at("2026-03-21T23:59:00Z").await;
    assert_eq!(nights.copies().len(), 1);
    for day in 22..=28 {
        nights.at(&format!("2026-03-{day}T02:00:01Z")).await;
    }
    // The night in which the clocks jump from two to three is an hour shorter.
    assert_eq!(nights.at("2026-03-29T00:59:59Z").await, "2026-03-29T01:00:00Z");
    fs::write(nights.backups().join("charon-mine.db"), "somebody else's").expect("a file");
    fs::write(nights.backups().join("charon-2026-03-02.partial"), "half a copy").expect("a file");
    assert_eq!(nights.at("2026-03-29T01:00:00Z").await, "2026-03-30T01:00:00Z");
    let kept = (23..=29).map(|day| format!("charon-2026-03-{day}.db"));
    assert_eq!(nights.copies(), kept.chain(["charon-mine.db".into()]).collect::<Vec<_>>());
    assert_eq!(
        nights.engine.overview().await.expect("a glance").backed_up_at,
        Some(time("2026-03-29T01:00:00Z"))
    );
    assert!(nights.failures().await.is_empty());
}

#[tokio::test]
async fn a_copy_is_the_whole_database_and_is_for_its_owner_alone() {
    // I6
    let mut nights = Nights::from("2026-01-01T12:00:00Z").await;
    nights.at("2026-01-01T12:00:00Z").await;
    nights
        .engine
        .store
        .backup_failed("an event to find again", time("2026-01-01T13:00:00Z"))
        .await
        .expect("told");
    nights.at("2026-01-02T03:00:00Z").await;
    let copy = nights.backups().join("charon-2026-01-02.db");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&copy), mode(&nights.backups())), (0o600, 0o700));
    }
    let restored = Store::open(&copy).await.expect("a database");
    restored.check_integrity().await.expect("sound");
    assert_eq!(restored.newest_event().await.expect("an event"), 1);
    restored.close().await;
}

#[tokio::test]
async fn a_night_in_which_nobody_was_there_is_made_up_for_and_copies_are_twenty_hours_apart() {
    let mut nights = Nights::from("2026-01-01T12:00:00Z").await;
    nights.at("2026-01-01T12:00:00Z").await;
    nights.restart();
    // Off over two nights.
    assert_eq!(nights.at("2026-01-03T11:00:00Z").await, "2026-01-04T07:00:00Z");
    assert_eq!(nights.copies(), ["charon-2026-01-03.db"]);
    // Another process knows what this one did.
    nights.restart();
    assert_eq!(nights.at("2026-01-03T11:00:01Z").await, "2026-01-04T07:00:00Z");
    assert_eq!(nights.at("2026-01-04T07:00:00Z").await, "2026-01-05T03:00:00Z");
    nights.at("2026-01-05T03:00:00Z").await;
    // Before three, it still is the night before.
    nights.restart();
    assert_eq!(nights.at("2026-01-07T00:30:00Z").await, "2026-01-07T20:30:00Z");
    let nights_of = ["03", "04", "05", "06"].map(|day| format!("charon-2026-01-{day}.db"));
    assert_eq!(nights.copies(), nights_of);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_hold_up_the_copies() {
    let mut nights = Nights::from("2031-01-01T12:00:00Z").await;
    nights.at("2031-01-01T12:00:00Z").await;
    nights.at("2031-01-02T12:00:00Z").await;
    assert_eq!(nights.until_idle(time("2026-01-01T12:00:00Z")).await, "2026-01-02T02:00:00Z");
    nights.until_idle(time("2026-01-02T02:00:00Z")).await;
    assert!(nights.copies().contains(&"charon-2026-01-02.db".to_owned()), "{:?}", nights.copies());
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_is_told_and_tried_again_an_hour_later() {
    let mut nights = Nights::from("2026-01-01T12:00:00Z").await;
    nights.at("2026-01-01T12:00:00Z").await;
    // A file stands where the folder should be.
    fs::write(nights.backups(), "in the way").expect("a file");
    assert_eq!(nights.at("2026-01-02T02:00:00Z").await, "2026-01-02T03:00:00Z");
    let failures = nights.failures().await;
    assert_eq!(failures.len(), 1);
    assert!(failures[0].starts_with("failed to make the folder for backups of the database"), "{failures:?}");
    assert_eq!(nights.at("2026-01-02T02:59:59Z").await, "2026-01-02T03:00:00Z");
    assert_eq!(nights.failures().await.len(), 1);
    nights.at("2026-01-02T03:00:00Z").await;
    assert_eq!(nights.failures().await.len(), 2);

    fs::remove_file(nights.backups()).expect("out of the way");
    assert_eq!(nights.at("2026-01-02T04:00:00Z").await, "2026-01-03T02:00:00Z");
    assert_eq!(nights.copies(), ["charon-2026-01-02.db"]);
    assert_eq!(nights.failures().await.len(), 2);

    // A folder stands where the copy should be: what was made of it goes away again.
    fs::create_dir(nights.backups().join("charon-2026-01-03.db")).expect("a folder");
    nights.at("2026-01-03T02:00:00Z").await;
    assert_eq!(nights.copies(), ["charon-2026-01-02.db", "charon-2026-01-03.db"]);
    assert_eq!(nights.failures().await.len(), 3);
}
