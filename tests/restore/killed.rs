//! Killed in the middle, and repeated.

use std::{fs, os::unix::process::ExitStatusExt, path::Path};

use tokio::time::{Duration, sleep};

use super::{at_home, counts, restore, storage, tree};
use crate::support::dice::Dice;

/// How many files have come to a folder.
fn come(root: &Path) -> usize {
    let Ok(years) = fs::read_dir(root.join("photos")) else { return 0 };
    let folders = years.flatten().filter_map(|year| fs::read_dir(year.path()).ok()).flatten().flatten();
    folders.filter_map(|month| fs::read_dir(month.path()).ok()).map(Iterator::count).sum()
}

#[tokio::test]
async fn a_restore_that_is_killed_again_and_again_ends_whole_with_nothing_twice() {
    // I1, I2
    let place = at_home(400).await;
    let expected = tree(&place.path("mirror"));
    let back = place.path("back");
    let mut dice = Dice(7);
    let mut kills = 0;
    for wanted in [1, 60, 180, 320, 700] {
        let mut child = place.spawn(&["restore", "home", "--to-folder", "back", "--json"]);
        let comes = async {
            while come(&back) < wanted {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_micros(dice.roll(5_000))).await;
        };
        tokio::select! {
            _ = child.wait() => {}
            () = comes => child.start_kill().expect("it can be killed"),
        }
        kills += u32::from(child.wait().await.expect("it ends").signal() == Some(9));
        // What is there is whole.
        for (path, entry) in tree(&back).iter().filter(|(path, _)| !path.starts_with(".charon-restore")) {
            assert!(expected.get(path) == Some(entry), "{path}");
        }
    }
    assert!(kills >= 3, "it was over after {kills} kills");
    let (code, summary) = restore(&place, &["--to-folder", "back"]).await;
    let [done, unchanged, skipped, failed] = counts(&summary);
    assert_eq!((code, done + unchanged, skipped, failed), (Some(0), 400, 0, 0), "{summary:#}");
    assert!(tree(&back) == expected, "{:?}", tree(&back).keys());
}

#[tokio::test]
async fn a_restore_to_an_account_that_is_killed_again_and_again_sends_nothing_twice() {
    // I2
    let place = storage::two_accounts(200).await;
    let own = crate::support::CLIENT_ID;
    let (photos, albums) = (storage::photos_of(&place, own), storage::albums_of(&place, own));
    let mut dice = Dice(3);
    let mut kills = 0;
    for (kind, more) in
        [("albums.create", 1), ("uploads", 30), ("mediaItems.batchCreate", 1), ("uploads", 70)]
    {
        let before = place.count(kind);
        let mut child = place.spawn(&["restore", "home", "--to-storage", "new", "--json"]);
        let comes = async {
            place.until(kind, |stats| stats.count(kind) >= before + more).await;
            sleep(Duration::from_micros(dice.roll(20_000))).await;
        };
        tokio::select! {
            _ = child.wait() => {}
            () = comes => child.start_kill().expect("it can be killed"),
        }
        kills += u32::from(child.wait().await.expect("it ends").signal() == Some(9));
    }
    assert!(kills >= 3, "it was over after {kills} kills");
    let (code, summary) = storage::restore(&place, "new", &[]).await;
    let [done, unchanged, skipped, failed] = counts(&summary);
    assert_eq!((code, done + unchanged, skipped, failed), (Some(0), 200, 0, 0), "{summary:#}");
    assert!(storage::photos_of(&place, storage::OTHER) == photos);
    assert_eq!(storage::albums_of(&place, storage::OTHER), albums);
    let (code, summary) = storage::restore(&place, "new", &[]).await;
    assert_eq!((code, counts(&summary)), (Some(0), [0, 200, 0, 0]), "{summary:#}");
}

#[tokio::test]
async fn what_a_killed_restore_left_half_done_is_taken_away_even_when_it_was_cancelled() {
    let place = at_home(400).await;
    let back = place.path("back");
    let unfinished = back.join(".charon-restore");
    let mut child = place.spawn(&["restore", "home", "--to-folder", "back"]);
    while come(&back) < 20 {
        tokio::task::yield_now().await;
    }
    child.start_kill().expect("it can be killed");
    assert_eq!(child.wait().await.expect("it ends").signal(), Some(9));
    assert_eq!(fs::read_dir(&unfinished).expect("a folder").count(), 1);
    place.done(&["runs", "cancel", "home"]).await;
    // What somebody else has put there is theirs.
    fs::create_dir(unfinished.join("mine")).expect("a folder");
    let (code, _) = restore(&place, &["--to-folder", "back"]).await;
    let left: Vec<_> =
        fs::read_dir(&unfinished).expect("a folder").flatten().map(|left| left.file_name()).collect();
    assert_eq!((code, left), (Some(0), vec!["mine".into()]));
}
