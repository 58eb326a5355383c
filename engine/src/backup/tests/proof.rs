//! Files that are no longer as they were stored.

use super::{
    Place,
    shelf::{JPEG, shown},
};
use crate::{
    job::VerifyJob,
    verify::{self, Findings, Verification},
};

/// Verifies the mirror; gives what was found, and how many items were repaired and failed.
async fn verified(place: &Place, repair: bool) -> (Findings, u64, u64) {
    let (backup, progress) = place.backup(|_| {}).await;
    let ctx = backup.context().clone();
    let job = VerifyJob { repair, percent: None };
    verify::run(Verification { backup, job }).await;
    assert_eq!(ctx.stopped(), None);
    let items = progress.borrow().items;
    let standing = place.store.verification(ctx.run).await.expect("the database").expect("a verification");
    (standing.findings, items.done, items.failed)
}

#[tokio::test]
async fn an_original_that_was_changed_is_not_replaced_by_a_copy_of_lesser_fidelity() {
    // I5
    let place = Place::new().await;
    place.shelf.state().items = vec![shown("a"), shown("b"), shown("c")];
    for name in ["a", "b", "c"] {
        place.shelf.state().originals.insert(name, [JPEG, b"the original ", name.as_bytes()].concat().into());
    }
    place.counts(3, 0, 0, 0).await;
    let file = |name: &str| place.path(&format!("mirror/photos/2024/07/{name}.jpg"));
    std::fs::write(file("a"), b"a letter that is of use to somebody").expect("a file");
    std::fs::remove_file(file("b")).expect("it is there");
    // From now on the storage has no originals.
    place.shelf.state().originals.clear();
    let (found, repaired, failed) = verified(&place, true).await;
    assert_eq!((found.good, found.changed, found.missing), (1, 1, 1));
    assert_eq!((repaired, failed), (1, 1));
    assert_eq!(std::fs::read(file("a")).expect("a file"), b"a letter that is of use to somebody");
    // What was gone altogether is home as a copy, and is known as one.
    assert_eq!(std::fs::read(file("b")).expect("a file"), [JPEG, b"b"].concat());
    // Nor do later runs put a copy into its place.
    let ended = place.counts(0, 2, 0, 1).await;
    assert_eq!(ended.stop, None);
    assert_eq!(std::fs::read(file("a")).expect("a file"), b"a letter that is of use to somebody");
    // The original is of use again when it comes.
    place.shelf.state().originals.insert("a", [JPEG, b"the original a"].concat().into());
    place.counts(1, 2, 0, 0).await;
    assert_eq!(std::fs::read(file("a")).expect("a file"), [JPEG, b"the original a"].concat());
    let (found, ..) = verified(&place, false).await;
    assert_eq!((found.good, found.bad()), (3, 0));
}
