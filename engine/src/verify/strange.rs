//! Strange: files in the mirror that Charon did not put there. They are told, and left where they are.

use std::{collections::HashSet, sync::Arc};

use charon_provider::{Class, Depth, EntryKind};
use futures::StreamExt;

use crate::{backup::Backup, error::Error, mirror::OWN_FOLDER, naming, sidecars::Sidecar};

/// Paths that are looked up in the ledger together.
const TOGETHER: usize = 500;
/// What file managers and NAS systems leave in every folder.
const RUBBISH: [&str; 8] = [
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
];
/// What the record of each says.
const REASON: &str = "a file that Charon did not put there; it stays where it is";

/// Looks for them.
pub(super) async fn look(backup: &Arc<Backup>) -> Result<(), Error> {
    let (ctx, mirror) = (backup.context(), backup.mirror());
    let mut listed = mirror.files().list("", Depth::Tree).ready_chunks(TOGETHER);
    let mut found = 0;
    while let Some(Some(entries)) = ctx.unless_stopped(listed.next()).await {
        let mut paths = Vec::new();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                // A folder that may not be looked into, a name that is no text: whatever is there, it is not Charon's.
                Err(error) if matches!(error.class, Class::Item | Class::Destination) => {
                    tracing::warn!(%error, "something in the mirror cannot be looked at");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if entry.kind == EntryKind::File && !is_passed_over(&entry.path) {
                paths.push(entry.path);
            }
        }
        let owners = paths.iter().filter_map(|path| Sidecar::owner(path).map(str::to_owned));
        let asked: Vec<String> = paths.iter().cloned().chain(owners).collect();
        let ours: HashSet<String> = ctx.store.stored_paths(ctx.plan, &asked).await?;
        let is_sidecar = |path: &String| Sidecar::owner(path).is_some_and(|owner| ours.contains(owner));
        let strange: Vec<_> = paths
            .into_iter()
            .filter(|path| !ours.contains(path) && !is_sidecar(path))
            .map(|path| {
                let name = naming::name_of(&path).to_owned();
                ctx.skipped(path, name, REASON)
            })
            .collect();
        found += strange.len() as u64;
        ctx.record(&strange).await?;
    }
    if ctx.stopped().is_none() {
        ctx.store.record_strange(ctx.attempt(), found).await?;
    }
    Ok(())
}

/// Whether it is Charon's own, or what file managers leave.
pub(crate) fn is_passed_over(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.clone().next() == Some(OWN_FOLDER)
        || parts.any(|part| RUBBISH.contains(&part) || part.starts_with("._"))
}
