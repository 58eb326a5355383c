//! Archives as Google Photos makes them of a live photo: a ZIP with the still and the video, stored.

/// CRC-32 as ZIP counts it.
fn crc(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|index| {
        (0..8).fold(u32::try_from(index).expect("an index of 256"), |value, _| {
            if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 }
        })
    });
    !bytes.iter().fold(!0, |crc: u32, byte| (crc >> 8) ^ table[((crc & 0xFF) as usize) ^ usize::from(*byte)])
}

/// A ZIP of these files, not compressed.
pub(crate) fn stored(files: &[(String, &[u8])]) -> Vec<u8> {
    let size =
        |bytes: usize| u32::try_from(bytes).expect("the parts of a live photo are small").to_le_bytes();
    let short = |bytes: usize| u16::try_from(bytes).expect("two short names").to_le_bytes();
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        // Version 2.0, UTF-8 names, stored, midnight of 2020-01-01.
        let common = [
            &b"\x14\0\0\x08\0\0\0\0\x21\x50"[..],
            &crc(bytes).to_le_bytes(),
            &size(bytes.len()),
            &size(bytes.len()),
            &short(name.len()),
            &[0, 0],
        ]
        .concat();
        directory
            .extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &size(out.len()), name.as_bytes()].concat());
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    }
    let count = short(files.len());
    let at = size(out.len());
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &size(directory.len()), &at, &[0, 0]].concat();
    [out, directory, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_that_of_zip() {
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }
}
