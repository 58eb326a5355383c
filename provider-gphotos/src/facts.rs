//! What Google Photos takes, and what it counts.

use charon_provider::{
    Capabilities, Costs, Facts, Format,
    Kind::{self, Photo, Video},
    Meter, Resets, UploadLimits,
};

use crate::{
    api::{self, API, MEDIA},
    config::Settings,
};

/// Google's day ends at midnight Pacific time.
const PACIFIC: &str = "America/Los_Angeles";

/// Google documents 200 MB and does not say which megabyte; the smaller one is safe.
const PHOTO_BYTES: u64 = 200_000_000;
/// Google documents 20 GB.
const VIDEO_BYTES: u64 = 20_000_000_000;
/// The longest title of an album, in characters.
pub(crate) const ALBUM_TITLE_CHARS: usize = 500;
/// Google takes descriptions of fewer than 1,000 characters.
const DESCRIPTION_CHARS: usize = 999;
/// The longest file name that `batchCreate` takes, in characters.
pub(crate) const FILE_NAME_CHARS: usize = 255;

/// The facts of one storage.
pub(crate) fn of(settings: &Settings) -> Facts {
    let meter = |id, limit| Meter {
        id,
        account: project(&settings.client_id).to_owned(),
        limit,
        resets: Resets::DailyAt(PACIFIC),
    };
    Facts {
        identity: settings.client_id.clone(),
        capabilities: Capabilities {
            list: true,
            download: true,
            upload: !settings.read_only,
            albums: true,
            previews: true,
            destination: false,
        },
        meters: vec![meter(API.0, settings.daily_requests), meter(MEDIA.0, settings.daily_downloads)],
        batch: settings.batch,
        limits: UploadLimits {
            formats: FORMATS,
            photo_bytes: PHOTO_BYTES,
            video_bytes: VIDEO_BYTES,
            album_title_chars: ALBUM_TITLE_CHARS,
            description_chars: DESCRIPTION_CHARS,
        },
        selection: settings.selection.clone(),
        costs: Costs {
            page: vec![API],
            page_items: api::LARGEST_ITEM_PAGE,
            // What the proxy gives costs less, and its sizes are not asked for; this is the most that it can be.
            fetch: if settings.read_size && settings.proxy.is_none() { vec![MEDIA; 2] } else { vec![MEDIA] },
            send: vec![settings.send_cost],
            commit: vec![API],
        },
        pace: settings.pace,
        read_size: settings.read_size,
    }
}

/// The number of the Google Cloud project that a client belongs to: the digits before the first `-` of its id.
fn project(client_id: &str) -> &str {
    match client_id.split_once('-') {
        Some((number, _)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => number,
        _ => client_id,
    }
}

const fn format(extension: &'static str, kind: Kind, mime_type: &'static str) -> Format {
    Format { extension, kind, mime_type }
}

/// What Google documents that it takes, with other common extensions of the same formats. Of raw formats it says
/// "some"; those that it names elsewhere are here, and it tells of a file that it cannot read when it is committed.
const FORMATS: &[Format] = &[
    format("avif", Photo, "image/avif"),
    format("bmp", Photo, "image/bmp"),
    format("gif", Photo, "image/gif"),
    format("heic", Photo, "image/heic"),
    format("heif", Photo, "image/heif"),
    format("ico", Photo, "image/vnd.microsoft.icon"),
    format("jpg", Photo, "image/jpeg"),
    format("jpeg", Photo, "image/jpeg"),
    format("jpe", Photo, "image/jpeg"),
    format("jfif", Photo, "image/jpeg"),
    format("png", Photo, "image/png"),
    format("tif", Photo, "image/tiff"),
    format("tiff", Photo, "image/tiff"),
    format("webp", Photo, "image/webp"),
    format("dng", Photo, "image/x-adobe-dng"),
    format("arw", Photo, "image/x-sony-arw"),
    format("cr2", Photo, "image/x-canon-cr2"),
    format("cr3", Photo, "image/x-canon-cr3"),
    format("crw", Photo, "image/x-canon-crw"),
    format("nef", Photo, "image/x-nikon-nef"),
    format("nrw", Photo, "image/x-nikon-nrw"),
    format("orf", Photo, "image/x-olympus-orf"),
    format("pef", Photo, "image/x-pentax-pef"),
    format("raf", Photo, "image/x-fuji-raf"),
    format("raw", Photo, "image/x-panasonic-raw"),
    format("rw2", Photo, "image/x-panasonic-rw2"),
    format("srw", Photo, "image/x-samsung-srw"),
    format("3gp", Video, "video/3gpp"),
    format("3g2", Video, "video/3gpp2"),
    format("asf", Video, "video/x-ms-asf"),
    format("avi", Video, "video/x-msvideo"),
    format("divx", Video, "video/divx"),
    format("m2t", Video, "video/mp2t"),
    format("m2ts", Video, "video/mp2t"),
    format("m4v", Video, "video/x-m4v"),
    format("mkv", Video, "video/x-matroska"),
    format("mmv", Video, "video/x-mmv"),
    format("mod", Video, "video/mpeg"),
    format("mov", Video, "video/quicktime"),
    format("qt", Video, "video/quicktime"),
    format("mp4", Video, "video/mp4"),
    format("mpg", Video, "video/mpeg"),
    format("mpeg", Video, "video/mpeg"),
    format("mts", Video, "video/mp2t"),
    format("tod", Video, "video/mpeg"),
    format("wmv", Video, "video/x-ms-wmv"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use charon_provider::UploadLimits;

    use super::{FORMATS, PHOTO_BYTES, project};

    #[test]
    fn a_project_is_known_by_the_digits_of_its_client_id() {
        assert_eq!(project("844831818923-abc.apps.googleusercontent.com"), "844831818923");
        assert_eq!(project("home-made-id"), "home-made-id");
        assert_eq!(project("-x"), "-x");
        assert_eq!(project("844831818923"), "844831818923");
    }

    #[test]
    fn every_documented_format_is_known_once() {
        let known: HashSet<_> = FORMATS.iter().map(|format| format.extension).collect();
        assert_eq!(known.len(), FORMATS.len(), "an extension is there twice");
        for documented in [
            "avif", "bmp", "gif", "heic", "ico", "jpg", "png", "tiff", "webp", "3gp", "3g2", "asf", "avi",
            "divx", "m2t", "m2ts", "m4v", "mkv", "mmv", "mod", "mov", "mp4", "mpg", "mts", "tod", "wmv",
        ] {
            assert!(known.contains(documented), "{documented} is missing");
        }
        assert!(FORMATS.iter().all(|format| format.extension == format.extension.to_ascii_lowercase()));
    }

    #[test]
    fn a_photo_of_201_megabytes_is_too_large() {
        let limits = UploadLimits { photo_bytes: PHOTO_BYTES, formats: FORMATS, ..UploadLimits::default() };
        let format = limits.format_of("JPG").expect("a known format");
        assert!(limits.largest(format.kind) < 201_000_000);
    }
}
