//! Telling the answer to one asking from everything else: it carries the `state` that was asked with.

use url::{Url, form_urlencoded};

/// What the answer is known by.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    state: Option<String>,
}

/// Why a text is not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTheAnswer {
    /// It holds neither a consent nor a refusal.
    #[error(
        "this is not the address that the browser ended on: it begins with http://127.0.0.1 and has code= in it; paste all of \
         it"
    )]
    NoAnswer,
    /// It answers somebody else, or an earlier time.
    #[error(
        "this address is of another asking: open the address above, and paste where the browser ends then"
    )]
    OtherAsking,
}

impl Asking {
    /// The asking that a person is sent to with this URL.
    pub(crate) fn of(url: &Url) -> Self {
        let state = url.query_pairs().find(|(name, _)| name == "state");
        Self { state: state.map(|(_, value)| value.into_owned()) }
    }

    /// Whether the root was asked for, with the answer.
    pub(crate) fn is_answered_by(&self, target: &str) -> bool {
        target.starts_with("/?") && self.judge(target).is_ok()
    }

    /// Whether this address, whole or from its `?` on, is the answer.
    pub(crate) fn judge(&self, address: &str) -> Result<(), NotTheAnswer> {
        if field(address, "code").or_else(|| field(address, "error")).is_none() {
            return Err(NotTheAnswer::NoAnswer);
        }
        if self.state.is_some() && field(address, "state") != self.state {
            return Err(NotTheAnswer::OtherAsking);
        }
        Ok(())
    }
}

/// Whether the answer is a refusal.
pub(crate) fn is_refusal(address: &str) -> bool {
    field(address, "error").is_some()
}

fn field(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let found =
        form_urlencoded::parse(query.as_bytes()).find(|(field, value)| field == name && !value.is_empty());
    found.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Asking, NotTheAnswer, is_refusal};

    #[test]
    fn the_answer_is_known_by_its_state() {
        let asking = Asking::of(&"https://accounts.example.org/?state=a%2Fb&x=1".parse().expect("a URL"));
        for (address, judged) in [
            ("http://127.0.0.1:5000/?code=4/0&state=a%2Fb", Ok(())),
            ("?state=a%2Fb&code=4/0", Ok(())),
            ("/?state=a%2Fb&error=access_denied#", Ok(())),
            ("http://127.0.0.1:5000/?code=4/0&state=ab", Err(NotTheAnswer::OtherAsking)),
            ("http://127.0.0.1:5000/?code=4/0", Err(NotTheAnswer::OtherAsking)),
            ("http://127.0.0.1:5000/?state=a%2Fb&code=", Err(NotTheAnswer::NoAnswer)),
            ("http://127.0.0.1:5000/", Err(NotTheAnswer::NoAnswer)),
            ("4/0AcodeAlone", Err(NotTheAnswer::NoAnswer)),
            ("", Err(NotTheAnswer::NoAnswer)),
        ] {
            assert_eq!(asking.judge(address), judged, "{address}");
        }
        assert!(is_refusal("/?error=access_denied") && !is_refusal("/?code=4/0"));
    }
}
