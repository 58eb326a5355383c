//! `GET /healthz`: whether the scheduler turns and the database answers. Anybody is told whether; why not, only those of this machine
//! and those who are known.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use charon_engine::Engine;
use serde_json::json;

use crate::access::{Caller, Who};

pub(crate) async fn answer(
    State(engine): State<Engine>,
    Extension(caller): Extension<Caller>,
    who: Option<Extension<Who>>,
    headers: HeaderMap,
) -> Response {
    let may_know = caller.is_local || who.is_some();
    let told =
        |unwell: charon_engine::Unwell| if may_know { unwell.to_string() } else { "unwell".to_owned() };
    let unwell = engine.health().await.err().map(told);
    let status = if unwell.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if wants_json(accept) {
        let body = match unwell {
            None => json!({ "status": "ok" }),
            Some(reason) if may_know => json!({ "status": "unwell", "reason": reason }),
            Some(_) => json!({ "status": "unwell" }),
        };
        return (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response();
    }
    (status, format!("{}\n", unwell.as_deref().unwrap_or("ok"))).into_response()
}

/// Whether JSON is asked for by its name, and no text rather than that.
fn wants_json<'a>(accept: impl Iterator<Item = &'a str>) -> bool {
    let (mut json, mut text) = (0.0, 0.0);
    for range in accept.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        let quality = quality.unwrap_or(0.0);
        if name.eq_ignore_ascii_case("application/json") {
            json = quality;
        } else if name.eq_ignore_ascii_case("text/plain") {
            text = quality;
        }
    }
    json > 0.0 && json >= text
}

#[cfg(test)]
mod tests {
    use super::wants_json;

    #[test]
    fn json_is_for_those_who_name_it() {
        for (accept, is_json) in [
            ("", false),
            ("*/*", false),
            ("application/json", true),
            ("Application/JSON;q=0.5", true),
            ("application/json, text/plain, */*", true),
            ("text/plain, application/json;q=0.9", false),
            ("application/json;q=0", false),
            ("application/json;q=much", false),
        ] {
            assert_eq!(wants_json([accept].into_iter()), is_json, "{accept}");
        }
    }
}
