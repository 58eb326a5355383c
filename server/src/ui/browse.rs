//! `/storages/{id}/browse`: what a storage itself shows, page by page. Its pictures come through this server.

use axum::{Router, extract::State, routing::get};
use charon_engine::{AlbumId, BrowsedItem, Kind, RemoteId, StorageId};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
    library::encoded,
    words,
};
use crate::{
    api::{
        BASE,
        browse::refused,
        extract::{Id, Query},
        paging,
    },
    app::App,
};

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/storages/{id}/browse", get(items))
        .route("/storages/{id}/browse/albums", get(albums))
        .route("/storages/{id}/browse/item", get(item))
}

/// Which part of the storage is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Look {
    album: String,
    /// Its title, which the storage need not be asked for again.
    title: String,
    cursor: Option<String>,
}

/// Which item is looked at.
#[derive(Debug, Deserialize)]
struct One {
    id: String,
}

/// The storage's name; refused for one that is not there.
async fn name_of(app: &App, storage: StorageId) -> Result<String, Failing> {
    let storages = app.engine().storages().await?;
    let found = storages.into_iter().find(|known| known.id == storage);
    found.map(|storage| storage.name).ok_or_else(|| Failing::not_found("storage"))
}

fn base(storage: StorageId) -> String {
    format!("/storages/{storage}/browse")
}

/// The ways through a storage.
fn parts(storage: StorageId, name: &str, here: &str) -> Markup {
    html! {
        p { a href={ "/storages/" (storage) } { (name) } }
        nav.tabs aria-label="Parts of the storage" {
            a href=(base(storage)) aria-current=[(here == "items").then_some("page")] { "Everything" }
            a href={ (base(storage)) "/albums" } aria-current=[(here == "albums").then_some("page")] { "Albums" }
        }
    }
}

async fn items(
    page: PageOf,
    State(app): State<App>,
    Id(storage): Id<StorageId>,
    Query(look): Query<Look>,
) -> Result<Page, Failing> {
    let name = name_of(&app, storage).await?;
    let album = Some(look.album.clone()).filter(|album| !album.is_empty()).map(AlbumId);
    let from = paging::place::<String>(look.cursor.as_deref())?;
    let found = app.engine().browse_items(storage, album.as_ref(), from.as_deref()).await.map_err(refused)?;
    let title = if album.is_none() {
        format!("Everything in {name}")
    } else if look.title.is_empty() {
        "Album".into()
    } else {
        look.title.clone()
    };
    let here = |cursor: Option<String>| {
        let mut query = Vec::new();
        if !look.album.is_empty() {
            query.push(format!("album={}&title={}", encoded(&look.album), encoded(&look.title)));
        }
        query.extend(cursor.map(|cursor| format!("cursor={cursor}")));
        if query.is_empty() { base(storage) } else { format!("{}?{}", base(storage), query.join("&")) }
    };
    let content = html! {
        h1 { (title) }
        (parts(storage, &name, if album.is_none() { "items" } else { "" }))
        p.soft { "This is what the storage shows Charon now. A tick marks what is home. Every page and every picture costs a request of the day's quota." }
        @if found.items.is_empty() && found.next.is_none() {
            p.notice { "The storage shows nothing here." }
        }
        div data-more="" {
            section { ul.grid { @for item in &found.items { li { (tile(storage, item)) } } } }
        }
        nav.further aria-label="Pages" {
            @if look.cursor.is_some() { a.button.second href=(here(None)) { "Back to the beginning" } }
            @if let Some(next) = &found.next {
                a.button.second rel="next" data-next="" href=(here(Some(paging::cursor(next)))) { "Show more" }
            }
        }
    };
    Ok(page.titled(&title, Section::Storages, &content))
}

fn tile(storage: StorageId, item: &BrowsedItem) -> Markup {
    let is_home = !item.home.is_empty();
    html! {
        a href={ (base(storage)) "/item?id=" (encoded(&item.id.0)) } {
            img loading="lazy" decoding="async" width="320" height="320" alt=(told(item)) src=(preview(storage, &item.id, 320));
            @if item.kind == Kind::Video { span.badge aria-hidden="true" { "▶" } }
            @if is_home { span.badge.home aria-hidden="true" { "✓" } }
        }
    }
}

