//! The field for what a thing is called, which no schema has: it is no part of a configuration.

use charon_schema::Mistake;
use maud::{Markup, html};

use super::mistakes::Beside;

/// The field of a name, for the list of what is wrong.
pub(crate) const NAME: Beside<'static> = Beside { pointer: "/name", title: "Name", id: "name" };

/// The field with what is wrong with it, and what it is for.
pub(crate) fn name_field(name: &str, mistakes: &[Mistake], help: &str) -> Markup {
    let wrong = mistakes.iter().find(|mistake| mistake.pointer == NAME.pointer);
    html! {
        div.field.wrong[wrong.is_some()] {
            label for="name" { "Name" span.required { " (required)" } }
            input type="text" id="name" name="name" value=(name) required maxlength="100"
                aria-invalid=[wrong.map(|_| "true")]
                aria-describedby={ @if wrong.is_some() { "name-mistake " } "name-help" };
            @if let Some(wrong) = wrong { p.mistake id="name-mistake" { "Name: " (wrong.reason) } }
            p.help id="name-help" { (help) }
        }
    }
}
