//! The table of what Google says and what it means.

use std::time::Duration;

use bytes::Bytes;
use charon_provider::{Class, Error, Reason};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use super::{Subject, item_status, refused, unanswered, unreadable};
use crate::http::{Answer, Trouble};

const DAILY: &str = "Quota exceeded for quota metric 'All requests' and limit 'All requests per day' of service \
                     'photoslibrary.googleapis.com' for consumer 'project_number:844831818923'.";
const PER_MINUTE: &str = "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per user' of \
                          service 'photoslibrary.googleapis.com' for consumer 'project_number:1'.";
const CONCURRENT: &str =
    "Quota exceeded for quota 'concurrent write request' of service 'photoslibrary.googleapis.com'.";
const STORAGE: &str = "The remaining storage in the user's account is not enough to perform this operation.";
const DISABLED: &str = "Photos Library API has not been used in project 5 before or it is disabled. Enable it by visiting \
    https://console.developers.google.com/apis/api/photoslibrary.googleapis.com/overview?project=5 then retry. If you \
    enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.";
const SCOPES: &str = "Request had insufficient authentication scopes.";
const PAGE: &str =
    "<html>Your client does not have permission to get URL /lr/secret-address=d from this server.</html>";

fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        content_type: content_type.to_owned(),
        retry_after: None,
        headers: HeaderMap::new(),
        body: body.into(),
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    answer(status, "application/json; charset=utf-8", body.to_string())
}

fn google(status: u16, name: &str, message: &str) -> Answer {
    json_answer(status, &json!({"error": {"code": status, "message": message, "status": name}}))
}

fn judged(subject: Subject, answer: &Answer) -> Error {
    refused("do it", subject, answer, "2026-11-21T08:00:00Z".parse().unwrap())
}

