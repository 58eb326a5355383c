//! From a JSON Schema to a form, and from what was entered back to a configuration.
//!
//! [`SchemaForm`] draws the fields of a schema: groups as field sets, help and mistakes told to screen readers, defaults as
//! placeholders, advanced fields folded away. [`read()`] understands what a browser sends of it. Both are pure functions of what
//! they are given; judging the configuration is left to whom it belongs to.
//!
//! The name of a control is the JSON pointer of its field (`/schedule/cron`), so that a mistake finds its field and no name
//! collides with those of the page. What is left empty is left out, and is then as the schema has it by default. A secret never
//! comes back: its control is empty, and left empty it stays as it is stored.

mod control;
mod field;
mod mistakes;
mod name;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;

use charon_schema::{ConfigSchema, Mistake, Shape, annotation, fields, property, shape};
use maud::{Markup, html};
use serde_json::{Map, Value};

pub(crate) use field::{Field, in_code};
pub(crate) use mistakes::{Beside, summary, title};
pub(crate) use name::{NAME, name_field};
pub(crate) use read::read;

/// Draws the control of a field in another way than its schema says.
type Control<'a> = Box<dyn Fn(&Field<'_>) -> Markup + Send + Sync + 'a>;

/// A form for a configuration. It draws what is within the `<form>`, but for buttons.
pub(crate) struct SchemaForm<'a> {
    schema: &'a ConfigSchema,
    config: &'a Map<String, Value>,
    mistakes: &'a [Mistake],
    stored: Vec<&'a str>,
    left_out: Vec<&'a str>,
    fixed: Vec<&'a str>,
    controls: Vec<(&'a str, Control<'a>)>,
    without_help: Vec<&'a str>,
    behind: Vec<(&'a str, Markup)>,
    beside: Vec<Beside<'a>>,
}

impl fmt::Debug for SchemaForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration may hold secrets.
        f.debug_struct("SchemaForm").field("left_out", &self.left_out).finish_non_exhaustive()
    }
}

impl<'a> SchemaForm<'a> {
    /// A form that shows a configuration, right or wrong, with what is wrong in it.
    pub(crate) fn new(
        schema: &'a ConfigSchema,
        config: &'a Map<String, Value>,
        mistakes: &'a [Mistake],
    ) -> Self {
        Self {
            schema,
            config,
            mistakes,
            stored: Vec::new(),
            left_out: Vec::new(),
            fixed: Vec::new(),
            controls: Vec::new(),
            without_help: Vec::new(),
            behind: Vec::new(),
            beside: Vec::new(),
        }
    }

    /// The secrets that are stored: they need not be entered, and are kept when they are left empty.
    pub(crate) fn stored(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        self.stored.extend(secrets);
        self
    }

    /// Does not show a field.
    pub(crate) fn without(mut self, pointer: &'a str) -> Self {
        self.left_out.push(pointer);
        self
    }

    /// Shows a field that cannot be changed.
    pub(crate) fn fixed(mut self, pointer: &'a str) -> Self {
        self.fixed.push(pointer);
        self
    }

