//! What the contract promises of any provider, on both.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use charon_provider::{
    Host, Provider,
    conformance::{Cannot, Fixture, Given, Sample, World, run},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    host::Engine,
    servers::{Kind, SECRET, Server},
};

struct Places(Kind);

struct Place(Mutex<Option<Server>>, Map<String, Value>);

#[async_trait]
impl Fixture for Places {
    fn provider(&self) -> Arc<dyn Provider> {
        self.0.provider()
    }

    async fn world(&self) -> Arc<dyn World> {
        let server = Server::start(self.0).expect("it was there a moment ago");
        let config = server.config();
        Arc::new(Place(Mutex::new(Some(server)), config))
    }

    fn mistakes(&self) -> Vec<(&'static str, Value)> {
        let mut mistakes = vec![("endpoint", json!("http://nas.example.org"))];
        mistakes.extend(match self.0 {
            Kind::RcloneS3 => [("bucket", json!("a/b")), ("prefix", json!("a/../b"))],
            Kind::RcloneWebDav | Kind::Apache => [("root", json!("a//b")), ("user", json!("a:b"))],
        });
        mistakes
    }
}

#[async_trait]
impl World for Place {
    fn config(&self) -> Map<String, Value> {
        self.1.clone()
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    fn now(&self) -> Timestamp {
        Engine::default().now()
    }

    fn sample(&self, number: u32) -> Sample {
        let bytes = number.to_be_bytes().to_vec().into();
        Sample { file_name: format!("{number}.jpg"), mime_type: "image/jpeg", bytes, taken_at: None }
    }

    async fn refuse(&self) -> Given<()> {
        let mut server = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let server = server.as_mut().ok_or_else(|| Cannot("there is no server".to_owned()))?;
        server.kill();
        server.secret = "another".into();
        server.begin();
        Ok(())
    }
}

async fn keeps_the_contract(kind: Kind) {
    if Server::start(kind).is_some() {
        run(&Places(kind)).await.assert_kept();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_keeps_the_contract() {
    keeps_the_contract(Kind::RcloneS3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webdav_keeps_the_contract() {
    keeps_the_contract(Kind::RcloneWebDav).await;
}
