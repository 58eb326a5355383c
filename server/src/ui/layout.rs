//! The frame around every page.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

use super::{
    assets::{CSS_PATH, ICON_PATH, JS_PATH},
    failing::Failing,
};
use crate::{
    access::{self, Who},
    app::App,
};

/// The part of the UI that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Dashboard,
    Storages,
    Plans,
    Runs,
    Library,
    Budget,
    Settings,
}

const SECTIONS: [(Section, &str, &str); 7] = [
    (Section::Dashboard, "/", "Dashboard"),
    (Section::Library, "/library", "Library"),
    (Section::Plans, "/plans", "Plans"),
    (Section::Runs, "/runs", "Runs"),
    (Section::Storages, "/storages", "Storages"),
    (Section::Budget, "/budget", "Budget"),
    (Section::Settings, "/settings", "Settings"),
];

/// A page for one who is logged in. As an argument of a handler it sends all others to log in first.
#[derive(Debug)]
pub(crate) struct PageOf {
    who: Who,
}

impl FromRequestParts<App> for PageOf {
    type Rejection = Failing;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failing> {
        // Pages are for browsers: a token has its scope at the API alone.
        match access::who(&parts.extensions).and_then(Self::of) {
            Some(page) => Ok(page),
            None => Err(Failing::Elsewhere(access::way_in(app, parts).await?)),
        }
    }
}

impl Section {
    /// The one that a path is in.
    pub(crate) fn of(path: &str) -> Self {
        let is_within =
            |of: &str| path == of || path.strip_prefix(of).is_some_and(|rest| rest.starts_with('/'));
        let found = SECTIONS.iter().find(|(_, of, _)| is_within(of));
        found.map_or(Self::Dashboard, |(section, ..)| *section)
    }
}

impl PageOf {
    /// A page for one who asks, if they are logged in.
    pub(crate) fn of(who: &Who) -> Option<Self> {
        who.session.is_some().then(|| Self { who: who.clone() })
    }

    /// Who looks at it.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// The hidden field that every form that posts has.
    pub(crate) fn csrf(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.who.csrf.as_deref().unwrap_or_default()); }
    }

    /// The page.
    pub(crate) fn titled(&self, title: &str, here: Section, content: &Markup) -> Page {
        let frame = html! {
            header.top {
                a.brand href="/" { img src=(*ICON_PATH) alt="" width="24" height="24"; span { "Charon" } }
                nav aria-label="Main" {
                    ul {
                        @for (section, path, name) in SECTIONS {
                            li { a href=(path) aria-current=[(section == here).then_some("page")] { (name) } }
                        }
                    }
                }
                form.logout method="post" action="/logout" {
                    (self.csrf())
                    button.quiet type="submit" { "Log out" }
                }
            }
            main id="content" tabindex="-1" { (content) }
        };
        document(title, &frame, self.who.csrf.as_deref())
    }
}

/// A page without the navigation: for logging in, and for what went wrong.
pub(crate) fn bare(title: &str, content: &Markup) -> Page {
    let frame = html! {
        header.top { a.brand href="/" { img src=(*ICON_PATH) alt="" width="24" height="24"; span { "Charon" } } }
        main.narrow id="content" tabindex="-1" { (content) }
    };
    document(title, &frame, None)
}

fn document(title: &str, frame: &Markup, csrf: Option<&str>) -> Page {
    Page(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(csrf) = csrf { meta name="csrf" content=(csrf); }
                title { (title) " · Charon" }
                link rel="icon" href=(*ICON_PATH) type="image/svg+xml";
                link rel="stylesheet" href=(*CSS_PATH);
                script src=(*JS_PATH) defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                (frame)
            }
        }
    })
}

/// A whole page.
#[derive(Debug)]
pub(crate) struct Page(Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Html(self.0.into_string()).into_response()
    }
}
