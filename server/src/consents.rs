//! Consents that are being asked for: a person is sent to the provider's page, and what comes back is taken once, from the session
//! that has asked, within the time that it may take.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use charon_engine::{AccountTold, StorageId};
use charon_provider::{Authorization, Consent};
use charon_schema::ConfigSchema;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};
use uuid::Uuid;

/// How long a person may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(15);
/// What came of a consent and has no storage yet is kept for this long.
const KEPT: Duration = Duration::from_hours(1);
/// The most that are asked for or kept at a time. One more ends the oldest.
const MOST: usize = 128;

/// All consents that are being asked for. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Consents(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    askings: HashMap<Uuid, Asking>,
    given: HashMap<Uuid, Given>,
}

/// One consent that is being asked for.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) id: Uuid,
    /// The session or the token that asks.
    pub(crate) owner: String,
    /// What the consent is for.
    pub(crate) target: Target,
    /// The page where a person gives it.
    pub(crate) url: Url,
    /// Where the browser is sent afterwards.
    pub(crate) redirect: Url,
    /// Until when an answer is taken.
    pub(crate) expires_at: Timestamp,
    /// What it was asked with.
    pub(crate) asked_with: AskedWith,
    authorization: Arc<dyn Authorization>,
    /// What the answer is known by.
    state: Option<String>,
}

/// What a consent was asked with: it was given to whoever that names, and goes nowhere else (I6).
#[derive(Clone, Debug)]
pub(crate) struct AskedWith {
    /// The id of the provider.
    pub(crate) provider: String,
    /// The configuration; its secrets do not matter.
    pub(crate) config: Map<String, Value>,
}

impl AskedWith {
    /// What a configuration names otherwise of where secrets go.
    pub(crate) fn rebound<'a>(&self, schema: &'a ConfigSchema, config: &Map<String, Value>) -> Vec<&'a str> {
        schema.rebound(&self.config, config)
    }
}

/// What a consent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A storage that is being made or changed in a browser.
    Draft(Uuid),
    /// A storage that is stored.
    Storage(StorageId),
    /// A storage that is yet to be added: what came is named by the asking's id.
    Later,
}

/// What came of a consent that has no storage yet.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    owner: String,
    expires_at: Timestamp,
    /// What it was asked with.
    pub(crate) asked_with: AskedWith,
    /// The field of the configuration that it belongs into.
    pub(crate) field: &'static str,
    pub(crate) value: SecretString,
    pub(crate) account: AccountTold,
}

/// Why what came back is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// It holds neither a consent nor a refusal.
    #[error(
        "this is not the address that the browser ended on: that one has code= in it; copy all of it from the address bar"
    )]
    NoAnswer,
    /// It answers another asking than this one.
    #[error(
        "this is the answer to another question; connect again, and use the address that the browser ends on then"
    )]
    Another,
    /// Nobody asks for it, or nobody any more.
    #[error(
        "nobody waits for this answer: it was used already, or it took longer than a quarter of an hour; connect again"
    )]
    Unknown,
    /// Another session has asked.
    #[error(
        "another session has asked for this consent; log in there, or connect again from here, and use that answer alone"
    )]
    AnotherSession,
}

impl Asking {
    pub(crate) fn new(
        (id, owner): (Uuid, String),
        target: Target,
        (authorization, asked_with): (Box<dyn Authorization>, AskedWith),
        redirect: Url,
        now: Timestamp,
    ) -> Self {
        let url = authorization.url().clone();
        let state = url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        let expires_at = now.checked_add(PATIENCE).unwrap_or(now);
        let authorization = authorization.into();
        Self { id, owner, target, url, redirect, expires_at, asked_with, authorization, state }
    }

    /// Turns the answer into what it is worth. It is worth that once.
    pub(crate) async fn redeem(&self, answer: &str) -> Result<Consent, charon_provider::Error> {
        self.authorization.redeem(answer).await
    }

    /// Whether this address, whole or from its `?` on, is the answer.
    fn judge(&self, address: &str) -> Result<(), NotTaken> {
        if !is_answer(address) {
            return Err(NotTaken::NoAnswer);
        }
        if self.state.is_some() && field(address, "state") != self.state {
            return Err(NotTaken::Another);
        }
        Ok(())
    }
}

