//! A walk from page to page. Each page names the next one; one that names a page of this walk leads nowhere.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use charon_provider::{AlbumPage, Albums, Class, Cursor, Error, Page, Reason, Selection, Source};

use crate::{retry::with_retries, run::RunContext};

/// So often a walk that cannot be gone on with is begun anew before it has come any further than it ever was.
const BEGUN_ANEW: u32 = 2;

/// Where a walk is, and where it has been.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Hashes, since a cursor may be long, and there is one for every page.
    been: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
    /// Where the next page is; `None` at the beginning.
    at: Option<Cursor>,
    is_over: bool,
    /// Pages since the beginning, and the most that there were since any.
    pages: u64,
    furthest: u64,
    /// How often it has begun anew since it has come that far.
    begun_anew: u32,
}

impl Walk {
    /// The next page of what is wanted, asked for until it comes; `Ok(None)` behind the last one, `None` when the run stops first.
    ///
    /// # Errors
    /// With [`Reason::ListingExpired`] when nothing comes any more from where the walk is, however often it is asked for.
    pub(crate) async fn photos(
        &mut self,
        ctx: &RunContext,
        source: &dyn Source,
        wanted: &Selection,
    ) -> Option<Result<Option<Page>, Error>> {
        if self.is_over {
            return Some(Ok(None));
        }
        let asked = with_retries(ctx, async || match source.list(wanted, self.at.as_ref()).await {
            Err(error) if error.reason == Reason::ListingExpired => Ok(Err(error)),
            Err(error) => Err(error),
            Ok(page) => self.leads_on(page.next.as_ref(), "list the photos").map(|()| Ok(page)),
        });
        let page = asked.await?.and_then(|page| page);
        Some(page.map(|page| {
            self.go(page.next.clone());
            Some(page)
        }))
    }

    /// Whether a walk that ended with this error is worth another beginning; then it is at its beginning. What it gives may have come
    /// before.
    pub(crate) fn begins_anew(&mut self, error: &Error) -> bool {
        if error.reason != Reason::ListingExpired || self.begun_anew == BEGUN_ANEW {
            return false;
        }
        tracing::debug!(%error, "the listing is begun anew");
        *self = Self { furthest: self.furthest, begun_anew: self.begun_anew + 1, ..Self::default() };
        true
    }

    /// The next page of albums, asked for until it comes; `Ok(None)` behind the last one, `None` when the run stops first.
    pub(crate) async fn albums(
        &mut self,
        ctx: &RunContext,
        albums: &dyn Albums,
    ) -> Option<Result<Option<AlbumPage>, Error>> {
        if self.is_over {
            return Some(Ok(None));
        }
        let asked = with_retries(ctx, async || {
            let page = albums.list(self.at.as_ref()).await?;
            self.leads_on(page.next.as_ref(), "list the albums")?;
            Ok(page)
        });
        let page = asked.await?;
        Some(page.map(|page| {
            self.go(page.next.clone());
            Some(page)
        }))
    }

    fn go(&mut self, to: Option<Cursor>) {
        self.pages += 1;
        if self.pages > self.furthest {
            // It gets on: cursors may well expire again and again in a library that is large enough.
            (self.furthest, self.begun_anew) = (self.pages, 0);
        }
        self.is_over = to.is_none();
        self.been.extend(to.as_ref().map(|to| self.been.hasher().hash_one(&to.0)));
        self.at = to;
    }

    /// Refuses a page that leads to where the walk has been. Asked again, the storage may know better.
    fn leads_on(&self, next: Option<&Cursor>, doing: &str) -> Result<(), Error> {
        if next.is_none_or(|next| !self.been.contains(&self.been.hasher().hash_one(&next.0))) {
            return Ok(());
        }
        let cause = "a page names one as the next that came before it, so that the listing would never end";
        Err(Error::new(Class::Transient, doing, cause))
    }
}
