//! What is wrong, at the top of a form, with a link to each field.

use charon_schema::{ConfigSchema, Mistake, Shape, property, shape};
use maud::{Markup, html};
use serde_json::Value;

use super::field::{for_people, id_of, in_code};

/// All mistakes, each with a link to its field; nothing if there are none. Fields that the form leaves out have no link.
pub(crate) fn summary(schema: &ConfigSchema, mistakes: &[Mistake], left_out: &[&str]) -> Markup {
    let is_drawn = |pointer: &str| !left_out.iter().any(|out| super::field::is_about(pointer, out, true));
    html! {
        @if !mistakes.is_empty() {
            div.mistakes role="alert" tabindex="-1" id="mistakes" {
                p { strong { (headline(mistakes.len())) } }
                ul {
                    @for mistake in mistakes {
                        @let (place, words) = place(schema.as_json(), &mistake.pointer);
                        li {
                            @if !place.is_empty() && is_drawn(&mistake.pointer) {
                                a href={ "#" (id_of(&place)) } { (words) }
                            } @else {
                                (words)
                            }
                            @if !words.is_empty() { ": " }
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
