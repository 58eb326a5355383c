//! `gphotos-emulator`: the emulator as a program, for trying clients by hand.

#[cfg(feature = "tls-proxy")]
use std::path::PathBuf;
use std::{io::Write as _, net::SocketAddr, process::ExitCode};

use clap::Parser;
#[cfg(feature = "tls-proxy")]
use gphotos_emulator::TlsProxy;
use gphotos_emulator::{Emulator, FullResolutionProxy, SCOPES, Seed, Settings};
use serde_json::{Value, json};

/// Google Photos on loopback: Library API v1, OAuth and base URLs, with generated pictures and videos.
///
/// Prints where it listens and a ready configuration, and serves until it is interrupted. What exists, what was asked,
/// and what shall go wrong is under /-/ (GET /-/help lists it).
#[derive(Debug, Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line are bools")]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8900")]
    listen: SocketAddr,

    /// Allow --listen with an address that other machines can reach. Everything here is open to them.
    #[arg(long)]
    allow_non_loopback: bool,

    /// Pictures and videos to begin with.
    #[arg(long, default_value_t = 300)]
    items: u32,

    /// The share of videos among them.
    #[arg(long, default_value_t = 0.05)]
    video_share: f64,

    /// Albums to begin with.
    #[arg(long, default_value_t = 6)]
    albums: u32,

    /// Make the pictures plain, of this many bytes each.
    #[arg(long, value_name = "BYTES")]
    plain: Option<usize>,

    /// Ids, tokens and pictures follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Wait this long before every answer.
    #[arg(long, default_value_t = 0, value_name = "MILLISECONDS")]
    latency_ms: u64,

    /// The client that owns the items and the token.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,

    /// Give the stored bytes for =d and =dv instead of new encodings, for comparing them.
    #[arg(long)]
    keep_bytes: bool,

    /// The consent page answers itself with "Allow".
    #[arg(long)]
    auto_approve: bool,

    /// A JSON object of settings (the names of GET /-/settings), as text or as @FILE. The other options win.
    #[arg(long, value_name = "JSON|@FILE")]
    settings: Option<String>,

    /// Also listen here as an HTTP CONNECT proxy that answers for Google's hosts, for clients that cannot be configured.
    #[cfg(feature = "tls-proxy")]
    #[arg(long, value_name = "ADDRESS")]
    tls_proxy: Option<SocketAddr>,

    /// Write the certificate authority of --tls-proxy here (PEM), for the client to trust.
    #[cfg(feature = "tls-proxy")]
    #[arg(long, value_name = "FILE", requires = "tls_proxy")]
    ca_out: Option<PathBuf>,

    /// Also listen here as a proxy for originals, like rclone's gphotosdl: GET /id/{mediaItemId}.
    #[arg(long, value_name = "ADDRESS")]
    full_resolution_proxy: Option<SocketAddr>,

    /// Print one line of JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn settings(arguments: &Arguments) -> Result<Settings, String> {
    let mut value = serde_json::to_value(Settings::default()).map_err(|error| error.to_string())?;
    if let Some(text) = &arguments.settings {
        let text = match text.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
            None => text.clone(),
        };
        let changes: serde_json::Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| format!("--settings: {error}"))?;
        for (name, change) in changes {
            value[name] = change;
        }
    }
    let mut settings: Settings =
        serde_json::from_value(value).map_err(|error| format!("--settings: {error}"))?;
    settings.listen = arguments.listen;
    settings.allow_non_loopback |= arguments.allow_non_loopback;
    settings.seed = arguments.seed;
    settings.keep_bytes |= arguments.keep_bytes;
    settings.auto_approve |= arguments.auto_approve;
    if arguments.latency_ms > 0 {
        settings.latency_ms = arguments.latency_ms;
    }
    if let Some(client_id) = &arguments.client_id {
        settings.default_client_id.clone_from(client_id);
    }
    Ok(settings)
}

fn describe(emulator: &Emulator, tls_proxy: Option<&str>, full_resolution_proxy: Option<&str>) -> Value {
    let url = emulator.url();
    let settings = emulator.world().settings();
    let client_id = settings.default_client_id;
    let client_secret =
        settings.clients.get(&client_id).cloned().unwrap_or_else(|| "emulated-secret".to_owned());
    let token = emulator.token_blob(&client_id, &SCOPES);
    json!({
        "url": url,
        "client_id": client_id,
        "token": token,
        "config": {
            "client_id": client_id,
            "client_secret": client_secret,
            "token": token,
            "auth_url": format!("{url}/o/oauth2/auth"),
            "token_url": format!("{url}/token"),
            "api_url": url,
        },
        "tls_proxy": tls_proxy,
        "full_resolution_proxy": full_resolution_proxy,
    })
}

fn text(about: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!(
        "listening on {}\nclient id    {}\ntoken        {}\nconfig       {}\ntruth        {}/-/stats\n",
        word(&about["url"]),
        word(&about["client_id"]),
        word(&about["token"]),
        about["config"],
        word(&about["url"]),
    );
    if let Some(proxy) = about["tls_proxy"].as_str() {
        out.push_str(&["HTTPS_PROXY  ", proxy, "\n"].concat());
    }
    if let Some(proxy) = about["full_resolution_proxy"].as_str() {
        out.push_str(&["originals    ", proxy, "/id/\n"].concat());
    }
    out
}

#[cfg(feature = "tls-proxy")]
async fn front(emulator: &Emulator, arguments: &Arguments) -> Result<Option<TlsProxy>, String> {
    let Some(listen) = arguments.tls_proxy else { return Ok(None) };
    let proxy = emulator.tls_proxy(listen).await.map_err(|error| error.to_string())?;
    if let Some(path) = &arguments.ca_out {
        std::fs::write(path, proxy.ca_pem()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(Some(proxy))
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let emulator = Emulator::start(settings(&arguments)?)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    let seed = Seed {
        items: arguments.items,
        video_share: arguments.video_share,
        albums: arguments.albums,
        ..match arguments.plain {
            Some(bytes) => Seed::plain(arguments.items, bytes),
            None => Seed { width: 320, height: 240, ..Seed::default() },
        }
    };
    emulator.world().seed(&seed);
    #[cfg(feature = "tls-proxy")]
    let front = front(&emulator, &arguments).await?;
    #[cfg(feature = "tls-proxy")]
    let proxy = front.as_ref().map(TlsProxy::url);
    #[cfg(not(feature = "tls-proxy"))]
    let proxy: Option<String> = None;
    let originals = match arguments.full_resolution_proxy {
        Some(listen) => {
            let started = emulator.full_resolution_proxy(listen).await;
            Some(started.map_err(|error| format!("cannot listen on {listen}: {error}"))?)
        }
        None => None,
    };
    let originals_url = originals.as_ref().map(FullResolutionProxy::url);
    let about = describe(&emulator, proxy.as_deref(), originals_url);
    let out = if arguments.json { format!("{about}\n") } else { text(&about) };
    let mut stdout = std::io::stdout();
    stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| error.to_string())?;
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    drop(originals);
    emulator.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nothing left to tell then.
            drop(writeln!(std::io::stderr(), "gphotos-emulator: {error}"));
            ExitCode::FAILURE
        }
    }
}
