//! Short videos that a browser plays: H.264 in an MP4, written by hand from a seed; and reading anybody's MP4.

use jiff::Timestamp;

use crate::{h264, picture::Location};

/// Frames per second of a generated video.
pub const FRAMES_PER_SECOND: u32 = 10;
const TIME_SCALE: u32 = 1000;
/// Seconds between 1904, where MP4 begins to count, and 1970.
const EPOCH: i64 = 2_082_844_800;

/// What a generated video shows and says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Video {
    /// Chooses colours and the noise of the padding.
    pub seed: u64,
    /// Pixels; rounded up to a multiple of 16.
    pub width: u32,
    /// Pixels; rounded up to a multiple of 16.
    pub height: u32,
    /// How long it is, at ten frames a second.
    pub frames: u32,
    /// `creation_time` of the movie header.
    pub taken_at: Option<Timestamp>,
    /// The `©xyz` box that phones write.
    pub location: Option<Location>,
}

impl Video {
    /// A video of 160 × 96 pixels and two seconds.
    pub fn new(seed: u64) -> Video {
        Video { seed, width: 160, height: 96, frames: 20, taken_at: None, location: None }
    }

    /// The file.
    pub fn mp4(&self) -> Vec<u8> {
        let (columns, rows) = (self.width.div_ceil(16).max(1), self.height.div_ceil(16).max(1));
        let frames = self.frames.max(1);
        let coded = h264::code(self.seed, columns, rows, frames);
        let samples: Vec<Vec<u8>> =
            coded.frames.iter().map(|unit| [&size(unit.len()).to_be_bytes()[..], unit].concat()).collect();
        let brand = boxed(b"ftyp", &[b"isom\0\0\x02\0isomiso2avc1mp41"]);
        // The offset of the samples depends on the size of the index before them, which does not depend on the offset.
        let index = self.index(&coded, &samples, columns * 16, rows * 16, 0);
        let offset = size(brand.len() + index.len() + 8);
        let index = self.index(&coded, &samples, columns * 16, rows * 16, offset);
        let data: Vec<u8> = samples.concat();
        [brand, index, boxed(b"mdat", &[&data])].concat()
    }

    fn index(
        &self,
        coded: &h264::Coded,
        samples: &[Vec<u8>],
        width: u32,
        height: u32,
        offset: u32,
    ) -> Vec<u8> {
        let created = self.taken_at.map_or(0, |at| u32::try_from(at.as_second() + EPOCH).unwrap_or(0));
        let created = created.to_be_bytes();
        let count = size(samples.len());
        let delta = TIME_SCALE / FRAMES_PER_SECOND;
        let duration = (count * delta).to_be_bytes();
        let scale = TIME_SCALE.to_be_bytes();
        let matrix: Vec<u8> = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000_u32]
            .iter()
            .flat_map(|v| v.to_be_bytes())
            .collect();
        let (w, h) = (u16::try_from(width).unwrap_or(0), u16::try_from(height).unwrap_or(0));

