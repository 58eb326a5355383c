//! A provider of accounts that are in memory. Its token says which account it is for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use charon_provider::{
    Address, Albums, Authorization, BatchPolicy, Body, Capabilities, Check, Class, Config, Consent, Content,
    Cost, Costs, Cursor, Description, Error, Existence, Facts, Fidelity, Host, KeepSession, Kind, Meter,
    Pace, Page, Part, Placement, Provider, Readiness, Reason, RemoteId, RemoteItem, Resets, ResumePoint,
    Revision, Secrets, Selection, Session, Sink, Source, Staged, Storage, UploadLimits, UploadToken, Verdict,
};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use futures::{StreamExt, stream, stream::BoxStream};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::Notify;
use url::Url;

pub(super) const API: Cost = Cost("api");
const MEDIA: Cost = Cost("media");

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FakeConfig {
    client: String,
    #[expect(dead_code, reason = "the account takes it from the secrets, where a renewed one is")]
    #[schemars(extend("x-secret" = true))]
    token: String,
    /// The client, where the secrets tell it.
    #[serde(default)]
    #[schemars(extend("x-secret" = true))]
    secret_client: Option<String>,
    #[serde(default)]
    read_only: bool,
    #[expect(dead_code, reason = "nobody is asked anything there")]
    #[serde(default)]
    #[schemars(extend("x-binds-secrets" = true))]
    server: String,
    /// The first year wanted.
    #[serde(default)]
    start_year: Option<i16>,
    /// Who shares the count of requests.
    #[serde(default = "project")]
    project: String,
    /// Requests per day.
    #[serde(default = "limit")]
    limit: u32,
    /// Requests for bytes per day, if they are counted.
    #[serde(default)]
    media_limit: Option<u32>,
    /// For how long a batch that is not full waits.
    #[serde(default)]
    idle_seconds: u64,
}

fn project() -> String {
    "1".into()
}

fn limit() -> u32 {
    100
}

/// What the provider sees.
#[derive(Debug, Default)]
pub(super) struct World {
    state: Mutex<State>,
    /// Told when requests are answered in another way.
    changed: Notify,
}

/// How requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answers {
    #[default]
    Well,
    /// Not until they are answered in another way.
    NotYet,
    /// With an error of this class.
    With(Class),
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a server may do")]
struct State {
    /// What each token's account holds.
    items: HashMap<String, Vec<RemoteItem>>,
    /// The account that a token tells of itself, if it does.
    accounts: HashMap<String, String>,
    /// What tokens are renewed with.
    renewals: HashMap<String, String>,
    /// Whether look-ups say nothing.
    is_unsure: bool,
    /// Whether no request is ever answered.
    stands_still: bool,
    /// How requests with a token are answered, if not well.
    answers: HashMap<String, Answers>,
    /// How many requests with a token wait for an answer.
    unanswered: HashMap<String, usize>,
    /// Whether the last page of a listing names the second one as the next.
    goes_round: bool,
    /// Whether every request is answered with the words that the day's quota is spent.
    is_spent: bool,
    /// What was asked, in order.
    requests: Vec<&'static str>,
}

impl World {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// From now on, requests with this token are answered so; those too that wait.
    pub(super) fn answer(&self, token: &str, answers: Answers) {
        self.state().answers.insert(token.to_owned(), answers);
        self.changed.notify_waiters();
    }

    /// Whether a request with this token waits for its answer.
    pub(super) fn keeps_waiting(&self, token: &str) -> bool {
        self.state().unanswered.get(token).is_some_and(|count| *count > 0)
    }

    async fn answered(&self, token: &str) -> Result<(), Error> {
        loop {
            let changed = self.changed.notified();
            let answers = self.state().answers.get(token).copied().unwrap_or_default();
            match answers {
                Answers::Well => return Ok(()),
                Answers::With(class) => return Err(Error::new(class, "ask", "the world will not have it")),
                Answers::NotYet => {
                    let _waits = Waits::begin(self, token);
                    changed.await;
                }
            }
        }
    }

