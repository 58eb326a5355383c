//! `/library`: what the mirrors of backup plans hold, month by month, by album, and by name.

mod item;

use axum::{Router, extract::State, routing::get};
use charon_engine::{
    AlbumId, Engine, Error, Fidelity, ItemId, Kind, LibraryAlbum, LibraryFilter, LibraryItem, LibraryPage,
    MonthOfItems, PlanConfig, PlanId, PlanView, Position, with_commas,
};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    words::counted,
};
use crate::{
    api::{BASE, extract::Query, paging, problem::Problem},
    app::App,
};

/// How many items a page shows.
const SHOWN: u32 = 120;

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/library", get(timeline))
        .route("/library/albums", get(albums))
        .route("/library/{id}/{item}", get(item::show))
}

/// Which part of the library is looked at. What was left empty in the form comes as an empty text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Look {
    #[serde(skip_serializing_if = "String::is_empty")]
    plan: String,
    /// `2024-05`, or `undated`.
    #[serde(skip_serializing_if = "String::is_empty")]
    month: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    /// `2024-05-28`.
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    /// The last day that is wanted.
    #[serde(skip_serializing_if = "String::is_empty")]
    to: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fidelity: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    album: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cursor: String,
}

impl Look {
    /// What the engine is asked for.
    fn filter(&self) -> Result<LibraryFilter, Problem> {
        let day = |text: &str| -> Result<Option<Date>, Problem> {
            if text.is_empty() {
                return Ok(None);
            }
            let wrong = || Problem::bad_request(format!("{text} is no date; write it as 2024-05-28"));
            text.parse().map(Some).map_err(|_| wrong())
        };
        let last = day(&self.to)?.map(|last| last.tomorrow().unwrap_or(Date::MAX));
        Ok(LibraryFilter {
            from: day(&self.from)?.map(beginning),
            before: last.map(beginning),
            kind: match self.kind.as_str() {
                "photo" => Some(Kind::Photo),
                "video" => Some(Kind::Video),
                _ => None,
            },
            fidelity: match self.fidelity.as_str() {
                "original" => Some(Fidelity::Original),
                "api-copy" => Some(Fidelity::ApiCopy),
                _ => None,
            },
            album: Some(self.album.clone()).filter(|album| !album.is_empty()).map(AlbumId),
            name: Some(self.name.trim().to_owned()).filter(|name| !name.is_empty()),
        })
    }

    /// Where the page begins.
    fn position(&self) -> Result<Option<Position>, Problem> {
        if !self.cursor.is_empty() {
            let text = paging::place::<String>(Some(&self.cursor))?.unwrap_or_default();
            let unknown = || Problem::bad_request("this page is not there; begin at the first one");
            return text.parse().map(Some).map_err(|_| unknown());
        }
        if self.month.is_empty() || !self.name.trim().is_empty() {
            return Ok(None);
        }
        if self.month == "undated" {
            return Ok(Some(Position::before(beginning(date(1, 1, 1)))));
        }
        let wrong = || Problem::bad_request(format!("{} is no month; write it as 2024-05", self.month));
        let month: Date = format!("{}-01", self.month).parse().map_err(|_| wrong())?;
        Ok(Some(Position::before(beginning(month.saturating_add(1.month())))))
    }

    /// Whether anything is looked for.
    fn narrows(&self) -> bool {
        [&self.name, &self.from, &self.to, &self.kind, &self.fidelity, &self.album]
            .into_iter()
            .any(|part| !part.is_empty())
    }