#[test]
fn every_refusal_has_its_class_and_reason() {
    use Class::{Auth, Config, Destination, Item, Quota, Throttled, Transient};
    use Reason::{ListingExpired, NotFound, Other, SessionLost, StaleAddress, Unanswered, UploadToken};
    use Subject::{Album, Bytes, Commit, Library, Media, NewAlbum, NextPage, UploadSession};

    let bare = |status, code, message: &str| json_answer(status, &json!({"code": code, "message": message}));
    let page = |status| answer(status, "text/html; charset=UTF-8", PAGE);
    for (subject, answer, class, reason) in [
        // Limits.
        (Library, google(429, "RESOURCE_EXHAUSTED", DAILY), Quota, Other),
        (Commit, google(429, "RESOURCE_EXHAUSTED", DAILY), Quota, Other),
        (Media, google(429, "RESOURCE_EXHAUSTED", DAILY), Quota, Other),
        (Commit, google(429, "RESOURCE_EXHAUSTED", PER_MINUTE), Throttled, Other),
        (Commit, google(429, "RESOURCE_EXHAUSTED", CONCURRENT), Throttled, Other),
        (Bytes, bare(429, 8, "Resource has been exhausted (e.g. check quota)."), Throttled, Other),
        (Media, page(429), Throttled, Other),
        (Commit, google(409, "ABORTED", "The operation was aborted."), Throttled, Other),
        // The account.
        (
            Library,
            google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
            Auth,
            Other,
        ),
        (Bytes, bare(401, 16, "Authentication session is not defined."), Auth, Other),
        (Library, google(403, "PERMISSION_DENIED", DISABLED), Auth, Other),
        (Library, google(403, "PERMISSION_DENIED", SCOPES), Auth, Other),
        (Library, google(403, "PERMISSION_DENIED", "The caller does not have permission"), Auth, Other),
        // Storage.
        (Commit, google(400, "INVALID_ARGUMENT", STORAGE), Destination, Other),
        (Bytes, bare(429, 8, STORAGE), Destination, Other),
        // Items and albums.
        (
            Commit,
            google(400, "INVALID_ARGUMENT", "Request must contain a valid upload token."),
            Item,
            UploadToken,
        ),
        (
            Commit,
            google(400, "INVALID_ARGUMENT", "No permission to add media items to this album."),
            Config,
            Other,
        ),
        (
            Commit,
            google(
                400,
                "INVALID_ARGUMENT",
                "The album would have more than the allowed number of media items.",
            ),
            Config,
            Other,
        ),
        (Commit, google(404, "NOT_FOUND", "The provided ID does not match any albums"), Config, NotFound),
        (Album, google(404, "NOT_FOUND", "Requested entity was not found."), Config, NotFound),
        (
            Album,
            google(400, "INVALID_ARGUMENT", "Request contains an invalid media item id."),
            Item,
            NotFound,
        ),
        (Bytes, bare(400, 3, "Payload must not be empty"), Item, Other),
        (Bytes, answer(413, "text/plain", "too large"), Item, Other),
        (Library, google(400, "INVALID_ARGUMENT", "Page size must be positive"), Config, Other),
        // Passing faults; where a write may have taken effect, that is said.
        (Library, google(503, "UNAVAILABLE", "The service is currently unavailable."), Transient, Other),
        (Library, answer(500, "", ""), Transient, Other),
        (Commit, google(500, "INTERNAL", "Internal error encountered."), Transient, Unanswered),
        (Commit, answer(504, "text/html", PAGE), Transient, Unanswered),
        (Commit, answer(408, "", ""), Transient, Unanswered),
        (NewAlbum, answer(502, "", ""), Transient, Unanswered),
        (Album, answer(502, "", ""), Transient, Other),
        (Bytes, answer(502, "", ""), Transient, Other),
        (Library, answer(302, "text/html", PAGE), Transient, Other),
        // Page tokens.
        (NextPage, google(400, "INVALID_ARGUMENT", "Invalid page token."), Transient, ListingExpired),
        (
            NextPage,
            google(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
            Transient,
            ListingExpired,
        ),
        (NextPage, google(429, "RESOURCE_EXHAUSTED", DAILY), Quota, Other),
        (NextPage, google(400, "RESOURCE_EXHAUSTED", "slow down"), Throttled, Other),
        (NextPage, google(400, "INVALID_ARGUMENT", "Invalid album ID."), Config, NotFound),
        (NextPage, google(503, "UNAVAILABLE", ""), Transient, Other),
        (Library, google(400, "INVALID_ARGUMENT", "Invalid album ID."), Config, NotFound),
        // Upload sessions.
        (UploadSession, bare(404, 5, "Not found."), Transient, SessionLost),
        (UploadSession, answer(410, "", ""), Transient, SessionLost),
        (UploadSession, bare(400, 3, "The session is not active."), Transient, SessionLost),
        (UploadSession, answer(403, "text/html", PAGE), Transient, SessionLost),
        (UploadSession, answer(503, "", ""), Transient, Other),
        (UploadSession, google(429, "RESOURCE_EXHAUSTED", PER_MINUTE), Throttled, Other),
        (UploadSession, google(429, "RESOURCE_EXHAUSTED", DAILY), Quota, Other),
        (UploadSession, google(400, "INVALID_ARGUMENT", STORAGE), Destination, Other),
        (UploadSession, bare(401, 16, "Authentication session is not defined."), Auth, Other),
        (UploadSession, answer(413, "", ""), Item, Other),
        // Base URLs.
        (Media, google(429, "RESOURCE_EXHAUSTED", PER_MINUTE), Throttled, Other),
        (Media, page(403), Transient, StaleAddress),
        (Media, answer(404, "image/png", &b"\x89PNG"[..]), Item, NotFound),
        (Media, answer(400, "", ""), Item, Other),
        (Media, page(500), Transient, Other),
    ] {
        let error = judged(subject, &answer);
        assert_eq!((error.class, error.reason), (class, reason), "{subject:?} {error}");
        assert!(!error.to_string().contains("secret-address"), "a base URL is told: {error}");
    }
}

#[test]
fn what_the_details_name_counts_as_much_as_the_words() {
    let body = json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED",
         "metadata": {"quota_limit": "AllRequestsPerDayPerProject"}}]}});
    assert_eq!(judged(Subject::Library, &json_answer(429, &body)).class, Class::Quota);
    let body = json!({"error": {"code": 403, "message": "no", "errors": [{"reason": "rateLimitExceeded"}]}});
    assert_eq!(judged(Subject::Library, &json_answer(403, &body)).class, Class::Throttled);
}

