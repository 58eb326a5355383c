//! No statement that the engine sends to its database walks through a table that grows. The statements are those that it really
//! sends, as its database driver tells them, while it does everything that it can do.

use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use charon_engine::{
    AccountTold, Adopting, ChannelChange, ChannelChoice, DeliveryState, Engine, Handing, ItemFilter, Job,
    LibraryFilter, Mode, NewAuditEntry, NoticeEvent, Outcome, PlanChange, Registry, RestoreJob,
    RestoreSelection, RestoreTo, RunFilter, RunOptions, RunState, SchedulerSettings, Scope, Settings,
    StorageChange, StorageId, TrashJob, VerifyJob,
};
use charon_provider_gphotos::GPhotos;
use futures::StreamExt;
use gphotos_emulator::{Emulator, Fault, Seed};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::{Connection, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{Layer, filter::filter_fn, layer::Context, prelude::*};

use crate::{
    notify::http_server::HttpServer,
    support::{CLIENT_ID, picture},
};

/// Tables that stay small: there are as many rows as somebody has typed, or a few.
const SMALL: [&str; 15] = [
    "chores",
    "plans",
    "storages",
    "storage_tests",
    "engine",
    "sources",
    "albums",
    "_sqlx_migrations",
    "sqlite_sequence",
    "channels",
    "told",
    "admin",
    "admin_sessions",
    "tokens",
    "settings",
];

/// What may be walked through although it grows, and why.
const WALKED_THROUGH: [(&str, &str); 5] = [
    ("DELETE FROM storages WHERE", "all that belongs to a storage goes with it, one table after the other"),
    (
        "INSERT INTO assets",
        "the plan has a step for rows that were there before their asset, which there never are",
    ),
    ("DELETE FROM events WHERE seq IN", "so many of the oldest ones and no more"),
    ("DELETE FROM occurrences WHERE", "through the index, plan by plan"),
    (
        "SELECT run_id FROM listings AS base",
        "the items of a storage are walked through for one listing, and so once",
    ),
];

/// The statements that were sent by any engine of this process.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let statement = if told.statement.trim().is_empty() { told.summary } else { told.statement };
        self.0.lock().expect("nothing panics while it notes").insert(statement);
    }
}

/// What the driver tells of a statement: its beginning, and the whole of it where that is longer.
#[derive(Default)]
struct Told {
    summary: String,
    statement: String,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        match field.name() {
            "summary" => self.summary = format!("{value:?}"),
            "db.statement" => self.statement = format!("{value:?}"),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }
}

