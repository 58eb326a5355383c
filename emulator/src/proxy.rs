//! Google's hosts on loopback: an HTTP CONNECT proxy that terminates TLS and answers with the emulator.
//!
//! For clients whose endpoints cannot be configured (rclone's API address is a constant). The certificate authority is
//! made at the start and never leaves the process except as its certificate. Any other host is refused, so a client
//! that was meant for the emulator cannot reach Google by mistake.

use std::{io, net::SocketAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::{
    call::Origin,
    server::{Emulator, handle},
    world::World,
};

/// The hosts that the proxy answers for.
pub const HOSTS: [&str; 6] = [
    "photoslibrary.googleapis.com",
    "oauth2.googleapis.com",
    "accounts.google.com",
    "www.googleapis.com",
    "openidconnect.googleapis.com",
    "lh3.googleusercontent.com",
];

/// Why the proxy could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The address cannot be bound, or is not a loopback address.
    #[error("the TLS proxy cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The certificates could not be made.
    #[error("the TLS proxy's certificates could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificates are not accepted.
    #[error("the TLS proxy's certificates are not accepted: {0}")]
    Tls(#[from] rustls::Error),
}

/// The proxy. Dropping it stops it.
#[derive(Debug)]
pub struct TlsProxy {
    address: SocketAddr,
    ca_pem: String,
    task: JoinHandle<()>,
}

impl TlsProxy {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `HTTPS_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate of its authority, for `SSL_CERT_FILE`.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Emulator {
    /// Starts a proxy in front of this emulator. Its world is the same; base URLs are minted for
    /// `lh3.googleusercontent.com`.
    pub async fn tls_proxy(&self, listen: SocketAddr) -> Result<TlsProxy, ProxyError> {
        if !listen.ip().is_loopback() && !self.world().settings().allow_non_loopback {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "other machines could reach it");
            return Err(ProxyError::Listen(listen, error));
        }
        let (ca_pem, config) = certificates()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(listen).await.map_err(|error| ProxyError::Listen(listen, error))?;
        let address = listener.local_addr().map_err(|error| ProxyError::Listen(listen, error))?;
        let task = tokio::spawn(accept(listener, self.world().clone(), acceptor));
        Ok(TlsProxy { address, ca_pem, task })
    }
}

fn certificates() -> Result<(String, ServerConfig), ProxyError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "gphotos-emulator");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca_certificate = ca.self_signed(&ca_key)?;
    let ca_pem = ca_certificate.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(HOSTS.map(str::to_owned).to_vec())?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca_pem, config))
}

async fn accept(listener: TcpListener, world: World, acceptor: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, world.clone(), acceptor.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, world: World, acceptor: TlsAcceptor) {
    let Ok(host) = connect(&mut stream).await else { return };
    let known = host.as_deref().is_some_and(|host| HOSTS.iter().any(|known| format!("{known}:443") == host));
    let answer: &[u8] = if known {
        b"HTTP/1.1 200 Connection established\r\n\r\n"
    } else {
        tracing::warn!(host = host.as_deref().unwrap_or("not CONNECT"), "refused");
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    };
    if stream.write_all(answer).await.is_err() || !known {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else {
        tracing::warn!("a client did not accept the certificate; does it know the CA?");
        return;
    };
    let service = service_fn(|request| handle(world.clone(), Origin::google(), request));
    if let Err(error) =
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service).await
    {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Reads the head of a CONNECT request; `None` if it is something else.
async fn connect(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Byte by byte, so that nothing of the TLS handshake is taken.
        head.push(stream.read_u8().await?);
        if head.len() > 16 * 1024 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    Ok((words.next() == Some("CONNECT")).then(|| words.next().unwrap_or_default().to_ascii_lowercase()))
}
