//! Asking for consent, and what comes of the answer.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use charon_provider::{Authorization, Class, Consent, Error, Provider as _};
use charon_provider_gphotos::GPhotos;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use crate::account::{FakeHost, assert_tells_no_secret, config, id_token, json_response};

const REDIRECT: &str = "http://127.0.0.1:53682/";
const PHOTOS: &str = "https://www.googleapis.com/auth/photoslibrary";

/// A consent that is being asked for, of a token endpoint that answers this.
struct Asked {
    server: MockServer,
    host: Arc<FakeHost>,
    asking: Box<dyn Authorization>,
}

impl Asked {
    async fn new(extra: Value, answer: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        Mock::given(method("POST")).and(path("/token")).respond_with(answer).mount(&server).await;
        let host = Arc::new(FakeHost::default());
        let redirect = Url::parse(REDIRECT).expect("a URL");
        let asking = GPhotos::new()
            .authorize(config(&server.uri(), &extra), &redirect, Arc::<FakeHost>::clone(&host))
            .expect("a right configuration");
        Self { server, host, asking }
    }

    fn query(&self) -> HashMap<String, String> {
        self.asking.url().query_pairs().into_owned().collect()
    }

    /// Where the browser is sent when it is asked to bring this.
    fn back(&self, answer: &str) -> String {
        format!("{REDIRECT}?state={}&{answer}", self.query()["state"])
    }

    async fn forms(&self) -> Vec<HashMap<String, String>> {
        let requests = self.server.received_requests().await.expect("recorded requests");
        let form = |body: &[u8]| url::form_urlencoded::parse(body).into_owned().collect();
        requests.iter().map(|request| form(&request.body)).collect()
    }

    async fn redeem(&self, answer: &str) -> Result<Consent, Error> {
        let result = self.asking.redeem(answer).await;
        if let Err(error) = &result {
            let shown = format!("{error} {error:?}");
            assert_tells_no_secret(&shown);
            // I6
            assert!(!shown.contains(&self.query()["state"]) && !shown.contains("code-1"), "{shown}");
        }
        result
    }
}

fn granted(extra: &Value) -> ResponseTemplate {
    let mut body = json!({
        "access_token": "access-new", "refresh_token": "refresh-new", "expires_in": 3599, "token_type": "Bearer",
        "scope": format!("openid {PHOTOS}.appendonly {PHOTOS}.readonly.appcreateddata {PHOTOS}.edit.appcreateddata"),
        "id_token": id_token(&json!({"sub": "110169", "email": "pat@example.com"})),
    });
    for (name, value) in extra.as_object().expect("an object") {
        body[name] = value.clone();
    }
    json_response(200, body)
}

#[tokio::test]
async fn the_page_is_asked_with_all_that_google_wants() {
    let asked = Asked::new(json!({}), granted(&json!({}))).await;
    let url = asked.asking.url();
    assert!(url.as_str().starts_with(&format!("{}/auth?", asked.server.uri())), "{url}");
    let query = asked.query();
    for (name, value) in [
        ("client_id", "1234-abc"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    assert!(!query.contains_key("include_granted_scopes") && !query.contains_key("client_secret"));
    assert_eq!(
        query["scope"],
        format!(
            "openid email {PHOTOS}.appendonly {PHOTOS}.readonly.appcreateddata {PHOTOS}.edit.appcreateddata"
        )
    );
    assert_eq!((query["state"].len(), query["code_challenge"].len()), (43, 43), "256 bits each");
    assert_ne!(query["state"], query["code_challenge"]);
    assert!(asked.forms().await.is_empty(), "nothing is sent");
    assert!(asked.host.permits().is_empty());
}

#[tokio::test]
async fn a_read_only_storage_asks_for_the_right_to_read_alone() {
    let reading = format!("{PHOTOS}.readonly.appcreateddata");
    let asked = Asked::new(json!({"read_only": true}), granted(&json!({"scope": reading}))).await;
    assert_eq!(asked.query()["scope"], format!("openid email {reading}"));
    asked.redeem(&asked.back("code=code-1")).await.expect("no other right is needed");
}

#[tokio::test]
async fn an_answer_becomes_the_token_that_rclone_would_write() {
    let asked = Asked::new(json!({}), granted(&json!({}))).await;
    let consent = asked.redeem(&asked.back("code=code-1%2F2&scope=openid")).await.expect("a consent");
    assert_eq!((consent.field, consent.account.as_deref()), ("token", Some("pat@example.com")));
    assert_eq!(consent.account_id.as_deref(), Some("110169"));
    let blob: Value = serde_json::from_str(consent.value.expose_secret()).expect("JSON");
    assert_eq!(
        blob,
        json!({"access_token": "access-new", "token_type": "Bearer", "refresh_token": "refresh-new",
               "expiry": "2026-11-21T08:59:59Z"})
    );
    assert_tells_no_secret(&format!("{consent:?}"));

    let forms = asked.forms().await;
    assert_eq!(forms.len(), 1);
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "code-1/2"),
        ("redirect_uri", REDIRECT),
        ("client_id", "1234-abc"),
        ("client_secret", "client-secret-1"),
    ] {
        assert_eq!(forms[0][name], value, "{name}");
    }
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&forms[0]["code_verifier"]));
    assert_eq!(hash, asked.query()["code_challenge"], "the verifier is that of the challenge");
    assert_eq!(asked.host.permits(), ["oauth"]);
    assert_eq!(asked.host.account_id().as_deref(), Some("110169"), "the engine may know another account");
    assert_eq!(asked.host.drawn(), 2, "state and verifier come of the host's randomness");
}

