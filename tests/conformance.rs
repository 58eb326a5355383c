//! Google Photos keeps the contract: the conformance suite for providers, against the emulator.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{
    AlbumId, Provider, RemoteId,
    conformance::{self, Cannot, Fixture, Given, Sample, World},
};
use charon_provider_gphotos::GPhotos;
use gphotos_emulator::{
    Action, AlbumTruth, Emulator, Fault, ItemTruth, SCOPES, Seed, SessionAnswer, Settings, picture::Picture,
    video,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{browser::visit, support::CLIENT_ID};

const CLIENT_SECRET: &str = "a-client-secret-of-its-own";
const ANOTHER_CLIENT: &str = "987654321-other.apps.googleusercontent.com";
/// More than two chunks of a session, so that one of them has surely arrived in the middle of it.
const LARGE: usize = 130 * 1024 * 1024;

/// Accounts on emulators with these settings.
struct Emulated(Settings);

/// One of them.
struct Account {
    emulator: Emulator,
    config: Map<String, Value>,
}

#[async_trait]
impl Fixture for Emulated {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::new(GPhotos::new())
    }

    async fn world(&self) -> Arc<dyn World> {
        let settings = Settings {
            default_client_id: CLIENT_ID.into(),
            keep_bytes: true,
            auto_approve: true,
            ..self.0.clone()
        };
        let emulator = Emulator::start(settings).await.expect("the emulator starts");
        let url = emulator.url();
        // With the right to know whose account it is.
        let rights = [&SCOPES[..], &["openid", "email"]].concat();
        let config = json!({
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "token": emulator.token_blob(CLIENT_ID, &rights),
            "auth_url": format!("{url}/o/oauth2/auth"),
            "token_url": format!("{url}/token"),
            "api_url": url,
        });
        Arc::new(Account { emulator, config: config.as_object().expect("an object").clone() })
    }

    fn mistakes(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("token", json!("no token at all")),
            ("api_url", json!("http://photos.example.org")),
            ("token_url", json!("nowhere")),
            ("auth_url", json!("https://")),
            ("proxy", json!("not a URL")),
        ]
    }
}

impl Account {
    fn with(&self, field: &str, value: impl Into<Value>) -> Map<String, Value> {
        let mut config = self.config.clone();
        config.insert(field.to_owned(), value.into());
        config
    }

    fn item(&self, id: &RemoteId) -> Given<ItemTruth> {
        let found = self.emulator.world().items_without_hashes().into_iter().find(|item| item.id == id.0);
        found.ok_or_else(|| Cannot(format!("there is no item {id}")))
    }

    fn album(&self, id: &AlbumId) -> Given<AlbumTruth> {
        let found = self.emulator.world().albums().into_iter().find(|album| album.id == id.0);
        found.ok_or_else(|| Cannot(format!("there is no album {id}")))
    }
}

fn sample(number: u32, padded_to: Option<usize>) -> Sample {
    let picture =
        Picture { width: 48, height: 32, number: Some(number), padded_to, ..Picture::new(u64::from(number)) };
    Sample {
        file_name: format!("IMG_{number:04}.jpg"),
        mime_type: "image/jpeg",
        bytes: picture.jpeg().into(),
        taken_at: None,
    }
}

#[async_trait]
impl World for Account {
    fn config(&self) -> Map<String, Value> {
        self.config.clone()
    }

    fn secrets(&self) -> Vec<String> {
        let token = self.config["token"].as_str().expect("a token");
        let parts: Value = serde_json::from_str(token).expect("JSON");
        let part = |name: &str| parts[name].as_str().expect("a part of it").to_owned();
        vec![
            token.to_owned(),
            part("access_token"),
            part("refresh_token"),
            CLIENT_SECRET.to_owned(),
            // What the emulator's tokens of any kind, upload tokens and base URLs begin with.
            "ya29.".to_owned(),
            "1//0".to_owned(),
            "CAIS".to_owned(),
            "/lr/".to_owned(),
            "upload_id=".to_owned(),
        ]
    }

    fn now(&self) -> Timestamp {
        self.emulator.world().now()
    }

    fn sample(&self, number: u32) -> Sample {
        sample(number, None)
    }

