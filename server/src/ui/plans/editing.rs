//! The form of a plan, as it is being filled in: what was entered, what is wrong in it, and what was looked up meanwhile.

use charon_engine::{Estimate, PlanConfig, PlanView, Upcoming};
use charon_provider::Album;
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{
    folders::{Browsing, picker},
    presets::{Often, Preset},
    words,
};
use crate::ui::form::{self, SchemaForm};

/// A storage that can be chosen, or why it cannot.
#[derive(Debug)]
pub(super) struct Choosable {
    pub(super) name: String,
    pub(super) unable: Option<String>,
}

/// A form that is being filled in.
#[derive(Debug)]
pub(super) struct Editing {
    pub(super) kind: &'static str,
    pub(super) schema: &'static ConfigSchema,
    /// The plan that is changed, if it is not a new one.
    pub(super) of: Option<PlanView>,
    /// The revision of it that whoever changes it has seen.
    pub(super) seen: Option<i64>,
    pub(super) name: String,
    /// What was entered, right or wrong; without the kind.
    pub(super) config: Map<String, Value>,
    pub(super) preset: Preset,
    pub(super) mistakes: Vec<Mistake>,
    /// What went wrong as a whole.
    pub(super) trouble: Option<String>,
    pub(super) storages: Vec<Choosable>,
    pub(super) explained: Option<Result<Upcoming, Mistakes>>,
    pub(super) browsing: Option<Browsing>,
    pub(super) albums: Option<Result<Vec<Album>, String>>,
    pub(super) preview: Option<Estimate>,
}

impl Editing {
    /// A new plan of a kind, as most people want it.
    pub(super) fn new(kind: &str, time_zone: &str) -> Option<Self> {
        let mut schedule = Map::new();
        schedule.insert("timezone".to_owned(), time_zone.into());
        let config = [("schedule".to_owned(), Value::Object(schedule))].into_iter().collect();
        Self::with(kind, None, String::new(), config, Preset::default())
    }

    /// A plan as it is.
    pub(super) fn of(plan: PlanView) -> Option<Self> {
        let Ok(Value::Object(mut config)) = serde_json::to_value(&plan.config) else { return None };
        config.remove("kind");
        let preset = Preset::of(plan.config.schedule().map(|schedule| schedule.cron.as_str()));
        Self::with(plan.config.kind(), Some(plan.clone()), plan.name, config, preset)
    }

    /// What a browser has sent.
    pub(super) fn sent(kind: &str, of: Option<PlanView>, sent: &[(String, String)]) -> Option<Self> {
        let preset = Preset::sent(sent);
        let name = sent.iter().find(|(name, _)| name == "name").map(|(_, name)| name.trim().to_owned());
        let name = name.or_else(|| of.as_ref().map(|plan| plan.name.clone())).unwrap_or_default();
        let mut editing = Self::with(kind, of, name, Map::new(), preset)?;
        // However often the form is drawn anew: what others have changed meanwhile was not seen by that.
        let seen = sent.iter().find(|(name, _)| name == "seen");
        editing.seen = seen.and_then(|(_, seen)| seen.parse().ok()).or(editing.seen);
        let entered = form::read(editing.schema, sent);
        editing.config = entered.config;
        editing.mistakes = entered.mistakes;
        match editing.preset.cron() {
            Ok(None) => {
                editing.config.remove("schedule");
            }
            Ok(Some(cron)) => {
                editing.schedule().insert("cron".to_owned(), cron.into());
            }
            Err(reason) => {
                editing.schedule().remove("cron");
                editing.mistakes.push(Mistake { pointer: "/schedule/cron".into(), reason });
            }
        }
        Some(editing)
    }

    fn with(
        kind: &str,
        of: Option<PlanView>,
        name: String,
        config: Map<String, Value>,
        preset: Preset,
    ) -> Option<Self> {
        let kind = if kind == "backup" { "backup" } else { "upload" };
        Some(Self {
            kind,
            schema: PlanConfig::schema(kind)?,
            seen: of.as_ref().map(|plan| plan.revision),
            of,
            name,
            config,
            preset,
            mistakes: Vec::new(),
            trouble: None,
            storages: Vec::new(),
            explained: None,
            browsing: None,
            albums: None,
            preview: None,
        })
    }

    fn schedule(&mut self) -> &mut Map<String, Value> {
        let schedule = self.config.entry("schedule").or_insert_with(|| Value::Object(Map::new()));
        if !schedule.is_object() {
            *schedule = Value::Object(Map::new());
        }
        schedule.as_object_mut().expect("it was just made one")
    }

    /// The configuration as the engine reads it.
    pub(super) fn whole(&self) -> Map<String, Value> {
        let mut config = self.config.clone();
        config.insert("kind".to_owned(), self.kind.into());
        config
    }

    /// The schedule as it is entered; `None` if there is none to be explained.
    pub(super) fn entered_schedule(&self) -> Option<Map<String, Value>> {
        let mut schedule = self.config.get("schedule")?.as_object()?.clone();
        if !schedule.contains_key("cron")
            && let Ok(Some(cron)) = self.preset.cron()
        {
            schedule.insert("cron".to_owned(), cron.into());
        }
        Some(schedule)
    }

    /// More mistakes, where none is told yet.
    pub(super) fn add_mistakes(&mut self, mistakes: Mistakes) {
        for mistake in mistakes.0 {
            if self.mistakes.iter().all(|known| known.pointer != mistake.pointer) {
                self.mistakes.push(mistake);
            }
        }
    }

    /// Adds one more source folder.
    pub(super) fn add_source(&mut self, folder: &str) {
        let sources = self.config.entry("sources").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(sources) = sources
            && !sources.iter().any(|known| known == folder)
        {
            sources.push(folder.into());
        }
    }

