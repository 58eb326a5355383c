//! The library, on a ledger of items that were never fetched, and of files that are there.

use std::io::Read;

use charon_provider::{AlbumId, Fidelity, Kind, Part, RemoteId};
use jiff::{Timestamp, ToSpan, civil::date, tz::TimeZone};

use super::Place;
use crate::{
    Error, InAlbum, ItemId, LibraryFilter, LibraryItem, MonthOfItems, PlanId, Position,
    clock::SystemEntropy,
    ids::{RunId, Sha256, StorageId},
    naming,
    run::{Attempt, Outcome},
    store::{Assigned, ItemRecord, Learnt, Stored},
};

/// An item as a test puts it into the ledger.
#[derive(Clone)]
struct Given {
    id: RemoteId,
    name: String,
    mime_type: &'static str,
    taken_at: Option<Timestamp>,
    fidelity: Fidelity,
}

fn given(number: usize) -> Given {
    let start: Timestamp = "2019-11-30T22:00:00Z".parse().expect("a time");
    let is_video = number % 7 == 3;
    Given {
        id: RemoteId(format!("media-{number:04}")),
        name: match number % 5 {
            0 => format!("PXL_{number:04}.jpg"),
            1 => format!("Größe {number}.JPG"),
            _ => format!("IMG_{number:04}.{}", if is_video { "mp4" } else { "jpg" }),
        },
        mime_type: if is_video { "video/mp4" } else { "image/jpeg" },
        // Several in one second, and some that nobody can date.
        taken_at: (number % 41 != 11).then(|| start + i64::try_from(number / 3 * 3).expect("small").hours()),
        fidelity: if number % 4 == 1 { Fidelity::Original } else { Fidelity::ApiCopy },
    }
}

struct Shelf {
    place: Place,
    plan: PlanId,
    storage: StorageId,
    attempt: Attempt,
}

impl Shelf {
    async fn new() -> Self {
        let place = Place::new().await;
        place.add_storage("a").await;
        place.add_backup().await;
        let plan = place.engine.plan("home").await.expect("a plan").id;
        let storage = place.engine.storage("family").await.expect("a storage").id;
        let run = RunId::new(&*place.clock, &SystemEntropy);
        let attempt = place.engine.store.start_run(run, plan, place.clock.now()).await.expect("a run");
        Self { place, plan, storage, attempt }
    }

    /// Lists items, and has all of them stored but those whose numbers are divisible by 50.
    async fn put(&self, items: &[Given]) -> Vec<i64> {
        let store = &self.place.engine.store;
        let now = self.place.clock.now();
        let listed: Vec<Assigned<'_>> = items
            .iter()
            .map(|item| {
                let path = naming::candidates(&item.name, item.taken_at, &item.id.0).next().expect("a path");
                let key = naming::path_key(&path);
                Assigned {
                    remote_id: &item.id,
                    file_name: &item.name,
                    mime_type: item.mime_type,
                    taken_at: item.taken_at,
                    description: None,
                    camera: (None, None),
                    asset_id: None,
                    path: Some((path, key)),
                }
            })
            .collect();
        let assets =
            store.record_page(self.plan, self.storage, self.attempt, now, &listed).await.expect("listed");
        let stored = items.iter().zip(&assets).enumerate().filter(|(number, _)| number % 50 != 0).map(
            |(number, (item, asset))| Stored {
                asset_id: *asset,
                part: Part::Whole,
                sha256: Sha256([u8::try_from(number % 251).expect("small"); 32]),
                size: 7,
                fidelity: item.fidelity,
                at: now,
            },
        );
        let learnt = Learnt { stored: stored.collect(), ..Learnt::default() };
        store.record_learnt(self.plan, self.storage, self.attempt, &learnt).await.expect("stored");
        assets
    }

    /// All pages of a list, one after the other.
    async fn all(&self, filter: &LibraryFilter, most: u32) -> Vec<LibraryItem> {
        let (mut items, mut from) = (Vec::new(), None::<Position>);
        loop {
            let page =
                self.place.engine.library(self.plan, filter, from.as_ref(), most).await.expect("a page");
            assert!(page.items.len() <= most as usize);
            items.extend(page.items);
            let Some(next) = page.next else { return items };
            assert_ne!(Some(&next), from.as_ref(), "it gets on");
            from = Some(next.to_string().parse().expect("what it wrote"));
        }
    }
}