fn statements() -> &'static Statements {
    static STATEMENTS: OnceLock<Statements> = OnceLock::new();
    STATEMENTS.get_or_init(|| {
        let statements = Statements::default();
        let of_the_driver = filter_fn(|event| event.target().starts_with("sqlx::query"));
        tracing_subscriber::registry().with(statements.clone().with_filter(of_the_driver)).init();
        statements
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_walks_through_a_table_that_grows() {
    let noted = statements().clone();
    let folder = tempfile::tempdir().expect("a folder");
    Box::pin(live(folder.path())).await;

    let options = SqliteConnectOptions::new().filename(folder.path().join("data/charon.db"));
    let mut database = SqliteConnection::connect_with(&options).await.expect("the database");
    let statements = noted.0.lock().expect("nothing panics while it notes").clone();
    let (mut explained, mut walks) = (0, Vec::new());
    for statement in
        statements.iter().map(|statement| statement.trim()).filter(|statement| is_explained(statement))
    {
        explained += 1;
        let plan = format!("EXPLAIN QUERY PLAN {statement}");
        // Those of another database, as other tests make them on purpose, do not fit this one.
        let Ok(rows) = database.fetch_all(sqlx::AssertSqlSafe(plan)).await else { continue };
        let steps: Vec<Step> = rows.iter().map(Step::of).collect();
        if WALKED_THROUGH.iter().any(|(beginning, _)| statement.starts_with(beginning)) {
            continue;
        }
        for (position, step) in steps.iter().enumerate() {
            if step.walked_through().is_some() || step.is_walked_through_again(&steps[..position]) {
                walks.push(format!("{}\n{statement}\n", step.detail));
            }
        }
    }
    assert!(explained > 60, "only {explained} statements were seen: {statements:#?}");
    assert!(walks.is_empty(), "{} walks:\n{}", walks.len(), walks.join("\n"));
}

fn is_explained(statement: &str) -> bool {
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|verb| statement.starts_with(verb))
}

/// A step of a query plan.
struct Step {
    id: i64,
    parent: i64,
    detail: String,
}

impl Step {
    fn of(row: &sqlx::sqlite::SqliteRow) -> Self {
        Self { id: row.get("id"), parent: row.get("parent"), detail: row.get("detail") }
    }

    /// The table that the step walks through, whole or along a whole index.
    fn walked_through(&self) -> Option<&str> {
        let table = self.detail.strip_prefix("SCAN ")?.split_whitespace().next()?;
        // Lists that were given with the statement, results of parts of it, and names that the statement gives to them.
        let is_given = [
            "json_each",
            "pragma_",
            "wanted",
            "CONSTANT",
            "(subquery",
            "(join",
            "known",
            "counted",
            "newest",
            "tables",
            "value",
            "page",
            "probes",
            "looked",
            "months",
            "now",
            "held",
        ]
        .iter()
        .any(|given| table.starts_with(given));
        (!is_given && !SMALL.contains(&table)).then_some(table)
    }

    /// Whether it goes through all items of a run, a plan or a storage.
    fn goes_through_items(&self) -> bool {
        ["run_items", "remotes", "copies", "staged", "album_items", "found"].iter().any(|table| {
            self.detail.strip_prefix("SEARCH ").is_some_and(|rest| rest.starts_with(&format!("{table} ")))
        }) && ["(run=?)", "(storage=?)", "(plan=?)", "(storage_id=?)", "(run=? AND asset_id>?)"]
            .iter()
            .any(|owner| self.detail.trim_end_matches(" LEFT-JOIN").ends_with(owner))
    }

    /// Whether it goes through all items for each item, so that twice as many take four times as long.
    fn is_walked_through_again(&self, before: &[Self]) -> bool {
        let is_given = self.detail.starts_with("SCAN ");
        let is_inside_a_walk =
            before.iter().any(|other| other.parent == self.parent && other.goes_through_items());
        let parent = before.iter().find(|other| other.id == self.parent);
        let is_of_each_row = parent.is_some_and(|parent| parent.detail.starts_with("CORRELATED"));
        (self.goes_through_items() && (is_inside_a_walk || is_of_each_row)) || (is_given && is_inside_a_walk)
    }
}

/// What is gone goes to the trash and comes back, and what is damaged is found and mended.
async fn look_after_the_mirror(engine: &Engine, emulator: &Emulator, photos: &Path) {
    let plan = engine.plan("home").await.expect("a plan").id;
    let run = async |options: RunOptions| {
        engine.start_with("home", options).await.expect("a run").finished().await.expect("its end")
    };
    let full = || RunOptions { full_listing: true, ..RunOptions::default() };
    let job = |job| RunOptions { job, ..RunOptions::default() };
    for item in &emulator.world().items()[..2] {
        assert!(emulator.world().remove_item(&item.id));
    }
    let archived = emulator.world().items()[0].id.clone();
    assert!(emulator.world().set_archived(&archived, true));
    let album = emulator.world().albums()[0].id.clone();
    assert!(emulator.world().remove_album(&album));
    for _ in 0..3 {
        run(full()).await;
    }
    assert_eq!(engine.trash_standing(plan).await.expect("the trash").asked_about, 2);
    assert_eq!(engine.asked_about(plan, None, 10).await.expect("the items").len(), 2);
    engine.agree_to_deletion(plan, 1).await.expect_err("they are more than that");
    engine.agree_to_deletion(plan, 2).await.expect("an answer");
    run(full()).await;
    let page = engine.trash(plan, None, 100).await.expect("the trash");
    assert_eq!(page.files.len(), 2);
    let items = vec![page.files[0].item.0];
    let restored = page.files[0].path.clone();
    run(job(Job::Trash(TrashJob::Restore { items }))).await;
    run(job(Job::Trash(TrashJob::Empty { everything: true }))).await;
    // What the account does not hold any more could not be mended.
    let restored = photos.parent().expect("the mirror").join(restored);
    let away = photos.parent().expect("the mirror").join("away.jpg");
    std::fs::rename(&restored, &away).expect("moved");
    std::fs::write(first_file(photos).expect("a file"), "something else").expect("written");
    std::fs::rename(&away, &restored).expect("moved back");
    std::fs::write(photos.join("strange.txt"), "strange").expect("written");
    run(job(Job::Originals)).await;
    for (repair, percent) in [(false, None), (false, Some(10)), (true, None)] {
        run(job(Job::Verify(VerifyJob { repair, percent }))).await;
    }
    restore_from_the_mirror(engine, emulator, photos).await;
    let known = engine.verifications(plan, None, 10).await.expect("verifications");
    assert_eq!(known.len(), 3);
    assert_eq!(engine.verifications(plan, Some(known[0].run), 10).await.expect("older ones").len(), 2);
    let standing = engine.mirror_standing(plan).await.expect("the mirror in numbers");
    assert!(standing.files > 0 && standing.last_verification.is_some(), "{standing:?}");
    assert!(engine.verification_report(known[0].run).await.expect("a report").is_some());
    assert!(!engine.checksums("home", None).await.expect("checksums").lines.is_empty());
    let ended = run(RunOptions::default()).await;
    assert_eq!(ended.state, RunState::Succeeded, "{ended:#?}");
    // What an earlier tool has left is taken over.
    let old = photos.parent().expect("the mirror").with_file_name("old");
    std::fs::create_dir_all(&old).expect("a folder");
    std::fs::write(old.join(format!("IMG {{{}}}.jpg", "x".repeat(60))), picture(300)).expect("a picture");
    let adopting = Adopting { place: Some(old), plan: Some("home".into()), ..Adopting::default() };
    let adopting = engine.adopting(adopting).await.expect("a plan");
    let told = engine.preview_adoption(&adopting).await.expect("a preview").adopted;
    let adopted = run(job(Job::Adopt(adopting.job))).await.adopted.expect("an adoption");
    assert_eq!((adopted, adopted.not_shown), (told, 1));
}

/// To a folder, to another account, and to the one that has lost something.
async fn restore_from_the_mirror(engine: &Engine, emulator: &Emulator, photos: &Path) {
    const OTHER: &str = "987654321-other.apps.googleusercontent.com";
    let url = emulator.url();
    let other = object(json!({
        "client_id": OTHER, "client_secret": "a-client-secret", "token": emulator.token_blob(OTHER, &[]),
        "token_url": format!("{url}/token"), "api_url": url, "batch_size": 5,
    }));
    let other = engine.add_storage("other", "gphotos", other).await.expect("a storage").id;
    let plan = engine.plan("home").await.expect("a plan");
    let folder = photos.parent().expect("the mirror").with_file_name("restored");
    for target in [RestoreTo::Folder(folder), RestoreTo::Storage(other), RestoreTo::Storage(plan.storage_id)]
    {
        let job = RestoreJob { target, selection: RestoreSelection::default() };
        for _ in 0..2 {
            engine.preview_restore(plan.id, &job).await.expect("a preview");
            let options = RunOptions { job: Job::Restore(job.clone()), ..RunOptions::default() };
            let ended =
                engine.start_with("home", options).await.expect("a run").finished().await.expect("its end");
            assert!(matches!(ended.state, RunState::Succeeded | RunState::Partial), "{ended:#?}");
        }
    }
}

/// Everything that an engine can do, once.
async fn live(folder: &Path) {
    let emulator = Emulator::start(gphotos_emulator::Settings {
        default_client_id: CLIENT_ID.into(),
        ..gphotos_emulator::Settings::default()
    })
    .await
    .expect("the emulator starts");
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).expect("a folder");
    for number in 1..=12 {
        std::fs::write(pictures.join(format!("IMG_{number:04}.jpg")), picture(number)).expect("a picture");
    }
    std::fs::write(pictures.join("empty.jpg"), "").expect("a file");
    emulator.world().seed(&Seed { items: 60, video_share: 0.1, ..Seed::plain(60, 4_000) });
    let registry = Registry::default().with(GPhotos::new());
    let engine = Engine::open(Settings::new(folder.join("data"), registry)).await.expect("an engine");
    let url = emulator.url();
    let storage = object(json!({
        "client_id": CLIENT_ID, "client_secret": "a-client-secret", "token": emulator.token_blob(CLIENT_ID, &[]),
        "token_url": format!("{url}/token"), "api_url": url, "batch_size": 5,
    }));
    engine.add_storage("family", "gphotos", storage.clone()).await.expect("a storage");
    let home = json!({
        "kind": "backup", "storage": "family", "destination": folder.join("mirror"), "albums": "symlink",
        "sidecars": "both", "deletion": {"gone": "trash", "after_listings": 2, "most_percent": 1},
    });
    let out = json!({"kind": "upload", "storage": "family", "sources": [pictures], "album": "Album"});
    engine.add_plan("home", object(home.clone())).await.expect("a plan");
    engine.add_plan("out", object(out)).await.expect("a plan");
    let going = folder.join("going");
    std::fs::create_dir_all(&going).expect("a folder");
    std::fs::write(going.join("IMG_0200.jpg"), picture(200)).expect("a picture");
    let gone = json!({"kind": "upload", "storage": "family", "sources": [going], "album": "{folder} {year}", "after": "delete"});
    engine.add_plan("gone", object(gone)).await.expect("a plan");
    // People who hear of everything, one of them never.
    let people = HttpServer::start().await;
    for (name, url) in [("hook", people.url("/hook")), ("deaf", "http://127.0.0.1:1/hook".into())] {
        let events = [NoticeEvent::Success, NoticeEvent::Partial, NoticeEvent::Failure, NoticeEvent::Overdue];
        let choice = ChannelChoice { events: Some(events.to_vec()), ..ChannelChoice::default() };
        let config = object(json!({"url": url}));
        let first = format!("the {name}");
        engine.add_channel(&first, "webhook", config, choice.clone()).await.expect("a channel");
        let channel = engine.update_channel(&first, None, choice.clone()).await.expect("changed");
        let change = ChannelChange { name: Some(name.into()), choice, ..ChannelChange::default() };
        engine.change_channel(channel.id, change).await.expect("renamed");
    }
    let plan = engine.plan("home").await.expect("a plan");
    for name in ["at home", "home"] {
        let change = PlanChange { name: Some(name.into()), config: object(home.clone()), seen: None };
        engine.change_plan(plan.id, change).await.expect("renamed");
    }
    for plan in ["out", "home"] {
        engine.estimate(plan).await.expect("an estimate");
    }
    emulator.world().add_fault(Fault::always(gphotos_emulator::Action::SmallPages { items: 20 }));
    for plan in ["out", "home", "home", "out", "gone", "gone"] {
        engine.start(plan).await.expect("a run").finished().await.expect("its end");
    }
    // A file that is gone is fetched again, also by a full listing.
    let gone = first_file(&folder.join("mirror/photos")).expect("a file");
    std::fs::remove_file(gone).expect("removed");
    let full = RunOptions { full_listing: true, ..RunOptions::default() };
    engine.start_with("home", full).await.expect("a run").finished().await.expect("its end");
    look_after_the_mirror(&engine, &emulator, &folder.join("mirror/photos")).await;
    // Reading a share of the mirror finds what its size does not tell.
    let mut shared = object(home.clone());
    shared.insert("verify_percent".into(), json!(100));
    engine.update_plan("home", shared).await.expect("updated");
    let rotten = first_file(&folder.join("mirror/photos")).expect("a file");
    let mut bytes = std::fs::read(&rotten).expect("its bytes");
    *bytes.last_mut().expect("a byte") ^= 1;
    std::fs::write(rotten, bytes).expect("written");
    engine.start("home").await.expect("a run").finished().await.expect("its end");
    let run = engine.runs(Some("home"), 1).await.expect("runs")[0].run;
    let problems = engine.verification_problems(run, None, 10).await.expect("problems");
    assert!(!problems.is_empty());
    assert!(engine.verification_problems(run, Some(problems[0].item.clone()), 10).await.is_ok());
    // What failed is tried again; it fails again, being empty.
    let failed = engine.runs(Some("out"), 1).await.expect("runs")[0].run;
    let again = engine.retry_failed(failed).await.expect("a run");
    engine.follow_run(again).await.expect("a run").finished().await.expect("its end");

    // By schedule, with all that can be asked of a run.
    let scheduler = engine.scheduler(SchedulerSettings::default()).await.expect("a scheduler");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(scheduler.run_until(async move { drop(stopped.await) }));
    let mut listening = engine.subscribe(Some(0)).await.expect("a subscription");
    let mut often = object(home);
    often.insert("schedule".into(), json!({"cron": "@every 1s", "timezone": "UTC"}));
    engine.update_plan("home", often).await.expect("updated");
    tokio::time::timeout(Duration::from_secs(30), async {
        let by_schedule =
            |run: &charon_engine::RunRecord| run.scheduled_for.is_some() && run.state == RunState::Succeeded;
        while !engine.runs(Some("home"), 5).await.expect("runs").iter().any(by_schedule) {
            listening.next().await.expect("something happens");
        }
    })
    .await
    .expect("it is due every second");
    engine.pause_plan("home", Some(Timestamp::MAX)).await.expect("paused");
    engine.resume_plan("home").await.expect("resumed");
    engine.pause_plan("home", None).await.expect("paused");
    let (asked, _) =
        engine.ask_for_run("out", charon_engine::Trigger::Api, RunOptions::default()).await.expect("a run");
    // It may have ended before it is asked for anything.
    drop(engine.pause_run(asked).await);
    drop(engine.resume_run(asked).await);
    drop(engine.cancel_run(asked).await);
    engine.update_storage("family", storage.clone()).await.expect("updated");
    let family = engine.storage("family").await.expect("a storage");
    engine.test_storage(family.id).await.expect("a storage").collect::<Vec<_>>().await;
    engine.storage_details().await.expect("details");
    let renamed = StorageChange { name: "kin".into(), config: family.config, seen: Some(family.revision) };
    engine.change_storage(family.id, renamed).await.expect("renamed");
    let told = AccountTold { name: Some("anna@example.org".into()), id: None };
    engine.account_was_told(family.id, &told).await.expect("told");
    engine.add_storage("spare", "gphotos", storage).await.expect("a storage");
    engine.remove_storage("spare").await.expect("removed");
    inbox(&engine, family.id).await;
    drop(stop);
    serving.await.expect("no panic").expect("it ends");

    // Every list, in every way.
    let plan = Some(engine.plan("home").await.expect("a plan").id);
    for state in [None, Some(RunState::Succeeded)] {
        for plan in [None, plan] {
            engine.runs_of(&RunFilter { plan, state, before: None }, 10).await.expect("runs");
        }
    }
    for outcome in [None, Some(Outcome::Done), Some(Outcome::Skipped), Some(Outcome::Failed)] {
        engine.run_items(failed, &ItemFilter { outcome, after: None }, 10).await.expect("items");
    }
    library(&engine).await;
    let storage = engine.storages().await.expect("storages")[0].id;
    engine.browse_items(storage, None, None).await.expect("a page");
    engine.overview().await.expect("a glance");
    engine.dashboard(&jiff::tz::TimeZone::UTC).await.expect("a dashboard");
    engine.run_failures(failed).await.expect("failures");
    let mut log = engine.run_log(failed).await.expect("a log");
    while log.next_page().await.expect("a page").is_some() {}
    engine.events(None, 0, 10).await.expect("events");
    engine.events(Some(failed), 0, 10).await.expect("events");
    engine.run_progress(failed).await.expect("progress");
    engine.occurrences("home", Timestamp::UNIX_EPOCH, 10).await.expect("occurrences");
    engine.budget().await.expect("budgets");
    engine.requests_by_day(14).await.expect("days");
    engine.deliver_due(Timestamp::UNIX_EPOCH).await.expect("told");
    for state in [None, Some(DeliveryState::Pending), Some(DeliveryState::Delivered)] {
        for channel in [None, Some("hook")] {
            engine.deliveries(channel, state, 10).await.expect("what was told");
        }
    }
    come_in(&engine).await;
    assert!(!people.received().is_empty(), "somebody is told");
    engine.remove_channel("deaf").await.expect("removed");
    engine.remove_plan("out").await.expect("removed");
    engine.close().await;
    emulator.stop().await;
}

