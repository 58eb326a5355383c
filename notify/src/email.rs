//! E-mail, handed to an SMTP server. Each notice is one connection and one message.
//!
//! Certificates are judged as those of HTTP are (see `http.rs`). The connection is private before the password is sent:
//! `starttls` refuses a server that does not offer it, and without TLS a password goes to this machine alone.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use charon_http::innermost;
use charon_schema::{Mistake, Mistakes};
use jiff::Timestamp;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{address, error::DeliveryError, hidden::Hidden, http::is_tls, notice::Notice, preset::cut};

/// How long it may take to hand over a message, from the connection to the last answer.
const LIMIT: Duration = Duration::from_mins(1);
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;

/// Every field of the configuration, as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "E-mail",
    description = "E-mail, by the SMTP server of your provider or of your own network."
)]
pub(crate) struct Fields {
    #[schemars(
        title = "SMTP server",
        description = "The name of the server that takes your e-mail, such as smtp.example.org.",
        length(min = 1),
        extend("x-group" = "Server", "x-order" = 1, "x-binds-secrets" = true)
    )]
    host: String,

    #[serde(default)]
    #[schemars(
        title = "Port",
        description = "If it is not the usual one: 587 for starttls, 465 for tls, 25 for none.",
        range(min = 1),
        extend("x-group" = "Server", "x-order" = 2, "x-binds-secrets" = true)
    )]
    port: Option<u16>,

    #[serde(default)]
    #[schemars(
        title = "Security",
        description = "starttls: TLS after the greeting; tls: TLS from the first byte; none: without TLS, which is accepted \
                       only on this machine, or without a password.",
        extend("x-group" = "Server", "x-order" = 3, "x-binds-secrets" = true)
    )]
    security: Security,

    #[serde(default)]
    #[schemars(
        title = "User",
        description = "Who you are to the server; often your address. Blank if it asks for nobody.",
        extend("x-group" = "Server", "x-order" = 4, "x-binds-secrets" = true)
    )]
    user: String,

    #[serde(default = "no_secret")]
    #[schemars(
        with = "String",
        title = "Password",
        description = "The password; many providers want one that was made for this program alone.",
        extend("x-group" = "Server", "x-order" = 5, "x-secret" = true)
    )]
    password: SecretString,

    #[schemars(
        title = "From",
        description = "The sender, as charon@example.org or Charon <charon@example.org>.",
        length(min = 1),
        extend("x-group" = "Message", "x-order" = 6)
    )]
    from: String,

    #[schemars(
        title = "To",
        description = "Who is told: one address or several.",
        length(min = 1, max = 50),
        extend("x-group" = "Message", "x-order" = 7)
    )]
    to: Vec<String>,
}

fn no_secret() -> SecretString {
    SecretString::default()
}

/// How the connection is made private. The variants carry no documentation, so that the schema is a plain `enum`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Security {
    #[default]
    Starttls,
    Tls,
    None,
}

impl Security {
    fn usual_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// People who are ready to be told things.
#[derive(Debug)]
pub(crate) struct Email {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, SecretString)>,
    from: Mailbox,
    to: Vec<Mailbox>,
    hidden: Hidden,
}

impl Fields {
    pub(crate) fn judge(self) -> Result<Email, Mistakes> {
        let mut mistakes = Vec::new();
        let mut wrong = |pointer: String, reason: String| mistakes.push(Mistake { pointer, reason });
        let host = self.host.trim();
        if host.is_empty() || host.chars().any(|char| char.is_whitespace() || matches!(char, '/' | '@')) {
            wrong("/host".into(), "is no name of a server; expected one such as smtp.example.org".into());
        }
        let password = self.password.expose_secret();
        let user = self.user.trim();
        match (user.is_empty(), password.is_empty()) {
            (true, false) => wrong("/user".into(), "is missing: there is a password".into()),
            (false, true) => wrong("/password".into(), "is missing: there is a user".into()),
            (false, false) if self.security == Security::None && !address::is_loopback(host) => wrong(
                "/security".into(),
                "none would let others read the password on the way; choose starttls or tls".into(),
            ),
            _ => {}
        }
        let mailbox = |text: &str| {
            text.trim()
                .parse::<Mailbox>()
                .map_err(|_| format!("{text:?} is no address; expected one such as anna@example.org"))
        };
        let from = mailbox(&self.from).map_err(|reason| wrong("/from".into(), reason)).ok();
        let mut to = Vec::new();
        for (index, text) in self.to.iter().enumerate() {
            match mailbox(text) {
                Ok(mailbox) => to.push(mailbox),
                Err(reason) => wrong(format!("/to/{index}"), reason),
            }
        }
        let (Some(from), true) = (from, mistakes.is_empty()) else { return Err(Mistakes(mistakes)) };
        let hidden = Hidden::new([
            password.to_owned(),
            BASE64_STANDARD.encode(password),
            BASE64_STANDARD.encode(format!("\0{user}\0{password}")),
        ]);
        let login = (!user.is_empty()).then(|| (user.to_owned(), self.password.clone()));
        let port = self.port.unwrap_or_else(|| self.security.usual_port());
        Ok(Email { host: host.to_owned(), port, security: self.security, login, from, to, hidden })
    }
}

