//! Select: what a plan wants of a storage. Its words go before those of the storage, and the titles of albums become ids.

use std::{collections::HashMap, sync::Arc};

use charon_provider::{
    Album, AlbumChoice, AlbumId, Albums, Class, Error as StorageError, Kind, RemoteId, Selection, Storage,
};

use super::Walk;
use crate::{
    error::Error,
    plan::{AlbumsConfig, MediaKind, SelectionConfig},
    run::RunContext,
};

/// The most albums that an error names.
const NAMED: usize = 20;

/// What is wanted, as the storage takes it. Albums are looked for before anything is fetched.
pub(crate) async fn select(
    ctx: &RunContext,
    storage: &dyn Storage,
    plan: &SelectionConfig,
) -> Result<Selection, Error> {
    let mut wanted = joined(&ctx.facts.selection, plan);
    if wanted.favourites && wanted.albums != AlbumChoice::Library {
        let cause = "favourites and albums cannot be asked for together: one of them is set in the storage";
        return Err(wrong(cause).cured_by("take one of them out of the plan or of the storage").into());
    }
    if let AlbumChoice::These(named) = &wanted.albums {
        let albums = storage.albums().ok_or_else(|| wrong("this storage has no albums"))?;
        wanted.albums = AlbumChoice::These(resolve(ctx, albums, named).await?);
    }
    Ok(wanted)
}

/// The plan's words, and where it says nothing those of the storage. An album may be a title as well as an id.
fn joined(storage: &Selection, plan: &SelectionConfig) -> Selection {
    let albums = plan.albums.as_ref().map(|albums| match albums {
        AlbumsConfig::Every(_) => AlbumChoice::Every,
        AlbumsConfig::These(names) => AlbumChoice::These(names.iter().cloned().map(AlbumId).collect()),
    });
    let kind = plan.kind.map(|kind| match kind {
        MediaKind::Photo => Kind::Photo,
        MediaKind::Video => Kind::Video,
    });
    Selection {
        start_year: plan.start_year.or(storage.start_year),
        include_archived: plan.include_archived.unwrap_or(storage.include_archived),
        kind: kind.or(storage.kind),
        favourites: plan.favourites || storage.favourites,
        albums: albums.unwrap_or_else(|| storage.albums.clone()),
    }
}

/// The titles of the albums that are listed one after the other; none, where they are not.
pub(crate) async fn titles(
    ctx: &RunContext,
    storage: &dyn Storage,
    wanted: &Selection,
) -> Result<HashMap<AlbumId, String>, Error> {
    match storage.albums() {
        Some(albums) if wanted.albums != AlbumChoice::Library => {
            Ok(all(ctx, albums).await?.into_iter().map(|album| (album.id, album.title)).collect())
        }
        _ => Ok(HashMap::new()),
    }
}

/// The title of the first album that each item is in, where a library is listed as a whole.
pub(super) async fn titles_of_items(
    ctx: &RunContext,
    storage: &dyn Storage,
) -> Result<HashMap<RemoteId, Arc<str>>, Error> {
    let (Some(source), Some(albums)) = (storage.source(), storage.albums()) else {
        return Ok(HashMap::new());
    };
    let mut titles = HashMap::new();
    for album in all(ctx, albums).await?.into_iter().filter(|album| album.items != Some(0)) {
        let title: Arc<str> = album.title.into();
        let wanted = Selection { albums: AlbumChoice::These(vec![album.id]), ..Selection::default() };
        let mut walk = Walk::default();
        loop {
            let page = walk.photos(ctx, source, &wanted).await;
            let page = match page.ok_or_else(|| Error::Refused("the run was stopped".into()))? {
                Err(error) if walk.begins_anew(&error) => continue,
                // It was removed a moment ago.
                Err(error) if error.class == Class::Item => break,
                page => page?,
            };
            let Some(page) = page else { break };
            for item in page.items {
                titles.entry(item.id).or_insert_with(|| Arc::clone(&title));
            }
        }
    }
    Ok(titles)
}

/// All albums that the storage shows.
async fn all(ctx: &RunContext, albums: &dyn Albums) -> Result<Vec<Album>, Error> {
    let mut known = Vec::new();
    let mut walk = Walk::default();
    loop {
        let page = walk.albums(ctx, albums).await;
        let Some(page) = page.ok_or_else(|| Error::Refused("the run was stopped".into()))?? else { break };
        known.extend(page.albums);
    }
    Ok(known)
}

/// The ids of albums that are named by id or by title.
async fn resolve(ctx: &RunContext, albums: &dyn Albums, named: &[AlbumId]) -> Result<Vec<AlbumId>, Error> {
    let known = all(ctx, albums).await?;
    let mut ids = Vec::new();
    for AlbumId(name) in named {
        let by_id = known.iter().find(|album| album.id.0 == *name);
        let by_title: Vec<_> = known.iter().filter(|album| album.title == *name).collect();
        let found = match (by_id, by_title.as_slice()) {
            (Some(album), _) => album,
            (None, [album]) => *album,
            (None, []) => {
                let cause = format!("there is no album named {name:?}; {}", named_some(&known));
                return Err(wrong(cause).into());
            }
            (None, several) => {
                let ids: Vec<&str> = several.iter().map(|album| album.id.0.as_str()).collect();
                let cause = format!("{} albums are named {name:?}: {}", several.len(), ids.join(", "));
                return Err(wrong(cause).cured_by("name the one that you mean by its id").into());
            }
        };
        if !ids.contains(&found.id) {
            ids.push(found.id.clone());
        }
    }
    Ok(ids)
}

fn named_some(known: &[Album]) -> String {
    if known.is_empty() {
        return "there are no albums that Charon can see".into();
    }
    let named: Vec<String> = known.iter().take(NAMED).map(|album| format!("{:?}", album.title)).collect();
    let more = known.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("there are {}{more}", named.join(", "))
}

fn wrong(cause: impl Into<String>) -> StorageError {
    StorageError::new(Class::Config, "select what the plan wants", cause)
}
