//! `/library/{plan}/{item}`: one item, what is known of it, and where it is.

use axum::extract::State;
use charon_engine::{Fidelity, ItemDetails, Kind, PlanId, StoredPart};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

use super::{encoded, told};
use crate::{
    api::{BASE, library::ItemOf},
    app::App,
    ui::{
        failing::Failing,
        layout::{Page, PageOf, Section},
        words,
    },
};

pub(super) async fn show(
    page: PageOf,
    State(app): State<App>,
    ItemOf { plan, item }: ItemOf,
) -> Result<Page, Failing> {
    let engine = app.engine();
    let details = engine.library_item(plan, item).await?;
    let zone = app.time_zone().await;
    let item = &details.item;
    let original = format!("{BASE}/plans/{plan}/items/{}/original", item.id.0);
    let content = html! {
        nav.between aria-label="Items before and after" {
            @if let Some(newer) = details.newer { a rel="prev" data-key="ArrowLeft" href={ "/library/" (plan) "/" (newer.0) } { "← Newer" } }
            a href={ "/library?plan=" (plan) @if let Some(taken) = item.taken_at { "&month=" (taken.strftime("%Y-%m")) } } { "In the timeline" }
            @if let Some(older) = details.older { a rel="next" data-key="ArrowRight" href={ "/library/" (plan) "/" (older.0) } { "Older →" } }
        }
        h1 { (item.name) }
        figure.picture {
            @if item.kind == Kind::Video {
                video controls preload="metadata" width="1280" height="960" aria-label=(told(item))
                    poster=(super::thumbnail(plan, item, 1280)) src=(original) {}
            } @else {
                a href=(original) {
                    img width="1280" height="960" alt=(told(item)) src=(super::thumbnail(plan, item, 1280));
                }
            }
        }
        div.actions {
            a.button href={ (original) "?download=true" } download { "Download" }
            // A file that is opened alone has no cookie to ask for its parts with, so a video is played here.
            @if item.kind != Kind::Video { a.button.second href=(original) { "Open the file" } }
        }
        (facts(&details, engine.now(), &zone))
        (places(plan, &details, &zone))
    };
    Ok(page.titled(&item.name, Section::Library, &content))
}

fn facts(details: &ItemDetails, now: Timestamp, zone: &TimeZone) -> Markup {
    let item = &details.item;
    let whole = details.parts.iter().find(|part| !part.is_clip);
    html! {
        section.card {
            h2 { "What it is" }
            dl.facts {
                dt { "Taken" }
                dd { @match item.taken_at { Some(taken) => { (words::moment(taken, &TimeZone::UTC)) " UTC" }, None => "nobody knows when" } }
                dt { "Type" } dd { (if item.mime_type.is_empty() { "not known" } else { &item.mime_type }) }
                dt { "Size" } dd { (words::bytes(item.size)) }
                dt { "Fidelity" }
                dd {
                    @match item.fidelity {
                        Fidelity::Original => {
                            span.state.good { "original" } " The very bytes that were uploaded or taken."
                        }
                        Fidelity::ApiCopy => {
                            span.state.warn { "copy from the API" }
                            " Google gives its own copy here: it strips the location from photos and encodes anew. It is not the file that was taken."
                        }
                    }
                }
                dt { "Stored" } dd { (words::moment(item.stored_at, zone)) }
                dt { "Verified" } dd { @if let Some(whole) = whole { (verified(whole, now, zone)) } }
                dt { "SHA-256" } dd { code { (item.sha256) } }
            }
        }
    }
}

/// Whether a file was read again, and what is wrong with it.
fn verified(part: &StoredPart, now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        @if let Some(damage) = part.damage {
            span.state.bad { (damage) } " The next run of the plan fetches it again, if the account still holds it. "
        }
        @match part.verified_at {
            Some(at) => {
                @if part.damage.is_some() { "It was as it was stored " } @else { "It is as it was stored: read again " }
                (words::ago(at, now, zone)) "."
            },
            None if part.damage.is_none() => "not verified yet",
            None => {},
        }
    }
}

fn places(plan: PlanId, details: &ItemDetails, zone: &TimeZone) -> Markup {
    html! {
        section.card {
            h2 { "Where it is" }
            dl.facts {
                @for part in &details.parts {
                    dt { @if part.is_clip { "Its clip in the mirror" } @else { "In the mirror" } }
                    dd {
                        code { (part.path) }
                        @if part.is_clip {
                            " (" (words::bytes(part.size)) ")"
                            @if let Some(damage) = part.damage { " " span.state.bad { (damage) } }
                        }
                    }
                }
                @for mirror in &details.mirrors {
                    dt { "In the mirror of " (mirror.name) }
                    dd { a href={ "/library/" (mirror.plan) "/" (details.item.id.0) } { code { (mirror.path) } } }
                }
                @for holder in &details.storages {
                    dt { "In " (holder.name) }
                    dd {
                        "since " (words::moment(holder.first_seen_at, zone)) " at the latest, as "
                        code { (holder.media_id.0) }
                    }
                }
                @if !details.albums.is_empty() {
                    dt { "Albums" }
                    dd {
                        @for (position, album) in details.albums.iter().enumerate() {
                            @if position > 0 { ", " }
                            a href={ "/library?plan=" (plan) "&album=" (encoded(&album.id.0)) } { (album.title) }
                        }
                    }
                }
            }
        }
    }
}
