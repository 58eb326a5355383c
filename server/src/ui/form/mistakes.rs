//! What is wrong, at the top of a form, with a link to each field.

use charon_schema::{ConfigSchema, Mistake, Shape, property, shape};
use maud::{Markup, html};
use serde_json::Value;

use super::field::{for_people, id_of, in_code};

/// A field of a page's own, beside those of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside<'a> {
    /// The pointer of its mistakes.
    pub(crate) pointer: &'a str,
    pub(crate) title: &'a str,
    /// The id of its control.
    pub(crate) id: &'a str,
}

/// The title of a page with a form: one that was refused says so first.
pub(crate) fn title(title: &str, is_refused: bool) -> String {
    if is_refused { format!("Not saved – {title}") } else { title.to_owned() }
}

/// All mistakes, each with a link to its field; nothing if there are none. Fields that the form leaves out have no link.
pub(crate) fn summary(
    schema: &ConfigSchema,
    mistakes: &[Mistake],
    left_out: &[&str],
    beside: &[Beside<'_>],
) -> Markup {
    let is_drawn = |pointer: &str| !left_out.iter().any(|out| super::field::is_about(pointer, out, true));
    html! {
        @if !mistakes.is_empty() {
            div.mistakes role="alert" tabindex="-1" id="mistakes" {
                p { strong { (headline(mistakes.len())) } }
                ul {
                    @for mistake in mistakes {
                        @let own = beside.iter().find(|field| field.pointer == mistake.pointer);
                        @let (place, words) = place(schema.as_json(), &mistake.pointer);
                        li {
                            @if let Some(own) = own {
                                a href={ "#" (own.id) } { (own.title) } ": "
                            } @else if !place.is_empty() && is_drawn(&mistake.pointer) {
                                a href={ "#" (id_of(&place)) } { (words) } ": "
                            } @else if !words.is_empty() {
                                (words) ": "
                            }
                            (in_code(&for_people(&mistake.reason)))
                        }
                    }
                }
            }
        }
    }
}

fn headline(count: usize) -> String {
    match count {
        1 => "Nothing is saved yet: one thing is to be corrected.".to_owned(),
        count => format!("Nothing is saved yet: {count} things are to be corrected."),
    }
}

/// The pointer of the field that a mistake is one of, and its title with those of the fields around it. Without a field, the
/// pointer is empty.
fn place(schema: &Value, mistake: &str) -> (String, String) {
    let (mut object, mut pointer, mut titles) = (schema, String::new(), Vec::new());
    for segment in mistake.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let Some(field) = property(object, &name) else { break };
        pointer = format!("{pointer}/{segment}");
        titles.push(field["title"].as_str().unwrap_or(&name).to_owned());
        if shape(field) != Shape::Fields {
            break;
        }
        object = field;
    }
    if titles.is_empty() {
        return (pointer, mistake.trim_start_matches('/').to_owned());
    }
    (pointer, titles.join(", "))
}
