//! Files on their way to the trash and back, where something goes wrong on the way.

use super::{
    Place,
    shelf::{JPEG, shown},
};
use crate::plan::{DeletionConfig, Gone};

/// A mirror of three items whose plan moves what is gone to the trash after two listings. Every listing is a full one.
async fn place() -> Place {
    let mut place = Place::new().await;
    place.hours = 0;
    place.keeping.deletion = DeletionConfig {
        gone: Gone::Trash,
        after_listings: 2,
        most_percent: 100,
        ..DeletionConfig::default()
    };
    place.shelf.state().items = vec![shown("a"), shown("b"), shown("c")];
    place.counts(3, 0, 0, 0).await;
    place
}

/// What is in the trash, as the ledger has it.
async fn trashed(place: &Place) -> Vec<String> {
    let files = place.store.trashed(place.plan, place.storage, 0, 100).await.expect("the database");
    files.into_iter().map(|file| file.aside).collect()
}

#[tokio::test]
async fn a_file_that_was_put_back_and_not_recorded_is_home_again() {
    // I2, I5
    let place = place().await;
    place.shelf.state().items.remove(1);
    place.counts(0, 2, 0, 0).await;
    place.counts(1, 2, 0, 0).await;
    let aside = trashed(&place).await;
    assert_eq!(aside.len(), 1);
    // It comes back to the account, and a run is killed when it has just put the file back.
    place.shelf.state().items.insert(1, shown("b"));
    let file = place.path("mirror/photos/2024/07/b.jpg");
    std::fs::rename(place.path("mirror").join(&aside[0]), &file).expect("put back");
    place.shelf.asked("");
    place.counts(1, 2, 0, 0).await;
    assert_eq!(place.shelf.asked("open"), [""; 0], "it is not fetched");
    assert_eq!(trashed(&place).await, [""; 0]);
    assert_eq!(std::fs::read(&file).expect("a file"), [JPEG, b"b"].concat());
    place.counts(0, 3, 0, 0).await;
}

#[tokio::test]
async fn a_file_that_is_not_as_it_was_stored_is_kept_for_good() {
    // I5
    let place = place().await;
    let file = place.path("mirror/photos/2024/07/b.jpg");
    std::fs::write(&file, [JPEG, b"B"].concat()).expect("changed");
    place.shelf.state().items.remove(1);
    place.counts(0, 2, 0, 0).await;
    place.counts(1, 2, 0, 0).await;
    assert!(!file.exists());
    assert_eq!(trashed(&place).await, [""; 0], "nobody removes it by and by");
    let aside = std::fs::read_dir(place.path("mirror/.charon/set-aside")).expect("a folder");
    let kept: Vec<_> = aside.map(|folder| folder.expect("an entry").path().join("b.jpg")).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(std::fs::read(&kept[0]).expect("a file"), [JPEG, b"B"].concat());
    place.counts(0, 2, 0, 0).await;
}

#[tokio::test]
async fn a_move_that_was_broken_off_in_the_middle_is_finished() {
    // I2: where a server renames by copying, both are there.
    let place = place().await;
    place.shelf.state().items.remove(1);
    place.counts(0, 2, 0, 0).await;
    place.counts(1, 2, 0, 0).await;
    let aside = place.path("mirror").join(&trashed(&place).await[0]);
    std::fs::copy(&aside, place.path("mirror/photos/2024/07/b.jpg")).expect("copied");
    place.shelf.state().items.insert(1, shown("b"));
    place.counts(1, 2, 0, 0).await;
    assert_eq!(trashed(&place).await, [""; 0]);
    assert!(!aside.exists());
}
