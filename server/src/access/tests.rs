//! The gate, with a router behind it that has one page and one endpoint.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::Response,
    routing::{get, post},
};
use charon_engine::{Engine, Registry, Settings};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Caller, Peer, Required, Scope, Who, gate, require, way_in};
use crate::{ServerSettings, app::App};

struct Place {
    app: App,
    /// Told once the slow change has begun; and what it waits for.
    begun: Arc<Notify>,
    may_go_on: Arc<Notify>,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new(public_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::new(folder.path().join("data"), Registry::default());
        let engine = Engine::open(settings).await.expect("an engine");
        let address: SocketAddr = "127.0.0.1:8484".parse().expect("an address");
        let settings = ServerSettings {
            public_url: public_url.map(|url| url.parse().expect("a URL")),
            ..ServerSettings::at(address)
        };
        let app = App::new(engine, address, settings, CancellationToken::new());
        Self { app, begun: Arc::default(), may_go_on: Arc::default(), _folder: folder }
    }

    async fn send(&self, request: Request) -> Response {
        let endpoint =
            |scope, operation| from_fn_with_state(Required { scope, operation, changes: true }, require);
        let looks = Required { scope: Scope::Read, operation: "look", changes: false };
        let whoami = |caller: Extension<Caller>, who: Option<Extension<Who>>| async move {
            format!(
                "{} from {} local {}",
                who.map_or("nobody".into(), |who| who.0.name),
                caller.words(),
                caller.is_local
            )
        };
        let (begun, may_go_on) = (Arc::clone(&self.begun), Arc::clone(&self.may_go_on));
        let slow = || async move {
            begun.notify_one();
            may_go_on.notified().await;
        };
        let router = Router::new()
            .route("/api/v1/slow", post(slow).layer(endpoint(Scope::Run, "change_slowly")))
            .route("/page", get(whoami).post(|body: String| async move { body }))
            .route("/api/v1/things", get(whoami).layer(endpoint(Scope::Read, "list_things")))
            .route("/api/v1/things/7", post(whoami).layer(endpoint(Scope::Run, "change_thing")))
            .route("/api/v1/looked", post(whoami).layer(from_fn_with_state(looks, require)))
            .layer(from_fn_with_state(self.app.clone(), gate));
        TowerToHyperService::new(router).call(request).await.expect("an answer")
    }

    /// Asks with these header fields.
    async fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if !fields.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost:8484");
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body)).expect("a request");
        request.extensions_mut().insert(Peer("127.0.0.1:4711".parse().expect("an address")));
        self.send(request).await
    }

    /// What the audit log has: who, what, to what, and what came of it.
    async fn audited(&self) -> Vec<(String, String, Option<String>, u64)> {
        let entries = self.app.engine().audit_entries(None, 100).await.expect("entries");
        let row = |entry: charon_engine::AuditEntry| {
            let status = entry.detail["status"].as_u64().expect("a status");
            (entry.who, entry.action, entry.target, status)
        };
        entries.into_iter().map(row).collect()
    }
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 100_000).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("a text")
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let place = Place::new(None).await;
    let make = |name: &'static str, scope| place.app.engine().create_token(name, scope, None);
    let read = make("reader", Scope::Read).await.expect("a token");
    let run = make("runner", Scope::Run).await.expect("a token");
    let bearer = |secret: &secrecy::SecretString| format!("Bearer {}", secret.expose_secret());
    let (read_secret, run_secret) = (bearer(&read.secret), bearer(&run.secret));
    for (authorization, looks, changes) in [
        ("", 401, 401),
        ("Bearer", 401, 401),
        ("Bearer charon_nothing", 401, 401),
        ("Basic YWRtaW46cGFzc3dvcmQ=", 401, 401),
        (&read_secret, 200, 403),
        (&run_secret, 200, 200),
        (&run_secret.replace("Bearer", "bearer"), 200, 200),
    ] {
        let fields = [("authorization", authorization)];
        let looked = place.ask("GET", "/api/v1/things", &fields, "").await;
        assert_eq!(looked.status(), looks, "{authorization}");
        let changed = place.ask("POST", "/api/v1/things/7", &fields, "").await;
        assert_eq!(changed.status(), changes, "{authorization}");
        if changes != 200 {
            assert_eq!(changed.headers()[header::CONTENT_TYPE], "application/problem+json");
        }
    }
    // Nobody is not in the log; one who may not is.
    let target = Some("/api/v1/things/7".to_owned());
    let expected = [("token runner", 200), ("token runner", 200), ("token reader", 403)];
    let expected: Vec<_> = expected
        .map(|(who, status)| (who.to_owned(), "change_thing".to_owned(), target.clone(), status))
        .into();
    assert_eq!(place.audited().await, expected);
    // Who only looks is not written down, and who is refused again and again not each time.
    let fields = [("authorization", read_secret.as_str())];
    assert_eq!(place.ask("POST", "/api/v1/looked", &fields, "").await.status(), 200);
    for _ in 0..100 {
        assert_eq!(place.ask("POST", "/api/v1/things/7", &fields, "").await.status(), 403);
    }
    let log = place.app.engine().audit_entries(None, 100).await.expect("entries");
    let times = |entry: &charon_engine::AuditEntry| {
        entry.detail.get("times").map_or(1, |times| times.as_u64().expect("a number"))
    };
    let refused: Vec<u64> = log.iter().filter(|entry| entry.who == "token reader").map(times).collect();
    assert_eq!((refused.len(), refused.iter().sum::<u64>()), (22, 64), "{log:?}");
    assert!(log.iter().all(|entry| entry.action == "change_thing"), "{log:?}");
    place.app.engine().revoke_token(run.token.id).await.expect("revoked");
    let fields = [("authorization", run_secret.as_str())];
    assert_eq!(place.ask("GET", "/api/v1/things", &fields, "").await.status(), 401);
}

