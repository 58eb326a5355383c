//! The configuration of an S3-compatible store: its fields, and what they come to.

use charon_provider::Config;
use charon_schema::{ConfigSchema, Mistakes};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{config::Judging, endpoint, paths::is_plain};

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "S3-compatible store",
    description = "One bucket, or a part of one, as a place for mirrors."
)]
pub(super) struct Fields {
    #[schemars(
        title = "Endpoint",
        description = "The address of the store: https://s3.eu-central-1.amazonaws.com, https://minio.example.org:9000, \
                       https://s3.eu-central-003.backblazeb2.com or https://ACCOUNT.r2.cloudflarestorage.com.",
        length(min = 1),
        extend("x-group" = "Store", "x-order" = 1, "x-binds-secrets" = true)
    )]
    endpoint: String,

    #[serde(default = "default_region")]
    #[schemars(
        title = "Region",
        description = "The region that requests are signed for: that of the bucket for Amazon and Backblaze, auto for \
                       Cloudflare. MinIO takes us-east-1 unless it was told another.",
        length(min = 1),
        extend("x-group" = "Store", "x-order" = 2)
    )]
    region: String,

    #[schemars(
        title = "Bucket",
        description = "The name of the bucket. It has to exist.",
        length(min = 1),
        extend("x-group" = "Store", "x-order" = 3)
    )]
    bucket: String,

    #[serde(default)]
    #[schemars(
        title = "Prefix",
        description = "Keep everything below this name in the bucket, for instance photos/charon. Blank means the whole \
                       bucket.",
        extend("x-group" = "Store", "x-order" = 4)
    )]
    prefix: String,

    #[schemars(
        title = "Access key ID",
        description = "The name of the key. Make one for this bucket alone, which may list, read, write and delete.",
        length(min = 1),
        extend("x-group" = "Key", "x-order" = 5, "x-auth" = "password")
    )]
    access_key_id: String,

    #[schemars(
        with = "String",
        title = "Secret access key",
        description = "The key itself. It signs requests, and is never sent. Keys in variables of the environment or on a \
                       machine of Amazon's are not used.",
        length(min = 1),
        extend("x-group" = "Key", "x-order" = 6, "x-auth" = "password", "x-secret" = true)
    )]
    secret_access_key: SecretString,

    #[expect(dead_code, reason = "it is for people alone")]
    #[serde(default)]
    #[schemars(
        title = "Description",
        description = "Your own words on this storage. They stay here.",
        length(max = 500),
        extend("x-group" = "Store", "x-order" = 7)
    )]
    description: String,

    #[serde(default)]
    #[schemars(
        title = "Bucket in the host name",
        description = "Ask at https://BUCKET.ENDPOINT instead of https://ENDPOINT/BUCKET, where a store wants that.",
        extend("x-group" = "Store", "x-order" = 8, "x-advanced" = true)
    )]
    virtual_hosted_style: bool,

    #[serde(default)]
    #[schemars(
        title = "Storage class",
        description = "What class new files are kept in, where the store has several. Classes that have to be thawed \
                       before they can be read are not among them, for a mirror is read to verify it.",
        extend("x-group" = "Store", "x-order" = 9, "x-advanced" = true)
    )]
    storage_class: StorageClass,

    #[serde(default)]
    #[schemars(
        title = "Allow plain http",
        description = "Take an http:// endpoint that is not on this machine. Whoever is on the way can then see the photos. \
                       Only for a network that you trust.",
        extend("x-group" = "Store", "x-order" = 10, "x-advanced" = true, "x-binds-secrets" = true)
    )]
    allow_http: bool,
}

/// What class new files are kept in. The variants carry no documentation, so that the schema is a plain `enum`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(inline)]
pub(super) enum StorageClass {
    #[default]
    Default,
    Standard,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    GlacierIr,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

/// A configuration that has been found right, in the types it is used by.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) endpoint: Url,
    pub(super) region: String,
    pub(super) bucket: String,
    /// "" or a name that ends with a slash.
    pub(super) prefix: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: SecretString,
    pub(super) virtual_hosted_style: bool,
    pub(super) storage_class: StorageClass,
}

impl Settings {
    /// Reads a configuration, judging it by the schema and by what the schema cannot express.
    ///
    /// # Errors
    /// Every mistake, none of which quotes a secret.
    pub(super) fn read(config: &Config, schema: &ConfigSchema) -> Result<Self, Mistakes> {
        let (mut judging, fields) = Judging::read::<Fields>(config, schema);
        let settings = fields.and_then(|fields| fields.judge(&mut judging));
        judging.end(settings)
    }
}

