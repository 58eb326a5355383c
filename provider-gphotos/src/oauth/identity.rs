//! Whose account a token is for, as the ID token beside it says.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// The specification allows no longer ids.
const LONGEST_ID: usize = 255;

/// An account. `Debug` is not derived: who it is is nobody's business in a log.
#[derive(Clone)]
pub(crate) struct Identity {
    /// Its id, which never changes.
    pub(crate) id: String,
    /// Its e-mail address, if that was told.
    pub(crate) email: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    email: Option<String>,
}

impl Identity {
    /// Reads the claims of an ID token; `None` if there are none to be read.
    ///
    /// The signature is not looked at: the token came straight from the token endpoint, over TLS (or from this machine),
    /// and the specification (`OpenID` Connect Core 1.0, 3.1.3.7) lets TLS vouch for it then.
    pub(crate) fn read(id_token: &str) -> Option<Self> {
        let payload = id_token.split('.').nth(1)?;
        let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let Claims { sub: id, email } = serde_json::from_slice(&json).ok()?;
        let is_id = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic());
        let email = email.filter(|email| email.len() <= LONGEST_ID && !email.contains(char::is_control));
        is_id.then_some(Self { id, email })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::Identity;

    fn read(claims: &str) -> Option<(String, Option<String>)> {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        Identity::read(&token).map(|identity| (identity.id, identity.email))
    }

    #[test]
    fn the_account_is_read_from_the_claims() {
        assert_eq!(
            read(r#"{"iss":"https://accounts.google.com","sub":"110169","email":"pat@example.com"}"#),
            Some(("110169".into(), Some("pat@example.com".into())))
        );
        assert_eq!(read(r#"{"sub":"110169"}"#), Some(("110169".into(), None)));
    }

    #[test]
    fn what_names_no_account_is_not_read() {
        // I11
        for claims in ["", "{}", r#"{"sub":""}"#, r#"{"sub":5}"#, r#"{"sub":"a b"}"#] {
            assert_eq!(read(claims), None, "{claims}");
        }
        assert!(read(&format!(r#"{{"sub":"{}"}}"#, "1".repeat(300))).is_none());
        for token in ["", "a", "a.b.c", "a.%%%.c"] {
            assert!(Identity::read(token).is_none(), "{token}");
        }
    }
}