fn ids(items: &[LibraryItem]) -> Vec<ItemId> {
    items.iter().map(|item| item.id).collect()
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[tokio::test]
async fn every_filter_shows_what_it_says_page_by_page_without_a_gap_or_a_double() {
    let shelf = Shelf::new().await;
    let items: Vec<Given> = (0..400).map(given).collect();
    let assets = shelf.put(&items).await;
    let (from, before) = (Some(moment("2019-12-01T00:00:00Z")), Some(moment("2019-12-11T12:00:00Z")));
    let mut filters = Vec::new();
    for kind in [None, Some(Kind::Photo), Some(Kind::Video)] {
        for fidelity in [None, Some(Fidelity::Original), Some(Fidelity::ApiCopy)] {
            for (from, before) in [(None, None), (from, None), (None, before), (from, before)] {
                for name in [None, Some("img_0"), Some("GRÖSSE 1"), Some("nothing like it"), Some("")] {
                    let name = name.map(str::to_owned);
                    filters.push(LibraryFilter { from, before, kind, fidelity, name, album: None });
                }
            }
        }
    }
    for filter in &filters {
        let mut expected: Vec<(i64, ItemId)> = items
            .iter()
            .zip(&assets)
            .enumerate()
            .filter(|(number, _)| number % 50 != 0)
            .map(|(_, pair)| pair)
            .filter(|(item, _)| {
                let is_video = item.mime_type == "video/mp4";
                filter.kind.is_none_or(|kind| (kind == Kind::Video) == is_video)
                    && filter.fidelity.is_none_or(|fidelity| fidelity == item.fidelity)
                    && filter.from.is_none_or(|from| item.taken_at.is_some_and(|taken| taken >= from))
                    && filter.before.is_none_or(|before| item.taken_at.is_none_or(|taken| taken < before))
                    && filter
                        .name
                        .as_ref()
                        .is_none_or(|name| naming::path_key(&item.name).starts_with(&naming::path_key(name)))
            })
            .map(|(item, asset)| (item.taken_at.map_or(i64::MIN, Timestamp::as_second), ItemId(*asset)))
            .collect();
        expected.sort_by_key(|one| std::cmp::Reverse(*one));
        for most in [1, 7, 1_000] {
            if most == 1 && filter.kind.is_none() {
                continue;
            }
            let mut found = ids(&shelf.all(filter, most).await);
            let mut expected: Vec<ItemId> = expected.iter().map(|(_, item)| *item).collect();
            if filter.name.as_ref().is_some_and(|name| !name.is_empty()) {
                // Those are in the order of their folders and names.
                found.sort();
                expected.sort();
            }
            assert_eq!(found, expected, "{filter:?} by {most}");
        }
    }
}

#[tokio::test]
async fn a_search_by_name_goes_back_folder_by_folder() {
    let shelf = Shelf::new().await;
    let mut items: Vec<Given> = (0..60).map(given).collect();
    for (number, item) in items.iter_mut().enumerate() {
        item.name =
            if number % 2 == 0 { format!("IMG_{number:02}.jpg") } else { format!("ZZZ_{number:02}.jpg") };
        let month = i8::try_from(1 + number % 12).expect("a month");
        let taken = date(2020 + i16::try_from(number / 24).expect("a year"), month, 5).at(1, 2, 3, 0);
        item.taken_at = Some(taken.to_zoned(TimeZone::UTC).expect("a time").timestamp());
    }
    shelf.put(&items).await;
    let filter = LibraryFilter { name: Some("Img".into()), ..LibraryFilter::default() };
    let found: Vec<String> = shelf.all(&filter, 4).await.into_iter().map(|item| item.path).collect();
    let mut expected = found.clone();
    expected.sort();
    expected.reverse();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 28);
    assert_eq!(found[0], "photos/2022/11/IMG_58.jpg");
    let strange = LibraryFilter { name: Some("img_0/../".into()), ..LibraryFilter::default() };
    assert!(shelf.all(&strange, 4).await.is_empty());
}

