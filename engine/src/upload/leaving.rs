//! Leaving: a file goes out of its source folder, moved or deleted, if it is still the one that was sent. Nothing is ever overwritten,
//! and at every moment the whole file is in one place or the other.

use std::{
    fs::{self, File, FileTimes, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::Digest;

use super::sidecars;
use crate::{durable::sync_folder, ids::Sha256};

const BUFFER_BYTES: usize = 256 * 1024;
/// So many files of one name there may be in one folder.
const MOST_NAMES: u32 = 10_000;

/// What becomes of files whose bytes the storage has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// They stay.
    Keep,
    /// They go to the same place below this folder.
    MoveTo(PathBuf),
    Delete,
}

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    MovedTo(PathBuf),
    Deleted,
    /// It is another one than was sent, and stays.
    Changed,
}

/// Why a file could not go.
#[derive(Debug)]
pub(super) enum Stays {
    /// It cannot be read or taken away.
    Here(io::Error),
    /// It cannot be put where it is to go.
    There(io::Error),
}

/// Moves or deletes a file of a source folder whose bytes have this hash. Blocks.
pub(super) fn leave(path: &Path, source: &Path, sha256: Sha256, after: &After) -> Result<Left, Stays> {
    match after {
        After::Keep => Ok(Left::Changed),
        After::Delete => {
            let Some(seen) = Seen::of_same(path, sha256).map_err(Stays::Here)? else {
                return Ok(Left::Changed);
            };
            Ok(if seen.take_away(path).map_err(Stays::Here)? { Left::Deleted } else { Left::Changed })
        }
        After::MoveTo(root) => {
            let below = path.strip_prefix(source).ok().and_then(Path::parent).unwrap_or(Path::new(""));
            let folder = root.join(below);
            make_folders(root, &folder).map_err(Stays::There)?;
            let name = path.file_name().unwrap_or_default();
            let Some(moved) = go(path, sha256, &folder, Path::new(name))? else { return Ok(Left::Changed) };
            sidecars_follow(path, &moved);
            Ok(Left::MovedTo(moved))
        }
    }
}

/// What a file was when its bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    #[cfg(unix)]
    place: (u64, u64),
    size: u64,
    modified_ns: i64,
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self {
            #[cfg(unix)]
            place: (
                std::os::unix::fs::MetadataExt::dev(metadata),
                std::os::unix::fs::MetadataExt::ino(metadata),
            ),
            size: metadata.len(),
            modified_ns: super::scanning::modified_ns(metadata),
        }
    }

    /// Reads a file to its end. `None` if its bytes have another hash, or it was changed meanwhile.
    fn of_same(path: &Path, sha256: Sha256) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let seen = Self::of(&file.metadata()?);
        let is_same = hash(&mut file, io::sink())? == sha256 && seen == Self::of(&file.metadata()?);
        Ok((is_same && seen.is_at(path)).then_some(seen))
    }

    /// Whether that file, and not a link to it, is still at this path.
    fn is_at(self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|now| now.is_file() && Self::of(&now) == self)
    }

    /// Takes the file away for good. Gives false if another one is there by now.
    fn take_away(self, path: &Path) -> io::Result<bool> {
        if !self.is_at(path) {
            return Ok(false);
        }
        fs::remove_file(path)?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))?;
        Ok(true)
    }
}

