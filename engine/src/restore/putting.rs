//! Putting one file into a folder: read from the mirror, hashed, flushed, and only then given its name, which nothing else may have.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, FileTimes},
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use charon_provider::{Class, EntryKind, Error, Reason};
use jiff::Timestamp;

use super::Restoring;
use crate::{
    durable::sync_folder,
    ids::Sha256,
    mirror::{self, Site, no_room},
    plans::looked_at,
    retry::with_retries,
    run::RunContext,
    upload::name_anew,
    verify::Damage,
};

/// Where files are until they are complete, within the folder that they go to.
const UNFINISHED: &str = ".charon-restore";

/// A folder that files are restored to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) site: Site,
    unfinished: PathBuf,
    next: AtomicU64,
    /// Paths at which there is something else.
    taken: Mutex<HashSet<String>>,
}

/// A file of the mirror that is to be put there.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Below the destination, and below the folder.
    pub(super) path: String,
    /// What people call it.
    pub(super) name: String,
    /// What it has to be; a file that is beside a photo may be anything.
    pub(super) bytes: Option<(Sha256, u64)>,
    /// The time that it shall bear.
    pub(super) modified: Option<Timestamp>,
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Came {
    /// It is there now, with so many bytes.
    There(u64),
    /// It was there before.
    WasThere,
    /// Something else is there.
    InTheWay,
    /// It is not in the mirror, or not as it was stored.
    Damaged(Damage, String),
    /// It cannot be put there.
    Not(Class, String),
}

impl Place {
    /// Makes the folder if need be, and clears what an earlier attempt at the run, or a run that is over, has left half done.
    pub(super) async fn open(root: &Path, ctx: &RunContext) -> Result<Self, crate::error::Error> {
        clear_what_is_over(&root.join(UNFINISHED), ctx).await?;
        let unfinished = root.join(UNFINISHED).join(ctx.run.to_string());
        let (workshop, folder) = (unfinished.clone(), root.to_owned());
        let make = move || {
            match fs::remove_dir_all(&workshop) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::create_dir_all(&workshop)?;
            folder.parent().map_or(Ok(()), sync_folder)
        };
        let doing = "use the folder";
        let failed = |error: &io::Error| no_room(doing, root, error);
        looked_at(make)
            .await
            .map_err(|error| failed(&io::Error::other(error)))?
            // Whatever is wrong with it, nothing can be put there.
            .map_err(|error| Error { class: Class::Destination, ..failed(&error) })?;
        let site = Site::folder(root);
        Ok(Self { root: root.to_owned(), site, unfinished, next: AtomicU64::new(0), taken: Mutex::default() })
    }

    /// Takes away what was for unfinished files. What cannot be taken away is no fault of what is there.
    pub(super) async fn close(self) {
        let clear = move || {
            let cleared = fs::remove_dir_all(&self.unfinished);
            // Another restore may be at work there.
            cleared.and_then(|()| self.unfinished.parent().map_or(Ok(()), fs::remove_dir))
        };
        if let Ok(Err(error)) = looked_at(clear).await {
            tracing::debug!(%error, "the folder for unfinished files was not removed");
        }
    }

