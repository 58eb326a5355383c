//! `charon plugin test`: a configuration is tried, stage by stage, and nothing of it is stored.

use std::{sync::Arc, time::Duration};

use charon_engine::{
    Error, Registry, Unsaved,
    clock::{Clock, Entropy, SystemClock, SystemEntropy},
    config_check, open_unsaved,
};
use charon_provider::Verdict;
use futures::StreamExt;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{
    document::{self, TestDocument},
    event::{Event, Refusal, Tested, within},
    lines::Lines,
    stopping::Stopping,
};
use crate::exit::Exit;

/// How long all stages may take together; each has a limit of its own.
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) async fn run(registry: &Registry, lines: &Lines, stopping: &Stopping) -> Result<Exit, Refusal> {
    let TestDocument { provider, config } = document::read(stopping.asked()).await?;
    let config = understood(registry, &provider, config, lines).await?;
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
        (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let (exit, tested) = match open_unsaved(registry, &clock, &entropy, &provider, config) {
        Ok(unsaved) => stages(&unsaved, lines, stopping).await,
        Err(error) => {
            lines.send(&Event::Check(&config_check(Err(&error)))).await;
            let mistakes = match error {
                Error::Config { mistakes, .. } => within("/config", mistakes.0),
                _ => Vec::new(),
            };
            let exit = Exit::Usage;
            (exit, Tested { ok: false, exit_code: exit.code(), message: None, capabilities: None, mistakes })
        }
    };
    lines.send(&Event::Result(tested)).await;
    Ok(exit)
}

/// The configuration as the schema has it; what is ignored of it is told.
pub(super) async fn understood(
    registry: &Registry,
    provider: &str,
    config: Map<String, Value>,
    lines: &Lines,
) -> Result<Map<String, Value>, Refusal> {
    let understood = registry.provider(provider)?.describe().schema.understand(config);
    for note in &understood.notes {
        lines.send(&Event::Note { message: note }).await;
    }
    Ok(understood.config)
}

async fn stages(unsaved: &Unsaved, lines: &Lines, stopping: &Stopping) -> (Exit, Tested) {
    let tell = async {
        let (mut checks, mut ok) = (unsaved.test(), true);
        while let Some(check) = checks.next().await {
            ok &= check.verdict != Verdict::Failed;
            lines.send(&Event::Check(&check)).await;
        }
        ok
    };
    let (exit, message) = tokio::select! {
        told = timeout(PATIENCE, tell) => match told {
            Ok(true) => (Exit::Done, None),
            Ok(false) => (Exit::Failed, None),
            Err(_) => {
                let minutes = PATIENCE.as_secs() / 60;
                (Exit::Failed, Some(format!("the test was given up after {minutes} minutes; look at the connection")))
            }
        },
        () = stopping.asked().cancelled() => (Exit::Interrupted, Some("the test was stopped".to_owned())),
    };
    let capabilities = Some(unsaved.storage().facts().capabilities);
    (
        exit,
        Tested {
            ok: exit == Exit::Done,
            exit_code: exit.code(),
            message,
            capabilities,
            mistakes: Vec::new(),
        },
    )
}
