//! The configuration of a WebDAV server: its fields, and what they come to.

use charon_provider::Config;
use charon_schema::{ConfigSchema, Mistakes};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::{config::Judging, endpoint, paths::is_plain};

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "WebDAV server", description = "One folder of a WebDAV server, as a place for mirrors.")]
pub(super) struct Fields {
    #[schemars(
        title = "Endpoint",
        description = "The address of the server's WebDAV: https://cloud.example.org/remote.php/dav/files/USER for \
                       Nextcloud, https://nas.example.org:5006 for a Synology.",
        length(min = 1),
        extend("x-group" = "Server", "x-order" = 1, "x-binds-secrets" = true)
    )]
    endpoint: String,

    #[serde(default)]
    #[schemars(
        title = "Folder",
        description = "Keep everything in this folder of the server, for instance Photos/Charon. It has to exist. Blank \
                       means the folder that the endpoint leads to.",
        extend("x-group" = "Server", "x-order" = 2)
    )]
    root: String,

    #[serde(default)]
    #[schemars(
        title = "User",
        description = "The user to sign in as. Blank if the server asks nobody to.",
        extend("x-group" = "User", "x-order" = 3, "x-auth" = "password")
    )]
    user: String,

    #[serde(default)]
    #[schemars(
        with = "String",
        title = "Password",
        description = "The user's password. For Nextcloud make an app password (Settings, Security), which can be withdrawn.",
        extend("x-group" = "User", "x-order" = 4, "x-auth" = "password", "x-secret" = true)
    )]
    password: SecretString,

    #[expect(dead_code, reason = "it is for people alone")]
    #[serde(default)]
    #[schemars(
        title = "Description",
        description = "Your own words on this storage. They stay here.",
        length(max = 500),
        extend("x-group" = "Server", "x-order" = 5)
    )]
    description: String,

    #[serde(default)]
    #[schemars(
        title = "Allow plain http",
        description = "Take an http:// endpoint that is not on this machine. Whoever is on the way can then read the \
                       password and see the photos. Only for a network that you trust.",
        extend("x-group" = "Server", "x-order" = 6, "x-advanced" = true, "x-binds-secrets" = true)
    )]
    allow_http: bool,
}

/// A configuration that has been found right, in the types it is used by.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) endpoint: Url,
    /// Without a slash at either end.
    pub(super) root: String,
    pub(super) user: String,
    pub(super) password: SecretString,
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
        let root = self.root.trim().trim_matches('/');
        if !root.is_empty() && !is_plain(root) {
            judging.wrong("root", "must not have empty parts, nor parts that are . or ..");
        }
        let user = self.user.trim();
        if user.contains(':') {
            judging.wrong("user", "must not have a colon in it");
        }
        let is_secret = !self.password.expose_secret().is_empty();
        if user.is_empty() && is_secret {
            judging.wrong("user", "is missing, although there is a password");
        }
        Some(Settings {
            endpoint: endpoint?,
            root: root.to_owned(),
            user: user.to_owned(),
            password: self.password,
        })
    }
}

#[cfg(test)]
mod tests {
    use charon_provider::{Config, Revision, Secrets};
    use charon_schema::ConfigSchema;
    use serde_json::{Value, json};

    use super::{Fields, Settings};

    fn read(whole: &Value) -> Result<Settings, charon_schema::Mistakes> {
        let schema = ConfigSchema::of::<Fields>();
        let (fields, secrets) = schema.split(whole.as_object().unwrap().clone());
        Settings::read(&Config { fields, secrets: Secrets::new(secrets), revision: Revision(1) }, &schema)
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let settings =
            read(&json!({"endpoint": "https://cloud.example.org/dav/", "root": "/a b/c/"})).unwrap();
        assert_eq!((settings.root.as_str(), settings.user.as_str()), ("a b/c", ""));
    }

    #[test]
    fn a_mistake_is_told_with_the_path_to_its_field() {
        for (whole, pointer) in [
            (json!({}), "/endpoint"),
            (json!({"endpoint": "http://nas:5005"}), "/endpoint"),
            (json!({"endpoint": "https://nas", "root": "a//b"}), "/root"),
            (json!({"endpoint": "https://nas", "user": "a:b"}), "/user"),
            (json!({"endpoint": "https://nas", "password": "hunter2"}), "/user"),
        ] {
            let mistakes = read(&whole).expect_err(&whole.to_string());
            assert!(!mistakes.to_string().contains("hunter2"), "a secret is quoted: {mistakes}");
            let found: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.pointer.as_str()).collect();
            assert_eq!(found, [pointer], "{whole}: {mistakes}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        // I6
        let whole = json!({"endpoint": "https://nas", "user": "pat", "password": "hunter2"});
        assert!(!format!("{:?}", read(&whole).unwrap()).contains("hunter2"));
    }
}
