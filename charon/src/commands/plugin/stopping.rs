//! Being asked to stop: by a signal, or because nobody reads what is printed any more.

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{exit::Exit, output::say_aside, signals::interrupted};

/// Listens for as long as it is there.
#[derive(Debug)]
pub(super) struct Stopping {
    asked: CancellationToken,
    _listening: AbortOnDropHandle<()>,
}

impl Stopping {
    /// Listens from now on. A second signal ends the program at once; what is half done is cleared by the next run.
    pub(super) fn begin(gone: CancellationToken) -> Self {
        let asked = CancellationToken::new();
        let (signal, told) = (interrupted(), asked.clone());
        let listening = async move {
            tokio::select! {
                () = signal => {}
                () = gone.cancelled() => {}
            }
            let again = interrupted();
            say_aside("charon: stopping; a second signal stops at once");
            told.cancel();
            again.await;
            std::process::exit(Exit::Interrupted.code().into());
        };
        Self { asked, _listening: AbortOnDropHandle::new(tokio::spawn(listening)) }
    }

    /// Cancelled as soon as somebody asks.
    pub(super) fn asked(&self) -> &CancellationToken {
        &self.asked
    }
}
