//! Bytes that break off, that are something else, that meet somebody else's file.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use charon_provider::{
    Body, Class, Error, Fidelity, Kind, Part, Readiness, Reason, RemoteId, RemoteItem, ResumePoint,
};
use futures::{StreamExt, stream};

use super::{Incoming, Mirror, Received, Site};
use crate::{
    clock::{SystemClock, SystemEntropy},
    ids::{PlanId, RunId},
};

pub(super) const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";

/// An open mirror.
pub(super) struct Place {
    mirror: Arc<Mirror>,
    _folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn mirror(&self) -> Arc<Mirror> {
        Arc::clone(&self.mirror)
    }

    pub(super) fn root(&self) -> &Path {
        self.mirror.site.root().expect("a folder")
    }
}

pub(super) async fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = PlanId::new(&SystemClock, &SystemEntropy);
    let root = folder.path().join("mirror");
    Mirror::initialise(&Site::folder(&root), plan).await.expect("an empty folder");
    let run = RunId::new(&SystemClock, &SystemEntropy);
    let mirror = Arc::new(Mirror::open(Site::folder(&root), plan, run).await.expect("its marker"));
    Place { mirror, _folder: folder }
}

pub(super) fn item() -> RemoteItem {
    RemoteItem {
        id: RemoteId("id".into()),
        file_name: "a.jpg".into(),
        mime_type: "image/jpeg".into(),
        kind: Kind::Photo,
        taken_at: None,
        width: None,
        height: None,
        size: None,
        has_clip: false,
        readiness: Readiness::Ready,
        description: None,
        camera: None,
        address: None,
    }
}

/// How many temporary files there are.
pub(super) fn left_behind(place: &Place) -> usize {
    std::fs::read_dir(place.root().join(".charon/incoming")).expect("a folder").count()
}

fn body(chunks: &[&'static [u8]], length: u64) -> Body {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
    Body {
        offset: 0,
        length: Some(length),
        validator: None,
        may_be_bundle: false,
        fidelity: Fidelity::ApiCopy,
        bytes: stream::iter(chunks).boxed(),
    }
}

/// A body that brings this much and then breaks off.
fn broken(offset: u64, bytes: &'static [u8], length: u64, validator: &str) -> Body {
    let reset = Error::new(Class::Transient, "fetch a.jpg", "connection reset");
    Body {
        offset,
        validator: Some(validator.into()),
        bytes: stream::iter([Ok(Bytes::from_static(bytes)), Err(reset)]).boxed(),
        ..body(&[], length)
    }
}

async fn receive(place: &Place, body: Body) -> Result<Received, Error> {
    let arrived = Incoming::new(place.mirror(), Part::Whole).take(body, &item()).await?;
    Ok(arrived.whole.expect("the whole"))
}

fn hash(bytes: &[u8]) -> crate::ids::Sha256 {
    use sha2::Digest;
    crate::ids::Sha256(sha2::Sha256::digest(bytes).into())
}

#[tokio::test]
async fn bytes_are_placed_with_the_capture_time() {
    // I1
    let place = place().await;
    let received = receive(&place, body(&[JPEG, b"more"], 15)).await.expect("bytes");
    let taken_at = "1969-07-20T20:17:40Z".parse().expect("a time");
    place.mirror.place(received, "photos/1969/07/a.jpg", Some(taken_at), false).await.expect("a place");
    place.mirror.settle(&["photos/1969/07/a.jpg".to_owned()]).await.expect("flushed");
    let file = place.root().join("photos/1969/07/a.jpg");
    assert_eq!(std::fs::read(&file).expect("the file"), [JPEG, b"more"].concat());
    let modified = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).expect("its time");
    assert_eq!(modified, std::time::SystemTime::from(taken_at));
    assert_eq!(left_behind(&place), 0);
}

#[tokio::test]
async fn somebody_elses_file_is_never_overwritten_and_ones_own_is() {
    // I2, I11
    let place = place().await;
    let file = place.root().join("a.jpg");
    let taken_at = Some("2020-02-02T02:02:02Z".parse().expect("a time"));
    std::fs::write(&file, "a letter").expect("a file");
    let received = receive(&place, body(&[JPEG], 11)).await.expect("bytes");
    let error =
        place.mirror.place(received, "a.jpg", taken_at, false).await.expect_err("something is in the way");
    assert_eq!(error.class, Class::Item, "{error}");
    assert_eq!(std::fs::read(&file).expect("the file"), b"a letter");
    std::fs::write(&file, JPEG).expect("a file");
    let received = receive(&place, body(&[JPEG], 11)).await.expect("bytes");
    place.mirror.place(received, "a.jpg", taken_at, false).await.expect("these bytes are there already");
    assert_eq!(left_behind(&place), 0);
}

