//! Channels: whom a notice is told to, and how. Each kind describes its configuration with a JSON Schema.

use std::sync::LazyLock;

use charon_schema::{ConfigSchema, Mistake, Mistakes};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    email::{self, Email},
    error::DeliveryError,
    notice::{Event, Notice},
    ntfy::{self, Ntfy},
    ping::{self, Ping},
    webhook::{self, Webhook},
};

/// One kind of channel.
#[derive(Debug)]
pub struct Kind {
    /// The name by which it is asked for.
    pub id: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The schema of its configuration.
    pub schema: ConfigSchema,
    /// What it is told of unless somebody says otherwise.
    pub default_events: &'static [Event],
}

impl Kind {
    /// Whether a channel of this kind has a way to tell of this.
    pub fn speaks(&self, event: Event) -> bool {
        match self.id {
            PING => ping::speaks(event),
            // For one who reads, that a run has begun is no news.
            _ => event != Event::Started,
        }
    }
}

const WEBHOOK: &str = "webhook";
const NTFY: &str = "ntfy";
const EMAIL: &str = "email";
const PING: &str = "ping";

/// What somebody wants to know who does not want to be told that all is well.
const NOT_WELL: &[Event] =
    &[Event::Partial, Event::Failure, Event::NeedsAttention, Event::Overdue, Event::Recovered];
/// Whoever counts pings needs all of them.
const EACH_RUN: &[Event] =
    &[Event::Started, Event::Success, Event::Partial, Event::Failure, Event::NeedsAttention];

static KINDS: LazyLock<[Kind; 4]> = LazyLock::new(|| {
    [
        Kind {
            id: WEBHOOK,
            title: "Webhook",
            schema: ConfigSchema::of::<webhook::Fields>(),
            default_events: NOT_WELL,
        },
        Kind {
            id: NTFY,
            title: "ntfy",
            schema: ConfigSchema::of::<ntfy::Fields>(),
            default_events: NOT_WELL,
        },
        Kind {
            id: EMAIL,
            title: "E-mail",
            schema: ConfigSchema::of::<email::Fields>(),
            default_events: NOT_WELL,
        },
        Kind {
            id: PING,
            title: "Ping",
            schema: ConfigSchema::of::<ping::Fields>(),
            default_events: EACH_RUN,
        },
    ]
});

/// Every kind of channel.
pub fn kinds() -> &'static [Kind] {
    &*KINDS
}

/// The kind with this name.
pub fn kind(id: &str) -> Option<&'static Kind> {
    kinds().iter().find(|kind| kind.id == id)
}

/// A channel that is ready to be told things.
#[derive(Debug)]
pub struct Channel(Spoken);

#[derive(Debug)]
enum Spoken {
    Webhook(Box<Webhook>),
    Ntfy(Box<Ntfy>),
    Email(Box<Email>),
    Ping(Box<Ping>),
}

impl Channel {
    /// Reads the configuration of a channel, secrets included.
    ///
    /// # Errors
    /// Every mistake, none of which quotes a secret.
    pub fn read(id: &str, config: Map<String, Value>) -> Result<Self, Mistakes> {
        let Some(kind) = kind(id) else {
            let known: Vec<&str> = kinds().iter().map(|kind| kind.id).collect();
            let reason = format!("there is no kind of channel named {id}; there are {}", known.join(", "));
            return Err(Mistake { pointer: String::new(), reason }.into());
        };
        let schema = &kind.schema;
        let spoken = match id {
            WEBHOOK => judged(schema, config, webhook::Fields::judge).map(|it| Spoken::Webhook(Box::new(it))),
            NTFY => judged(schema, config, ntfy::Fields::judge).map(|it| Spoken::Ntfy(Box::new(it))),
            EMAIL => judged(schema, config, email::Fields::judge).map(|it| Spoken::Email(Box::new(it))),
            _ => judged(schema, config, ping::Fields::judge).map(|it| Spoken::Ping(Box::new(it))),
        };
        spoken.map(Self)
    }

    /// Tells it once, within a minute. What a channel has no way to tell of is told by saying nothing.
    ///
    /// # Errors
    /// Why it did not get through, and whether it helps to try again.
    pub async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), DeliveryError> {
        match &self.0 {
            Spoken::Webhook(webhook) => webhook.deliver(notice, now).await,
            Spoken::Ntfy(ntfy) => ntfy.deliver(notice, now).await,
            Spoken::Email(email) => email.deliver(notice, now).await,
            Spoken::Ping(ping) => ping.deliver(notice, now).await,
        }
    }
}