/// What a picture is, for those who do not see it.
fn told(item: &BrowsedItem) -> String {
    let mut words = vec![if item.name.is_empty() { "without a name".to_owned() } else { item.name.clone() }];
    if item.kind == Kind::Video {
        words.push("video".into());
    }
    words.extend(item.taken_at.map(|taken| taken.strftime("%-d %b %Y").to_string()));
    words.push(if item.home.is_empty() { "not home" } else { "home" }.into());
    words.join(", ")
}

fn preview(storage: StorageId, item: &RemoteId, pixels: u16) -> String {
    format!("{BASE}/storages/{storage}/items/{}/preview?size={pixels}", encoded(&item.0))
}

async fn albums(
    page: PageOf,
    State(app): State<App>,
    Id(storage): Id<StorageId>,
    Query(look): Query<Look>,
) -> Result<Page, Failing> {
    let name = name_of(&app, storage).await?;
    let from = paging::place::<String>(look.cursor.as_deref())?;
    let found = app.engine().browse_albums(storage, from.as_deref()).await.map_err(refused)?;
    let title = format!("Albums in {name}");
    let content = html! {
        h1 { (title) }
        (parts(storage, &name, "albums"))
        @if found.items.is_empty() && found.next.is_none() {
            p.notice { "The storage shows Charon no albums. Google shows only those that the same client has made." }
        }
        ul.albums {
            @for album in &found.items {
                li {
                    a href={ (base(storage)) "?album=" (encoded(&album.id.0)) "&title=" (encoded(&album.title)) } {
                        @if let Some(cover) = &album.cover {
                            img loading="lazy" decoding="async" width="320" height="320" alt="" src=(preview(storage, cover, 320));
                        } @else { span.blank {} }
                        strong { (if album.title.is_empty() { "Without a title" } else { &album.title }) }
                        @if let Some(items) = album.items { span.soft { (words::counted(items, "item", "items")) } }
                    }
                }
            }
        }
        nav.further aria-label="Pages" {
            @if look.cursor.is_some() { a.button.second href={ (base(storage)) "/albums" } { "Back to the beginning" } }
            @if let Some(next) = &found.next {
                a.button.second rel="next" href={ (base(storage)) "/albums?cursor=" (paging::cursor(next)) } { "Show more" }
            }
        }
    };
    Ok(page.titled(&title, Section::Storages, &content))
}

async fn item(
    page: PageOf,
    State(app): State<App>,
    Id(storage): Id<StorageId>,
    Query(One { id }): Query<One>,
) -> Result<Page, Failing> {
    let name = name_of(&app, storage).await?;
    let item = app.engine().browse_item(storage, &RemoteId(id)).await.map_err(refused)?;
    let original = format!("{BASE}/storages/{storage}/items/{}/original", encoded(&item.id.0));
    let title = if item.name.is_empty() { "Item" } else { item.name.as_str() };
    let content = html! {
        h1 { (title) }
        (parts(storage, &name, ""))
        figure.picture { img width="1280" height="960" alt=(told(&item)) src=(preview(storage, &item.id, 1280)); }
        div.actions {
            a.button href={ (original) "?download=true" } download { "Download what the storage gives" }
        }
        section.card {
            h2 { "What it is" }
            dl.facts {
                dt { "Taken" }
                dd { @match item.taken_at { Some(taken) => { (words::moment(taken, &TimeZone::UTC)) " UTC" }, None => "the storage does not say" } }
                dt { "Type" } dd { (if item.mime_type.is_empty() { "not known" } else { &item.mime_type }) }
                @if let (Some(width), Some(height)) = (item.width, item.height) { dt { "Pixels" } dd { (width) " × " (height) } }
                dt { "Media id" } dd { code { (item.id.0) } }
                dt { "Home" }
                dd {
                    @if item.home.is_empty() { span.state.warn { "not home" } " No backup plan has stored it." }
                    @for home in &item.home { a href={ "/library/" (home.plan) "/" (home.item.0) } { "In the library" } " " }
                }
            }
        }
    };
    Ok(page.titled(title, Section::Storages, &content))
}