/// Every list of a library, in every way.
async fn library(engine: &Engine) {
    let plan = engine.plan("home").await.expect("a plan").id;
    let album = engine.library_albums(plan).await.expect("albums").first().map(|album| album.id.clone());
    let any = LibraryFilter::default();
    for name in [None, Some("IMG_00".to_owned())] {
        for album in [None, album.clone()] {
            let filter = LibraryFilter { name: name.clone(), album, ..any.clone() };
            let page = engine.library(plan, &filter, None, 5).await.expect("a page");
            assert!(!page.items.is_empty(), "{filter:?}");
        }
    }
    engine.library_months(plan, &any).await.expect("months");
    let newest = engine.library(plan, &any, None, 1).await.expect("a page").items[0].id;
    engine.library_item(plan, newest).await.expect("an item");
}

/// Files that are handed over, one of them twice, and what is asked of those that wait.
async fn inbox(engine: &Engine, storage: StorageId) {
    let mut receipts = Vec::new();
    for (number, key) in [(101, "one"), (101, "one"), (102, "two")] {
        let handing = Handing { name: "door.jpg".into(), key: Some(key.to_owned()), ..Handing::default() };
        let mut receiving = engine.receive(storage, handing).await.expect("it begins");
        receiving.write(picture(number).into()).await.expect("it comes");
        let receipt = receiving.finish(Mode::Async).await.expect("a receipt");
        engine.receipt_in_the_end(receipt.id, Duration::from_secs(30)).await.expect("its end");
        receipts.push(receipt.id);
    }
    assert_eq!(receipts[0], receipts[1]);
    engine.receipts(storage, None, 5).await.expect("receipts");
    let run = engine.receipt(receipts[2]).await.expect("a receipt").run.expect("its run");
    engine.retry_failed(run).await.expect_err("nothing waits");
}