impl Email {
    pub(crate) async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), DeliveryError> {
        let message = self
            .message(notice, now)
            .map_err(|error| DeliveryError::lasting(format!("the e-mail cannot be written: {error}")))?;
        let transport = self.transport().map_err(|error| self.trouble(&error))?;
        match tokio::time::timeout(LIMIT, transport.send(message)).await {
            Ok(sent) => sent.map(drop).map_err(|error| self.trouble(&error)),
            Err(_) => Err(DeliveryError::passing(format!("{} did not answer in time", self.host))),
        }
    }

    fn message(&self, notice: &Notice, now: Timestamp) -> Result<Message, lettre::error::Error> {
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject(&notice.title))
            .date(now.into())
            // The same for each attempt, so that a second copy can be told.
            .message_id(Some(format!("<{}@{}>", notice.id, self.from.email.domain())))
            // RFC 3834: no robot shall answer a robot.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(notice.text_with_link())
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let tls = match self.security {
            Security::None => Tls::None,
            Security::Starttls => Tls::Required(self.tls()?),
            Security::Tls => Tls::Wrapper(self.tls()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.as_str())
            .port(self.port)
            .tls(tls)
            .timeout(Some(LIMIT))
            // Relays refuse who says that it is this machine.
            .hello_name(ClientId::Domain(self.from.email.domain().to_owned()));
        if let Some((user, password)) = &self.login {
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(builder.build())
    }

    #[cfg(not(any(windows, target_vendor = "apple")))]
    fn tls(&self) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        TlsParameters::builder(self.host.clone()).build_rustls()
    }

    #[cfg(any(windows, target_vendor = "apple"))]
    fn tls(&self) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let mut builder = TlsParameters::builder(self.host.clone());
        let bundle = std::env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok());
        if let Some(certificates) =
            bundle.and_then(|pem| lettre::transport::smtp::client::Certificate::from_pem(&pem).ok())
        {
            builder = builder.add_root_certificate(certificates);
        }
        builder.build_rustls()
    }

    /// What an SMTP error means. A server that says 4xx may take it another time (RFC 5321, 4.2.1).
    fn trouble(&self, error: &lettre::transport::smtp::Error) -> DeliveryError {
        let host = &self.host;
        let said = self.hidden.quote(&innermost(error));
        if let Some(code) = error.status() {
            let words = format!("{host} answered {code}: {said}");
            return match (error.is_transient(), u16::from(code)) {
                (true, _) => DeliveryError::passing(words),
                (false, 530 | 534 | 535 | 538) => {
                    DeliveryError::lasting(format!("{words}; check user and password"))
                }
                (false, _) => DeliveryError::lasting(words),
            };
        }
        if error.is_tls() || is_tls(error) {
            return DeliveryError::lasting(format!("no private connection to {host} could be made: {said}"));
        }
        if error.is_client() {
            return DeliveryError::lasting(format!("{host} cannot be used as configured: {said}"));
        }
        DeliveryError::passing(format!("the connection to {host} failed: {said}"))
    }
}

/// A title as a subject: on one line, for a line break would begin another header.
fn subject(title: &str) -> String {
    let line: String = title.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    cut(line.trim(), LONGEST_SUBJECT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Email, Fields};
    use crate::notice::{Notice, example};

    fn email() -> Email {
        let fields =
            json!({"host": "localhost", "from": "Charon <charon@example.org>", "to": ["anna@example.org"]});
        serde_json::from_value::<Fields>(fields).expect("fields").judge().expect("right ones")
    }

    fn written(notice: &Notice) -> String {
        let message = email().message(notice, "2026-01-02T03:04:05Z".parse().expect("a time"));
        String::from_utf8(message.expect("a message").formatted()).expect("text")
    }

    #[test]
    fn a_message_says_who_when_and_what() {
        let text = written(&example());
        for line in [
            "From: Charon <charon@example.org>\r\n",
            "To: anna@example.org\r\n",
            "Subject: home failed\r\n",
            "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n",
            "Message-ID: <n1@example.org>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "\r\n\r\nThe disk is full.\r\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing: {text}");
        }
    }

    #[test]
    fn no_title_writes_a_header_of_its_own() {
        for title in
            ["a\r\nBcc: eve@example.net", "a\nBcc: eve@example.net\r\n\r\nb", "\u{85}\u{2028}ä\rBcc: x"]
        {
            let text = written(&Notice { title: title.into(), ..example() });
            let (headers, _) = text.split_once("\r\n\r\n").expect("headers and a body");
            assert!(!headers.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{text}");
            assert!(!headers.replace("\r\n", "").contains(['\r', '\n']), "{text}");
        }
    }
}
