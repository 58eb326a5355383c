//! The control of one field, by what the field takes.

use charon_schema::{Choice, Shape, annotation, is_nullable, shape};
use maud::{Markup, html};
use serde_json::Value;

use super::{
    field::{Field, written},
    read::{LIST, kind_name},
};

/// Text that may be longer than this has a box of several lines.
const ONE_LINE: u64 = 200;

pub(super) fn draw(field: &Field<'_>) -> Markup {
    match shape(field.property) {
        _ if field.is_fixed => fixed(field),
        Shape::Json if field.is_secret() => lines(field, &field.pointer, ""),
        _ if field.is_secret() => secret(field),
        Shape::Boolean if is_nullable(field.property) => {
            let choice = |value, description| Choice { value, description: Some(description) };
            select(field, &[choice("true", "yes"), choice("false", "no")])
        }
        Shape::Boolean => switch(field),
        Shape::Choice(choices) => select(field, &choices),
        Shape::ChoiceOrList(choices) => choice_or_list(field, &choices),
        Shape::Number { is_whole } => number(field, is_whole),
        Shape::Text if !is_long(field) => text(field, "text"),
        // An object in an object is left to its own field set.
        Shape::List | Shape::Text | Shape::Json | Shape::Fields => {
            lines(field, &field.pointer, &field.text().unwrap_or_default())
        }
    }
}

fn is_long(field: &Field<'_>) -> bool {
    let may_be = field.property.get("maxLength").and_then(Value::as_u64);
    may_be.is_some_and(|most| most > ONE_LINE) || field.text().is_some_and(|text| text.contains('\n'))
}

/// What cannot be changed is shown, and sent as it is.
fn fixed(field: &Field<'_>) -> Markup {
    let text = field.text().unwrap_or_default();
    html! {
        @if text.contains('\n') || matches!(shape(field.property), Shape::List) {
            textarea id=(field.id()) name=(field.pointer) rows="3" readonly
                aria-describedby=[field.described_by()] { "\n" (text) }
        } @else {
            input type="text" id=(field.id()) name=(field.pointer) value=(text) readonly
                aria-describedby=[field.described_by()];
        }
    }
}

fn secret(field: &Field<'_>) -> Markup {
    let placeholder = if field.is_stored { Some("entered, not shown") } else { None };
    html! {
        input type="password" id=(field.id()) name=(field.pointer) autocomplete="new-password" spellcheck="false"
            placeholder=[placeholder] required[field.must_be_entered()] aria-invalid=[invalid(field)]
            aria-describedby=[field.described_by()];
    }
}

/// A box to tick, and before it the word that it was there.
fn switch(field: &Field<'_>) -> Markup {
    let is_on = field.value.or_else(|| field.property.get("default")) == Some(&Value::Bool(true));
    html! {
        input type="hidden" name=(field.pointer) value="false";
        input type="checkbox" id=(field.id()) name=(field.pointer) value="true" checked[is_on]
            aria-invalid=[invalid(field)] aria-describedby=[field.described_by()];
    }
}

fn select(field: &Field<'_>, choices: &[Choice<'_>]) -> Markup {
    let chosen = field.value.map(written).unwrap_or_default();
    html! {
        select id=(field.id()) name=(field.pointer) required[field.is_required] aria-invalid=[invalid(field)]
            aria-describedby=[field.described_by()] {
            (options(field, choices, &chosen))
        }
    }
}

fn options(field: &Field<'_>, choices: &[Choice<'_>], chosen: &str) -> Markup {
    let is_known = chosen.is_empty() || chosen == LIST || choices.iter().any(|choice| choice.value == chosen);
    let nothing = match field.default_text() {
        Some(default) => {
            let known = choices.iter().find(|choice| choice.value == default);
            format!("as usual ({})", known.map_or_else(|| plain(&default), in_a_word))
        }
        None if field.is_required => "choose one".to_owned(),
        None => "no preference".to_owned(),
    };
    html! {
        option value="" selected[chosen.is_empty()] { (nothing) }
        @for choice in choices {
            option value=(choice.value) selected[choice.value == chosen] { (in_words(choice)) }
        }
        @if !is_known { option value=(chosen) selected { (chosen) } }
    }
}