    /// Gives the account of a token so many items, named after the token.
    pub(super) fn fill(&self, token: &str, count: usize) {
        let items = (0..count).map(|number| item(&format!("{token}-{number:04}"))).collect();
        self.state().items.insert(token.to_owned(), items);
    }

    /// Lets listings go round from now on.
    pub(super) fn go_round(&self) {
        self.state().goes_round = true;
    }

    /// Lets another token see what this one sees.
    pub(super) fn share(&self, token: &str, other: &str) {
        let items = self.items_of(token);
        self.state().items.insert(other.to_owned(), items);
    }

    pub(super) fn items_of(&self, token: &str) -> Vec<RemoteItem> {
        self.state().items.get(token).cloned().unwrap_or_default()
    }

    /// Gives every item another address than it had.
    pub(super) fn move_items(&self, token: &str, url: &str) {
        for item in self.state().items.entry(token.to_owned()).or_default() {
            item.address =
                Some(Address { url: format!("{url}/{}", item.id), valid_until: jiff::Timestamp::MAX });
        }
    }

    fn address_of(&self, token: &str, id: &RemoteId) -> Option<Address> {
        let items = self.items_of(token);
        items.into_iter().find(|item| item.id == *id).and_then(|item| item.address)
    }

    pub(super) fn tell_account(&self, token: &str, account: &str) {
        self.state().accounts.insert(token.to_owned(), account.to_owned());
    }

    pub(super) fn renew(&self, token: &str, with: &str) {
        self.state().renewals.insert(token.to_owned(), with.to_owned());
    }

    pub(super) fn is_unsure(&self) {
        self.state().is_unsure = true;
    }

    pub(super) fn stand_still(&self) {
        self.state().stands_still = true;
    }

    /// Lets the server say that the day's quota is spent, or not any more.
    pub(super) fn spend_quota(&self, is_spent: bool) {
        self.state().is_spent = is_spent;
    }

    /// What was asked since the last time.
    pub(super) fn requests(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().requests)
    }
}

/// A request that waits for its answer.
struct Waits<'a> {
    world: &'a World,
    token: &'a str,
}

impl<'a> Waits<'a> {
    fn begin(world: &'a World, token: &'a str) -> Self {
        *world.state().unanswered.entry(token.to_owned()).or_default() += 1;
        Self { world, token }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        *self.world.state().unanswered.entry(self.token.to_owned()).or_default() -= 1;
    }
}

fn item(id: &str) -> RemoteItem {
    RemoteItem {
        id: RemoteId(id.to_owned()),
        file_name: format!("{id}.jpg"),
        mime_type: "image/jpeg".into(),
        kind: Kind::Photo,
        taken_at: Some("2010-06-01T00:00:00Z".parse().expect("a time")),
        width: None,
        height: None,
        size: None,
        has_clip: false,
        readiness: Readiness::Ready,
        description: None,
        camera: None,
        address: Some(charon_provider::Address { url: id.to_owned(), valid_until: jiff::Timestamp::MAX }),
    }
}

#[derive(Debug)]
pub(super) struct Fake {
    description: Description,
    world: Arc<World>,
}

impl Fake {
    pub(super) fn new(world: Arc<World>) -> Self {
        let schema = ConfigSchema::of::<FakeConfig>();
        let description =
            Description { id: "fake", name: "Fake", summary: "Fake.", schema, consenting: None };
        Self { description, world }
    }
}

