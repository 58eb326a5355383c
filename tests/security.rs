//! What is tried against `charon serve` by those who mean no good, and that each of it is refused.

#![cfg(unix)]

mod bodies;
mod raw;
mod traversal;

use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::{command_line::assert_failed, support::Place};
use raw::{Answer, FORM, PASSWORD, Served};

const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn a_thousand_wrong_passwords_are_refused_and_the_right_one_still_opens() {
    let place = Place::new().await;
    let served = place.serve_with_password(&[]).await;
    let (mut looked_at, mut refused, mut wait) = (0, 0, 0);
    for number in 0..1000 {
        let answer = served.log_in_from(Ipv4Addr::LOCALHOST, &format!("wrong password {number}")).await;
        match answer.status {
            401 => looked_at += 1,
            429 => {
                refused += 1;
                wait =
                    answer.field("retry-after").and_then(|wait| wait.parse().ok()).expect("how long to wait");
            }
            _ => panic!("{answer:?}"),
        }
        assert!(answer.field("set-cookie").is_none(), "{answer:?}");
    }
    // Ten in a row, and one more every ten seconds that it took.
    assert!((10..100).contains(&looked_at) && looked_at + refused == 1000, "{looked_at} and {refused}");
    // Also the right one is not looked at from there, and is from elsewhere.
    let answer = served.log_in_from(OTHER, PASSWORD).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!((1..=10).contains(&wait), "{wait}");
    let begun = Instant::now();
    let mut answer = served.log_in_from(Ipv4Addr::LOCALHOST, PASSWORD).await;
    while answer.status == 429 && begun.elapsed() < Duration::from_secs(15) {
        let seconds =
            answer.field("retry-after").and_then(|wait| wait.parse().ok()).expect("how long to wait");
        sleep(Duration::from_secs(seconds)).await;
        answer = served.log_in_from(Ipv4Addr::LOCALHOST, PASSWORD).await;
    }
    assert_eq!(answer.status, 303, "{answer:?}");
    // It is in the audit log, each wrong one and no more.
    let log = entries(&served).await;
    let wrong = log.iter().filter(|entry| entry["action"] == "wrong password").count();
    assert_eq!(wrong, looked_at);
    assert!(log.iter().any(|entry| entry["action"] == "signed in" && entry["address"] == "127.0.0.2"));
}

