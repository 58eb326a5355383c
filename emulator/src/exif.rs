//! The little of EXIF that Google Photos shows, written and read; and the removal of the location from anybody's EXIF.
//!
//! `=d` keeps "all the Exif metadata except the location metadata": [`strip_location`] empties the GPS directory of a
//! TIFF block in place and leaves every other byte alone.

use jiff::civil::DateTime;

/// What a picture says about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exif {
    /// Maker of the camera.
    pub make: Option<String>,
    /// Model of the camera.
    pub model: Option<String>,
    /// `DateTimeOriginal`: the camera's own clock, without a time zone.
    pub taken_at: Option<DateTime>,
    /// Seconds.
    pub exposure_time: Option<f64>,
    /// The aperture's f-number.
    pub f_number: Option<f64>,
    /// Sensitivity.
    pub iso: Option<u16>,
    /// Millimetres.
    pub focal_length: Option<f64>,
    /// Latitude and longitude in degrees.
    pub location: Option<(f64, f64)>,
    /// `ImageUniqueID`: generated pictures carry their seed here.
    pub unique_id: Option<String>,
}

enum Value {
    Ascii(String),
    Short(u16),
    Long(u32),
    Rationals(Vec<(u32, u32)>),
    Bytes(Vec<u8>),
    Undefined(Vec<u8>),
}

impl Value {
    fn encode(&self) -> (u16, u32, Vec<u8>) {
        match self {
            Value::Ascii(text) => {
                let mut bytes = text.clone().into_bytes();
                bytes.push(0);
                (2, length(&bytes), bytes)
            }
            Value::Short(value) => (3, 1, value.to_le_bytes().to_vec()),
            Value::Long(value) => (4, 1, value.to_le_bytes().to_vec()),
            Value::Rationals(values) => {
                let bytes: Vec<u8> =
                    values.iter().flat_map(|(n, d)| [n.to_le_bytes(), d.to_le_bytes()].concat()).collect();
                (5, u32::try_from(values.len()).unwrap_or(0), bytes)
            }
            Value::Bytes(bytes) => (1, length(bytes), bytes.clone()),
            Value::Undefined(bytes) => (7, length(bytes), bytes.clone()),
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("an EXIF value is short")
}

fn directory(start: u32, entries: &[(u16, Value)]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("a handful of entries");
    let mut out = u16::try_from(count).expect("a handful of entries").to_le_bytes().to_vec();
    let mut data: Vec<u8> = Vec::new();
    let data_start = start + 2 + 12 * count + 4;
    for (tag, value) in entries {
        let (kind, count, mut bytes) = value.encode();
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        if bytes.len() <= 4 {
            bytes.resize(4, 0);
            out.extend(bytes);
        } else {
            out.extend((data_start + length(&data)).to_le_bytes());
            if bytes.len() % 2 == 1 {
                bytes.push(0);
            }
            data.extend(bytes);
        }
    }
    out.extend([0; 4]); // no next directory
    out.extend(data);
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "degrees, millimetres, seconds")]
fn rational(value: f64, denominator: u32) -> (u32, u32) {
    ((value * f64::from(denominator)).round() as u32, denominator)
}

fn degrees(value: f64) -> Value {
    let value = value.abs();
    let whole = value.floor();
    let minutes = ((value - whole) * 60.0).floor();
    let seconds = ((value - whole) * 60.0 - minutes) * 60.0;
    Value::Rationals(vec![rational(whole, 1), rational(minutes, 1), rational(seconds, 10_000)])
}

impl Exif {
    /// A TIFF block (little-endian), as it follows `Exif\0\0` in a JPEG.
    pub fn to_tiff(&self) -> Vec<u8> {
        let mut main = Vec::new();
        let mut photo = Vec::new();
        let stamp = self.taken_at.map(|at| at.strftime("%Y:%m:%d %H:%M:%S").to_string());
        main.extend(self.make.clone().map(|text| (0x010F, Value::Ascii(text))));
        main.extend(self.model.clone().map(|text| (0x0110, Value::Ascii(text))));
        main.extend(stamp.clone().map(|text| (0x0132, Value::Ascii(text))));
        photo.extend(self.exposure_time.map(|s| (0x829A, Value::Rationals(vec![rational(s, 100_000)]))));
        photo.extend(self.f_number.map(|f| (0x829D, Value::Rationals(vec![rational(f, 100)]))));
        photo.extend(self.iso.map(|iso| (0x8827, Value::Short(iso))));
        photo.push((0x9000, Value::Undefined(b"0230".to_vec())));
        photo.extend(stamp.map(|text| (0x9003, Value::Ascii(text))));
        photo.push((0x9101, Value::Undefined(vec![1, 2, 3, 0])));
        photo.extend(self.focal_length.map(|mm| (0x920A, Value::Rationals(vec![rational(mm, 100)]))));
        photo.push((0xA000, Value::Undefined(b"0100".to_vec())));
        photo.push((0xA001, Value::Short(1)));
        photo.extend(self.unique_id.clone().map(|text| (0xA420, Value::Ascii(text))));

        let pointers = 1 + u32::from(self.location.is_some());
        // Directories follow each other, so the sizes of the earlier ones place the later ones.
        let mut first = main;
        first.push((0x8769, Value::Long(0)));
        if self.location.is_some() {
            first.push((0x8825, Value::Long(0)));
        }
        let main_size = length(&directory(8, &first));
        let photo_start = 8 + main_size;
        let photo_bytes = directory(photo_start, &photo);
        let gps_start = photo_start + length(&photo_bytes);
        let at = first.len() - pointers as usize;
        first[at].1 = Value::Long(photo_start);
        let mut gps_bytes = Vec::new();
        if let Some((latitude, longitude)) = self.location {
            first[at + 1].1 = Value::Long(gps_start);
            let gps = [
                (0, Value::Bytes(vec![2, 3, 0, 0])),
                (1, Value::Ascii(if latitude < 0.0 { "S" } else { "N" }.to_owned())),
                (2, degrees(latitude)),
                (3, Value::Ascii(if longitude < 0.0 { "W" } else { "E" }.to_owned())),
                (4, degrees(longitude)),
            ];
            gps_bytes = directory(gps_start, &gps);
        }
        let mut out = b"II\x2A\0\x08\0\0\0".to_vec();
        out.extend(directory(8, &first));
        out.extend(photo_bytes);
        out.extend(gps_bytes);
        out
    }