impl Fields {
    fn judge(self, judging: &mut Judging) -> Option<Settings> {
        let endpoint = endpoint::parse(&self.endpoint, self.allow_http)
            .map_err(|reason| judging.wrong("endpoint", reason))
            .ok();
        let bucket = self.bucket.trim();
        if !is_bucket(bucket) {
            judging.wrong("bucket", "is not the name of a bucket: letters, digits, and . - _ between them");
        } else if self.virtual_hosted_style && bucket.contains('.') {
            judging.wrong("virtual_hosted_style", "cannot be used with a bucket that has a dot in its name");
        }
        let prefix = self.prefix.trim().trim_matches('/');
        if !prefix.is_empty() && (!is_plain(prefix) || prefix.chars().any(char::is_control)) {
            judging.wrong("prefix", "must not have empty parts, nor parts that are . or ..");
        }
        for (name, value) in [
            ("region", self.region.as_str()),
            ("access_key_id", self.access_key_id.as_str()),
            ("secret_access_key", self.secret_access_key.expose_secret()),
        ] {
            if value.trim().is_empty() {
                judging.wrong(name, "is missing or blank");
            } else if !value.trim().chars().all(|c| c.is_ascii_graphic()) {
                judging.wrong(name, "has characters in it that no key and no region has");
            }
        }
        Some(Settings {
            endpoint: endpoint?,
            region: self.region.trim().to_owned(),
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            access_key_id: self.access_key_id.trim().to_owned(),
            secret_access_key: self.secret_access_key.expose_secret().trim().into(),
            virtual_hosted_style: self.virtual_hosted_style,
            storage_class: self.storage_class,
        })
    }
}

fn is_bucket(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inner)
}

impl StorageClass {
    /// As the store calls it; `None` for what the store takes by itself.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::Standard => Some("STANDARD"),
            Self::StandardIa => Some("STANDARD_IA"),
            Self::OnezoneIa => Some("ONEZONE_IA"),
            Self::IntelligentTiering => Some("INTELLIGENT_TIERING"),
            Self::GlacierIr => Some("GLACIER_IR"),
        }
    }
}

#[cfg(test)]
mod tests {
    use charon_provider::{Config, Revision, Secrets};
    use charon_schema::ConfigSchema;
    use serde_json::{Value, json};

    use super::{Fields, Settings};

    fn read(extra: &Value) -> Result<Settings, charon_schema::Mistakes> {
        let schema = ConfigSchema::of::<Fields>();
        let mut whole = json!({"endpoint": "https://s3.example.org", "bucket": "photos", "access_key_id": "AKIA",
            "secret_access_key": "hunter2"});
        let (whole, extra) = (whole.as_object_mut().unwrap(), extra.as_object().unwrap());
        whole.extend(extra.clone());
        whole.retain(|_, value| !value.is_null());
        let (fields, secrets) = schema.split(whole.clone());
        Settings::read(&Config { fields, secrets: Secrets::new(secrets), revision: Revision(1) }, &schema)
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let settings = read(&json!({})).unwrap();
        assert_eq!((settings.region.as_str(), settings.prefix.as_str()), ("us-east-1", ""));
        assert!(!settings.virtual_hosted_style && settings.storage_class.name().is_none());
        assert_eq!(read(&json!({"prefix": "/a/b/"})).unwrap().prefix, "a/b/");
        assert_eq!(
            read(&json!({"storage_class": "GLACIER_IR"})).unwrap().storage_class.name(),
            Some("GLACIER_IR")
        );
    }

    #[test]
    fn a_mistake_is_told_with_the_path_to_its_field() {
        for (extra, pointers) in [
            (json!({"endpoint": "http://nas"}), &["/endpoint"][..]),
            (json!({"bucket": "a/b", "prefix": "a/../b"}), &["/bucket", "/prefix"]),
            (json!({"bucket": "a.b", "virtual_hosted_style": true}), &["/virtual_hosted_style"]),
            (json!({"storage_class": "GLACIER"}), &["/storage_class"]),
            (json!({"access_key_id": " ", "region": "ü"}), &["/region", "/access_key_id"]),
            (
                json!({"secret_access_key": "hunter2 hunter2", "buckit": 1}),
                &["/buckit", "/secret_access_key"],
            ),
            (json!({"endpoint": null, "bucket": null}), &["/bucket", "/endpoint"]),
        ] {
            let mistakes = read(&extra).expect_err(&extra.to_string());
            assert!(!mistakes.to_string().contains("hunter2"), "a secret is quoted: {mistakes}");
            let mut found: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
            let mut pointers = pointers.to_vec();
            found.sort_unstable();
            pointers.sort_unstable();
            assert_eq!(found, pointers, "{extra}: {mistakes}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        // I6
        assert!(!format!("{:?}", read(&json!({})).unwrap()).contains("hunter2"));
    }
}
