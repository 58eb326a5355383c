//! Too much, and too slowly.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Duration, Instant, sleep, timeout},
};

use super::raw::{FORM, PATIENCE, Served};
use crate::support::Place;

#[tokio::test]
async fn oversized_requests_are_refused() {
    let place = Place::new().await;
    let served = place.serve_with_password(&[]).await;
    let (_, admin) = served.token("admin").await;
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(1024 * 1024));
    let json = [("Authorization", admin.as_str()), ("Content-Type", "application/json")];
    for (method, path) in [("POST", "/api/v1/tokens"), ("PUT", "/api/v1/settings"), ("POST", "/api/v1/plans")]
    {
        let tagged = [json[0], json[1], ("If-Match", "*")];
        let answer = served.ask(method, path, &tagged, &large).await;
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
        assert_eq!(answer.json()["status"], 413);
    }
    // The same in parts of which nobody says how many there will be.
    let mut chunked = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {admin}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for _ in 0..20 {
        chunked += &format!("{:x}\r\n{}\r\n", 64 * 1024, " ".repeat(64 * 1024));
    }
    let answer = served.says(chunked.as_bytes()).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    // Nobody who is not known makes it read a body of the API at all.
    let promised = "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
                    Content-Length: 1000000000000\r\n\r\n";
    let answer = served.says(promised.as_bytes()).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let form = format!("password={}", "x".repeat(1024 * 1024));
    let answer = served.ask("POST", "/login", &[FORM], &form).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let (cookie, _) = served.session().await;
    let ours = format!("http://{}", served.address);
    let fields = [FORM, ("Cookie", cookie.as_str()), ("Origin", ours.as_str())];
    let answer =
        served.ask("POST", "/settings/tokens", &fields, &format!("name={}", "x".repeat(1024 * 1024))).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    for head in [
        format!("GET /login?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)),
        format!("GET /login HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", "x".repeat(20_000)),
        format!("GET /login HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100)),
    ] {
        let answer = served.says(head.as_bytes()).await;
        assert!([414, 431].contains(&answer.status), "{answer:?}");
    }
    // What two readers might read in two ways is read by none.
    for smuggled in [
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let answer = served.says(smuggled.as_bytes()).await;
        assert_eq!(answer.status, 400, "{smuggled:?}: {answer:?}");
    }
    assert_eq!(served.ask("GET", "/login", &[], "").await.status, 200);
}

#[tokio::test]
async fn one_whose_large_file_is_refused_hears_why_though_it_goes_on_sending() {
    let place = Place::new().await;
    let served = place.serve_with_password(&[]).await;
    let (_, run) = served.token("run").await;
    let length = 40 * 1024 * 1024;
    let nothing_there = "01890000-0000-7000-8000-000000000000";
    for (authorization, status) in [(run.as_str(), 404), ("Bearer charon_nothing", 401)] {
        let head = format!(
            "POST /api/v1/storages/{nothing_there}/items?name=video.mp4 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: {authorization}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut stream = served.connect_from(Ipv4Addr::LOCALHOST).await;
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        stream.write_all(&vec![0; length]).await.expect("all of it is taken in");
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn slow_clients_are_given_up_and_hold_nobody_up() {
    let place = Place::new().await;
    let served = place.serve_with_password(&[]).await;
    let (_, admin) = served.token("admin").await;
    let served = &served;
    let heads = async {
        let slow: Vec<_> = (0..50).map(|_| slow_head(served)).collect();
        futures::future::join_all(slow).await
    };
    let slow =
        async { tokio::join!(heads, slow_body(served, &admin), slow_reader(served), dripping_body(served)) };
    let others = async {
        for _ in 0..20 {
            sleep(Duration::from_millis(500)).await;
            let begun = Instant::now();
            assert_eq!(served.ask("GET", "/login", &[], "").await.status, 200);
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    };
    let ((heads, body, reader, dripping), ()) = tokio::join!(slow, others);
    for waited in heads {
        assert!((14..40).contains(&waited.as_secs()), "a slow head was given up after {waited:?}");
    }
    let (answer, waited) = body;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!((29..60).contains(&waited.as_secs()), "a slow body was given up after {waited:?}");
    let (answer, waited) = dripping;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!((59..85).contains(&waited.as_secs()), "a body of drops was given up after {waited:?}");
    assert!(reader < 512 * 1024 * 1024, "a client that did not read was sent {reader} bytes");
    assert_eq!(served.ask("GET", "/login", &[], "").await.status, 200);
}

/// A head that comes a byte at a time, and never to its end; how long that went on.
async fn slow_head(served: &Served) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(served.address).await.expect("a connection");
    stream.write_all(b"GET /login HTTP/1.1\r\nHost: localhost\r\nX: ").await.expect("it is sent");
    let mut byte = [0];
    while begun.elapsed() < PATIENCE {
        match timeout(Duration::from_secs(1), stream.read(&mut byte)).await {
            Ok(_) => break,
            Err(_) if stream.write_all(b"y").await.is_err() => break,
            Err(_) => {}
        }
    }
    begun.elapsed()
}

/// A body whose second half does not come: what is answered, and when.
async fn slow_body(served: &Served, token: &str) -> (String, Duration) {
    let head = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\n\r\n{{\"name\": "
    );
    let begun = Instant::now();
    let mut stream = served.connect_from(Ipv4Addr::LOCALHOST).await;
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
    (answer, begun.elapsed())
}

/// A form of nobody's that goes on, a byte at a time: what is answered, and when.
async fn dripping_body(served: &Served) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(served.address).await.expect("a connection");
    let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 100000\r\n\r\npassword=";
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    let mut answer = Vec::new();
    while begun.elapsed() < PATIENCE {
        match timeout(Duration::from_secs(3), stream.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Err(_) if stream.write_all(b"x").await.is_err() => break,
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

/// Asks for very much and reads nothing of it: how many bytes there were to be read once it was given up.
async fn slow_reader(served: &Served) -> usize {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(served.address).await.expect("a connection");
    let asked = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10_000);
    drop(timeout(Duration::from_secs(5), stream.write_all(asked.as_bytes())).await);
    sleep(Duration::from_secs(25)).await;
    let mut rest = Vec::new();
    // Given up, it ends or breaks; a server that waits goes on without an end.
    drop(timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("it was given up"));
    rest.len()
}
