//! Whether a photo or video is whole, as far as its format tells: a download that broke off ends in the middle of something.
//!
//! The bytes are looked at as they come. Of a format that does not tell, and of a file that is put together in an unusual way, nothing
//! is said.

/// Boxes that stand at the top of videos and HEIC pictures.
const BOXES: [&[u8; 4]; 15] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"meta", b"moof", b"mfra", b"uuid", b"udta",
    b"sidx", b"styp", b"pnot", b"mpvd",
];

/// Looks at a file from its first byte to its last one.
#[derive(Debug, Default)]
pub(crate) struct Looking {
    /// Bytes that are not enough yet to say what they begin.
    held: Vec<u8>,
    /// So many of the bytes that come are the inside of something.
    skip: u64,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first byte.
    #[default]
    Beginning,
    /// In a JPEG, where a marker is to come.
    JpegMarker,
    /// In the picture data of a JPEG, up to the next marker.
    JpegData,
    /// In a PNG, where a chunk is to come.
    Png,
    /// In a video or a HEIC picture, where a box is to come. Whether there was one that says what the others are.
    Boxes { has_index: bool },
    /// In the one piece that it is made of, or in the last one.
    Piece,
    /// It is whole, or nothing can be said of it.
    Silent,
}

impl Looking {
    /// Takes the next bytes.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.state != State::Silent {
            if self.skip > 0 {
                let inside = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
                self.skip -= inside as u64;
                bytes = &bytes[inside..];
                continue;
            }
            if self.state == State::Piece {
                // What other programs have put behind the end.
                self.state = State::Silent;
                return;
            }
            if self.state == State::JpegData && self.held.is_empty() {
                // Most of a photo: from one 0xff to the next.
                let Some(next) = bytes.iter().position(|byte| *byte == 0xff) else { return };
                bytes = &bytes[next..];
            }
            self.held.push(bytes[0]);
            bytes = &bytes[1..];
            self.step();
        }
    }

    /// What is missing, now that the last byte has come, as words that read well after "the file".
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let is_cut = match self.state {
            State::Beginning | State::Silent => false,
            State::JpegMarker | State::JpegData | State::Png => true,
            State::Piece => self.skip > 0,
            State::Boxes { has_index } => self.skip > 0 || !has_index,
        };
        is_cut.then_some("is cut off: its end is missing")
    }

    /// Looks whether what is held says what comes next.
    fn step(&mut self) {
        let held = self.held.as_slice();
        match self.state {
            State::Beginning if held.len() == 12 => self.begin(),
            State::JpegData if held.len() == 2 => match held[1] {
                // Stuffed, or a mark on the way.
                0x00 | 0xd0..=0xd7 => self.go(State::JpegData, 0),
                0xff => self.held.truncate(1),
                _ => {
                    self.state = State::JpegMarker;
                    self.step();
                }
            },
            State::JpegMarker => match held {
                [0xff, 0xff] => self.held.truncate(1),
                [0xff, 0x01 | 0xd0..=0xd8] => self.go(State::JpegMarker, 0),
                [0xff, 0xd9] => self.state = State::Silent,
                [0xff] | [0xff, _] | [0xff, _, _] => {}
                [0xff, marker, high, low] => {
                    let next = if *marker == 0xda { State::JpegData } else { State::JpegMarker };
                    let length = u64::from(u16::from_be_bytes([*high, *low]));
                    self.go(next, length.saturating_sub(2));
                }
                _ => self.state = State::Silent,
            },
            State::Png if held.len() == 8 => {
                if &held[4..] == b"IEND" {
                    self.go(State::Piece, 4);
                } else {
                    let length = u64::from(number(&held[..4]));
                    self.go(State::Png, length + 4);
                }
            }
            State::Boxes { has_index } if held.len() >= 8 => self.enter_box(has_index),
            _ => {}
        }
    }

    /// Its first bytes say what it is.
    fn begin(&mut self) {
        let head = std::mem::take(&mut self.held);
        if head.starts_with(&[0xff, 0xd8, 0xff]) {
            self.state = State::JpegMarker;
            self.take(&head[2..]);
        } else if head.starts_with(b"\x89PNG\r\n\x1a\n") {
            self.state = State::Png;
            self.take(&head[8..]);
        } else if head.starts_with(b"RIFF") && head.ends_with(b"WEBP") {
            let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            self.go(State::Piece, (length + 8).saturating_sub(12));
        } else if BOXES.iter().any(|name| head[4..8] == name[..]) {
            self.state = State::Boxes { has_index: false };
            self.take(&head);
        } else {
            self.state = State::Silent;
        }
    }

    fn enter_box(&mut self, has_index: bool) {
        let held = self.held.as_slice();
        let name = &held[4..8];
        if !BOXES.iter().any(|known| name == &known[..]) {
            // What other programs have put there, and nobody knows how it is put together.
            self.state = State::Silent;
            return;
        }
        let has_index = has_index || [&b"moov"[..], b"meta", b"moof"].contains(&name);
        let size = match number(&held[..4]) {
            // Up to the end of the file.
            0 => {
                self.state = State::Silent;
                return;
            }
            1 if held.len() < 16 => return,
            1 => held[8..16].iter().fold(0, |size, byte| (size << 8) | u64::from(*byte)),
            size => u64::from(size),
        };
        let header = held.len() as u64;
        self.go(State::Boxes { has_index }, size.saturating_sub(header));
    }

    fn go(&mut self, state: State, skip: u64) {
        self.held.clear();
        (self.state, self.skip) = (state, skip);
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::Looking;

    /// Looks at bytes that come in pieces of this size.
    fn missing(bytes: &[u8], piece: usize) -> Option<&'static str> {
        let mut looking = Looking::default();
        bytes.chunks(piece).for_each(|piece| looking.take(piece));
        looking.missing()
    }

    fn boxed(name: &[u8], inside: &[u8]) -> Vec<u8> {
        let size = u32::try_from(inside.len() + 8).expect("a small box");
        [&size.to_be_bytes()[..], name, inside].concat()
    }

    fn chunk(name: &[u8], inside: &[u8]) -> Vec<u8> {
        let size = u32::try_from(inside.len()).expect("a small chunk");
        [&size.to_be_bytes()[..], name, inside, b"crc!"].concat()
    }

    /// A JPEG with a thumbnail that ends within it, two scans, stuffed bytes and restart marks.
    fn jpeg() -> Vec<u8> {
        let thumbnail = b"\xff\xd8thumb\xff\xd9";
        let size = u16::try_from(thumbnail.len() + 2).expect("small").to_be_bytes();
        let scan = b"\xff\xda\x00\x03\x01data\xff\x00more\xff\xd3and more";
        [&b"\xff\xd8\xff\xe1"[..], &size, thumbnail, b"\xff\xdb\x00\x04ab", scan, scan, b"\xff\xff\xd9"]
            .concat()
    }

    #[test]
    fn what_is_whole_is_whole_and_what_is_cut_is_cut_wherever_that_is() {
        let png = [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", b"0123456789abc"), &chunk(b"IDAT", &[7; 300])]
            .concat();
        let video = [boxed(b"ftyp", b"mp42\0\0\0\0isom"), boxed(b"mdat", &[1; 500])].concat();
        let heic = [boxed(b"ftyp", b"heic\0\0\0\0mif1"), boxed(b"meta", &[2; 40])].concat();
        let large = [&1_u32.to_be_bytes()[..], b"mdat", &100_u64.to_be_bytes(), &[3; 84]].concat();
        let webp = [&b"RIFF"[..], &104_u32.to_le_bytes(), b"WEBP", &[4; 100]].concat();
        let whole = [
            jpeg(),
            [png, chunk(b"IEND", b"")].concat(),
            [video.clone(), boxed(b"moov", &[5; 90])].concat(),
            [boxed(b"ftyp", b"mp42"), boxed(b"moov", &[5; 90]), large].concat(),
            [heic, boxed(b"mdat", &[6; 70])].concat(),
            webp,
        ];
        for whole in whole {
            for piece in [1, 2, 7, 64, 100_000] {
                assert_eq!(missing(&whole, piece), None, "{whole:x?}");
                // What programs put behind the end is no matter.
                if whole.starts_with(b"\xff\xd8") {
                    assert_eq!(missing(&[&whole[..], b"a video, perhaps"].concat(), piece), None);
                }
            }
            for cut in 13..whole.len() - 1 {
                let is_between_boxes = whole[4..8] == *b"ftyp" && missing(&whole[..cut], 9).is_none();
                assert!(is_between_boxes || missing(&whole[..cut], 9).is_some(), "{cut} of {whole:x?}");
            }
        }
        // The index of a video comes last, or it is lost.
        assert!(missing(&video, 9).is_some());
    }

    #[test]
    fn of_what_is_not_known_nothing_is_said() {
        for bytes in
            [&b""[..], b"\xff\xd8", b"GIF89a and so on, for a while", b"some text that is long enough"]
        {
            assert_eq!(missing(bytes, 3), None, "{bytes:?}");
        }
        let strange = [boxed(b"ftyp", b"mp42"), boxed(b"what", &[1; 4])].concat();
        assert_eq!(missing(&strange[..strange.len() - 2], 5), None);
    }
}