#[tokio::test]
async fn what_is_in_the_way_of_an_undated_item_is_set_aside() {
    // I2: an earlier run may have put it there, with the time of that run.
    let place = place().await;
    std::fs::write(place.root().join("a.jpg"), [JPEG, b"once"].concat()).expect("a file");
    let received = receive(&place, body(&[JPEG], 11)).await.expect("bytes");
    let aside =
        place.mirror.place(received, "a.jpg", None, false).await.expect("a place").expect("one was there");
    assert_eq!(std::fs::read(place.root().join("a.jpg")).expect("the file"), JPEG);
    let first = std::fs::read(place.root().join(&aside)).expect("the other file");
    assert_eq!(first, [JPEG, b"once"].concat());
    // What is set aside never takes the place of what has been.
    std::fs::write(place.root().join("a.jpg"), [JPEG, b"twice"].concat()).expect("a file");
    let received = receive(&place, body(&[JPEG], 11)).await.expect("bytes");
    let other =
        place.mirror.place(received, "a.jpg", None, false).await.expect("a place").expect("one was there");
    assert_ne!(other, aside);
    assert_eq!(std::fs::read(place.root().join(&aside)).expect("the other file"), first);
}

#[tokio::test]
async fn a_file_that_was_changed_since_it_was_stored_is_set_aside() {
    // I2, I5
    let place = place().await;
    std::fs::write(place.root().join("a.jpg"), &JPEG[..5]).expect("a file");
    let received = receive(&place, body(&[JPEG], 11)).await.expect("bytes");
    let taken_at = Some("2020-02-02T02:02:02Z".parse().expect("a time"));
    let aside =
        place.mirror.place(received, "a.jpg", taken_at, true).await.expect("a place").expect("one was there");
    assert_eq!(std::fs::read(place.root().join("a.jpg")).expect("the file"), JPEG);
    assert_eq!(std::fs::read(place.root().join(aside)).expect("the other file"), JPEG[..5]);
}

#[tokio::test]
async fn only_a_file_of_the_right_size_is_held_and_only_what_is_surely_not_there_is_gone() {
    // I10
    let place = place().await;
    let root = place.root();
    std::fs::write(root.join("a.jpg"), JPEG).expect("a file");
    std::fs::create_dir(root.join("b.jpg")).expect("a folder");
    let all = ["a.jpg", "b.jpg", "c.jpg", "a.jpg/c.jpg"].map(str::to_owned);
    let sizes = all.clone().map(|path| (path, 11));
    let mut gone: Vec<String> = place.mirror.gone(&sizes).await.expect("a look").into_keys().collect();
    gone.sort_unstable();
    assert_eq!(gone, ["a.jpg/c.jpg", "b.jpg", "c.jpg"]);
    assert_eq!(place.mirror.gone(&[("a.jpg".to_owned(), 12)]).await.expect("a look").len(), 1);
    let mut taken: Vec<String> = place.mirror.taken(&all).await.expect("a look").into_iter().collect();
    taken.sort_unstable();
    assert_eq!(taken, ["a.jpg", "b.jpg"]);
    #[cfg(unix)]
    {
        // Neither there nor gone.
        std::os::unix::fs::symlink("loop", root.join("loop")).expect("a link");
        for error in [
            place.mirror.gone(&[("loop/a.jpg".to_owned(), 11)]).await.expect_err("nobody can tell"),
            place.mirror.taken(&["loop/a.jpg".to_owned()]).await.expect_err("nobody can tell"),
        ] {
            assert_eq!(error.class, Class::Destination, "{error}");
        }
    }
}

#[tokio::test]
async fn bytes_that_broke_off_or_are_no_photo_leave_nothing_behind() {
    // I1
    let place = place().await;
    for body in [body(&[JPEG], 99), body(&[b"<html>403</html>"], 16), body(&[], 0)] {
        let error = receive(&place, body).await.expect_err("not right");
        assert_eq!(error.class, Class::Transient, "{error}");
    }
    assert_eq!(left_behind(&place), 0);
}

#[tokio::test]
async fn a_body_goes_on_where_the_one_before_broke_off() {
    // I1, I2
    let place = place().await;
    let mut incoming = Incoming::new(place.mirror(), Part::Whole);
    assert_eq!(incoming.resume_point(), None);
    incoming.take(broken(0, JPEG, 19, "tag"), &item()).await.expect_err("it broke off");
    let point = ResumePoint { offset: 11, validator: "tag".into() };
    assert_eq!(incoming.resume_point(), Some(point));
    incoming.take(broken(11, b"more", 19, "tag"), &item()).await.expect_err("it broke off again");
    assert_eq!(incoming.resume_point().map(|point| point.offset), Some(15));
    let rest = Body { offset: 15, validator: Some("tag".into()), ..body(&[b"rest"], 19) };
    let received = incoming.take(rest, &item()).await.expect("all of it").whole.expect("the whole");
    assert_eq!((received.size, received.sha256), (19, hash(&[JPEG, b"morerest"].concat())));
}

