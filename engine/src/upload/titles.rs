//! Titles: which album a file goes into. A fixed title is a template without placeholders.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use unicode_normalization::UnicodeNormalization;

use super::Found;
use crate::template::Template;

/// What a title may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Folder,
    Path,
    Source,
    Year,
    Month,
    Day,
}

const PLACEHOLDERS: [(&str, Placeholder); 6] = [
    ("folder", Placeholder::Folder),
    ("path", Placeholder::Path),
    ("source", Placeholder::Source),
    ("year", Placeholder::Year),
    ("month", Placeholder::Month),
    ("day", Placeholder::Day),
];
/// What stands between the folders of a path.
const BETWEEN: &str = " / ";

/// Which album each file of a plan goes into.
#[derive(Clone, Debug)]
pub(crate) struct Titles {
    template: Option<Template<Placeholder>>,
    /// The longest title, in characters.
    most_chars: usize,
}

impl Titles {
    /// No albums at all.
    pub(crate) fn none() -> Self {
        Self { template: None, most_chars: 0 }
    }

    /// Reads what a plan says of its album.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(album: Option<&str>, most_chars: usize) -> Result<Self, String> {
        let template = album.map(|album| Template::read(album, &PLACEHOLDERS)).transpose()?;
        Ok(Self { template, most_chars })
    }

    /// The title, if it is the same for all files.
    pub(crate) fn fixed(&self) -> Option<String> {
        self.template.as_ref()?.fill(|_| None)
    }

    /// Whether it has to be known when a file was taken.
    pub(super) fn have_dates(&self) -> bool {
        let is_date = |one| matches!(one, Placeholder::Year | Placeholder::Month | Placeholder::Day);
        self.template.as_ref().is_some_and(|template| template.placeholders().any(is_date))
    }

    /// The title of the album that a file goes into; `None` if it goes into none. `taken` is the day on which it was taken, by its own
    /// words.
    pub(super) fn of(&self, found: &Found, taken: Option<Date>) -> Option<Arc<str>> {
        let template = self.template.as_ref()?;
        if let Some(fixed) = self.fixed() {
            return Some(fixed.into());
        }
        let date = || taken.unwrap_or_else(|| modified_on(found.modified_ns));
        let title = template.fill(|placeholder| match placeholder {
            Placeholder::Folder => name(found.path.parent()?),
            Placeholder::Path => folders_between(&found.source, found.path.parent()?),
            Placeholder::Source => name(&found.source),
            Placeholder::Year => Some(format!("{:04}", date().year())),
            Placeholder::Month => Some(format!("{:02}", date().month())),
            Placeholder::Day => Some(format!("{:02}", date().day())),
        })?;
        let title = tidy(&title, self.most_chars);
        (!title.is_empty()).then(|| title.into())
    }
}

/// The titles of these files, each once.
pub(super) fn of_all<'a>(titles: impl Iterator<Item = Option<&'a Arc<str>>>) -> BTreeSet<Option<Arc<str>>> {
    titles.map(Option::<&Arc<str>>::cloned).collect()
}

fn modified_on(modified_ns: i64) -> Date {
    let time = Timestamp::from_nanosecond(modified_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::UTC).date()
}

fn name(folder: &Path) -> Option<String> {
    Some(composed(&folder.file_name()?.to_string_lossy()))
}

/// The folders below the source, down to this one; none for the source itself.
fn folders_between(source: &Path, folder: &Path) -> Option<String> {
    let below = folder.strip_prefix(source).ok()?;
    let names: Vec<String> =
        below.components().map(|part| composed(&part.as_os_str().to_string_lossy())).collect();
    (!names.is_empty()).then(|| names.join(BETWEEN))
}