    /// A path that nothing else has, for something that is made before it is put into its place.
    pub(super) fn beside(&self) -> PathBuf {
        self.unfinished.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Puts a file there, if nothing is at its place.
    ///
    /// # Errors
    /// What keeps the other files from being put there too.
    pub(super) async fn put(&self, restoring: &Restoring, piece: &Piece) -> Result<Came, Error> {
        if let Some(there) = self.site.files().look(std::slice::from_ref(&piece.path)).await?.pop().flatten()
        {
            let is_same = there.kind == EntryKind::File && self.is_same(restoring, piece, there.size).await?;
            return Ok(if is_same { Came::WasThere } else { self.is_taken(piece) });
        }
        let temporary = self.beside();
        let came = self.copy(restoring, piece, &temporary).await;
        if !matches!(came, Ok(Came::There(_))) {
            // What cannot be removed now is removed at the end.
            drop(tokio::fs::remove_file(&temporary).await);
        }
        came
    }

    fn is_taken(&self, piece: &Piece) -> Came {
        self.taken.lock().expect("nothing panics while it holds the paths").insert(piece.path.clone());
        Came::InTheWay
    }

    /// Whether something else is at the place of what this run was to put there.
    pub(super) fn has_other(&self, path: &str) -> bool {
        self.taken.lock().expect("nothing panics while it holds the paths").contains(path)
    }

    async fn is_same(&self, restoring: &Restoring, piece: &Piece, size: u64) -> Result<bool, Error> {
        let wanted = match piece.bytes {
            Some((_, wanted)) if wanted != size => return Ok(false),
            Some((sha256, _)) => sha256,
            None => match mirror::hash(restoring.home.site.files(), &piece.path).await {
                Ok(sha256) => sha256,
                Err(error) if error.class == Class::Item => return Ok(false),
                Err(error) => return Err(error),
            },
        };
        match mirror::hash(self.site.files(), &piece.path).await {
            Ok(sha256) => Ok(sha256 == wanted),
            Err(error) if error.class == Class::Item => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn copy(&self, restoring: &Restoring, piece: &Piece, temporary: &Path) -> Result<Came, Error> {
        let Restoring { ctx, home, .. } = restoring;
        let moving = ctx.board.begin(&piece.name, 0, piece.bytes.map(|(_, size)| size));
        let fetched = with_retries(ctx, || {
            moving.is_at(0);
            mirror::fetch(home.site.files(), &piece.path, temporary, |bytes| moving.moved(bytes))
        });
        let Some(fetched) = fetched.await else {
            return Err(Error::new(Class::Transient, "restore a file", "the run was stopped"));
        };
        let (sha256, size) = match fetched {
            Ok(Ok(bytes)) => bytes,
            // It cannot be written.
            Ok(Err(error)) => return not_put(error),
            Err(error) => return unread(restoring, piece, error).await,
        };
        if piece.bytes.is_some_and(|wanted| wanted != (sha256, size)) {
            let reason = format!(
                "the file {} of the mirror has other bytes than those that were stored, so it was not restored; charon verify \
                 --repair fetches it again, if the account still has it",
                piece.path
            );
            return Ok(Came::Damaged(Damage::Changed, reason));
        }
        let (from, to, modified) = (temporary.to_owned(), self.root.join(&piece.path), piece.modified);
        let named = looked_at(move || name(&from, &to, modified)).await;
        match named.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => Ok(Came::There(size)),
            // It came there a moment ago.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(self.is_taken(piece)),
            Err(error) => not_put(no_room(&format!("restore {}", piece.path), &self.root, &error)),
        }
    }
}

/// Takes away what runs have left half done that were killed and then cancelled. What another Charon knows of stays.
async fn clear_what_is_over(unfinished: &Path, ctx: &RunContext) -> Result<(), crate::error::Error> {
    let folder = unfinished.to_owned();
    let names =
        move || fs::read_dir(folder).map(|names| names.flatten().map(|name| name.file_name()).collect());
    // It is made when it is not there, and what cannot be looked at cannot be cleared.
    let names: Vec<OsString> = looked_at(names).await.ok().and_then(Result::ok).unwrap_or_default();
    for name in names {
        let Some(run) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if ctx.store.run(run).await?.is_some_and(|run| !run.state.is_live()) {
            let left = unfinished.join(name);
            if let Ok(Err(error)) = looked_at(move || fs::remove_dir_all(left)).await {
                tracing::debug!(%error, %run, "what a restore has left half done was not removed");
            }
        }
    }
    Ok(())
}

/// Flushes a file and gives it its name. Blocks.
fn name(from: &Path, to: &Path, modified: Option<Timestamp>) -> io::Result<()> {
    let file = fs::File::options().write(true).open(from)?;
    if let Some(modified) = modified
        && let Err(error) = file.set_times(FileTimes::new().set_modified(SystemTime::from(modified)))
    {
        // Some file systems know no time before 1980; the photo is worth more than its date.
        tracing::warn!(%error, path = %to.display(), "the modification time could not be set");
    }
    file.sync_all()?;
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    name_anew(from, to)?;
    match fs::remove_file(from) {
        // It was renamed, where a file has one name.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that cannot be written: it alone, or any.
fn not_put(error: Error) -> Result<Came, Error> {
    match error.class {
        Class::Item => Ok(Came::Not(Class::Item, error.to_string())),
        _ => Err(error.cured_by("make it fit to be written to, then restore again; what is there stays")),
    }
}

/// A file that cannot be read: it alone, or any.
async fn unread(restoring: &Restoring, piece: &Piece, error: Error) -> Result<Came, Error> {
    let path = &piece.path;
    if error.reason == Reason::NotFound {
        // Where the disk is gone, no file of it is.
        if !restoring.is_home_there().await {
            return Err(Error { class: Class::Destination, ..error }
                .cured_by("see that the disk of the mirror is mounted"));
        }
        let reason = format!(
            "the file {path} of the mirror is not there; charon verify --repair fetches it again, if the account still has it"
        );
        return Ok(Came::Damaged(Damage::Missing, reason));
    }
    let is_of_file = match error.class {
        Class::Item => true,
        // The disk or the server may be gone, or have one bad place: the marker tells.
        Class::Destination | Class::Transient => restoring.is_home_there().await,
        _ => false,
    };
    if is_of_file {
        let reason = format!("the file {path} of the mirror cannot be read: {error}");
        return Ok(Came::Damaged(Damage::Unreadable, reason));
    }
    Err(error)
}