#[tokio::test]
async fn a_session_changes_something_from_pages_of_ours_alone() {
    let place = Place::new(None).await;
    let opened = place.app.engine().open_session("127.0.0.1", None).await.expect("a session");
    let cookie = format!("other=1; charon-8484={}", opened.secret.expose_secret());
    let csrf = opened.csrf.expose_secret();
    let (cookie, ours) = (("cookie", cookie.as_str()), ("origin", "http://localhost:8484"));
    let token = ("x-csrf-token", csrf);
    assert_eq!(text(place.ask("GET", "/page", &[cookie], "").await).await, "admin from 127.0.0.1 local true");
    for (fields, status) in [
        (&[cookie, ours, token][..], 200),
        (&[cookie, ours, token, ("sec-fetch-site", "same-origin")], 200),
        (&[cookie, ours], 403),
        (&[cookie, ours, ("x-csrf-token", "wrong")], 403),
        (&[cookie, token], 403),
        (&[cookie, token, ("origin", "http://evil.example")], 403),
        (&[cookie, token, ("origin", "http://localhost:3000")], 403),
        (&[cookie, token, ("origin", "null")], 403),
        (&[cookie, token, ours, ("sec-fetch-site", "cross-site")], 403),
        // A page that anybody may post to, but not from elsewhere.
        (&[], 200),
        (&[("origin", "http://evil.example")], 403),
    ] {
        let answer = place.ask("POST", "/page", fields, "").await;
        assert_eq!(answer.status(), status, "{fields:?}");
    }
    // The field of a form does as well, and the form comes through whole.
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body: &'static str = Box::leak(format!("a=1&csrf={csrf}&b=2").into_boxed_str());
    let answer = place.ask("POST", "/page", &[cookie, ours, form], body).await;
    assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, body));
    let answer = place.ask("POST", "/page", &[cookie, ours, form], "a=1&csrf=wrong").await;
    assert_eq!(answer.status(), 403);
    place.app.engine().end_session(opened.session.id).await.expect("ended");
    assert_eq!(
        text(place.ask("GET", "/page", &[cookie], "").await).await,
        "nobody from 127.0.0.1 local true"
    );
}

