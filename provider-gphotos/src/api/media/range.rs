//! Going on where a body broke off.

use charon_provider::ResumePoint;
use reqwest::{Response, header};

use crate::http::text_header;

/// What tells the bytes of one answer from those of another, if the server says so strongly enough: a weak tag promises the
/// same picture, not the same bytes.
pub(super) fn validator(response: &Response) -> Option<String> {
    text_header(response, header::ETAG)
        .filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
}

/// How many bytes the whole item has, if this answer is the rest of it from `from` on and says so, by its range
/// and by the tag of the bytes that are there already.
pub(super) fn total(response: &Response, from: &ResumePoint) -> Option<u64> {
    let range = text_header(response, header::CONTENT_RANGE)?;
    let total = total_of_rest(&range, from.offset)?;
    let is_same = validator(response).is_some_and(|tag| tag == from.validator);
    let fits = response.content_length().is_none_or(|length| Some(length) == total.checked_sub(from.offset));
    (is_same && fits).then_some(total)
}

/// Reads `bytes 5-9/10` as what is left from byte 5 on.
fn total_of_rest(range: &str, offset: u64) -> Option<u64> {
    let (span, total) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (first == offset && first <= last && last.checked_add(1) == Some(total)).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::total_of_rest;

    #[test]
    fn only_the_whole_rest_from_the_right_byte_on_is_taken() {
        assert_eq!(total_of_rest("bytes 5-9/10", 5), Some(10));
        for nonsense in [
            "bytes 4-9/10",
            "bytes 5-8/10",
            "bytes 5-10/10",
            "bytes 5-9/*",
            "bytes */10",
            "bytes 5-9",
            "items 5-9/10",
            "bytes 9-5/10",
            "bytes 5-18446744073709551615/10",
            "",
        ] {
            assert_eq!(total_of_rest(nonsense, 5), None, "{nonsense}");
        }
    }
}
