//! `kill -9` of the real process at many random moments of a long backup and of a long upload: at the end everything is
//! there once, and by the emulator's own counts nothing went over the wire again that had been acknowledged, but for what
//! was under way at a kill, which is at most one file for each connection.
//!
//! `CHARON_KILL_SEED` chooses the moments, `CHARON_KILLS` how many there are.

#![cfg(unix)]

mod lives;
mod opening;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
};

use gphotos_emulator::Settings;
use sqlx::{ConnectOptions, Row, sqlite::SqliteConnectOptions};

use tokio::time::Duration;

use crate::support::{CLIENT_ID, Place, dice::Dice, hex_sha256, picture};
use lives::{Figures, Moment, kill_at, kills, seed};

/// How many files may be under way at a time, unless a storage says otherwise.
const CONNECTIONS: u64 = 16;
/// How many items one commit makes at the most.
const BATCH: u64 = 50;
const MIB: u64 = 1024 * 1024;
/// Larger files go up in more than one request, each of which may bring bytes again.
const LARGEST_IN_ONE: u64 = 32 * MIB;

/// What the emulator has counted of one file: how long it is, how much of it moved, how much again, and how often.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    size: u64,
    bytes: u64,
    bytes_again: u64,
    times_again: u64,
    is_whole: bool,
}

type Count = fn(&Place) -> BTreeMap<String, Moved>;

fn sent(place: &Place) -> BTreeMap<String, Moved> {
    let sent = place.world().sent().into_iter();
    sent.map(|one| {
        let moved = Moved {
            size: one.size.expect("the length is always told"),
            bytes: one.bytes_received,
            bytes_again: one.bytes_again,
            times_again: one.times_again,
            is_whole: one.times_finished > 0,
        };
        (one.name, moved)
    })
    .collect()
}

fn served(place: &Place) -> BTreeMap<String, Moved> {
    let served = place.world().served().into_iter();
    served
        .map(|one| {
            let moved = Moved {
                size: one.size,
                bytes: one.bytes_sent,
                bytes_again: one.bytes_again,
                times_again: one.times_again,
                is_whole: one.bytes_reached == one.size,
            };
            (one.item_id, moved)
        })
        .collect()
}

/// How many requests of any kind the emulator has seen.
fn requests(place: &Place) -> u64 {
    place.world().stats().requests.values().sum()
}

/// What is done again and again until all kills are over.
struct Work {
    way: &'static str,
    plan: &'static str,
    count: Count,
    files: u64,
    bytes: u64,
    /// The requests that move bytes, and others that are worth a kill.
    kind: &'static str,
    rare: &'static [&'static str],
}

impl Work {
    /// Kills it again and again, lets it come to its end, and checks what went over the wire.
    async fn kill_again_and_again(&self, place: &Place) {
        let mut dice = Dice(seed());
        let mut figures = Figures::new(self.way, self.bytes);
        let mut before = BTreeMap::new();
        let wanted = kills();
        while figures.kills < wanted {
            let whole = before.values().filter(|moved: &&Moved| moved.is_whole).count() as u64;
            let left = self.files - whole;
            let requests = requests(place);
            let moment = Moment::random(&mut dice, left, wanted - figures.kills, self.kind, self.rare);
            if kill_at(place, self.plan, &moment).await {
                figures.kills += 1;
                figures.before_any_request += u64::from(requests == self::requests(place));
            } else {
                eprintln!("{}: it ended before {moment:?}, with {left} files left", self.way);
                if left == 0 {
                    break;
                }
            }
            before = self.look(place, &before, &mut figures, &moment);
            let whole = before.values().filter(|moved| moved.is_whole).count() as u64;
            figures.done_at.push(100 * whole / self.files);
        }
        let (code, summary) = place.run(self.plan).await;
        assert_eq!(code, 0, "{summary:#}");
        let after = self.look(place, &before, &mut figures, &Moment::Start(Duration::ZERO));
        figures.tell();
        assert!(10 * figures.kills >= 9 * wanted, "it was over after {} kills", figures.kills);
        assert_eq!(after.len() as u64, self.files, "each was moved");
        assert!(after.values().all(|moved| moved.is_whole), "and each of them whole");

        let moved = place.count(self.kind);
        let (code, summary) = place.run(self.plan).await;
        assert_eq!((code, &summary["items"]["done"]), (0, &0.into()), "{summary:#}");
        assert_eq!(summary["items"]["unchanged"], self.files, "{summary:#}");
        assert_eq!(place.count(self.kind), moved, "one more run moves nothing");
    }

