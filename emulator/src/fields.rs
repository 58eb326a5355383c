//! `fields=nextPageToken,mediaItems(id,baseUrl)`: the part of an answer that a client asks for (facts §2).

use std::{iter::Peekable, str::Chars};

use serde_json::{Map, Value};

/// The names of one level, each with what is wanted below it (nothing: everything).
#[derive(Debug, Default, PartialEq, Eq)]
struct Mask(Vec<(String, Mask)>);

fn parse(text: &mut Peekable<Chars<'_>>) -> Mask {
    let mut mask = Mask::default();
    loop {
        let mut name = String::new();
        while let Some(letter) = text.next_if(|letter| !",()/".contains(*letter)) {
            name.push(letter);
        }
        let name = name.trim().to_owned();
        let below = match text.peek() {
            Some('(') => {
                text.next();
                parse(text)
            }
            Some('/') => {
                text.next();
                let mut rest = parse_one(text);
                rest.0.truncate(1);
                rest
            }
            _ => Mask::default(),
        };
        if !name.is_empty() {
            mask.0.push((name, below));
        }
        match text.next() {
            Some(',') => {}
            _ => return mask,
        }
    }
}

/// A path after a slash: one name, and what is below it.
fn parse_one(text: &mut Peekable<Chars<'_>>) -> Mask {
    let mut name = String::new();
    while let Some(letter) = text.next_if(|letter| !",()/".contains(*letter)) {
        name.push(letter);
    }
    let below = match text.peek() {
        Some('(') => {
            text.next();
            parse(text)
        }
        Some('/') => {
            text.next();
            parse_one(text)
        }
        _ => Mask::default(),
    };
    Mask(vec![(name, below)])
}

impl Mask {
    fn apply(&self, value: &mut Value) {
        if self.0.is_empty() || self.0.iter().any(|(name, _)| name == "*") {
            return;
        }
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.apply(value)),
            Value::Object(fields) => {
                let mut kept = Map::new();
                for (name, below) in &self.0 {
                    if let Some(mut value) = fields.remove(name) {
                        below.apply(&mut value);
                        kept.insert(name.clone(), value);
                    }
                }
                *fields = kept;
            }
            _ => {}
        }
    }
}

/// Keeps only what the mask names.
pub(crate) fn keep(value: &mut Value, mask: &str) {
    parse(&mut mask.chars().peekable()).apply(value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_named_stays() {
        let whole = json!({
            "nextPageToken": "t", "other": 1,
            "mediaItems": [{"id": "a", "baseUrl": "b", "mediaMetadata": {"width": "1", "photo": {}}}],
        });
        let mut value = whole.clone();
        keep(&mut value, "nextPageToken,mediaItems(id,mediaMetadata/width)");
        let expected =
            json!({"nextPageToken": "t", "mediaItems": [{"id": "a", "mediaMetadata": {"width": "1"}}]});
        assert_eq!(value, expected);
        let mut value = whole.clone();
        keep(&mut value, "*");
        assert_eq!(value, whole);
    }
}