    /// Reads a TIFF block of either byte order; what is damaged or missing stays `None`.
    pub fn from_tiff(tiff: &[u8]) -> Exif {
        let mut exif = Exif::default();
        let Some(block) = Block::open(tiff) else { return exif };
        let main = block.entries(block.first);
        for entry in &main {
            match entry.tag {
                0x010F => exif.make = block.text(entry),
                0x0110 => exif.model = block.text(entry),
                0x0132 if exif.taken_at.is_none() => exif.taken_at = block.date(entry),
                0x8769 => {
                    for entry in block.entries(entry.value) {
                        match entry.tag {
                            0x829A => exif.exposure_time = block.rational(&entry, 0),
                            0x829D => exif.f_number = block.rational(&entry, 0),
                            0x8827 => exif.iso = block.u16(entry.at).or(exif.iso),
                            0x9003 => exif.taken_at = block.date(&entry).or(exif.taken_at),
                            0x920A => exif.focal_length = block.rational(&entry, 0),
                            0xA420 => exif.unique_id = block.text(&entry),
                            _ => {}
                        }
                    }
                }
                0x8825 => exif.location = block.location(entry.value),
                _ => {}
            }
        }
        exif
    }
}

struct Block<'a> {
    bytes: &'a [u8],
    little: bool,
    first: u32,
}

struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// The value field read as a number: a pointer, mostly.
    value: u32,
    /// Where the value's bytes are.
    at: usize,
}

impl Entry {
    fn size(&self) -> usize {
        let one = match self.kind {
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        };
        (self.count as usize).saturating_mul(one)
    }
}