#[tokio::test]
async fn months_are_counted_by_filter_and_jumped_to() {
    let shelf = Shelf::new().await;
    let items: Vec<Given> = (0..400).map(given).collect();
    shelf.put(&items).await;
    let engine = &shelf.place.engine;
    for filter in [
        LibraryFilter::default(),
        LibraryFilter { kind: Some(Kind::Video), ..LibraryFilter::default() },
        LibraryFilter { fidelity: Some(Fidelity::Original), ..LibraryFilter::default() },
    ] {
        let all = shelf.all(&filter, 1_000).await;
        let mut expected: Vec<MonthOfItems> = Vec::new();
        for item in &all {
            let month = item.taken_at.map(|taken| taken.to_zoned(TimeZone::UTC).date().first_of_month());
            match expected.last_mut().filter(|last| last.month == month) {
                Some(last) => last.items += 1,
                None => expected.push(MonthOfItems { month, items: 1 }),
            }
        }
        let months = engine.library_months(shelf.plan, &filter).await.expect("months");
        assert_eq!(months, expected);
        assert_eq!(months.iter().filter(|month| month.month.is_none()).count(), 1);
    }
    let start_of_december = moment("2019-12-01T00:00:00Z");
    let jump = Position::before(start_of_december);
    let page = engine.library(shelf.plan, &LibraryFilter::default(), Some(&jump), 5).await.expect("a page");
    assert!(page.items.iter().all(|item| item.taken_at.is_none_or(|taken| taken < start_of_december)));
    // Numbers 1 and 2; 0 is not home.
    assert_eq!(page.items.iter().filter(|item| item.taken_at.is_some()).count(), 2);
}

#[tokio::test]
async fn an_item_moves_when_its_date_changes() {
    let shelf = Shelf::new().await;
    let mut items: Vec<Given> = (0..20).map(given).collect();
    let assets = shelf.put(&items).await;
    items[7].taken_at = Some(moment("2031-01-01T00:00:00Z"));
    items[8].taken_at = None;
    let listed: Vec<Assigned<'_>> = items
        .iter()
        .zip(&assets)
        .map(|(item, asset)| Assigned {
            remote_id: &item.id,
            file_name: &item.name,
            mime_type: item.mime_type,
            taken_at: item.taken_at,
            description: None,
            camera: (None, None),
            asset_id: Some(*asset),
            path: None,
        })
        .collect();
    let (store, now) = (&shelf.place.engine.store, shelf.place.clock.now());
    store.record_page(shelf.plan, shelf.storage, shelf.attempt, now, &listed).await.expect("listed");
    let found = ids(&shelf.all(&LibraryFilter::default(), 6).await);
    assert_eq!(found.len(), 19);
    assert_eq!(found[0], ItemId(assets[7]));
    // Number 11 is not dated either, and comes after it.
    assert_eq!(found[17..], [ItemId(assets[11]), ItemId(assets[8])]);
}

#[tokio::test]
async fn albums_show_what_is_known_of_them_and_is_home() {
    let shelf = Shelf::new().await;
    let items: Vec<Given> = (0..60).map(given).collect();
    let assets = shelf.put(&items).await;
    let engine = &shelf.place.engine;
    let (sea, empty) = (AlbumId("album-sea".into()), AlbumId("album-empty".into()));
    engine.store.remember_album(shelf.storage, "Sea", &sea).await.expect("remembered");
    engine.store.remember_album(shelf.storage, "Empty", &empty).await.expect("remembered");
    let record = |item: &Given| ItemRecord {
        item: item.id.0.clone(),
        name: item.name.clone(),
        outcome: Outcome::Done,
        class: None,
        reason: None,
        bytes: 0,
        at: shelf.place.clock.now(),
    };
    // Those with the numbers 0 and 50 are not home.
    let joined: Vec<(RemoteId, ItemRecord)> =
        items.iter().step_by(5).map(|item| (item.id.clone(), record(item))).collect();
    engine.store.record_joined(shelf.storage, &sea, shelf.attempt, &joined).await.expect("joined");

    let albums = engine.library_albums(shelf.plan).await.expect("albums");
    let shown: Vec<_> = albums.iter().map(|album| (album.title.as_str(), album.items, album.cover)).collect();
    assert_eq!(shown, [("Empty", 0, None), ("Sea", 10, Some(ItemId(assets[55])))]);
    for (name, count) in [(None, 10), (Some("pxl_001".to_owned()), 2), (Some("img".to_owned()), 0)] {
        let filter = LibraryFilter { album: Some(sea.clone()), name, ..LibraryFilter::default() };
        let found = ids(&shelf.all(&filter, 3).await);
        assert_eq!(found.len(), count, "{filter:?}");
        assert!(found.is_sorted_by(|one, other| one > other), "{found:?}");
    }
    let details = engine.library_item(shelf.plan, ItemId(assets[5])).await.expect("an item");
    assert_eq!(details.albums, [InAlbum { id: sea, title: "Sea".into() }]);
    assert_eq!(engine.library_item(shelf.plan, ItemId(assets[6])).await.expect("an item").albums, []);
}

