//! The conformance suite finds what it is to find: a provider that keeps the contract passes it, and one with a flaw
//! does not.

mod memory;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{
    AlbumId, Provider, RemoteId,
    conformance::{self, Cannot, Fixture, Given, Report, Sample, World},
};
use jiff::Timestamp;
use memory::{Flaw, Memory, Server};
use serde_json::{Map, Value, json};

/// Worlds of the provider in memory.
struct InMemory {
    provider: Arc<Memory>,
    worlds: AtomicUsize,
}

/// One account of it.
struct Account {
    name: String,
    server: Arc<Server>,
}

#[async_trait]
impl Fixture for InMemory {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider) as Arc<dyn Provider>
    }

    async fn world(&self) -> Arc<dyn World> {
        let name = format!("account-{}", self.worlds.fetch_add(1, Ordering::Relaxed));
        Arc::new(Account { server: self.provider.server(&name), name })
    }

    fn mistakes(&self) -> Vec<(&'static str, Value)> {
        vec![("account", json!("two words"))]
    }
}

impl Account {
    fn with(&self, field: &str, value: Value) -> Map<String, Value> {
        let mut config = self.config();
        config.insert(field.to_owned(), value);
        config
    }
}

#[async_trait]
impl World for Account {
    fn config(&self) -> Map<String, Value> {
        let config = json!({"account": self.name, "ticket": "ticket-0"});
        config.as_object().cloned().unwrap_or_default()
    }

    fn secrets(&self) -> Vec<String> {
        (0..=self.server.held().ticket).map(|number| format!("ticket-{number}")).collect()
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn sample(&self, number: u32) -> Sample {
        Sample {
            file_name: format!("IMG_{number}.jpg"),
            mime_type: "image/jpeg",
            bytes: format!("the bytes of the photo {number}").into(),
            taken_at: None,
        }
    }

    fn requests(&self) -> Given<u64> {
        Ok(self.server.held().requests)
    }

    async fn put(&self, sample: &Sample) -> Given<RemoteId> {
        Ok(self.server.held().put(&sample.file_name, "", sample.bytes.clone()).id)
    }

    async fn bytes_of(&self, id: &RemoteId) -> Given<Bytes> {
        let held = self.server.held();
        let item = held.items.iter().find(|item| item.id == *id);
        item.map(|item| item.bytes.clone()).ok_or_else(|| Cannot(format!("there is no {id}")))
    }

    async fn album_of(&self, album: &AlbumId) -> Given<Vec<RemoteId>> {
        let held = self.server.held();
        let album = held.albums.iter().find(|(held, _)| held.id == *album);
        album.map(|(_, items)| items.clone()).ok_or_else(|| Cannot("there is no such album".into()))
    }

    async fn description_of(&self, id: &RemoteId) -> Given<String> {
        let held = self.server.held();
        let item = held.items.iter().find(|item| item.id == *id);
        item.map(|item| item.description.clone()).ok_or_else(|| Cannot(format!("there is no {id}")))
    }

    fn read_only(&self) -> Given<Map<String, Value>> {
        Ok(self.with("read_only", json!(true)))
    }

    fn second_client(&self) -> Given<Map<String, Value>> {
        Ok(self.with("account", json!("somebody-else")))
    }

    async fn expire_token(&self) -> Given<()> {
        self.server.held().ticket += 1;
        Ok(())
    }

    async fn refuse(&self) -> Given<()> {
        let mut held = self.server.held();
        held.ticket += 1;
        held.refuses = true;
        Ok(())
    }
}

async fn report(flaw: Option<Flaw>) -> Report {
    conformance::run(&InMemory { provider: Arc::new(Memory::new(flaw)), worlds: AtomicUsize::new(0) }).await
}

#[tokio::test]
async fn a_provider_that_keeps_the_contract_passes() {
    let report = report(None).await;
    report.assert_kept();
    // What cannot be tried is told, and only that.
    let skipped = [
        "an item without an address has to be looked up",
        "an expired address is told and renewed",
        "a clip is fetched or told to be missing",
        "a session is kept before the first byte",
        "a session is taken up by another opening",
        "a lost session is told",
        "another account is refused",
        "an asking for consent sends no request and is never the same",
        "a consent becomes a secret that opens the storage",
    ];
    assert_eq!(report.skipped(), skipped, "{report}");
}

#[tokio::test]
async fn every_flaw_is_found_where_it_is() {
    let flaws = [
        (Flaw::AddsTwice, "items are added once"),
        (Flaw::AnswersInAnotherOrder, "looked up ids are answered in their order"),
        (Flaw::CutsBytesOff, "the bytes are those that were promised"),
        (Flaw::FirstMistakeAlone, "every mistake is told at once and with its path"),
        (Flaw::GoesOnAfterAFailure, "a test ends with the first failure"),
        (Flaw::IgnoresConflicts, "secrets that somebody else renewed are not overwritten"),
        (Flaw::ListsTwoPages, "a listing has every item and ends"),
        (Flaw::OpensWithARequest, "an opening sends no request"),
        (Flaw::PreviewsWords, "a preview is a picture or told to be missing"),
        (Flaw::PrintsItsSecret, "what is printed for developers has no secret"),
        (Flaw::ReadOnlyTakesItems, "a read only storage has no way out"),
        (Flaw::ResultsInAnotherOrder, "results come in the order of what was staged"),
        (Flaw::ResumesAtTheBeginning, "broken bytes go on where they broke off"),
        (Flaw::SendsForNothing, "what sending takes is declared"),
        (Flaw::SendsWithoutAPermit, "every request has its permit"),
        (Flaw::StrangeCursorIsTheEnd, "a cursor that nobody gave is refused"),
        (Flaw::TakesWhatShrinks, "a file that changes while it is sent is refused"),
    ];
    for (flaw, promise) in flaws {
        let report = report(Some(flaw)).await;
        assert!(report.broken().contains(&promise), "{flaw:?} is not found:\n{report}");
        let kept = report.cases.len() - report.broken().len() - report.skipped().len();
        assert!(kept > report.broken().len(), "{flaw:?} is told from everything else:\n{report}");
    }
}

#[tokio::test]
#[should_panic(expected = "the provider breaks the contract")]
async fn a_broken_contract_ends_the_test() {
    report(Some(Flaw::CutsBytesOff)).await.assert_kept();
}