    /// Adds what one life has moved to the figures. What moved again was under way at a kill before it.
    fn look(
        &self,
        place: &Place,
        before: &BTreeMap<String, Moved>,
        figures: &mut Figures,
        moment: &Moment,
    ) -> BTreeMap<String, Moved> {
        let now = (self.count)(place);
        let was = |name: &String| before.get(name).copied().unwrap_or_default();
        let (mut times, mut bytes, mut touched) = (0, 0, BTreeMap::new());
        for (name, moved) in &now {
            let again = moved.times_again - was(name).times_again;
            times += if moved.size > LARGEST_IN_ONE { again.min(1) } else { again };
            bytes += moved.bytes_again - was(name).bytes_again;
            if moved.bytes > was(name).bytes {
                touched.insert(name.clone(), moved.size);
            }
        }
        // What was under way at the end of the life before this one had moved in it, or was answered when it was over.
        let mut under_way = std::mem::replace(&mut figures.touched, touched.clone());
        under_way.extend(touched);
        let mut sizes: Vec<u64> = under_way.into_values().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let connections = usize::try_from(CONNECTIONS).expect("a few");
        if figures.kills_before > figures.kills_allowed_for {
            figures.kills_allowed_for = figures.kills_before;
            figures.allowed += sizes.iter().take(connections).sum::<u64>();
        }
        figures.times_again += times;
        figures.bytes_again += bytes;
        figures.most_again = figures.most_again.max(times);
        let told = format!("{} kills by seed {}, the last {moment:?}", figures.kills, seed());
        assert!(
            figures.times_again <= CONNECTIONS * figures.kills_before,
            "{}: {} files moved again, {times} of them in the last life: {told}",
            self.way,
            figures.times_again,
        );
        assert!(
            figures.bytes_again <= figures.allowed,
            "{}: {} bytes moved again, of {} that were under way: {told}",
            self.way,
            figures.bytes_again,
            figures.allowed,
        );
        figures.kills_before = figures.kills;
        now
    }
}

/// Checks that the database is what a database should be.
async fn assert_database_is_sound(place: &Place) {
    let file = place.data_dir().join("charon.db");
    let mut database =
        SqliteConnectOptions::new().filename(&file).read_only(true).connect().await.expect("a database");
    let answer = sqlx::query("PRAGMA integrity_check").fetch_all(&mut database).await.expect("an answer");
    let answer: Vec<String> = answer.iter().map(|row| row.get(0)).collect();
    assert_eq!(answer, ["ok"]);
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut database).await.expect("an answer");
    assert_eq!(dangling.len(), 0);
}

/// Answers come late enough that more than one request is under way.
fn slow() -> Settings {
    Settings { keep_bytes: true, latency_ms: 3, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_killed_at_fifty_moments_sends_nothing_again_but_what_was_under_way() {
    // I2
    const SMALL: u32 = 1200;
    let place = Place::with(slow()).await;
    place.draw("pictures", 0..SMALL);
    for (number, mib) in [(100, 70), (500, 40), (900, 70)] {
        // Most of it is a hole: it takes no room on the disk.
        let path = place.path("pictures").join(format!("IMG_{number:04}_large.jpg"));
        let mut file = File::create(path).expect("a file");
        file.write_all(&picture(SMALL + number)).expect("its beginning");
        file.set_len(mib * MIB).expect("a hole");
    }
    place.add_upload().await;
    let files: Vec<_> = fs::read_dir(place.path("pictures")).expect("the folder").flatten().collect();
    let bytes = files.iter().map(|file| file.metadata().expect("its size").len()).sum();
    let files = files.len() as u64;
    let work = Work {
        way: "upload",
        plan: "out",
        count: sent,
        files,
        bytes,
        kind: "uploads",
        rare: &[
            "mediaItems.batchCreate",
            "mediaItems.batchCreate",
            "uploads.start",
            "uploads.query",
            "albums.list",
        ],
    };
    work.kill_again_and_again(&place).await;

    place.assert_account_holds("pictures", "Album");
    assert_database_is_sound(&place).await;
    let (stats, albums) = (place.world().stats(), place.world().albums());
    assert_eq!(albums[0].item_ids.len() as u64, files, "each is in the album once");
    assert_eq!((stats.items_created, place.world().item_count() as u64), (files, files));
    let met_again = stats.items_met_again;
    assert!(
        met_again <= BATCH * kills(),
        "{met_again} were committed twice, and one commit may be lost a kill"
    );
    eprintln!("upload: {met_again} items were committed again, whose commit nobody had recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_at_fifty_moments_fetches_nothing_again_but_what_was_under_way() {
    // I2
    const SMALL: u32 = 1200;
    let place = Place::with(slow()).await;
    place.seed(SMALL);
    for number in 0..4_u32 {
        let name = format!("long_{number}.mp4");
        place.world().add_large_video(CLIENT_ID, &name, 3_000_000 + u64::from(number), number.into());
    }
    place.add_backup().await;
    let items = place.world().items();
    let work = Work {
        way: "backup",
        plan: "home",
        count: served,
        files: items.len() as u64,
        bytes: items.iter().filter_map(|item| item.size).sum(),
        kind: "media.bytes",
        rare: &["mediaItems.list"],
    };
    work.kill_again_and_again(&place).await;

    assert_database_is_sound(&place).await;
    let mut expected: Vec<String> = items.into_iter().map(|item| item.sha256.expect("a hash")).collect();
    let mut found: Vec<String> = place.mirrored().iter().map(|(_, bytes)| hex_sha256(bytes)).collect();
    expected.sort();
    found.sort();
    assert_eq!(found.len(), expected.len(), "files in the mirror");
    assert!(found == expected, "the bytes of the mirror are those of the account");
    let own = place.path("mirror/.charon");
    assert_eq!(fs::read_dir(own.join("incoming")).expect("a folder").count(), 0, "nothing half done is left");
    assert!(!own.join("set-aside").exists(), "nothing was in the way");
}
