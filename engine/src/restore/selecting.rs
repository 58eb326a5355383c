//! Selecting: which of what is home is restored. Looks at nothing but what it is given.

use charon_schema::{Mistake, Mistakes};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::{Timestamp, tz::TimeZone};

use crate::{job::RestoreSelection, store::AtHome};

/// What is chosen, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Taken at this moment or later.
    from: Option<Timestamp>,
    /// Taken before this moment.
    before: Option<Timestamp>,
    albums: Vec<String>,
    name: Option<Gitignore>,
}

impl Chosen {
    /// Reads what somebody has chosen; days are those of the zone.
    ///
    /// # Errors
    /// Every mistake in it.
    pub(super) fn read(selection: &RestoreSelection, zone: &TimeZone) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let RestoreSelection { taken_from, taken_until, albums, name } = selection;
        if let (Some(from), Some(until)) = (taken_from, taken_until)
            && until < from
        {
            let reason = format!("is before {from}, from which on photos are wanted");
            mistakes.push(Mistake::in_field("taken_until", reason));
        }
        let begins = |day: jiff::civil::Date| day.to_zoned(zone.clone()).map(|at| at.timestamp()).ok();
        if albums.iter().any(|title| title.trim().is_empty()) {
            mistakes.push(Mistake::in_field("albums", "holds a blank title"));
        }
        let name = name.as_ref().map(|name| glob(name)).transpose().unwrap_or_else(|reason| {
            mistakes.push(Mistake::in_field("name", reason));
            None
        });
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        Ok(Self {
            from: taken_from.and_then(begins),
            before: taken_until.and_then(|until| until.tomorrow().ok()).and_then(begins),
            albums: albums.clone(),
            name,
        })
    }

    /// Whether an item is among what is chosen.
    pub(super) fn has(&self, item: &AtHome) -> bool {
        let is_dated = self.from.is_none_or(|from| item.taken_at.is_some_and(|at| at >= from))
            && self.before.is_none_or(|before| item.taken_at.is_some_and(|at| at < before));
        let is_named = self.name.as_ref().is_none_or(|name| name.matched(&item.name, false).is_ignore());
        is_dated
            && is_named
            && (self.albums.is_empty() || item.albums.iter().any(|title| self.has_album(title)))
    }

    /// Whether an album is among those that are chosen; all are where none is named.
    pub(super) fn has_album(&self, title: &str) -> bool {
        self.albums.is_empty() || self.albums.iter().any(|album| album == title)
    }

    /// Whether all of each album is chosen, or nothing of it.
    pub(super) fn has_whole_albums(&self) -> bool {
        self.from.is_none() && self.before.is_none() && self.name.is_none()
    }

    /// The titles that are named.
    pub(super) fn albums(&self) -> &[String] {
        &self.albums
    }
}

fn glob(name: &str) -> Result<Gitignore, String> {
    if name.trim().is_empty() || name.contains('/') {
        return Err("is to be a glob for the names of files, such as IMG_*.jpg".into());
    }
    let mut glob = GitignoreBuilder::new("");
    let wrong = |error: ignore::Error| format!("is no glob: {error}");
    glob.case_insensitive(true).map_err(wrong)?;
    // What is a comment or an exception in a list of globs is a name here.
    let escaped = if name.starts_with(['#', '!']) { format!("\\{name}") } else { name.to_owned() };
    glob.add_line(None, &escaped).map_err(wrong)?;
    glob.build().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use charon_provider::Fidelity;
    use jiff::{civil::date, tz::TimeZone};

    use super::Chosen;
    use crate::{
        ids::Sha256,
        job::RestoreSelection,
        store::{AtHome, File},
    };

    fn item(name: &str, taken_at: Option<&str>, albums: &[&str]) -> AtHome {
        AtHome {
            asset_id: 1,
            whole: File { path: format!("photos/{name}"), sha256: Sha256([0; 32]), size: 1 },
            clip: None,
            fidelity: Fidelity::ApiCopy,
            name: name.into(),
            taken_at: taken_at.map(|at| at.parse().expect("a time")),
            description: None,
            albums: albums.iter().map(|title| (*title).to_owned()).collect(),
        }
    }

    fn has(selection: &RestoreSelection, item: &AtHome) -> bool {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        Chosen::read(selection, &zone).expect("a selection").has(item)
    }

    #[test]
    fn days_are_those_of_the_zone_and_both_are_in_it() {
        let days = RestoreSelection {
            taken_from: Some(date(2024, 7, 1)),
            taken_until: Some(date(2024, 7, 31)),
            ..RestoreSelection::default()
        };
        for (taken_at, expected) in [
            (Some("2024-06-30T21:59:59Z"), false),
            (Some("2024-06-30T22:00:00Z"), true),
            (Some("2024-07-31T21:59:59Z"), true),
            (Some("2024-07-31T22:00:00Z"), false),
            (None, false),
        ] {
            assert_eq!(has(&days, &item("a.jpg", taken_at, &[])), expected, "{taken_at:?}");
        }
        assert!(has(&RestoreSelection::default(), &item("a.jpg", None, &[])));
    }

    #[test]
    fn names_match_whole_and_without_regard_to_case() {
        let named = |name: &str| RestoreSelection { name: Some(name.into()), ..RestoreSelection::default() };
        for (glob, name, expected) in [
            ("IMG_*.jpg", "img_1.JPG", true),
            ("IMG_?.jpg", "IMG_12.jpg", false),
            ("IMG", "IMG_1.jpg", false),
            ("!a.jpg", "!a.jpg", true),
            ("#a.jpg", "#a.jpg", true),
            ("*.{jpg,mp4}", "a.mp4", true),
        ] {
            assert_eq!(has(&named(glob), &item(name, None, &[])), expected, "{glob} of {name}");
        }
    }

    #[test]
    fn one_of_the_albums_is_enough_and_all_else_has_to_fit_too() {
        let of = |albums: &[&str], name: Option<&str>| RestoreSelection {
            albums: albums.iter().map(|title| (*title).to_owned()).collect(),
            name: name.map(str::to_owned),
            ..RestoreSelection::default()
        };
        let photo = item("a.jpg", None, &["Sea", "Summer"]);
        assert!(has(&of(&["Summer", "Winter"], None), &photo));
        assert!(!has(&of(&["Winter"], None), &photo));
        assert!(!has(&of(&["Summer"], Some("b*")), &photo));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        let wrong = |selection: RestoreSelection| {
            Chosen::read(&selection, &TimeZone::UTC).expect_err("a mistake").to_string()
        };
        let days = RestoreSelection {
            taken_from: Some(date(2024, 7, 1)),
            taken_until: Some(date(2024, 6, 1)),
            ..RestoreSelection::default()
        };
        assert!(wrong(days).starts_with("taken_until: is before 2024-07-01"));
        for glob in ["", "a/b", "[z-a]"] {
            let told = wrong(RestoreSelection { name: Some(glob.into()), ..RestoreSelection::default() });
            assert!(told.starts_with("name: is "), "{told}");
        }
        let blank = RestoreSelection { albums: vec![" ".into()], ..RestoreSelection::default() };
        assert!(wrong(blank).starts_with("albums: "));
    }
}
