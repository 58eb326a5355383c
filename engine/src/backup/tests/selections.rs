//! What a plan wants, in its own words.

use charon_provider::{AlbumChoice, AlbumId, Class, Kind, Selection, Storage};

use super::{
    super::select,
    Place,
    shelf::{Shelf, shown},
};
use crate::{
    error::Error,
    plan::{AlbumsConfig, Every, MediaKind, SelectionConfig},
    run::Counts,
};

async fn selected(place: &Place, plan: &SelectionConfig, storage: &Selection) -> Result<Selection, Error> {
    let (backup, _progress) = place.backup(|ctx| ctx.facts.selection = storage.clone()).await;
    let shelf: &Shelf = &place.shelf;
    select(&backup.ctx, shelf as &dyn Storage, plan).await
}

fn named(names: &[&str]) -> SelectionConfig {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    SelectionConfig { albums: Some(AlbumsConfig::These(names)), ..SelectionConfig::default() }
}

#[tokio::test]
async fn what_the_plan_says_goes_before_what_the_storage_says() {
    let place = Place::new().await;
    let storage = Selection { start_year: Some(2000), include_archived: true, ..Selection::default() };
    let as_it_is = selected(&place, &SelectionConfig::default(), &storage).await.expect("a selection");
    assert_eq!(as_it_is, storage);
    let plan = SelectionConfig {
        start_year: Some(2020),
        include_archived: Some(false),
        kind: Some(MediaKind::Video),
        albums: Some(AlbumsConfig::Every(Every::Every)),
        ..SelectionConfig::default()
    };
    let expected = Selection {
        start_year: Some(2020),
        include_archived: false,
        kind: Some(Kind::Video),
        favourites: false,
        albums: AlbumChoice::Every,
    };
    assert_eq!(selected(&place, &plan, &storage).await.expect("a selection"), expected);
}

#[tokio::test]
async fn albums_are_found_by_title_or_id() {
    let place = Place::new().await;
    place.shelf.state().albums = vec![("1", "Summer"), ("2", "Winter"), ("3", "Winter")];
    let plan = named(&["Summer", "3", "1"]);
    let wanted = selected(&place, &plan, &Selection::default()).await.expect("a selection");
    assert_eq!(wanted.albums, AlbumChoice::These(vec![AlbumId("1".into()), AlbumId("3".into())]));
    // Those that the storage's own configuration names are looked for in the same way.
    let storage =
        Selection { albums: AlbumChoice::These(vec![AlbumId("Summer".into())]), ..Selection::default() };
    let wanted = selected(&place, &SelectionConfig::default(), &storage).await.expect("a selection");
    assert_eq!(wanted.albums, AlbumChoice::These(vec![AlbumId("1".into())]));
}

#[tokio::test]
async fn an_album_that_is_unknown_or_ambiguous_is_refused_before_anything_is_fetched() {
    let place = Place::new().await;
    place.shelf.state().albums = vec![("1", "Summer"), ("2", "Winter"), ("3", "Winter")];
    for (name, told) in [("Sumer", "there are \"Summer\", \"Winter\""), ("Winter", "by its id")] {
        let error = selected(&place, &named(&[name]), &Selection::default()).await.expect_err("none or two");
        assert!(matches!(&error, Error::Storage(error) if error.class == Class::Config), "{error:?}");
        assert!(error.to_string().contains(told), "{error}");
    }
    let favourites = Selection { favourites: true, ..Selection::default() };
    let error = selected(&place, &named(&["Summer"]), &favourites).await.expect_err("one or the other");
    assert!(error.to_string().contains("cannot be asked for together"), "{error}");
    assert_eq!(place.shelf.asked("list"), [""; 0]);
}

#[tokio::test]
async fn what_a_selection_leaves_out_is_skipped_and_counted() {
    // I9
    let place = Place::new().await;
    let mut video = shown("video");
    video.item.kind = Kind::Video;
    place.shelf.state().items = vec![shown("photo"), video];
    let ended = place.run_with(|_| {}, |wanted| wanted.kind = Some(Kind::Photo)).await;
    assert_eq!(ended.items, Counts { done: 1, skipped: 1, ..Counts::default() });
}

#[tokio::test]
async fn a_list_of_albums_that_goes_round_is_given_up() {
    // I11
    let place = Place::new().await;
    place.shelf.state().albums = vec![("1", "Summer"), ("2", "Winter"), ("3", "Attic")];
    place.shelf.state().goes_round = true;
    let error = selected(&place, &named(&["Attic"]), &Selection::default()).await.expect_err("no end");
    assert!(error.to_string().contains("would never end"), "{error}");
}
