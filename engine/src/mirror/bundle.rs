//! A bundle: a ZIP archive with the still and the clip of a live photo, which a full-resolution source may send under the
//! name of the still.
//!
//! It comes from elsewhere and is not trusted: the names in it are not used for anything, and neither many entries nor
//! entries that swell fill the disk.

use std::io::{self, BufReader};

use charon_provider::{Class, Error, Kind, Reason};
use zip::{ZipArchive, result::ZipError};

use super::{
    Mirror,
    incoming::{Arrived, CopyError, Received, Unfinished},
};
use crate::sniff;

/// A live photo has two; more than a few are something else.
const MOST_ENTRIES: usize = 10;
/// No still with its clip is larger than this.
const MOST_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Pictures and videos are packed as tight as they go: an archive of them hardly swells.
const MOST_SWELLING: u64 = 20;
/// Small archives may swell more: a picture of one colour packs well.
const SMALL_BYTES: u64 = 16 * 1024 * 1024;

/// Whether these are the first bytes of an archive.
pub(super) fn is_bundle(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04")
}

/// Takes the still and the clip out of a bundle, each into a temporary file of its own. Blocks.
pub(super) fn unpack(mirror: &Mirror, bundle: &Received, doing: &str) -> Result<Arrived, Error> {
    let wrong = |what: String| Error::new(Class::Transient, doing, what).because(Reason::WrongContent);
    let unreadable = |error: ZipError| wrong(format!("the archive that came cannot be read: {error}"));
    let file = bundle.rewound().map_err(|error| wrong(format!("the archive cannot be read: {error}")))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(unreadable)?;
    if archive.len() > MOST_ENTRIES {
        return Err(wrong(format!("the archive that came holds {} files", archive.len())));
    }
    let mut room = MOST_BYTES.min((bundle.size * MOST_SWELLING).max(SMALL_BYTES));
    let mut arrived = Arrived::default();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(unreadable)?;
        if entry.is_dir() {
            continue;
        }
        let mut unpacked = Unfinished::create(mirror)?;
        match unpacked.copy(entry, room) {
            Ok(true) => {}
            Ok(false) => return Err(wrong("the archive that came swells beyond all photos".to_owned())),
            Err(CopyError::Source(error)) => return Err(unreadable(io_error(error))),
            Err(CopyError::Destination(error)) => return Err(error),
        }
        room -= unpacked.size;
        let place = match sniff::kind(&unpacked.head) {
            Some(Kind::Photo) => &mut arrived.whole,
            Some(Kind::Video) => &mut arrived.clip,
            None => continue,
        };
        if place.is_some() {
            return Err(wrong("the archive that came holds more than a still and a clip".to_owned()));
        }
        *place = Some(unpacked.finish(bundle.fidelity));
    }
    Ok(arrived)
}

fn io_error(error: io::Error) -> ZipError {
    ZipError::Io(error)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Cursor, Write};

    use bytes::Bytes;
    use charon_provider::{Body, Fidelity, Part, Reason};
    use futures::{StreamExt, stream};
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    use super::super::{
        Arrived, Incoming,
        tests::{JPEG, Place, item, left_behind, place},
    };

    const MOV: &[u8] = b"\0\0\0\x14ftypqt  \0\0\0\0qt  and so on";

    pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in entries {
            writer.start_file(*name, options).expect("an entry");
            writer.write_all(bytes).expect("its bytes");
        }
        writer.finish().expect("an archive").into_inner()
    }

    async fn take(place: &Place, part: Part, bytes: Vec<u8>) -> Result<Arrived, charon_provider::Error> {
        let body = Body {
            offset: 0,
            length: Some(bytes.len() as u64),
            validator: None,
            may_be_bundle: true,
            fidelity: Fidelity::Original,
            bytes: stream::iter([Ok(Bytes::from(bytes))]).boxed(),
        };
        Incoming::new(place.mirror(), part).take(body, &item()).await
    }

    #[tokio::test]
    async fn a_bundle_gives_its_still_and_its_clip_and_no_other_file() {
        let place = place().await;
        let entries = [("notes.txt", &b"hello"[..]), ("IMG_1.MOV", MOV), ("../../IMG_1.HEIC", JPEG)];
        let arrived = take(&place, Part::Whole, archive(&entries)).await.expect("a still and a clip");
        let (whole, clip) = (arrived.whole.expect("a still"), arrived.clip.expect("a clip"));
        assert_eq!((whole.size, clip.size), (JPEG.len() as u64, MOV.len() as u64));
        assert_eq!((whole.fidelity, clip.fidelity), (Fidelity::Original, Fidelity::Original));
        assert_eq!(left_behind(&place), 2);
        drop((whole, clip));
        assert_eq!(left_behind(&place), 0);
        let arrived = take(&place, Part::Clip, archive(&entries)).await.expect("a clip");
        assert!(arrived.whole.is_none() && arrived.clip.is_some());
        let alone = take(&place, Part::Whole, archive(&[("a.jpg", JPEG)])).await.expect("a still");
        assert!(alone.whole.is_some() && alone.clip.is_none());
    }

    #[tokio::test]
    async fn hostile_archives_do_no_harm() {
        // I11
        let place = place().await;
        let zeroes = vec![0; 20 * 1024 * 1024];
        let swelling = archive(&[("a.jpg", &[JPEG, &zeroes].concat())]);
        let many: Vec<(String, &[u8])> = (0..11).map(|number| (number.to_string(), JPEG)).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        let whole = archive(&[("a.jpg", JPEG), ("a.mov", MOV)]);
        for (bytes, why) in [
            (swelling, "swells"),
            (archive(&many), "holds 11 files"),
            (archive(&[("a.jpg", JPEG), ("b.jpg", JPEG)]), "more than a still"),
            (archive(&[("a.mov", MOV)]), "without a photo"),
            (archive(&[]), "archive"),
            (whole[..whole.len() - 30].to_vec(), "cannot be read"),
        ] {
            let error = take(&place, Part::Whole, bytes).await.expect_err(why);
            assert_eq!(error.reason, Reason::WrongContent, "{error}");
            assert!(error.cause.contains(why), "{error}");
            assert_eq!(left_behind(&place), 0);
        }
        let parent = place.root().parent().expect("the folder above");
        assert_eq!(std::fs::read_dir(parent).expect("a folder").count(), 1, "nothing outside the mirror");
    }
}
