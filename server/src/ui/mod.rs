//! The web UI: pages that the server renders. Each file is one page, or a few that belong together; `layout` is the frame around
//! them, `words` says numbers and times as people read them, `failing` what could not be done.
//!
//! A page works without JavaScript: links are links, and what changes something is a form that posts and is answered with a
//! redirect (303) or with the page and what is wrong in it. `assets/charon.js` adds what has to be live.
//!
//! ```text
//! async fn show(page: PageOf, State(app): State<App>, Id(plan): Id<PlanId>) -> Result<Markup, Failing> {
//!     let plan = app.engine().plan_by_id(plan).await?;
//!     Ok(page.titled(&plan.name, Section::Plans, html! { … }))
//! }
//! ```
//!
//! [`layout::PageOf`] as an argument lets only those in who are logged in (others are sent to `/login`), and draws the frame.

mod api;
pub(crate) mod assets;
mod browse;
mod budget;
mod charts;
mod consenting;
mod dashboard;
mod drafting;
pub(crate) mod failing;
pub(crate) mod form;
pub(crate) mod layout;
mod library;
mod login;
mod mirror;
mod notifications;
mod plans;
mod runs;
mod send;
mod settings;
mod stages;
mod states;
mod storages;
mod strip;
mod table;
pub(crate) mod words;

use axum::{Router, middleware::from_fn, routing::get};

use crate::app::App;

/// The UI's part of the router.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .merge(assets::router())
        .merge(login::router())
        .merge(runs::router())
        .merge(settings::router())
        .merge(plans::router())
        .merge(mirror::router())
        .merge(library::router())
        .merge(browse::router())
        .merge(storages::router())
        .merge(api::router())
        .merge(budget::router())
        .merge(notifications::router())
        .merge(send::router())
        .route("/", get(dashboard::show))
        .layer(from_fn(failing::as_page))
}