/// Judges a configuration by its schema, and by what the schema cannot express. Where the schema refuses a field, all that
/// can be judged without it is judged along with it.
fn judged<F: DeserializeOwned, T>(
    schema: &ConfigSchema,
    mut config: Map<String, Value>,
    judge: impl FnOnce(F) -> Result<T, Mistakes>,
) -> Result<T, Mistakes> {
    let refused = schema.validate(&Value::Object(config.clone())).err();
    for mistake in refused.iter().flat_map(|mistakes| &mistakes.0) {
        let field = mistake.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
        config.remove(field);
    }
    let judged = serde_json::from_value::<F>(Value::Object(config)).ok().map(judge);
    match (refused, judged) {
        (None, Some(judged)) => judged,
        // What serde would say could quote a secret, and the schema has its say on all of that.
        (None, None) => {
            let reason = "the configuration does not fit its schema".into();
            Err(Mistake { pointer: String::new(), reason }.into())
        }
        (Some(mistakes), Some(Err(others))) => Err(mistakes.and(others)),
        (Some(mistakes), _) => Err(mistakes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Channel, kind, kinds};
    use crate::notice::Event;

    fn mistakes(kind: &str, config: &Value) -> Vec<(String, String)> {
        let config = config.as_object().cloned().expect("an object");
        let error = Channel::read(kind, config).expect_err("a wrong configuration");
        error.0.into_iter().map(|mistake| (mistake.pointer, mistake.reason)).collect()
    }

    #[track_caller]
    fn assert_refused(kind: &str, config: &Value, pointer: &str, words: &str) {
        let found = mistakes(kind, config);
        let is_told = found.iter().any(|(place, reason)| place == pointer && reason.contains(words));
        assert!(is_told, "{pointer}: {words:?} is not told: {found:?}");
    }

    #[test]
    fn every_field_of_every_kind_is_annotated_for_a_form() {
        for kind in kinds() {
            let properties = kind.schema.as_json()["properties"].as_object().expect("fields").clone();
            let mut orders = Vec::new();
            for (name, property) in &properties {
                for annotation in ["title", "description", "x-group", "x-order"] {
                    assert!(property.get(annotation).is_some(), "{}.{name} has no {annotation}", kind.id);
                }
                orders.push(property["x-order"].as_u64().expect("a number"));
            }
            orders.sort_unstable();
            assert!(orders.iter().copied().eq(1..=properties.len() as u64), "{}: {orders:?}", kind.id);
            assert_eq!(kind.schema.as_json()["additionalProperties"], false, "{}", kind.id);
            assert!(kind.default_events.iter().all(|event| kind.speaks(*event)));
            assert!(kind.speaks(Event::Test));
        }
    }

    #[test]
    fn secrets_are_marked_as_such() {
        // I6
        for (id, secrets) in [
            ("webhook", &["url", "secret", "headers"][..]),
            ("ntfy", &["topic", "token"]),
            ("email", &["password"]),
            ("ping", &["url"]),
        ] {
            let schema = &kind(id).expect("a kind").schema;
            let found: Vec<&str> =
                schema.fields().into_iter().filter(|field| schema.is_secret(field)).collect();
            assert_eq!(found, secrets, "{id}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let webhook = json!({"url": "hunter2", "preset": "slak", "template": "{x}", "colour": 1});
        let found = mistakes("webhook", &webhook);
        let places: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(places, ["/colour", "/preset", "/template", "/url"], "{found:?}");
        assert!(!format!("{found:?}").contains("hunter2"), "I6: {found:?}");

        let url = "https://example.org";
        assert_refused("webhook", &json!({}), "/url", "is missing");
        assert_refused("webhook", &json!({"url": ""}), "/url", "must not be empty");
        let both = json!({"url": url, "preset": "slack", "template": "{}"});
        assert_refused("webhook", &both, "/template", "takes the place");
        let headers =
            json!({"url": url, "headers": {"X-Charon-Signature": "a", "a b": "c", "D": "hunter2\r\nE: f"}});
        for words in ["sets itself", "no name of a header", "no header can have"] {
            assert_refused("webhook", &headers, "/headers", words);
        }
        assert!(!format!("{:?}", mistakes("webhook", &headers)).contains("hunter2"), "I6");
        assert_refused("ntfy", &json!({"topic": "a b"}), "/topic", "");
        assert_refused("ntfy", &json!({"topic": "a", "server": "ntfy.sh"}), "/server", "is not a URL");
        assert_refused("ping", &json!({"url": "ftp://x"}), "/url", "must begin with");
        assert_refused("pigeon", &json!({}), "", "webhook, ntfy, email, ping");
    }

    #[test]
    fn a_password_is_not_sent_where_others_can_read_it() {
        // I6
        let config = |host: &str, security: &str, password: &str| {
            let user = if password.is_empty() { "" } else { "anna" };
            json!({"host": host, "security": security, "user": user, "password": password, "from": "a@b.c", "to": ["d@e.f"]})
        };
        assert_refused("email", &config("smtp.example.org", "none", "hunter2"), "/security", "on the way");
        for (host, security, password) in [
            ("smtp.example.org", "none", ""),
            ("localhost", "none", "hunter2"),
            ("127.0.0.1", "none", "hunter2"),
            ("smtp.example.org", "starttls", "hunter2"),
            ("smtp.example.org", "tls", "hunter2"),
        ] {
            let config = config(host, security, password).as_object().cloned().expect("an object");
            let channel = Channel::read("email", config).expect("a right configuration");
            assert!(!format!("{channel:?}").contains("hunter2"), "{channel:?}");
        }
        let wrong = json!({"host": "x", "from": "me", "to": ["a@b.c", "you\r\nBcc: x@y.z"], "user": "a"});
        assert_refused("email", &wrong, "/from", "no address");
        assert_refused("email", &wrong, "/to/1", "no address");
        assert_refused("email", &wrong, "/password", "is missing");
        assert_refused("email", &json!({"host": "x", "from": "a@b.c", "to": []}), "/to", "must not be empty");
    }

    #[test]
    fn nothing_prints_a_secret() {
        // I6
        for (kind, config) in [
            (
                "webhook",
                json!({"url": "https://t0k3n.example/t0k3n", "secret": "t0k3n", "headers": {"A": "t0k3n"}}),
            ),
            ("ntfy", json!({"topic": "t0k3n", "token": "t0k3n"})),
            ("ping", json!({"url": "https://t0k3n.example/t0k3n"})),
        ] {
            let channel =
                Channel::read(kind, config.as_object().cloned().expect("an object")).expect("right");
            assert!(!format!("{channel:?}").contains("t0k3n"), "{channel:?}");
        }
    }
}
