//! `/`: whether the photos are safe.

use maud::html;

use super::{
    failing::Failing,
    layout::{Page, PageOf, Section},
};

pub(crate) async fn show(page: PageOf) -> Result<Page, Failing> {
    Ok(page.titled("Dashboard", Section::Dashboard, &html! { h1 { "Dashboard" } }))
}
