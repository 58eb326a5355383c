//! Pictures that can be told apart by eye: real JPEGs with EXIF, drawn from a seed.
//!
//! The same [`Picture`] gives the same bytes for ever, so a world of many thousand pictures needs no memory for them.

use image::{Rgb, RgbImage, imageops};
use jiff::civil::DateTime;

use crate::{exif::Exif, jpeg, random::Random};

/// A place on earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Location {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}

/// What a generated picture shows and says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Chooses colours, shapes and the noise of the padding.
    pub seed: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// EXIF `DateTimeOriginal`; Google reads the camera's clock as it stands. `None` leaves it out.
    pub taken_at: Option<DateTime>,
    /// EXIF make and model.
    pub camera: Option<(String, String)>,
    /// EXIF GPS.
    pub location: Option<Location>,
    /// A number drawn into the picture.
    pub number: Option<u32>,
    /// Pads the file with comment segments to exactly this many bytes.
    pub padded_to: Option<usize>,
}

/// Makers and models that generated pictures claim to come from.
pub const CAMERAS: [(&str, &str); 5] = [
    ("Canon", "Canon EOS 80D"),
    ("SONY", "DSC-W220"),
    ("Google", "Pixel 8"),
    ("Apple", "iPhone 14 Pro"),
    ("FUJIFILM", "X-T30"),
];

impl Picture {
    /// A picture of 320 × 240 with a camera chosen by the seed, no date, no place and no number.
    pub fn new(seed: u64) -> Picture {
        let camera = Random::new(seed).pick(&CAMERAS);
        Picture {
            seed,
            width: 320,
            height: 240,
            taken_at: None,
            camera: Some((camera.0.to_owned(), camera.1.to_owned())),
            location: None,
            number: None,
            padded_to: None,
        }
    }

    /// The `ImageUniqueID` in its EXIF.
    pub(crate) fn unique_id(&self) -> String {
        let mut random = Random::new(self.seed ^ 0x5EED);
        format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
    }

    /// What its EXIF says.
    pub fn exif(&self) -> Exif {
        let mut random = Random::new(self.seed ^ 0xE81F);
        let shutter = random.pick(&[30.0, 60.0, 125.0, 250.0, 500.0]);
        Exif {
            make: self.camera.as_ref().map(|camera| camera.0.clone()),
            model: self.camera.as_ref().map(|camera| camera.1.clone()),
            taken_at: self.taken_at,
            exposure_time: Some(1.0 / shutter),
            f_number: Some(random.pick(&[1.8, 2.8, 4.0, 5.6])),
            iso: Some(random.pick(&[100, 200, 320, 800])),
            focal_length: Some(random.pick(&[5.35, 24.0, 35.0, 50.0])),
            location: self.location.map(|location| (location.latitude, location.longitude)),
            unique_id: Some(self.unique_id()),
        }
    }

    /// The file.
    pub fn jpeg(&self) -> Vec<u8> {
        let plain = jpeg::encode(&self.pixels(), 88);
        let file = jpeg::with_exif(&plain, &self.exif().to_tiff());
        match self.padded_to {
            Some(size) => jpeg::pad(&file, size, self.seed),
            None => file,
        }
    }

    /// The drawing.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "colours are clamped to 0..=255 before they become bytes"
    )]
    pub fn pixels(&self) -> RgbImage {
        let mut random = Random::new(self.seed);
        let (from, to, ink) = (hue(random.fraction()), hue(random.fraction()), hue(random.fraction()));
        let angle = random.fraction() * std::f64::consts::TAU;
        let (across, down) = (angle.cos(), angle.sin());
        let pattern = random.below(4);
        let period = 0.08 + random.fraction() * 0.2;
        let (x0, y0) = (0.2 + 0.6 * random.fraction(), 0.2 + 0.6 * random.fraction());
        let radius = 0.1 + 0.2 * random.fraction();
        let (width, height) = (self.width.max(1), self.height.max(1));
        let mut pixels = RgbImage::from_fn(width, height, |x, y| {
            let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            let along = (0.5 + (x - 0.5) * across + (y - 0.5) * down).clamp(0.0, 1.0);
            let inside = match pattern {
                0 => (x - x0).hypot(y - y0) < radius,
                1 => ((x * across + y * down) / period).rem_euclid(2.0) < 1.0,
                2 => ((x / period).floor() + (y / period).floor()).rem_euclid(2.0) < 1.0,
                _ => ((x - x0).hypot(y - y0) / period).rem_euclid(2.0) < 1.0,
            };
            let share = if inside { 0.45 } else { 0.0 };
            Rgb(std::array::from_fn(|c| {
                let ground = from[c] * (1.0 - along) + to[c] * along;
                (ground * (1.0 - share) + ink[c] * share).clamp(0.0, 255.0) as u8
            }))
        });
        if let Some(number) = self.number {
            draw_number(&mut pixels, number);
        }
        pixels
    }
}

