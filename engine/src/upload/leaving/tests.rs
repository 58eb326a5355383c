use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::Digest;

use super::{After, Left, Stays, leave, numbered};
use crate::ids::Sha256;

/// A source folder and one to move to.
struct Place {
    folder: tempfile::TempDir,
    elsewhere: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
            elsewhere: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir_all(place.source().join("2024/sea")).expect("folders");
        place
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn sent(&self) -> PathBuf {
        self.elsewhere.path().to_owned()
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.source().join(name);
        fs::write(&path, content).expect("a file");
        path
    }

    fn go(&self, path: &Path, content: &str) -> Result<Left, Stays> {
        leave(path, &self.source(), sha256(content), &After::MoveTo(self.sent()))
    }

    /// Every file below the folder that is moved to, with its content, sorted.
    fn moved(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(self.sent()).sort_by_file_name() {
            let entry = entry.expect("an entry");
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(self.sent()).expect("below it");
                let content = fs::read_to_string(entry.path()).expect("text");
                files.push((name.to_str().expect("text").to_owned(), content));
            }
        }
        files
    }
}

fn sha256(content: &str) -> Sha256 {
    Sha256(sha2::Sha256::digest(content).into())
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

#[test]
fn a_file_goes_only_if_its_bytes_are_those_that_were_sent() {
    let place = Place::new();
    for after in [After::Delete, After::MoveTo(place.sent())] {
        let path = place.write("2024/a.jpg", "one");
        let left = leave(&path, &place.source(), sha256("two"), &after).expect("readable");
        assert_eq!(left, Left::Changed);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "one");
        assert_eq!(place.moved(), []);
    }
    let path = place.write("2024/a.jpg", "one");
    assert_eq!(leave(&path, &place.source(), sha256("one"), &After::Delete).expect("deleted"), Left::Deleted);
    assert!(!path.exists());
    let gone = leave(&path, &place.source(), sha256("one"), &After::Delete);
    assert!(matches!(gone, Err(Stays::Here(_))), "{gone:?}");
}

#[test]
fn what_is_moved_keeps_its_path_below_the_source_and_overwrites_nothing() {
    let place = Place::new();
    let names = ["2024/sea/a.jpg", "2024/sea/a (2).jpg", "2024/sea/a (3).jpg"];
    for (name, content) in names.iter().zip(["one", "two", "three"]) {
        let path = place.write("2024/sea/a.jpg", content);
        assert_eq!(place.go(&path, content).expect("moved"), Left::MovedTo(place.sent().join(name)));
        assert!(!path.exists());
    }
    assert_eq!(place.moved(), owned(&[(names[1], "two"), (names[2], "three"), (names[0], "one")]));
}

#[test]
fn a_move_that_was_killed_half_way_is_finished() {
    // I2
    let place = Place::new();
    let path = place.write("a.jpg", "one");
    fs::hard_link(&path, place.sent().join("a.jpg"))
        .or_else(|_| fs::copy(&path, place.sent().join("a.jpg")).map(drop))
        .expect("there");
    fs::write(place.sent().join(format!(".charon-{}.part", sha256("one"))), "half a copy").expect("a file");
    place.go(&path, "one").expect("moved");
    assert!(!path.exists());
    assert_eq!(place.moved(), owned(&[("a.jpg", "one")]));
}

#[test]
fn sidecars_go_along_under_the_name_of_their_photo() {
    let place = Place::new();
    fs::write(place.sent().join("a.jpg"), "another").expect("a file");
    let path = place.write("a.jpg", "one");
    place.write("a.jpg.json", "{}");
    place.write("a.jpg.supplemental-metadata.json", "{1}");
    place.write("a.xmp", "<x/>");
    place.write("b.jpg.json", "not its");
    place.go(&path, "one").expect("moved");
    let expected = [
        ("a (2).jpg", "one"),
        ("a (2).jpg.json", "{}"),
        ("a (2).jpg.supplemental-metadata.json", "{1}"),
        ("a (2).xmp", "<x/>"),
        ("a.jpg", "another"),
    ];
    assert_eq!(place.moved(), owned(&expected));
    assert!(place.source().join("b.jpg.json").exists());
}

#[test]
fn a_sidecar_of_several_files_goes_with_the_last_of_them() {
    let place = Place::new();
    let (jpeg, raw) = (place.write("a.jpg", "one"), place.write("a.dng", "two"));
    let shared = place.write("a.xmp", "<x/>");
    place.go(&jpeg, "one").expect("moved");
    assert!(shared.exists());
    place.go(&raw, "two").expect("moved");
    assert_eq!(place.moved(), owned(&[("a.dng", "two"), ("a.jpg", "one"), ("a.xmp", "<x/>")]));
}

#[test]
fn what_is_deleted_leaves_its_sidecars() {
    let place = Place::new();
    let path = place.write("a.jpg", "one");
    let sidecar = place.write("a.jpg.json", "{}");
    leave(&path, &place.source(), sha256("one"), &After::Delete).expect("deleted");
    assert!(sidecar.exists(), "it says more than was sent");
}

#[cfg(unix)]
#[test]
fn across_file_systems_a_file_is_copied_whole_before_it_goes() {
    use std::os::unix::fs::MetadataExt;

    let place = Place::new();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: there is no /dev/shm");
        return;
    };
    let device = |path: &Path| fs::metadata(path).expect("a folder").dev();
    if device(other.path()) == device(place.folder.path()) {
        eprintln!("skipped: /dev/shm is the same file system");
        return;
    }
    let place = Place { elsewhere: other, ..place };
    let path = place.write("2024/a.jpg", "one");
    let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
    place.go(&path, "one").expect("moved");
    let again = place.write("2024/a.jpg", "two");
    place.go(&again, "two").expect("moved");
    assert_eq!(
        place.moved(),
        owned(&[("2024/a (2).jpg", "two"), ("2024/a.jpg", "one")]),
        "and nothing half done"
    );
    let target = place.sent().join("2024/a.jpg");
    assert_eq!(fs::metadata(target).and_then(|metadata| metadata.modified()).expect("a time"), modified);
    assert!(!path.exists());
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    // I11: it may be an unmounted disk.
    let place = Place::new();
    let path = place.write("2024/a.jpg", "one");
    let nowhere = After::MoveTo(place.sent().join("unmounted"));
    let stays = leave(&path, &place.source(), sha256("one"), &nowhere);
    assert!(matches!(stays, Err(Stays::There(_))), "{stays:?}");
    assert!(path.exists());
}

#[test]
fn numbers_go_before_the_extension() {
    for (name, number, expected) in
        [("a.jpg", 1, "a.jpg"), ("a.jpg", 2, "a (2).jpg"), ("a.tar.gz", 3, "a.tar (3).gz"), ("a", 2, "a (2)")]
    {
        assert_eq!(numbered(Path::new(name), number), Path::new(expected));
    }
}
