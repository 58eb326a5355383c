//! `/settings/notifications`: who is told what becomes of runs, and how.

use std::num::NonZeroU32;

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use charon_engine::{
    ChannelChange, ChannelChoice, ChannelId, ChannelKind, ChannelView, DeliveryRecord, DeliveryState, Engine,
    Error, NoticeEvent, channel_kinds,
};
use charon_schema::Mistake;
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    failing::Failing,
    form::{self, SchemaForm},
    layout::{Page, PageOf, Section},
    words,
};
use crate::{
    api::{
        extract::{Id, Query},
        problem::Problem,
    },
    app::App,
};

const HERE: &str = "/settings/notifications";
/// So many of the last deliveries are shown.
const SHOWN: u32 = 50;

/// What was sent of a form, in its order.
type Sent = Vec<(String, String)>;

/// What the list tells besides.
#[derive(Debug, Deserialize)]
struct Asked {
    /// The channel that was told that it works.
    told: Option<ChannelId>,
}

/// Of which kind a new channel is.
#[derive(Debug, Deserialize)]
struct OfKind {
    kind: String,
}

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route(HERE, get(list))
        .route("/settings/notifications/new", get(new).post(add))
        .route("/settings/notifications/{id}", get(show).post(change))
        .route("/settings/notifications/{id}/test", post(test))
        .route("/settings/notifications/{id}/remove", post(remove))
}

async fn list(page: PageOf, State(app): State<App>, Query(asked): Query<Asked>) -> Result<Page, Failing> {
    let channels = app.engine().channels().await?;
    let deliveries = app.engine().deliveries_after(None, None, None, SHOWN).await?;
    let (now, zone) = (app.engine().now(), app.time_zone().await);
    let told = asked.told.and_then(|id| channels.iter().find(|channel| channel.id == id));
    let content = html! {
        p.soft { a href="/settings" { "Settings" } }
        h1 { "Notifications" }
        @if let Some(channel) = told {
            div.notice.good role="status" { p { "The channel " strong { (channel.name) } " was told. Look whether it got there." } }
        }
        p { "Who is told when a run needs somebody, when one fails, and when a plan has had no good run for too long." }
        div.actions {
            @for kind in channel_kinds() {
                a.button.second href={ (HERE) "/new?kind=" (kind.id) } { "Add: " (kind.title) }
            }
        }
        @if channels.is_empty() {
            p.soft { "Nobody is told yet." }
        } @else {
            ul.cards { @for channel in &channels { li.card { (card(&page, channel)) } } }
        }
        (told_before(&deliveries, now, &zone))
    };
    Ok(page.titled("Notifications", Section::Settings, &content))
}

fn card(page: &PageOf, channel: &ChannelView) -> Markup {
    let path = format!("{HERE}/{}", channel.id);
    html! {
        h2 { a href=(path) { (channel.name) } }
        p.soft { (title_of(&channel.kind)) }
        dl.facts {
            dt { "Told of" } dd { (channel.events.iter().map(|event| in_words(*event)).collect::<Vec<_>>().join(", ")) }
            dt { "Plans" } dd { (channel.plans.as_ref().map_or_else(|| "all".to_owned(), |plans| plans.join(", "))) }
        }
        div.actions {
            form method="post" action={ (path) "/test" } { (page.csrf()) button.second type="submit" { "Test" span.visually-hidden { " " (channel.name) } } }
            a.button.second href=(path) { "Change" span.visually-hidden { " " (channel.name) } }
        }
    }
}

fn title_of(kind: &str) -> String {
    channel_kinds()
        .into_iter()
        .find(|known| known.id == kind)
        .map_or_else(|| kind.to_owned(), |known| known.title.to_owned())
}

/// What people call an event.
fn in_words(event: NoticeEvent) -> &'static str {
    match event {
        NoticeEvent::Started => "a run began",
        NoticeEvent::Success => "a run succeeded",
        NoticeEvent::Partial => "some items of a run failed",
        NoticeEvent::Failure => "a run failed",
        NoticeEvent::NeedsAttention => "a run waits for a person",
        NoticeEvent::Overdue => "a plan is overdue",
        NoticeEvent::Recovered => "a good run after others that were not",
        NoticeEvent::FailuresInARow => "several runs failed in a row",
        NoticeEvent::Test => "a test",
    }
}

