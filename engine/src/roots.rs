//! Roots: the folders below which whoever comes in over HTTP may name and look at folders. Whoever is on the machine's own command
//! line may name any.
//!
//! * [`Roots::judge`] tells whether a path is below them, and gives the one that it really is: that is to be stored. The part of it
//!   that exists is resolved first, so that no symbolic link leads out; `..` is refused; Charon's own data are never below a root.
//! * [`Roots::folders_in`] lists the folders in one, for a form to choose from.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::Engine;

/// So many folders are told of one.
const MOST_FOLDERS: usize = 500;
/// So many entries of a folder are looked at.
const MOST_ENTRIES: usize = 20_000;

/// The folders that may be named over HTTP, with all that is in them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Roots {
    roots: Arc<[PathBuf]>,
    data_dir: PathBuf,
}

/// Why a path may not be named. It tells nothing of what is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outside {
    /// It has no beginning, or goes up again.
    #[error("is to be a whole path, such as {example}, without `..` in it", example = example.display())]
    NotWhole {
        /// One that would do.
        example: PathBuf,
    },
    /// It is not below the roots.
    #[error("is not below {roots}: name a folder there, or start charon with --root for another one")]
    Elsewhere {
        /// What it has to be below.
        roots: String,
    },
    /// It is where Charon keeps its own data, or around it.
    #[error("is where Charon keeps its own data, or holds it: name another folder")]
    Ours,
    /// It cannot be looked at.
    #[error("cannot be looked at: {0}")]
    Unreadable(String),
}

/// A folder, for a form to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FolderEntry {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The folders in one, by name, without those that are hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FolderList {
    /// Which one; `None` for the roots themselves.
    pub folder: Option<PathBuf>,
    /// The one around it, if that may be looked at.
    pub parent: Option<PathBuf>,
    /// The folders in it.
    pub folders: Vec<FolderEntry>,
    /// Whether there are more than are told.
    pub is_cut_off: bool,
}

impl Roots {
    /// These folders as roots, which may come to be there later. Those that are no whole path are left out.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>, engine: &Engine) -> Self {
        Self::of(folders, engine.data_dir.clone())
    }

    fn of(folders: impl IntoIterator<Item = PathBuf>, data_dir: PathBuf) -> Self {
        let roots = folders.into_iter().filter(|root| root.is_absolute()).collect();
        Self { roots, data_dir }
    }

    /// The roots, as they were given.
    pub fn folders(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Whether this path, which need not exist, may be named. Gives where it really is. Looks at the file system, so it blocks for a
    /// moment.
    ///
    /// # Errors
    /// Why it may not be.
    pub fn judge(&self, path: &Path) -> Result<PathBuf, Outside> {
        let is_whole = path.is_absolute()
            && path.components().all(|part| !matches!(part, Component::ParentDir))
            && !path.as_os_str().as_encoded_bytes().contains(&0);
        if !is_whole {
            let root = self.roots.first().cloned().unwrap_or_else(|| "/home".into());
            return Err(Outside::NotWhole { example: root.join("photos") });
        }
        let real = resolved(path).map_err(|_| self.elsewhere())?;
        let is_below = self
            .roots
            .iter()
            .filter_map(|root| fs::canonicalize(root).ok())
            .any(|root| real.starts_with(root));
        if !is_below {
            return Err(self.elsewhere());
        }
        // One that does not exist yet cannot be told from what it is written as.
        let ours = resolved(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone());
        if real.starts_with(&ours) || ours.starts_with(&real) {
            return Err(Outside::Ours);
        }
        Ok(real)
    }

    /// The folders in this one, or the roots.
    ///
    /// # Errors
    /// When it is not below a root, or cannot be looked at.
    pub async fn folders_in(&self, folder: Option<PathBuf>) -> Result<FolderList, Outside> {
        let roots = self.clone();
        let listed = tokio::task::spawn_blocking(move || match folder {
            Some(folder) => roots.list(&folder),
            None => Ok(roots.list_roots()),
        });
        listed.await.unwrap_or_else(|error| Err(Outside::Unreadable(error.to_string())))
    }

    fn list_roots(&self) -> FolderList {
        let real = self.roots.iter().filter_map(|root| fs::canonicalize(root).ok());
        let folders = real
            .filter(|root| root.is_dir())
            .filter_map(|path| Some(FolderEntry { name: path.to_str()?.to_owned(), path }));
        FolderList { folder: None, parent: None, folders: folders.collect(), is_cut_off: false }
    }

    fn list(&self, folder: &Path) -> Result<FolderList, Outside> {
        let folder = match self.judge(folder) {
            // It may be looked through, though it may not be taken.
            Err(Outside::Ours) => self.around_ours(folder)?,
            judged => judged?,
        };
        let unreadable = |error: io::Error| Outside::Unreadable(error.to_string());
        let mut entries = fs::read_dir(&folder).map_err(unreadable)?;
        let (mut folders, mut looked_at) = (Vec::new(), 0);
        for entry in entries.by_ref().take(MOST_ENTRIES).filter_map(Result::ok) {
            looked_at += 1;
            // A name that is no text cannot be sent either.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if !name.starts_with('.') && self.is_folder(&entry) {
                folders.push(FolderEntry { name, path: entry.path() });
            }
        }
        let is_cut_off = folders.len() > MOST_FOLDERS || looked_at >= MOST_ENTRIES;
        folders.sort_by(|one, other| one.name.cmp(&other.name));
        folders.truncate(MOST_FOLDERS);
        let parent = folder.parent().filter(|parent| self.may_be_seen(parent)).map(Path::to_owned);
        Ok(FolderList { folder: Some(folder), parent, folders, is_cut_off })
    }

    /// Whether it is a folder; one behind a link counts if it may be seen.
    fn is_folder(&self, entry: &fs::DirEntry) -> bool {
        entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink())
            && entry.path().is_dir()
            && self.may_be_seen(&entry.path())
    }

    fn may_be_seen(&self, path: &Path) -> bool {
        match self.judge(path) {
            Err(Outside::Ours) => self.around_ours(path).is_ok(),
            judged => judged.is_ok(),
        }
    }

    /// A folder that was found to be Charon's own: one around the data, and not in them.
    fn around_ours(&self, folder: &Path) -> Result<PathBuf, Outside> {
        let real = resolved(folder).map_err(|_| self.elsewhere())?;
        let ours = resolved(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone());
        if real.starts_with(ours) { Err(Outside::Ours) } else { Ok(real) }
    }

    fn elsewhere(&self) -> Outside {
        let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        let roots =
            if roots.is_empty() { "any folder that may be named".to_owned() } else { roots.join(" or ") };
        Outside::Elsewhere { roots }
    }
}

/// Where a path really is: the part that exists, resolved, and the names below it.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut below = Vec::new();
    let mut present = path;
    loop {
        match fs::canonicalize(present) {
            Ok(real) => return Ok(below.iter().rev().fold(real, |path, name| path.join(name))),
            // A link that leads nowhere is there, whatever it may come to lead to.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(present).is_err() => {}
            Err(error) => return Err(error),
        }
        let (Some(parent), Some(name)) = (present.parent(), present.file_name()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        below.push(name);
        present = parent;
    }
}

#[cfg(test)]
mod tests;
