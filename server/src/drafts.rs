//! Storages that are being made or changed in a browser. What was typed into a form or obtained by a consent stays in the memory of
//! this server until it is saved or given up, so that no secret ever goes back into a page (I6).
//!
//! Each draft belongs to the session that began it. There are only so many, for only so long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use charon_engine::{AccountTold, PastCheck, StorageId, StorageView};
use charon_provider::Secrets;
use charon_schema::{ConfigSchema, Mistake};
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::access::Who;

/// The most drafts that there are at a time, and that one session has. One more ends the oldest.
const MOST: usize = 256;
const MOST_OF_ONE: usize = 16;
/// One that nobody has touched for this long is forgotten.
const KEPT: Duration = Duration::from_hours(2);

/// Whose drafts and consents they are: one session of a browser, or one token. Not by its name: another one may have that later.
pub(crate) fn owner(who: &Who) -> String {
    let session = who.session.map(|session| format!("session {session}"));
    let token = || who.token.map(|token| format!("token {token}"));
    session.or_else(token).unwrap_or_default()
}

/// All drafts. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Drafts(Arc<Mutex<HashMap<Uuid, Kept>>>);

struct Kept {
    owner: String,
    touched: Timestamp,
    draft: Draft,
}

/// A storage that is being made, or one that is being changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// The id of its provider.
    pub(crate) provider: String,
    /// The stored storage that is changed, if it is one.
    pub(crate) of: Option<Stored>,
    /// Its name.
    pub(crate) name: String,
    /// What was typed, without the secrets.
    pub(crate) fields: Map<String, Value>,
    /// What was entered or obtained. Of a stored storage, those that replace what is stored.
    pub(crate) secrets: Secrets,
    /// Those of the stored secrets that are to be forgotten.
    pub(crate) forgotten: Vec<String>,
    /// Whose account the consent is of that it has.
    pub(crate) account: AccountTold,
    /// What was wrong with it, its name included, when it was last judged.
    pub(crate) mistakes: Vec<Mistake>,
    /// How its last test went, as long as nothing was changed since.
    pub(crate) tested: Option<Tested>,
    /// Something that its page has to say once.
    pub(crate) news: Option<News>,
}

/// A storage as it was stored when somebody began to change it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: StorageId,
    /// The version that was seen.
    pub(crate) revision: i64,
    /// The secrets that are set, by field.
    pub(crate) secrets: Vec<String>,
}

/// How a test went.
#[derive(Clone, Debug)]
pub(crate) struct Tested {
    pub(crate) at: Timestamp,
    pub(crate) checks: Vec<PastCheck>,
}

/// Something that has happened to a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A consent was given.
    Connected,
    /// What stands in place of one was pasted.
    Entered,
    /// It could not be saved: what happened, and what to do.
    NotSaved(String),
}

impl Draft {
    /// A change of a stored storage, as it is now.
    pub(crate) fn of(storage: &StorageView, schema: &ConfigSchema) -> Self {
        let (fields, secrets) = schema.split(storage.config.clone());
        let secrets = secrets.into_iter().map(|(field, _)| field).collect();
        let stored = Stored { id: storage.id, revision: storage.revision, secrets };
        Self {
            provider: storage.provider.clone(),
            of: Some(stored),
            name: storage.name.clone(),
            fields,
            ..Self::default()
        }
    }

    /// The configuration: what was typed, and the secrets that were entered or obtained; null for those that are to be forgotten.
    pub(crate) fn config(&self) -> Map<String, Value> {
        let mut config = self.shown();
        config.extend(self.secrets.expose());
        config
    }

