//! What a stage found out, and the page that helps with it.

use std::time::Duration;

use charon_provider::{Check, Error, Verdict};

/// What a stage found out.
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    found: String,
    cure: Option<String>,
    link: Option<String>,
}

impl Finding {
    pub(super) fn passed(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Passed, found: found.into(), cure: None, link: None }
    }

    pub(super) fn warned(found: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warned, found: found.into(), cure: Some(cure.into()), link: None }
    }

    /// A cure that names a page has that as its link.
    pub(super) fn failed(error: Error) -> Self {
        let link = error.cure.as_deref().and_then(page);
        Self { verdict: Verdict::Failed, found: error.cause, cure: error.cure, link }
    }

    /// The same finding with this page, unless it is as it should be or knows a better one.
    pub(super) fn with_page(mut self, page: Option<&str>) -> Self {
        if self.verdict != Verdict::Passed && self.link.is_none() {
            self.link = page.map(str::to_owned);
        }
        self
    }

    pub(super) fn into_check(self, stage: &'static str, took: Duration) -> Check {
        Check { stage, verdict: self.verdict, took, found: self.found, cure: self.cure, link: self.link }
    }
}

/// The first page that a text names.
fn page(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || "()<>\"".contains(c));
    let page = words
        .map(|word| word.trim_end_matches(['.', ',', ';', ':']))
        .find(|word| word.starts_with("https://"));
    page.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_page_that_a_cure_names_is_found() {
        for (text, link) in [
            (
                "enable the API at https://example.org/x?project=5, wait",
                Some("https://example.org/x?project=5"),
            ),
            ("compare it with the console (https://example.org/a); then", Some("https://example.org/a")),
            ("run it again", None),
        ] {
            assert_eq!(page(text).as_deref(), link, "{text}");
        }
    }
}
