//! The file that a connection test writes, reads, renames and removes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use charon_provider::{Class, Destination, EntryKind, Error, Host};
use futures::TryStreamExt;

use crate::paths::{INCOMING, folder_of, unheard_of};

/// The file that a test writes. It lies among what is not finished, so that no listing tells it.
#[derive(Debug)]
pub(super) struct Scratch {
    first: String,
    second: String,
    content: String,
    /// Whether something may be there.
    has_begun: bool,
    /// The folders that the test has made, deepest first.
    made: Vec<&'static str>,
}

/// A file of this machine, as long as it is needed.
struct Local(PathBuf);

impl Drop for Local {
    fn drop(&mut self) {
        // A few bytes in the folder for temporary files.
        drop(fs::remove_file(&self.0));
    }
}

impl Scratch {
    pub(super) fn new(host: &dyn Host) -> Self {
        let name = unheard_of(host);
        let first = format!("{INCOMING}/test {name}.txt");
        let second = format!("{INCOMING}/test {name} (renamed).txt");
        Self {
            first,
            second,
            content: format!("Charon tests this place: {name}\n"),
            has_begun: false,
            made: Vec::new(),
        }
    }

    pub(super) async fn write(&mut self, place: &dyn Destination) -> Result<String, Error> {
        for folder in [INCOMING, folder_of(INCOMING)] {
            if place.look(&[folder.to_owned()]).await?.iter().all(Option::is_none) {
                self.made.push(folder);
            }
        }
        let name = Path::new(&self.first).file_name().unwrap_or_default();
        let local = Local(std::env::temp_dir().join(name));
        fs::write(&local.0, &self.content).map_err(|error| {
            Error::new(
                Class::Destination,
                "write a file",
                format!("this machine keeps no temporary file: {error}"),
            )
            .cured_by("make room in the folder for temporary files, or let TMPDIR name another")
        })?;
        self.has_begun = true;
        place.put(&self.first, &local.0, None).await?;
        Ok(format!("{} bytes were taken", self.content.len()))
    }

    pub(super) async fn read(&self, place: &dyn Destination) -> Result<String, Error> {
        let read = bytes_of(place, &self.first).await?;
        if read == self.content.as_bytes() {
            return Ok("the bytes are those that were written".to_owned());
        }
        Err(Error::new(Class::Destination, "read it back", "other bytes came back than were written")
            .cured_by("do not keep photos there before it is known why"))
    }

    pub(super) async fn rename(&self, place: &dyn Destination) -> Result<String, Error> {
        place.rename(&self.first, &self.second).await?;
        if bytes_of(place, &self.second).await? != self.content.as_bytes() {
            return Err(Error::new(Class::Destination, "rename it", "other bytes are at the new name")
                .cured_by("do not keep photos there before it is known why"));
        }
        Ok("it has another name".to_owned())
    }

    pub(super) async fn remove(&self, place: &dyn Destination) -> Result<String, Error> {
        place.remove(&self.second).await?;
        for path in [&self.first, &self.second] {
            let left = place.look(std::slice::from_ref(path)).await?;
            if left.iter().flatten().any(|entry| entry.kind == EntryKind::File) {
                return Err(Error::new(Class::Destination, "remove it", "it is still there")
                    .cured_by("allow what the configuration signs in as to delete files"));
            }
        }
        for folder in &self.made {
            // Somebody else may have begun to use it meanwhile.
            drop(place.remove(folder).await);
        }
        Ok("nothing is left of it".to_owned())
    }

    /// Removes what there may be of it.
    pub(super) async fn tidy(&self, place: &dyn Destination) {
        if !self.has_begun {
            return;
        }
        for path in [self.first.as_str(), self.second.as_str()].into_iter().chain(self.made.iter().copied()) {
            drop(place.remove(path).await);
        }
    }
}

async fn bytes_of(place: &dyn Destination, path: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = place.read(path, 0, Some(1 << 20)).await?;
    let mut whole = Vec::new();
    while let Some(piece) = bytes.try_next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}
