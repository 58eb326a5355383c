//! Layouts: which path an item gets in a mirror, made up of what is known of it by a template such as `photos/{year}/{month}/{name}`.
//!
//! A template is taken apart at its `/` before anything is put into it, and each part is made safe as a name is: nothing that an item
//! is called leads out of the mirror or into a folder that the template does not have. An item of which it is not known when it was
//! taken goes to `undated` where the parts of its date would be.

use charon_provider::Camera;
use jiff::{Timestamp, tz::TimeZone};

use super::{in_folder, is_unsafe, safe_name, split};
use crate::template::Template;

/// As gphotos-sync lays it out.
pub(crate) const DEFAULT: &str = "photos/{year}/{month}/{name}";

const UNDATED: &str = "undated";
const NO_ALBUM: &str = "no album";
const NO_CAMERA: &str = "unknown camera";

/// What a path may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Year,
    Month,
    Day,
    Album,
    Camera,
    Name,
    Ext,
    Id,
}

use Placeholder::{Album, Camera as CameraName, Day, Ext, Id, Month, Name, Year};

const PLACEHOLDERS: [(&str, Placeholder); 8] = [
    ("year", Year),
    ("month", Month),
    ("day", Day),
    ("album", Album),
    ("camera", CameraName),
    ("name", Name),
    ("ext", Ext),
    ("id", Id),
];

/// An item, as far as its path is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a str,
    /// Not empty.
    pub(crate) file_name: &'a str,
    pub(crate) taken_at: Option<Timestamp>,
    /// The title of the album that it was listed in, if it was listed in one.
    pub(crate) album: Option<&'a str>,
    pub(crate) camera: Option<&'a Camera>,
}

/// How the paths of a mirror are made up.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The folders, from the destination down, and the name.
    parts: Vec<Template<Placeholder>>,
    zone: TimeZone,
}

impl Layout {
    /// The one that there is where a plan says nothing.
    pub(crate) fn usual() -> Self {
        Self::read(DEFAULT).expect("the usual layout is one")
    }

    /// The same with the dates of another zone.
    pub(crate) fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// Whether paths are made of the titles of albums.
    pub(crate) fn has_albums(&self) -> bool {
        self.parts.iter().flat_map(Template::placeholders).any(|one| one == Album)
    }

    /// Reads a template, whose dates are those of UTC.
    ///
    /// # Errors
    /// What is wrong with it, as words that read well after the name of its field.
    pub(crate) fn read(layout: &str) -> Result<Self, String> {
        if layout.starts_with('/') {
            return Err("begins with a /: it is a path below the destination".into());
        }
        let parts = layout.split('/').map(read_part).collect::<Result<Vec<_>, _>>()?;
        let all = || parts.iter().flat_map(Template::placeholders);
        if !all().any(|one| matches!(one, Name | Id)) {
            return Err("has neither {name} nor {id}: all items would have one path".into());
        }
        let has = |part: &Template<_>, wanted| part.placeholders().any(|one| one == wanted);
        if parts.last().is_some_and(|last| has(last, Name) && has(last, Ext)) {
            return Err("has {name} and {ext} side by side: the name has its ending already".into());
        }
        let ends_well = parts.last().is_some_and(|last| last.ends_with(|one| matches!(one, Name | Ext)));
        if !ends_well {
            return Err(
                "has to end with {name} or with .{ext}: a file without its ending is opened by no program"
                    .into(),
            );
        }
        Ok(Self { parts, zone: TimeZone::UTC })
    }

    /// The paths that an item may get, the preferred one first. They are never used up before one is free: the last ones carry so much
    /// of a hash of the id that no other item has them.
    pub(crate) fn candidates(&self, subject: &Subject<'_>) -> impl Iterator<Item = String> + use<> {
        let (last, folders) = self.parts.split_last().expect("a template has a part at least");
        let mut names: Vec<String> = Vec::new();
        let mut is_told = false;
        for part in folders {
            let is_date_alone = subject.taken_at.is_none()
                && part.placeholders().next().is_some()
                && part.placeholders().all(is_date);
            // Once is enough: `undated`, where there would be a year and a month below it.
            if is_date_alone && is_told {
                continue;
            }
            is_told |= is_date_alone;
            names.push(safe_name(&self.fill(part, subject)));
        }
        in_folder(names.join("/"), safe_name(&self.fill(last, subject)), subject.id)
    }

    fn fill(&self, part: &Template<Placeholder>, subject: &Subject<'_>) -> String {
        let Some(taken_at) = subject.taken_at else { return fill_undated(part, subject) };
        let taken = taken_at.to_zoned(self.zone.clone());
        // Years outside 0000..=9999 are moved to the nearest one that has four digits.
        let date = |one| match one {
            Year => format!("{:04}", taken.year().max(0)),
            Month => format!("{:02}", taken.month()),
            _ => format!("{:02}", taken.day()),
        };
        part.fill(|one| Some(if is_date(one) { date(one) } else { value(one, subject) })).unwrap_or_default()
    }
}

fn is_date(one: Placeholder) -> bool {
    matches!(one, Year | Month | Day)
}

/// One word stands for the whole of a date, with what is between its parts.
fn fill_undated(part: &Template<Placeholder>, subject: &Subject<'_>) -> String {
    part.merged(is_date)
        .fill(|one| Some(if is_date(one) { UNDATED.to_owned() } else { value(one, subject) }))
        .unwrap_or_default()
}

fn value(one: Placeholder, subject: &Subject<'_>) -> String {
    match one {
        Name => subject.file_name.to_owned(),
        Ext => split(&safe_name(subject.file_name)).1.trim_start_matches('.').to_owned(),
        Id => subject.id.to_owned(),
        Album => {
            subject.album.map(str::trim).filter(|title| !title.is_empty()).unwrap_or(NO_ALBUM).to_owned()
        }
        CameraName => subject.camera.and_then(camera).unwrap_or_else(|| NO_CAMERA.to_owned()),
        Year | Month | Day => String::new(),
    }
}

/// `Canon EOS 80D`, although its maker is `Canon` and its model `Canon EOS 80D`.
fn camera(camera: &Camera) -> Option<String> {
    let said = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    match (said(&camera.make), said(&camera.model)) {
        (Some(make), Some(model)) if model.to_lowercase().starts_with(&make.to_lowercase()) => Some(model),
        (Some(make), Some(model)) => Some(format!("{make} {model}")),
        (make, model) => model.or(make),
    }
}

/// Reads the name of one folder, or of the file.
fn read_part(part: &str) -> Result<Template<Placeholder>, String> {
    if part.is_empty() {
        return Err("has a folder without a name: // or a / at its end".into());
    }
    if part.starts_with('.') {
        return Err(format!("has {part} in it, and no name may begin with a dot"));
    }
    if part.trim() != part || part.ends_with('.') {
        return Err(format!(
            "has {part:?} in it, and no name may begin or end with a space, or end with a dot"
        ));
    }
    if let Some(strange) = part.chars().find(|letter| is_unsafe(*letter)) {
        return Err(format!("has {strange:?} in it, which no name may have"));
    }
    Template::read(part, &PLACEHOLDERS)
}

#[cfg(test)]
mod tests;