impl Provider for Fake {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn open(&self, config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Storage>, Mistakes> {
        if config.fields.get("client").is_some_and(|client| client == "nobody") {
            return Err(Mistake::in_field("client", "is nobody").into());
        }
        let read: FakeConfig = config
            .read()
            .map_err(|error| Mistakes::from(Mistake { pointer: String::new(), reason: error.to_string() }))?;
        Ok(Arc::new(FakeStorage {
            world: Arc::clone(&self.world),
            facts: facts(&read),
            secrets: tokio::sync::Mutex::new((config.secrets, config.revision)),
            host,
        }))
    }

    fn authorize(
        &self,
        config: Config,
        redirect: &Url,
        host: Arc<dyn Host>,
    ) -> Result<Box<dyn Authorization>, Mistakes> {
        if config.fields.get("client").is_none() {
            return Err(Mistake::in_field("client", "is missing").into());
        }
        Ok(Box::new(FakeConsent { url: redirect.clone(), world: Arc::clone(&self.world), host }))
    }
}

fn facts(config: &FakeConfig) -> Facts {
    let meter = |cost: Cost, limit| Meter {
        id: cost.0,
        account: config.project.clone(),
        limit,
        resets: Resets::DailyAt("UTC"),
    };
    let media = config.media_limit.map(|limit| meter(MEDIA, limit));
    Facts {
        identity: config.secret_client.clone().unwrap_or_else(|| config.client.clone()),
        capabilities: Capabilities {
            list: true,
            download: true,
            upload: !config.read_only,
            albums: false,
            previews: true,
            destination: false,
        },
        meters: std::iter::once(meter(API, config.limit)).chain(media).collect(),
        batch: BatchPolicy {
            size: 10,
            staged: 20,
            idle: Duration::from_secs(config.idle_seconds),
            commit_timeout: Duration::from_secs(10),
        },
        limits: UploadLimits {
            formats: &[charon_provider::Format {
                extension: "jpg",
                kind: Kind::Photo,
                mime_type: "image/jpeg",
            }],
            photo_bytes: 1_000_000,
            ..UploadLimits::default()
        },
        selection: Selection { start_year: config.start_year, ..Selection::default() },
        costs: Costs {
            page: vec![API],
            page_items: 50,
            fetch: vec![MEDIA],
            send: vec![API],
            commit: vec![API],
        },
        pace: Pace::default(),
        read_size: false,
    }
}

struct FakeConsent {
    url: Url,
    world: Arc<World>,
    host: Arc<dyn Host>,
}

#[async_trait]
impl Authorization for FakeConsent {
    fn url(&self) -> &Url {
        &self.url
    }

    /// The answer is the token.
    async fn redeem(&self, answer: &str) -> Result<Consent, Error> {
        let account = self.world.state().accounts.get(answer).cloned();
        if let Some(account) = &account {
            self.host.account(account).await?;
        }
        Ok(Consent { field: "token", value: answer.into(), account: None, account_id: account })
    }
}

#[derive(Debug)]
struct FakeStorage {
    world: Arc<World>,
    facts: Facts,
    secrets: tokio::sync::Mutex<(Secrets, Revision)>,
    host: Arc<dyn Host>,
}

impl FakeStorage {
    /// One request; gives the token that it was made with.
    async fn ask(&self, what: &'static str) -> Result<String, Error> {
        let cost = if matches!(what, "open" | "preview") { MEDIA } else { API };
        self.host.permit(cost).await?;
        let mut secrets = self.secrets.lock().await;
        let token = |secrets: &Secrets| secrets.get("token").expect("a token").expose_secret().to_owned();
        let (renewal, stands_still, is_spent) = {
            let mut state = self.world.state();
            state.requests.push(what);
            (state.renewals.remove(&token(&secrets.0)), state.stands_still, state.is_spent)
        };
        if is_spent {
            return Err(Error::new(Class::Quota, what, "All requests per day").at_cost(cost));
        }
        if stands_still {
            std::future::pending::<()>().await;
        }
        if let Some(renewal) = renewal {
            let renewed = secrets.0.clone().with("token", renewal.into());
            if let Ok(revision) = self.host.save_secrets(secrets.1, renewed.clone()).await? {
                *secrets = (renewed, revision);
            }
        }
        let token = token(&secrets.0);
        // Others need not wait for this answer.
        drop(secrets);
        self.world.answered(&token).await?;
        let account = self.world.state().accounts.get(&token).cloned();
        if let Some(account) = account {
            self.host.account(&account).await?;
        }
        Ok(token)
    }
}

impl Storage for FakeStorage {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        stream::once(async {
            let asked = self.ask("test").await;
            let (verdict, found) = match asked {
                Ok(_) => (Verdict::Passed, "it answers".to_owned()),
                Err(error) => (Verdict::Failed, error.cause),
            };
            Check { stage: "ask", verdict, took: Duration::ZERO, found, cure: None, link: None }
        })
        .boxed()
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn sink(&self) -> Option<&dyn Sink> {
        if self.facts.capabilities.upload { Some(self) } else { None }
    }