    fn requests(&self) -> Given<u64> {
        Ok(self.emulator.world().stats().requests.values().sum())
    }

    async fn put(&self, sample: &Sample) -> Given<RemoteId> {
        let added = self.emulator.world().add_item(CLIENT_ID, &sample.file_name, sample.bytes.clone());
        added.map(RemoteId).map_err(|error| Cannot(error.to_string()))
    }

    async fn put_many(&self, count: u32) -> Given<Vec<RemoteId>> {
        let seeded = self.emulator.world().seed(&Seed::plain(count, 2_000));
        Ok(seeded.item_ids.into_iter().map(RemoteId).collect())
    }

    async fn put_with_clip(&self) -> Given<(RemoteId, Bytes)> {
        let clip: Bytes = video::mp4(7, None, None).into();
        let still = sample(7, None).bytes;
        let added = self.emulator.world().add_motion_photo(CLIENT_ID, "PXL_7.MP.jpg", still, clip.clone());
        added.map(|id| (RemoteId(id), clip)).map_err(|error| Cannot(error.to_string()))
    }

    async fn bytes_of(&self, id: &RemoteId) -> Given<Bytes> {
        let bytes = self.emulator.world().original(&id.0);
        bytes.ok_or_else(|| Cannot(format!("the bytes of {id} were not kept")))
    }

    async fn album_of(&self, album: &AlbumId) -> Given<Vec<RemoteId>> {
        Ok(self.album(album)?.item_ids.into_iter().map(RemoteId).collect())
    }

    async fn description_of(&self, id: &RemoteId) -> Given<String> {
        Ok(self.item(id)?.description)
    }

    fn large(&self) -> Given<Sample> {
        Ok(sample(8, Some(LARGE)))
    }

    fn read_only(&self) -> Given<Map<String, Value>> {
        Ok(self.with("read_only", true))
    }

    fn second_client(&self) -> Given<Map<String, Value>> {
        let mut config = self.with("client_id", ANOTHER_CLIENT);
        config.insert("token".into(), self.emulator.token_blob(ANOTHER_CLIENT, &[]).into());
        Ok(config)
    }

    async fn expire_addresses(&self) -> Given<()> {
        self.emulator.world().expire_base_urls();
        Ok(())
    }

    async fn expire_token(&self) -> Given<()> {
        self.emulator.world().expire_access_tokens();
        Ok(())
    }

    async fn lose_sessions(&self) -> Given<()> {
        let lost = Fault::once(Action::LostSession { answer: SessionAnswer::NotFound });
        self.emulator.world().add_fault(lost);
        Ok(())
    }

    async fn refuse(&self) -> Given<()> {
        self.emulator.world().expire_access_tokens();
        self.emulator.world().revoke_refresh_tokens();
        Ok(())
    }

    async fn consent(&self, page: &Url) -> Given<Url> {
        let visited = visit(page.as_str()).await;
        let location = visited.location.ok_or_else(|| Cannot(format!("no consent: {}", visited.text)))?;
        Url::parse(&location).map_err(|error| Cannot(error.to_string()))
    }
}

/// Settings with room for a large upload.
fn roomy() -> Settings {
    Settings { largest_kept_upload_bytes: 2 * LARGE as u64, ..Settings::default() }
}

#[tokio::test]
async fn google_photos_keeps_the_contract() {
    let report = conformance::run(&Emulated(roomy())).await;
    report.assert_kept();
    let nothing: [&str; 0] = [];
    assert_eq!(report.skipped(), nothing, "{report}");
}

// What nobody knows of Google for sure must make no difference to the contract.
#[tokio::test]
async fn google_photos_keeps_the_contract_whatever_google_is_like() {
    let settings = Settings {
        rotate_refresh_tokens: true,
        single_use_upload_tokens: true,
        bad_token_fails_item_only: true,
        partial_success_status: 207,
        unreadable_item_status: 400,
        round_broken_chunks: true,
        missing_media_is_png: false,
        no_video_status: 400,
        ..roomy()
    };
    let report = conformance::run(&Emulated(settings)).await;
    report.assert_kept();
    let nothing: [&str; 0] = [];
    assert_eq!(report.skipped(), nothing, "{report}");
}
