//! Which photos have a clip beside the still. Google does not say; cameras write it into the name.

/// Whether an image of this name may well have one. Pixel phones call them `PXL_….MP.jpg` or `MVIMG_….jpg`; a copy is
/// `….MP~2.jpg` or `….MP(1).jpg`.
pub(crate) fn is_in_the_name(file_name: &str) -> bool {
    let name = file_name.to_ascii_lowercase();
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    if !["jpg", "jpeg", "heic", "heif"].contains(&extension) {
        return false;
    }
    let original = without_copy_mark(stem);
    stem.starts_with("mvimg_") || original.strip_suffix(".mp").is_some_and(|rest| !rest.is_empty())
}

/// `a~2`, `a(1)` and `a (1)` are copies of `a`.
fn without_copy_mark(stem: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((rest, number)) = stem.rsplit_once('~')
        && digits(number)
    {
        return rest;
    }
    if let Some((rest, number)) = stem.strip_suffix(')').and_then(|inner| inner.rsplit_once('('))
        && digits(number)
    {
        return rest.trim_end();
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::is_in_the_name;

    #[test]
    fn motion_photos_are_known_by_their_names() {
        for name in [
            "PXL_20240101_120000000.MP.jpg",
            "pxl_20240101_120000000.mp.JPG",
            "PXL_20240101_120000000.MP.heic",
            "PXL_20240101_120000000.MP~2.jpg",
            "PXL_20240101_120000000.MP(1).jpg",
            "PXL_20240101_120000000.MP (12).jpg",
            "MVIMG_20190101_120000.jpg",
            "a.MP.jpeg",
        ] {
            assert!(is_in_the_name(name), "{name}");
        }
        for name in [
            "",
            "IMG_1.jpg",
            "20240101_120000_MP.jpg",
            "PXL_20240101_120000000.MP",
            "PXL_20240101_120000000.MP.png",
            "PXL_20240101_120000000.MP.mp4",
            "PXL_20240101_120000000.NIGHT.jpg",
            "MVIMG_20190101_120000.mp4",
            "lamp.jpg",
            ".mp.jpg",
            "a.MP~.jpg",
        ] {
            assert!(!is_in_the_name(name), "{name}");
        }
    }
}