    /// The address of the same look, changed.
    fn address(&self, path: &str, change: impl FnOnce(&mut Self)) -> String {
        let mut look = self.clone();
        change(&mut look);
        let query = serde_json::to_value(&look).unwrap_or_default();
        let pairs = query.as_object().into_iter().flatten();
        let pairs =
            pairs.map(|(name, value)| format!("{name}={}", encoded(value.as_str().unwrap_or_default())));
        let query: Vec<String> = pairs.collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The first moment of a day, in UTC.
fn beginning(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// The backup plans, and the one that is looked at.
async fn plans(engine: &Engine, wanted: &str) -> Result<(Vec<PlanView>, Option<PlanView>), Failing> {
    let mut plans = engine.plans().await?;
    plans.retain(|plan| matches!(plan.config, PlanConfig::Backup(_)));
    if wanted.is_empty() {
        let first = plans.first().cloned();
        return Ok((plans, first));
    }
    let chosen = plans.iter().find(|plan| plan.id.to_string() == wanted).cloned();
    if chosen.is_none() { Err(Failing::not_found("backup plan")) } else { Ok((plans, chosen)) }
}

async fn timeline(
    page: PageOf,
    State(app): State<App>,
    Query(mut look): Query<Look>,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let (plans, Some(plan)) = plans(engine, &look.plan).await? else { return Ok(nothing_yet(&page)) };
    look.plan = plan.id.to_string();
    let filter = look.filter()?;
    let found = engine.library(plan.id, &filter, look.position()?.as_ref(), SHOWN).await;
    let found = found.map_err(|error| match error {
        Error::BadName(reason) => Problem::bad_request(reason),
        error => error.into(),
    })?;
    let months = engine.library_months(plan.id, &filter).await?;
    let album = match &filter.album {
        Some(wanted) => engine.library_albums(plan.id).await?.into_iter().find(|album| album.id == *wanted),
        None => None,
    };
    let title = album.as_ref().map_or("Library", |album| album.title.as_str());
    let content = html! {
        h1 { (title) }
        (parts(&plans, &plan, &look, "timeline"))
        (said(&look, &months, album.as_ref()))
        (search(&look, &months))
        @if found.items.is_empty() && found.next.is_none() {
            (nothing_found(&look, &months))
        } @else {
            div data-more="" { (grids(plan.id, &found.items, &months, &look)) }
            (further(&look, &found))
        }
    };
    Ok(page.titled(title, Section::Library, &content))
}

fn nothing_yet(page: &PageOf) -> Page {
    let content = html! {
        h1 { "Library" }
        p { "There is no backup plan yet. Once one has run, what it has brought home is shown here." }
        p.actions { a.button href="/plans/new?kind=backup" { "Make a backup plan" } }
    };
    page.titled("Library", Section::Library, &content)
}

/// Which plan, and which part of its library.
fn parts(plans: &[PlanView], plan: &PlanView, look: &Look, here: &str) -> Markup {
    let bare = Look { plan: look.plan.clone(), ..Look::default() };
    html! {
        @if plans.len() > 1 {
            form.actions method="get" action="/library" {
                label for="plan" { "Mirror of" }
                select id="plan" name="plan" {
                    @for one in plans { option value=(one.id) selected[one.id == plan.id] { (one.name) } }
                }
                button.second type="submit" { "Show" }
            }
        }
        nav.tabs aria-label="Parts of the library" {
            a href=(bare.address("/library", |_| {})) aria-current=[(here == "timeline" && look.album.is_empty()).then_some("page")] { "Timeline" }
            a href=(bare.address("/library/albums", |_| {})) aria-current=[(here == "albums").then_some("page")] { "Albums" }
        }
    }
}

/// What is looked at, in a sentence.
fn said(look: &Look, months: &[MonthOfItems], album: Option<&LibraryAlbum>) -> Markup {
    let all: u64 = months.iter().map(|month| month.items).sum();
    html! {
        @if let Some(album) = album {
            p.soft {
                (counted(album.items, "item", "items")) " of this album at home. "
                a href=(look.address("/library", |look| look.album.clear())) { "Leave the album" }
            }
        } @else if !look.narrows() && all > 0 {
            p.soft { (counted(all, "item is home", "items are home")) ", those that were taken last first. Dates are UTC." }
        }
    }
}

/// The form by which one looks for something, or jumps to a month.
fn search(look: &Look, months: &[MonthOfItems]) -> Markup {
    let choice = |value: &str, words: &str, chosen: &str| html! { option value=(value) selected[value == chosen] { (words) } };
    html! {
        details.search open[look.narrows()] {
            summary { "Search" }
            form.columns method="get" action="/library" role="search" {
                input type="hidden" name="plan" value=(look.plan);
                @if !look.album.is_empty() { input type="hidden" name="album" value=(look.album); }
                div.field {
                    label for="name" { "File name begins with" }
                    input id="name" name="name" type="search" value=(look.name) autocomplete="off" maxlength="200";
                }
                div.field { label for="from" { "Taken from" } input id="from" name="from" type="date" value=(look.from); }
                div.field { label for="to" { "to" } input id="to" name="to" type="date" value=(look.to); }
                div.field {
                    label for="kind" { "Photos or videos" }
                    select id="kind" name="kind" {
                        (choice("", "Both", &look.kind)) (choice("photo", "Photos", &look.kind)) (choice("video", "Videos", &look.kind))
                    }
                }
                div.field {
                    label for="fidelity" { "Fidelity" }
                    select id="fidelity" name="fidelity" {
                        (choice("", "Any", &look.fidelity)) (choice("original", "Originals", &look.fidelity))
                        (choice("api-copy", "Copies from the API", &look.fidelity))
                    }
                }
                div.actions {
                    button type="submit" { "Search" }
                    @if look.narrows() {
                        a.button.second href=(Look { plan: look.plan.clone(), ..Look::default() }.address("/library", |_| {})) { "Clear" }
                    }
                }
            }
        }
        @if months.len() > 1 && look.name.trim().is_empty() {
            form.actions method="get" action="/library" {
                @for (name, value) in [("plan", &look.plan), ("kind", &look.kind), ("fidelity", &look.fidelity), ("album", &look.album)] {
                    @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
                }
                label for="month" { "Jump to" }
                select id="month" name="month" {
                    @for month in months {
                        @let value = month.month.map_or_else(|| "undated".to_owned(), |month| month.strftime("%Y-%m").to_string());
                        option value=(value) selected[value == look.month] { (named(month.month)) " (" (with_commas(month.items)) ")" }
                    }
                }
                button.second type="submit" { "Go" }
            }
        }
    }
}

fn nothing_found(look: &Look, months: &[MonthOfItems]) -> Markup {
    html! {
        @if look.narrows() {
            p.notice { "Nothing here is like that. Look for something else, or clear the search." }
        } @else if months.is_empty() {
            p.notice { "Nothing is home yet. What the next run of the plan brings home is shown here." }
        } @else {
            p.notice { "Nothing was taken before that." }
        }
    }
}

/// The name of a month.
fn named(month: Option<Date>) -> String {
    month.map_or_else(|| "No date".to_owned(), |month| month.strftime("%B %Y").to_string())
}

/// The items, under the names of their months.
fn grids(plan: PlanId, items: &[LibraryItem], months: &[MonthOfItems], look: &Look) -> Markup {
    let is_by_name = !look.name.trim().is_empty();
    let month_of =
        |item: &LibraryItem| item.taken_at.map(|taken| taken.to_zoned(TimeZone::UTC).date().first_of_month());
    let groups = items.chunk_by(|one, other| is_by_name || month_of(one) == month_of(other));
    html! {
        @for group in groups {
            section {
                @if !is_by_name {
                    @let month = month_of(&group[0]);
                    h2 {
                        (named(month))
                        @if look.album.is_empty() && look.from.is_empty() && look.to.is_empty()
                            && let Some(all) = months.iter().find(|all| all.month == month) {
                            " " small.soft { (counted(all.items, "item", "items")) }
                        }
                    }
                }
                ul.grid { @for item in group { li { (tile(plan, item)) } } }
            }
        }
    }
}

/// One picture of a grid.
fn tile(plan: PlanId, item: &LibraryItem) -> Markup {
    html! {
        a href={ "/library/" (plan) "/" (item.id.0) } {
            img loading="lazy" decoding="async" width="320" height="320" alt=(told(item)) src=(thumbnail(plan, item, 320));
            @if item.kind == Kind::Video { span.badge aria-hidden="true" { "▶" } }
        }
    }
}

/// What a picture is, for those who do not see it.
fn told(item: &LibraryItem) -> String {
    let kind = if item.kind == Kind::Video { ", video" } else { "" };
    match item.taken_at {
        Some(taken) => format!("{}{kind}, {}", item.name, taken.strftime("%-d %b %Y")),
        None => format!("{}{kind}", item.name),
    }
}

/// The address of a thumbnail. It is another one when the bytes are others, so a browser keeps it.
fn thumbnail(plan: PlanId, item: &LibraryItem, pixels: u16) -> String {
    let hash = item.sha256.to_string();
    format!("{BASE}/plans/{plan}/items/{}/thumbnail?size={pixels}&v={}", item.id.0, &hash[..8])
}

/// Where the list goes on.
fn further(look: &Look, found: &LibraryPage) -> Markup {
    html! {
        nav.further aria-label="Pages" {
            @if !look.cursor.is_empty() {
                a.button.second href=(look.address("/library", |look| look.cursor.clear())) { "Back to the beginning" }
            }
            @if let Some(next) = &found.next {
                @if found.items.is_empty() { p.soft { "Nothing was found so far; there is more to look through." } }
                a.button.second rel="next" data-next="" href=(look.address("/library", |look| look.cursor = paging::cursor(&next.to_string()))) {
                    "Show more"
                }
            }
        }
    }
}

async fn albums(page: PageOf, State(app): State<App>, Query(mut look): Query<Look>) -> Result<Page, Failing> {
    let engine = app.engine();
    let (plans, Some(plan)) = plans(engine, &look.plan).await? else { return Ok(nothing_yet(&page)) };
    look.plan = plan.id.to_string();
    let albums = engine.library_albums(plan.id).await?;
    let cover = |item: ItemId| format!("{BASE}/plans/{}/items/{}/thumbnail?size=320", plan.id, item.0);
    let content = html! {
        h1 { "Albums" }
        (parts(&plans, &plan, &look, "albums"))
        p.soft {
            "The albums of the account, as the last backup that listed them saw them, and those into which Charon has put items. Counted is "
            "what is home; what the account itself shows is in " a href={ "/storages/" (plan.storage_id) "/browse/albums" } { "the storage" } "."
        }
        @if albums.is_empty() {
            p.notice {
                "No album is known. A backup plan that keeps albums or sidecars lists those of the account, and an upload plan with an album \
                 makes one known."
            }
        }
        ul.albums {
            @for album in &albums {
                li {
                    a href=(look.address("/library", |look| look.album.clone_from(&album.id.0))) {
                        @if let Some(item) = album.cover {
                            img loading="lazy" decoding="async" width="320" height="320" alt="" src=(cover(item));
                        } @else { span.blank {} }
                        strong { (album.title) }
                        span.soft { (counted(album.items, "item", "items")) }
                    }
                }
            }
        }
    };
    Ok(page.titled("Albums", Section::Library, &content))
}