impl<'a> Block<'a> {
    fn open(bytes: &'a [u8]) -> Option<Block<'a>> {
        let little = match bytes.get(..4)? {
            b"II\x2A\0" => true,
            b"MM\0\x2A" => false,
            _ => return None,
        };
        let mut block = Block { bytes, little, first: 0 };
        block.first = block.u32(4)?;
        Some(block)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn entries(&self, at: u32) -> Vec<Entry> {
        let at = at as usize;
        let count = usize::from(self.u16(at).unwrap_or(0));
        (0..count)
            .map_while(|n| {
                let start = at + 2 + n * 12;
                let value = self.u32(start + 8)?;
                let mut entry = Entry {
                    tag: self.u16(start)?,
                    kind: self.u16(start + 2)?,
                    count: self.u32(start + 4)?,
                    value,
                    at: start + 8,
                };
                if entry.size() > 4 {
                    entry.at = value as usize;
                }
                Some(entry)
            })
            .collect()
    }

    fn text(&self, entry: &Entry) -> Option<String> {
        let bytes = self.bytes.get(entry.at..entry.at.checked_add(entry.size())?)?;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches('\0').trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn date(&self, entry: &Entry) -> Option<DateTime> {
        DateTime::strptime("%Y:%m:%d %H:%M:%S", self.text(entry)?).ok()
    }

    fn rational(&self, entry: &Entry, index: usize) -> Option<f64> {
        let at = entry.at.checked_add(index * 8)?;
        let (top, bottom) = (self.u32(at)?, self.u32(at + 4)?);
        (bottom != 0).then(|| f64::from(top) / f64::from(bottom))
    }

    fn location(&self, at: u32) -> Option<(f64, f64)> {
        let (mut latitude, mut longitude, mut south, mut west) = (None, None, false, false);
        for entry in self.entries(at) {
            let degrees = || {
                let part = |index| self.rational(&entry, index);
                Some(part(0)? + part(1)? / 60.0 + part(2)? / 3600.0)
            };
            match entry.tag {
                1 => south = self.text(&entry).as_deref() == Some("S"),
                2 => latitude = degrees(),
                3 => west = self.text(&entry).as_deref() == Some("W"),
                4 => longitude = degrees(),
                _ => {}
            }
        }
        let sign = |negative: bool| if negative { -1.0 } else { 1.0 };
        Some((latitude? * sign(south), longitude? * sign(west)))
    }
}

/// Empties the GPS directory of a TIFF block: the values are overwritten with zeros and the directory has no entries.
pub fn strip_location(tiff: &mut [u8]) {
    let mut holes = Vec::new();
    {
        let Some(block) = Block::open(tiff) else { return };
        for pointer in block.entries(block.first).iter().filter(|entry| entry.tag == 0x8825) {
            let entries = block.entries(pointer.value);
            let start = pointer.value as usize;
            holes.push((start, 2 + entries.len() * 12));
            holes.extend(entries.iter().map(|entry| (entry.at, entry.size())));
        }
    }
    for (at, size) in holes {
        if let Some(bytes) = at.checked_add(size).and_then(|end| tiff.get_mut(at..end)) {
            bytes.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Exif {
        Exif {
            make: Some("SONY".into()),
            model: Some("DSC-W220".into()),
            taken_at: Some("2010-03-14T15:06:31".parse().unwrap()),
            exposure_time: Some(0.02),
            f_number: Some(2.8),
            iso: Some(320),
            focal_length: Some(5.35),
            location: Some((-33.8568, 151.2153)),
            unique_id: Some("00112233445566778899aabbccddeeff".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let exif = Exif::from_tiff(&sample().to_tiff());
        let (latitude, longitude) = exif.location.unwrap();
        assert!((latitude + 33.8568).abs() < 1e-5 && (longitude - 151.2153).abs() < 1e-5);
        assert_eq!(Exif { location: None, ..exif }, Exif { location: None, ..sample() });
    }

    #[test]
    fn stripping_takes_the_location_and_nothing_else() {
        let mut tiff = sample().to_tiff();
        strip_location(&mut tiff);
        assert_eq!(Exif::from_tiff(&tiff), Exif { location: None, ..sample() });
    }
}
