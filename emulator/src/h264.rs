//! The smallest real H.264: baseline profile, `I_PCM` macroblocks (samples as they are) and skipped ones.
//!
//! The first frame sends every macroblock; the later ones send only those that changed, so a short video stays small
//! although nothing is compressed.

use crate::random::Random;

/// Coded pictures of a video, and the parameter sets that a decoder needs first.
pub(crate) struct Coded {
    pub(crate) sps: Vec<u8>,
    pub(crate) pps: Vec<u8>,
    /// One network abstraction layer unit per frame; the first is the only key frame.
    pub(crate) frames: Vec<Vec<u8>>,
}

struct Bits {
    bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    fn new() -> Bits {
        Bits { bytes: Vec::new(), free: 0 }
    }

    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if value >> bit & 1 == 1
                && let Some(last) = self.bytes.last_mut()
            {
                *last |= 1 << self.free;
            }
        }
    }

    /// Exp-Golomb, unsigned.
    fn ue(&mut self, value: u32) {
        let length = 32 - (value + 1).leading_zeros();
        self.put(0, length - 1);
        self.put(value + 1, length);
    }

    fn align(&mut self) {
        self.free = 0;
    }

    /// The stop bit, then the unit with its header and its emulation prevention bytes.
    fn unit(mut self, header: u8) -> Vec<u8> {
        self.put(1, 1);
        let mut out = vec![header];
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros == 2 && byte <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            out.push(byte);
        }
        out
    }
}

type Colour = [u8; 3];

/// Draws and codes `frames` frames of `columns` × `rows` macroblocks (16 pixels each): a bar wanders over a seeded
/// pattern.
pub(crate) fn code(seed: u64, columns: u32, rows: u32, frames: u32) -> Coded {
    let mut sps = Bits::new();
    sps.put(66, 8); // baseline
    sps.put(0xC0, 8); // constrained
    sps.put(30, 8); // level 3
    sps.ue(0); // this set's number
    sps.ue(4); // frame numbers have eight bits
    sps.ue(2); // shown in the order of decoding
    sps.ue(1); // one reference frame
    sps.put(0, 1);
    sps.ue(columns - 1);
    sps.ue(rows - 1);
    sps.put(1, 1); // frames, not fields
    sps.put(1, 1); // direct 8x8 inference
    sps.put(0, 1); // no cropping
    sps.put(0, 1); // no usability information

    let mut pps = Bits::new();
    pps.ue(0);
    pps.ue(0);
    pps.put(0, 1); // CAVLC
    pps.put(0, 1);
    pps.ue(0); // one slice group
    pps.ue(0);
    pps.ue(0);
    pps.put(0, 1);
    pps.put(0, 2);
    pps.ue(0);
    pps.ue(0);
    pps.ue(0);
    pps.put(1, 1); // the slice says how to deblock
    pps.put(0, 1);
    pps.put(0, 1);

    let mut random = Random::new(seed);
    let mut colour = || -> Colour { std::array::from_fn(|_| 40 + (random.next_u64() % 160) as u8) };
    let (ground, other, bar) = (colour(), colour(), colour());
    let start = seed % u64::from(columns);
    let bar_at = |frame: u32| u32::try_from((start + u64::from(frame)) % u64::from(columns)).unwrap_or(0);
    let shade = |x: u32, y: u32, frame: u32| -> Colour {
        if x == bar_at(frame) {
            bar
        } else if (u64::from(x + y) + seed % 2).is_multiple_of(2) {
            ground
        } else {
            other
        }
    };
    let coded = (0..frames).map(|frame| {
        let mut slice = Bits::new();
        slice.ue(0); // the first macroblock
        slice.ue(if frame == 0 { 7 } else { 5 }); // only I, or P
        slice.ue(0);
        slice.put(frame & 0xFF, 8);
        if frame == 0 {
            slice.ue(0); // the key picture's number
            slice.put(0, 2);
        } else {
            slice.put(0, 3); // no override, no reordering, a sliding window
        }
        slice.ue(0); // no change of the quantiser
        slice.ue(1); // no deblocking
        let mut skipped = 0;
        for y in 0..rows {
            for x in 0..columns {
                let now = shade(x, y, frame);
                if frame > 0 {
                    if now == shade(x, y, frame - 1) {
                        skipped += 1;
                        continue;
                    }
                    slice.ue(skipped);
                    skipped = 0;
                }
                slice.ue(if frame == 0 { 25 } else { 30 }); // I_PCM
                slice.align();
                slice.bytes.extend((0..=255_u8).map(|at| now[0] + at % 16 + at / 16));
                slice.bytes.extend([now[1]; 64]);
                slice.bytes.extend([now[2]; 64]);
            }
        }
        if skipped > 0 {
            slice.ue(skipped);
        }
        slice.unit(if frame == 0 { 0x65 } else { 0x41 })
    });
    let frames = coded.collect();
    Coded { sps: sps.unit(0x67), pps: pps.unit(0x68), frames }
}
