//! Google accounts: who consents, whose things are whose, and the ID token that tells a client.
//!
//! An account is known by its `sub`, which never changes. What belongs to a client belongs to one account of it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{random::Random, settings::Settings};

/// A Google account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The stable id, `sub` of an ID token: 21 digits.
    pub sub: String,
    /// The address.
    pub email: String,
    /// The name of the person.
    pub name: String,
}

impl Account {
    /// The account of an address; the same address is always the same account.
    pub fn of(email: &str) -> Account {
        let mut random = Random::of(&[b"account", email.as_bytes()]);
        let sub = format!("1{:020}", random.next_u64());
        let local = email.split('@').next().unwrap_or_default();
        let mut letters = local.chars();
        let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
        Account { sub, email: email.to_owned(), name: format!("{first}{} Emulated", letters.as_str()) }
    }
}

impl Settings {
    /// The account that consents now, and that the ready-made tokens and what is put into a library belong to.
    pub fn account(&self) -> Account {
        let mut account = Account::of(&self.account_email);
        if let Some(sub) = &self.account_sub {
            account.sub.clone_from(sub);
        }
        account
    }

    /// The account of an address: the one in the settings, if it is its address.
    pub(crate) fn account_of(&self, email: &str) -> Account {
        if email == self.account_email { self.account() } else { Account::of(email) }
    }
}

/// Whose something is: a client's, within one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) client_id: String,
    /// `sub` of the account.
    pub(crate) account: String,
}

impl Owner {
    pub(crate) fn new(client_id: &str, account: &Account) -> Owner {
        Owner { client_id: client_id.to_owned(), account: account.sub.clone() }
    }
}

/// The scopes that tell who somebody is. They have no box on the consent page that could be left empty.
pub(crate) fn is_identity(scope: &str) -> bool {
    ["openid", "email", "profile"].contains(&scope)
        || scope.starts_with("https://www.googleapis.com/auth/userinfo.")
}

/// The ID token for scopes that ask who it is: `None` where they do not. Nobody signed it.
pub(crate) fn id_token(
    account: &Account,
    client_id: &str,
    scopes: &[String],
    now: Timestamp,
) -> Option<String> {
    if !scopes.iter().any(|scope| is_identity(scope)) {
        return None;
    }
    let mut claims = json!({
        "iss": "https://accounts.google.com",
        "azp": client_id,
        "aud": client_id,
        "sub": account.sub,
        "email": account.email,
        "email_verified": true,
        "iat": now.as_second(),
        "exp": now.as_second() + 3600,
    });
    if scopes.iter().any(|scope| scope == "profile" || scope.ends_with("userinfo.profile")) {
        claims["name"] = json!(account.name);
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "RS256", "kid": "emulated", "typ": "JWT"});
    let signature = URL_SAFE_NO_PAD.encode(b"nobody signed this");
    Some(format!("{}.{}.{signature}", part(&header), part(&claims)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_always_the_same_account_of_21_digits() {
        let account = Account::of("pat@example.com");
        assert_eq!(account, Account::of("pat@example.com"));
        assert_eq!(account.name, "Pat Emulated");
        assert_eq!(account.sub.len(), 21);
        assert_ne!(account.sub, Account::of("alex@example.com").sub);
    }
}