    /// Where the form is sent.
    pub(super) fn action(&self) -> String {
        match &self.of {
            Some(plan) => format!("/plans/{}/edit", plan.id),
            None => "/plans/new".to_owned(),
        }
    }

    /// What is within the form, but for the token and the buttons.
    pub(super) fn draw(&self) -> Markup {
        let (shown, listed) = self.shown();
        let mut fields = SchemaForm::new(self.schema, &shown, &self.mistakes)
            .without("/commands")
            .beside(form::NAME)
            .without_help("/schedule/cron")
            .control("/schedule/cron", |field| {
                self.preset.draw(&field.id(), field.described_by().as_deref(), field.is_wrong())
            })
            .behind("/schedule", self.explanation());
        if self.of.is_some() {
            fields = fields.fixed("/storage").fixed("/destination");
        } else {
            fields = fields
                .control("/storage", |field| self.storage_control(field))
                .behind("/storage", self.unable());
            if self.kind == "backup" {
                fields = fields.behind(
                    "/destination",
                    picker("/destination", self.browsing.as_ref(), false, &self.action()),
                );
            }
        }
        if self.kind == "upload" {
            let picker =
                |pointer, are_several| picker(pointer, self.browsing.as_ref(), are_several, &self.action());
            fields = fields
                .behind("/sources", picker("/sources", true))
                .behind("/move_to", picker("/move_to", false));
        } else {
            fields = fields.behind("/selection/albums", listed);
        }
        html! {
            (form::name_field(&self.name, &self.mistakes, "What you call the plan."))
            (fields.draw())
        }
    }

    fn storage_control(&self, field: &form::Field<'_>) -> Markup {
        let chosen = field.text().unwrap_or_default();
        let able = || self.storages.iter().filter(|storage| storage.unable.is_none());
        html! {
            select id=(field.id()) name=(field.pointer) required aria-describedby=[field.described_by()]
                aria-invalid=[field.is_wrong().then_some("true")] {
                @if able().count() != 1 { option value="" selected[chosen.is_empty()] { "choose one" } }
                @for storage in able() {
                    option value=(storage.name) selected[storage.name == chosen] { (storage.name) }
                }
            }
        }
    }

    /// Why the other storages are not offered.
    fn unable(&self) -> Markup {
        let unable: Vec<_> = self
            .storages
            .iter()
            .filter_map(|storage| Some((&storage.name, storage.unable.as_ref()?)))
            .collect();
        html! {
            @if !unable.is_empty() {
                ul.soft.why-not { @for (name, why) in unable { li { (name) " is not offered: " (why) } } }
            }
            @if self.storages.iter().all(|storage| storage.unable.is_some()) {
                p { a href="/storages/new" { "Add a storage" } " that can do it." }
            }
        }
    }

    /// What the schedule means, kept true by the browser where it can.
    fn explanation(&self) -> Markup {
        html! {
            div.explained #explained data-explain="/plans/explain" aria-live="polite" { (self.explained_words()) }
            p {
                button.second type="submit" name="do" value="check" formnovalidate formaction={ (self.action()) "#explained" } {
                    "Check the schedule"
                }
            }
        }
    }

    pub(super) fn explained_words(&self) -> Markup {
        html! {
            @match &self.explained {
                None if self.preset.often == Often::Never => p { "It runs when somebody asks for it." },
                None => {},
                Some(Ok(upcoming)) => (words::explained(upcoming)),
                Some(Err(mistakes)) => {
                    @for mistake in &mistakes.0 { p.mistake { (mistake.reason) } }
                },
            }
        }
    }

    /// The configuration as the fields show it, and the albums of the storage beside them, if they were looked up.
    fn shown(&self) -> (Map<String, Value>, Markup) {
        let mut shown = self.config.clone();
        let button = html! {
            p #albums {
                button.second type="submit" name="do" value="albums" formnovalidate formaction={ (self.action()) "#albums" }
                    data-doing="Asking the storage for its albums…" { "Choose from the storage's albums" }
            }
        };
        let found = match &self.albums {
            None => return (shown, button),
            Some(Err(why)) => {
                return (shown, html! { p.mistake { "The albums could not be listed: " (why) } (button) });
            }
            Some(Ok(found)) => found,
        };
        let chosen = shown.get_mut("selection").and_then(|selection| selection.get_mut("albums"));
        let mut wanted = Vec::new();
        if let Some(Value::Array(names)) = chosen {
            let is_found =
                |name: &Value| found.iter().any(|album| name == &album.title || name == &album.id.0);
            wanted = names.iter().filter(|name| is_found(name)).cloned().collect();
            names.retain(|name| !is_found(name));
        }
        let titles: Vec<&str> = found.iter().map(|album| album.title.as_str()).collect();
        let listed = html! {
            @if found.is_empty() { p.soft { "The storage shows no albums." } }
            ul.choices #albums {
                @for (index, album) in found.iter().enumerate() {
                    // Of two with the same title, the id tells which one is meant.
                    @let is_known = titles.iter().filter(|title| **title == album.title).count() == 1 && !album.title.is_empty();
                    @let value = if is_known { &album.title } else { &album.id.0 };
                    @let is_wanted = wanted.iter().any(|name| name == &album.title || name == &album.id.0);
                    li.check {
                        input type="checkbox" id={ "album-" (index) } name="/selection/albums" value=(value) checked[is_wanted];
                        label for={ "album-" (index) } {
                            (if album.title.is_empty() { &album.id.0 } else { &album.title })
                            @if let Some(items) = album.items { span.soft { " (" (items) ")" } }
                        }
                    }
                }
            }
            p.soft { "They count when the choice above is “these”." }
        };
        (shown, listed)
    }
}
