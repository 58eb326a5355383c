//! Verbs of the API's own, as in `/plans/{id}:run`. The router knows whole segments alone, so the verb becomes one on the way in.

use std::sync::LazyLock;

use axum::{extract::Request, http::Uri};

/// Stands between a resource and its verb in the router's paths. No id and no name of a resource begins with it.
const MARK: &str = "~";

/// A path of an endpoint as the router has it: `/plans/{id}:run` is `/plans/{id}/~run`.
pub(crate) fn as_route(path: &str) -> String {
    path.replace(':', &format!("/{MARK}"))
}

/// The path that was asked for, among the extensions of a request whose verb became a segment.
#[derive(Clone, Debug)]
pub(crate) struct AskedFor(pub(crate) String);

/// Turns the verb at the end of a request's path, if it is one of the API, into a segment of its own.
pub(crate) async fn rewrite(mut request: Request) -> Request {
    if let Some(uri) = rewritten(request.uri()) {
        let asked = AskedFor(request.uri().path().to_owned());
        request.extensions_mut().insert(asked);
        *request.uri_mut() = uri;
    }
    request
}

fn rewritten(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_prefix(super::BASE)?;
    let (before, last) = path.rsplit_once('/')?;
    let is_verb = |of: &str, verb: &str| VERBS.iter().any(|known| known.verb == verb && known.is_of(of));
    // Who writes the router's own form finds nothing.
    if last.strip_prefix(MARK).is_some_and(|verb| is_verb(before, verb)) {
        return Uri::builder().path_and_query(format!("{}/nothing", super::BASE)).build().ok();
    }
    let parted = [":", "%3A", "%3a"].into_iter().filter_map(|colon| last.rsplit_once(colon));
    let (name, verb) = parted.min_by_key(|(_, verb)| verb.len())?;
    let before = format!("{before}/{name}");
    if !is_verb(&before, verb) {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Uri::builder().path_and_query(format!("{}{before}/{MARK}{verb}{query}", super::BASE)).build().ok()
}

/// A verb that there is, and what it is one of: `/plans/{id}` and `run`.
struct Verb {
    of: &'static str,
    verb: &'static str,
}

/// All of them. A colon that stands before anything else is a part of a name.
static VERBS: LazyLock<Vec<Verb>> = LazyLock::new(|| {
    let endpoints = super::resources().into_iter().flat_map(|(_, _, endpoints)| endpoints);
    endpoints
        .filter_map(|endpoint| endpoint.path.rsplit_once(':'))
        .map(|(of, verb)| Verb { of, verb })
        .collect()
});

impl Verb {
    fn is_of(&self, path: &str) -> bool {
        let (mut known, mut asked) = (self.of.split('/'), path.split('/'));
        let is_same = |known: &str, asked: &str| known.starts_with('{') || known == asked;
        loop {
            match (known.next(), asked.next()) {
                (None, None) => return true,
                (Some(known), Some(asked)) if is_same(known, asked) => {}
                _ => return false,
            }
        }
    }
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
            ("/api/v1/storages/7%3atest", Some("/api/v1/storages/7/~test")),
            // What is no verb there is a part of a name.
            ("/api/v1/storages/7/items/takeout:8", None),
            ("/api/v1/storages/7/items/takeout:test", None),
            ("/api/v1/storages/7/items/takeout%3A8", None),
            ("/api/v1/storages/7:run", None),
            ("/api/v1/storages:delete", None),
            ("/api/v1/storages/7/items/~run", None),
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
