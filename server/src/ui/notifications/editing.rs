//! The form of a channel: as it is, or as it was entered and with what is wrong in it.

use std::num::NonZeroU32;

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use charon_engine::{
    ChannelChange, ChannelChoice, ChannelId, ChannelKind, ChannelView, Engine, Error, NoticeEvent,
    channel_kinds,
};
use charon_schema::Mistake;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{HERE, in_words};
use crate::{
    access::Audited,
    api::extract::{Id, Query},
    app::App,
    ui::{
        failing::Failing,
        form::{self, Beside, SchemaForm},
        layout::{Page, PageOf, Section},
    },
};

/// The fields that are beside the configuration.
const OWN: [Beside<'static>; 4] = [
    form::NAME,
    Beside { pointer: "/events", title: "Told of", id: "events" },
    Beside { pointer: "/in_a_row", title: "Failures in a row", id: "in_a_row" },
    Beside { pointer: "/plans", title: "Plans", id: "plans" },
];

/// What was sent of a form, in its order.
type Sent = Vec<(String, String)>;

/// Of which kind a new channel is.
#[derive(Debug, Deserialize)]
pub(super) struct OfKind {
    kind: String,
}

/// What the form of a channel shows.
struct Shown<'a> {
    kind: &'a ChannelKind,
    /// The channel, if it is saved.
    channel: Option<&'a ChannelView>,
    /// The version that was seen by the one who changes it, however often the form is drawn.
    seen: Option<String>,
    name: String,
    config: Map<String, Value>,
    events: Vec<NoticeEvent>,
    plans: Vec<String>,
    in_a_row: String,
    mistakes: Vec<Mistake>,
    /// What came of a test, or what else is to be told.
    notice: Option<(&'static str, String)>,
}

impl<'a> Shown<'a> {
    fn new(kind: &'a ChannelKind) -> Self {
        Self {
            kind,
            channel: None,
            seen: None,
            name: String::new(),
            config: Map::new(),
            events: kind.default_events.to_vec(),
            plans: Vec::new(),
            in_a_row: "3".into(),
            mistakes: Vec::new(),
            notice: None,
        }
    }

    fn of(kind: &'a ChannelKind, channel: &'a ChannelView) -> Self {
        Self {
            channel: Some(channel),
            seen: Some(channel.version.clone()),
            name: channel.name.clone(),
            config: channel.config.clone(),
            events: channel.events.clone(),
            plans: channel.plans.clone().unwrap_or_default(),
            in_a_row: channel.in_a_row.to_string(),
            ..Self::new(kind)
        }
    }

