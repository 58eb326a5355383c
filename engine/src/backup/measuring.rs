//! Measure: how many bytes come with the items of a page, where the storage is told to read sizes first.

use std::sync::Arc;

use charon_provider::{Class, RemoteItem, Source};
use futures::{StreamExt, stream};

use super::{Backup, diffing::Missing};
use crate::retry::with_retries;

/// Measurings at a time: the fetches have the connections.
const MEASURED_AT_ONCE: usize = 8;

/// The items with their sizes, in their order, as far as the whole of them is wanted. `None` when the run stops.
pub(super) async fn measure(
    backup: &Arc<Backup>,
    items: Vec<(RemoteItem, Missing)>,
) -> Option<Vec<(RemoteItem, Missing)>> {
    let ctx = &backup.ctx;
    let source = backup.storage.source().filter(|_| ctx.facts.read_size);
    let Some(source) = source else { return Some(items) };
    let measured = items.into_iter().map(async |(item, missing)| {
        let item =
            if missing.whole && !missing.may_be_nearby() { one(backup, source, item).await? } else { item };
        Some((item, missing))
    });
    let measured: Vec<Option<_>> = stream::iter(measured).buffered(MEASURED_AT_ONCE).collect().await;
    let measured: Vec<(RemoteItem, Missing)> = measured.into_iter().collect::<Option<_>>()?;
    let of_whole = |(item, missing): &(RemoteItem, Missing)| item.size.filter(|_| missing.whole);
    let bytes: u64 = measured.iter().filter_map(of_whole).sum();
    ctx.tell(|progress| progress.bytes_found += bytes);
    Some(measured)
}

async fn one(backup: &Backup, source: &dyn Source, mut item: RemoteItem) -> Option<RemoteItem> {
    if item.size.is_some() {
        return Some(item);
    }
    match with_retries(&backup.ctx, || source.measure(&item)).await? {
        Ok(size) => item.size = size,
        Err(error) if matches!(error.class, Class::Item | Class::Transient) => {
            // Fetching it will tell what is wrong with it.
            tracing::debug!(%error, "an item could not be measured");
        }
        Err(error) => {
            backup.ctx.stop_for_storage(&error);
            return None;
        }
    }
    Some(item)
}
