//! To a storage: what the account does not hold is sent to it, and each album is put together again in its order.
//!
//! Albums come first, one after the other: what is missing of one is sent in groups of as many as a commit takes, each behind the one
//! before, and what the account holds already joins. Then comes what is in no album. What the ledger believes of the account is looked
//! up before it is believed ([`standing`]).

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use charon_provider::{AlbumChoice, AlbumId, Class, Error as StorageError, Position, RemoteId, Selection};

use super::{
    Restoring,
    standing::{self, There},
};
use crate::{
    album_files::items_of,
    error::Error,
    mirror::Mirror,
    naming,
    store::AtHome,
    upload::{self, Hashed, Kept, Upload},
};

/// Files of no album that are sent together.
const TOGETHER: usize = 500;
/// What an album without a title is called.
const UNTITLED: &str = "Untitled";
/// What the record of a clip says.
const NO_CLIPS: &str =
    "the clip of a motion photo: a storage does not make one item of two files, so it stays home alone";

/// A restore to a storage, under way.
struct Sending<'a> {
    restoring: &'a Restoring,
    upload: &'a Arc<Upload>,
    /// The items that are where they should be.
    in_place: BTreeSet<i64>,
    /// The items with which something was to be done.
    touched: BTreeSet<i64>,
}

/// What is done with the files of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Send,
    Join,
}

/// Files of one album that are next to each other in it.
struct Group {
    way: Way,
    files: Vec<Hashed>,
    /// Behind what is in the album already; at its end, where nothing of it follows.
    position: Option<Position>,
}

/// Sends all that is chosen and that the storage does not have.
pub(super) async fn restore(restoring: &Restoring, upload: &Arc<Upload>) -> Result<(), Error> {
    let ctx = &restoring.ctx;
    upload::forget_old(upload).await?;
    let (in_place, touched) = (BTreeSet::new(), BTreeSet::new());
    let mut sending = Sending { restoring, upload, in_place, touched };
    sending.albums().await?;
    sending.others().await?;
    if !sending.is_over() {
        ctx.tell(|progress| progress.found_all = true);
    }
    ctx.unchanged(sending.in_place.difference(&sending.touched).count() as u64);
    Ok(())
}