impl Consents {
    /// Waits for the answer to this from now on. Whatever was asked for the same draft or storage before is not waited for any more.
    pub(crate) fn ask(&self, asking: Asking, now: Timestamp) {
        let mut state = self.state(now);
        let is_same = |other: &Asking| {
            other.owner == asking.owner && other.target == asking.target && asking.target != Target::Later
        };
        state.askings.retain(|_, other| !is_same(other));
        while state.askings.len() >= MOST {
            let oldest =
                state.askings.values().min_by_key(|other| (other.expires_at, other.id)).map(|other| other.id);
            oldest.and_then(|id| state.askings.remove(&id));
        }
        state.askings.insert(asking.id, asking);
    }

    /// The asking for a draft or a storage.
    pub(crate) fn of(&self, owner: &str, target: Target, now: Timestamp) -> Option<Asking> {
        let state = self.state(now);
        state.askings.values().find(|asking| asking.owner == owner && asking.target == target).cloned()
    }

    /// Takes the asking that the browser has brought the answer to; nobody waits for it any more.
    ///
    /// # Errors
    /// When the session has not asked for it. One of another session is left to that one.
    pub(crate) fn take_answered(
        &self,
        owner: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<Asking, NotTaken> {
        let mut state = self.state(now);
        if !is_answer(address) {
            return Err(NotTaken::NoAnswer);
        }
        let found = field(address, "state").ok_or(NotTaken::Unknown)?;
        let asking = state.askings.values().find(|asking| asking.state.as_deref() == Some(found.as_str()));
        let asking = asking.ok_or(NotTaken::Unknown)?;
        if asking.owner != owner {
            return Err(NotTaken::AnotherSession);
        }
        let id = asking.id;
        state.askings.remove(&id).ok_or(NotTaken::Unknown)
    }

    /// Takes the asking with this id, of which a person says that this is the answer; nobody waits for it any more. What is not
    /// the answer leaves it there.
    pub(crate) fn take(
        &self,
        owner: &str,
        id: Uuid,
        answer: &str,
        now: Timestamp,
    ) -> Result<Asking, NotTaken> {
        let mut state = self.state(now);
        let asking = state.askings.get(&id).ok_or(NotTaken::Unknown)?;
        if asking.owner != owner {
            return Err(NotTaken::Unknown);
        }
        asking.judge(answer)?;
        state.askings.remove(&id).ok_or(NotTaken::Unknown)
    }

    /// Keeps what came of a consent that has no storage yet.
    pub(crate) fn keep(&self, asking: &Asking, consent: Consent, now: Timestamp) {
        let mut state = self.state(now);
        while state.given.len() >= MOST {
            let oldest =
                state.given.iter().min_by_key(|(id, given)| (given.expires_at, **id)).map(|(id, _)| *id);
            oldest.and_then(|id| state.given.remove(&id));
        }
        let given = Given {
            owner: asking.owner.clone(),
            expires_at: now.checked_add(KEPT).unwrap_or(now),
            asked_with: asking.asked_with.clone(),
            field: consent.field,
            value: consent.value,
            account: AccountTold { name: consent.account, id: consent.account_id },
        };
        state.given.insert(asking.id, given);
    }

    /// What came of a consent that has no storage yet. It stays there until it is [used](Self::used).
    pub(crate) fn given(&self, owner: &str, id: Uuid, now: Timestamp) -> Option<Given> {
        self.state(now).given.get(&id).filter(|given| given.owner == owner).cloned()
    }

    /// A storage has it now.
    pub(crate) fn used(&self, id: Uuid, now: Timestamp) {
        self.state(now).given.remove(&id);
    }

    fn state(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().expect("nothing panics while it holds the consents");
        state.askings.retain(|_, asking| now < asking.expires_at);
        state.given.retain(|_, given| now < given.expires_at);
        state
    }
}

/// Whether it is an address that holds a consent or a refusal.
pub(crate) fn is_answer(address: &str) -> bool {
    field(address, "code").or_else(|| field(address, "error")).is_some()
}

/// Whether a person has said no.
pub(crate) fn is_refusal(address: &str) -> bool {
    field(address, "error").is_some()
}

fn field(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let found = form_urlencoded::parse(query.trim().as_bytes())
        .find(|(field, value)| field == name && !value.is_empty());
    found.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use charon_provider::{Authorization, Consent, Error};
    use jiff::{Timestamp, ToSpan};
    use serde_json::Map;
    use url::Url;
    use uuid::Uuid;

    use super::{AskedWith, Asking, Consents, NotTaken, Target, is_refusal};

    struct Page(Url);

    #[async_trait]
    impl Authorization for Page {
        fn url(&self) -> &Url {
            &self.0
        }

        async fn redeem(&self, answer: &str) -> Result<Consent, Error> {
            Ok(Consent { field: "token", value: answer.into(), account: None, account_id: None })
        }
    }

    fn noon() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().expect("a time")
    }

