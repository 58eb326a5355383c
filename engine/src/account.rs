//! Whose account it is, where nothing tells: after a new consent, the items that the ledger knows must still be there (I11).

use charon_provider::{Class, Error as StorageError, Existence, Storage};

use crate::{error::Error, retry::with_retries, run::RunContext};

/// So many of the known items are looked up.
const LOOKED_UP: usize = 20;

/// Refuses an account that shows nothing of what the ledger knows of the storage, if there is a doubt about it.
pub(crate) async fn refuse_another(ctx: &RunContext, storage: &dyn Storage) -> Result<(), Error> {
    if !ctx.store.account(ctx.storage).await?.in_doubt {
        return Ok(());
    }
    // What cannot be read from cannot be asked.
    let Some(source) = storage.source() else { return Ok(()) };
    let ids = ctx.store.some_remotes(ctx.storage, source.confirm_limit().clamp(1, LOOKED_UP)).await?;
    if !ids.is_empty() {
        let Some(answers) = with_retries(ctx, || source.confirm(&ids)).await else { return Ok(()) };
        let answers = answers?;
        if !answers.iter().any(|answer| matches!(answer, Existence::Found(_))) {
            return Err(none_found(&answers).into());
        }
    }
    ctx.store.account_is_certain(ctx.storage).await
}

fn none_found(answers: &[Existence]) -> StorageError {
    let doing = "recognise the account";
    let unknown = answers.iter().find_map(|answer| match answer {
        Existence::Unknown(why) => Some(why),
        Existence::Found(_) | Existence::NotFound => None,
    });
    if let Some(why) = unknown {
        let cause =
            format!("the storage could not say whether it has the items that it is known to hold: {why}");
        return StorageError::new(Class::Transient, doing, cause).cured_by("run the plan again later");
    }
    let cause = format!(
        "none of {} items that this storage is known to hold can be seen: another account or another client?",
        answers.len()
    );
    StorageError::new(Class::Auth, doing, cause).cured_by(
        "authorise the storage again with the account that it was used with, or add a storage of another name for this one",
    )
}