#[tokio::test]
async fn an_item_tells_all_that_is_known_of_it() {
    let shelf = Shelf::new().await;
    let items: Vec<Given> = (0..20).map(given).collect();
    let assets = shelf.put(&items).await;
    let engine = &shelf.place.engine;
    let all = ids(&shelf.all(&LibraryFilter::default(), 100).await);
    for (position, item) in all.iter().enumerate() {
        let details = engine.library_item(shelf.plan, *item).await.expect("an item");
        assert_eq!(details.item.id, *item);
        assert_eq!(details.newer, position.checked_sub(1).map(|newer| all[newer]));
        assert_eq!(details.older, all.get(position + 1).copied());
    }
    let details = engine.library_item(shelf.plan, ItemId(assets[1])).await.expect("an item");
    assert_eq!(details.item.name, "Größe 1.JPG");
    assert_eq!(details.item.fidelity, Fidelity::Original);
    assert_eq!(details.parts.len(), 1);
    assert_eq!(details.storages.len(), 1);
    assert_eq!((details.storages[0].name.as_str(), &details.storages[0].media_id), ("family", &items[1].id));
    assert!(details.mirrors.is_empty());
    // One that is not home, and one that is not there.
    for item in [ItemId(assets[0]), ItemId(4_711)] {
        let error = engine.library_item(shelf.plan, item).await.expect_err("no item");
        assert!(matches!(error, Error::Unknown { what: "item", .. }), "{error}");
    }
    let nowhere = PlanId::new(&*shelf.place.clock, &SystemEntropy);
    let error = engine.library(nowhere, &LibraryFilter::default(), None, 5).await.expect_err("no plan");
    assert!(matches!(error, Error::Unknown { what: "backup plan", .. }), "{error}");
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let shelf = Shelf::new().await;
    shelf.put(&(0..20).map(given).collect::<Vec<_>>()).await;
    let named = LibraryFilter { name: Some("img".into()), ..LibraryFilter::default() };
    let (taken, by_name) = (Position::before(Timestamp::UNIX_EPOCH), Position::Named("photos/".into()));
    for (filter, from) in [(LibraryFilter::default(), &by_name), (named, &taken)] {
        let error =
            shelf.place.engine.library(shelf.plan, &filter, Some(from), 5).await.expect_err("refused");
        assert!(error.is_bad_input(), "{error}");
    }
}

#[tokio::test]
async fn only_the_file_that_was_stored_is_opened() {
    // I11
    let shelf = Shelf::new().await;
    let assets = shelf.put(&(0..3).map(given).collect::<Vec<_>>()).await;
    let (engine, item) = (&shelf.place.engine, ItemId(assets[1]));
    let path = engine.library_item(shelf.plan, item).await.expect("an item").item.path;
    let mirror = shelf.place.folder.path().join("mirror");
    let file = mirror.join(&path);
    let refused = async |why: &str| {
        let error = engine.library_file(shelf.plan, item).await.expect_err(why);
        assert!(matches!(error, Error::Destination(_)), "{error}");
    };
    refused("it is not there").await;
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    std::fs::write(&file, "a photo").expect("a file");
    let mut bytes = String::new();
    let opened = engine.library_file(shelf.plan, item).await.expect("it is there");
    assert_eq!(opened.item.size, 7);
    opened.into_file().await.expect("a file").read_to_string(&mut bytes).expect("readable");
    assert_eq!(bytes, "a photo");
    std::fs::write(&file, "another photo").expect("a file");
    refused("it has other bytes").await;
    std::fs::write(&file, "a photo").expect("a file");
    std::fs::remove_file(mirror.join(".charon/mirror.json")).expect("removed");
    refused("the disk is not mounted").await;
}
