//! A mirror: the tree of files that a backup plan keeps.
//!
//! It carries a [`marker`] with the plan's id, without which nothing is written. Bytes go to a
//! temporary file beside the marker, are checked, hashed and flushed there, and are then renamed into their place (I1).

mod marker;

use std::{
    collections::BTreeSet,
    fs::{self, File, FileTimes, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use charon_provider::{Body, Class, Error, Fidelity, Reason};
use futures::TryStreamExt;
use jiff::Timestamp;
use sha2::Digest;
use tokio::io::AsyncWriteExt;

use crate::{durable::sync_folder, ids::Sha256, sniff};
pub(crate) use marker::mirror_above;

/// Charon's own folder within a mirror.
pub(crate) const OWN_FOLDER: &str = ".charon";
const INCOMING: &str = "incoming";
const SET_ASIDE: &str = "set-aside";
/// File systems keep modification times to two seconds (FAT) or better.
const COARSEST_TIME: Duration = Duration::from_secs(2);

/// The open mirror of a plan.
#[derive(Debug)]
pub(crate) struct Mirror {
    root: PathBuf,
    next_temporary: AtomicU64,
}

/// Bytes that have come home, complete and hashed, and are not in their place yet. Dropping them removes them.
#[derive(Debug)]
pub(crate) struct Received {
    file: Option<File>,
    path: PathBuf,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) fidelity: Fidelity,
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // What cannot be removed now is removed when the mirror is opened again.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Mirror {
    fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), next_temporary: AtomicU64::new(0) }
    }

    /// Whether there is anything at this path, which is below the destination.
    pub(crate) fn holds(&self, path: &str) -> bool {
        fs::symlink_metadata(self.root.join(path)).is_ok()
    }

    /// Takes the bytes of an item: complete, hashed, and media by their first bytes.
    pub(crate) async fn receive(&self, body: Body, name: &str) -> Result<Received, Error> {
        let doing = || format!("fetch {name}");
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(OWN_FOLDER).join(INCOMING).join(number.to_string());
        let file = File::create_new(&path).map_err(|error| no_room(&doing(), &path, &error))?;
        let mut received = Received {
            file: Some(file.try_clone().map_err(|error| no_room(&doing(), &path, &error))?),
            path,
            sha256: Sha256([0; 32]),
            size: 0,
            fidelity: body.fidelity,
        };
        let mut file = tokio::fs::File::from_std(file);
        let mut hasher = sha2::Sha256::new();
        let mut head = Vec::with_capacity(sniff::HEAD_BYTES);
        let mut bytes = body.bytes;
        while let Some(chunk) = bytes.try_next().await? {
            if head.len() < sniff::HEAD_BYTES {
                head.extend_from_slice(&chunk[..chunk.len().min(sniff::HEAD_BYTES - head.len())]);
            }
            hasher.update(&chunk);
            received.size += chunk.len() as u64;
            file.write_all(&chunk).await.map_err(|error| no_room(&doing(), &received.path, &error))?;
        }
        file.flush().await.map_err(|error| no_room(&doing(), &received.path, &error))?;
        if let Some(length) = body.length.filter(|length| *length != received.size) {
            let cause = format!("the answer broke off after {} of {length} bytes", received.size);
            return Err(Error::new(Class::Transient, doing(), cause));
        }
        if let Some(what) = sniff::not_media(&head, false) {
            return Err(Error::new(
                Class::Transient,
                doing(),
                format!("what came {what}, and not a photo or video"),
            )
            .because(Reason::WrongContent));
        }
        received.sha256 = Sha256(hasher.finalize().into());
        Ok(received)
    }

    /// Puts received bytes into their place: modification time set, flushed, renamed. The rename becomes durable with
    /// [`sync_folders`](Self::sync_folders). Blocks.
    pub(crate) fn place(&self, mut received: Received, path: &str, taken_at: Timestamp) -> Result<(), Error> {
        let target = self.root.join(path);
        let file = received.file.take().expect("received bytes are placed once");
        let doing = || format!("store {path}");
        if let Err(error) = file.set_times(FileTimes::new().set_modified(SystemTime::from(taken_at))) {
            // Some file systems know no time before 1980; the photo is worth more than its date.
            tracing::warn!(%error, path, "the modification time could not be set");
        }
        let placed = file
            .sync_all()
            .and_then(|()| self.make_folder_of(&target))
            .and_then(|()| self.clear_the_way(&target, &received, taken_at))
            .and_then(|cleared| {
                if cleared {
                    fs::rename(&received.path, &target)?;
                }
                Ok(!cleared)
            });
        if !matches!(placed, Ok(false)) {
            // What cannot be removed now is removed when the mirror is opened again.
            drop(fs::remove_file(&received.path));
        }
        match placed {
            Ok(false) => Ok(()),
            Ok(true) => {
                let cause = format!(
                    "{} is there already with other content, and Charon has no record of it",
                    target.display()
                );
                Err(Error::new(Class::Item, doing(), cause).cured_by("move it away, then run the plan again"))
            }
            Err(error) => Err(no_room(&doing(), &target, &error)),
        }
    }

    /// Sees to it that the place of received bytes is free, or holds these same bytes; gives false if somebody else's file is
    /// there, which is never overwritten.
    ///
    /// An earlier run may have placed the item and ended before it could say so. Its file has the capture time as its
    /// modification time, but need not have the same bytes, since a storage may encode anew each time. Such a file is set aside
    /// and not overwritten either, in case it is somebody else's after all.
    fn clear_the_way(&self, target: &Path, received: &Received, taken_at: Timestamp) -> io::Result<bool> {
        let metadata = match fs::symlink_metadata(target) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        if !metadata.is_file() {
            return Ok(false);
        }
        if has_bytes(target, &metadata, received)? {
            return Ok(true);
        }
        let modified = Timestamp::try_from(metadata.modified()?).unwrap_or(Timestamp::MIN);
        if modified.duration_since(taken_at).unsigned_abs() > COARSEST_TIME {
            return Ok(false);
        }
        let aside = self.root.join(OWN_FOLDER).join(SET_ASIDE);
        fs::create_dir_all(&aside)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mut free = aside.join(&*name);
        while free.exists() {
            let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
            free = aside.join(format!("{number}-{name}"));
        }
        tracing::warn!(from = %target.display(), to = %free.display(), "set a file aside that an earlier run left");
        fs::rename(target, free)?;
        Ok(true)
    }

    /// Makes the renames into the folders of these paths durable. Blocks.
    pub(crate) fn sync_folders<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let mut folders = BTreeSet::new();
        for path in paths {
            // Those above too: another item's folder may have been made a moment ago, and not be flushed yet.
            let target = self.root.join(path);
            let above = target.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
            folders.extend(above.map(Path::to_owned));
        }
        folders.iter().try_for_each(|folder| {
            sync_folder(folder).map_err(|error| no_room("flush the mirror", folder, &error))
        })
    }

    /// Makes the folder of a file, and makes new folders durable in those that hold them.
    fn make_folder_of(&self, target: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = target
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.root) && !folder.is_dir())
            .collect();
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => folder.parent().map_or(Ok(()), sync_folder)?,
            }
        }
        Ok(())
    }
}