/// A word, and what it means where the schema says so.
fn in_words(choice: &Choice<'_>) -> String {
    match choice.description {
        Some(words) if !is_yes_or_no(choice) => {
            format!("{} – {}", plain(choice.value), words.trim_end_matches('.'))
        }
        _ => in_a_word(choice),
    }
}

fn in_a_word(choice: &Choice<'_>) -> String {
    match choice.description {
        Some(words) if is_yes_or_no(choice) => words.to_owned(),
        _ => plain(choice.value),
    }
}

fn is_yes_or_no(choice: &Choice<'_>) -> bool {
    matches!(choice.value, "true" | "false")
}

fn plain(word: &str) -> String {
    word.replace('_', " ")
}

/// A choice of words, the last of which is the list below.
fn choice_or_list(field: &Field<'_>, choices: &[Choice<'_>]) -> Markup {
    let (chosen, list) = match field.value {
        Some(Value::String(word)) => (word.as_str(), String::new()),
        Some(list @ Value::Array(_)) => (LIST, written(list)),
        _ => ("", String::new()),
    };
    html! {
        select id=(field.id()) name=(kind_name(&field.pointer)) aria-invalid=[invalid(field)]
            aria-describedby=[field.described_by()] {
            (options(field, choices, chosen))
            option value=(LIST) selected[chosen == LIST] { "these:" }
        }
        textarea name=(field.pointer) rows="3" spellcheck="false"
            aria-label={ (field.title()) ", one on each line" } { "\n" (list) }
    }
}

fn number(field: &Field<'_>, is_whole: bool) -> Markup {
    if field.value.is_some_and(|value| !value.is_number()) {
        // A box for numbers would not show what is wrong.
        return text(field, "text");
    }
    let bound = |name: &str| field.property.get(name).filter(|bound| bound.is_number()).map(written);
    let step = bound("multipleOf").unwrap_or_else(|| if is_whole { "1".into() } else { "any".into() });
    html! {
        span.with-unit {
            input type="number" id=(field.id()) name=(field.pointer) value=[field.text()] min=[bound("minimum")]
                max=[bound("maximum")] step=(step) placeholder=[field.default_text()] required[field.is_required]
                aria-invalid=[invalid(field)] aria-describedby=[field.described_by()];
            @if let Some(unit) = unit(field) { span.unit { " " (unit) } }
        }
    }
}

fn unit<'a>(field: &'a Field<'_>) -> Option<&'a str> {
    field.word(annotation::UNIT).filter(|unit| !matches!(*unit, "year" | "duration"))
}

fn text(field: &Field<'_>, kind: &str) -> Markup {
    let most = field.property.get("maxLength").and_then(Value::as_u64);
    let example =
        || field.property["examples"].get(0).map(|example| format!("for example {}", written(example)));
    html! {
        input type=(kind) id=(field.id()) name=(field.pointer) value=[field.text()] maxlength=[most]
            placeholder=[field.default_text().or_else(example)] required[field.is_required]
            aria-invalid=[invalid(field)] aria-describedby=[field.described_by()];
    }
}

fn lines(field: &Field<'_>, name: &str, text: &str) -> Markup {
    let placeholder =
        if field.is_stored { Some("entered, not shown".to_owned()) } else { field.default_text() };
    html! {
        textarea id=(field.id()) name=(name) rows="3" placeholder=[placeholder] required[field.must_be_entered()]
            spellcheck="false" aria-invalid=[invalid(field)] aria-describedby=[field.described_by()] {
            // A line break at the beginning is no part of the text.
            "\n" (text)
        }
    }
}

fn invalid(field: &Field<'_>) -> Option<&'static str> {
    field.is_wrong().then_some("true")
}
