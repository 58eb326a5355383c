//! One question of a person to a storage: asked again once where that may help at once, and what the answer says of the account
//! is heeded by all.

use std::time::Duration;

use charon_provider::{Class, Error, Reason};

use crate::{engine::Engine, retry::SLOW_DOWN, storages::Opened};

/// How long a person is kept waiting for a second try.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks; a fault that may pass is followed by one more try.
pub(super) async fn ask<T, F, W>(engine: &Engine, opened: &Opened, mut attempt: F) -> Result<T, Error>
where
    F: FnMut() -> W,
    W: Future<Output = Result<T, Error>>,
{
    let error = match attempt().await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    opened.spending.learn_from(&error).await;
    let passes = error.class == Class::Transient
        && !matches!(error.reason, Reason::StaleAddress | Reason::ListingExpired)
        && error.retry_after.is_none_or(|asked| asked <= PATIENCE);
    if !passes {
        heed(opened, &error);
        return Err(until_when(engine, opened, error));
    }
    engine.clock.sleep(PATIENCE).await;
    let error = match attempt().await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    opened.spending.learn_from(&error).await;
    heed(opened, &error);
    Err(until_when(engine, opened, error))
}

/// Of a quota that is spent, it is known when there is more.
fn until_when(engine: &Engine, opened: &Opened, error: Error) -> Error {
    if error.class != Class::Quota || error.retry_after.is_some() {
        return error;
    }
    let until = opened.spending.until(&error, &opened.storage.facts().meters);
    let wait = until.map(|until| until.duration_since(engine.clock.now()).unsigned_abs());
    error.after(wait)
}

/// Whoever asks to be left alone is left alone by everybody (I7).
fn heed(opened: &Opened, error: &Error) {
    if error.class == Class::Throttled {
        opened.lane.slow_down(error.retry_after.unwrap_or(SLOW_DOWN));
    } else if let Some(asked) = error.retry_after {
        opened.lane.hold(asked);
    }
}
