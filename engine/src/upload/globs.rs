//! Globs: which files of a source folder are sent, in gitignore's syntax. Paths are matched below their source, without regard to
//! case: cameras write `.JPG`, and people `.jpg`.

use std::path::Path;

use charon_schema::Mistake;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

/// Which files are sent.
#[derive(Clone, Debug)]
pub(crate) struct Globs {
    include: Option<Gitignore>,
    exclude: Gitignore,
}

impl Globs {
    /// All files.
    pub(crate) fn all() -> Self {
        Self { include: None, exclude: Gitignore::empty() }
    }

    /// Reads what a plan says; all files, where it does not say which.
    ///
    /// # Errors
    /// The globs that are none.
    pub(crate) fn read(include: &[String], exclude: &[String]) -> Result<Self, Vec<Mistake>> {
        match (read("include", include), read("exclude", exclude)) {
            (Ok(included), Ok(exclude)) => {
                let include = (!include.is_empty()).then_some(included);
                Ok(Self { include, exclude })
            }
            (included, excluded) => Err(included.err().into_iter().chain(excluded.err()).flatten().collect()),
        }
    }

    /// Why a file or a folder is left out with all that is in it, if it is excluded. The path is below the source.
    pub(super) fn exclude(&self, below: &Path, is_folder: bool) -> Option<String> {
        match self.exclude.matched_path_or_any_parents(below, is_folder) {
            Match::Ignore(glob) => Some(format!("left out, as the plan excludes {}", glob.original())),
            Match::None | Match::Whitelist(_) => None,
        }
    }

    /// Whether a file is among those that are sent, if it is not excluded.
    pub(super) fn include(&self, below: &Path) -> bool {
        let Some(include) = &self.include else { return true };
        include.matched_path_or_any_parents(below, false).is_ignore()
    }
}

fn read(field: &str, globs: &[String]) -> Result<Gitignore, Vec<Mistake>> {
    let mut all = GitignoreBuilder::new("");
    let mut mistakes = Vec::new();
    let mut add = |index: usize, glob: &str| {
        if glob.trim().is_empty() || glob.starts_with('#') {
            return Err("says nothing: a glob is wanted, such as *.mov or /2019/".to_owned());
        }
        all.case_insensitive(true).map_err(|error| error.to_string())?;
        let added = all.add_line(None, glob).map(drop);
        added
            .map_err(|error| format!("is no glob: {error}"))
            .map_err(|why| why.replace(&format!("line {index}: "), ""))
    };
    for (index, glob) in globs.iter().enumerate() {
        if let Err(reason) = add(index, glob) {
            mistakes.push(Mistake { pointer: format!("/{field}/{index}"), reason });
        }
    }
    let built = all.build();
    match built {
        Ok(built) if mistakes.is_empty() => Ok(built),
        Err(error) if mistakes.is_empty() => Err(vec![Mistake::in_field(field, error.to_string())]),
        Ok(_) | Err(_) => Err(mistakes),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::Globs;

    fn globs(include: &[&str], exclude: &[&str]) -> Globs {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        Globs::read(&owned(include), &owned(exclude)).expect("globs")
    }

    /// Whether a file is sent, as a scan comes upon it: folder by folder.
    fn is_sent(globs: &Globs, path: &str) -> bool {
        let path = Path::new(path);
        let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        folders.into_iter().all(|folder| globs.exclude(folder, true).is_none())
            && globs.exclude(path, false).is_none()
            && globs.include(path)
    }

    #[test]
    fn globs_are_gitignores() {
        for (include, exclude, path, expected) in [
            (&[][..], &[][..], "a/b.jpg", true),
            (&[], &["*.mov"], "a/b.mov", false),
            (&[], &["*.mov"], "a/b.MOV", false),
            (&[], &["raw"], "a/raw/b.jpg", false),
            (&[], &["raw/"], "raw", true),
            (&[], &["/raw"], "a/raw/b.jpg", true),
            (&[], &["/raw"], "raw/b.jpg", false),
            (&[], &["2019/*.jpg"], "2019/b.jpg", false),
            (&[], &["2019/*.jpg"], "2019/a/b.jpg", true),
            (&[], &["2019/**"], "2019/a/b.jpg", false),
            (&[], &["**/cache"], "x/y/cache/b.jpg", false),
            (&[], &["*.jpg", "!keep.jpg"], "a/keep.jpg", true),
            (&[], &["*.jpg", "!keep.jpg"], "a/other.jpg", false),
            (&[], &["a/", "!a/keep.jpg"], "a/keep.jpg", false),
            (&["*.jpg"], &[], "a/b.JPG", true),
            (&["*.jpg"], &[], "a/b.mov", false),
            (&["/2024/"], &[], "2024/x/b.jpg", true),
            (&["/2024/"], &[], "2023/b.jpg", false),
            (&["*.jpg", "!private-*"], &[], "private-1.jpg", false),
            (&["*.jpg"], &["2019/"], "2019/b.jpg", false),
            (&[], &["[ab]?.jpg"], "a1.jpg", false),
            (&[], &["\\#1.jpg"], "#1.jpg", false),
        ] {
            assert_eq!(is_sent(&globs(include, exclude), path), expected, "{include:?} {exclude:?} {path}");
        }
    }

    #[test]
    fn what_is_excluded_says_by_what() {
        let globs = globs(&[], &["*.mov", "Raw/"]);
        let why = globs.exclude(Path::new("a/raw"), true).expect("excluded");
        assert_eq!(why, "left out, as the plan excludes Raw/");
    }

    #[test]
    fn a_glob_that_is_none_is_told_where_it_stands() {
        let wrong = |include: &[&str], exclude: &[&str]| {
            let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
            let mistakes = Globs::read(&owned(include), &owned(exclude)).expect_err("a mistake");
            mistakes.into_iter().map(|mistake| (mistake.pointer, mistake.reason)).collect::<Vec<_>>()
        };
        let two = wrong(&["*.jpg", "[z-a]"], &["*", "a", "{b"]);
        assert_eq!(two.len(), 2, "{two:?}");
        assert_eq!((two[0].0.as_str(), two[1].0.as_str()), ("/include/1", "/exclude/2"));
        assert!(two.iter().all(|(_, reason)| reason.starts_with("is no glob: ")), "{two:?}");
        for nothing in ["", "  ", "# a comment"] {
            let told = wrong(&[], &[nothing]);
            assert!(told[0].1.starts_with("says nothing"), "{told:?}");
        }
    }

    proptest! {
        #[test]
        fn excluding_more_never_sends_more(
            some in prop::collection::vec("[ab*/?]{1,4}", 0..3),
            more in "[ab*/?]{1,4}",
            path in "[ab]{1,2}(/[ab]{1,2}){0,2}",
        ) {
            let mut both = some.clone();
            both.push(more);
            if let (Ok(few), Ok(many)) = (Globs::read(&[], &some), Globs::read(&[], &both)) {
                prop_assert!(is_sent(&few, &path) || !is_sent(&many, &path));
            }
        }

        #[test]
        fn no_glob_is_too_strange_to_be_judged(glob in any::<String>(), path in "[a-c]{1,3}(/[a-c]{1,3}){0,2}") {
            if let Ok(globs) = Globs::read(&[], &[glob]) {
                is_sent(&globs, &path);
            }
        }
    }
}
