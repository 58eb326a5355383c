//! Listings that can be believed. // I9

use std::collections::HashSet;

use super::{
    case::{Case, Ends, Stop},
    staging,
};
use crate::{AlbumChoice, AlbumId, Class, Cursor, Reason, RemoteId, Selection};

pub(super) async fn a_listing_has_every_item_and_ends(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let page_items = opened.storage.facts().costs.page_items;
    // Two full pages and one item, where pages are not too large for that.
    let count = u32::try_from(page_items.clamp(2, 250) * 2 + 1).unwrap_or(501);
    let put: HashSet<RemoteId> = opened.world.put_many(count).await?.into_iter().collect();
    let pages = staging::walk(case, source, &Selection::default()).await?;
    for page in &pages {
        let items = page.items.len();
        case.expect(items <= page_items, || {
            format!("a page has {items} items, and {page_items} are the most")
        });
    }
    let items: Vec<_> = pages.into_iter().flat_map(|page| page.items).collect();
    let listed: HashSet<RemoteId> = items.iter().map(|item| item.id.clone()).collect();
    let missing = put.difference(&listed).count();
    case.expect(missing == 0, || format!("{missing} of {count} items are not listed"));
    let strange = listed.difference(&put).count();
    case.expect(strange == 0, || format!("{strange} items are listed that are not there"));
    case.expect(items.iter().all(|item| !item.id.0.is_empty()), || "an item without an id is listed".into());
    for item in items.iter().filter(|item| item.mime_type != item.mime_type.to_ascii_lowercase()).take(1) {
        case.expect(false, || format!("the media type {} is not lower case", item.mime_type));
    }
    Ok(())
}

pub(super) async fn a_page_can_be_asked_for_again(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let page_items = u32::try_from(opened.storage.facts().costs.page_items.clamp(2, 250)).unwrap_or(250);
    opened.world.put_many(page_items + 1).await?;
    let first = case.fine("list a page", source.list(&Selection::default(), None).await)?;
    let Some(next) = first.next else {
        return Err(Stop::Failed(format!("{} items are one page of {page_items}", page_items + 1)));
    };
    let ids = |page: crate::Page| page.items.into_iter().map(|item| item.id).collect::<Vec<_>>();
    let mut pages = Vec::new();
    for _ in 0..2 {
        match source.list(&Selection::default(), Some(&next)).await {
            Ok(page) => pages.push(ids(page)),
            Err(error) if error.reason == Reason::ListingExpired => {}
            Err(error) => return case.fine("list a page again", Err(error)),
        }
    }
    let same = pages.windows(2).all(|pair| pair[0] == pair[1]);
    case.expect(same, || "the same cursor gives other items the second time".into());
    Ok(())
}

pub(super) async fn a_listed_item_is_the_one_that_was_put(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let source = opened.source()?;
    let sample = opened.world.sample(7);
    let id = opened.world.put(&sample).await?;
    let items = staging::everything(case, source).await?;
    let listed = items
        .iter()
        .find(|item| item.id == id)
        .ok_or_else(|| Stop::Failed("the item that was put is not listed".into()))?;
    let looked_up = staging::look_up(case, source, &id).await?;
    for (whence, item) in [("listed", listed), ("looked up", &looked_up)] {
        let (name, mime_type) = (&item.file_name, &item.mime_type);
        case.expect(*name == sample.file_name, || format!("{} is {whence} as {name}", sample.file_name));
        case.expect(mime_type.is_empty() || mime_type == sample.mime_type, || {
            format!("{} is {whence} as {mime_type}", sample.mime_type)
        });
        case.expect(sample.taken_at.is_none() || item.taken_at == sample.taken_at, || {
            format!("what was taken at {:?} is {whence} as of {:?}", sample.taken_at, item.taken_at)
        });
        let size = sample.bytes.len() as u64;
        case.expect(item.size.is_none_or(|told| told == size), || {
            format!("{size} bytes are {whence} as {:?}", item.size)
        });
    }
    Ok(())
}

pub(super) async fn a_cursor_that_nobody_gave_is_refused(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let strange = Cursor("nobody gave this".into());
    if let Ok(source) = opened.source() {
        drop(opened.world.put_many(1).await);
        let doing = "list from a cursor that nobody gave";
        let error = case.fails(doing, source.list(&Selection::default(), Some(&strange)).await)?;
        for class in [Class::Auth, Class::Quota, Class::Throttled] {
            case.expect(error.class != class, || format!("{doing}: it is refused as {class:?}"));
        }
    }
    if let Ok(albums) = opened.albums() {
        case.fails("list albums from a cursor that nobody gave", albums.list(Some(&strange)).await)?;
    }
    Ok(())
}

pub(super) async fn a_listing_of_albums_has_their_items_alone(case: &Case<'_>) -> Ends {
    let opened = case.open().await?;
    let (source, albums) = (opened.source()?, opened.albums()?);
    let samples: Vec<_> = (20..23).map(|number| opened.world.sample(number)).collect();
    let items = staging::upload(case, &opened, &samples).await?;
    let mut made: Vec<AlbumId> = Vec::new();
    for (item, title) in items.iter().zip(["One", "Two"]) {
        let album = case.fine("make an album", albums.create(title).await)?;
        case.fine("add to it", albums.add(&album.id, std::slice::from_ref(&item.id)).await)?;
        made.push(album.id);
    }
    let ids = |of: &[usize]| of.iter().map(|at| items[*at].id.clone()).collect::<HashSet<_>>();
    let choices = [
        (AlbumChoice::Library, ids(&[0, 1, 2])),
        (AlbumChoice::Every, ids(&[0, 1])),
        (AlbumChoice::These(vec![made[0].clone()]), ids(&[0])),
        (AlbumChoice::These(made), ids(&[0, 1])),
    ];
    for (choice, expected) in choices {
        let wanted = Selection { albums: choice.clone(), ..Selection::default() };
        let pages = staging::walk(case, source, &wanted).await?;
        let listed: HashSet<_> = pages.into_iter().flat_map(|page| page.items).map(|item| item.id).collect();
        case.expect(listed == expected, || {
            format!("{choice:?} lists {} items, and {} are in it", listed.len(), expected.len())
        });
    }
    Ok(())
}
