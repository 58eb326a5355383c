//! The token of an account, in every form that people have one in.
//!
//! Read are rclone's JSON (new and old field names), the same between the arrow lines that `rclone authorize` prints,
//! the base64 blob that it prints for a remote machine, and a bare refresh token. Written is rclone's JSON.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::general_purpose::GeneralPurpose,
    engine::{DecodePaddingMode, GeneralPurposeConfig},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// An access token is renewed this long before it expires.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// Go's zero time: how rclone writes that a token has no expiry.
const NO_EXPIRY: &str = "0001-01-01T00:00:00Z";

/// What an account is spoken for with. `Debug` shows no part of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Token {
    /// The bearer token, if there is one yet.
    pub(crate) access: Option<SecretString>,
    /// What new access tokens are asked for with.
    pub(crate) refresh: Option<SecretString>,
    /// When the access token expires; `None` if nobody said.
    pub(crate) expires_at: Option<Timestamp>,
}

/// The text is no token in any form that is accepted. It is not kept, for it may be a secret all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a token; accepted are the JSON that `rclone authorize \"google photos\"` prints \
     ({{\"access_token\":…,\"refresh_token\":…}}), its base64 form, or a bare refresh token (it begins with 1/)"
)]
pub(crate) struct NotAToken;

impl Token {
    /// Reads a token in any of the accepted forms.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAToken> {
        let text = between_arrows(text).trim();
        if text.starts_with('{') {
            return Self::from_json(text, true);
        }
        if let Some(json) = decode_base64(text) {
            return Self::from_json(json.trim(), true);
        }
        if is_bare_refresh_token(text) {
            return Ok(Self { refresh: Some(text.into()), ..Self::default() });
        }
        Err(NotAToken)
    }

    fn from_json(text: &str, may_nest: bool) -> Result<Self, NotAToken> {
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| NotAToken)?;
        let field = |new: &str, old: &str| fields.get(new).or_else(|| fields.get(old));
        let (access, refresh) =
            (field("access_token", "AccessToken"), field("refresh_token", "RefreshToken"));
        if access.is_none() && refresh.is_none() {
            return match fields.get("token") {
                Some(Value::String(inner)) if may_nest => Self::from_json(inner.trim(), false),
                _ => Err(NotAToken),
            };
        }
        let (access, refresh) = (secret(access)?, secret(refresh)?);
        if access.is_none() && refresh.is_none() {
            return Err(NotAToken);
        }
        let expires_at = match field("expiry", "Expiry") {
            None | Some(Value::Null) => None,
            Some(value) => read_expiry(value.as_str().unwrap_or_default()),
        };
        Ok(Self { access, refresh, expires_at })
    }

    /// The token as rclone writes it.
    pub(crate) fn to_blob(&self) -> SecretString {
        let expose =
            |secret: &Option<SecretString>| secret.as_ref().map_or("", |s| s.expose_secret()).to_owned();
        json!({
            "access_token": expose(&self.access),
            "token_type": "Bearer",
            "refresh_token": expose(&self.refresh),
            "expiry": self.expires_at.map_or_else(|| NO_EXPIRY.to_owned(), |at| at.to_string()),
        })
        .to_string()
        .into()
    }

    /// The access token, if it will still be good for a while.
    pub(crate) fn usable_access(&self, now: Timestamp) -> Option<&SecretString> {
        let fresh = self.expires_at.is_none_or(|at| at.duration_since(now) > AHEAD);
        self.access.as_ref().filter(|_| fresh)
    }

    /// Whether both were given by the same consent, as far as the refresh token shows.
    pub(crate) fn same_grant(&self, other: &Self) -> bool {
        let exposed = |token: &Self| token.refresh.as_ref().map(|s| s.expose_secret().to_owned());
        exposed(self) == exposed(other)
    }
}

/// What stands between `--->` and `<---`, where there are such arrows.
fn between_arrows(text: &str) -> &str {
    let after = text.split_once("--->").map_or(text, |(_, after)| after);
    after.split_once("<---").map_or(after, |(inside, _)| inside)
}

/// JSON that was written as base64, padded or not, in the standard or the URL-safe alphabet, wrapped or not.
fn decode_base64(text: &str) -> Option<String> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: Cow<'_, str> = if text.contains(char::is_whitespace) {
        text.split_whitespace().collect::<String>().into()
    } else {
        text.into()
    };
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(compact.as_bytes()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.trim_start().starts_with('{'))
}

/// Google's refresh tokens begin with `1/`; anything else must at least be as long as a token is.
fn is_bare_refresh_token(text: &str) -> bool {
    let token_like = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    token_like && ((text.starts_with("1/") && text.len() >= 20) || text.len() >= 40)
}

/// A field that is absent, null or blank is no secret; one that could not be sent in a header is no token.
fn secret(value: Option<&Value>) -> Result<Option<SecretString>, NotAToken> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(text.as_str().into()))
        }
        Some(_) => Err(NotAToken),
    }
}