#[tokio::test]
async fn what_was_begun_comes_to_its_end_and_into_the_log_though_the_client_is_gone() {
    let place = Place::new(None).await;
    let token = place.app.engine().create_token("phone", Scope::Run, None).await.expect("a token");
    let authorization = format!("Bearer {}", token.secret.expose_secret());
    let fields = [("authorization", authorization.as_str())];
    let mut asking = Box::pin(place.ask("POST", "/api/v1/slow", &fields, ""));
    tokio::select! {
        () = place.begun.notified() => {}
        _ = &mut asking => panic!("it waits until it may go on"),
    }
    drop(asking);
    place.may_go_on.notify_one();
    let written = async {
        while place.audited().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), written).await.expect("it is in the log");
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_the_clients_and_nothing_is_local() {
    let behind = Place::new(Some("https://photos.example")).await;
    let direct = Place::new(None).await;
    let forwarded = ("x-forwarded-for", "198.51.100.1, 203.0.113.7");
    let ask = async |place: &Place, fields: &[(&str, &str)]| {
        text(place.ask("GET", "/page", fields, "").await).await
    };
    assert_eq!(ask(&behind, &[forwarded]).await, "nobody from 203.0.113.7 local false");
    // One that does not say for whom it asks would make everybody local.
    assert_eq!(ask(&behind, &[]).await, "nobody from 127.0.0.1 local false");
    assert_eq!(ask(&direct, &[]).await, "nobody from 127.0.0.1 local true");
    for field in ["x-forwarded-for", "x-forwarded-proto", "x-real-ip", "forwarded", "cf-connecting-ip", "via"]
    {
        assert_eq!(ask(&direct, &[(field, "x")]).await, "nobody from 127.0.0.1 local false", "{field}");
    }
}

#[tokio::test]
async fn a_cookie_is_secure_where_the_browser_asks_for_the_public_address_and_plain_elsewhere() {
    let behind = Place::new(Some("https://photos.example")).await;
    let opened = behind.app.engine().open_session("203.0.113.7", None).await.expect("a session");
    let secret = opened.secret.expose_secret();
    let (secure, plain) = (format!("__Host-charon={secret}"), format!("charon-8484={secret}"));
    let public = ("host", "photos.example");
    let at_home = ("host", "192.168.1.5:8484");
    let origin = ("origin", "https://photos.example");
    for (fields, is_secure) in [
        (&[public, origin][..], true),
        (&[public], true),
        // A proxy that does not hand on the name that was asked for.
        (&[("host", "127.0.0.1:8484"), origin], true),
        (&[at_home, ("origin", "http://192.168.1.5:8484")], false),
        (&[("host", "localhost:8484")], false),
        (&[("host", "photos.example.evil.example")], false),
    ] {
        let headers = fields.iter().map(|(name, value)| {
            let name: axum::http::HeaderName = name.parse().expect("a name");
            (name, value.parse().expect("a value"))
        });
        let set = super::cookie::set(&behind.app, &headers.collect(), &opened.secret);
        let set = set.to_str().expect("a text").to_owned();
        assert_eq!(set.starts_with(&secure) && set.ends_with("; Secure"), is_secure, "{fields:?}: {set}");
        assert_eq!(set.starts_with(&plain) && !set.contains("Secure"), !is_secure, "{fields:?}: {set}");
    }
    for (host, cookie, who) in [
        (public, &secure, "admin"),
        (public, &plain, "nobody"),
        (at_home, &plain, "admin"),
        (("host", "127.0.0.1:8484"), &secure, "admin"),
    ] {
        let answer = text(behind.ask("GET", "/page", &[host, ("cookie", cookie)], "").await).await;
        assert!(answer.starts_with(who), "{host:?} {cookie}: {answer}");
    }
}

#[tokio::test]
async fn one_who_is_not_known_sets_the_first_password_or_logs_in() {
    let place = Place::new(None).await;
    let way_of = async |asked: axum::http::request::Builder| {
        let (asked, ()) = asked.body(()).expect("a request").into_parts();
        way_in(&place.app, &asked).await.expect("a way")
    };
    let way = async |asked: &str| way_of(axum::http::Request::get(asked)).await;
    assert_eq!(way("/runs?plan=7").await, "/setup");
    place.app.engine().set_first_password(&"correct horse".into()).await.expect("set");
    assert_eq!(way("/").await, "/login");
    assert_eq!(way("/runs?plan=7&x=a%20b").await, "/login?next=%2Fruns%3Fplan%3D7%26x%3Da%2520b");
    // What was to be done is done by nobody; the page with its button is shown.
    let pressed = || axum::http::Request::post("/plans/7/run");
    assert_eq!(way_of(pressed()).await, "/login");
    let from = pressed().header("referer", "http://evil.example//elsewhere.example/x?y=1");
    assert_eq!(way_of(from).await, "/login?next=%2F%2Felsewhere.example%2Fx%3Fy%3D1");
    let from = pressed().header("referer", "http://127.0.0.1:8484/plans/7?told=added");
    assert_eq!(way_of(from).await, "/login?next=%2Fplans%2F7%3Ftold%3Dadded");
}
