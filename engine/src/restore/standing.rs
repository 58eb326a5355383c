//! Standing: which of what is home a storage has. What the ledger believes is looked up, since what was lost may be lost there.

use charon_provider::{Existence, RemoteId};

use crate::{
    error::Error,
    ids::Sha256,
    retry::with_retries,
    store::{AtHome, Known},
    upload::Upload,
};

/// Why it is not known whether a storage has an item.
const NEVER_SHOWN: &str = "the account has never shown this one, which another program uploaded, so it cannot be told whether it has it";

/// What a storage has of an item.
#[derive(Debug)]
pub(super) enum There {
    /// It has it, as this one.
    Has(RemoteId),
    /// It does not have it; it may have had it as this one.
    Lacks { gone: Option<RemoteId>, known: Known },
    /// It could not say.
    Unknown(String),
}

/// What the storage has of these items. `None` when the run has stopped, or begins no more.
pub(super) async fn of(upload: &Upload, items: &[AtHome]) -> Result<Option<Vec<There>>, Error> {
    let ctx = &upload.ctx;
    let contents: Vec<Sha256> = items.iter().map(|item| item.whole.sha256).collect();
    let known = ctx.store.known(ctx.storage, None, &contents).await?;
    let believed = known.values().filter_map(|known| known.remote_id.as_ref());
    let mut believed: Vec<RemoteId> = believed.filter(|id| upload.truth.of(id).is_none()).cloned().collect();
    believed.sort();
    believed.dedup();
    let Some(mut doubtful) = look_up(upload, &believed).await? else { return Ok(None) };
    // Of what it has never shown, that it does not find it says nothing: another program uploaded it.
    let gone: Vec<RemoteId> = believed.into_iter().filter(|id| upload.truth.of(id) == Some(false)).collect();
    let never_shown = ctx.store.never_shown(ctx.storage, &gone).await?;
    doubtful.extend(never_shown.into_iter().map(|id| (id, NEVER_SHOWN.to_owned())));
    let standing = contents.iter().map(|sha256| {
        let known = known.get(sha256).cloned().unwrap_or_default();
        let Some(id) = known.remote_id.clone() else { return There::Lacks { gone: None, known } };
        if let Some((_, why)) = doubtful.iter().find(|(other, _)| *other == id) {
            return There::Unknown(why.clone());
        }
        if upload.truth.of(&id) == Some(false) {
            There::Lacks { gone: Some(id), known }
        } else {
            There::Has(id)
        }
    });
    Ok(Some(standing.collect()))
}

/// Looks up items; gives those of which the storage could not say whether it has them. `None` when the run has stopped.
async fn look_up(upload: &Upload, ids: &[RemoteId]) -> Result<Option<Vec<(RemoteId, String)>>, Error> {
    let ctx = &upload.ctx;
    let mut doubtful = Vec::new();
    // What cannot be read from cannot be asked.
    let Some(source) = upload.storage.source() else { return Ok(Some(doubtful)) };
    for some in ids.chunks(source.confirm_limit().max(1)) {
        let answers = match with_retries(ctx, || source.confirm(some)).await {
            None => return Ok(None),
            Some(Ok(answers)) => answers,
            Some(Err(error)) if ctx.is_dry => return Err(error.into()),
            Some(Err(error)) => {
                ctx.stop_for_storage(&error);
                return Ok(None);
            }
        };
        for (id, answer) in some.iter().zip(answers) {
            match answer {
                Existence::Found(_) => upload.truth.is_there(id),
                Existence::NotFound => upload.truth.is_gone(id),
                Existence::Unknown(why) => doubtful.push((id.clone(), why.clone())),
            }
        }
    }
    Ok(Some(doubtful))
}