    fn albums(&self) -> Option<&dyn Albums> {
        None
    }
}

#[async_trait]
impl Source for FakeStorage {
    async fn list(&self, _: &Selection, from: Option<&Cursor>) -> Result<Page, Error> {
        let items = self.world.items_of(&self.ask("list").await?);
        let begin: usize = from.map_or(0, |cursor| cursor.0.parse().expect("our cursor"));
        let end = (begin + self.facts.costs.page_items).min(items.len());
        let second = self.world.state().goes_round.then_some(self.facts.costs.page_items);
        let next = if end < items.len() { Some(end) } else { second };
        Ok(Page {
            items: items[begin..end].to_vec(),
            next: next.map(|next| Cursor(next.to_string())),
            album: None,
        })
    }

    fn confirm_limit(&self) -> usize {
        50
    }

    async fn confirm(&self, ids: &[RemoteId]) -> Result<Vec<Existence>, Error> {
        let items = self.world.items_of(&self.ask("confirm").await?);
        let is_unsure = self.world.state().is_unsure;
        let look_up = |id: &RemoteId| match items.iter().find(|item| item.id == *id) {
            _ if is_unsure => Existence::Unknown("not now".into()),
            Some(item) => Existence::Found(Box::new(item.clone())),
            None => Existence::NotFound,
        };
        Ok(ids.iter().map(look_up).collect())
    }

    async fn open(&self, item: &RemoteItem, _: Part, _: Option<&ResumePoint>) -> Result<Body, Error> {
        self.ask("open").await?;
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
        bytes.extend_from_slice(item.id.0.as_bytes());
        Ok(Body {
            offset: 0,
            length: Some(bytes.len() as u64),
            validator: None,
            may_be_bundle: false,
            fidelity: Fidelity::Original,
            bytes: stream::once(async { Ok(bytes.into()) }).boxed(),
        })
    }

    async fn preview(&self, item: &RemoteItem, pixels: u32) -> Result<Body, Error> {
        let token = self.ask("preview").await?;
        // The address that a look-up gives now is the only one that is good.
        if self.world.address_of(&token, &item.id) != item.address {
            let error = Error::new(Class::Transient, "fetch a small picture", "its address is over");
            return Err(error.because(Reason::StaleAddress));
        }
        let bytes = format!("{pixels} pixels of {}", item.id);
        Ok(Body {
            offset: 0,
            length: Some(bytes.len() as u64),
            validator: None,
            may_be_bundle: false,
            fidelity: Fidelity::ApiCopy,
            bytes: stream::once(async { Ok(bytes.into()) }).boxed(),
        })
    }

    async fn measure(&self, _: &RemoteItem) -> Result<Option<u64>, Error> {
        Ok(None)
    }
}

#[async_trait]
impl Sink for FakeStorage {
    async fn send(
        &self,
        content: &Content,
        _: Option<&Session>,
        _: &dyn KeepSession,
    ) -> Result<UploadToken, Error> {
        for _ in 0..self.requests_to_send(content.length) {
            self.ask("send").await?;
        }
        let mut bytes = (content.open)(0);
        while let Some(chunk) = bytes.next().await {
            chunk.map_err(|error| Error::new(Class::Item, "send", error.to_string()))?;
        }
        Ok(UploadToken { token: content.file_name.clone().into(), valid_until: jiff::Timestamp::MAX })
    }

    fn requests_to_send(&self, length: u64) -> u32 {
        if length > 1_000 { 3 } else { 1 }
    }

    async fn commit(
        &self,
        _: Option<&Placement>,
        staged: &[Staged],
    ) -> Result<Vec<Result<RemoteItem, Error>>, Error> {
        let token = self.ask("commit").await?;
        let items: Vec<RemoteItem> = staged.iter().map(|one| item(&one.file_name)).collect();
        self.world.state().items.entry(token).or_default().extend(items.clone());
        Ok(items.into_iter().map(Ok).collect())
    }
}
