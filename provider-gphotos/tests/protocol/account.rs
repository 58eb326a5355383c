//! An account on a mock server, and a host that remembers what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use charon_provider::{
    Config, Conflict, Cost, Error, Host, KeepSession, Provider as _, Revision, Secrets, Session, Storage,
};
use charon_provider_gphotos::GPhotos;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

/// The moment at which all these tests happen.
pub(crate) const NOW: &str = "2026-11-21T08:00:00Z";
/// A token that is still good.
pub(crate) const FRESH: &str =
    r#"{"access_token":"access-old","refresh_token":"refresh-old","expiry":"2026-11-21T09:00:00Z"}"#;
/// A token that has to be renewed first.
pub(crate) const EXPIRED: &str =
    r#"{"access_token":"access-old","refresh_token":"refresh-old","expiry":"2026-11-21T08:00:30Z"}"#;

/// Everything that must appear in no error and no `Debug` output.
pub(crate) const SECRETS: [&str; 5] =
    ["access-old", "access-new", "refresh-old", "refresh-new", "client-secret-1"];

/// A host whose clock stands still.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    permits: Vec<&'static str>,
    spent: bool,
    stored: Secrets,
    revision: Revision,
    saves: u32,
    full: bool,
    account: Option<String>,
    is_anybodys: bool,
    drawn: u8,
}

/// Sessions that nobody keeps.
pub(crate) struct NotKept;

#[async_trait]
impl KeepSession for NotKept {
    async fn keep(&self, _: &Session) -> Result<(), Error> {
        Ok(())
    }
}

impl FakeHost {
    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked a permit for, in that order.
    pub(crate) fn permits(&self) -> Vec<&'static str> {
        self.remembered().permits.clone()
    }

    /// From now on nothing is permitted.
    pub(crate) fn spend_the_budget(&self) {
        self.remembered().spent = true;
    }

    /// From now on nothing can be stored.
    pub(crate) fn fill_the_disk(&self) {
        self.remembered().full = true;
    }

    /// Somebody else stores a token.
    pub(crate) fn store_elsewhere(&self, token: &str) {
        let mut remembered = self.remembered();
        remembered.stored = remembered.stored.clone().with("token", token.into());
        remembered.revision.0 += 10;
    }

    /// Whose account it is, if that was told.
    pub(crate) fn account_id(&self) -> Option<String> {
        self.remembered().account.clone()
    }

    /// How often something random was asked for.
    pub(crate) fn drawn(&self) -> u8 {
        self.remembered().drawn
    }

    /// It has been this account's until now.
    pub(crate) fn belongs_to(&self, id: &str) {
        self.remembered().account = Some(id.to_owned());
    }

    /// From now on it is taken for any account's.
    pub(crate) fn belongs_to_anybody(&self) {
        self.remembered().is_anybodys = true;
    }

    /// The stored token, and how often one was stored.
    pub(crate) fn stored_token(&self) -> (Value, u32) {
        let remembered = self.remembered();
        let text = remembered.stored.get("token").expect("a stored token").expose_secret();
        (serde_json::from_str(text).expect("JSON"), remembered.saves)
    }
}

#[async_trait]
impl Host for FakeHost {
    async fn permit(&self, cost: Cost) -> Result<(), Error> {
        let mut remembered = self.remembered();
        if remembered.spent {
            return Err(Error::new(charon_provider::Class::Quota, "go on", "the budget is spent"));
        }
        remembered.permits.push(cost.0);
        Ok(())
    }

    async fn save_secrets(&self, seen: Revision, new: Secrets) -> Result<Result<Revision, Conflict>, Error> {
        let mut remembered = self.remembered();
        if remembered.full {
            return Err(Error::new(charon_provider::Class::Destination, "store secrets", "the disk is full"));
        }
        if remembered.revision != seen {
            let conflict = Conflict { secrets: remembered.stored.clone(), revision: remembered.revision };
            return Ok(Err(conflict));
        }
        remembered.stored = new;
        remembered.revision.0 += 1;
        remembered.saves += 1;
        Ok(Ok(remembered.revision))
    }

