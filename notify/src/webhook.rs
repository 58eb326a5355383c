//! Webhooks: one POST of JSON to a URL.
//!
//! Where a `secret` is configured, two headers let the receiver know who sent it and when: `X-Charon-Timestamp`, in seconds
//! since 1970, and `X-Charon-Signature`, which is `sha256=` and the hexadecimal HMAC-SHA256, keyed with the secret, of the
//! timestamp as it is in the header, a full stop, and the body as it was sent. A receiver that refuses old timestamps cannot
//! be sent a recorded notice again. `X-Charon-Delivery` is the notice's id, the same for each attempt.

use std::collections::BTreeMap;

use charon_schema::{Mistake, Mistakes};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use url::Url;

use crate::{
    address, error::DeliveryError, hidden::Hidden, http::Telling, notice::Notice, preset, template::Template,
};

/// What the server is called: a webhook's URL is secret, its host included.
const SERVER: &str = "the webhook";

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "Webhook",
    description = "JSON to a URL: your own service, Slack, Discord, and what is compatible with them."
)]
pub(crate) struct Fields {
    #[schemars(
        with = "String",
        title = "URL",
        description = "Where the notice is posted to. It is kept secret, since most such URLs carry a token.",
        length(min = 1),
        extend("x-group" = "Webhook", "x-order" = 1, "x-secret" = true, "x-binds-secrets" = true)
    )]
    url: SecretString,

    #[serde(default)]
    #[schemars(
        title = "Preset",
        description = "What the receiver takes. json: the whole notice; slack: a message for an incoming webhook of Slack, \
                       Mattermost or Rocket.Chat; discord: a message for a webhook of Discord.",
        extend("x-group" = "Webhook", "x-order" = 2)
    )]
    preset: Preset,

    #[serde(default)]
    #[schemars(
        title = "Template",
        description = "JSON of your own instead of the whole notice, with placeholders in braces: {title}, {text}, {event}, \
                       {plan}, {run}, {state}, {items_done}, {items_unchanged}, {items_skipped}, {items_failed}, {bytes}, \
                       {started_at}, {ended_at}, {in_a_row}, {last_good_at}, {link}, {id}. Only with the preset json.",
        extend("x-group" = "Message", "x-order" = 3, "x-advanced" = true, "examples" = [r#"{"message": "{title}: {text}", "bytes": {bytes}}"#])
    )]
    template: String,

    #[serde(default = "no_secret")]
    #[schemars(
        with = "String",
        title = "Signing secret",
        description = "If it is set, each notice is signed with it (HMAC-SHA256), so that the receiver can know whose it is.",
        extend("x-group" = "Security", "x-order" = 4, "x-secret" = true)
    )]
    secret: SecretString,

    #[serde(default)]
    #[schemars(
        with = "BTreeMap<String, String>",
        title = "Headers",
        description = "Further headers, for instance {\"Authorization\": \"Bearer …\"}. They are kept secret.",
        extend("x-group" = "Security", "x-order" = 5, "x-secret" = true, "x-advanced" = true)
    )]
    headers: BTreeMap<String, SecretString>,
}

fn no_secret() -> SecretString {
    SecretString::default()
}

/// What the receiver takes. The variants carry no documentation, so that the schema is a plain `enum`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Preset {
    #[default]
    Json,
    Slack,
    Discord,
}

/// A webhook that is ready to be told things.
#[derive(Debug)]
pub(crate) struct Webhook {
    url: SecretUrl,
    form: Form,
    secret: Option<SecretString>,
    headers: HeaderMap,
    hidden: Hidden,
}

/// A URL that does not print.
pub(crate) struct SecretUrl(pub(crate) Url);

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

#[derive(Debug)]
enum Form {
    Whole,
    Slack,
    Discord,
    Template(Template),
}

