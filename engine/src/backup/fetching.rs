//! Fetch and store: the bytes of several items at a time, each checked and put into its place.

use std::sync::Arc;

use charon_provider::{Class, Error, Part, Reason, RemoteItem, Source};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{Backup, FETCHES, Wanted};
use crate::{
    mirror::Received,
    retry::with_retries,
    store::{ItemRecord, Stored},
};

/// An address that was renewed this often and is stale again is no address.
const RENEWALS: u32 = 3;

/// What became of an item.
#[derive(Debug)]
pub(super) enum Fetched {
    /// It is in its place; the ledger does not know yet.
    Placed { stored: Stored, path: String },
    /// It failed, and that is to be recorded.
    Failed(ItemRecord),
}

/// Fetches what comes, until nothing comes any more or the run stops.
pub(super) async fn fetch(
    backup: &Arc<Backup>,
    mut listed: mpsc::Receiver<Wanted>,
    placed: mpsc::Sender<Fetched>,
) {
    // Tasks of their own, so that hashing and decrypting use more than one core. They end when they are dropped.
    let mut under_way = FuturesUnordered::new();
    let mut more_may_come = true;
    while more_may_come || !under_way.is_empty() {
        tokio::select! {
            // Nothing more is begun. What is being fetched lets go at once, and what is being put into its place gets there
            // and is recorded.
            () = backup.ctx.cancel.cancelled(), if more_may_come => more_may_come = false,
            Some(ended) = under_way.next(), if !under_way.is_empty() => match ended {
                // Closed only when recording has failed, which stops the run.
                Ok(Some(fetched)) => drop(placed.send(fetched).await),
                Ok(None) => {}
                Err(panic) => {
                    let cause = format!("this is a mistake in Charon: {panic}");
                    backup.ctx.stop_for_storage(&Error::new(Class::Transient, "fetch an item", cause));
                }
            },
            next = listed.recv(), if more_may_come && under_way.len() < FETCHES => match next {
                Some(wanted) => {
                    let task = tokio::spawn(fetch_one(Arc::clone(backup), wanted));
                    under_way.push(AbortOnDropHandle::new(task));
                }
                None => more_may_come = false,
            },
        }
    }
}

/// `None` when the run has stopped.
async fn fetch_one(backup: Arc<Backup>, wanted: Wanted) -> Option<Fetched> {
    let ctx = &backup.ctx;
    let item = wanted.page.get(&wanted.id)?;
    let (id, name) = (item.id.0.clone(), item.file_name.clone());
    let outcome = match receive(&backup, &wanted, item).await? {
        Ok((received, item)) => place(&backup, &wanted, received, item).await,
        Err(error) => Err(error),
    };
    wanted.page.done(&wanted.id);
    match outcome {
        Ok(fetched) => {
            ctx.item_worked();
            Some(fetched)
        }
        Err(error) => {
            let error = ctx.item_failed(error)?;
            Some(Fetched::Failed(ctx.failed(id, name, error.class, error.to_string())))
        }
    }
}

/// Gets the bytes, with a fresh address whenever the one at hand has expired.
async fn receive(
    backup: &Backup,
    wanted: &Wanted,
    mut item: RemoteItem,
) -> Option<Result<(Received, RemoteItem), Error>> {
    let (ctx, source) = (&backup.ctx, backup.storage.source()?);
    let mut renewals = 0;
    loop {
        let expired = item.address.as_ref().is_none_or(|address| address.valid_until <= ctx.clock.now());
        let error = if expired {
            Error::new(Class::Transient, format!("fetch {}", item.file_name), "its address has expired")
                .because(Reason::StaleAddress)
        } else {
            match with_retries(ctx, || receive_once(backup, source, &item)).await? {
                Ok(received) => return Some(Ok((received, item))),
                Err(error) => error,
            }
        };
        if error.reason != Reason::StaleAddress || renewals == RENEWALS {
            return Some(Err(concerning_the_item(error)));
        }
        renewals += 1;
        item = match wanted.page.renew(ctx, source, &item).await? {
            Ok(item) => item,
            Err(error) => return Some(Err(error)),
        };
    }
}

/// A server that answers, and again and again with what cannot be right for this item, has no passing fault: the other items
/// may well come.
fn concerning_the_item(error: Error) -> Error {
    match error.reason {
        Reason::StaleAddress | Reason::WrongContent => Error { class: Class::Item, ..error },
        _ => error,
    }
}

async fn receive_once(backup: &Backup, source: &dyn Source, item: &RemoteItem) -> Result<Received, Error> {
    let body = source.open(item, Part::Whole, None).await?;
    backup.mirror.receive(body, &item.file_name).await
}

async fn place(
    backup: &Backup,
    wanted: &Wanted,
    received: Received,
    item: RemoteItem,
) -> Result<Fetched, Error> {
    let ctx = &backup.ctx;
    let record = ctx.done(item.id.0, item.file_name, received.size);
    let stored = Stored {
        asset_id: wanted.asset_id,
        sha256: received.sha256,
        size: received.size,
        fidelity: received.fidelity,
        record,
    };
    let (mirror, path, taken_at) =
        (Arc::clone(&backup.mirror), wanted.path.clone(), item.taken_at.unwrap_or(ctx.clock.now()));
    let path = tokio::task::spawn_blocking(move || mirror.place(received, &path, taken_at).map(|()| path))
        .await
        .map_err(|error| Error::new(Class::Destination, "store an item", error.to_string()))??;
    Ok(Fetched::Placed { stored, path })
}
