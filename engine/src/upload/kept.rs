//! Files that a mirror keeps, given to be sent: what is to be said of them is in the ledger, and their bytes come from wherever the
//! mirror is.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use charon_provider::{BatchPolicy, Class, Fidelity, Position, RemoteId, UploadLimits};

use super::{Found, Hashed, Upload, given, scanning};
use crate::{ids::Sha256, mirror::Site, store::Known};

/// A batch that is put together in order waits so long for those that are on their way: as long as what was given for the others is
/// worth something.
const PATIENCE: Duration = Duration::from_hours(20);

/// What is known of a file of a mirror.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The mirror.
    pub(crate) site: Site,
    /// Below its destination.
    pub(crate) path: String,
    /// The name that the item shall have.
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) fidelity: Fidelity,
    pub(crate) asset_id: i64,
    /// The item of the storage that it was, and that is not there any more.
    pub(crate) gone: Option<RemoteId>,
}

/// What a restore has found out of the storage that it sends to. For other uploads it is empty.
#[derive(Debug, Default)]
pub(crate) struct Truth(Mutex<Learnt>);

#[derive(Debug, Default)]
struct Learnt {
    /// Items that the ledger knows, and that are gone.
    gone: HashSet<RemoteId>,
    /// Items that are there.
    there: HashSet<RemoteId>,
    /// Items that this attempt has made.
    made: HashSet<RemoteId>,
    /// Where the items of the next commit go, if that is not at the end of their album.
    position: Option<Position>,
}

impl Truth {
    fn held(&self) -> MutexGuard<'_, Learnt> {
        self.0.lock().expect("nothing panics while it holds what is known of the storage")
    }

    pub(crate) fn is_gone(&self, id: &RemoteId) {
        let mut held = self.held();
        held.there.remove(id);
        held.gone.insert(id.clone());
    }

    pub(crate) fn is_there(&self, id: &RemoteId) {
        let mut held = self.held();
        held.gone.remove(id);
        held.there.insert(id.clone());
    }

    /// Whether an item is there; `None` if nobody has looked.
    pub(crate) fn of(&self, id: &RemoteId) -> Option<bool> {
        let held = self.held();
        if held.gone.contains(id) { Some(false) } else { held.there.contains(id).then_some(true) }
    }

    /// The items of the next commit go there, and those of later ones behind them; at the end of their album, where nothing is said.
    pub(crate) fn goes_on_at(&self, position: Option<Position>) {
        self.held().position = position;
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.held().position.clone()
    }

    /// An item was made; it is the last one of its commit so far.
    pub(super) fn made(&self, id: &RemoteId) {
        self.is_there(id);
        let mut held = self.held();
        held.made.insert(id.clone());
        if held.position.is_some() {
            held.position = Some(Position::After(id.clone()));
        }
    }

    /// What the ledger knows, without items that are gone. What was there before is given only where it is not in its album.
    pub(super) fn corrected(&self, known: Known) -> Known {
        let Some(id) = &known.remote_id else { return known };
        let held = self.held();
        if held.gone.contains(id) {
            return Known { remote_id: None, in_album: false, ..known };
        }
        Known { in_album: known.in_album && held.made.contains(id), ..known }
    }
}

/// A file of a mirror, as it is sent into an album or none.
///
/// # Errors
/// Why the storage does not take it: left out if it takes no such files at all.
pub(crate) fn of_mirror(
    kept: Kept,
    (sha256, size): (Sha256, u64),
    album: Option<&Arc<str>>,
    limits: &UploadLimits,
) -> Result<Hashed, (Option<Class>, String)> {
    let path = PathBuf::from(&kept.path);
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let format = limits.format_of(&extension);
    let format = format.ok_or_else(|| (None, scanning::NOT_TAKEN.to_owned()))?;
    if let Some(reason) = scanning::unfit_size(size, format, limits) {
        return Err((Some(Class::Item), reason));
    }
    let source: Arc<Path> = Path::new("").into();
    let kept = Some(Arc::new(kept));
    let found = Found { path, source, size, modified_ns: 0, format, place: 0, kept };
    Ok(Hashed { found, sha256, album: album.cloned() })
}

/// Sends these files of one album, which are no more than one commit takes, and has them committed in this order.
pub(crate) async fn send_in_order(upload: Arc<Upload>, files: Vec<Hashed>) {
    let policy = BatchPolicy { idle: PATIENCE, ..upload.ctx.facts.batch };
    given::send_all(upload, files, &policy).await;
}
