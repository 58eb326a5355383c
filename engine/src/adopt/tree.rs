//! The tree: what lies in a folder that a plan adopts, and what of it is known without asking the account.

use std::collections::HashMap;

use charon_provider::{Camera, Class, Depth, Destination, EntryKind, Fidelity, RemoteId};
use futures::StreamExt;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{error::Error, ids::Sha256, naming, run::RunContext, sidecars::Sidecar, verify::is_passed_over};

/// Where tools put what stands for albums: photos that they have elsewhere as well.
const ALBUMS: [&str; 4] = ["album", "albums", "shared-album", "sharedAlbums"];
/// rclone takes what is shorter for no id, and so do we.
const LEAST_ID_CHARS: usize = 55;

/// What lies in a folder.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<Found>,
    /// Which file is at a path.
    pub(super) at: HashMap<String, usize>,
    /// The paths of files that are neither photos nor videos by their names, nor Charon's own.
    pub(super) others: Vec<String>,
    /// Sidecars of Charon that lie beside photos: below the path of the photo.
    pub(super) sheets: Vec<String>,
}

/// A photo or video that lies there, by its name.
#[derive(Debug)]
pub(super) struct Found {
    /// Below the folder, with forward slashes.
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) modified: Option<Timestamp>,
    /// What is written of it, by whoever put it there.
    pub(super) known: Option<Box<Known>>,
}

/// What is written of a file.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: RemoteId,
    pub(super) name: String,
    pub(super) mime_type: String,
    pub(super) taken_at: Option<Timestamp>,
    pub(super) description: Option<String>,
    pub(super) camera: Option<Camera>,
    /// The bytes that were put there.
    pub(super) bytes: Option<Bytes>,
    /// It was no smaller than this.
    pub(super) least_size: u64,
    /// The file of its clip, and the bytes that were put there.
    pub(super) clip: Option<(usize, Bytes)>,
}

/// Bytes that somebody has written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    pub(super) sha256: Sha256,
    pub(super) fidelity: Fidelity,
}

impl Known {
    pub(super) fn new(id: &str, name: String, mime_type: &str, taken_at: Option<Timestamp>) -> Self {
        Self {
            id: RemoteId(id.to_owned()),
            name,
            mime_type: mime_type.to_owned(),
            taken_at,
            description: None,
            camera: None,
            bytes: None,
            least_size: 0,
            clip: None,
        }
    }
}

impl Found {
    pub(super) fn name(&self) -> &str {
        naming::name_of(&self.path)
    }

