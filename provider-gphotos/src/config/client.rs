//! The OAuth client, as it is typed in or as Google's console gives it in a file.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What the field `client_secret` holds: the secret alone, or the content of `client_secret.json` with the id beside it.
#[derive(Debug, Default)]
pub(crate) struct ClientSecret {
    /// The id, if the field holds the file.
    pub(crate) id: Option<String>,
    /// The secret; blank if there is none.
    pub(crate) secret: SecretString,
}

/// The file has the client under the name of its kind.
#[derive(Deserialize)]
struct Client {
    client_id: String,
    #[serde(default)]
    client_secret: String,
}

impl ClientSecret {
    /// Reads the field.
    ///
    /// # Errors
    /// What is wrong, as a fragment that reads well after the field's name. It quotes nothing.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if !text.starts_with('{') {
            return Ok(Self { id: None, secret: text.into() });
        }
        let unreadable = "is JSON, and not the content of the client_secret.json that Google's console gives for an OAuth \
                          client ({\"installed\":{\"client_id\":…,\"client_secret\":…}})";
        let mut file: Map<String, Value> = serde_json::from_str(text).map_err(|_| unreadable)?;
        if file.get("type").is_some_and(|kind| kind == "service_account") {
            return Err(
                "is the key of a service account, which Google Photos does not take; make an OAuth client of the kind \
                        desktop app",
            );
        }
        let client = file.remove("installed").or_else(|| file.remove("web")).ok_or(unreadable)?;
        let Client { client_id, client_secret } = serde_json::from_value(client).map_err(|_| unreadable)?;
        match client_id.trim() {
            "" => Err(unreadable),
            id => Ok(Self { id: Some(id.to_owned()), secret: client_secret.trim().into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::ClientSecret;

    #[test]
    fn a_secret_alone_is_taken_as_it_is() {
        let read = ClientSecret::read(" GOCSPX-hunter2\n").unwrap();
        assert_eq!((read.id, read.secret.expose_secret()), (None, "GOCSPX-hunter2"));
        assert_eq!(ClientSecret::read("").unwrap().secret.expose_secret(), "");
    }

    #[test]
    fn googles_file_has_the_id_and_the_secret() {
        for kind in ["installed", "web"] {
            let file = format!(
                r#"{{"{kind}":{{"client_id":"1-a","project_id":"p","client_secret":"hunter2","redirect_uris":["http://localhost"]}}}}"#
            );
            let read = ClientSecret::read(&file).unwrap();
            assert_eq!((read.id.as_deref(), read.secret.expose_secret()), (Some("1-a"), "hunter2"));
        }
    }

    #[test]
    fn other_json_is_refused_without_being_quoted() {
        for (text, words) in [
            ("{", "client_secret.json"),
            (r#"{"client_secret":"hunter2"}"#, "client_secret.json"),
            (r#"{"installed":{"client_secret":"hunter2"}}"#, "client_secret.json"),
            (r#"{"installed":{"client_id":" ","client_secret":"hunter2"}}"#, "client_secret.json"),
            (r#"{"type":"service_account","private_key":"hunter2"}"#, "service account"),
        ] {
            let reason = ClientSecret::read(text).expect_err(text);
            assert!(reason.contains(words) && !reason.contains("hunter2"), "{text}: {reason}");
        }
    }
}
