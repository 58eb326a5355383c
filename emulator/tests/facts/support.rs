//! What the tests of the facts share: an emulator, one HTTP client, and the calls written short.

use gphotos_emulator::{Emulator, Seed, Settings, picture};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) const CLIENT: &str = "123456-tests.apps.googleusercontent.com";

/// An emulator, and a client with all three scopes.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) http: Client,
    pub(crate) token: String,
}

/// The one constructor of HTTP clients: no redirects, no system proxy.
#[expect(clippy::disallowed_methods, reason = "the one constructor of HTTP clients in these tests")]
pub(crate) fn http() -> Client {
    // A second call finds the provider installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

impl World {
    pub(crate) async fn new() -> World {
        World::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> World {
        let settings = Settings { default_client_id: CLIENT.to_owned(), ..settings };
        let emulator = Emulator::start(settings).await.unwrap();
        let token = emulator.world().access_token(CLIENT, &[]);
        World { emulator, http: http(), token }
    }

    pub(crate) async fn seeded(items: u32, albums: u32) -> World {
        let world = World::new().await;
        world.emulator.world().seed(&Seed { items, albums, width: 64, height: 48, ..Seed::default() });
        world
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.emulator.url()) };
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        read(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> (StatusCode, Value) {
        read(self.request(Method::PATCH, path).json(&body).send().await.unwrap()).await
    }

    /// Uploads raw and returns the token.
    pub(crate) async fn upload(&self, name: &str, bytes: Vec<u8>) -> String {
        let request = self.request(Method::POST, "/v1/uploads");
        let request = request.header("X-Goog-Upload-Protocol", "raw").header("X-Goog-Upload-File-Name", name);
        let response = request.body(bytes).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }

    /// Uploads and creates one item; returns its result.
    pub(crate) async fn create(&self, name: &str, bytes: Vec<u8>) -> Value {
        let token = self.upload(name, bytes).await;
        let body = json!({"newMediaItems": [{"simpleMediaItem": {"uploadToken": token}}]});
        let (status, body) = self.post("/v1/mediaItems:batchCreate", body).await;
        assert_eq!(status, 200, "{body}");
        body["newMediaItemResults"][0].clone()
    }

    /// All items of the library, page by page.
    pub(crate) async fn all(&self, page_size: usize) -> Vec<Value> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let (_, page) = self.get(&format!("/v1/mediaItems?pageSize={page_size}&pageToken={token}")).await;
            all.extend(page["mediaItems"].as_array().cloned().unwrap_or_default());
            match page["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => return all,
            }
        }
    }
}

pub(crate) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A picture that no other seed gives.
pub(crate) fn jpeg(seed: u64) -> Vec<u8> {
    picture::jpeg(seed, 64, 48, Some("2020-02-29T12:00:00".parse().unwrap()), None)
}

/// The message of an error, structured or bare.
pub(crate) fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().or(body["message"].as_str()).unwrap_or("")
}

#[cfg(feature = "tls-proxy")]
/// A client that goes through a proxy and trusts one more authority.
#[expect(clippy::disallowed_methods, reason = "the one constructor of HTTP clients through the TLS front")]
pub(crate) fn through(proxy: &str, ca_pem: &str) -> Client {
    // A second call finds the provider installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let authority = reqwest::Certificate::from_pem(ca_pem.as_bytes()).unwrap();
    Client::builder().proxy(reqwest::Proxy::all(proxy).unwrap()).tls_certs_only([authority]).build().unwrap()
}
