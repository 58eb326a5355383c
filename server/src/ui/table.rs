//! Tables.

use maud::{Markup, html};

/// A table that may be wider than the page: it scrolls by itself, by the keyboard too, and says what it is.
pub(crate) fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}
