//! A thumbnail of a picture as a telephone takes it: twelve megapixels, with the noise of a sensor, and the colours at half the
//! resolution (4:2:0); and of one whose colours are whole (4:4:4), as programs write them that edit pictures.

use std::fs::File;

use charon_server::draw_thumbnail;
use gphotos_emulator::{jpeg, picture::Picture};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use tokio::time::Instant;

use crate::{at, told};

/// So many are drawn of each size.
const DRAWN: usize = 30;

pub(crate) fn measure() {
    for (colours, sampling) in [("4:2:0", SamplingFactor::F_2_2), ("4:4:4", SamplingFactor::F_1_1)] {
        measure_one(colours, &photo(sampling));
    }
}

fn measure_one(colours: &str, bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("a photo");
    #[expect(clippy::cast_precision_loss, reason = "megabytes, for people")]
    let megabytes = bytes.len() as f64 / 1e6;
    println!("a JPEG of 4000 x 3000, {colours}, {megabytes:.1} MB, on one core");
    for pixels in [160, 320, 640, 1280] {
        let mut took: Vec<f64> = (0..DRAWN).map(|_| draw(file.path(), pixels)).collect();
        let (median, worst) = (at(&mut took, 50), at(&mut took, 100));
        let figure = format!("{median:.0} ms in the middle, {worst:.0} ms at most");
        told(&format!("a thumbnail of {pixels}"), &figure, median < 60.0, "under 60 ms");
    }
}

fn draw(path: &std::path::Path, pixels: u16) -> f64 {
    let began = Instant::now();
    let thumbnail = draw_thumbnail(File::open(path).expect("a photo"), pixels).expect("it can be drawn");
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    let (width, height) = jpeg::dimensions(&thumbnail).expect("a picture");
    assert_eq!((width, height), (pixels.into(), u32::from(pixels) * 3 / 4));
    took
}

fn photo(sampling: SamplingFactor) -> Vec<u8> {
    let mut pixels = Picture { width: 4000, height: 3000, ..Picture::new(12) }.pixels();
    let mut state = 1_u64;
    for pixel in pixels.pixels_mut() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // From -7 to 8, the same for all colours, as in the dark parts of a photo.
        let noise = i16::try_from(state >> 60).expect("four bits") - 7;
        for light in &mut pixel.0 {
            *light = u8::try_from((i16::from(*light) + noise).clamp(0, 255)).expect("clamped");
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 88);
    encoder.set_sampling_factor(sampling);
    encoder.encode(pixels.as_raw(), 4000, 3000, ColorType::Rgb).expect("a photo");
    bytes
}