fn told_before(deliveries: &[DeliveryRecord], now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        h2 { "What was told" }
        @if deliveries.is_empty() {
            p.soft { "Nothing yet." }
        } @else {
            div.scroll { table {
                thead { tr { th scope="col" { "When" } th scope="col" { "Channel" } th scope="col" { "What" } th scope="col" { "State" } } }
                tbody { @for one in deliveries { tr {
                    td { (words::ago(one.enqueued_at, now, zone)) }
                    td { (one.channel) }
                    td { (one.notice.title) }
                    td { (state(one, now, zone)) }
                } } }
            } }
        }
    }
}

fn state(one: &DeliveryRecord, now: Timestamp, zone: &TimeZone) -> Markup {
    let (class, word) = match one.state {
        DeliveryState::Pending => ("warn", "to be told"),
        DeliveryState::Delivered => ("good", "told"),
        DeliveryState::GivenUp => ("bad", "given up"),
    };
    html! {
        span class={ "state " (class) } { (word) }
        @if one.state != DeliveryState::Delivered {
            @if let Some(error) = &one.last_error { br; span.soft { (error) } }
            @if let Some(next) = one.next_at.filter(|_| one.state == DeliveryState::Pending) { br; span.soft { "again " (words::ago(next, now, zone)) } }
        }
    }
}

/// What the form of a channel shows.
struct Shown<'a> {
    kind: &'a ChannelKind,
    /// The channel, if it is saved.
    channel: Option<&'a ChannelView>,
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
        if self.channel.is_none() {
            self.name = one("name").unwrap_or_default();
        }
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
            Error::Delivery { .. } => self.notice = Some(("bad", error.to_string())),
            other => return Err(other.into()),
        }
        Ok(self)
    }

    async fn draw(&self, page: &PageOf, engine: &Engine) -> Result<Page, Failing> {
        let plans = engine.plans().await?;
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
        let (own, of_config): (Vec<Mistake>, Vec<Mistake>) =
            (self.mistakes.iter().cloned()).partition(|mistake| {
                ["/name", "/events", "/plans", "/in_a_row"].contains(&mistake.pointer.as_str())
            });
        let wrong = |name: &str| -> Vec<String> {
            own.iter()
                .filter(|mistake| mistake.pointer.trim_start_matches('/') == name)
                .map(|mistake| mistake.reason.clone())
                .collect()
        };
        let content = html! {
            p.soft { a href=(HERE) { "Notifications" } }
            h1 { (title) }
            @if let Some((class, words)) = &self.notice { div class={ "notice " (class) } role="status" { p { (words) } } }
            form method="post" action=(path) novalidate {
                (page.csrf())
                @if let Some(channel) = self.channel { input type="hidden" name="seen" value=(channel.version); }
                @if self.channel.is_none() {
                    fieldset {
                        legend { "Channel" }
                        @let of_name = wrong("name");
                        div.field.wrong[!of_name.is_empty()] {
                            label for="name" { "Name" span.required { " (required)" } }
                            input type="text" id="name" name="name" value=(self.name) required maxlength="100"
                                aria-invalid=[(!of_name.is_empty()).then_some("true")] aria-describedby=[(!of_name.is_empty()).then_some("name-mistake")];
                            (told_wrong("name", &of_name))
                        }
                    }
                }
                (SchemaForm::new(self.kind.schema, &self.config, &of_config).stored(stored).draw())
                fieldset {
                    legend { "Told of" }
                    (told_wrong("events", &wrong("events")))
                    @for event in &self.kind.events {
                        div.field.switch {
                            input type="checkbox" id={ "event-" (event) } name="event" value=(event) checked[self.events.contains(event)];
                            label for={ "event-" (event) } { (capitalised(in_words(*event))) }
                        }
                    }
                    @let of_row = wrong("in_a_row");
                    div.field.wrong[!of_row.is_empty()] {
                        label for="in_a_row" { "Failures in a row" }
                        input type="number" id="in_a_row" name="in_a_row" min="1" step="1" value=(self.in_a_row)
                            aria-invalid=[(!of_row.is_empty()).then_some("true")] aria-describedby="in_a_row-help";
                        p.help id="in_a_row-help" { "After so many that is told, and after as many more again." }
                        (told_wrong("in_a_row", &of_row))
                    }
                }
                fieldset {
                    legend { "Plans" }
                    p.help { "Of all plans, if none is chosen." }
                    (told_wrong("plans", &wrong("plans")))
                    @for plan in &plans {
                        div.field.switch {
                            input type="checkbox" id={ "plan-" (plan.id) } name="plan" value=(plan.name) checked[self.plans.contains(&plan.name)];
                            label for={ "plan-" (plan.id) } { (plan.name) }
                        }
                    }
                }
                div.actions {
                    button type="submit" name="do" value="save" { "Save" }
                    button.second type="submit" name="do" value="test" { "Test before saving" }
                }
            }
            @if let Some(channel) = self.channel {
                form method="post" action={ (HERE) "/" (channel.id) "/remove" } {
                    (page.csrf())
                    button.danger type="submit" { "Remove this channel" }
                }
            }
        };
        Ok(page.titled(&title, Section::Settings, &content))
    }
}