impl Sending<'_> {
    /// Whether nothing more is to be begun.
    fn is_over(&self) -> bool {
        let ctx = &self.restoring.ctx;
        ctx.stopped().is_some() || ctx.begins_no_more()
    }

    async fn albums(&mut self) -> Result<(), Error> {
        let Restoring { ctx, home, .. } = self.restoring;
        if self.upload.storage.albums().is_none() {
            return Ok(());
        }
        for (album, title) in ctx.store.storage_albums(home.storage).await? {
            if self.is_over() {
                return Ok(());
            }
            if home.chosen.has_album(&title) {
                self.album(&album, &title).await?;
            }
        }
        Ok(())
    }

    /// Puts one album together again.
    async fn album(&mut self, album: &AlbumId, title: &str) -> Result<(), Error> {
        let Restoring { ctx, home, .. } = self.restoring;
        let mut items = ctx.store.at_home_in_album(ctx.plan, home.storage, album).await?;
        items.retain(|item| home.chosen.has(item));
        if items.is_empty() {
            return Ok(());
        }
        let title = title_at(title, ctx.facts.limits.album_title_chars);
        let Some(members) = self.members(&title).await? else { return Ok(()) };
        let Some(standing) = standing::of(self.upload, &items).await? else { return Ok(()) };
        let places: HashMap<&RemoteId, usize> = members.iter().zip(0..).collect();
        let mut passed = 0;
        let mut group = Group { way: Way::Send, files: Vec::new(), position: None };
        let mut cursor = Position::First;
        for (item, there) in items.iter().zip(standing) {
            let way = match &there {
                There::Has(id) => match places.get(id) {
                    Some(place) => {
                        self.flush(&mut group, &mut cursor).await?;
                        if *place >= passed {
                            (passed, cursor) = (place + 1, Position::After(id.clone()));
                        }
                        self.is_in_place(item);
                        continue;
                    }
                    None => Way::Join,
                },
                There::Lacks { .. } | There::Unknown(_) => Way::Send,
            };
            let Some(file) = self.file(item, there, Some(&title)).await? else { continue };
            if group.way != way || group.files.len() >= self.most(way) {
                self.flush(&mut group, &mut cursor).await?;
            }
            if self.is_over() {
                return Ok(());
            }
            if group.files.is_empty() {
                let follows = passed < members.len();
                (group.way, group.position) = (way, follows.then(|| cursor.clone()));
            }
            group.files.push(file);
        }
        self.flush(&mut group, &mut cursor).await
    }

    /// How many files a group may have.
    fn most(&self, way: Way) -> usize {
        let most = match way {
            Way::Send => self.upload.ctx.facts.batch.size,
            Way::Join => self.upload.storage.albums().map_or(1, charon_provider::Albums::add_limit),
        };
        most.max(1)
    }

    /// What is in the album of this title at the storage, in its order. `None` when the run has stopped.
    async fn members(&self, title: &Arc<str>) -> Result<Option<Vec<RemoteId>>, Error> {
        let ctx = &self.upload.ctx;
        let Some(source) = self.upload.storage.source() else { return Ok(Some(Vec::new())) };
        // The one that the ledger knows may be gone.
        for _ in 0..2 {
            let album = match upload::look_for_album(self.upload, title).await {
                None => return Ok(None),
                Some(Ok(None)) => return Ok(Some(Vec::new())),
                Some(Ok(Some(album))) => album,
                Some(Err(Error::Storage(error))) => {
                    ctx.stop_for_storage(&error);
                    return Ok(None);
                }
                Some(Err(error)) => return Err(error),
            };
            let wanted =
                Selection { albums: AlbumChoice::These(vec![album.clone()]), ..Selection::default() };
            if let Some(items) = items_of(ctx, source, &wanted).await {
                return Ok(Some(items));
            }
            if self.is_over() {
                return Ok(None);
            }
            upload::forget_album(self.upload, &album).await?;
        }
        let cause = "it cannot be told what is in it";
        Err(StorageError::new(Class::Transient, format!("look into the album {title}"), cause).into())
    }

    /// Sends what is in no album.
    async fn others(&mut self) -> Result<(), Error> {
        let Restoring { ctx, home, .. } = self.restoring;
        let has_albums = self.upload.storage.albums().is_some();
        let is_in_album =
            |item: &AtHome| has_albums && item.albums.iter().any(|title| home.chosen.has_album(title));
        let mut files = Vec::new();
        let mut after = 0;
        while !self.is_over()
            && let Some((mut items, last)) = self.restoring.next(after).await?
        {
            after = last;
            let clips = items.iter().filter_map(|item| item.clip.as_ref()).map(|clip| {
                let name = naming::name_of(&clip.path).to_owned();
                ctx.skipped(clip.path.clone(), name, NO_CLIPS)
            });
            ctx.record(&clips.collect::<Vec<_>>()).await?;
            items.retain(|item| !is_in_album(item));
            let Some(standing) = standing::of(self.upload, &items).await? else { return Ok(()) };
            for (item, there) in items.iter().zip(standing) {
                if matches!(there, There::Has(_)) {
                    self.is_in_place(item);
                } else if let Some(file) = self.file(item, there, None).await? {
                    files.push(file);
                }
            }
            if files.len() >= TOGETHER {
                self.send(std::mem::take(&mut files), false).await?;
            }
        }
        self.send(files, false).await
    }

    fn is_in_place(&mut self, item: &AtHome) {
        if self.in_place.insert(item.asset_id) {
            self.restoring.ctx.tell(|progress| progress.found += 1);
        }
    }

    /// The file of an item, to be sent or to join an album; `None` if it cannot be, which is recorded.
    async fn file(
        &mut self,
        item: &AtHome,
        there: There,
        album: Option<&Arc<str>>,
    ) -> Result<Option<Hashed>, Error> {
        let Restoring { ctx, home, .. } = self.restoring;
        self.touched.insert(item.asset_id);
        let (path, name) = (item.whole.path.clone(), item.name.clone());
        let gone = match there {
            There::Has(_) => None,
            There::Lacks { gone, .. } => gone,
            There::Unknown(why) => {
                let reason =
                    format!("the storage could not say whether it has it, so it was not sent: {why}");
                ctx.record(&[ctx.failed(path, name, Class::Transient, reason)]).await?;
                return Ok(None);
            }
        };
        let kept = Kept {
            site: home.site.clone(),
            path: path.clone(),
            name: name.clone(),
            description: item.description.clone(),
            fidelity: item.fidelity,
            asset_id: item.asset_id,
            gone,
        };
        let bytes = (item.whole.sha256, item.whole.size);
        match upload::of_mirror(kept, bytes, album, &ctx.facts.limits) {
            Ok(file) => Ok(Some(file)),
            Err((class, reason)) => {
                let record = match class {
                    None => ctx.skipped(path, name, reason),
                    Some(class) => ctx.failed(path, name, class, reason),
                };
                ctx.record(&[record]).await?;
                Ok(None)
            }
        }
    }

    /// Does with a group what is to be done; what follows goes behind it.
    async fn flush(&self, group: &mut Group, cursor: &mut Position) -> Result<(), Error> {
        let files = std::mem::take(&mut group.files);
        if files.is_empty() || self.is_over() {
            return Ok(());
        }
        let truth = &self.upload.truth;
        truth.goes_on_at(group.position.take());
        let sent = self.send(files, group.way == Way::Send).await;
        if let Some(position) = truth.position() {
            *cursor = position;
        }
        truth.goes_on_at(None);
        sent
    }

    async fn send(&self, files: Vec<Hashed>, in_order: bool) -> Result<(), Error> {
        let Restoring { ctx, home, .. } = self.restoring;
        if files.is_empty() || self.is_over() {
            return Ok(());
        }
        // Without its disk, everything would seem to be missing (I11).
        Mirror::look(&home.site, ctx.plan).await?;
        let upload = Arc::clone(self.upload);
        if in_order {
            upload::send_in_order(upload, files).await;
        } else {
            upload::send_given(upload, files).await;
        }
        Ok(())
    }
}

/// A title as the storage takes it.
pub(super) fn title_at(title: &str, most_chars: usize) -> Arc<str> {
    let title = if title.trim().is_empty() { UNTITLED } else { title };
    let cut: String = title.chars().take(most_chars).collect();
    cut.trim_end().into()
}