impl Fields {
    pub(crate) fn judge(self) -> Result<Webhook, Mistakes> {
        let mut mistakes = Vec::new();
        let mut wrong = |field: &str, reason: String| mistakes.push(Mistake::in_field(field, reason));
        let url = address::parse(self.url.expose_secret()).map_err(|reason| wrong("url", reason.into())).ok();
        let form = match self.preset {
            Preset::Json if self.template.trim().is_empty() => Some(Form::Whole),
            Preset::Json => Template::read(&self.template)
                .map_err(|reason| wrong("template", reason))
                .map(Form::Template)
                .ok(),
            Preset::Slack | Preset::Discord if !self.template.trim().is_empty() => {
                wrong("template", "takes the place of a preset; leave one of them out".into());
                None
            }
            Preset::Slack => Some(Form::Slack),
            Preset::Discord => Some(Form::Discord),
        };
        let headers = headers(&self.headers, &mut mistakes);
        let (Some(url), Some(form), true) = (url, form, mistakes.is_empty()) else {
            return Err(Mistakes(mistakes));
        };
        let mut pieces = Hidden::of_url(&url);
        pieces.push(self.secret.expose_secret().to_owned());
        for value in self.headers.values().map(ExposeSecret::expose_secret) {
            // `Bearer TOKEN` may come back as TOKEN.
            pieces.extend(value.split_whitespace().map(str::to_owned));
        }
        let secret = Some(self.secret).filter(|secret| !secret.expose_secret().is_empty());
        Ok(Webhook { url: SecretUrl(url), form, secret, headers, hidden: Hidden::new(pieces) })
    }
}

/// The further headers. No value is quoted in a mistake.
fn headers(given: &BTreeMap<String, SecretString>, mistakes: &mut Vec<Mistake>) -> HeaderMap {
    const OURS: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "te"];
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let mut wrong =
            |reason: &str| mistakes.push(Mistake::in_field("headers", format!("{name:?} {reason}")));
        let Ok(parsed) = HeaderName::try_from(name) else {
            wrong("is no name of a header");
            continue;
        };
        if OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("x-charon-") {
            wrong("is a header that Charon sets itself");
            continue;
        }
        let Ok(mut value) = HeaderValue::try_from(value.expose_secret()) else {
            wrong("has a value that no header can have (line breaks, for instance)");
            continue;
        };
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    headers
}

impl Webhook {
    pub(crate) async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), DeliveryError> {
        let body = self.body(notice)?;
        let mut headers = self.headers.clone();
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Ok(id) = HeaderValue::try_from(&notice.id) {
            headers.insert("x-charon-delivery", id);
        }
        if let Some(secret) = &self.secret {
            let timestamp = now.as_second();
            let signature = format!("sha256={}", signature(secret.expose_secret(), timestamp, &body));
            headers.insert("x-charon-timestamp", timestamp.into());
            let signature =
                HeaderValue::try_from(signature).expect("hexadecimal digits are good in a header");
            headers.insert("x-charon-signature", signature);
        }
        Telling { url: &self.url.0, headers, body, server: SERVER, hidden: &self.hidden }.post(now).await
    }

    fn body(&self, notice: &Notice) -> Result<String, DeliveryError> {
        let whole = match &self.form {
            Form::Whole => serde_json::to_value(notice),
            Form::Slack => Ok(preset::slack(notice)),
            Form::Discord => Ok(preset::discord(notice)),
            Form::Template(template) => return Ok(template.fill(notice)),
        };
        whole
            .map(|value| value.to_string())
            .map_err(|error| DeliveryError::lasting(format!("the notice is no JSON: {error}")))
    }
}

/// The signature of a body that is sent at this second since 1970.
fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key may have any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("{:x}", mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_signature_is_what_others_compute() {
        // printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac hunter2
        let expected = "8caef20636003c342c731ac00165234488e30e846b8768dc9251cb3a2b4d89e5";
        assert_eq!(signature("hunter2", 1_767_225_600, "{\"a\":1}"), expected);
    }
}
