//! What must not be said. A server may repeat in its answer what it was sent, so whatever is quoted passes through here.

use std::fmt;

use url::Url;

/// What a secret is replaced by.
const DOTS: &str = "••••";
/// A shorter piece is no secret, and replacing it would make nonsense of every sentence.
const SHORTEST: usize = 3;
/// The most of an answer that is quoted, in characters.
const LONGEST_QUOTE: usize = 160;

/// The secrets of a channel, and the pieces of them that a server could repeat.
#[derive(Clone, Default)]
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    pub(crate) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut pieces: Vec<String> =
            secrets.into_iter().filter(|piece| piece.chars().count() >= SHORTEST).collect();
        // Longer ones first: a piece of a secret must not break up the whole.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        pieces.dedup();
        Self(pieces)
    }

    /// All that a secret URL is made of. Its host too: there are services that give everyone a secret host of their own.
    pub(crate) fn of_url(url: &Url) -> Vec<String> {
        let mut pieces = vec![url.to_string(), url.path().to_owned()];
        pieces.extend(url.host_str().map(str::to_owned));
        pieces.extend(url.query().map(str::to_owned));
        for segment in url.path_segments().into_iter().flatten() {
            pieces.push(segment.to_owned());
            pieces.push(decoded(segment));
        }
        pieces.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        pieces
    }

    /// The text with every secret replaced by dots.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, piece| text.replace(piece.as_str(), DOTS))
    }

    /// The first line of what a server said, fit to be quoted; empty if it is nothing for people.
    pub(crate) fn quote(&self, text: &str) -> String {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        if line.starts_with('<') {
            return String::new();
        }
        let shown: String = self.hide(line).chars().filter(|char| !char.is_control()).collect();
        if shown.chars().count() <= LONGEST_QUOTE {
            return shown;
        }
        shown.chars().take(LONGEST_QUOTE).chain(['…']).collect()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// A piece of a URL as a server reads it.
fn decoded(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = behind.get(..2).filter(|_| *byte == b'%').and_then(hexadecimal);
        plain.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::Hidden;

    #[test]
    fn no_piece_of_a_secret_url_is_repeated() {
        // I6
        let url = "https://t0ps3cret.example.net/hooks/T0%2Fken%zz?key=k3y%20one".parse().expect("a URL");
        let hidden = Hidden::new(Hidden::of_url(&url));
        for said in [
            "no route to t0ps3cret.example.net",
            "POST https://t0ps3cret.example.net/hooks/T0%2Fken%zz?key=k3y%20one",
            "unknown hook T0/ken%zz",
            "bad key: k3y one",
        ] {
            let hidden = hidden.quote(said);
            for secret in ["t0ps3cret", "T0%2Fken", "T0/ken", "k3y"] {
                assert!(!hidden.contains(secret), "{hidden}");
            }
        }
        assert!(!format!("{hidden:?}").contains("t0ps3cret"));
    }

    #[test]
    fn what_is_quoted_is_one_short_line() {
        let hidden = Hidden::default();
        assert_eq!(hidden.quote("\n invalid_payload \nmore"), "invalid_payload");
        assert_eq!(hidden.quote("<html>"), "");
        assert_eq!(hidden.quote("a\u{1b}[31mb"), "a[31mb");
        assert_eq!(hidden.quote(&"x".repeat(1000)).chars().count(), 161);
    }
}