/// Whether a file has just these bytes.
fn has_bytes(target: &Path, metadata: &Metadata, received: &Received) -> io::Result<bool> {
    if metadata.len() != received.size {
        return Ok(false);
    }
    let mut hasher = sha2::Sha256::new();
    let mut file = File::open(target)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sha256(hasher.finalize().into()) == received.sha256),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn no_room(doing: &str, path: &Path, error: &io::Error) -> Error {
    let cause = format!("{error}, writing to {}", path.display());
    match error.kind() {
        // This name, or something at its place, and not the disk.
        io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists => {
            Error::new(Class::Item, doing, cause).cured_by("see what is there and move it away")
        }
        _ => Error::new(Class::Destination, doing, cause).cured_by(cure(error)),
    }
}

/// What to do about a disk that does not do as it is told.
fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, then run the plan again; what is already home stays"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs charon write there",
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        _ => "check the disk, then run the plan again",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use charon_provider::{Body, Class, Fidelity};
    use futures::{StreamExt, stream};

    use super::Mirror;
    use crate::{
        clock::{SystemClock, SystemEntropy},
        ids::PlanId,
    };

    fn plan() -> PlanId {
        PlanId::new(&SystemClock, &SystemEntropy)
    }

    fn mirror(folder: &std::path::Path) -> Mirror {
        let plan = plan();
        Mirror::initialise(folder, plan).expect("an empty folder");
        Mirror::open(folder, plan).expect("its marker")
    }

    fn body(chunks: &[&'static [u8]], length: u64) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        Body {
            offset: 0,
            length: Some(length),
            validator: None,
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes: stream::iter(chunks).boxed(),
        }
    }

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";

    #[tokio::test]
    async fn bytes_are_placed_with_the_capture_time() {
        // I1
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = mirror(folder.path());
        let received = mirror.receive(body(&[JPEG, b"more"], 15), "a.jpg").await.expect("bytes");
        let taken_at = "1969-07-20T20:17:40Z".parse().expect("a time");
        mirror.place(received, "photos/1969/07/a.jpg", taken_at).expect("a place");
        mirror.sync_folders(["photos/1969/07/a.jpg"].into_iter()).expect("flushed");
        let file = folder.path().join("photos/1969/07/a.jpg");
        assert_eq!(std::fs::read(&file).expect("the file"), [JPEG, b"more"].concat());
        let modified = std::fs::metadata(&file).and_then(|metadata| metadata.modified()).expect("its time");
        assert_eq!(modified, std::time::SystemTime::from(taken_at));
    }

    #[tokio::test]
    async fn somebody_elses_file_is_never_overwritten_and_ones_own_is() {
        // I2, I11
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = mirror(folder.path());
        let file = folder.path().join("a.jpg");
        let taken_at = "2020-02-02T02:02:02Z".parse().expect("a time");
        std::fs::write(&file, "a letter").expect("a file");
        let received = mirror.receive(body(&[JPEG], 11), "a.jpg").await.expect("bytes");
        let error = mirror.place(received, "a.jpg", taken_at).expect_err("something is in the way");
        assert_eq!(error.class, Class::Item, "{error}");
        assert_eq!(std::fs::read(&file).expect("the file"), b"a letter");
        std::fs::write(&file, JPEG).expect("a file");
        let received = mirror.receive(body(&[JPEG], 11), "a.jpg").await.expect("bytes");
        mirror.place(received, "a.jpg", taken_at).expect("these bytes are there already");
        assert_eq!(std::fs::read_dir(folder.path().join(".charon/incoming")).expect("a folder").count(), 0);
    }

    #[tokio::test]
    async fn bytes_that_broke_off_or_are_no_photo_leave_nothing_behind() {
        // I1
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = mirror(folder.path());
        for body in [body(&[JPEG], 99), body(&[b"<html>403</html>"], 16), body(&[], 0)] {
            let error = mirror.receive(body, "a.jpg").await.expect_err("not right");
            assert_eq!(error.class, Class::Transient, "{error}");
        }
        let left = std::fs::read_dir(folder.path().join(".charon/incoming")).expect("a folder").count();
        assert_eq!(left, 0);
    }
}