        let movie = [
            &[0; 4][..],
            &created,
            &created,
            &scale,
            &duration,
            b"\0\x01\0\0\x01\0\0\0\0\0\0\0\0\0\0\0",
            &matrix,
            &[0; 24],
            &2_u32.to_be_bytes(),
        ];
        let track = [
            &[0, 0, 0, 3][..],
            &created,
            &created,
            &1_u32.to_be_bytes(),
            &[0; 4],
            &duration,
            &[0; 16],
            &matrix,
            &(width << 16).to_be_bytes(),
            &(height << 16).to_be_bytes(),
        ];
        let media = [&[0; 4][..], &created, &created, &scale, &duration, b"\x55\xC4\0\0"];
        let handler = [&[0; 8][..], b"vide", &[0; 12], b"VideoHandler\0"];
        let configuration = [
            &[1, coded.sps[1], coded.sps[2], coded.sps[3], 0xFF, 0xE1][..],
            &short(coded.sps.len()),
            &coded.sps,
            &[1],
            &short(coded.pps.len()),
            &coded.pps,
        ];
        let entry = boxed(
            b"avc1",
            &[
                &[0, 0, 0, 0, 0, 0, 0, 1],
                &[0; 16],
                &w.to_be_bytes(),
                &h.to_be_bytes(),
                b"\0\x48\0\0\0\x48\0\0\0\0\0\0\0\x01",
                &[0; 32],
                b"\0\x18\xFF\xFF",
                &boxed(b"avcC", &configuration),
            ],
        );
        let sizes: Vec<u8> = samples.iter().flat_map(|sample| size(sample.len()).to_be_bytes()).collect();
        let one = 1_u32.to_be_bytes();
        let table = [
            boxed(b"stsd", &[&[0; 4], &one, &entry]),
            boxed(b"stts", &[&[0; 4], &one, &count.to_be_bytes(), &delta.to_be_bytes()]),
            boxed(b"stss", &[&[0; 4], &one, &one]),
            boxed(b"stsc", &[&[0; 4], &one, &one, &count.to_be_bytes(), &one]),
            boxed(b"stsz", &[&[0; 8], &count.to_be_bytes(), &sizes]),
            boxed(b"stco", &[&[0; 4], &one, &offset.to_be_bytes()]),
        ]
        .concat();
        let reference = boxed(b"dref", &[&[0; 4], &one, &boxed(b"url ", &[&[0, 0, 0, 1]])]);
        let information = [
            boxed(b"vmhd", &[&[0, 0, 0, 1], &[0; 8]]),
            boxed(b"dinf", &[&reference]),
            boxed(b"stbl", &[&table]),
        ]
        .concat();
        let media =
            [boxed(b"mdhd", &media), boxed(b"hdlr", &handler), boxed(b"minf", &[&information])].concat();
        let track = [boxed(b"tkhd", &track), boxed(b"mdia", &[&media])].concat();
        let mut movie = [boxed(b"mvhd", &movie), boxed(b"trak", &[&track])].concat();
        if let Some(place) = self.location {
            let text = format!("{:+08.4}{:+09.4}/", place.latitude, place.longitude);
            let place = boxed(b"\xA9xyz", &[&short(text.len()), b"\x15\xC7", text.as_bytes()]);
            movie.extend(boxed(b"udta", &[&place]));
        }
        boxed(b"moov", &[&movie])
    }
}

/// An MP4 of a seed, a date and a place: [`Video::mp4`] in one call.
pub fn mp4(seed: u64, taken_at: Option<Timestamp>, location: Option<Location>) -> Vec<u8> {
    Video { taken_at, location, ..Video::new(seed) }.mp4()
}

/// What an MP4 or `QuickTime` file says about itself.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Movie {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `creation_time` of the movie header, if it is set.
    pub taken_at: Option<Timestamp>,
    /// Frames per second of the video track.
    pub frames_per_second: Option<f64>,
    /// `©xyz`, if there is one.
    pub location: Option<String>,
}

/// Reads the index of an MP4 or `QuickTime` file; `None` when there is none.
pub fn read(file: &[u8]) -> Option<Movie> {
    let moov = find(file, &[b"moov"])?;
    let mut movie = Movie::default();
    if let Some(header) = find(moov, &[b"mvhd"]) {
        movie.taken_at = creation_time(header);
    }
    for (kind, track) in boxes(moov) {
        if kind != *b"trak" || find(track, &[b"mdia", b"minf", b"vmhd"]).is_none() {
            continue;
        }
        if let Some(header) = find(track, &[b"tkhd"])
            && let Some(at) = header.len().checked_sub(8)
        {
            movie.width = number(header, at)? >> 16;
            movie.height = number(header, at + 4)? >> 16;
        }
        let scale = find(track, &[b"mdia", b"mdhd"]).and_then(|header| number(header, 12));
        let delta = find(track, &[b"mdia", b"minf", b"stbl", b"stts"]).and_then(|table| number(table, 12));
        if let (Some(scale), Some(delta @ 1..)) = (scale, delta) {
            movie.frames_per_second = Some(f64::from(scale) / f64::from(delta));
        }
    }
    movie.location = find(moov, &[b"udta", b"\xA9xyz"])
        .and_then(|text| text.get(4..))
        .map(|text| String::from_utf8_lossy(text).into_owned());
    Some(movie)
}