/// A zero year means that there is no expiry; what cannot be read is taken for expired, which costs one refresh.
fn read_expiry(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    (at.to_zoned(TimeZone::UTC).year() > 1).then_some(at)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose};
    use secrecy::{ExposeSecret, SecretString};

    use super::Token;

    const JSON: &str = r#"{"access_token":"ya29.a0","token_type":"Bearer","refresh_token":"1//0refresh","expiry":"2026-11-21T07:38:04.644930156+01:00","expires_in":3599}"#;

    fn shown(secret: Option<&SecretString>) -> Option<&str> {
        secret.map(ExposeSecret::expose_secret)
    }

    fn assert_is_the_example(token: &Token) {
        assert_eq!(shown(token.access.as_ref()), Some("ya29.a0"));
        assert_eq!(shown(token.refresh.as_ref()), Some("1//0refresh"));
        assert_eq!(token.expires_at, Some("2026-11-21T06:38:04.644930156Z".parse().unwrap()));
    }

    #[test]
    fn rclones_json_is_read_with_its_local_offset() {
        assert_is_the_example(&Token::parse(JSON).unwrap());
        assert_is_the_example(&Token::parse(&format!("\n  {JSON}\n")).unwrap());
    }

    #[test]
    fn the_lines_around_rclones_json_are_tolerated() {
        let pasted = format!("Paste the following into your remote machine --->\n{JSON}\n<---End paste\n");
        assert_is_the_example(&Token::parse(&pasted).unwrap());
    }

    #[test]
    fn the_old_field_names_are_read() {
        let old = r#"{"AccessToken":"ya29.a0","RefreshToken":"1//0refresh","Expiry":"2026-11-21T07:38:04.644930156+01:00"}"#;
        assert_is_the_example(&Token::parse(old).unwrap());
    }

    #[test]
    fn base64_is_read_padded_or_not_and_url_safe_too() {
        let nested = serde_json::json!({ "token": JSON }).to_string();
        for engine in [
            general_purpose::STANDARD_NO_PAD,
            general_purpose::STANDARD,
            general_purpose::URL_SAFE,
            general_purpose::URL_SAFE_NO_PAD,
        ] {
            assert_is_the_example(&Token::parse(&engine.encode(&nested)).unwrap());
        }
        let pasted = format!("--->\n{}\n<---End paste", general_purpose::STANDARD_NO_PAD.encode(&nested));
        assert_is_the_example(&Token::parse(&pasted).unwrap());
    }

    #[test]
    fn a_bare_refresh_token_is_taken() {
        let token = Token::parse(" 1//0gabcdefghijklmnopqrstuv-_ \n").unwrap();
        assert_eq!(shown(token.refresh.as_ref()), Some("1//0gabcdefghijklmnopqrstuv-_"));
        assert!(token.access.is_none());
    }

    #[test]
    fn a_token_without_expiry_or_of_the_zero_year_is_good_until_it_is_refused() {
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        for json in [
            r#"{"access_token":"a","refresh_token":"r"}"#,
            r#"{"access_token":"a","refresh_token":"r","expiry":"0001-01-01T00:00:00Z"}"#,
        ] {
            assert!(Token::parse(json).unwrap().usable_access(now).is_some(), "{json}");
        }
    }

    #[test]
    fn an_access_token_is_not_used_in_its_last_minute() {
        let token = Token::parse(r#"{"access_token":"a","expiry":"2026-11-21T01:00:00Z"}"#).unwrap();
        assert!(token.usable_access("2026-11-21T00:58:59Z".parse().unwrap()).is_some());
        assert!(token.usable_access("2026-11-21T00:59:00Z".parse().unwrap()).is_none());
    }

    #[test]
    fn anything_else_is_refused_without_being_quoted() {
        for text in [
            "",
            "hunter2",
            "{",
            "{}",
            "[]",
            "null",
            "{\"access_token\":5}",
            "{\"access_token\":\"\"}",
            "{\"token\":\"{\\\"token\\\":\\\"{}\\\"}\"}",
            "{\"access_token\":\"line\\nbreak\"}",
            "a refresh token that is long enough but has blanks in it",
            "1/short",
            "e30",
        ] {
            let error = Token::parse(text).expect_err(text);
            assert!(text.is_empty() || !error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let token = Token::parse(JSON).unwrap();
        assert_is_the_example(&Token::parse(token.to_blob().expose_secret()).unwrap());
        let endless = Token { expires_at: None, ..token };
        assert_eq!(Token::parse(endless.to_blob().expose_secret()).unwrap().expires_at, None);
    }

    #[test]
    fn debug_shows_nothing_of_a_token() {
        let shown = format!("{:?}", Token::parse(JSON).unwrap());
        assert!(!shown.contains("ya29") && !shown.contains("1//0"), "{shown}");
    }
}