/// Everything that those who come in over HTTP make the engine do.
async fn come_in(engine: &Engine) {
    let (first, second) = ("the first password".into(), "the second password".into());
    engine.set_first_password(&first).await.expect("a password");
    engine.change_password(&first, &second, None).await.expect("changed");
    engine.reset_password(&first).await.expect("reset");
    let opened = engine.open_session("127.0.0.1", None).await.expect("a session");
    engine.session(&opened.secret).await.expect("an answer").expect("a session");
    engine.end_session(opened.session.id).await.expect("ended");
    engine.end_sessions(None).await.expect("ended");
    assert!(engine.sessions().await.expect("sessions").is_empty());
    let new = engine.create_token("phone", Scope::Read, None).await.expect("a token");
    engine.token(&new.secret).await.expect("an answer").expect("a token");
    assert_eq!(engine.tokens().await.expect("tokens").len(), 1);
    engine.revoke_token(new.token.id).await.expect("revoked");
    engine.audit(NewAuditEntry { action: "test".into(), ..NewAuditEntry::default() }).await.expect("written");
    for before in [None, Some(100)] {
        engine.audit_entries(before, 10).await.expect("entries");
    }
    let seen = engine.instance_settings().await.expect("settings").revision;
    engine.replace_instance_settings(seen, Map::new()).await.expect("set");
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn first_file(folder: &Path) -> Option<std::path::PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    entries
        .into_iter()
        .find_map(|entry| if entry.path().is_dir() { first_file(&entry.path()) } else { Some(entry.path()) })
}
