//! `/settings/notifications`: who is told what becomes of runs, and how.

mod editing;

use axum::{
    Form, Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use charon_engine::{ChannelId, ChannelView, DeliveryRecord, DeliveryState, NoticeEvent, channel_kinds};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    table::scrolling,
    words,
};
use crate::{
    access::Audited,
    api::{
        extract::{Id, Query},
        problem::Problem,
    },
    app::App,
};

const HERE: &str = "/settings/notifications";
/// So many of the last deliveries are shown.
const SHOWN: u32 = 50;

/// What the list tells besides.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// What was done.
    told: Option<String>,
    /// With which channel.
    channel: Option<ChannelId>,
}

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route(HERE, get(list))
        .route("/settings/notifications/new", get(editing::new).post(editing::add))
        .route("/settings/notifications/{id}", get(editing::show).post(editing::change))
        .route("/settings/notifications/{id}/test", post(test))
        .route("/settings/notifications/{id}/remove", get(ask_to_remove).post(remove))
}

async fn list(page: PageOf, State(app): State<App>, Query(asked): Query<Asked>) -> Result<Page, Failing> {
    let name = match asked.channel {
        Some(id) => app.engine().channel_by_id(id).await.ok().map(|channel| channel.name),
        None => None,
    };
    let name = name.as_deref().unwrap_or("The channel");
    let done = match asked.told.as_deref() {
        Some("added") => Some(format!("{name} is saved. Test it, to see that it gets through.")),
        Some("changed") => Some(format!("{name}: your changes are saved.")),
        Some("removed") => Some("The channel is removed.".to_owned()),
        Some("tested") => Some(format!("{name} was told. Look whether it got there.")),
        _ => None,
    };
    draw(&page, &app, done.as_deref(), None).await
}

/// The list; with what was done, or with the channel whose test has failed, and why.
async fn draw(
    page: &PageOf,
    app: &App,
    done: Option<&str>,
    failed: Option<(ChannelId, &Problem)>,
) -> Result<Page, Failing> {
    let channels = app.engine().channels().await?;
    let deliveries = app.engine().deliveries_after(None, None, None, SHOWN).await?;
    let (now, zone) = (app.engine().now(), app.time_zone().await);
    let failure = |id: ChannelId| failed.filter(|(channel, _)| *channel == id).map(|(_, problem)| problem);
    let content = html! {
        p.soft { a href="/settings" { "Settings" } }
        h1 { "Notifications" }
        @if let Some(done) = done { div.notice.good role="status" { p { (done) } } }
        p { "Who is told when a run needs somebody, when one fails, and when a plan has had no good run for too long." }
        div.actions {
            @for kind in channel_kinds() {
                a.button.second href={ (HERE) "/new?kind=" (kind.id) } { "Add: " (kind.title) }
            }
        }
        @if channels.is_empty() {
            p.soft { "Nobody is told yet." }
        } @else {
            ul.cards { @for channel in &channels { li.card { (card(page, channel, failure(channel.id))) } } }
        }
        (told_before(&deliveries, now, &zone))
    };
    Ok(page.titled("Notifications", Section::Settings, &content))
}

fn card(page: &PageOf, channel: &ChannelView, failed: Option<&Problem>) -> Markup {
    let path = format!("{HERE}/{}", channel.id);
    let anchor = format!("channel-{}", channel.id);
    html! {
        h2 id=(anchor) { a href=(path) { (channel.name) } }
        p.soft { (title_of(&channel.kind)) }
        @if let Some(problem) = failed {
            div.notice.bad role="alert" {
                p { strong { "The test did not get through." } }
                @if problem.errors().is_empty() { p { (problem.detail()) } }
                @for wrong in problem.errors() { p { (wrong.pointer.trim_start_matches('/')) ": " (wrong.reason) } }
            }
        }
        dl.facts {
            dt { "Told of" } dd { (channel.events.iter().map(|event| in_words(*event)).collect::<Vec<_>>().join(", ")) }
            dt { "Plans" } dd { (channel.plans.as_ref().map_or_else(|| "all".to_owned(), |plans| plans.join(", "))) }
        }
        div.actions {
            form method="post" action={ (path) "/test#" (anchor) } {
                (page.csrf())
                button.second type="submit" { "Test" span.visually-hidden { " " (channel.name) } }
            }
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
            (scrolling("What was told", &html! { table {
                thead { tr { th scope="col" { "When" } th scope="col" { "Channel" } th scope="col" { "What" } th scope="col" { "State" } } }
                tbody { @for one in deliveries { tr {
                    td { (words::ago(one.enqueued_at, now, zone)) }
                    td { (one.channel) }
                    td { (one.notice.title) }
                    td { (state(one, now, zone)) }
                } } }
            } }))
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

async fn test(page: PageOf, State(app): State<App>, Id(id): Id<ChannelId>) -> Result<Response, Failing> {
    app.engine().channel_by_id(id).await?;
    match app.engine().test_channel_by_id(id, None).await.map_err(Problem::from) {
        // To the top: what was done is told there.
        Ok(()) => Ok(Redirect::to(&format!("{HERE}?told=tested&channel={id}#content")).into_response()),
        Err(problem) => {
            let drawn = draw(&page, &app, None, Some((id, &problem))).await?;
            Ok((problem.status(), drawn).into_response())
        }
    }
}

async fn ask_to_remove(page: PageOf, State(app): State<App>, Id(id): Id<ChannelId>) -> Result<Page, Failing> {
    let channel = app.engine().channel_by_id(id).await?;
    let content = html! {
        h1 { "Remove " (channel.name) "?" }
        p { "Nobody is told through this channel any more, and Charon forgets its address and its secrets. What was still to be told \
             through it is dropped." }
        form.actions method="post" action={ (HERE) "/" (id) "/remove" } {
            (page.csrf())
            input type="hidden" name="seen" value=(channel.version);
            button.danger type="submit" { "Remove it" }
            a.button.second href={ (HERE) "/" (id) } { "Keep it" }
        }
    };
    Ok(page.titled("Remove a channel", Section::Settings, &content))
}

/// The version that was seen by the one who removes it.
#[derive(Debug, Deserialize)]
struct Seen {
    seen: String,
}

async fn remove(
    _: PageOf,
    State(app): State<App>,
    Id(id): Id<ChannelId>,
    Form(seen): Form<Seen>,
) -> Result<Response, Failing> {
    let name = app.engine().channel_by_id(id).await?.name;
    app.engine().remove_channel_by_id(id, Some(&seen.seen)).await?;
    let done = Audited::new("remove_notification", Some(format!("{HERE}/{id}"))).with("name", name);
    Ok(done.on(Redirect::to(&format!("{HERE}?told=removed"))))
}