    /// What of it a form may show.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let mut shown = self.fields.clone();
        shown.extend(self.forgotten.iter().map(|field| (field.clone(), Value::Null)));
        shown
    }

    /// Whether the field, a secret, is set, here or in what is stored.
    pub(crate) fn has_secret(&self, field: &str) -> bool {
        self.secrets.get(field).is_some() || self.is_stored(field)
    }

    fn is_stored(&self, field: &str) -> bool {
        self.of.as_ref().is_some_and(|of| of.secrets.iter().any(|name| name == field))
    }

    /// Takes what a form has sent. Secrets that it leaves blank are as they were, unless a field says anew where they go: then they
    /// are forgotten, and asked for again (I6).
    pub(crate) fn take(&mut self, name: String, config: Map<String, Value>, schema: &ConfigSchema) {
        let before = self.config();
        let (fields, mut entered) = schema.split(config);
        let mut secrets = self.secrets.expose();
        let forgotten: Vec<String> =
            entered.iter().filter(|(_, value)| value.is_null()).map(|(field, _)| field.clone()).collect();
        secrets.retain(|field, _| !forgotten.contains(field));
        entered.retain(|_, value| !is_blank(value));
        self.mistakes.clear();
        let rebound = schema.rebound(&self.fields, &fields);
        if !rebound.is_empty() {
            let reason = format!("is to be entered again, since {} is another one now", rebound.join(", "));
            let asked = secrets.keys().filter(|field| !entered.contains_key(*field));
            self.mistakes.extend(asked.map(|field| Mistake::in_field(field, reason.clone())));
            secrets.clear();
            self.account = AccountTold::default();
        }
        for (field, value) in entered {
            if secrets.get(&field) != Some(&value) {
                // Whoever pastes another token has not told whose it is.
                self.account = AccountTold::default();
            }
            secrets.insert(field, value);
        }
        (self.name, self.fields, self.secrets) = (name, fields, Secrets::new(secrets));
        self.forgotten = forgotten.into_iter().filter(|field| self.is_stored(field)).collect();
        if self.config() != before {
            self.tested = None;
        }
    }

    /// Puts the one secret of a consent, or one that was pasted in its place, among the others.
    pub(crate) fn adopt(&mut self, field: &str, value: secrecy::SecretString, account: AccountTold) {
        self.secrets = std::mem::take(&mut self.secrets).with(field, value);
        self.forgotten.retain(|name| name != field);
        self.account = account;
        self.tested = None;
        self.mistakes.retain(|mistake| mistake.pointer != format!("/{field}"));
    }

    /// Takes those of its secrets that a test has renewed.
    pub(crate) fn renew(&mut self, config: &Map<String, Value>) {
        let mut secrets = self.secrets.expose();
        for (field, value) in &mut secrets {
            if let Some(renewed) = config.get(field) {
                value.clone_from(renewed);
            }
        }
        self.secrets = Secrets::new(secrets);
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

impl Drafts {
    /// Keeps a new draft under this id.
    pub(crate) fn begin(&self, owner: &str, id: Uuid, draft: Draft, now: Timestamp) {
        let mut drafts = self.drafts(now);
        make_room(&mut drafts, owner);
        drafts.insert(id, Kept { owner: owner.to_owned(), touched: now, draft });
    }

    /// Does this with a draft of the session. `None` if it has none with this id, or none any more.
    pub(crate) fn with<R>(
        &self,
        owner: &str,
        id: Uuid,
        now: Timestamp,
        act: impl FnOnce(&mut Draft) -> R,
    ) -> Option<R> {
        let mut drafts = self.drafts(now);
        let kept = drafts.get_mut(&id).filter(|kept| kept.owner == owner)?;
        kept.touched = now;
        Some(act(&mut kept.draft))
    }

    /// Gives up a draft of the session.
    pub(crate) fn end(&self, owner: &str, id: Uuid, now: Timestamp) {
        let mut drafts = self.drafts(now);
        if drafts.get(&id).is_some_and(|kept| kept.owner == owner) {
            drafts.remove(&id);
        }
    }

    /// Those that are not forgotten yet.
    fn drafts(&self, now: Timestamp) -> MutexGuard<'_, HashMap<Uuid, Kept>> {
        let mut drafts = self.0.lock().expect("nothing panics while it holds the drafts");
        drafts.retain(|_, kept| now.duration_since(kept.touched).unsigned_abs() < KEPT);
        drafts
    }
}

