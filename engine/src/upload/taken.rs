//! When a photo or video was taken, by its own words: EXIF, or what is written of a video's track. Files that say nothing of it, or
//! cannot be made sense of, are no reason not to send them.

use std::{fs::File, panic::AssertUnwindSafe, path::Path};

use jiff::civil::{Date, DateTime};
use nom_exif::{EntryValue, Exif, ExifTag, MediaKind, MediaParser, MediaSource, TrackInfoTag};

/// Clocks that were never set say an earlier year.
const FIRST_YEAR: i16 = 1970;
/// What has been taken so late has not been taken yet.
const LAST_YEAR: i16 = 2100;

/// The day on which it was taken, on the clock of where that was as far as it says so. Blocks.
pub(super) fn on(path: &Path) -> Option<Date> {
    day_of(&words(path)?)
}

/// When it was taken, on the clock of where that was. Blocks.
pub(crate) fn moment(path: &Path) -> Option<DateTime> {
    words(path)?.get(..19)?.parse().ok()
}

/// What it says of when it was taken. Blocks.
fn words(path: &Path) -> Option<String> {
    // Whatever a strange file does to its reader, it is sent all the same.
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| read(path)));
    match read {
        Ok(Ok(written)) => written,
        Ok(Err(error)) => {
            tracing::debug!(path = %path.display(), %error, "it does not say when it was taken");
            None
        }
        Err(_) => {
            tracing::warn!(path = %path.display(), "its metadata could not be read");
            None
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, nom_exif::Error> {
    let source = MediaSource::seekable(File::open(path)?)?;
    let mut parser = MediaParser::new();
    let value = match source.kind() {
        MediaKind::Image => {
            let exif: Exif = parser.parse_exif(source)?.into();
            let tags = [ExifTag::DateTimeOriginal, ExifTag::CreateDate];
            tags.into_iter().find_map(|tag| exif.get(tag).and_then(written))
        }
        MediaKind::Track => parser.parse_track(source)?.get(TrackInfoTag::CreateDate).and_then(written),
    };
    Ok(value)
}

/// A time as it is written, without what it says of its zone.
fn written(value: &EntryValue) -> Option<String> {
    Some(value.as_datetime()?.into_naive().to_string())
}

/// The day of `2024-05-06 07:08:09`, if there can have been one.
fn day_of(written: &str) -> Option<Date> {
    let day: Date = written.get(..10)?.parse().ok()?;
    (FIRST_YEAR..=LAST_YEAR).contains(&day.year()).then_some(day)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{day_of, on};

    #[test]
    fn what_is_no_time_at_which_anything_was_taken_says_nothing() {
        for (written, day) in [
            ("2024-05-06 07:08:09", Some(date(2024, 5, 6))),
            ("1969-12-31 23:59:59", None),
            ("1904-01-01 00:00:00", None),
            ("+12024-05-06 07:08", None),
            ("2024", None),
            ("", None),
        ] {
            assert_eq!(day_of(written), day, "{written}");
        }
    }

    #[test]
    fn a_file_that_is_no_photo_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jpg");
        for bytes in [&b""[..], b"\xff\xd8\xff\xe1\xff\xff", b"\xff\xd8\xff\xe0 no picture", &[0xff; 5_000]] {
            std::fs::write(&path, bytes).expect("a file");
            assert_eq!(on(&path), None, "{bytes:?}");
        }
        assert_eq!(on(&folder.path().join("nothing.jpg")), None);
    }
}
