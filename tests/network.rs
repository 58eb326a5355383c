//! Proxies and certificates, as the environment names them.

use std::fs;

use gphotos_emulator::{Settings, TlsProxy};
use serde_json::json;
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    process::Command,
    time::{Duration, timeout},
};

use crate::{
    authorize::Asking,
    browser::follow,
    support::{CLIENT_ID, Ended, Place},
};

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// What the environment of whoever runs the tests may say.
const VARIABLES: [&str; 10] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The program in an environment of these variables about the network, and no others.
fn command(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = place.command(arguments);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command
}

async fn charon(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    command(place, arguments, variables).output().await.expect("the program runs").into()
}

/// An account that is reached as Google is: at Google's own addresses, through a proxy.
async fn behind_a_proxy() -> (Place, TlsProxy, String) {
    let place = Place::with(Settings { keep_bytes: true, auto_approve: true, ..Settings::default() }).await;
    let proxy = place.emulator.tls_proxy(LOOPBACK.into()).await.expect("the proxy starts");
    let certificate = place.path("ca.pem");
    fs::write(&certificate, proxy.ca_pem()).expect("a file");
    let storage = json!({
        "client_id": CLIENT_ID,
        "client_secret": "a-client-secret",
        "token": place.emulator.token_blob(CLIENT_ID, &[]),
    });
    let ended = place.charon_with(&["storage", "add", "family", "--config", "-"], &storage).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let certificate = certificate.to_str().expect("a path").to_owned();
    (place, proxy, certificate)
}

#[tokio::test]
async fn a_backup_and_an_upload_go_through_the_proxy_that_the_environment_names() {
    let (place, proxy, certificate) = behind_a_proxy().await;
    place.seed(30);
    place.draw("pictures", 100..130);
    let home = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    place.add_plan("home", &home).await;
    let out =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album"});
    place.add_plan("out", &out).await;
    // The token endpoint is one of Google's addresses too.
    place.world().expire_access_tokens();

    let proxy = proxy.url();
    let variables = [("HTTPS_PROXY", proxy.as_str()), ("SSL_CERT_FILE", certificate.as_str())];
    for (plan, done) in [("out", 30), ("home", 60)] {
        let ended = charon(&place, &["run", plan, "--json"], &variables).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.json()["items"], json!({"done": done, "unchanged": 0, "skipped": 0, "failed": 0}));
    }
    place.assert_account_holds("pictures", "Album");
    place.assert_mirror_is_complete();
    assert_eq!(place.count("oauth.token"), 1);
}

#[tokio::test]
async fn the_connection_test_says_through_which_proxy_it_went() {
    let (place, proxy, certificate) = behind_a_proxy().await;
    place.seed(1);
    // I6: who speaks to the proxy is its own business.
    let url = proxy.url().replace("http://", "http://pat:hunter2@");
    let variables = [("HTTPS_PROXY", url.as_str()), ("SSL_CERT_FILE", certificate.as_str())];
    let ended = charon(&place, &["storage", "test", "family"], &variables).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let way = format!("asked through the proxy {}, which the environment names", proxy.address());
    assert!(ended.stdout.contains(&way) && !ended.stdout.contains("hunter2"), "{ended:?}");
}

#[tokio::test]
async fn a_consent_is_redeemed_through_the_proxy_that_the_environment_names() {
    let (place, proxy, certificate) = behind_a_proxy().await;
    place.world().revoke_refresh_tokens();
    let proxy = proxy.url();
    let variables = [("HTTPS_PROXY", proxy.as_str()), ("SSL_CERT_FILE", certificate.as_str())];
    let arguments = ["authorize", "--no-browser", "--storage", "family"];
    let asking = Asking::begin(&mut command(&place, &arguments, &variables)).await;
    // The browser has its own way to Google.
    let page = asking.url.as_str().replace("https://accounts.google.com", place.emulator.url().as_str());
    let shown = follow(&page).await;
    assert!(shown.text.contains("It worked"), "{shown:?}");
    let ended = asking.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = charon(&place, &["storage", "test", "family"], &variables).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_the_cure_is_told() {
    let (place, proxy, _) = behind_a_proxy().await;
    let proxy = proxy.url();
    let ended = charon(&place, &["storage", "test", "family"], &[("HTTPS_PROXY", &proxy)]).await;
    // Where the system has no certificates at all, that is told first.
    assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("certificate") && said.contains("SSL_CERT_FILE"), "{said}");
    let stats = place.world().stats();
    assert_eq!((stats.api_requests, stats.oauth_requests), (0, 0), "nothing was said to a stranger");
}