/// Ends the oldest draft of a session that has as many as it may, and the oldest of all if there are as many as there may be.
fn make_room(drafts: &mut HashMap<Uuid, Kept>, owner: &str) {
    let oldest = |drafts: &HashMap<Uuid, Kept>, is_meant: &dyn Fn(&Kept) -> bool| {
        let meant = drafts.iter().filter(|(_, kept)| is_meant(kept));
        meant.min_by_key(|(id, kept)| (kept.touched, **id)).map(|(id, _)| *id)
    };
    let is_own = |kept: &Kept| kept.owner == owner;
    while drafts.values().filter(|kept| is_own(kept)).count() >= MOST_OF_ONE {
        let Some(id) = oldest(drafts, &is_own) else { return };
        drafts.remove(&id);
    }
    while drafts.len() >= MOST {
        let Some(id) = oldest(drafts, &|_| true) else { return };
        drafts.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use charon_schema::ConfigSchema;
    use jiff::{Timestamp, ToSpan};
    use schemars::JsonSchema;
    use serde_json::{Map, Value, json};
    use uuid::Uuid;

    use super::{Draft, Drafts, MOST_OF_ONE, owner};
    use crate::access::{Scope, Who};

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Example {
        client: String,
        #[schemars(extend("x-secret" = true))]
        token: String,
        #[schemars(extend("x-binds-secrets" = true))]
        server: Option<String>,
    }

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no object"),
        }
    }

    fn noon() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn what_a_token_began_is_not_of_another_one_that_has_its_name_later() {
        let token = |id: &str| Who {
            name: "phone".into(),
            scope: Scope::Admin,
            csrf: None,
            session: None,
            token: Some(id.parse().expect("an id")),
        };
        let first = owner(&token("01890000-0000-7000-8000-000000000001"));
        assert_eq!(first, owner(&token("01890000-0000-7000-8000-000000000001")));
        assert_ne!(first, owner(&token("01890000-0000-7000-8000-000000000002")));
    }

    #[test]
    fn a_draft_is_its_sessions_alone_and_only_for_a_while() {
        let drafts = Drafts::default();
        let id = Uuid::from_u128(1);
        drafts.begin("anna", id, Draft::default(), noon());
        let look = |owner: &str, hours: i64| drafts.with(owner, id, noon() + hours.hours(), |_| ()).is_some();
        assert!(!look("bert", 0));
        drafts.end("bert", id, noon());
        assert!(look("anna", 0) && look("anna", 1), "touched, it stays");
        assert!(look("anna", 2) && !look("anna", 5), "left alone, it is forgotten");
    }

    #[test]
    fn one_session_keeps_only_so_many_and_takes_no_room_from_others() {
        let drafts = Drafts::default();
        let id = |number: usize| Uuid::from_u128(number as u128);
        drafts.begin("bert", id(1_000), Draft::default(), noon());
        for number in 0..=MOST_OF_ONE {
            drafts.begin("anna", id(number), Draft::default(), noon());
        }
        assert!(drafts.with("anna", id(0), noon(), |_| ()).is_none());
        assert!(drafts.with("anna", id(1), noon(), |_| ()).is_some());
        assert!(drafts.with("bert", id(1_000), noon(), |_| ()).is_some());
    }

    #[test]
    fn a_blank_secret_is_the_one_that_was_entered_before_and_none_is_printed() {
        // I6
        let schema = ConfigSchema::of::<Example>();
        let mut draft = Draft::default();
        draft.take("a".into(), map(json!({"client": "x", "token": "hunter2"})), &schema);
        draft.tested = Some(super::Tested { at: noon(), checks: Vec::new() });
        draft.take("b".into(), map(json!({"client": "x", "token": " "})), &schema);
        assert_eq!(draft.config(), map(json!({"client": "x", "token": "hunter2"})));
        assert!(draft.tested.is_some(), "another name is no reason to test again");
        draft.take("b".into(), map(json!({"client": "y"})), &schema);
        assert!(draft.tested.is_none() && draft.has_secret("token"));
        assert!(!format!("{draft:?}").contains("hunter2"));
        draft.renew(&map(json!({"token": "hunter3", "client": "z"})));
        assert_eq!(draft.config(), map(json!({"client": "y", "token": "hunter3"})));
    }

    #[test]
    fn a_secret_does_not_go_where_it_was_not_entered_for() {
        // I6
        let schema = ConfigSchema::of::<Example>();
        let mut draft = Draft::default();
        draft.take("a".into(), map(json!({"client": "x", "token": "hunter2", "server": "a"})), &schema);
        assert!(draft.mistakes.is_empty());
        draft.take("a".into(), map(json!({"client": "x", "server": "b"})), &schema);
        assert_eq!(draft.mistakes[0].pointer, "/token");
        assert!(!draft.has_secret("token"));
        draft.take("a".into(), map(json!({"client": "x", "server": "c", "token": "hunter2"})), &schema);
        assert!(draft.mistakes.is_empty() && draft.has_secret("token"));
    }
}
