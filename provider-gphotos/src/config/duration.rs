//! Durations as people write them in a configuration: `10s`, `500ms`, `1m30s`.

use std::time::Duration;

/// Nothing waits longer than this for a batch to fill.
const LONGEST: Duration = Duration::from_hours(1);

/// Reads a duration: numbers with a unit (`ms`, `s`, `m`, `h`), one after the other, or a bare `0`.
///
/// # Errors
/// What is wrong, as a fragment that reads well after the field's name.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    const UNREADABLE: &str = "is not a duration; expected one such as 10s, 500ms or 1m30s";
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(UNREADABLE);
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(UNREADABLE)?;
        let number: f64 = rest[..digits].parse().map_err(|_| UNREADABLE)?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(UNREADABLE),
            };
        rest = &rest[letters..];
    }
    match Duration::try_from_secs_f64(total) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("must not be longer than one hour"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "10", "s", "10x", "-1s", "1..5s", "10 s", "2h", "99999999999999999999h", "é", "1é"]
        {
            assert!(parse(text).is_err(), "{text} was accepted");
        }
    }
}
