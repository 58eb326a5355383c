//! Connections: how many there may be, how long and how much a client may take, and how they end. Whoever runs on this machine
//! can reach the port, so nothing that a client does costs more than a little memory for a little while.

use std::{future::pending, net::SocketAddr, time::Duration};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1::Builder,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{Peer, is_near},
    crowd::Crowd,
    patience::Patient,
};

/// Connections at a time; one more waits for its turn. Those who listen to what happens keep theirs, and leave 256 for all others.
/// A process may have 1,024 open files where nobody has said otherwise, and the engine needs some.
const MOST_CONNECTIONS: usize = crate::live::MOST_LISTENERS + 256;
/// A client sends the head of a request, or its first byte after the last answer, within this.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// The longest head of a request, in bytes, and its most fields.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_FIELDS: usize = 64;
/// A client that has not taken a byte of its answer for so long is gone.
const TAKES_WITHIN: Duration = Duration::from_secs(15);
/// Answers that have begun may take so long when the server is to end.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted: too many open files, mostly, and that passes.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves every connection until `shutdown`. Where there is a reverse proxy, it may have as many as it likes.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    has_proxy: bool,
    shutdown: &CancellationToken,
) {
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_FIELDS);
    let crowd = Crowd::default();
    // Owns the connections: they end with it.
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < MOST_CONNECTIONS;
        let accepted = async { if has_room { listener.accept().await } else { pending().await } };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accepted => match accepted {
                Ok((stream, peer)) => {
                    let is_counted = !(peer.ip().is_loopback() || has_proxy && is_near(peer.ip()));
                    let place = is_counted.then(|| crowd.enter(peer.ip()));
                    if matches!(place, Some(None)) {
                        tracing::debug!(%peer, "an address has too many connections");
                        continue;
                    }
                    let serving = serve_one(stream, peer, http.clone(), router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(ENDS_WITHIN, ended).await.is_err() {
        tracing::debug!("some clients did not take their answers in time");
    }
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    http: Builder,
    router: Router,
    shutdown: CancellationToken,
) {
    let io = TokioIo::new(Patient::new(stream, TAKES_WITHIN));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.call(request)
    });
    let connection = http.serve_connection(io, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::Instant,
    };
    use tokio_util::sync::CancellationToken;

    use super::{HEAD_WITHIN, serve};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_come_to_the_end_of_its_request_or_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let server = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { serve(listener, Router::new(), false, &shutdown).await }
        });
        for beginning in ["GET / HTTP/1.1\r\nHost: loc", "", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(beginning.as_bytes()).await.expect("it is sent");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("its end");
            let waited = begun.elapsed();
            assert!(waited >= HEAD_WITHIN && waited < 3 * HEAD_WITHIN, "{waited:?} after {beginning:?}");
        }
        shutdown.cancel();
        server.await.expect("no panic");
    }
}
