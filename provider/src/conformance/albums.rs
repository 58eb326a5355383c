//! Albums.

use super::{
    case::{Case, Ends, Opened, Stop},
    staging,
};
use crate::{Album, AlbumId, Albums, Reason, RemoteId};

/// Every album.
async fn all(case: &Case<'_>, albums: &dyn Albums) -> Result<Vec<Album>, Stop> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = case.fine("list albums", albums.list(from.as_ref()).await)?;
        found.extend(page.albums);
        if page.next.is_none() {
            return Ok(found);
        }
        if page.next == from || found.len() > 10_000 {
            return Err(Stop::Failed("the list of albums does not end".into()));
        }
        from = page.next;
    }
}

/// A storage that can make albums.
async fn writable(case: &Case<'_>) -> Result<Opened, Stop> {
    let opened = case.open().await?;
    opened.sink()?;
    opened.albums()?;
    Ok(opened)
}

pub(super) async fn an_album_that_was_made_is_listed(case: &Case<'_>) -> Ends {
    let opened = writable(case).await?;
    let albums = opened.albums()?;
    let longest: String =
        "Über".chars().cycle().take(opened.storage.facts().limits.album_title_chars).collect();
    for title in ["Summer / 2026", longest.as_str()] {
        let made = case.fine("make an album", albums.create(title).await)?;
        case.expect(made.writable, || "we cannot add to the album that we made".into());
        let listed = all(case, albums).await?;
        match listed.iter().find(|album| album.id == made.id) {
            None => case.expect(false, || format!("the album {title:?} is not listed")),
            Some(album) => case.expect(album.title == title && made.title == title, || {
                format!("the album {title:?} is made as {:?} and listed as {:?}", made.title, album.title)
            }),
        }
    }
    Ok(())
}

pub(super) async fn the_list_of_albums_ends(case: &Case<'_>) -> Ends {
    let opened = writable(case).await?;
    let albums = opened.albums()?;
    let mut made = Vec::new();
    for number in 0..120 {
        made.push(case.fine("make an album", albums.create(&format!("Album {number}")).await)?.id);
    }
    let mut listed: Vec<_> = all(case, albums).await?.into_iter().map(|album| album.id.0).collect();
    let mut made: Vec<_> = made.into_iter().map(|id: AlbumId| id.0).collect();
    listed.sort();
    made.sort();
    case.expect(listed == made, || format!("of {} albums, {} are listed", made.len(), listed.len()));
    Ok(())
}

// I2
pub(super) async fn items_are_added_once(case: &Case<'_>) -> Ends {
    let opened = writable(case).await?;
    let albums = opened.albums()?;
    let album = case.fine("make an album", albums.create("An album").await)?.id;
    let samples = [opened.world.sample(1), opened.world.sample(2)];
    let items: Vec<RemoteId> =
        staging::upload(case, &opened, &samples).await?.into_iter().map(|item| item.id).collect();
    case.fine("add one item", albums.add(&album, &items[..1]).await)?;
    case.fine("add it once more with another", albums.add(&album, &items).await)?;
    let held = opened.world.album_of(&album).await?;
    case.expect(held == items, || {
        format!("two items, added once and twice, are {} in the album", held.len())
    });
    Ok(())
}

pub(super) async fn as_many_items_can_be_added_as_was_declared(case: &Case<'_>) -> Ends {
    let opened = writable(case).await?;
    let albums = opened.albums()?;
    let album = case.fine("make an album", albums.create("An album").await)?.id;
    let limit = u32::try_from(albums.add_limit().min(250)).unwrap_or(250);
    let samples: Vec<_> = (0..limit).map(|number| opened.world.sample(number)).collect();
    let items: Vec<RemoteId> =
        staging::upload(case, &opened, &samples).await?.into_iter().map(|item| item.id).collect();
    case.fine("add as many items as may be", albums.add(&album, &items).await)?;
    let held = opened.world.album_of(&album).await?.len();
    case.expect(held == items.len(), || format!("{limit} items were added, and {held} are in the album"));
    Ok(())
}

pub(super) async fn an_album_that_is_not_there_is_told(case: &Case<'_>) -> Ends {
    let opened = writable(case).await?;
    let items = staging::upload(case, &opened, &[opened.world.sample(1)]).await?;
    let nowhere = AlbumId("AnAlbumThatNobodyMade".into());
    let added = opened.albums()?.add(&nowhere, std::slice::from_ref(&items[0].id)).await;
    let error = case.fails("add to an album that is not there", added)?;
    case.expect(error.reason == Reason::NotFound, || format!("it is told as {:?}: {error}", error.reason));
    Ok(())
}
