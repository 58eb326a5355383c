use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{InstanceSettings, NewAuditEntry, Scope, audit};
use crate::{
    clock::{Clock, ManualClock},
    engine::{Engine, Settings},
    error::Error,
    registry::Registry,
};

const DAY: Duration = Duration::from_hours(24);

struct Place {
    engine: Engine,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

async fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().expect("a time")));
    let settings = Settings::new(folder.path().join("data"), Registry::default());
    let settings = Settings { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..settings };
    Place { engine: Engine::open(settings).await.expect("an engine"), clock, folder }
}

fn secret(text: &str) -> SecretString {
    text.into()
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// Every byte that the database has on the disk.
fn on_disk(place: &Place) -> Vec<u8> {
    let files = std::fs::read_dir(place.folder.path().join("data")).expect("the data directory");
    files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("its bytes")).collect()
}

fn holds(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[tokio::test]
async fn the_first_password_is_set_once_even_by_two_at_the_same_time() {
    let place = place().await;
    let engine = &place.engine;
    assert!(!engine.has_password().await.expect("an answer"));
    assert!(!engine.check_password(&secret("correct horse")).await.expect("an answer"));
    let (one, other) = (secret("correct horse"), secret("battery staple"));
    let (first, second) = tokio::join!(engine.set_first_password(&one), engine.set_first_password(&other));
    assert!(first.is_ok() != second.is_ok(), "{first:?}, {second:?}");
    let refused = first.err().or(second.err()).expect("one of them");
    assert!(matches!(&refused, Error::Refused(words) if words.contains("charon password")), "{refused}");
    assert!(engine.has_password().await.expect("an answer"));
    let known = [
        engine.check_password(&one).await.expect("an answer"),
        engine.check_password(&other).await.expect("an answer"),
    ];
    assert_eq!(known.iter().filter(|is_known| **is_known).count(), 1);
    // I6: what is kept is a hash with its parameters.
    let bytes = on_disk(&place);
    assert!(holds(&bytes, "$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!holds(&bytes, "correct horse") && !holds(&bytes, "battery staple"));
}

#[tokio::test]
async fn a_password_has_8_to_1024_bytes_and_is_the_same_however_its_accents_are_written() {
    let place = place().await;
    let engine = &place.engine;
    for (password, words) in [("", "too short"), ("1234567", "too short"), (&"x".repeat(1025), "too long")] {
        let error = engine.set_first_password(&secret(password)).await.expect_err("refused");
        let Error::Config { mistakes, .. } = &error else { panic!("{error}") };
        assert_eq!(mistakes.0[0].pointer, "/password");
        assert!(mistakes.0[0].reason.contains(words), "{error}");
    }
    engine.set_first_password(&secret("caf\u{e9}-au-lait")).await.expect("set");
    assert!(engine.check_password(&secret("cafe\u{301}-au-lait")).await.expect("an answer"));
    assert!(!engine.check_password(&secret("cafe-au-lait")).await.expect("an answer"));
    assert!(!engine.check_password(&secret(&"x".repeat(100_000))).await.expect("an answer"));
}

#[tokio::test]
async fn who_changes_the_password_stays_and_all_others_are_signed_out() {
    let place = place().await;
    let engine = &place.engine;
    engine.set_first_password(&secret("the first one")).await.expect("set");
    let mine = engine.open_session("127.0.0.1", None).await.expect("a session");
    let theirs = engine.open_session("192.168.0.7", None).await.expect("a session");
    let (old, new) = (secret("the first one"), secret("the second one"));
    let error = engine.change_password(&new, &new, Some(mine.session.id)).await.expect_err("a wrong one");
    assert!(error.to_string().contains("old: is not the present password"), "{error}");
    assert!(engine.session(&theirs.secret).await.expect("an answer").is_some());
    engine.change_password(&old, &new, Some(mine.session.id)).await.expect("changed");
    assert!(engine.check_password(&new).await.expect("an answer"));
    assert!(!engine.check_password(&old).await.expect("an answer"));
    assert!(engine.session(&mine.secret).await.expect("an answer").is_some());
    assert!(engine.session(&theirs.secret).await.expect("an answer").is_none());
    // On the machine itself nobody asks for the old one, and everybody is signed out.
    engine.reset_password(&old).await.expect("reset");
    assert!(engine.check_password(&old).await.expect("an answer"));
    assert!(engine.session(&mine.secret).await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_session_ends_after_a_week_without_a_visit_and_after_thirty_days_in_any_case() {
    let place = place().await;
    let (engine, clock) = (&place.engine, &place.clock);
    let idle = engine.open_session("127.0.0.1", Some("a browser\nwith lines")).await.expect("a session");
    assert_eq!(idle.session.user_agent.as_deref(), Some("a browser with lines"));
    let busy = engine.open_session("127.0.0.1", None).await.expect("a session");
    assert_ne!(idle.secret.expose_secret(), busy.secret.expose_secret());
    for day in 1..30 {
        clock.advance(DAY);
        // A page that stays open asks whether it still may, and that is no visit.
        assert_eq!(engine.has_session(&idle.secret).await.expect("an answer"), day < 7, "day {day}");
        assert!(engine.session(&busy.secret).await.expect("an answer").is_some(), "day {day}");
        let is_there = engine.sessions().await.expect("sessions").iter().any(|one| one.id == idle.session.id);
        assert_eq!(is_there, day < 7, "day {day}");
    }
    assert!(engine.session(&idle.secret).await.expect("an answer").is_none());
    clock.advance(DAY);
    assert!(engine.session(&busy.secret).await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_visit_is_written_down_once_a_minute_and_the_same_page_token_comes_back() {
    let place = place().await;
    let (engine, clock) = (&place.engine, &place.clock);
    let opened = engine.open_session("127.0.0.1", None).await.expect("a session");
    let mut versions = std::collections::BTreeSet::new();
    for _ in 0..59 {
        clock.advance(Duration::from_secs(1));
        let seen = engine.session(&opened.secret).await.expect("an answer").expect("a session");
        assert_eq!(seen.csrf.expose_secret(), opened.csrf.expose_secret());
        versions.insert((seen.session.seen_at, engine.store.data_version().await.expect("a version")));
    }
    assert_eq!(versions.len(), 1, "{versions:?}");
    clock.advance(Duration::from_secs(1));
    let seen = engine.session(&opened.secret).await.expect("an answer").expect("a session");
    assert_eq!(seen.session.seen_at, clock.now());
    assert_eq!(seen.session.expires_at, clock.now() + SignedDuration::from_hours(24 * 7));
}

#[tokio::test]
async fn sessions_are_known_by_hashes_end_one_by_one_and_are_not_too_many() {
    let place = place().await;
    let (engine, clock) = (&place.engine, &place.clock);
    let first = engine.open_session("127.0.0.1", None).await.expect("a session");
    for wrong in ["", "x", first.csrf.expose_secret(), &"x".repeat(100_000)] {
        assert!(engine.session(&secret(wrong)).await.expect("an answer").is_none());
    }
    assert!(!holds(&on_disk(&place), first.secret.expose_secret()));
    assert!(engine.end_session(first.session.id).await.expect("ended"));
    assert!(!engine.end_session(first.session.id).await.expect("an answer"));
    assert!(engine.session(&first.secret).await.expect("an answer").is_none());
    for _ in 0..103 {
        clock.advance(Duration::from_secs(1));
        engine.open_session("127.0.0.1", None).await.expect("a session");
    }
    let sessions = engine.sessions().await.expect("sessions");
    assert_eq!(sessions.len(), 100);
    assert_eq!(sessions[0].created_at, clock.now());
    engine.end_sessions(Some(sessions[0].id)).await.expect("ended");
    assert_eq!(engine.sessions().await.expect("sessions"), sessions[..1]);
    engine.end_sessions(None).await.expect("ended");
    assert!(engine.sessions().await.expect("sessions").is_empty());
}

#[tokio::test]
async fn a_token_comes_in_until_it_ends_or_is_revoked() {
    let place = place().await;
    let (engine, clock) = (&place.engine, &place.clock);
    let end = clock.now() + SignedDuration::from_hours(1);
    let new = engine.create_token("home assistant", Scope::Run, Some(end)).await.expect("a token");
    let shown = new.secret.expose_secret();
    assert!(shown.starts_with("charon_") && shown.len() == "charon_".len() + 43, "{}", shown.len());
    assert!(!holds(&on_disk(&place), shown));
    assert!(!format!("{new:?}").contains(shown));
    let known = engine.token(&new.secret).await.expect("an answer").expect("a token");
    assert_eq!((known.scope, known.used_at), (Scope::Run, Some(clock.now())));
    assert!(Scope::Read < known.scope && known.scope < Scope::Admin);
    let wrong = format!("{}A", &shown[..shown.len() - 1]);
    for wrong in ["charon_", "", &shown["charon_".len()..], &wrong] {
        assert!(wrong == shown || engine.token(&secret(wrong)).await.expect("an answer").is_none());
    }
    clock.advance(Duration::from_hours(1));
    assert!(engine.token(&new.secret).await.expect("an answer").is_none());
    // It is still listed, so that one sees why it does not open any more.
    assert_eq!(engine.tokens().await.expect("tokens").len(), 1);
    let error = engine.create_token("home assistant", Scope::Read, None).await.expect_err("taken");
    assert!(matches!(error, Error::BadName(_)), "{error}");
    let error = engine.create_token("late", Scope::Read, Some(clock.now())).await.expect_err("over");
    assert!(matches!(error, Error::Refused(_)), "{error}");

    let other = engine.create_token("phone", Scope::Read, None).await.expect("a token");
    assert!(engine.token(&other.secret).await.expect("an answer").is_some());
    assert_eq!(engine.revoke_token(other.token.id).await.expect("revoked").expect("one").name, "phone");
    assert!(engine.token(&other.secret).await.expect("an answer").is_none());
    assert!(engine.revoke_token(other.token.id).await.expect("an answer").is_none());
}

#[tokio::test]
async fn there_are_200_tokens_at_most() {
    let place = place().await;
    let engine = &place.engine;
    for number in 0..200 {
        engine.create_token(&format!("token {number}"), Scope::Read, None).await.expect("a token");
    }
    let error = engine.create_token("one more", Scope::Read, None).await.expect_err("too many");
    assert!(error.to_string().contains("200 tokens"), "{error}");
}

fn entry(number: u32) -> NewAuditEntry {
    NewAuditEntry {
        who: "admin".into(),
        address: "127.0.0.1".into(),
        action: format!("action {number}"),
        target: None,
        detail: map(json!({"number": number})),
        is_refused: false,
    }
}

#[tokio::test]
async fn the_audit_log_is_read_from_its_end_page_by_page_and_holds_no_long_text() {
    let place = place().await;
    let (engine, clock) = (&place.engine, &place.clock);
    for number in 0..25 {
        clock.advance(Duration::from_secs(1));
        engine.audit(entry(number)).await.expect("written");
    }
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = engine.audit_entries(before, 10).await.expect("entries");
        let Some(last) = page.last() else { break };
        before = Some(last.seq);
        seen.extend(page.into_iter().map(|entry| entry.detail["number"].as_u64().expect("a number")));
    }
    assert_eq!(seen, (0..25).rev().collect::<Vec<_>>());
    let long = NewAuditEntry {
        action: format!("two\nlines {}", "x".repeat(10_000)),
        detail: map(json!({"long": "x".repeat(10_000)})),
        ..entry(0)
    };
    engine.audit(long).await.expect("written");
    let newest = engine.audit_entries(None, 1).await.expect("entries").remove(0);
    assert!(newest.action.starts_with("two lines xxx") && newest.action.len() == 300);
    assert_eq!(newest.detail, map(json!({"left_out": "too long to be kept"})));
    assert_eq!(newest.at, clock.now());
}

#[tokio::test]
async fn the_audit_log_is_forgotten_by_its_age_and_by_its_length_a_few_at_a_time() {
    let place = place().await;
    let (engine, clock) = (&place.engine, &place.clock);
    let settings = map(json!({"audit_days": 10, "time_zone": "UTC"}));
    engine.replace_instance_settings(0, settings).await.expect("set");
    for number in 0..5 {
        engine.audit(entry(number)).await.expect("written");
    }
    clock.advance(10 * DAY + Duration::from_secs(1));
    engine.audit(entry(5)).await.expect("written");
    assert!(engine.forget_access(clock.now()).await.expect("forgotten"));
    let left = engine.audit_entries(None, 10).await.expect("entries");
    assert_eq!(left.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["action 5"]);
    for number in 6..20 {
        engine.audit(entry(number)).await.expect("written");
    }
    // What is refused is counted by itself, however often it is.
    for number in 20..50 {
        engine.audit(NewAuditEntry { is_refused: true, ..entry(number) }).await.expect("written");
    }
    let forget = async |kept, refused| {
        engine.store.forget_audit_entries_beyond(kept, refused, 6).await.expect("forgotten")
    };
    assert_eq!((forget(4, false).await, forget(4, false).await, forget(4, false).await), (6, 5, 0));
    assert_eq!((forget(20, true).await, forget(20, true).await, forget(20, true).await), (6, 4, 0));
    let left = engine.audit_entries(None, 100).await.expect("entries");
    let left: Vec<&str> = left.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!((left.len(), left[0], left[20]), (24, "action 49", "action 19"));
    const { assert!(audit::AT_ONCE > 0) };
}

#[tokio::test]
async fn settings_are_replaced_by_who_has_seen_their_last_state() {
    let place = place().await;
    let engine = &place.engine;
    let first = engine.instance_settings().await.expect("settings");
    assert_eq!((first.revision, &first.value), (0, &InstanceSettings::default()));
    let berlin = map(json!({"time_zone": "Europe/Berlin", "audit_days": 30}));
    let set = engine.replace_instance_settings(0, berlin.clone()).await.expect("set");
    assert_eq!(set.revision, 1);
    assert_eq!(engine.instance_settings().await.expect("settings"), set);
    for seen in [0, 2] {
        let error = engine.replace_instance_settings(seen, berlin.clone()).await.expect_err("changed");
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
    for (wrong, field) in [
        (json!({"time_zone": "Mars/Olympus"}), "/time_zone"),
        (json!({"audit_days": 0}), "/audit_days"),
        (json!({"audit": 1}), ""),
    ] {
        let error = engine.replace_instance_settings(1, map(wrong)).await.expect_err("wrong");
        let Error::Config { mistakes, .. } = &error else { panic!("{error}") };
        assert!(mistakes.0[0].pointer.starts_with(field), "{error}");
    }
    assert_eq!(engine.replace_instance_settings(1, Map::new()).await.expect("set").revision, 2);
}
