//! Telling people, as the program does it: channels are added, shown and tested, against real servers on this machine.

#[path = "../notify/tests/deliver/http_server.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
pub(crate) mod http_server;
#[path = "../notify/tests/deliver/smtp_server.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod smtp_server;

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use self::{
    http_server::HttpServer,
    smtp_server::{Manners, SmtpServer, Tls},
};
use crate::{
    command_line::assert_failed,
    support::{Ended, Place},
};

impl Place {
    async fn notify(&self, arguments: &[&str], config: &Value) -> Ended {
        let arguments = [&["notify"], arguments, &["--config", "-"]].concat();
        self.charon_with(&arguments, config).await
    }
}

#[tokio::test]
async fn a_channel_is_added_shown_tested_changed_and_removed() {
    let (place, server) = (Place::new().await, HttpServer::start().await);
    let config = json!({"url": server.url("/s3cret-hook"), "secret": "hunter2", "preset": "slack"});
    let ended = place.notify(&["add", "chat", "--kind", "webhook"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("charon notify test chat"), "what to do next: {ended:?}");

    let listed = place.done(&["notify", "list", "--json"]).await.json();
    assert_eq!((&listed[0]["name"], &listed[0]["kind"]), (&json!("chat"), &json!("webhook")));
    let usual = json!(["partial", "failure", "needs_attention", "overdue", "recovered"]);
    assert_eq!(
        (&listed[0]["events"], &listed[0]["plans"], &listed[0]["in_a_row"]),
        (&usual, &json!(null), &json!(3))
    );

    let ended = place.done(&["notify", "test", "chat"]).await;
    assert!(ended.stdout.contains("was told"), "{ended:?}");
    let received = server.one();
    assert_eq!(received.target, "/s3cret-hook");
    assert!(received.json()["text"].as_str().expect("a text").starts_with("*Charon: a test*"));
    assert!(received.header("x-charon-signature").starts_with("sha256="));

    let update =
        ["notify", "update", "chat", "--event", "success", "--event", "failures_in_a_row", "--in-a-row", "5"];
    place.done(&update).await;
    let ended = place.notify(&["update", "chat"], &json!({"preset": "discord"})).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let shown = place.done(&["notify", "show", "chat", "--json"]).await;
    let view = shown.json();
    assert_eq!((&view["events"], &view["in_a_row"]), (&json!(["success", "failures_in_a_row"]), &json!(5)));
    assert_eq!(view["config"]["preset"], "discord");
    place.done(&["notify", "test", "chat"]).await;
    assert!(server.one().json()["content"].is_string(), "its secrets were kept");
    // I6
    let texts = [place.done(&["notify", "show", "chat"]).await.stdout, shown.stdout, ended.stdout];
    for secret in ["s3cret-hook", "hunter2"] {
        assert!(texts.iter().all(|text| !text.contains(secret)), "{texts:?}");
    }

    assert_eq!(
        place.done(&["notify", "sent", "--json"]).await.json(),
        json!([]),
        "a test is not written down"
    );
    place.done(&["notify", "remove", "chat"]).await;
    assert_failed(
        &place.charon(&["notify", "show", "chat"]).await,
        1,
        &["no channel named chat", "no channel yet"],
    );
}

#[tokio::test]
async fn a_channel_is_tried_before_it_is_saved() {
    let (place, server) = (Place::new().await, HttpServer::start().await);
    let test = ["test", "--kind", "ntfy"];
    let config = json!({"server": server.url(""), "topic": "s3cret"});
    assert_eq!(place.notify(&test, &config).await.code, Some(0));
    assert_eq!(server.one().json()["topic"], "s3cret");
    server.answer(403, &[], "forbidden: s3cret");
    let ended = place.notify(&test, &config).await;
    assert_failed(&ended, 1, &["could not be told", "403 Forbidden", "check the token or the address"]);
    assert!(!ended.stderr.contains("s3cret"), "I6: {ended:?}");
    assert_eq!(place.done(&["notify", "list", "--json"]).await.json(), json!([]));

    assert_failed(&place.notify(&test, &json!({})).await, 2, &["topic: is missing"]);
    let template = json!({"url": server.url("/"), "template": "{\"a\": {titel}}"});
    assert_failed(
        &place.notify(&["test", "--kind", "webhook"], &template).await,
        2,
        &["template: ", "{titel}"],
    );
    assert_failed(
        &place.notify(&["test", "--kind", "pigeon"], &json!({})).await,
        2,
        &["webhook, ntfy, email, ping"],
    );
    assert_failed(&place.notify(&["test"], &json!({})).await, 2, &["--kind"]);
    assert_failed(&place.charon(&["notify", "test"]).await, 2, &["Usage"]);
    let unknown = place.notify(&["add", "x", "--kind", "ping", "--event", "sucess"], &json!({})).await;
    assert_failed(&unknown, 2, &["sucess", "needs_attention"]);
}

#[tokio::test]
async fn e_mail_is_sent_where_somebody_vouches_for_the_server() {
    let place = Place::new().await;
    let login = BASE64_STANDARD.encode("\0anna\0hunter2");
    for (tls, security) in [(Tls::AfterStarttls, "starttls"), (Tls::FromTheFirstByte, "tls")] {
        let manners = Manners { tls: Some(tls), login: Some(login.clone()), ..Manners::default() };
        let server = SmtpServer::start(manners).await;
        let certificate = place.path("certificate.pem");
        fs::write(&certificate, &server.certificate).expect("a file");
        let config = json!({
            "host": "localhost", "port": server.address.port(), "security": security, "user": "anna",
            "password": "hunter2", "from": "charon@example.org", "to": ["anna@example.org"],
        });
        fs::write(place.path("email.json"), config.to_string()).expect("a file");
        let arguments = ["notify", "test", "--kind", "email", "--config", "email.json"];
        let ended: Ended = place
            .command(&arguments)
            .env("SSL_CERT_FILE", &certificate)
            .output()
            .await
            .expect("the program runs")
            .into();
        assert_eq!(ended.code, Some(0), "{security}: {ended:?}");
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert!(mails[0].was_private && mails[0].text.contains("Subject: Charon: a test"), "{mails:?}");
    }
}

#[tokio::test]
async fn the_schemas_of_the_channels_are_json_schema() {
    let place = Place::new().await;
    let schemas = place.done(&["schema", "notify"]).await.json();
    for kind in ["webhook", "ntfy", "email", "ping"] {
        assert!(jsonschema::meta::is_valid(&schemas[kind]), "{kind}");
        assert_eq!(schemas[kind]["additionalProperties"], false, "{kind}");
    }
    assert!(!place.data_dir().exists(), "a schema needs no data directory");
}