#[test]
fn an_api_that_is_not_enabled_comes_with_the_page_that_enables_it() {
    let error = judged(Subject::Library, &google(403, "PERMISSION_DENIED", DISABLED));
    let cure = error.cure.unwrap();
    assert!(cure.contains("https://console.developers.google.com/apis/api/photoslibrary"), "{cure}");
    let elsewhere = DISABLED.replace("console.developers.google.com", "evil.example.org");
    let cure = judged(Subject::Library, &google(403, "PERMISSION_DENIED", &elsewhere)).cure.unwrap();
    assert!(!cure.contains("evil"), "{cure}");
}

#[test]
fn how_long_to_wait_is_taken_from_the_answer() {
    for (header, seconds) in [("7", 7), ("Sat, 21 Nov 2026 08:01:00 GMT", 60)] {
        let mut answer = google(429, "RESOURCE_EXHAUSTED", PER_MINUTE);
        answer.retry_after = Some(header.to_owned());
        assert_eq!(judged(Subject::Commit, &answer).retry_after, Some(Duration::from_secs(seconds)));
    }
    assert_eq!(judged(Subject::Commit, &google(429, "", CONCURRENT)).retry_after, None);
}

#[test]
fn every_status_of_an_item_has_its_class_and_reason() {
    const FAILED: &str = "Failed: There was an error while trying to create this media item.";
    for (code, message, class, reason) in [
        (3, FAILED, Class::Item, Reason::Other),
        (13, FAILED, Class::Transient, Reason::Other),
        (14, "", Class::Transient, Reason::Other),
        (6, FAILED, Class::Item, Reason::AlreadyExists),
        (3, "The upload token is invalid or has expired.", Class::Item, Reason::UploadToken),
        (3, "Request must contain a valid upload token.", Class::Item, Reason::UploadToken),
        (8, STORAGE, Class::Destination, Reason::Other),
        (8, DAILY, Class::Quota, Reason::Other),
        (10, "The operation was aborted.", Class::Throttled, Reason::Other),
        (-7, "?", Class::Item, Reason::Other),
    ] {
        let error = item_status("make it", code, message);
        assert_eq!((error.class, error.reason), (class, reason), "{code} {error}");
    }
    assert!(item_status("make it", 6, FAILED).cause.contains("ALREADY_EXISTS"));
}

#[test]
fn a_lost_answer_matters_only_where_something_was_asked_to_change() {
    let lost = |subject, sent| unanswered("do it", subject, Trouble { sent, words: "reset".into() });
    assert_eq!(lost(Subject::Commit, true).reason, Reason::Unanswered);
    assert_eq!(lost(Subject::NewAlbum, true).reason, Reason::Unanswered);
    assert_eq!(lost(Subject::Commit, false).reason, Reason::Other);
    assert_eq!(lost(Subject::Library, true).reason, Reason::Other);
    assert_eq!(unreadable("do it", Subject::Commit, "not JSON").reason, Reason::Unanswered);
    assert_eq!(lost(Subject::Bytes, true).class, Class::Transient);
}

#[test]
fn words_that_may_be_a_token_or_an_address_are_not_repeated() {
    // I6
    let message =
        format!("Bad ya29.short and 1//0x and {} at https://lh3.example/lr/abc=d \u{7} end", "x".repeat(80));
    let error = judged(Subject::Library, &google(400, "INVALID_ARGUMENT", &message));
    assert_eq!(error.cause, "Bad […] and […] and […] at […] end (HTTP 400 INVALID_ARGUMENT)");
}

#[test]
fn hostile_bodies_are_survived() {
    let deep = "[".repeat(100_000);
    for body in
        ["", "null", "[]", "\"x\"", "{\"error\":\"x\"}", "{\"error\":{\"code\":\"x\",\"message\":{}}}", &deep]
    {
        let error = judged(Subject::Library, &answer(400, "application/json", body.to_owned()));
        assert_eq!(error.class, Class::Config, "{error}");
        assert!(error.cause.chars().count() < 500);
    }
    let error = judged(Subject::Library, &answer(500, "", &b"\xff\xfe\0"[..]));
    assert_eq!(error.class, Class::Transient);
}
