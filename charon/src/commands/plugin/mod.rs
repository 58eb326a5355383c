//! `charon plugin …`: Charon for another program, over standard input and output. docs/plugin.md is what it promises.
//!
//! `describe` prints one JSON object. `test` and `run` read one JSON document and print an event a line; nothing else is
//! printed to standard output, and logs go to standard error. Whoever started them stops them with a signal, or by closing
//! their standard output.

mod describe;
mod document;
mod event;
mod lines;
mod run;
mod stopping;
mod test;

use std::path::PathBuf;

use charon_engine::Registry;

use crate::{
    args::Plugin,
    exit::{Exit, Failure},
};
use event::Refusal;
use lines::Lines;
use stopping::Stopping;

/// What the two sides agree on. Fields and events may come to be more under the same version, so a host ignores what it does
/// not know; what is there keeps its meaning.
const PROTOCOL: &str = "charon-plugin/1";

/// What the command line says beside the command.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) quiet: bool,
    pub(crate) registry: Registry,
}

pub(crate) async fn run(command: Plugin, around: Around) -> Result<Exit, Failure> {
    if let Plugin::Describe { provider } = command {
        return describe::print(&around.registry, provider.as_deref());
    }
    let lines = Lines::to_stdout();
    let stopping = Stopping::begin(lines.gone());
    let done = match command {
        Plugin::Run => run::run(around, &lines, &stopping).await,
        Plugin::Test | Plugin::Describe { .. } => test::run(&around.registry, &lines, &stopping).await,
    };
    let done = match done {
        Ok(exit) => Ok(exit),
        Err(refusal) => {
            lines.send(&refusal.event()).await;
            Err(refusal)
        }
    };
    lines.finish().await;
    done.map_err(Refusal::into_failure)
}
