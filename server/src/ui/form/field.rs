//! One field of a form: its place, its words, and what it holds.

use charon_schema::{Shape, annotation, is_nullable, shape};
use maud::{Markup, html};
use serde_json::Value;

use super::read::forget_name;

/// One field, ready to be drawn.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Field<'a> {
    /// Where it is in the configuration, which is the name of its control too.
    pub(crate) pointer: String,
    pub(super) name: &'a str,
    /// What the schema says of it.
    pub(crate) property: &'a Value,
    /// What it holds, right or wrong. What a secret holds is never drawn.
    pub(crate) value: Option<&'a Value>,
    /// Whether it must be filled in.
    pub(crate) is_required: bool,
    /// Whether it is a secret that is stored.
    pub(super) is_stored: bool,
    /// Whether it is shown and cannot be changed.
    pub(crate) is_fixed: bool,
    /// Whether it is told what it is for.
    pub(super) is_explained: bool,
    /// Whether there are stored secrets that changes elsewhere ask for again.
    pub(super) are_secrets_bound: bool,
    pub(super) mistakes: Vec<&'a str>,
}

impl Field<'_> {
    /// The id of its control.
    pub(crate) fn id(&self) -> String {
        id_of(&self.pointer)
    }

    /// What a form calls it.
    pub(crate) fn title(&self) -> &str {
        self.word("title").unwrap_or(self.name)
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.property.get(name).and_then(Value::as_str)
    }

    pub(super) fn is_secret(&self) -> bool {
        self.property[annotation::SECRET] == true
    }

    /// Whether something is wrong with it.
    pub(crate) fn is_wrong(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// Whether it is a box to tick, whose label stands behind it.
    pub(super) fn is_switch(&self) -> bool {
        shape(self.property) == Shape::Boolean && !is_nullable(self.property)
    }

    /// Whether a secret must be entered, as nothing is stored.
    pub(super) fn must_be_entered(&self) -> bool {
        self.is_required && !self.is_stored
    }

    /// Whether it holds something else than it does by default.
    pub(super) fn says_something(&self) -> bool {
        self.is_stored || self.value.is_some_and(|value| Some(value) != self.property.get("default"))
    }

    /// What it holds as text; nothing for a secret.
    pub(crate) fn text(&self) -> Option<String> {
        if self.is_secret() {
            return None;
        }
        self.value.map(written)
    }

    /// What it is when it is left empty, as text.
    pub(super) fn default_text(&self) -> Option<String> {
        let default = self.property.get("default").filter(|default| !default.is_null())?;
        Some(written(default)).filter(|text| !text.is_empty())
    }

    /// The ids of what describes it, for screen readers.
    pub(crate) fn described_by(&self) -> Option<String> {
        let wrong = self.is_wrong().then(|| format!("{}-mistake", self.id()));
        let help = self.help().map(|_| format!("{}-help", self.id()));
        let ids: Vec<String> = wrong.into_iter().chain(help).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    pub(super) fn label(&self) -> Markup {
        html! {
            label for=(self.id()) {
                (self.title())
                @if self.must_be_entered() && !self.is_switch() { span.required { " (required)" } }
            }
        }
    }

    /// What is wrong with it, and what it is for.
    pub(super) fn told(&self) -> Markup {
        html! {
            @if self.is_wrong() {
                p.mistake id={ (self.id()) "-mistake" } {
                    @for (index, reason) in self.mistakes.iter().enumerate() {
                        @if index > 0 { br; }
                        (self.title()) ": " (for_people(reason))
                    }
                }
            }
            @if let Some(help) = self.help() {
                p.help id={ (self.id()) "-help" } { (in_code(&help)) }
            }
            @if self.is_stored && !self.is_required {
                @let id = format!("{}-forget", self.id());
                div.check {
                    input type="checkbox" id=(id) name=(forget_name(&self.pointer)) value="true"
                        checked[self.value.is_some_and(Value::is_null)];
                    label for=(id) { "Forget what is stored" span.visually-hidden { ": " (self.title()) } }
                }
            }
        }
    }

    fn help(&self) -> Option<String> {
        if !self.is_explained {
            return None;
        }
        let bound = |name: &str| self.property.get(name).and_then(Value::as_i64);
        let bounds = match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => format!("From {least} to {most}."),
            (None, Some(most)) => format!("At most {most}."),
            (Some(least), None) => format!("At least {least}."),
            (None, None) => String::new(),
        };
        let lines = matches!(shape(self.property), Shape::List | Shape::ChoiceOrList(_));
        let words = [
            self.word("description").unwrap_or_default(),
            &bounds,
            if lines { "One on each line." } else { "" },
            if self.is_stored { "It is stored, and not shown: leave it empty to keep it." } else { "" },
            if self.are_secrets_bound && self.property[annotation::BINDS_SECRETS] == true {
                "Whoever changes it enters the secrets again."
            } else {
                ""
            },
        ];
        let help = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        (!help.is_empty()).then_some(help)
    }
}

/// The id of the control of a field. Made of letters that need no escape anywhere.
pub(crate) fn id_of(pointer: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    format!("field{}", pointer.chars().map(plain).collect::<String>())
}

/// The pointer of a field of an object.
pub(super) fn pointer_to(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Whether a mistake is one of a field: at its place, or within what it holds.
pub(super) fn is_about(mistake: &str, field: &str, takes_below: bool) -> bool {
    match mistake.strip_prefix(field) {
        Some("") => true,
        Some(rest) => takes_below && rest.starts_with('/'),
        None => false,
    }
}

/// A value as a control shows it: a list has each of its values on a line.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(values) => values.iter().map(written).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// A reason without what concerns those alone who write JSON.
pub(super) fn for_people(reason: &str) -> String {
    reason.replace(", without quotes", "")
}

/// Text with what is between backticks as code.
pub(crate) fn in_code(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