/// The newest entries of the audit log.
async fn entries(served: &Served) -> Vec<Value> {
    let (cookie, _) = served.session().await;
    let answer = served.ask("GET", "/api/v1/audit?limit=500", &[("Cookie", &cookie)], "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let place = Place::new().await;
    let served = place.serve_with_password(&[]).await;
    let (cookie, csrf) = served.session().await;
    let ours = format!("http://{}", served.address);
    let (cookie, ours) = (("Cookie", cookie.as_str()), ("Origin", ours.as_str()));
    let json = ("Content-Type", "application/json");
    let token = ("X-CSRF-Token", csrf.as_str());
    let wanted = r#"{"name": "stolen", "scope": "admin"}"#;
    let form = "name=stolen&scope=admin&days=";
    let with_token = format!("{form}&csrf={csrf}");
    for (fields, path, body) in [
        // No token, another one, one of the wrong length.
        (&[cookie, ours, json][..], "/api/v1/tokens", wanted),
        (&[cookie, ours, json, ("X-CSRF-Token", "AAAA")], "/api/v1/tokens", wanted),
        (&[cookie, ours, FORM], "/settings/tokens", form),
        (&[cookie, ours, FORM], "/settings/tokens", "name=stolen&scope=admin&days=&csrf=wrong"),
        (&[cookie, ours], "/logout", ""),
        // The right one, from elsewhere: another site, another port of this machine, a sandboxed frame, nowhere.
        (&[cookie, token, json, ("Origin", "http://evil.example")], "/api/v1/tokens", wanted),
        (&[cookie, token, json, ("Origin", "http://127.0.0.1:1")], "/api/v1/tokens", wanted),
        (&[cookie, token, json, ("Origin", "null")], "/api/v1/tokens", wanted),
        (&[cookie, token, json], "/api/v1/tokens", wanted),
        (&[cookie, FORM, ("Origin", "https://evil.example")], "/settings/tokens", &with_token),
        (&[cookie, FORM, ours, ("Sec-Fetch-Site", "cross-site")], "/settings/tokens", &with_token),
        // A form that a browser sends without asking first, and one that logs somebody in as somebody else.
        (&[cookie, ours, ("Content-Type", "text/plain")], "/api/v1/tokens", wanted),
        (&[FORM, ("Origin", "http://evil.example")], "/login", "password=correct+horse+battery"),
        (&[FORM, ("Sec-Fetch-Site", "cross-site")], "/setup", "password=of+theirs&again=of+theirs"),
    ] {
        let answer = served.ask("POST", path, fields, body).await;
        assert_eq!(answer.status, 403, "{path} {fields:?}: {answer:?}");
        assert!(answer.field("set-cookie").is_none(), "{answer:?}");
    }
    let made = served.ask("GET", "/api/v1/tokens", &[cookie], "").await;
    assert_eq!(
        made.json()["items"],
        serde_json::json!([]),
        "nothing was changed, and the session is still there"
    );
    // With everything as it should be, it works.
    let answer = served.ask("POST", "/api/v1/tokens", &[cookie, ours, json, token], wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let log = entries(&served).await;
    let refused = log.iter().filter(|entry| entry["detail"]["status"] == 403);
    assert!(refused.count() >= 12, "what was tried in the session's name is in the log: {log:#?}");
}

#[tokio::test]
async fn another_name_is_not_answered_to_and_no_other_site_may_read() {
    let place = Place::new().await;
    let served = place.serve_with_password(&["--public-url", "https://photos.example"]).await;
    for (host, status) in [
        ("evil.example", 421),
        ("photos.example.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("0.0.0.0", 421),
        ("evil@localhost", 421),
        ("", 421),
        ("localhost", 200),
        ("[::1]:8484", 200),
        ("photos.example", 200),
        ("photos.example:443", 200),
    ] {
        let answer =
            served.ask("GET", "/login", &[("Host", host), ("Origin", "http://evil.example")], "").await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
        assert!(answer.field("access-control-allow-origin").is_none(), "{answer:?}");
        assert_eq!(answer.field("cross-origin-resource-policy"), Some("same-origin"));
    }
    let misdirected = served.ask("GET", "/api/v1/plans", &[("Host", "evil.example")], "").await;
    assert_eq!(misdirected.status, 421, "{misdirected:?}");
    assert_problem(&misdirected);
    // Behind the proxy, what is local is not.
    let forwarded = [("Host", "photos.example"), ("X-Forwarded-For", "203.0.113.7")];
    let metrics = served.ask("GET", "/metrics", &forwarded, "").await;
    assert_eq!(metrics.status, 401, "{metrics:?}");
    let through_a_name = served.ask("GET", "/metrics", &[("X-Forwarded-For", "203.0.113.7")], "").await;
    assert_eq!(through_a_name.status, 401, "{through_a_name:?}");
    // Nor is what comes without a word of where it is from: a proxy may not say it.
    assert_eq!(served.ask("GET", "/metrics", &[], "").await.status, 401);
    let (_, read) = served.token("read").await;
    let with_token = [forwarded[0], forwarded[1], ("Authorization", read.as_str())];
    assert_eq!(served.ask("GET", "/metrics", &with_token, "").await.status, 200);
}

#[tokio::test]
async fn a_token_opens_what_its_scope_says_on_every_endpoint_and_nothing_once_it_is_revoked() {
    let place = Place::new().await;
    let served = place.serve_with_password(&[]).await;
    let document = served.ask("GET", "/api/v1/openapi.json", &[], "").await;
    assert_eq!(document.status, 200);
    let document = document.json();
    let (read_id, read) = served.token("read").await;
    let (_, run) = served.token("run").await;
    let (_, admin) = served.token("admin").await;
    let tokens = [("read", read.as_str()), ("run", run.as_str()), ("admin", admin.as_str())];
    let rank = |scope: &str| tokens.iter().position(|(known, _)| *known == scope).expect("a scope");
    let mut refusals = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let Some(needed) = operation["x-scope"].as_str() else { continue };
            let method = method.to_ascii_uppercase();
            let path = filled(path);
            let answer = served.ask(&method, &path, &[], "").await;
            assert_eq!(answer.status, 401, "{method} {path} without a token: {answer:?}");
            assert_problem(&answer);
            let forged = [("Authorization", "Bearer charon_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
            assert_eq!(served.ask(&method, &path, &forged, "").await.status, 401, "{method} {path}");
            for (scope, token) in &tokens[..rank(needed)] {
                let answer = served.ask(&method, &path, &[("Authorization", token)], "").await;
                assert_eq!(answer.status, 403, "{method} {path} with {scope}: {answer:?}");
                assert_problem(&answer);
                refusals += 1;
            }
        }
    }
    assert!(refusals > 20, "{refusals} refusals");
    // A scope that does is not refused.
    for (scope, token) in tokens {
        let answer = served.ask("GET", "/api/v1/session", &[("Authorization", token)], "").await;
        assert_eq!((answer.status, answer.json()["scope"].as_str()), (200, Some(scope)));
    }
    // No token opens a page, whatever its scope: pages are for browsers that are signed in.
    for token in [&read, &run, &admin] {
        let page = served.ask("GET", "/settings", &[("Authorization", token)], "").await;
        assert_eq!((page.status, page.body.as_str()), (303, ""), "{page:?}");
    }
    let revoked =
        served.ask("DELETE", &format!("/api/v1/tokens/{read_id}"), &[("Authorization", &admin)], "").await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
    let answer = served.ask("GET", "/api/v1/session", &[("Authorization", &read)], "").await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

/// A path with something in each of its places.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for (index, part) in path.split(['{', '}']).enumerate() {
        filled += if index % 2 == 0 { part } else { "01920000-0000-7000-8000-000000000000" };
    }
    filled
}

fn assert_problem(answer: &Answer) {
    assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(answer.json()["status"], answer.status);
}

#[tokio::test]
async fn cookies_and_headers_keep_others_out() {
    let place = Place::new().await;
    let served = place.serve_with_password(&["--public-url", "https://photos.example"]).await;
    let plain = served.log_in_from(Ipv4Addr::LOCALHOST, PASSWORD).await;
    let cookie = plain.field("set-cookie").expect("a cookie");
    for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/;"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
    // Behind TLS.
    let fields = [
        ("Host", "photos.example"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("Origin", "https://photos.example"),
        FORM,
    ];
    let secure = served.ask("POST", "/login", &fields, "password=correct+horse+battery").await;
    let cookie = secure.field("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.starts_with("__Host-charon=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax") && !cookie.contains("Domain"), "{cookie}");
    // The session is of that address, and opens nothing under the name of the plain cookie.
    let secret = cookie.split(['=', ';']).nth(1).expect("a value");
    let other_name = format!("charon-{}={secret}", served.address.port());
    let behind =
        [("Host", "photos.example"), ("X-Forwarded-For", "203.0.113.7"), ("Cookie", other_name.as_str())];
    assert_eq!(served.ask("GET", "/settings", &behind, "").await.status, 303);

    let own = cookie.split(';').next().expect("a cookie");
    let behind = [("Host", "photos.example"), ("X-Forwarded-For", "203.0.113.7"), ("Cookie", own)];
    let page = served.ask("GET", "/settings", &behind, "").await;
    assert!(page.status == 200 && page.body.contains("203.0.113.7"), "{page:?}");
    for answer in [
        &page,
        &served.ask("GET", "/api/v1/nothing", &[], "").await,
        &served.ask("GET", "/login", &[], "").await,
    ] {
        let policy = answer.field("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{name}");
        }
        assert!(answer.field("permissions-policy").is_some_and(|policy| policy.contains("camera=()")));
        assert!(!answer.body.contains("<style") && !answer.body.contains(" style="), "{}", answer.body);
        assert!(
            !answer.body.contains(" onclick=") && !answer.body.contains("javascript:"),
            "{}",
            answer.body
        );
    }
    // Who comes in goes to a page of ours, whatever the form says.
    let fields = [FORM];
    for next in ["https://evil.example", "//evil.example", "/%5Cevil.example", "%2F%2Fevil.example"] {
        let form = format!("password=correct+horse+battery&next={next}");
        let answer = served.ask("POST", "/login", &fields, &form).await;
        assert_eq!((answer.status, answer.field("location")), (303, Some("/")), "{next}: {answer:?}");
    }
}

#[tokio::test]
async fn the_password_is_set_once_by_the_first_or_by_a_file_and_opens_other_addresses() {
    let place = Place::new().await;
    let served = place.serve_as_it_is(&[], &[]).await;
    let page = served.ask("GET", "/", &[], "").await;
    assert_eq!((page.status, page.field("location")), (303, Some("/setup")));
    let form = "password=the+first+one&again=the+first+one";
    for (wrong, status) in [
        ("password=short&again=short", 422),
        ("password=the+first+one&again=another+one", 422),
        (form, 303),
        (form, 409),
    ] {
        let answer = served.ask("POST", "/setup", &[FORM], wrong).await;
        assert_eq!(answer.status, status, "{wrong}: {answer:?}");
        assert_eq!(answer.field("set-cookie").is_some(), status == 303, "{answer:?}");
    }
    let page = served.ask("GET", "/setup", &[], "").await;
    assert_eq!((page.status, page.field("location")), (303, Some("/login")));
    drop(served);

    // A file has the last word; and with a password, other addresses may be listened on.
    let file = place.path("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("a file");
    let environment = [("CHARON_ADMIN_PASSWORD_FILE", file.to_str().expect("a path"))];
    let served = place.serve_as_it_is(&["--listen", "0.0.0.0:0"], &environment).await;
    let served = Served { address: (Ipv4Addr::LOCALHOST, served.address.port()).into(), ..served };
    assert_eq!(served.log_in_from(Ipv4Addr::LOCALHOST, "the first one").await.status, 401);
    let (cookie, _) = served.session().await;
    // Any name is answered to there, and has nothing to show without a cookie.
    let other_name = [("Host", "nas.local:8484")];
    assert_eq!(served.ask("GET", "/", &other_name, "").await.field("location"), Some("/login"));
    assert_eq!(served.ask("GET", "/metrics", &other_name, "").await.status, 401);
    let health = served.ask("GET", "/healthz", &other_name, "").await;
    assert!(["ok\n", "unwell\n"].contains(&health.body.as_str()), "{health:?}");
    let (_, token) = served.token("read").await;
    let with_token = [("Authorization", token.as_str())];
    // Another password signs everybody out; tokens stay, and it says so.
    let ended = Place::give_text(&mut place.command(&["password"]), "another password\n").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!format!("{ended:?}").contains("another password"), "{ended:?}");
    assert!(format!("{ended:?}").contains("tokens that stay: 1 (--revoke-tokens revokes them)"), "{ended:?}");
    assert_eq!(served.ask("GET", "/settings", &[("Cookie", &cookie)], "").await.status, 303);
    assert_eq!(served.ask("GET", "/api/v1/session", &with_token, "").await.status, 200);
    let revoking = &mut place.command(&["password", "--revoke-tokens"]);
    let ended = Place::give_text(revoking, "another password\n").await;
    assert!(ended.code == Some(0) && format!("{ended:?}").contains("tokens revoked: 1"), "{ended:?}");
    assert_eq!(served.ask("GET", "/api/v1/session", &with_token, "").await.status, 401);
    drop(served);

    let place = Place::new().await;
    for arguments in
        [&["serve", "--listen", "0.0.0.0:0"][..], &["serve", "--public-url", "https://photos.example"]]
    {
        let ended = place.charon(arguments).await;
        assert_failed(
            &ended,
            2,
            &["there is no password yet", "charon password", "CHARON_ADMIN_PASSWORD_FILE"],
        );
    }
    let ended = Place::give_text(&mut place.command(&["password"]), "short\n").await;
    assert_failed(&ended, 2, &["password: is too short"]);
}
