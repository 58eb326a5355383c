//! The browsers that are signed in.

use axum::{extract::State, response::Response};
use charon_engine::{Session, SessionId};
use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};

use super::{back, refuse_others};
use crate::{
    access::Audited,
    api::extract::Id,
    app::App,
    ui::{failing::Failing, layout::PageOf, words},
};

pub(super) async fn draw(
    app: &App,
    page: &PageOf,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Markup, Failing> {
    refuse_others(page)?;
    let sessions = app.engine().sessions().await?;
    let mine = page.who().session;
    Ok(html! {
        section aria-labelledby="sessions" {
            h2 #sessions { "Browsers that are signed in" }
            ul.cards {
                @for session in &sessions {
                    li.card { (one(page, session, mine == Some(session.id), now, zone)) }
                }
            }
            @if sessions.len() > 1 {
                form method="post" action="/settings/sessions" {
                    (page.csrf())
                    button.second type="submit" { "Sign all others out" }
                }
            }
        }
    })
}

fn one(page: &PageOf, session: &Session, is_mine: bool, now: Timestamp, zone: &TimeZone) -> Markup {
    let name = browser(session.user_agent.as_deref().unwrap_or_default());
    html! {
        h3 { (name) @if is_mine { " " span.state.good { "this one" } } }
        dl.facts {
            dt { "From" } dd { (session.address) }
            dt { "Came last" } dd { (words::ago(session.seen_at, now, zone)) }
            dt { "Signed in" } dd { (words::moment(session.created_at, zone)) }
        }
        @if !is_mine {
            form method="post" action={ "/settings/sessions/" (session.id) } {
                (page.csrf())
                button.danger type="submit" { "Sign out" span.visually-hidden { " " (name) } }
            }
        }
    }
}

/// A browser and its system by their names, as far as they can be told from what it calls itself.
fn browser(user_agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    // Each calls itself by the names of those before it, too.
    let name = known(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = known(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "A browser".to_owned(),
    }
}

pub(super) async fn end(
    State(app): State<App>,
    page: PageOf,
    Id(id): Id<SessionId>,
) -> Result<Response, Failing> {
    refuse_others(&page)?;
    // One that has ended meanwhile is what was wanted.
    app.engine().end_session(id).await?;
    Ok(Audited::new("end_session", Some(id.to_string())).on(back("signed-out")))
}

pub(super) async fn end_others(State(app): State<App>, page: PageOf) -> Result<Response, Failing> {
    refuse_others(&page)?;
    app.engine().end_sessions(page.who().session).await?;
    Ok(Audited::new("end all other sessions", None).on(back("others-signed-out")))
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_called_by_their_names() {
        for (user_agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.14.1", "curl"),
            ("", "A browser"),
        ] {
            assert_eq!(browser(user_agent), name);
        }
    }
}
