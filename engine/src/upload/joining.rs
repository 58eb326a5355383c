//! Join: bytes that the storage has already are put into their albums, without being sent again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use charon_provider::{Class, Reason, RemoteId};
use futures::TryFutureExt;

use super::{Hashed, Upload, afterwards::Onwards, albums};
use crate::{error::Error, retry::with_retries, store::ItemRecord};

/// So many items may wait, for all albums together: beyond that, those go that have waited longest.
const MOST_WAITING: usize = 500;

/// An item of the storage, and the file with the same bytes.
type Joiner = (RemoteId, Hashed);

/// Items that wait to join albums.
#[derive(Debug)]
pub(super) struct Joiners {
    /// By album, those first that have waited longest.
    albums: VecDeque<(Arc<str>, Vec<Joiner>)>,
    waiting: usize,
    onwards: Onwards,
}

impl Joiners {
    pub(super) fn new(onwards: Onwards) -> Self {
        Self { albums: VecDeque::new(), waiting: 0, onwards }
    }

    /// One item more; a batch goes out when it is full.
    pub(super) async fn add(
        &mut self,
        upload: &Upload,
        title: &Arc<str>,
        id: RemoteId,
        file: Hashed,
    ) -> Result<(), Error> {
        let same = self.albums.iter().position(|(other, _)| other == title);
        let at = same.unwrap_or(self.albums.len());
        if same.is_none() {
            self.albums.push_back((Arc::clone(title), Vec::new()));
        }
        let items = &mut self.albums[at].1;
        items.push((id, file));
        self.waiting += 1;
        let most = upload.storage.albums().map_or(1, |albums| albums.add_limit().max(1));
        if items.len() >= most {
            self.put(upload, at).await
        } else if self.waiting > MOST_WAITING {
            self.put(upload, 0).await
        } else {
            Ok(())
        }
    }

    /// Puts all that wait into their albums.
    pub(super) async fn flush(&mut self, upload: &Upload) -> Result<(), Error> {
        while !self.albums.is_empty() {
            self.put(upload, 0).await?;
        }
        Ok(())
    }

    /// Puts those that wait for one album into it.
    async fn put(&mut self, upload: &Upload, at: usize) -> Result<(), Error> {
        let Some((title, items)) = self.albums.remove(at) else { return Ok(()) };
        self.waiting -= items.len();
        if upload.ctx.begins_no_more() {
            return Ok(());
        }
        let title = &*title;
        let mut parts = VecDeque::from([items]);
        let ctx = &upload.ctx;
        let mut forgotten = false;
        while let Some(mut part) = parts.pop_front() {
            // Those that wait when the run stops have not been begun with.
            let Some(turn) = ctx.unless_stopped(ctx.lane.turn_to_write()).await else { return Ok(()) };
            let Some(album) = albums::ensure(upload, title, Duration::ZERO).await else { return Ok(()) };
            let album = match album {
                Ok(album) => album,
                // What is being sent comes to its end all the same.
                Err(Error::Storage(error)) if error.reason == Reason::OverBudget => {
                    ctx.stop_for_storage(&error);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let Some(storage_albums) = upload.storage.albums() else { return Ok(()) };
            let ids: Vec<RemoteId> = unique(part.iter().map(|(id, _)| id.clone()));
            let Some(added) = with_retries(ctx, || {
                let adding = storage_albums.add(&album, &ids);
                adding.map_err(|error| albums::not_yet_if_new(upload, title, error))
            })
            .await
            else {
                return Ok(());
            };
            drop(turn);
            let error = match added {
                Ok(()) => {
                    let joined: Vec<(RemoteId, ItemRecord)> = part
                        .iter()
                        .map(|(id, file)| (id.clone(), ctx.done(file.found.key(), file.found.name(), 0)))
                        .collect();
                    ctx.store.record_joined(ctx.storage, &album, ctx.attempt(), &joined).await?;
                    ctx.tell(|progress| progress.items.done += joined.len() as u64);
                    ctx.item_worked();
                    for (_, file) in part {
                        self.onwards.done(file, 0).await;
                    }
                    continue;
                }
                Err(error) => error,
            };
            // An item that is not found is another matter: its class is Item.
            if !forgotten && (error.reason, error.class) == (Reason::NotFound, Class::Config) {
                albums::forget(upload, &album).await?;
                forgotten = true;
                parts.push_front(part);
            } else if error.class == Class::Item && ids.len() > 1 {
                // All of them or none are added: one that is gone must not keep the others out.
                let rest = part.split_off(part.len() / 2);
                parts.push_front(rest);
                parts.push_front(part);
            } else {
                let Some(error) = ctx.item_failed(error) else { return Ok(()) };
                let records: Vec<ItemRecord> = part
                    .iter()
                    .map(|(_, file)| {
                        ctx.failed(file.found.key(), file.found.name(), error.class, error.to_string())
                    })
                    .collect();
                ctx.record(&records).await?;
            }
        }
        Ok(())
    }
}

/// One request may not name an item twice.
fn unique(ids: impl Iterator<Item = RemoteId>) -> Vec<RemoteId> {
    let mut seen = std::collections::HashSet::new();
    ids.filter(|id| seen.insert(id.clone())).collect()
}