    /// With what was entered.
    fn entered(mut self, sent: &Sent) -> Self {
        let all = |name: &str| {
            sent.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let one = |name: &str| all(name).into_iter().next();
        let entered = form::read(self.kind.schema, sent);
        self.config = entered.config;
        self.mistakes = entered.mistakes;
        self.seen = one("seen");
        self.name = one("name").map_or(self.name, |name| name.trim().to_owned());
        self.events = all("event").iter().filter_map(|event| event.parse().ok()).collect();
        self.plans = all("plan");
        self.in_a_row = one("in_a_row").unwrap_or_default();
        self
    }

    fn choice(&self) -> Result<ChannelChoice, Mistake> {
        let in_a_row = match self.in_a_row.trim() {
            "" => None,
            text => Some(
                text.parse::<NonZeroU32>()
                    .map_err(|_| Mistake::in_field("in_a_row", "is a number from 1 on"))?,
            ),
        };
        Ok(ChannelChoice { events: Some(self.events.clone()), plans: Some(self.plans.clone()), in_a_row })
    }

    /// What the engine did not do: mistakes are shown where they are.
    fn refused(mut self, error: Error) -> Result<Self, Failing> {
        match error {
            Error::Config { mistakes, .. } => self.mistakes.extend(mistakes.0),
            Error::BadName(reason) => self.mistakes.push(Mistake::in_field("name", reason)),
            Error::Delivery { .. } | Error::Changed { .. } => self.notice = Some(("bad", error.to_string())),
            other => return Err(other.into()),
        }
        Ok(self)
    }

    fn wrong(&self, field: &Beside<'_>) -> Vec<&str> {
        let of_field = self.mistakes.iter().filter(|mistake| mistake.pointer == field.pointer);
        of_field.map(|mistake| mistake.reason.as_str()).collect()
    }

    async fn draw(&self, page: &PageOf, engine: &Engine) -> Result<Page, Failing> {
        let title = match self.channel {
            Some(channel) => format!("Channel {}", channel.name),
            None => format!("Add a channel: {}", self.kind.title),
        };
        let path = match self.channel {
            Some(channel) => format!("{HERE}/{}", channel.id),
            None => format!("{HERE}/new?kind={}", self.kind.id),
        };
        let shown = self.channel.map(|channel| &channel.config);
        let stored: Vec<&str> =
            shown.map(|shown| form::secrets_of(self.kind.schema, shown).collect()).unwrap_or_default();
        let fields = SchemaForm::new(self.kind.schema, &self.config, &self.mistakes).stored(stored);
        let fields = OWN.into_iter().fold(fields, SchemaForm::beside);
        let is_refused =
            !self.mistakes.is_empty() || self.notice.as_ref().is_some_and(|(class, _)| *class == "bad");
        let content = html! {
            p.soft { a href=(HERE) { "Notifications" } }
            h1 { (title) }
            @if let Some((class, words)) = &self.notice {
                div class={ "notice " (class) } role="status" {
                    p { (words) }
                    @if *class == "bad" && self.channel.is_some() { p { a href=(path) { "See the channel as it is now" } } }
                }
            }
            form method="post" action=(path) novalidate {
                (page.csrf())
                @if let Some(seen) = &self.seen { input type="hidden" name="seen" value=(seen); }
                fieldset {
                    legend { "Channel" }
                    (form::name_field(&self.name, &self.mistakes, "What you call it, for instance my phone."))
                }
                (fields.draw())
                (self.told_of())
                (self.of_plans(engine).await?)
                div.actions {
                    button type="submit" name="do" value="save" { "Save" }
                    button.second type="submit" name="do" value="test" { "Test before saving" }
                }
            }
            @if let Some(channel) = self.channel {
                p { a.button.danger href={ (HERE) "/" (channel.id) "/remove" } { "Remove this channel" } }
            }
        };
        Ok(page.titled(&form::title(&title, is_refused), Section::Settings, &content))
    }

    fn told_of(&self) -> Markup {
        let [_, events, in_a_row, _] = &OWN;
        let is_wrong = !self.wrong(in_a_row).is_empty();
        html! {
            fieldset id=(events.id) {
                legend { (events.title) }
                (self.mistake(events))
                @for event in &self.kind.events {
                    div.field.switch {
                        input type="checkbox" id={ "event-" (event) } name="event" value=(event) checked[self.events.contains(event)];
                        label for={ "event-" (event) } { (capitalised(in_words(*event))) }
                    }
                }
                div.field.wrong[is_wrong] {
                    label for=(in_a_row.id) { (in_a_row.title) }
                    input type="number" id=(in_a_row.id) name="in_a_row" min="1" step="1" value=(self.in_a_row)
                        aria-invalid=[is_wrong.then_some("true")]
                        aria-describedby={ @if is_wrong { "in_a_row-mistake " } "in_a_row-help" };
                    p.help id="in_a_row-help" { "After so many that is told, and after as many more again." }
                    (self.mistake(in_a_row))
                }
            }
        }
    }

    async fn of_plans(&self, engine: &Engine) -> Result<Markup, Failing> {
        let all = engine.plans().await?;
        let [.., plans] = &OWN;
        Ok(html! {
            fieldset id=(plans.id) {
                legend { (plans.title) }
                p.help { "Of all plans, if none is chosen." }
                (self.mistake(plans))
                @for plan in &all {
                    div.field.switch {
                        input type="checkbox" id={ "plan-" (plan.id) } name="plan" value=(plan.name) checked[self.plans.contains(&plan.name)];
                        label for={ "plan-" (plan.id) } { (plan.name) }
                    }
                }
            }
        })
    }

    fn mistake(&self, field: &Beside<'_>) -> Markup {
        let reasons = self.wrong(field);
        html! {
            @if !reasons.is_empty() {
                p.mistake id={ (field.id) "-mistake" } { (field.title) ": " (reasons.join("; ")) }
            }
        }
    }
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn kind_of(id: &str) -> Result<ChannelKind, Failing> {
    channel_kinds()
        .into_iter()
        .find(|kind| kind.id == id)
        .ok_or_else(|| Failing::not_found("kind of channel"))
}

pub(super) async fn new(
    page: PageOf,
    State(app): State<App>,
    Query(of): Query<OfKind>,
) -> Result<Page, Failing> {
    Shown::new(&kind_of(&of.kind)?).draw(&page, app.engine()).await
}

pub(super) async fn add(
    page: PageOf,
    State(app): State<App>,
    Query(of): Query<OfKind>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failing> {
    let kind = kind_of(&of.kind)?;
    let mut shown = Shown::new(&kind).entered(&sent);
    let engine = app.engine();
    let done = match (shown.mistakes.is_empty(), shown.choice()) {
        (true, Ok(_)) if is_test(&sent) => {
            engine.test_unsaved_channel(kind.id, shown.config.clone()).await.map(|()| None)
        }
        (true, Ok(choice)) => engine
            .add_channel(&shown.name, kind.id, shown.config.clone(), choice)
            .await
            .map(|view| Some(("added", "add_notification", view))),
        (_, choice) => {
            shown.mistakes.extend(choice.err());
            return unprocessable(&shown, &page, engine).await;
        }
    };
    answer(done, shown, &page, engine).await
}

pub(super) async fn show(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<ChannelId>,
) -> Result<Page, Failing> {
    let channel = app.engine().channel_by_id(id).await?;
    Shown::of(&kind_of(&channel.kind)?, &channel).draw(&page, app.engine()).await
}

pub(super) async fn change(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<ChannelId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failing> {
    let engine = app.engine();
    let channel = engine.channel_by_id(id).await?;
    let kind = kind_of(&channel.kind)?;
    let mut shown = Shown::of(&kind, &channel).entered(&sent);
    let done = match (shown.mistakes.is_empty(), shown.choice()) {
        (true, Ok(_)) if is_test(&sent) => {
            engine.test_channel_by_id(id, Some(shown.config.clone())).await.map(|()| None)
        }
        (true, Ok(choice)) => {
            let (name, seen) = (Some(shown.name.clone()), shown.seen.clone());
            let change = ChannelChange { name, config: shown.config.clone(), choice, seen };
            let changed = engine.change_channel(id, change).await;
            changed.map(|view| Some(("changed", "change_notification", view)))
        }
        (_, choice) => {
            shown.mistakes.extend(choice.err());
            return unprocessable(&shown, &page, engine).await;
        }
    };
    answer(done, shown, &page, engine).await
}

/// What became of a form: what is told of it, what the audit log calls it, and the channel as it is saved.
type Saved = (&'static str, &'static str, ChannelView);

/// Saved: back to the list. Tested, or not done: the form again, as it was entered.
async fn answer(
    done: Result<Option<Saved>, Error>,
    mut shown: Shown<'_>,
    page: &PageOf,
    engine: &Engine,
) -> Result<Response, Failing> {
    match done {
        Ok(Some((told, action, channel))) => {
            let answer = Redirect::to(&format!("{HERE}?told={told}&channel={}", channel.id));
            let target = Some(format!("{HERE}/{}", channel.id));
            Ok(Audited::new(action, target).with("name", channel.name).on(answer))
        }
        Ok(None) => {
            shown.notice = Some(("good", "It was told. Look whether it got there; then save.".into()));
            Ok(shown.draw(page, engine).await?.into_response())
        }
        Err(error) => unprocessable(&shown.refused(error)?, page, engine).await,
    }
}

async fn unprocessable(shown: &Shown<'_>, page: &PageOf, engine: &Engine) -> Result<Response, Failing> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, shown.draw(page, engine).await?).into_response())
}

fn is_test(sent: &Sent) -> bool {
    sent.iter().any(|(name, value)| name == "do" && value == "test")
}