/// The same name, whichever file system wrote it.
fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// A title without control characters, and no longer than the storage takes.
fn tidy(title: &str, most_chars: usize) -> String {
    let plain = title.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let plain: String = plain.collect();
    let cut: String = plain.trim().chars().take(most_chars).collect();
    cut.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use charon_provider::{Format, Kind};
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::{Found, Titles};

    static JPEG: Format = Format { extension: "jpg", kind: Kind::Photo, mime_type: "image/jpeg" };

    fn found(source: &str, path: &str) -> Found {
        let source: Arc<Path> = Path::new(source).into();
        // 2021-06-05T23:59:59Z
        Found {
            path: path.into(),
            source,
            size: 1,
            modified_ns: 1_622_937_599_000_000_000,
            format: &JPEG,
            place: 0,
            kept: None,
        }
    }

    fn title(template: &str, path: &str) -> Option<String> {
        let titles = Titles::read(Some(template), 500).expect("a template");
        titles.of(&found("/home/Camera", path), None).map(|title| title.to_string())
    }

    #[test]
    fn a_title_is_made_of_the_folders_and_of_the_date() {
        let deep = "/home/Camera/2024/Sea  side/a.jpg";
        for (template, path, expected) in [
            ("Album", deep, Some("Album")),
            ("{{Album}}", deep, Some("{Album}")),
            ("{folder}", deep, Some("Sea  side")),
            ("{path}", deep, Some("2024 / Sea  side")),
            ("{source}: {path}", deep, Some("Camera: 2024 / Sea  side")),
            ("{year}-{month}-{day} {folder}", deep, Some("2021-06-05 Sea  side")),
            // Directly in the source.
            ("{folder}", "/home/Camera/a.jpg", Some("Camera")),
            ("{path}", "/home/Camera/a.jpg", None),
            ("{year} {path}", "/home/Camera/a.jpg", None),
        ] {
            assert_eq!(title(template, path).as_deref(), expected, "{template} of {path}");
        }
    }

    #[test]
    fn when_a_photo_was_taken_goes_before_when_its_file_was_changed() {
        let titles = Titles::read(Some("{year}-{month}-{day}"), 500).expect("a template");
        let file = found("/home/Camera", "/home/Camera/a.jpg");
        let title = titles.of(&file, Some(date(1999, 12, 31)));
        assert_eq!(title.as_deref(), Some("1999-12-31"));
    }

    #[test]
    fn a_name_is_the_same_however_the_file_system_writes_it() {
        assert_eq!(title("{folder}", "/home/Camera/Cafe\u{301}/a.jpg").as_deref(), Some("Caf\u{e9}"));
        assert_eq!(title("{folder}", "/home/Camera/ a\nb /a.jpg").as_deref(), Some("a b"));
    }

    #[test]
    fn a_title_that_is_too_long_is_cut() {
        let titles = Titles::read(Some("{folder}"), 5).expect("a template");
        let of = |path: &str| titles.of(&found("/s", path), None).map(|title| title.to_string());
        assert_eq!(of("/s/äöüßéàô/a.jpg").as_deref(), Some("äöüßé"));
        assert_eq!(of("/s/abcd efg/a.jpg").as_deref(), Some("abcd"));
        // A fixed one is judged when the plan is saved.
        let fixed = Titles::read(Some("Summer holidays"), 5).expect("a template");
        assert_eq!(fixed.of(&found("/s", "/s/a.jpg"), None).as_deref(), Some("Summer holidays"));
    }

    proptest! {
        #[test]
        fn no_folder_makes_a_title_that_is_blank_too_long_or_of_two_lines(
            folders in prop::collection::vec("[^/\u{0}]{1,20}", 0..4),
            most in 1..40_usize,
        ) {
            prop_assume!(folders.iter().all(|folder| folder != "." && folder != ".."));
            let path = format!("/s/{}/a.jpg", folders.join("/"));
            let titles = Titles::read(Some("{folder} {path}"), most).expect("a template");
            if let Some(title) = titles.of(&found("/s", &path), None) {
                prop_assert!(title.chars().count() <= most && !title.trim().is_empty(), "{:?}", title);
                prop_assert!(!title.chars().any(char::is_control), "{:?}", title);
            }
        }
    }
}
