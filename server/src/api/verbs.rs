//! Verbs of the API's own, as in `/plans/{id}:run`. The router knows whole segments alone, so the verb becomes one on the way in.

use axum::{extract::Request, http::Uri};

/// Stands between a resource and its verb in the router's paths. No id and no name of a resource begins with it.
const MARK: &str = "~";

/// A path of an endpoint as the router has it: `/plans/{id}:run` is `/plans/{id}/~run`.
pub(crate) fn as_route(path: &str) -> String {
    path.replace(':', &format!("/{MARK}"))
}

/// Turns the verb at the end of a request's path, if it is one of the API, into a segment of its own.
pub(crate) async fn rewrite(mut request: Request) -> Request {
    if let Some(uri) = rewritten(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn rewritten(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.starts_with(super::BASE) {
        return None;
    }
    let (before, last) = path.rsplit_once('/')?;
    // Who writes the router's own form finds nothing.
    if last.starts_with(MARK) {
        return Uri::builder().path_and_query(format!("{}/nothing", super::BASE)).build().ok();
    }
    let (name, verb) =
        last.split_once(':').or_else(|| last.split_once("%3A")).or_else(|| last.split_once("%3a"))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Uri::builder().path_and_query(format!("{before}/{name}/{MARK}{verb}{query}")).build().ok()
}

#[cfg(test)]
mod tests {
    use super::{as_route, rewritten};

    #[test]
    fn a_verb_becomes_a_segment() {
        for (asked, routed) in [
            ("/api/v1/plans/7:run", Some("/api/v1/plans/7/~run")),
            ("/api/v1/plans/7%3Arun?full=true", Some("/api/v1/plans/7/~run?full=true")),
            ("/api/v1/storages:test", Some("/api/v1/storages/~test")),
            ("/api/v1/plans/7/~run", Some("/api/v1/nothing")),
            ("/api/v1/plans/7", None),
            ("/plans/7:run", None),
        ] {
            let uri = asked.parse().expect("a path");
            assert_eq!(rewritten(&uri).map(|uri| uri.to_string()).as_deref(), routed, "{asked}");
        }
        assert_eq!(as_route("/plans/{id}:run"), "/plans/{id}/~run");
    }
}
