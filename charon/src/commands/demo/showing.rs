//! The web UI on the finished runs, until somebody ends the demo.

use std::path::Path;

use charon_engine::{
    Engine, SchedulerSettings,
    clock::{Entropy, SystemEntropy},
};
use charon_server::{Server, ServerSettings};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    exit::Failure,
    output::{say, say_aside},
    signals::interrupted,
};

/// Letters and digits that nobody takes for each other.
const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS: usize = 3;
const GROUP: usize = 4;

/// Serves on a free port of this machine, says where and how to come in, and opens the browser there.
///
/// The way in is a password that is printed here and nowhere else: an address that lets whoever opens it in would stand in the
/// argument list of the browser, which other users of this machine can read. Each demo has another one.
pub(super) async fn show(engine: &Engine, dir: &Path, no_browser: bool) -> Result<(), Failure> {
    let stop = interrupted();
    let password = new_password(&SystemEntropy);
    engine.reset_password(&SecretString::from(password.clone())).await?;
    // Plans that are made in the browser may keep and send what is in the demo's folder.
    let roots = std::path::absolute(dir).into_iter().collect();
    let settings = ServerSettings { roots, ..ServerSettings::at(([127, 0, 0, 1], 0).into()) };
    let server = Server::bind(settings, true).await?;
    let scheduler = engine.scheduler(SchedulerSettings::default()).await?;
    let url = format!("http://{}", server.address());
    say(&format!(
        "\nIt is all in the web UI now:\n\n  {url}\n  password: {password}\n\nCtrl-C ends the demo."
    ))?;
    if !no_browser {
        // It may take a while. Where there is no browser, the address that was printed is the way.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = open::that_detached(url) {
                say_aside(&format!("(no browser could be opened here: {error})"));
            }
        }));
    }
    let closing = CancellationToken::new();
    let serving = tokio::spawn(server.serve(engine.clone(), closing.clone()));
    let stop = async {
        stop.await;
        closing.cancel();
    };
    let ended = scheduler.run_until(stop).await;
    // Also where the scheduler ended by itself.
    closing.cancel();
    if let Err(panic) = serving.await {
        tracing::error!(%panic, "the HTTP server ended by a mistake in Charon");
    }
    Ok(ended?)
}

fn new_password(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; GROUPS * GROUP];
    entropy.fill(&mut bytes);
    let sign = |byte: &u8| char::from(SIGNS[usize::from(*byte) % SIGNS.len()]);
    bytes.chunks(GROUP).map(|group| group.iter().map(sign).collect()).collect::<Vec<String>>().join("-")
}
