//! E-mail, handed to a server that speaks SMTP.

use base64::{Engine, prelude::BASE64_STANDARD};
use charon_notify::{DeliveryError, Event, Notice};
use serde_json::{Value, json};

use crate::{
    channel, notice, now,
    smtp_server::{Manners, SmtpServer, Tls},
};

async fn deliver(server: &SmtpServer, changes: &Value, sent: &Notice) -> Result<(), DeliveryError> {
    let mut config = json!({
        "host": "localhost", "port": server.address.port(), "security": "none",
        "from": "Charon <charon@example.org>", "to": ["anna@example.org", "Bert <bert@example.org>"],
    });
    let fields = config.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    channel("email", &config).deliver(sent, now()).await
}

#[tokio::test]
async fn a_message_is_handed_over_whole_to_everyone() {
    let login = BASE64_STANDARD.encode("\0anna\0hunter2");
    let server = SmtpServer::start(Manners { login: Some(login), ..Manners::default() }).await;
    let sent = notice(Event::Failure);
    deliver(&server, &json!({"user": "anna", "password": "hunter2"}), &sent).await.expect("delivered");
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!((mails[0].from.as_str(), mails[0].was_private), ("charon@example.org", false));
    assert_eq!(mails[0].to, ["anna@example.org", "bert@example.org"]);
    let (headers, body) = mails[0].text.split_once("\n\n").expect("headers and a body");
    for header in [
        "From: Charon <charon@example.org>",
        "Message-ID: <notice-1@example.org>",
        "Subject: The plan =?utf-8?b?",
    ] {
        assert!(headers.contains(header), "{header}: {headers}");
    }
    // A line with nothing but a full stop does not end the message.
    assert!(body.contains("\n.\n") && body.contains("Free some."), "{body}");
    assert!(server.commands()[0].eq_ignore_ascii_case("EHLO example.org"), "{:?}", server.commands());
}

#[tokio::test]
async fn a_title_that_would_be_a_header_or_a_recipient_is_neither() {
    let server = SmtpServer::start(Manners::default()).await;
    let hostile = "x\r\nBcc: eve@example.net\r\n\r\nhello\r\n.\r\nRCPT TO:<eve@example.net>";
    let sent = Notice { title: hostile.into(), text: hostile.into(), ..notice(Event::Failure) };
    deliver(&server, &json!({}), &sent).await.expect("delivered");
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, ["anna@example.org", "bert@example.org"]);
    let (headers, _) = mails[0].text.split_once("\n\n").expect("headers and a body");
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    assert_eq!(server.commands().iter().filter(|line| line.starts_with("RCPT")).count(), 2);
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again_and_not_repeated() {
    let server = SmtpServer::start(Manners { login: Some("x".into()), ..Manners::default() }).await;
    let error = deliver(&server, &json!({"user": "anna", "password": "hunter2"}), &notice(Event::Test)).await;
    let error = error.expect_err("a refusal");
    assert!(!error.can_try_again(), "{error}");
    let words = error.to_string();
    assert!(words.contains("535") && words.contains("check user and password"), "{words}");
    // I6: the server repeats what it was told.
    for secret in ["hunter2".to_owned(), BASE64_STANDARD.encode("\0anna\0hunter2")] {
        assert!(!words.contains(&secret), "{words}");
    }
}

#[tokio::test]
async fn a_server_that_says_later_is_tried_later() {
    for (answer, again) in [("451 4.7.1 greylisted", true), ("550 5.7.1 spam", false)] {
        let server = SmtpServer::start(Manners { refuses_message: Some(answer), ..Manners::default() }).await;
        let error = deliver(&server, &json!({}), &notice(Event::Test)).await.expect_err("a refusal");
        assert_eq!(error.can_try_again(), again, "{error}");
        assert!(error.to_string().contains(&answer[4..]), "{error}");
    }
}

#[tokio::test]
async fn no_password_is_sent_before_the_connection_is_private() {
    // I6
    let secrets = json!({"security": "starttls", "user": "anna", "password": "hunter2"});
    let without = SmtpServer::start(Manners { login: Some("x".into()), ..Manners::default() }).await;
    let error = deliver(&without, &secrets, &notice(Event::Test)).await.expect_err("no STARTTLS");
    assert!(!error.can_try_again() && error.to_string().contains("STARTTLS"), "{error}");
    assert!(!without.commands().iter().any(|line| line.starts_with("AUTH")), "{:?}", without.commands());

    // Nobody vouches for these two.
    for (tls, security) in [(Tls::AfterStarttls, "starttls"), (Tls::FromTheFirstByte, "tls")] {
        let server =
            SmtpServer::start(Manners { tls: Some(tls), login: Some("x".into()), ..Manners::default() })
                .await;
        let config = json!({"security": security, "user": "anna", "password": "hunter2"});
        let error = deliver(&server, &config, &notice(Event::Test)).await.expect_err("a stranger");
        assert!(!error.can_try_again(), "{error}");
        assert!(!server.commands().iter().any(|line| line.starts_with("AUTH")), "{:?}", server.commands());
        assert_eq!(server.mails().len(), 0, "{}", server.certificate);
    }
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_may_come_back() {
    let server = SmtpServer::start(Manners::default()).await;
    let gone = SmtpServer::start(Manners::default()).await.address.port();
    let error = deliver(&server, &json!({"port": gone}), &notice(Event::Test)).await.expect_err("nobody");
    assert!(error.can_try_again(), "{error}");
}
