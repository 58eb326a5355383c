//! Opening a file of a mirror to show it: below the destination and nowhere else, whatever somebody has put there.

use std::{
    fs::File,
    io,
    path::{Component, Path},
};

use super::OWN_FOLDER;

/// Opens a file for reading. No part of the path below the destination may be a symbolic link, none may lead upwards, and Charon's
/// own folder is not for showing. Blocks.
pub(crate) fn open_below(root: &Path, path: &str) -> io::Result<File> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a path in a mirror")),
        }
    }
    if names.is_empty() || names[0].eq_ignore_ascii_case(OWN_FOLDER) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a path in a mirror"));
    }
    descend(root, &names)
}

/// From folder to folder, each held open while the next is looked for in it: nothing can be exchanged in between.
#[cfg(unix)]
fn descend(root: &Path, names: &[&std::ffi::OsStr]) -> io::Result<File> {
    use nix::{
        fcntl::{OFlag, openat},
        sys::stat::Mode,
    };

    let mut at = std::os::fd::OwnedFd::from(File::open(root)?);
    for (index, name) in names.iter().enumerate() {
        let is_last = index + 1 == names.len();
        // A pipe that somebody has put there would be waited for.
        let kind = if is_last { OFlag::O_NONBLOCK } else { OFlag::O_DIRECTORY };
        at =
            openat(&at, *name, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | kind, Mode::empty())?;
    }
    Ok(File::from(at))
}

/// From folder to folder, each looked at before the next.
#[cfg(not(unix))]
fn descend(root: &Path, names: &[&std::ffi::OsStr]) -> io::Result<File> {
    let mut path = root.to_owned();
    for name in names {
        path.push(name);
        if std::fs::symlink_metadata(&path)?.is_symlink() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link is in the way"));
        }
    }
    File::open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::open_below;

    #[test]
    fn only_what_lies_below_the_destination_is_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("mirror");
        std::fs::create_dir_all(root.join("photos/2020")).expect("a folder");
        std::fs::create_dir_all(root.join(".charon")).expect("a folder");
        std::fs::write(root.join("photos/2020/a.jpg"), "a photo").expect("a file");
        std::fs::write(root.join(".charon/mirror.json"), "a marker").expect("a file");
        std::fs::write(folder.path().join("secret"), "a secret").expect("a file");
        let mut text = String::new();
        let mut file = open_below(&root, "photos/2020/a.jpg").expect("it is there");
        file.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "a photo");
        let absolute = folder.path().join("secret");
        for path in [
            "",
            ".",
            "..",
            "../secret",
            "photos/../../secret",
            "photos/2020/../../../secret",
            absolute.to_str().expect("a path"),
            ".charon/mirror.json",
            ".Charon/mirror.json",
            "photos/2020/b.jpg",
        ] {
            assert!(open_below(&root, path).is_err(), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("mirror");
        std::fs::create_dir_all(root.join("photos")).expect("a folder");
        std::fs::create_dir_all(folder.path().join("elsewhere")).expect("a folder");
        std::fs::write(folder.path().join("elsewhere/secret.jpg"), "a secret").expect("a file");
        symlink(folder.path().join("elsewhere"), root.join("photos/2020")).expect("a link");
        symlink(folder.path().join("elsewhere/secret.jpg"), root.join("photos/a.jpg")).expect("a link");
        assert!(open_below(&root, "photos/2020/secret.jpg").is_err());
        assert!(open_below(&root, "photos/a.jpg").is_err());
    }
}
