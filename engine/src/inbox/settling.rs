//! Settling: what became of files that are or were under way, by what the ledger and the run say. Nothing else tells it, so it comes
//! out the same after a kill (I2).

use charon_provider::Class;

use super::{
    again_at,
    work::{Group, Inbox},
};
use crate::{
    error::Error,
    ids::Sha256,
    run::Outcome,
    store::{ReceiptRow, Settled, SettledAs},
    upload,
};

impl Inbox {
    /// What became of those files of a group that have come to an end.
    pub(super) async fn settled(&self, group: &Group) -> Result<Vec<Settled>, Error> {
        let ctx = &self.ctx;
        let album = match &group.album {
            None => None,
            Some(title) => ctx.store.album(ctx.storage, title).await?,
        };
        let contents: Vec<Sha256> = group.files.iter().map(|file| file.sha256).collect();
        let known = ctx.store.known(ctx.storage, album.as_ref(), &contents).await?;
        let key = |file: &ReceiptRow| upload::path_key(&self.spool.path_of(file.id, &file.file_name));
        let paths: Vec<String> = group.files.iter().map(key).collect();
        let ends = ctx.store.item_ends(ctx.run, &paths).await?;
        let mut settled = Vec::new();
        for (file, path) in group.files.iter().zip(&paths) {
            let end = ends.get(path);
            let there = known.get(&file.sha256).filter(|known| group.album.is_none() || known.in_album);
            let became = match (there.and_then(|known| known.remote_id.as_ref()), end) {
                (Some(id), end) => {
                    // Bytes are counted only where they were sent.
                    let was_sent = end.is_some_and(|end| end.outcome == Outcome::Done && end.bytes > 0);
                    SettledAs::Sent { media_id: id.0.clone(), was_there: !was_sent }
                }
                (None, Some(end)) if end.outcome == Outcome::Failed && end.attempt == ctx.attempt => {
                    let reason = end.reason.clone().unwrap_or_default();
                    match end.class {
                        Some(Class::Item) => SettledAs::Failed { class: Class::Item, reason },
                        class => {
                            let again_at = again_at(ctx.clock.now(), file.failures);
                            SettledAs::Later { class, reason, again_at }
                        }
                    }
                }
                (None, _) => continue,
            };
            settled.push(Settled { id: file.id, file_name: file.file_name.clone(), became });
        }
        Ok(settled)
    }
}
