//! Kills while a database is made, or brought to the present version: the next start ends what was begun, and nothing is lost.

use std::path::Path;

use sqlx::{
    ConnectOptions, Connection, Executor, Row,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};
use tokio::time::{Duration, Instant, sleep};

use super::{
    assert_database_is_sound,
    lives::{kill_when, kills, seed},
};
use crate::support::{Place, dice::Dice};

/// What a Charon of the first version has left: enough that bringing it to the present one takes a moment.
const ROWS: &str = "
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
    INSERT INTO assets SELECT n FROM numbers;
    INSERT INTO contents SELECT id, printf('%064x', id), id, 'original' FROM assets;";

async fn leave_an_old_database(place: &Place) {
    std::fs::create_dir_all(place.data_dir()).expect("a folder");
    let file = place.data_dir().join("charon.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut old = options.connect().await.expect("a database");
    let first = sqlx::SqlStr::from_static(include_str!("../../engine/migrations/0001_first_rooms.sql"));
    let first = Migration::new(1, "first rooms".into(), MigrationType::Simple, first, false);
    Migrator::with_migrations(vec![first]).run(&mut old).await.expect("the first version");
    old.execute(ROWS).await.expect("its rows");
    old.close().await.expect("closed");
}

/// Kills one start after another, each a little later in what it does with its database, and gives how many were killed.
async fn kill_at_the_opening(is_old: bool) -> u64 {
    let mut dice = Dice(seed());
    let mut killed = 0;
    for _ in 0..kills().div_ceil(5) {
        let place = Place::new().await;
        if is_old {
            leave_an_old_database(&place).await;
        }
        let data = place.data_dir();
        // Another start finds what the one before it has left.
        for _ in 0..3 {
            let milestones = ["charon.migrating", "charon.db-wal", ".partial", "charon.key"];
            let milestone = milestones[usize::try_from(dice.roll(4)).expect("a few")];
            let then = Duration::from_micros(dice.roll(15_000));
            let child = place.spawn(&["run", "home", "--json"]);
            let comes = async {
                while !is_there(&data, milestone) {
                    sleep(Duration::from_millis(1)).await;
                }
                sleep(then).await;
            };
            killed += u64::from(kill_when(child, comes).await);
        }
        let ended = place.charon(&["runs", "--json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.json(), serde_json::json!([]));
        assert_database_is_sound(&place).await;
        assert!(std::fs::read_dir(&data).expect("a folder").flatten().all(|entry| {
            std::path::Path::new(&entry.file_name())
                .extension()
                .is_none_or(|extension| extension != "partial")
        }));
        if is_old {
            let file = data.join("charon.db");
            let mut database =
                SqliteConnectOptions::new().filename(&file).connect().await.expect("a database");
            let row = database.fetch_one("SELECT COUNT(*), SUM(size) FROM contents").await.expect("its rows");
            assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (20_000, 200_010_000));
        }
    }
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_making_or_updating_was_killed_is_finished_by_the_next_start() {
    // I2
    let began = Instant::now();
    let (made, updated) = tokio::join!(kill_at_the_opening(false), kill_at_the_opening(true));
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "opening: {made} kills of a new database, {updated} of an old one, seed {}; {seconds:.1} s",
        seed()
    );
    assert!(made + updated > 0);
}

/// Whether there is a file whose name ends so; what is copied aside is named after the version that comes next.
fn is_there(folder: &Path, ending: &str) -> bool {
    let names =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name());
    names.into_iter().any(|name| name.to_string_lossy().ends_with(ending))
}
