//! What to look for: secrets, in every form in which one can be read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Shorter texts would be found by chance.
const SHORTEST: usize = 8;

/// Secrets, by what they are.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    secrets: BTreeMap<&'static str, BTreeSet<Vec<u8>>>,
}

impl Needles {
    pub(crate) fn add(&mut self, what: &'static str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        if secret.len() >= SHORTEST {
            self.secrets.entry(what).or_default().insert(secret.to_vec());
        }
    }

    /// Everything that stands between these words, wherever it does.
    pub(crate) fn add_between(&mut self, what: &'static str, text: &str, before: &str, after: &[char]) {
        for (at, _) in text.match_indices(before) {
            let rest = &text[at + before.len()..];
            let found = &rest[..rest.find(after).unwrap_or(rest.len())];
            self.add(what, found);
            // In a form or a query it is written otherwise.
            self.add(what, percent_decoded(found));
        }
    }

    /// How many secrets of a kind there are.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.secrets.get(what).map_or(0, BTreeSet::len)
    }

    /// All of them in every form, ready to be looked for.
    pub(crate) fn search(&self) -> Search {
        let mut search = Search { begins: vec![false; 1 << 16], by_start: HashMap::new() };
        for (what, secrets) in &self.secrets {
            for (form, needle) in secrets.iter().flat_map(|secret| forms(secret)) {
                let (start, rest) = needle.split_first_chunk().expect("it is not shorter");
                search.begins[pair_of(start)] = true;
                let same_start = search.by_start.entry(*start).or_default();
                same_start.push((format!("{what}, {form}"), rest.to_vec()));
            }
        }
        search
    }
}

/// Secrets in every form, by their first bytes, so that a long text is read once.
#[derive(Debug)]
pub(crate) struct Search {
    /// Whether any begins with these two bytes, which few places of a photo do.
    begins: Vec<bool>,
    by_start: HashMap<[u8; SHORTEST], Vec<(String, Vec<u8>)>>,
}

impl Search {
    /// The kinds, and the forms, in which secrets stand in `text`.
    pub(crate) fn found_in(&self, text: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for at in 0..text.len().saturating_sub(SHORTEST - 1) {
            if !self.begins[pair_of(&text[at..])] {
                continue;
            }
            let (start, rest) = text[at..].split_first_chunk().expect("it is not shorter");
            for (what, needle) in self.by_start.get(start).into_iter().flatten() {
                if rest.starts_with(needle) {
                    found.insert(what.as_str());
                }
            }
        }
        found
    }
}

/// The first two bytes as a number.
fn pair_of(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("plain", secret.to_vec())];
    let escaped = |keep: &dyn Fn(u8) -> bool| {
        secret.iter().fold(String::new(), |mut text, byte| {
            if keep(*byte) {
                text.push(char::from(*byte));
            } else {
                write!(text, "%{byte:02X}").expect("a string");
            }
            text
        })
    };
    forms.push((
        "percent-encoded",
        escaped(&|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).into(),
    ));
    forms.push((
        "percent-encoded",
        escaped(&|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte)).into(),
    ));
    let json = serde_json::Value::from(String::from_utf8_lossy(secret)).to_string();
    forms.push(("JSON", json.trim_matches('"').into()));
    let hex = hex_of(secret);
    forms.push(("hex", hex.to_ascii_uppercase().into()));
    forms.push(("hex", hex.into()));
    // Base64 of something longer that holds it: three places where it can begin.
    for before in 0..3 {
        let padded = [&vec![0; before], secret].concat();
        let whole = padded.len() / 3 * 3;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded[..whole]);
            let first = if before == 0 { 0 } else { 4 };
            forms.push(("base64", text[first.min(text.len())..].into()));
        }
    }
    forms.retain(|(_, needle)| needle.len() >= SHORTEST);
    forms
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string");
        text
    })
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[test]
fn a_secret_is_found_in_every_form() {
    let mut needles = Needles::default();
    needles.add("the secret", "1//0secret+with/characters=");
    let search = needles.search();
    let found = |text: &str| search.found_in(text.as_bytes()).into_iter().collect::<Vec<_>>();
    assert_eq!(found("nothing"), Vec::<&str>::new());
    assert_eq!(found("at=1//0secret+with/characters=;"), ["the secret, JSON", "the secret, plain"]);
    assert_eq!(found("q=1%2F%2F0secret%2Bwith%2Fcharacters%3D&"), ["the secret, percent-encoded"]);
    for before in ["", "a", "ab", "abc"] {
        let text = URL_SAFE_NO_PAD.encode(format!("{before}1//0secret+with/characters= and more"));
        assert_eq!(found(&text), ["the secret, base64"], "{before}");
    }
    assert_eq!(found(&hex_of(b"1//0secret+with/characters=")), ["the secret, hex"]);
}
