//! Templates: JSON text with `{placeholders}`.
//!
//! Within a string a placeholder is replaced by the text of its value, escaped as JSON wants it, so that no value can end the
//! string that it stands in. Outside a string it is replaced by the value as JSON: a number, a string in its quotes, or null
//! where there is none. What is in braces and is no placeholder is refused when the template is read; who wants braces in a
//! text writes `\u007b` for the first of them.

use serde_json::Value;

use crate::notice::Notice;

/// Gives one value of a notice.
type Give = fn(&Notice) -> Value;

/// Every placeholder.
const PLACEHOLDERS: [(&str, Give); 17] = [
    ("id", |notice| notice.id.clone().into()),
    ("event", |notice| notice.event.as_str().into()),
    ("plan", |notice| notice.plan.clone().into()),
    ("run", |notice| notice.run.clone().into()),
    ("title", |notice| notice.title.clone().into()),
    ("text", |notice| notice.text.clone().into()),
    ("state", |notice| notice.state.clone().into()),
    ("items_done", |notice| notice.counts.done.into()),
    ("items_unchanged", |notice| notice.counts.unchanged.into()),
    ("items_skipped", |notice| notice.counts.skipped.into()),
    ("items_failed", |notice| notice.counts.failed.into()),
    ("bytes", |notice| notice.bytes.into()),
    ("started_at", |notice| notice.started_at.map(|time| time.to_string()).into()),
    ("ended_at", |notice| notice.ended_at.map(|time| time.to_string()).into()),
    ("in_a_row", |notice| notice.in_a_row.into()),
    ("last_good_at", |notice| notice.last_good_at.map(|time| time.to_string()).into()),
    ("link", |notice| notice.link.clone().into()),
];

/// A template that has been found right: whatever it is filled with, it gives JSON.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    /// As it is.
    Literal(String),
    /// A value within a string.
    Within(Give),
    /// A value that stands for itself.
    Whole(Give),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong, as a fragment that reads well after the field's name.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let (mut literal, mut rest) = (String::new(), text);
        let (mut in_string, mut is_escaped) = (false, false);
        while let Some(char) = rest.chars().next() {
            if let Some(name) = placeholder(rest).filter(|_| !is_escaped) {
                let give = find(name)?;
                parts.push(Part::Literal(std::mem::take(&mut literal)));
                parts.push(if in_string { Part::Within(give) } else { Part::Whole(give) });
                rest = &rest[name.len() + 2..];
                continue;
            }
            in_string ^= char == '"' && !is_escaped;
            is_escaped = in_string && char == '\\' && !is_escaped;
            literal.push(char);
            rest = &rest[char.len_utf8()..];
        }
        parts.push(Part::Literal(literal));
        let template = Self(parts);
        template.judge()?;
        Ok(template)
    }

    /// The template, filled in.
    pub(crate) fn fill(&self, notice: &Notice) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Within(give) => escaped(&give(notice)),
            Part::Whole(give) => give(notice).to_string(),
        });
        parts.collect()
    }

    /// Where it gives JSON once, it always does, since values are escaped.
    fn judge(&self) -> Result<(), String> {
        let bare = Notice::test("1".into());
        serde_json::from_str::<serde::de::IgnoredAny>(&self.fill(&bare))
            .map(drop)
            .map_err(|error| format!("is not JSON once its placeholders are filled in: {error}"))
    }
}

/// The name in braces with which the text begins, if it does.
fn placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.split_once('}')?.0;
    let is_name = name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-'));
    is_name.then_some(name)
}

fn find(name: &str) -> Result<Give, String> {
    PLACEHOLDERS.iter().find(|(known, _)| *known == name).map(|(_, give)| *give).ok_or_else(|| {
        let known = PLACEHOLDERS.map(|(known, _)| known).join(", ");
        format!(
            "has the placeholder {{{name}}}, which is not known; the known ones are {known} (for braces in a text, write \
             \\u007b for the first of them)"
        )
    })
}

/// A value as it is written between the quotes of a JSON string.
fn escaped(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(_) => {
            let quoted = value.to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Template;
    use crate::notice::{Notice, example};

    fn filled(template: &str, notice: &Notice) -> Value {
        let text = Template::read(template).expect("a right template").fill(notice);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
    }

    #[test]
    fn values_are_put_in_where_they_are_named() {
        let template = r#"{"msg": "{event}: {title} ({items_failed} failed)", "bytes": {bytes}, "run": {run}, "n":{in_a_row}}"#;
        let expected = json!({"msg": "failure: home failed (4 failed)", "bytes": 5, "run": "0199", "n": 3});
        assert_eq!(filled(template, &example()), expected);
        let bare = Notice::test("1".into());
        assert_eq!(filled(r#"[{run}, "{run}", {bytes}, {title}]"#, &bare), json!([null, "", 0, bare.title]));
    }

    #[test]
    fn no_value_breaks_out_of_the_string_that_it_stands_in() {
        for hostile in [
            "\"}, {\"admin\": true, \"x\": \"",
            "back\\slash\\",
            "line\nbreak\r\n\ttab",
            "{title} {{bytes}} {",
            "\u{0}\u{7f}\u{2028}é🎞",
            "\\\"",
        ] {
            let notice = Notice { title: hostile.into(), plan: Some(hostile.into()), ..example() };
            let expected = json!({"a": format!("<{hostile}|{hostile}>"), "b": hostile});
            assert_eq!(filled(r#"{"a": "<{title}|{plan}>", "b": {title}}"#, &notice), expected);
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_reason() {
        let refused = |template: &str| Template::read(template).expect_err("a wrong template");
        let unknown = refused(r#"{"text": "{titel}"}"#);
        assert!(unknown.contains("{titel}") && unknown.contains("title, text"), "{unknown}");
        assert!(refused(r#"{"text": {Bytes}}"#).contains("{Bytes}"));
        assert!(refused(r#"{"text": "{title}""#).starts_with("is not JSON"));
        assert!(refused("").starts_with("is not JSON"));
        assert!(refused(r#"{"text": "{title}\"}"#).starts_with("is not JSON"));
        // A bare word is no JSON, so a placeholder beside one is none either.
        assert!(refused(r#"{"text": x{title}}"#).starts_with("is not JSON"));
    }

    #[test]
    fn braces_that_are_not_meant_as_placeholders_stay() {
        let template = r#"{"a": {}, "b": "{ x }", "c": "\u007btitle}", "d": "\\{title}", "e{event}": {"f": "\"{plan}\""}}"#;
        let expected = json!({
            "a": {}, "b": "{ x }", "c": "{title}", "d": "\\home failed", "efailure": {"f": "\"home\""},
        });
        assert_eq!(filled(template, &example()), expected);
    }
}