#[tokio::test]
async fn an_answer_may_be_pasted_in_part() {
    let state = |asked: &Asked| asked.query()["state"].clone();
    for paste in ["?code=code-1&state=STATE", " \n?state=STATE&code=code-1#\n", "code=code-1&state=STATE"] {
        let asked = Asked::new(json!({}), granted(&json!({"id_token": null, "scope": null}))).await;
        let consent = asked.redeem(&paste.replace("STATE", &state(&asked))).await.expect(paste);
        assert_eq!((consent.account, consent.account_id), (None, None));
        assert_eq!(asked.forms().await[0]["code"], "code-1");
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_refused_before_anything_is_sent() {
    let asked = Asked::new(json!({}), granted(&json!({}))).await;
    for (answer, words) in [
        (format!("{REDIRECT}?code=code-1&state=theirs"), "does not answer this question"),
        (format!("{REDIRECT}?code=code-1"), "does not answer this question"),
        (format!("{REDIRECT}?error=access_denied"), "does not answer this question"),
        (asked.back("code="), "neither a code nor a refusal"),
        ("code-1".to_owned(), "neither a code nor a refusal"),
        (String::new(), "neither a code nor a refusal"),
    ] {
        let error = asked.redeem(&answer).await.expect_err(&answer);
        assert_eq!(error.class, Class::Auth);
        assert!(error.cause.contains(words) && error.cure.is_some(), "{answer}: {error}");
    }
    assert!(asked.forms().await.is_empty() && asked.host.permits().is_empty());
}

#[tokio::test]
async fn a_refusal_on_googles_page_is_told_with_its_cure() {
    let asked = Asked::new(json!({}), granted(&json!({}))).await;
    let error = asked.redeem(&asked.back("error=access_denied")).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
    assert!(error.cause.contains("access_denied"), "{error}");
    assert!(error.cure.as_deref().unwrap().contains("test users"), "{error}");
    let error = asked.redeem(&asked.back("error=admin_policy_enforced")).await.unwrap_err();
    assert!(error.cause.contains("admin_policy_enforced"), "{error}");
    assert!(asked.forms().await.is_empty());
}

#[tokio::test]
async fn a_box_that_was_not_ticked_is_named_with_what_it_is_for() {
    let partly = format!("openid {PHOTOS}.readonly.appcreateddata {PHOTOS}.edit.appcreateddata");
    let asked = Asked::new(json!({}), granted(&json!({"scope": partly}))).await;
    let error = asked.redeem(&asked.back("code=code-1")).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
    assert!(error.cause.contains("photoslibrary.appendonly (needed to upload"), "{error}");
    assert!(!error.cause.contains("readonly") && !error.cause.contains("edit"), "{error}");
    assert!(error.cure.as_deref().unwrap().contains("every box"), "{error}");
}

#[tokio::test]
async fn a_consent_without_a_refresh_token_is_not_taken() {
    let asked = Asked::new(json!({}), granted(&json!({"refresh_token": null}))).await;
    let error = asked.redeem(&asked.back("code=code-1")).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
    assert!(error.cause.contains("refresh token"), "{error}");
    assert!(error.cure.as_deref().unwrap().contains("https://myaccount.google.com/permissions"), "{error}");
}

#[tokio::test]
async fn a_code_that_is_worth_nothing_is_told_as_that_and_not_repeated() {
    let body =
        json!({"error": "invalid_grant", "error_description": "Malformed auth code-1 of client-secret-1."});
    let asked = Asked::new(json!({}), json_response(400, body)).await;
    let error = asked.redeem(&asked.back("code=code-1")).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
    assert!(error.cause.contains("invalid_grant") && error.cause.contains("used before"), "{error}");
}

#[tokio::test]
async fn no_code_is_shown_once_the_budget_is_spent() {
    // I7
    let asked = Asked::new(json!({}), granted(&json!({}))).await;
    asked.host.spend_the_budget();
    assert_eq!(asked.redeem(&asked.back("code=code-1")).await.unwrap_err().class, Class::Quota);
    assert!(asked.forms().await.is_empty());
}

#[tokio::test]
async fn a_mistake_in_the_configuration_is_told_before_anybody_is_asked() {
    let redirect = Url::parse(REDIRECT).expect("a URL");
    let begin = |extra| {
        let config = config("http://127.0.0.1:9", &extra);
        GPhotos::new().authorize(config, &redirect, Arc::new(FakeHost::default())).map(drop)
    };
    assert!(begin(json!({"token": ""})).is_ok(), "a token is what is asked for");
    let mistakes = begin(json!({"client_id": null, "auth_url": "photos"})).unwrap_err();
    let pointers: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/auth_url", "/client_id"]);
}
