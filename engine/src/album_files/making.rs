//! Making one entry: a link, a copy, a manifest. Each is made beside and then renamed into its place.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use charon_provider::{Class, Error, Reason};

use super::layout;
use crate::{
    mirror::{Mirror, hash},
    plan::AlbumFiles,
    store::AlbumEntry,
};

/// Makes an entry; what was at its path gives way.
pub(super) async fn make(
    mirror: &Mirror,
    entry: &AlbumEntry,
    manifest: Option<Vec<u8>>,
) -> Result<(), Error> {
    if let Some(manifest) = manifest {
        return mirror.write(&entry.path, manifest).await;
    }
    let Some(root) = mirror.root().map(Path::to_owned) else {
        let cause = "a storage keeps no links; let the albums of the plan be manifests";
        return Err(Error::new(Class::Config, "make a link", cause));
    };
    let (entry, beside) = (entry.clone(), mirror.beside());
    let path = entry.path.clone();
    let entry_path = path.clone();
    let made = tokio::task::spawn_blocking(move || make_link(&root, &beside, &entry));
    let failed = |error: io::Error| {
        let cause = match error.kind() {
            io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => {
                format!(
                    "{error}; where there are no links, let the albums of the plan be copies or manifests"
                )
            }
            _ => error.to_string(),
        };
        Error::new(Class::Destination, format!("make {path}"), cause)
    };
    match made.await.map_err(|panic| failed(io::Error::other(panic)))? {
        // The photo is not there; when it is home again, so is its link.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::warn!(
                path = entry_path,
                "what stands for a photo in an album could not be made: the photo is not there"
            );
            Ok(())
        }
        made => made.map_err(failed),
    }
}

/// Whether a symbolic link can be made in the mirror: neither storages nor all file systems keep any.
pub(super) async fn can_link(mirror: &Mirror) -> bool {
    if mirror.root().is_none() {
        return false;
    }
    let beside = mirror.beside();
    let tried = tokio::task::spawn_blocking(move || {
        beside.parent().map_or(Ok(()), fs::create_dir_all)?;
        symlink(Path::new("anywhere"), &beside)?;
        fs::remove_file(&beside)
    });
    matches!(tried.await, Ok(Ok(())))
}

/// Whether what is at the path of an entry, if anything, is what was put there.
pub(super) async fn is_ours(mirror: &Mirror, entry: &AlbumEntry) -> Result<bool, Error> {
    if let (AlbumFiles::Symlink, Some(root)) = (entry.kind, mirror.root()) {
        let path = root.join(&entry.path);
        let looked = tokio::task::spawn_blocking(move || fs::symlink_metadata(path)).await;
        return Ok(match looked {
            Ok(Ok(metadata)) => metadata.is_symlink(),
            Ok(Err(error)) => error.kind() == io::ErrorKind::NotFound,
            Err(_) => false,
        });
    }
    match hash(mirror.files(), &entry.path).await {
        Ok(sha256) => Ok(sha256 == entry.sha256),
        Err(error) if error.reason == Reason::NotFound => Ok(true),
        Err(error) if error.class == Class::Item => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether what is at the path of an entry is the very link that would be made.
pub(super) async fn is_alike(mirror: &Mirror, entry: &AlbumEntry) -> bool {
    let (AlbumFiles::Symlink, Some(root)) = (entry.kind, mirror.root()) else { return false };
    let (path, target) = (root.join(&entry.path), layout::relative(&entry.path, &entry.target));
    let read = tokio::task::spawn_blocking(move || fs::read_link(path)).await;
    read.is_ok_and(|read| read.is_ok_and(|leads_to| leads_to == Path::new(&target)))
}

/// Makes a link or a copy below a root: `beside` first, and then renamed. Blocks.
pub(crate) fn make_link(root: &Path, beside: &Path, entry: &AlbumEntry) -> io::Result<()> {
    let (place, target) = (root.join(&entry.path), root.join(&entry.target));
    beside.parent().map_or(Ok(()), fs::create_dir_all)?;
    place.parent().map_or(Ok(()), fs::create_dir_all)?;
    match entry.kind {
        AlbumFiles::Symlink => symlink(&PathBuf::from(layout::relative(&entry.path, &entry.target)), beside)?,
        AlbumFiles::Hardlink => fs::hard_link(&target, beside)?,
        AlbumFiles::Copy => {
            fs::copy(&target, beside)?;
            let copy = fs::File::options().write(true).open(beside)?;
            let times = fs::FileTimes::new().set_modified(fs::metadata(&target)?.modified()?);
            copy.set_times(times)?;
            copy.sync_all()?;
        }
        AlbumFiles::Manifest | AlbumFiles::None => {}
    }
    // Renaming one hard link of a file over another does nothing, and leaves both.
    if entry.kind == AlbumFiles::Hardlink {
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(beside, &place)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