fn told_wrong(id: &str, reasons: &[String]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            p.mistake id={ (id) "-mistake" } role="alert" { (capitalised(id)) " " (reasons.join("; ")) }
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

async fn new(page: PageOf, State(app): State<App>, Query(of): Query<OfKind>) -> Result<Page, Failing> {
    Shown::new(&kind_of(&of.kind)?).draw(&page, app.engine()).await
}

async fn add(
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
            .map(|view| Some(view.id)),
        (_, choice) => {
            shown.mistakes.extend(choice.err());
            return unprocessable(&shown, &page, engine).await;
        }
    };
    answer(done, shown, &page, engine).await
}

async fn show(page: PageOf, State(app): State<App>, Id(id): Id<ChannelId>) -> Result<Page, Failing> {
    let channel = app.engine().channel_by_id(id).await?;
    Shown::of(&kind_of(&channel.kind)?, &channel).draw(&page, app.engine()).await
}

async fn change(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<ChannelId>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failing> {
    let engine = app.engine();
    let channel = engine.channel_by_id(id).await?;
    let kind = kind_of(&channel.kind)?;
    let mut shown = Shown::of(&kind, &channel).entered(&sent);
    let seen = sent.iter().find(|(name, _)| name == "seen").map(|(_, seen)| seen.clone());
    let done = match (shown.mistakes.is_empty(), shown.choice()) {
        (true, Ok(_)) if is_test(&sent) => {
            engine.test_channel_by_id(id, Some(shown.config.clone())).await.map(|()| None)
        }
        (true, Ok(choice)) => {
            let change = ChannelChange { config: shown.config.clone(), choice, seen };
            engine.change_channel(id, change).await.map(|view| Some(view.id))
        }
        (_, choice) => {
            shown.mistakes.extend(choice.err());
            return unprocessable(&shown, &page, engine).await;
        }
    };
    answer(done, shown, &page, engine).await
}

/// Saved: back to the list. Tested, or not done: the form again, as it was entered.
async fn answer(
    done: Result<Option<ChannelId>, Error>,
    mut shown: Shown<'_>,
    page: &PageOf,
    engine: &Engine,
) -> Result<Response, Failing> {
    match done {
        Ok(Some(_)) => Ok(Redirect::to(HERE).into_response()),
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

async fn test(_: PageOf, State(app): State<App>, Id(id): Id<ChannelId>) -> Result<Redirect, Failing> {
    app.engine().test_channel_by_id(id, None).await.map_err(Problem::from)?;
    Ok(Redirect::to(&format!("{HERE}?told={id}")))
}

async fn remove(_: PageOf, State(app): State<App>, Id(id): Id<ChannelId>) -> Result<Redirect, Failing> {
    app.engine().remove_channel_by_id(id, None).await?;
    Ok(Redirect::to(HERE))
}