#[tokio::test]
async fn a_storage_that_sends_all_again_is_taken_from_the_beginning() {
    // I1
    let place = place().await;
    let mut incoming = Incoming::new(place.mirror(), Part::Whole);
    incoming.take(broken(0, b"\xff\xd8\xff\xe0 other", 19, "old"), &item()).await.expect_err("it broke off");
    let anew = Body { validator: Some("new".into()), ..body(&[JPEG, b"new"], 14) };
    let received = incoming.take(anew, &item()).await.expect("all of it").whole.expect("the whole");
    assert_eq!((received.size, received.sha256), (14, hash(&[JPEG, b"new"].concat())));
    assert_eq!(left_behind(&place), 1);
}

#[tokio::test]
async fn bytes_that_do_not_belong_behind_what_is_there_are_refused() {
    // I1
    let place = place().await;
    for (offset, validator) in [(5, "tag"), (12, "tag"), (11, "another tag")] {
        let mut incoming = Incoming::new(place.mirror(), Part::Whole);
        incoming.take(broken(0, JPEG, 19, "tag"), &item()).await.expect_err("it broke off");
        let body = Body { offset, validator: Some(validator.into()), ..body(&[b"the rest"], 19) };
        let error = incoming.take(body, &item()).await.expect_err("not these");
        assert_eq!(error.class, Class::Transient, "{error}");
        assert_eq!(incoming.resume_point(), None, "the next body begins at the beginning");
    }
}

#[tokio::test]
async fn without_a_validator_nothing_is_resumed() {
    let place = place().await;
    let mut incoming = Incoming::new(place.mirror(), Part::Whole);
    let unnamed = Body { validator: None, ..broken(0, JPEG, 19, "") };
    incoming.take(unnamed, &item()).await.expect_err("it broke off");
    assert_eq!(incoming.resume_point(), None);
}

#[tokio::test]
async fn what_is_complete_and_wrong_is_not_gone_on_from() {
    let place = place().await;
    let mut incoming = Incoming::new(place.mirror(), Part::Whole);
    let page = Body { validator: Some("tag".into()), ..body(&[b"<html>403</html>"], 16) };
    let error = incoming.take(page, &item()).await.expect_err("no photo");
    assert_eq!((error.reason, incoming.resume_point()), (Reason::WrongContent, None));
    incoming.take(body(&[JPEG], 11), &item()).await.expect("a photo");
}

#[tokio::test]
async fn what_goes_on_must_be_of_the_same_length() {
    // I1: a server that replaces the bytes, and keeps their tag, must not have a mixture taken for them.
    let place = place().await;
    let mut incoming = Incoming::new(place.mirror(), Part::Whole);
    incoming.take(broken(0, JPEG, 19, "tag"), &item()).await.expect_err("it broke off");
    let other = Body { offset: 11, validator: Some("tag".into()), ..body(&[b"the others"], 21) };
    let error = incoming.take(other, &item()).await.expect_err("these are others");
    assert_eq!((error.class, incoming.resume_point()), (Class::Transient, None));
    // A body that does not say how many there are has to bring as many as the first one said.
    incoming.take(broken(0, JPEG, 19, "tag"), &item()).await.expect_err("it broke off");
    let short = Body { offset: 11, length: None, validator: Some("tag".into()), ..body(&[b"more"], 0) };
    incoming.take(short, &item()).await.expect_err("four are missing");
    assert_eq!(incoming.resume_point().map(|point| point.offset), Some(15));
}

#[tokio::test]
async fn what_was_measured_counts_where_nothing_else_says_how_many_bytes_there_are() {
    let place = place().await;
    let measured = RemoteItem { size: Some(12), ..item() };
    let silent = Body { length: None, ..body(&[JPEG], 11) };
    let error = Incoming::new(place.mirror(), Part::Whole).take(silent, &measured).await;
    assert_eq!(error.expect_err("one is missing").class, Class::Transient);
    // An answer that is complete by its own account is, whatever another request was told.
    let arrived = Incoming::new(place.mirror(), Part::Whole).take(body(&[JPEG], 11), &measured).await;
    assert_eq!(arrived.expect("all of it").whole.expect("the whole").size, 11);
}

#[tokio::test]
async fn a_clip_must_be_a_video() {
    let place = place().await;
    let mut incoming = Incoming::new(place.mirror(), Part::Clip);
    let error = incoming.take(body(&[JPEG], 11), &item()).await.expect_err("no clip");
    assert_eq!(error.reason, Reason::WrongContent);
    let clip: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
    let arrived = incoming.take(body(&[clip], 24), &item()).await.expect("a clip");
    assert!(arrived.clip.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_what_a_destination_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::folder(&folder.path().join("mirror"));
    std::fs::create_dir_all(site.files().workshop().expect("a folder")).expect("a folder");
    let report = charon_provider::conformance::try_destination(site.files()).await;
    report.assert_kept();
    assert!(report.skipped().is_empty(), "{report}");
}
