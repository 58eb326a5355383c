//! Work that has to be undone when nobody waits for it any more.

use charon_provider::{Class, Error};
use tokio::sync::oneshot;

/// Comes to its end when nobody waits any more.
#[derive(Debug)]
pub(crate) struct Abandoned(oneshot::Receiver<()>);

impl Abandoned {
    /// Waits until nobody waits any more.
    pub(crate) async fn wait(&mut self) {
        // Nothing is ever sent: this ends when the other side is dropped.
        drop((&mut self.0).await);
    }
}

/// Does work in a task of its own. When whoever waits here is dropped, the task is told, and cleans up behind itself.
pub(crate) async fn attended<T, F>(work: impl FnOnce(Abandoned) -> F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let (waiting, abandoned) = oneshot::channel();
    let ended = tokio::spawn(work(Abandoned(abandoned))).await;
    drop(waiting);
    match ended {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::new(Class::Transient, "finish", "the program is about to end")),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::attended;

    #[tokio::test]
    async fn work_is_told_when_nobody_waits_for_it() {
        let (starts, started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let work = attended::<(), _>(|mut abandoned| async move {
            starts.send(()).expect("the test waits");
            abandoned.wait().await;
            end.send(()).expect("the test waits");
            Ok(())
        });
        tokio::select! {
            _ = work => panic!("it ended by itself"),
            started = started => started.expect("it begins"),
        }
        ended.await.expect("it was told");
    }

    #[tokio::test]
    async fn work_that_is_waited_for_gives_its_result() {
        assert_eq!(attended(|_| async { Ok(7) }).await.unwrap(), 7);
    }
}
