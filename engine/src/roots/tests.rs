use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{MOST_FOLDERS, Outside, Roots};

struct Place {
    folder: tempfile::TempDir,
    roots: Roots,
}

/// `photos` is a root with Charon's data in it, `secret` is none.
fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["photos/2024/summer", "photos/.hidden", "photos/charon-data/backups", "secret/keys"] {
        fs::create_dir_all(folder.path().join(path)).expect("a folder");
    }
    fs::write(folder.path().join("photos/a.jpg"), "").expect("a file");
    let roots = Roots::of([folder.path().join("photos")], folder.path().join("photos/charon-data"));
    Place { folder, roots }
}

impl Place {
    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn real(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.folder.path()).expect("a folder").join(path)
    }

    fn judge(&self, path: &str) -> Result<PathBuf, Outside> {
        self.roots.judge(&self.at(path))
    }
}

#[test]
fn a_path_below_a_root_may_be_named_whether_it_exists_or_not() {
    let place = place();
    for path in
        ["photos/2024", "photos/2024/summer", "photos/new/and/deeper", "photos/..trip", "photos/.hidden"]
    {
        assert_eq!(place.judge(path), Ok(place.real(path)));
    }
    // A second slash or a dot is nothing.
    assert_eq!(place.judge("photos//2024/./summer"), Ok(place.real("photos/2024/summer")));
}

#[test]
fn what_is_elsewhere_goes_up_or_is_charons_own_may_not() {
    let place = place();
    for path in ["secret", "secret/keys", "photos2", "secret/not/there", ""] {
        assert!(matches!(place.judge(path), Err(Outside::Elsewhere { .. })), "{path}");
    }
    for path in ["photos/../secret", "photos/2024/../../secret", "photos/.."] {
        assert!(matches!(place.judge(path), Err(Outside::NotWhole { .. })), "{path}");
    }
    for path in ["photos", "photos/charon-data", "photos/charon-data/backups", "photos/charon-data/new"] {
        assert_eq!(place.judge(path), Err(Outside::Ours), "{path}");
    }
    for path in ["", "photos/2024", "./photos", "~/photos", "photos\0", "/etc\0"] {
        assert!(matches!(place.roots.judge(Path::new(path)), Err(Outside::NotWhole { .. })), "{path:?}");
    }
    // What is there and what is not are told of with the same words.
    let (there, not) = (place.judge("secret/keys"), place.judge("secret/nothing"));
    assert_eq!(there.expect_err("elsewhere").to_string(), not.expect_err("elsewhere").to_string());
    assert!(matches!(place.roots.judge(Path::new("/")), Err(Outside::Elsewhere { .. })));
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_but_may_lead_in() {
    use std::os::unix::fs::symlink;
    let place = place();
    for (target, link) in [
        (place.at("secret"), "photos/out"),
        (place.at("secret/not-yet"), "photos/dangling"),
        (PathBuf::from("../secret"), "photos/relative"),
        (place.at("photos/charon-data"), "photos/ours"),
        (place.at("photos/round"), "photos/round"),
        (place.at("photos/2024"), "secret/in"),
    ] {
        symlink(target, place.at(link)).expect("a link");
    }
    for path in ["photos/out", "photos/out/keys", "photos/out/new", "photos/dangling", "photos/dangling/new"]
    {
        assert!(matches!(place.judge(path), Err(Outside::Elsewhere { .. })), "{path}");
    }
    assert!(matches!(place.judge("photos/relative/keys"), Err(Outside::Elsewhere { .. })));
    assert!(matches!(place.judge("photos/round"), Err(Outside::Elsewhere { .. })));
    assert_eq!(place.judge("photos/ours/new"), Err(Outside::Ours));
    assert_eq!(place.judge("secret/in/summer"), Ok(place.real("photos/2024/summer")));
}

#[tokio::test]
async fn folders_are_listed_by_name_without_those_that_are_hidden_or_lead_out() {
    let place = place();
    #[cfg(unix)]
    std::os::unix::fs::symlink(place.at("secret"), place.at("photos/out")).expect("a link");
    let roots = place.roots.folders_in(None).await.expect("the roots");
    assert_eq!(roots.folders[0].path, place.real("photos"));
    // A root that holds the data may be looked through, and they are not shown.
    let list = place.roots.folders_in(Some(place.at("photos"))).await.expect("a list");
    assert_eq!(list.folders.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["2024"]);
    assert_eq!((list.parent, list.is_cut_off), (None, false));
    let list = place.roots.folders_in(Some(place.at("photos/2024"))).await.expect("a list");
    assert_eq!(list.parent, Some(place.real("photos")));
    assert_eq!(list.folders[0].path, place.real("photos/2024/summer"));
    for path in ["secret", "photos/charon-data", "photos/../secret"] {
        place.roots.folders_in(Some(place.at(path))).await.expect_err(path);
    }
    for path in ["photos/a.jpg", "photos/not-there"] {
        let error = place.roots.folders_in(Some(place.at(path))).await.expect_err(path);
        assert!(matches!(error, Outside::Unreadable(_)), "{error}");
    }
}

#[tokio::test]
async fn a_folder_with_very_many_is_cut_off() {
    let place = place();
    for number in 0..=MOST_FOLDERS {
        fs::create_dir(place.at(&format!("photos/2024/{number:04}"))).expect("a folder");
    }
    let list = place.roots.folders_in(Some(place.at("photos/2024"))).await.expect("a list");
    assert_eq!((list.folders.len(), list.is_cut_off), (MOST_FOLDERS, true));
    assert_eq!(list.folders[0].name, "0000");
}

#[test]
fn without_a_root_nothing_may_be_named_and_one_that_comes_later_counts_from_then_on() {
    let place = place();
    let none = Roots::of([PathBuf::from("relative")], place.at("data"));
    assert!(none.folders().is_empty());
    assert!(matches!(none.judge(&place.at("photos")), Err(Outside::Elsewhere { .. })));
    let later = Roots::of([place.at("later")], place.at("data"));
    assert!(later.judge(&place.at("later/photos")).is_err());
    fs::create_dir(place.at("later")).expect("a folder");
    assert!(later.judge(&place.at("later/photos")).is_ok());
}