fn creation_time(header: &[u8]) -> Option<Timestamp> {
    let seconds = if header.first() == Some(&1) {
        i64::from(number(header, 4)?) << 32 | i64::from(number(header, 8)?)
    } else {
        i64::from(number(header, 4)?)
    };
    (seconds > 0).then(|| Timestamp::from_second(seconds - EPOCH).ok())?
}

/// What `=dv` gives, the "transcoded version": still the same pictures, but another file, and without the place.
pub(crate) fn transcoded(file: &[u8]) -> Vec<u8> {
    let mut out = file.to_vec();
    if let Some(moov) = position(file, b"moov")
        && let Some(data) = position(&file[moov.0..moov.1], b"udta")
    {
        // The same size, so that no offset moves.
        let (start, end) = (moov.0 + data.0, moov.0 + data.1);
        out[start - 4..start].copy_from_slice(b"free");
        out[start..end].fill(0);
    }
    out.extend(free(b"transcoded"));
    out
}

/// A box that every player skips.
pub(crate) fn free(text: &[u8]) -> Vec<u8> {
    boxed(b"free", &[text])
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "byte strings are written as references")]
fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend(size(length).to_be_bytes());
    out.extend(kind);
    for part in parts {
        out.extend(*part);
    }
    out
}

fn size(length: usize) -> u32 {
    u32::try_from(length).expect("a generated video is smaller than 4 GB")
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("parameter sets and places are short").to_be_bytes()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The boxes in `bytes`, each with where its content starts and ends.
fn walk(bytes: &[u8]) -> Vec<([u8; 4], usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let (Some(length), Some(kind)) = (number(bytes, at), bytes.get(at + 4..at + 8)) {
        let (head, length) = match length {
            0 => (8, bytes.len() - at),
            1 => match (number(bytes, at + 8), number(bytes, at + 12)) {
                (Some(0), Some(low)) => (16, low as usize),
                _ => break,
            },
            _ => (8, length as usize),
        };
        if length < head || length > bytes.len() - at {
            break;
        }
        found.push(([kind[0], kind[1], kind[2], kind[3]], at + head, at + length));
        at += length;
    }
    found
}

fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    walk(bytes).into_iter().map(|(kind, start, end)| (kind, &bytes[start..end]))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "byte strings are written as references")]
fn position(bytes: &[u8], wanted: &[u8; 4]) -> Option<(usize, usize)> {
    walk(bytes).into_iter().find(|(kind, ..)| kind == wanted).map(|(_, start, end)| (start, end))
}

fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| position(bytes, kind).map(|(start, end)| &bytes[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_video_reads_back_what_was_written() {
        let taken_at: Timestamp = "2021-07-01T10:00:00Z".parse().unwrap();
        let place = Location { latitude: -33.8568, longitude: 151.2153 };
        let file = mp4(5, Some(taken_at), Some(place));
        let movie = read(&file).unwrap();
        assert_eq!((movie.width, movie.height), (160, 96));
        assert_eq!(movie.taken_at, Some(taken_at));
        assert_eq!(movie.frames_per_second, Some(10.0));
        assert_eq!(movie.location.as_deref(), Some("-33.8568+151.2153/"));
    }

    #[test]
    fn the_transcoded_video_is_another_file_without_the_place() {
        let place = Location { latitude: 1.0, longitude: 2.0 };
        let file = mp4(5, None, Some(place));
        let copy = transcoded(&file);
        assert_ne!(file, copy);
        assert_eq!(read(&copy).unwrap(), Movie { location: None, ..read(&file).unwrap() });
    }
}
