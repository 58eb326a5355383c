//! Nearby: the original of an item may be on this machine, in a folder that it was uploaded from. It costs no request, and is better
//! than what comes back from a storage.

use std::{path::Path, sync::Arc};

use charon_provider::{Class, Error as StorageError};

use super::Backup;
use crate::{error::Error, mirror::Received};

/// A copy of the original, if one is there: with the bytes that were uploaded, whatever has become of the file since. `None` also where
/// it cannot be read.
pub(super) async fn original(backup: &Arc<Backup>, asset_id: i64) -> Result<Option<Received>, Error> {
    for found in backup.ctx.store.originals_nearby(asset_id).await? {
        let (mirror, path) = (Arc::clone(&backup.mirror), found.path.clone());
        let copying = move || Received::copied(&mirror, Path::new(&path), found.size);
        let copied = tokio::task::spawn_blocking(copying).await.map_err(|panic| {
            StorageError::new(Class::Item, format!("copy {}", found.path), panic.to_string())
        })?;
        match copied {
            Ok(copied) if copied.sha256 == found.sha256 => return Ok(Some(copied)),
            Ok(_) => tracing::debug!(path = found.path, "the file has been changed since it was uploaded"),
            Err(error) if error.class == Class::Item => {
                tracing::debug!(%error, path = found.path, "the original on this machine cannot be read");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
