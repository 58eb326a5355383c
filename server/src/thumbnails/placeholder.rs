//! What is shown where there is no thumbnail: a picture that says what the file is, and that it cannot be drawn.

use maud::{Markup, html};

/// A picture that says the format, and why nothing more is to be seen.
pub(crate) fn placeholder(format: &str, why: &str) -> Markup {
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" width="320" height="240" role="img" {
            title { (format) ": " (why) }
            rect width="320" height="240" fill="#75838b" {}
            text x="160" y="124" fill="#ffffff" font-family="system-ui, sans-serif" font-size="40" font-weight="600" text-anchor="middle" {
                (format)
            }
            text x="160" y="160" fill="#ffffff" font-family="system-ui, sans-serif" font-size="15" text-anchor="middle" { (why) }
        }
    }
}

/// What people call the format of a file: by its extension, or its media type.
pub(crate) fn format_name(file_name: &str, mime_type: &str) -> String {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension);
    let is_short =
        |text: &&str| (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let subtype = mime_type.rsplit_once('/').map(|(_, subtype)| subtype.trim_start_matches("x-"));
    let known = extension.filter(is_short).or(subtype.filter(is_short));
    known.map_or_else(|| "file".to_owned(), str::to_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::{format_name, placeholder};

    #[test]
    fn a_format_is_named_as_people_name_it() {
        for (file, mime_type, name) in [
            ("IMG_1.HEIC", "image/heif", "HEIC"),
            ("a.b.cr3", "", "CR3"),
            ("film", "video/quicktime", "file"),
            ("film", "video/mp4", "MP4"),
            ("x.<script>", "image/x-adobe-dng", "file"),
            ("", "", "file"),
        ] {
            assert_eq!(format_name(file, mime_type), name, "{file}");
        }
    }

    #[test]
    fn a_placeholder_says_what_it_stands_for() {
        let svg = placeholder("HEIC", "no preview <yet>").into_string();
        assert!(svg.contains("HEIC") && svg.contains("no preview &lt;yet&gt;"), "{svg}");
    }
}
