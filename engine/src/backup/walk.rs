//! A walk from page to page. Each page names the next one; one that names a page of this walk leads nowhere.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use charon_provider::{Class, Cursor, Error};

/// The places where a walk has been.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Hashes, since a cursor may be long, and there is one for every page.
    been: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
}

impl Walk {
    /// Goes on to this place.
    pub(crate) fn go(&mut self, to: &Cursor) {
        let hash = self.been.hasher().hash_one(&to.0);
        self.been.insert(hash);
    }

    /// Refuses a page that leads to where the walk has been. Asked again, the storage may know better.
    ///
    /// # Errors
    /// A passing one.
    pub(crate) fn refuse_circle(&self, next: Option<&Cursor>, doing: &str) -> Result<(), Error> {
        if next.is_none_or(|next| !self.been.contains(&self.been.hasher().hash_one(&next.0))) {
            return Ok(());
        }
        let cause = "a page names one as the next that came before it, so that the listing would never end";
        Err(Error::new(Class::Transient, doing, cause))
    }
}