#[tokio::test]
async fn a_run_ends_at_once_where_a_certificate_is_not_trusted() {
    // I7
    let (place, proxy, _) = behind_a_proxy().await;
    place.draw("pictures", 0..30);
    let out =
        json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "album": "Album"});
    place.add_plan("out", &out).await;
    let proxy = proxy.url();
    let variables = [("HTTPS_PROXY", proxy.as_str())];
    let run = charon(&place, &["run", "out"], &variables);
    let ended = timeout(Duration::from_secs(20), run).await.expect("nothing is tried again and again");
    assert_ne!(ended.code, Some(0), "{ended:?}");
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("certificate") && said.contains("SSL_CERT_FILE"), "{said}");
}

// Other systems have a store of their own, to which the file is added.
#[cfg(not(any(windows, target_vendor = "apple")))]
#[tokio::test]
async fn a_certificate_file_that_is_not_there_is_told() {
    let (place, proxy, _) = behind_a_proxy().await;
    let proxy = proxy.url();
    let nowhere = place.path("nowhere.pem");
    let nowhere = nowhere.to_str().expect("a path");
    let variables = [("HTTPS_PROXY", proxy.as_str()), ("SSL_CERT_FILE", nowhere)];
    let ended = charon(&place, &["storage", "test", "family"], &variables).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("FAILED  config") && ended.stdout.contains("SSL_CERT_FILE"), "{ended:?}");
}

/// The first bytes of the first connection.
async fn first_bytes(listener: &TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut bytes = vec![0; 256];
    let count = stream.read(&mut bytes).await.expect("bytes");
    bytes.truncate(count);
    bytes
}

#[tokio::test]
async fn no_proxy_leaves_an_address_out() {
    /// A TLS record of a handshake begins with it.
    const HANDSHAKE: u8 = 22;
    let place = Place::new().await;
    let api = TcpListener::bind(std::net::SocketAddr::from(LOOPBACK)).await.expect("a port");
    let proxy = TcpListener::bind(std::net::SocketAddr::from(LOOPBACK)).await.expect("a port");
    let api_address = api.local_addr().expect("an address");
    let url = format!("https://{api_address}");
    place.add_storage_with(&json!({"api_url": url, "token_url": format!("{url}/token")})).await;
    let proxy_url = format!("http://{}", proxy.local_addr().expect("an address"));

    for (no_proxy, is_direct) in [("127.0.0.1", true), ("photos.example.org", false)] {
        let variables = [("HTTPS_PROXY", proxy_url.as_str()), ("NO_PROXY", no_proxy)];
        let mut child =
            command(&place, &["storage", "test", "family"], &variables).spawn().expect("it starts");
        let asked = timeout(Duration::from_secs(20), async {
            tokio::select! {
                bytes = first_bytes(&api) => ("directly", bytes),
                bytes = first_bytes(&proxy) => ("through the proxy", bytes),
            }
        });
        let (way, bytes) = asked.await.expect("somebody is asked");
        child.start_kill().expect("it can be killed");
        child.wait().await.expect("it ends");
        if is_direct {
            assert_eq!((way, bytes.first()), ("directly", Some(&HANDSHAKE)));
        } else {
            assert_eq!(way, "through the proxy");
            let asked = String::from_utf8_lossy(&bytes);
            assert!(asked.starts_with(&format!("CONNECT {api_address} ")), "{asked}");
            // I6
            assert!(!asked.contains("ya29."), "no token was shown to the proxy");
        }
    }
}

#[tokio::test]
async fn an_address_on_this_machine_is_reached_without_the_proxy() {
    let place = Place::with(Settings { keep_bytes: true, ..Settings::default() }).await;
    place.seed(5);
    place.add_backup().await;
    // Nothing listens there: whoever asked it would fail.
    let variables = [("HTTPS_PROXY", "http://127.0.0.1:9"), ("HTTP_PROXY", "http://127.0.0.1:9")];
    let ended = charon(&place, &["run", "home", "--json"], &variables).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    place.assert_mirror_is_complete();
}
