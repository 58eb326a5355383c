//! The style sheet, the script and the icon. Their addresses carry their content's hash, so that a browser keeps them for as long as
//! they are the same.

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};

use crate::{api::etag::ETag, app::App};

const CSS: &str = include_str!("../assets/charon.css");
const JS: &str = include_str!("../assets/charon.js");
const ICON: &str = include_str!("../assets/charon.svg");

/// Where the style sheet is.
pub(crate) static CSS_PATH: LazyLock<String> = LazyLock::new(|| path("css", CSS));
/// Where the script is.
pub(crate) static JS_PATH: LazyLock<String> = LazyLock::new(|| path("js", JS));
/// Where the icon is.
pub(crate) static ICON_PATH: LazyLock<String> = LazyLock::new(|| path("svg", ICON));

fn path(extension: &str, text: &str) -> String {
    format!("/assets/charon-{}.{extension}", ETag::of(text).0)
}

pub(crate) fn router() -> Router<App> {
    let asset = |media_type: &'static str, text: &'static str| {
        get(move || async move {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
                (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
            ];
            (headers, text).into_response()
        })
    };
    Router::new()
        .route(&CSS_PATH, asset("text/css; charset=utf-8", CSS))
        .route(&JS_PATH, asset("text/javascript; charset=utf-8", JS))
        .route(&ICON_PATH, asset("image/svg+xml", ICON))
        .route("/favicon.ico", asset("image/svg+xml", ICON))
}