    fn asking(number: u128, owner: &str, target: Target) -> Asking {
        let url: Url = format!("https://accounts.example.org/?state=s{number}").parse().expect("a URL");
        let redirect = "http://127.0.0.1:8484/oauth/callback".parse().expect("a URL");
        let asked_with = AskedWith { provider: "example".into(), config: Map::new() };
        let owner = (Uuid::from_u128(number), owner.into());
        Asking::new(owner, target, (Box::new(Page(url)), asked_with), redirect, noon())
    }

    #[test]
    fn an_answer_is_taken_once_and_from_the_session_that_has_asked() {
        let consents = Consents::default();
        consents.ask(asking(1, "anna", Target::Later), noon());
        let take = |owner: &str, address: &str, minutes: i64| {
            consents.take_answered(owner, address, noon() + minutes.minutes()).map(|asking| asking.id)
        };
        assert_eq!(take("bert", "/oauth/callback?state=s1&code=4", 0), Err(NotTaken::AnotherSession));
        assert_eq!(take("anna", "/oauth/callback?state=s2&code=4", 0), Err(NotTaken::Unknown));
        assert_eq!(take("anna", "/oauth/callback?code=4", 0), Err(NotTaken::Unknown));
        assert_eq!(take("anna", "/oauth/callback?state=s1", 0), Err(NotTaken::NoAnswer));
        assert_eq!(take("anna", "/oauth/callback?state=s1&error=access_denied", 14), Ok(Uuid::from_u128(1)));
        assert_eq!(take("anna", "/oauth/callback?state=s1&code=4", 14), Err(NotTaken::Unknown));
        consents.ask(asking(3, "anna", Target::Later), noon());
        assert_eq!(take("anna", "/oauth/callback?state=s3&code=4", 15), Err(NotTaken::Unknown));
        assert!(is_refusal("/?error=access_denied") && !is_refusal("/?code=4"));
    }

    #[test]
    fn a_pasted_address_that_is_not_the_answer_leaves_the_question_open() {
        let consents = Consents::default();
        consents.ask(asking(1, "anna", Target::Later), noon());
        let take = |owner: &str, text: &str| {
            consents.take(owner, Uuid::from_u128(1), text, noon()).map(|asking| asking.id)
        };
        assert_eq!(take("bert", "http://127.0.0.1/?state=s1&code=4"), Err(NotTaken::Unknown));
        for (text, why) in [
            ("", NotTaken::NoAnswer),
            ("4/0AcodeAlone", NotTaken::NoAnswer),
            ("http://127.0.0.1/?state=s1&code=", NotTaken::NoAnswer),
            ("http://127.0.0.1/?state=s2&code=4", NotTaken::Another),
            ("http://127.0.0.1/?code=4", NotTaken::Another),
        ] {
            assert_eq!(take("anna", text), Err(why), "{text}");
        }
        assert_eq!(take("anna", " ?state=s1&code=4 "), Ok(Uuid::from_u128(1)));
    }

    #[test]
    fn a_draft_has_one_question_at_a_time() {
        let consents = Consents::default();
        let draft = Target::Draft(Uuid::from_u128(9));
        consents.ask(asking(1, "anna", draft), noon());
        consents.ask(asking(2, "anna", draft), noon());
        consents.ask(asking(3, "bert", draft), noon());
        let of = |owner: &str| consents.of(owner, draft, noon()).map(|asking| asking.id);
        assert_eq!(of("anna"), Some(Uuid::from_u128(2)));
        assert_eq!(of("bert"), Some(Uuid::from_u128(3)));
        let old = consents.take_answered("anna", "/?state=s1&code=4", noon()).map(|asking| asking.id);
        assert_eq!(old, Err(NotTaken::Unknown));
    }
}