    /// Draws the control of a field in another way. Its label, help and mistakes stay.
    pub(crate) fn control(
        mut self,
        pointer: &'a str,
        draw: impl Fn(&Field<'_>) -> Markup + Send + Sync + 'a,
    ) -> Self {
        self.controls.push((pointer, Box::new(draw)));
        self
    }

    /// Does not tell what a field is for: its control does.
    pub(crate) fn without_help(mut self, pointer: &'a str) -> Self {
        self.without_help.push(pointer);
        self
    }

    /// Puts something behind a field, or at the end of a group of fields.
    pub(crate) fn behind(mut self, pointer: &'a str, what: Markup) -> Self {
        self.behind.push((pointer, what));
        self
    }

    /// Knows a field of the page's own, which is drawn elsewhere: what is wrong with it leads there.
    pub(crate) fn beside(mut self, field: Beside<'a>) -> Self {
        self.beside.push(field);
        self
    }

    /// The fields, and before them what is wrong.
    pub(crate) fn draw(&self) -> Markup {
        html! {
            (summary(self.schema, self.mistakes, &self.left_out, &self.beside))
            @for group in self.groups() {
                (self.group(group.0, &group.1))
            }
        }
    }

    /// The groups of the first level with their fields, in the order of their first fields.
    fn groups(&self) -> Vec<(&'a str, Vec<&'a str>)> {
        let object = self.schema.as_json();
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for name in fields(object) {
            if self.left_out.contains(&field::pointer_to("", name).as_str()) {
                continue;
            }
            let of = property(object, name).and_then(|field| field.get(annotation::GROUP)?.as_str());
            let of = of.unwrap_or("Settings");
            match groups.iter_mut().find(|(group, _)| *group == of) {
                Some((_, names)) => names.push(name),
                None => groups.push((of, vec![name])),
            }
        }
        groups
    }

    fn group(&self, title: &str, names: &[&'a str]) -> Markup {
        let object = self.schema.as_json();
        if let [alone] = names
            && let Some(inner) = property(object, alone).filter(|one| shape(one) == Shape::Fields)
        {
            return self.field_set(alone, inner, self.config.get(*alone), "", is_required(object, alone));
        }
        let rows = self.rows(object, names, "", true, |name| self.config.get(name));
        html! {
            fieldset { legend { (title) } (rows) }
        }
    }

    /// The fields of an object within the configuration.
    fn field_set(
        &self,
        name: &str,
        object: &'a Value,
        value: Option<&'a Value>,
        parent: &str,
        is_needed: bool,
    ) -> Markup {
        let field = self.field(name, object, value, parent, is_needed);
        let names = fields(object);
        let rows = self.rows(object, &names, &field.pointer, is_needed, |name| value?.get(name));
        html! {
            fieldset id=(field.id()) aria-describedby=[field.described_by()] {
                legend { (field.title()) }
                (field.told())
                (rows)
                (self.what_is_behind(&field.pointer))
            }
        }
    }

    /// Fields one below the other, and the advanced ones folded away: open when one of them says something.
    fn rows(
        &self,
        object: &'a Value,
        names: &[&'a str],
        parent: &str,
        is_needed: bool,
        value: impl Fn(&str) -> Option<&'a Value>,
    ) -> Markup {
        let (mut plain, mut advanced, mut is_open) = (Vec::new(), Vec::new(), false);
        for name in names {
            let Some(inner) = property(object, name) else { continue };
            let is_required = is_needed && is_required(object, name);
            let value = value(name);
            let field = self.field(name, inner, value, parent, is_required);
            if self.left_out.contains(&field.pointer.as_str()) {
                continue;
            }
            let row = if shape(inner) == Shape::Fields {
                self.field_set(name, inner, value, parent, is_required)
            } else {
                self.row(&field)
            };
            if inner[annotation::ADVANCED] == true {
                is_open |= field.says_something() || self.is_wrong_below(&field.pointer);
                advanced.push(row);
            } else {
                plain.push(row);
            }
        }
        html! {
            @for row in plain { (row) }
            @if !advanced.is_empty() {
                details.advanced open[is_open] {
                    summary { "Advanced" }
                    @for row in advanced { (row) }
                }
            }
        }
    }

    fn row(&self, field: &Field<'_>) -> Markup {
        let instead = self.controls.iter().find(|(pointer, _)| *pointer == field.pointer);
        let is_switch = instead.is_none() && field.is_switch();
        html! {
            div.field.wrong[field.is_wrong()].switch[is_switch] {
                @if !is_switch { (field.label()) }
                @match instead {
                    Some((_, draw)) => (draw(field)),
                    None => (control::draw(field)),
                }
                @if is_switch { (field.label()) }
                (field.told())
            }
            (self.what_is_behind(&field.pointer))
        }
    }

    fn field<'f>(
        &self,
        name: &'f str,
        property: &'f Value,
        value: Option<&'f Value>,
        parent: &str,
        is_required: bool,
    ) -> Field<'f>
    where
        'a: 'f,
    {
        let pointer = field::pointer_to(parent, name);
        let takes_below = shape(property) != Shape::Fields;
        let mistakes =
            self.mistakes.iter().filter(|mistake| field::is_about(&mistake.pointer, &pointer, takes_below));
        Field {
            name,
            property,
            value,
            is_required,
            is_stored: self.stored.contains(&name) && parent.is_empty(),
            is_fixed: self.fixed.contains(&pointer.as_str()),
            is_explained: !self.without_help.contains(&pointer.as_str()),
            are_secrets_bound: !self.stored.is_empty(),
            mistakes: mistakes.map(|mistake| mistake.reason.as_str()).collect(),
            pointer,
        }
    }

    fn is_wrong_below(&self, pointer: &str) -> bool {
        self.mistakes.iter().any(|mistake| field::is_about(&mistake.pointer, pointer, true))
    }

    fn what_is_behind(&self, pointer: &str) -> Markup {
        html! {
            @for (_, what) in self.behind.iter().filter(|(at, _)| *at == pointer) { (what) }
        }
    }
}

fn is_required(object: &Value, name: &str) -> bool {
    object["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
}

/// The secrets that a configuration as it is shown has: what is stored of it.
pub(crate) fn secrets_of<'a>(
    schema: &'a ConfigSchema,
    shown: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a str> {
    shown.keys().map(String::as_str).filter(|name| schema.is_secret(name))
}
