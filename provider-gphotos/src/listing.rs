//! Listing what is wanted: the library in one go, or album after album.
//!
//! Google's filters hide what was uploaded a moment ago and what is dated in the future, so no more is left to them than what
//! nobody else can tell: what is archived, and what is a favourite. Kind and year are looked at where items are listed
//! ([`Selection::leaves_out`]).

use std::collections::HashSet;

use charon_provider::{AlbumChoice, AlbumId, Class, Cursor, Error, Page, Reason, Selection};
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Api, ItemPage, Search},
    source::remote_item,
};

const DOING: &str = "list media items";

/// Where a walk through albums is. It is written into the cursor, for nothing is kept here.
#[derive(Serialize, Deserialize)]
struct Walk {
    /// The albums that are left; the first one is being listed.
    albums: Vec<String>,
    /// Where its next page is; `None` for its first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// Where more albums are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    more: Option<More>,
}

#[derive(Clone, Serialize, Deserialize)]
enum More {
    /// From the beginning.
    First,
    /// From this token on.
    From(String),
}

/// One page of what is wanted.
pub(crate) async fn page(api: &Api, wanted: &Selection, from: Option<&Cursor>) -> Result<Page, Error> {
    match &wanted.albums {
        AlbumChoice::Library => {
            let from = from.map(|cursor| cursor.0.as_str());
            let found = if wanted.include_archived || wanted.favourites {
                let search =
                    Search::Library { archived: wanted.include_archived, favourites: wanted.favourites };
                api.search(search, from).await?
            } else {
                api.list_items(api::LARGEST_ITEM_PAGE, from).await?
            };
            Ok(in_our_words(api, found))
        }
        _ if wanted.favourites => {
            Err(Error::new(Class::Config, DOING, "Google cannot say which items of an album are favourites")
                .cured_by("want the favourites of the whole library, or whole albums"))
        }
        choice => {
            let walk = match from {
                Some(cursor) => serde_json::from_str(&cursor.0)
                    .map_err(|_| expired("the cursor is of another selection"))?,
                None => Walk::through(choice)?,
            };
            walk.step(api, *choice == AlbumChoice::Every).await
        }
    }
}

impl Walk {
    fn through(choice: &AlbumChoice) -> Result<Self, Error> {
        let AlbumChoice::These(ids) = choice else {
            return Ok(Self { albums: Vec::new(), page: None, more: Some(More::First) });
        };
        if ids.is_empty() {
            return Err(Error::new(Class::Config, DOING, "the selection is of albums, and names none")
                .cured_by("name an album, or want the whole library"));
        }
        let mut seen = HashSet::new();
        let ids = ids.iter().filter(|id| seen.insert(*id));
        Ok(Self { albums: ids.map(|AlbumId(id)| id.clone()).collect(), page: None, more: None })
    }

    /// Makes one request: a page of the album, or a page of albums where none is left.
    async fn step(mut self, api: &Api, is_of_every: bool) -> Result<Page, Error> {
        let Some(album) = self.albums.first() else {
            let from = match &self.more {
                Some(More::From(token)) => Some(token.as_str()),
                _ => None,
            };
            let (albums, next) = api.list_albums(api::LARGEST_ALBUM_PAGE, from).await?;
            self.albums = albums.into_iter().map(|album| album.id).filter(|id| !id.is_empty()).collect();
            self.more = next.map(More::From);
            return Ok(Page { next: self.cursor(), ..Page::default() });
        };
        let mut page = match api.search(Search::Album(album), self.page.as_deref()).await {
            Ok(found) => in_our_words(api, found),
            Err(error) if error.reason == Reason::NotFound && is_of_every => {
                tracing::debug!("an album is gone since the albums were listed");
                Page::default()
            }
            Err(error) if error.reason == Reason::NotFound => {
                let words = format!("there is no album {album} (any more): {}", error.cause);
                return Err(Error::new(Class::Config, DOING, words)
                    .because(Reason::NotFound)
                    .cured_by("take it out of the selection, or choose another album"));
            }
            Err(error) => return Err(error),
        };
        page.album = Some(AlbumId(album.clone()));
        self.page = page.next.take().map(|Cursor(token)| token);
        if self.page.is_none() {
            self.albums.remove(0);
        }
        page.next = self.cursor();
        Ok(page)
    }

    /// The cursor to go on from, if anything is left.
    fn cursor(&self) -> Option<Cursor> {
        let is_over = self.albums.is_empty() && self.more.is_none();
        (!is_over).then(|| Cursor(serde_json::to_string(self).expect("texts can be written")))
    }
}

fn in_our_words(api: &Api, (items, next): ItemPage) -> Page {
    let now = api.host().now();
    Page {
        items: items.into_iter().filter_map(|item| remote_item(item, now)).collect(),
        next: next.map(Cursor),
        album: None,
    }
}

fn expired(words: &str) -> Error {
    Error::new(Class::Transient, DOING, words).because(Reason::ListingExpired)
}