fn hash(from: &mut impl Read, mut copy: impl Write) -> io::Result<Sha256> {
    let (mut hasher, mut buffer) = (sha2::Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Sha256(hasher.finalize().into())),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                copy.write_all(&buffer[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes a folder and those between it and the root, durably.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    let below = folder.strip_prefix(root).unwrap_or(Path::new(""));
    let mut made = root.to_owned();
    for part in below.components() {
        let above = made.clone();
        made.push(part);
        match fs::create_dir(&made) {
            Ok(()) => sync_folder(&above)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && made.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Moves a file into a folder, under this name or, where another file has it, under one like it. `None` if it is not what it was.
fn go(path: &Path, sha256: Sha256, folder: &Path, name: &Path) -> Result<Option<PathBuf>, Stays> {
    let Some(seen) = Seen::of_same(path, sha256).map_err(Stays::Here)? else { return Ok(None) };
    let mut copied: Option<Copied> = None;
    for number in 1..=MOST_NAMES {
        let target = folder.join(numbered(name, number));
        let named = match &copied {
            None => name_anew(path, &target),
            Some(copied) => name_anew(&copied.0, &target),
        };
        let named = match named {
            Err(error) if copied.is_none() && error.kind() == io::ErrorKind::CrossesDevices => {
                let Some(copy) = Copied::of(path, sha256, folder)? else { return Ok(None) };
                let named = name_anew(&copy.0, &target);
                copied = Some(copy);
                named
            }
            named => named,
        };
        match named {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if is_one_name(path, &target) {
                    let cause = format!(
                        "{} and {} are one file, seen by two mounts",
                        path.display(),
                        target.display()
                    );
                    return Err(Stays::There(io::Error::other(cause)));
                }
                if !is_whole(&target, seen.size, sha256) {
                    continue;
                }
                // It had come that far before a kill.
                drop(fs::remove_file(Copied::place(sha256, folder)));
            }
            Err(error) => return Err(Stays::There(error)),
        }
        // If another file has come in its place meanwhile, that one stays; and one copy too many is better than one too few.
        sync_folder(folder).map_err(Stays::There)?;
        let is_gone = fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        return match seen.take_away(path) {
            Ok(true) => Ok(Some(target)),
            Ok(false) if is_gone => Ok(Some(target)),
            Ok(false) => Ok(None),
            Err(error) => Err(Stays::Here(error)),
        };
    }
    let cause = format!("there are {MOST_NAMES} files named {} in {}", name.display(), folder.display());
    Err(Stays::There(io::Error::other(cause)))
}

/// `IMG.jpg`, `IMG (2).jpg`, `IMG (3).jpg`, …
fn numbered(name: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return name.to_owned();
    }
    let mut numbered = name.file_stem().unwrap_or_default().to_owned();
    numbered.push(format!(" ({number})"));
    if let Some(extension) = name.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    numbered.into()
}

/// Gives a file a name that nothing has. The old name stays where the file system knows several of one file.
pub(crate) fn name_anew(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::CrossesDevices | io::ErrorKind::NotFound
            ) => {}
        named => return named,
    }
    // The name is taken by an empty file of ours, which gives way.
    File::create_new(to)?;
    fs::rename(from, to).inspect_err(|_| drop(fs::remove_file(to)))
}

/// Whether two paths are one name of one file: a folder that is mounted twice. Taking one away would take away the other.
#[cfg(unix)]
fn is_one_name(path: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let (Ok(one), Ok(other)) = (fs::symlink_metadata(path), fs::symlink_metadata(other)) else {
        return false;
    };
    (one.dev(), one.ino()) == (other.dev(), other.ino()) && one.nlink() == 1
}

/// Elsewhere that cannot be told.
#[cfg(not(unix))]
fn is_one_name(_: &Path, _: &Path) -> bool {
    false
}

/// Whether a file with these bytes is there, durably.
fn is_whole(path: &Path, size: u64, sha256: Sha256) -> bool {
    let read = || {
        let is_file = fs::symlink_metadata(path)?.is_file();
        let mut file = File::open(path)?;
        let is_same = is_file && file.metadata()?.len() == size && hash(&mut file, io::sink())? == sha256;
        file.sync_all()?;
        Ok::<_, io::Error>(is_same)
    };
    read().unwrap_or_default()
}

/// A copy on another file system, which is removed when it is not needed any more: it has its name by then, or will never have it.
struct Copied(PathBuf);

impl Copied {
    fn place(sha256: Sha256, folder: &Path) -> PathBuf {
        folder.join(format!(".charon-{sha256}.part"))
    }

    /// Copies a file, and reads the copy again. `None` if the file has other bytes by now.
    fn of(path: &Path, sha256: Sha256, folder: &Path) -> Result<Option<Self>, Stays> {
        // What a kill has left of it is overwritten.
        let copy = Self(Self::place(sha256, folder));
        let mut from = File::open(path).map_err(Stays::Here)?;
        let metadata = from.metadata().map_err(Stays::Here)?;
        let mut to = File::create(&copy.0).map_err(Stays::There)?;
        let read = hash(&mut from, &mut to).map_err(Stays::There)?;
        if read != sha256 {
            return Ok(None);
        }
        let keep = || {
            if let Ok(modified) = metadata.modified() {
                to.set_times(FileTimes::new().set_modified(modified))?;
            }
            // Some file systems know no permissions.
            drop(to.set_permissions(metadata.permissions()));
            to.sync_all()?;
            let is_whole = hash(&mut File::open(&copy.0)?, io::sink())? == sha256;
            if is_whole { Ok(()) } else { Err(io::Error::other("what was written there reads otherwise")) }
        };
        keep().map_err(Stays::There)?;
        Ok(Some(copy))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // It may have been renamed.
        drop(fs::remove_file(&self.0));
    }
}

/// What lies beside a photo for its sake goes where it went, under its name there.
fn sidecars_follow(photo: &Path, moved: &Path) {
    let (Some(folder), Some(name)) = (moved.parent(), photo.file_name().and_then(|name| name.to_str()))
    else {
        return;
    };
    let (stem, new_stem) = (photo.file_stem(), moved.file_stem());
    let new_name = moved.file_name().and_then(|name| name.to_str()).unwrap_or(name);
    for sidecar in sidecars::beside(photo) {
        let Some(old) = sidecar.file_name().and_then(|name| name.to_str()) else { continue };
        let is_of_stem = sidecar.file_stem() == stem;
        if !old.starts_with(name) && has_siblings(&sidecar) {
            continue;
        }
        let new = match (old.strip_prefix(name), new_stem.and_then(|stem| stem.to_str())) {
            (Some(end), _) => format!("{new_name}{end}"),
            (None, Some(new_stem)) if is_of_stem => {
                let end = sidecar.extension().and_then(|end| end.to_str()).unwrap_or_default();
                format!("{new_stem}.{end}")
            }
            (None, _) => old.to_owned(),
        };
        let sha256 = File::open(&sidecar).and_then(|mut file| hash(&mut file, io::sink()));
        let gone =
            sha256.map_err(Stays::Here).and_then(|sha256| go(&sidecar, sha256, folder, Path::new(&new)));
        if let Err(Stays::Here(error) | Stays::There(error)) = gone
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %sidecar.display(), %error, "a sidecar stays where it is");
        }
    }
}

/// Whether a sidecar is that of other files too: a name without the photo's extension, or one that Takeout has cut.
fn has_siblings(sidecar: &Path) -> bool {
    let Some(entries) = sidecar.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return true };
    let is = |path: &Path, end: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end));
    let stem = sidecar.file_stem().unwrap_or_default().to_string_lossy();
    let is_sibling = |other: &Path| {
        if is(sidecar, "xmp") {
            return other.file_stem() == sidecar.file_stem();
        }
        other.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&*stem))
    };
    let mut others = entries.filter_map(Result::ok).map(|entry| entry.path());
    others.any(|other| !is(&other, "xmp") && !is(&other, "json") && is_sibling(&other))
}

#[cfg(test)]
mod tests;