/// A JPEG of a seed, a size, a date and a place: [`Picture::jpeg`] in one call.
pub fn jpeg(
    seed: u64,
    width: u32,
    height: u32,
    taken_at: Option<DateTime>,
    location: Option<Location>,
) -> Vec<u8> {
    Picture { width, height, taken_at, location, ..Picture::new(seed) }.jpeg()
}

/// The thumbnail that `=wN-hN` gives: the aspect is kept, unless `crop` asks for the exact size; never enlarged.
pub(crate) fn thumbnail(pixels: &RgbImage, width: u32, height: u32, crop: bool) -> RgbImage {
    let (own_width, own_height) = (f64::from(pixels.width()), f64::from(pixels.height()));
    let scales = (f64::from(width) / own_width, f64::from(height) / own_height);
    let scale = if crop { scales.0.max(scales.1) } else { scales.0.min(scales.1) }.min(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a picture")]
    let side = |own: f64| (own * scale).round().max(1.0) as u32;
    let resized = imageops::thumbnail(pixels, side(own_width), side(own_height));
    if !crop {
        return resized;
    }
    let (w, h) = (width.min(resized.width()), height.min(resized.height()));
    imageops::crop_imm(&resized, (resized.width() - w) / 2, (resized.height() - h) / 2, w, h).to_image()
}

/// Draws the triangle that Google lays over a video's thumbnail.
pub(crate) fn draw_play(pixels: &mut RgbImage) {
    let size = pixels.width().min(pixels.height()) / 4;
    let (left, middle) = ((pixels.width() - size) / 2, pixels.height() / 2);
    for step in 0..size {
        let half = (size - step) / 2;
        for y in (middle - half)..(middle + half) {
            pixels.put_pixel(left + step, y, Rgb([255, 255, 255]));
        }
    }
}

fn hue(share: f64) -> [f64; 3] {
    std::array::from_fn(|c| {
        let c = f64::from(u32::try_from(c).unwrap_or(0));
        127.5 + 115.0 * (std::f64::consts::TAU * (share + c / 3.0)).cos()
    })
}

/// Digits of 3 × 5 dots, a row in three bits.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];

fn draw_number(pixels: &mut RgbImage, number: u32) {
    let digits: Vec<usize> =
        number.to_string().bytes().map(|digit| usize::from(digit.saturating_sub(b'0'))).collect();
    let columns = u32::try_from(digits.len()).unwrap_or(1) * 4 + 1;
    let dot = (pixels.width() / (columns * 2)).min(pixels.height() / 14).max(1);
    for (place, digit) in digits.into_iter().enumerate() {
        let left = 1 + u32::try_from(place).unwrap_or(0) * 4;
        for cell in 0..15_u32 {
            if DIGITS[digit] >> (14 - cell) & 1 == 1 {
                square(pixels, (left + cell % 3) * dot, (1 + cell / 3) * dot, dot);
            }
        }
    }
}

fn square(pixels: &mut RgbImage, left: u32, top: u32, side: u32) {
    for y in top..(top + side).min(pixels.height()) {
        for x in left..(left + side).min(pixels.width()) {
            pixels.put_pixel(x, y, Rgb([255, 255, 255]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_different_seeds_differ_and_the_same_seed_repeats() {
        let one = jpeg(1, 64, 48, None, None);
        assert_eq!(one, jpeg(1, 64, 48, None, None));
        assert_ne!(one, jpeg(2, 64, 48, None, None));
        assert_eq!(crate::jpeg::dimensions(&one), Some((64, 48)));
    }

    #[test]
    fn the_download_copy_keeps_the_exif_but_not_the_place() {
        let place = Some(Location { latitude: 52.52, longitude: 13.4 });
        let taken_at = Some("2020-02-29T12:00:00".parse().unwrap());
        let original = jpeg(3, 64, 48, taken_at, place);
        let copy = crate::jpeg::download_copy(&original);
        assert_ne!(original, copy);
        let read = |file: &[u8]| Exif::from_tiff(crate::jpeg::exif_block(file).unwrap());
        assert!(read(&original).location.is_some());
        assert_eq!(read(&copy), Exif { location: None, ..read(&original) });
    }

    #[test]
    fn a_thumbnail_fits_or_is_cropped_to_the_exact_size() {
        let pixels = Picture::new(4).pixels();
        assert_eq!(thumbnail(&pixels, 100, 100, false).dimensions(), (100, 75));
        assert_eq!(thumbnail(&pixels, 100, 100, true).dimensions(), (100, 100));
        assert_eq!(thumbnail(&pixels, 16383, 16383, false).dimensions(), (320, 240));
    }
}