    /// What it is compared by with the names of items.
    pub(super) fn key(&self) -> String {
        let name = self.name();
        // gphotos-sync and Charon put its place in the album before it.
        let numbered = name.split_once('_').filter(|(number, _)| {
            self.is_of_album() && number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        let name = numbered.map_or(name, |(_, name)| name);
        match id_in(name) {
            Some((name, _)) => naming::path_key(&name),
            None => naming::path_key(name),
        }
    }

    /// Whether it stands for an album's photo, which most likely lies elsewhere too.
    pub(super) fn is_of_album(&self) -> bool {
        self.path.split('/').any(|part| ALBUMS.contains(&part))
    }

    /// Which of several files of one photo is taken: that of the smaller one.
    pub(super) fn rank(&self) -> (bool, &str) {
        (self.is_of_album(), &self.path)
    }

    /// The days that its folder tells, from the first to the last one.
    pub(super) fn days(&self) -> Option<(Date, Date)> {
        if self.is_of_album() {
            return None;
        }
        let (folder, _) = self.path.rsplit_once('/')?;
        days_of(folder)
    }
}

/// The days that a folder stands for, by the last of its parts that tell any: `2024/07`, `2024-07`, `2024-07-31`, `2024`.
fn days_of(folder: &str) -> Option<(Date, Date)> {
    // Year, month, day, as far as they are told.
    let mut told: Vec<&str> = Vec::new();
    for part in folder.split('/') {
        let numbers: Vec<&str> = part.split('-').collect();
        if !numbers.iter().all(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        match numbers.iter().map(|number| number.len()).collect::<Vec<_>>().as_slice() {
            [4] | [4, 2] | [4, 2, 2] => told = numbers,
            [2] if (1..3).contains(&told.len()) => told.extend(numbers),
            _ => {}
        }
    }
    let number = |place: usize| told.get(place).map_or(Some(1), |number| number.parse::<i8>().ok());
    let first = Date::new(told.first()?.parse().ok()?, number(1)?, number(2)?).ok()?;
    let last = match told.len() {
        1 => first.last_of_year(),
        2 => first.last_of_month(),
        _ => first,
    };
    Some((first, last))
}

/// Whether a moment may be on one of these days, wherever on earth that was.
pub(super) fn may_be_on((first, last): (Date, Date), moment: Timestamp) -> bool {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let (Ok(first), Ok(last)) = (midnight(first), midnight(last)) else { return false };
    first.checked_sub(14.hours()).is_ok_and(|first| moment >= first)
        && last.checked_add(38.hours()).is_ok_and(|last| moment < last)
}

/// The name, and the media id that rclone puts into it where several items have one name: `name {ID}.jpg`.
pub(super) fn id_in(name: &str) -> Option<(String, &str)> {
    let (before, rest) = name.split_once('{')?;
    let (id, after) = rest.split_once('}')?;
    let is_id = id.len() >= LEAST_ID_CHARS
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let is_at_the_end = after.is_empty() || after.starts_with('.');
    (is_id && is_at_the_end).then(|| (format!("{}{after}", before.strip_suffix(' ').unwrap_or(before)), id))
}

/// Looks at all that lies there.
pub(super) async fn scan(ctx: &RunContext, files: &dyn Destination) -> Result<Option<Tree>, Error> {
    let mut tree = Tree::default();
    let mut listed = files.list("", Depth::Tree);
    loop {
        let Some(entry) = ctx.unless_stopped(listed.next()).await else { return Ok(None) };
        let entry = match entry {
            Some(Ok(entry)) if entry.kind == EntryKind::File && !is_passed_over(&entry.path) => entry,
            Some(Ok(_)) => continue,
            // A folder that may not be looked into, a name that is no text: whatever is there cannot be adopted.
            Some(Err(error)) if matches!(error.class, Class::Item | Class::Destination) => {
                tree.others.push(error.to_string());
                continue;
            }
            Some(Err(error)) => return Err(error.into()),
            None => break,
        };
        let name = naming::name_of(&entry.path);
        if mime_type(name).is_none() {
            match Sidecar::owner(&entry.path) {
                Some(owner) if entry.path.ends_with(Sidecar::Json.as_str()) => {
                    tree.sheets.push(owner.to_owned());
                }
                Some(_) => {}
                None => tree.others.push(entry.path),
            }
            continue;
        }
        tree.at.insert(entry.path.clone(), tree.files.len());
        let known = id_in(name).map(|(name, id)| {
            let mime_type = mime_type(&name).unwrap_or_default();
            // rclone gives files the time at which they were taken.
            Box::new(Known::new(id, name, mime_type, entry.modified))
        });
        tree.files.push(Found { path: entry.path, size: entry.size, modified: entry.modified, known });
        ctx.tell(|progress| progress.found += 1);
    }
    drop(listed);
    let owns = |owner: &String| tree.at.contains_key(owner);
    let (sheets, strange): (Vec<_>, Vec<_>) = std::mem::take(&mut tree.sheets).into_iter().partition(owns);
    tree.sheets = sheets;
    tree.others.extend(strange.into_iter().map(|owner| Sidecar::Json.path(&owner)));
    Ok(Some(tree))
}

/// The media type that the ending of a name stands for; `None` for what is neither a photo nor a video.
pub(super) fn mime_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jpe" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "avif" => "image/avif",
        "tif" | "tiff" => "image/tiff",
        "bmp" => "image/bmp",
        "ico" => "image/x-icon",
        "dng" => "image/x-adobe-dng",
        "cr2" => "image/x-canon-cr2",
        "cr3" => "image/x-canon-cr3",
        "nef" | "nrw" => "image/x-nikon-nef",
        "arw" | "srf" | "sr2" => "image/x-sony-arw",
        "raf" => "image/x-fuji-raf",
        "rw2" => "image/x-panasonic-rw2",
        "orf" => "image/x-olympus-orf",
        "pef" => "image/x-pentax-pef",
        "srw" => "image/x-samsung-srw",
        "mp4" => "video/mp4",
        "m4v" => "video/x-m4v",
        "mov" | "qt" => "video/quicktime",
        "avi" => "video/x-msvideo",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "3gp" => "video/3gpp",
        "3g2" => "video/3gpp2",
        "mpg" | "mpeg" | "mod" | "tod" | "mmv" => "video/mpeg",
        "mts" | "m2ts" | "m2t" => "video/mp2t",
        "wmv" | "asf" => "video/x-ms-wmv",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{days_of, id_in, may_be_on};

    #[test]
    fn the_days_of_a_folder_are_those_that_its_parts_tell() {
        for (folder, days) in [
            ("photos/2024/07", Some((date(2024, 7, 1), date(2024, 7, 31)))),
            ("photos/2024-02", Some((date(2024, 2, 1), date(2024, 2, 29)))),
            ("media/by-month/2024/2024-07", Some((date(2024, 7, 1), date(2024, 7, 31)))),
            ("media/by-day/2024/2024-07-31", Some((date(2024, 7, 31), date(2024, 7, 31)))),
            ("media/by-year/2024", Some((date(2024, 1, 1), date(2024, 12, 31)))),
            ("2024/07/31", Some((date(2024, 7, 31), date(2024, 7, 31)))),
            ("2024/Summer", Some((date(2024, 1, 1), date(2024, 12, 31)))),
            ("media/all", None),
            ("2024/13", None),
            ("12/photos", None),
            ("1234-5", None),
        ] {
            assert_eq!(days_of(folder), days, "{folder}");
        }
    }

    #[test]
    fn a_moment_is_on_a_day_wherever_on_earth_it_was() {
        let days = (date(2024, 7, 1), date(2024, 7, 31));
        for (moment, may) in [
            ("2024-07-15T12:00:00Z", true),
            ("2024-06-30T10:00:00Z", true),
            ("2024-06-30T09:59:59Z", false),
            ("2024-08-01T13:59:59Z", true),
            ("2024-08-01T14:00:00Z", false),
        ] {
            assert_eq!(may_be_on(days, moment.parse().expect("a time")), may, "{moment}");
        }
    }

    #[test]
    fn an_id_in_a_name_is_one_that_rclone_puts_there() {
        let id = "A_b-9".repeat(11);
        assert_eq!(id_in(&format!("IMG 1 {{{id}}}.jpg")), Some(("IMG 1.jpg".into(), id.as_str())));
        assert_eq!(id_in(&format!("IMG{{{id}}}")), Some(("IMG".into(), id.as_str())));
        for name in [
            "IMG {1}.jpg".to_owned(),
            "IMG.jpg".into(),
            format!("IMG {{{id}}} edited.jpg"),
            format!("IMG {{{id}.jpg"),
            format!("IMG {{{}}}.jpg", "ä".repeat(60)),
        ] {
            assert_eq!(id_in(&name), None, "{name}");
        }
    }
}
