//! An SMTP server on this machine, written for the tests: EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, rustls};

/// How the server is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    /// It can speak TLS: after STARTTLS, or from the first byte.
    pub(crate) tls: Option<Tls>,
    /// The base64 of what AUTH PLAIN must give; `None` if it asks for nobody.
    pub(crate) login: Option<String>,
    /// What it says to DATA's end instead of 250.
    pub(crate) refuses_message: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    AfterStarttls,
    FromTheFirstByte,
}

/// A message that was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// As it came, without the dots that are stuffed.
    pub(crate) text: String,
    pub(crate) was_private: bool,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct SmtpServer {
    pub(crate) address: SocketAddr,
    /// The certificate of whoever vouches for the server, as PEM.
    pub(crate) certificate: String,
    book: Arc<Mutex<Book>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Book {
    mails: Vec<Mail>,
    commands: Vec<String>,
}

impl SmtpServer {
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let book = Arc::<Mutex<Book>>::default();
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = key.cert.pem();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![key.cert.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into()),
            )
            .expect("a key");
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let pages = Arc::clone(&book);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client may leave at any time.
                drop(connection(stream, &acceptor, &manners, &pages).await);
            }
        });
        Self { address, certificate, book, serving }
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.book.lock().expect("no panic").mails.clone()
    }

    /// Every line that came outside a message.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.book.lock().expect("no panic").commands.clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    manners: &Manners,
    book: &Mutex<Book>,
) -> std::io::Result<()> {
    if manners.tls == Some(Tls::FromTheFirstByte) {
        let mut stream = BufStream::new(acceptor.accept(stream).await?);
        return talk(&mut stream, manners, book, true, true).await.map(drop);
    }
    let mut stream = BufStream::new(stream);
    if talk(&mut stream, manners, book, false, true).await? {
        let mut stream = BufStream::new(acceptor.accept(stream.into_inner()).await?);
        talk(&mut stream, manners, book, true, false).await?;
    }
    Ok(())
}

/// Gives true when the client wants TLS now.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    manners: &Manners,
    book: &Mutex<Book>,
    is_private: bool,
    greets: bool,
) -> std::io::Result<bool> {
    if greets {
        say(stream, "220 test ESMTP").await?;
    }
    let (mut from, mut to) = (String::new(), Vec::new());
    let mut is_known = manners.login.is_none();
    while let Some(line) = hear(stream).await? {
        book.lock().expect("no panic").commands.push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let mut offers = vec!["test", "8BITMIME"];
                if manners.tls == Some(Tls::AfterStarttls) && !is_private {
                    offers.push("STARTTLS");
                } else if manners.login.is_some() {
                    offers.push("AUTH PLAIN LOGIN");
                }
                let last = offers.len() - 1;
                for (index, offer) in offers.iter().enumerate() {
                    say(stream, &format!("250{}{offer}", if index == last { ' ' } else { '-' })).await?;
                }
            }
            "STARTTLS" => {
                say(stream, "220 go on").await?;
                return Ok(true);
            }
            "AUTH" => {
                let given = line.rsplit(' ').next().unwrap_or_default();
                is_known = manners.login.as_deref() == Some(given);
                // A server that repeats what it was told, as some do.
                let refusal = format!("535 5.7.8 not accepted: {line}");
                say(stream, if is_known { "235 welcome" } else { &refusal }).await?;
            }
            "MAIL" | "RCPT" if !is_known => say(stream, "530 5.7.0 authenticate first").await?,
            "MAIL" => {
                from = between_brackets(&line);
                say(stream, "250 ok").await?;
            }
            "RCPT" => {
                to.push(between_brackets(&line));
                say(stream, "250 ok").await?;
            }
            "DATA" => {
                say(stream, "354 go on").await?;
                let text = message(stream).await?;
                if let Some(refusal) = manners.refuses_message {
                    say(stream, refusal).await?;
                } else {
                    let mail = Mail { from: from.clone(), to: to.clone(), text, was_private: is_private };
                    book.lock().expect("no panic").mails.push(mail);
                    say(stream, "250 queued").await?;
                }
            }
            "QUIT" => {
                say(stream, "221 bye").await?;
                break;
            }
            _ => say(stream, "250 ok").await?,
        }
    }
    Ok(false)
}

async fn message<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> std::io::Result<String> {
    let mut text = String::new();
    while let Some(line) = hear(stream).await? {
        if line == "." {
            break;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
    Ok(text)
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let heard = stream.read_line(&mut line).await?;
    Ok((heard > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    line: &str,
) -> std::io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

fn between_brackets(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