    async fn account(&self, id: &str) -> Result<(), Error> {
        let mut remembered = self.remembered();
        let is_anybodys = remembered.is_anybodys;
        match remembered.account.get_or_insert_with(|| id.to_owned()) {
            before if before == id || is_anybodys => Ok(()),
            _ => Err(Error::new(charon_provider::Class::Auth, "go on", "it is another account")),
        }
    }

    fn random(&self, buffer: &mut [u8]) {
        let mut remembered = self.remembered();
        remembered.drawn += 1;
        buffer.fill(remembered.drawn);
    }

    async fn sleep(&self, how_long: std::time::Duration) {
        tokio::time::sleep(how_long).await;
    }

    fn now(&self) -> Timestamp {
        NOW.parse().expect("a moment")
    }
}

/// A storage, the server that it speaks to, and its host.
pub(crate) struct Account {
    pub(crate) server: MockServer,
    pub(crate) host: Arc<FakeHost>,
    pub(crate) storage: Arc<dyn Storage>,
}

impl Account {
    pub(crate) async fn new(token: &str) -> Self {
        Self::with(token, json!({})).await
    }

    /// An account whose configuration has these fields too.
    pub(crate) async fn with(token: &str, extra: Value) -> Self {
        let server = MockServer::start().await;
        let (storage, host) = open(&server.uri(), token, extra);
        Self { server, host, storage }
    }

    /// Answers requests of this method and path.
    pub(crate) async fn answer(&self, verb: &str, at: &str, response: ResponseTemplate) {
        Mock::given(method(verb)).and(path(at)).respond_with(response).mount(&self.server).await;
    }

    /// Answers token requests with a new access token.
    pub(crate) async fn grant(&self) {
        self.answer(
            "POST",
            "/token",
            json_response(200, json!({"access_token": "access-new", "expires_in": 3599})),
        )
        .await;
    }

    /// The requests that came for this path.
    pub(crate) async fn requests(&self, at: &str) -> Vec<wiremock::Request> {
        let all = self.server.received_requests().await.expect("recorded requests");
        all.into_iter().filter(|request| request.url.path() == at).collect()
    }
}

/// Opens a storage whose API and token endpoint are here.
pub(crate) fn open(uri: &str, token: &str, extra: Value) -> (Arc<dyn Storage>, Arc<FakeHost>) {
    let mut whole = Map::from_iter([("token".to_owned(), token.into())]);
    if let Value::Object(fields) = extra {
        whole.extend(fields);
    }
    let config = config(uri, &whole.into());
    let host = Arc::new(FakeHost::default());
    host.remembered().stored = config.secrets.clone();
    let storage = GPhotos::new().open(config, Arc::<FakeHost>::clone(&host)).expect("a right configuration");
    (storage, host)
}

/// A configuration without a token whose endpoints are here, with these fields too; null takes one away.
pub(crate) fn config(uri: &str, extra: &Value) -> Config {
    let mut whole: Map<String, Value> = Map::new();
    for fields in [
        json!({"client_id": "1234-abc", "client_secret": "client-secret-1"}),
        json!({"api_url": uri, "token_url": format!("{uri}/token"), "auth_url": format!("{uri}/auth")}),
        extra.clone(),
    ] {
        whole.extend(fields.as_object().cloned().unwrap_or_default());
    }
    whole.retain(|_, value| !value.is_null());
    let (fields, secrets) = GPhotos::new().describe().schema.split(whole);
    Config { fields, secrets: Secrets::new(secrets), revision: Revision(0) }
}

/// An ID token, as it comes beside an access token.
pub(crate) fn id_token(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

pub(crate) fn json_response(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// Google's shape of an error.
pub(crate) fn refusal(code: u16, status: &str, message: &str) -> ResponseTemplate {
    json_response(code, json!({"error": {"code": code, "message": message, "status": status}}))
}

/// The `Authorization` header of a request.
pub(crate) fn authorization(request: &wiremock::Request) -> Option<&str> {
    request.headers.get("authorization").map(|value| value.to_str().expect("text"))
}

pub(crate) fn assert_tells_no_secret(shown: &str) {
    // I6
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} is told: {shown}");
    }
}
